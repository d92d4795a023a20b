"""Forecast: the next K steps of one or more channels of a series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from edgelstm.contract import Channel
from edgelstm.data.baselines.forecast import baselines
from edgelstm.data.baselines.ridge import RIDGE_BYTES, ridge_bytes
from edgelstm.data.parts import Cut
from edgelstm.data.scores.score import Answerer
from edgelstm.data.seasons import Season, find_season
from edgelstm.data.sequences import Sequences
from edgelstm.data.series import Series
from edgelstm.data.windows import Rows, Windows, from_arrays
from edgelstm.errors import InputError, counted
from edgelstm.recipe.recipe import Recipe
from edgelstm.train.arrays import finite, named
from edgelstm.train.defaults import overlaps, window_steps
from edgelstm.train.problem import Problem, channels_of, with_levels
from edgelstm.train.tasks.asking import (
    Categories,
    changing,
    channels_named,
    check_drift,
    columns_found,
    of_words,
    with_words,
)
from edgelstm.train.tasks.gaps import gap_lines, max_gap_of
from edgelstm.train.tasks.task import Arrays, Pair, Task, parts_of
from edgelstm.train.tasks.timelines import Timelines, cut_timelines, part_lines, read_timelines


def read(recipe: Recipe) -> Problem:
    """Read the tables of a recipe and cut their series into windows.

    Raises:
        DataError: the data cannot be read, or is too short.
    """
    data, window = recipe.data, recipe.window
    lines = read_timelines(recipe)
    found, first = lines.found, lines.each[0].series
    check_drift(recipe, found.categories)
    inputs, still = changing(channels_named(data.inputs, found.categories), lines.learnt, keep=data.targets)
    by = find_season(data.season, _learnt(lines), data.targets[0])
    steps = window.steps or window_steps(by.samples, window.horizon, max(len(one.values) for one in _learnt(lines)))
    season = by.samples
    max_gap = max_gap_of(data.max_gap, data.missing, season, steps)
    cut = _cut(recipe, steps, found.categories, inputs, max_gap)
    parts = cut_timelines(lines, inputs, data.targets, cut)
    windows = {part.name: part.windows for part in parts}
    training = windows["training"] if data.calendar else replace(windows["training"], times=None)
    seasonal = season if season is not None and season < cut.steps else None
    report = (
        *found.notes,
        *gap_lines([one.series for one in lines.each], columns_found(first, found.categories), data.missing, max_gap),
        *still,
        *part_lines(lines, parts),
        *_chosen(recipe, by, steps),
        *_without_season(season, steps),
        *_without_ridge(training),
    )
    return Problem(
        name=recipe.name,
        task="forecast",
        answer="quantile" if window.quantiles else "number",
        inputs=tuple(
            channel._replace(ahead=window.horizon if channel.name in cut.ahead else 0)
            for channel in with_words(_channels(inputs, lines, data.units), found.categories)
        ),
        outputs=with_levels(_channels(data.targets, lines, data.units), window.quantiles),
        window=cut.steps,
        horizon=cut.horizon,
        training=training,
        validation=windows.get("validation"),
        test=windows.get("test"),
        period_s=first.period_s,
        season=seasonal,
        data_sha256=lines.sha256,
        reading=found.reading._replace(gaps=data.missing, max_gap=max_gap),
        report=report,
    )


def _learnt(lines: Timelines) -> list[Series]:
    return [replace(one.series, values=one.series.values[: one.end]) for one in lines.learnt]


def _chosen(recipe: Recipe, season: Season, steps: int) -> tuple[str, ...]:
    """Say which window and season were chosen, if they were not given."""
    told = [] if season.samples is None or not season.words else [f"season {season.samples} ({season.words})"]
    if recipe.window.steps is None:
        seasons = steps // season.samples if season.samples and steps % season.samples == 0 else 0
        told.append(f"window {steps}" + (f" ({counted(seasons, 'season')})" if seasons else ""))
    return (f"chosen: {', '.join(told)}",) if told else ()


def _cut(recipe: Recipe, steps: int, categories: Categories, inputs: tuple[str, ...], max_gap: int | None) -> Cut:
    data, window = recipe.data, recipe.window
    return Cut(
        steps=steps,
        horizon=window.horizon,
        stride=window.stride,
        overlap=overlaps(recipe) if recipe.split.overlap is None else recipe.split.overlap,
        missing=data.missing,
        ahead=tuple(name for name in channels_named(data.ahead, categories) if name in inputs),
        times=True,  # people want to know the times of what is scored
        max_gap=max_gap,
        categories=tuple(of_words(categories)),
    )


def _channels(names: tuple[str, ...], lines: Timelines, units: dict[str, str]) -> tuple[Channel, ...]:
    """Describe columns by the training rows of all series."""
    origins = lines.each[0].series.origins
    rows = np.concatenate([stretch.columns(names) for stretch in lines.learnt])
    channels = channels_of(names, rows, units)
    return tuple(channel._replace(origin=origins.get(channel.name, 0.0)) for channel in channels)


def from_own_arrays(arrays: Arrays, recipe: Recipe) -> Problem:
    """Check a caller's own arrays; see `edgelstm.train.fit`.

    Raises:
        InputError: the shapes do not fit, or numbers are not finite.
    """
    every_step = recipe.network.state == "carried"
    parts = parts_of(arrays, partial(_checked, every_step=every_step))
    x, y = parts["training"]
    inputs = named("inputs", arrays.inputs, x.shape[-1], "x")
    outputs = named("outputs", arrays.outputs, y.shape[-1], "y")
    if recipe.network.shared and (x.shape[-1] != y.shape[-1] or (set(inputs) & set(outputs) and inputs != outputs)):
        raise InputError(
            f"network.shared: each channel is forecast from itself: expected y to have the channels of x in the same "
            f"order, {inputs}, got {outputs}"
        )
    known = all(name in inputs for name in outputs)
    target_inputs = tuple(inputs.index(name) for name in outputs) if known else ()
    windows = {part: from_arrays(*pair, target_inputs) for part, pair in parts.items()}
    training, levels = windows["training"], recipe.window.quantiles
    return Problem(
        name=recipe.name,
        task="forecast",
        answer="quantile" if levels else "number",
        inputs=channels_of(inputs, training.x_rows, {}),
        outputs=with_levels(channels_of(outputs, training.y_rows, {}), levels),
        window=training.steps,
        horizon=training.horizon,
        training=training,
        validation=windows.get("validation"),
        test=windows.get("test"),
        report=_without_ridge(training),
    )


def _baselines(problem: Problem) -> dict[str, Callable[[Any], Answerer]]:
    training, validation = problem.training, problem.validation
    if not isinstance(training, Windows) or isinstance(validation, Sequences):
        raise TypeError("expected windows to forecast from")
    return dict(baselines(training, validation, problem.outputs, problem.season, problem.own))


def _without_season(season: int | None, steps: int) -> tuple[str, ...]:
    """Report it if there is no seasonal naive baseline."""
    if season is None or season < steps:
        return ()
    return (f"no seasonal naive: a season of {season} samples needs a window of {season + 1}",)


def _without_ridge(windows: Windows) -> tuple[str, ...]:
    """Report it if there is no ridge baseline."""
    size = ridge_bytes(windows)
    if size <= RIDGE_BYTES:
        return ()
    channels = windows.x_rows.shape[1]
    return (f"no ridge: windows of {windows.steps} steps and {channels} channels would need {size / 2**30:.3g} GiB",)


def _checked(what: str, x: Any, y: Any, like: Pair | None, *, every_step: bool) -> tuple[Rows, Rows]:
    x, y = finite(what, x), finite(what, y)
    steps = "T, " if every_step else ""
    if y.ndim == 2 + every_step:
        y = y[..., np.newaxis, :]
    if x.ndim != 3 or y.ndim != 3 + every_step or len(x) != len(y) or 0 in x.shape or 0 in y.shape:
        raise InputError(
            f"{what}: expected x [N, T, F] and y [N, {steps}K, O] or [N, {steps}O] with the same N, "
            f"got {x.shape} and {y.shape}"
        )
    if every_step and x.shape[1] != y.shape[1]:
        raise InputError(f"{what}: expected a target at each of {x.shape[1]} steps, got {y.shape[1]}")
    if like is not None and (x.shape[1:], y.shape[1:]) != (like[0].shape[1:], like[1].shape[1:]):
        raise InputError(
            f"{what}: expected windows like x {like[0].shape[1:]} and y {like[1].shape[1:]}, got {x.shape[1:]} and "
            f"{y.shape[1:]}"
        )
    return x, y


FORECAST = Task("forecast", read, from_own_arrays, _baselines)
