"""Forecast: what comes next in a series, K steps of one or many channels at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from edgelstm.data.baselines.forecast import RIDGE_BYTES, baselines, ridge_bytes, season_of
from edgelstm.data.parts import NAMES, Cut, Part, fraction_borders, split
from edgelstm.data.readers.read import read_series
from edgelstm.data.rows import seconds_of
from edgelstm.data.scores.score import Answerer
from edgelstm.data.sequences import Sequences
from edgelstm.data.series import Series
from edgelstm.data.windows import Rows, Windows, from_arrays
from edgelstm.errors import DataError, InputError
from edgelstm.train.arrays import finite, named
from edgelstm.train.problem import Problem, channels_of, with_levels
from edgelstm.train.recipe import Recipe
from edgelstm.train.tasks.borders import borders_of
from edgelstm.train.tasks.task import Arrays, Pair, Task, parts_of


def read(recipe: Recipe) -> Problem:
    """Read the table of a recipe and cut it into windows.

    Raises:
        DataError: the data cannot be read, or is too short.
    """
    data, window = recipe.data, recipe.window
    series, borders = _read(recipe)
    cut = Cut(
        window.steps or 1,
        window.horizon,
        window.stride,
        recipe.split.overlap,
        data.missing,
        data.ahead,
        bool(data.calendar),
    )
    parts = {part.name: part for part in split(series, data.inputs, data.targets, borders, cut)}
    training = parts["training"]
    season = data.season or season_of(series.period_s)
    report = _report(series, data.missing, list(parts.values()))
    if season is not None and season >= cut.steps:
        report = (*report, f"no seasonal naive: a season of {season} samples takes a window of {season + 1}")
        season = None
    report += _without_ridge(training.windows)
    learnt = slice(training.start, training.end)
    inputs = channels_of(data.inputs, series.columns(data.inputs)[learnt], data.units)
    targets = channels_of(data.targets, series.columns(data.targets)[learnt], data.units)
    return Problem(
        name=recipe.name,
        task="forecast",
        answer="quantile" if window.quantiles else "number",
        inputs=tuple(c._replace(ahead=window.horizon if c.name in data.ahead else 0) for c in inputs),
        outputs=with_levels(targets, window.quantiles),
        window=cut.steps,
        horizon=cut.horizon,
        training=training.windows,
        validation=_held_out(series, parts.get("validation")),
        test=_held_out(series, parts.get("test")),
        period_s=series.period_s,
        season=season,
        data_sha256=series.sha256,
        report=report,
    )


def _held_out(series: Series, part: Part | None) -> Windows | None:
    """Take the windows of a part, with the times of their rows: of what is scored, people want to know when."""
    return None if part is None else replace(part.windows, times=seconds_of(series, part.first_row, part.end))


def from_own_arrays(arrays: Arrays, recipe: Recipe) -> Problem:
    """Check a caller's own arrays; see `edgelstm.train.fit`.

    Raises:
        InputError: shapes that do not fit, or numbers that are not finite.
    """
    every_step = recipe.network.state == "carried"
    parts = parts_of(arrays, partial(_checked, every_step=every_step))
    x, y = parts["training"]
    inputs = named("inputs", arrays.inputs, x.shape[-1], "x")
    outputs = named("outputs", arrays.outputs, y.shape[-1], "y")
    if recipe.network.shared and (x.shape[-1] != y.shape[-1] or (set(inputs) & set(outputs) and inputs != outputs)):
        raise InputError(
            f"network.shared: each channel is forecast from itself: expected in y the channels of x {inputs} in their "
            f"order, got {outputs}"
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
        raise TypeError("what is forecast are windows")
    return dict(baselines(training, validation, problem.outputs, problem.season))


def _without_ridge(windows: Windows) -> tuple[str, ...]:
    """Say so where ridge is left out."""
    size = ridge_bytes(windows)
    if size <= RIDGE_BYTES:
        return ()
    channels = windows.x_rows.shape[1]
    return (f"no ridge: windows of {windows.steps} steps and {channels} channels would take {size / 2**30:.3g} GiB",)


def _read(recipe: Recipe) -> tuple[Series, tuple[int, ...]]:
    """Read the table, or the tables of the parts laid end to end, and say at which row each part ends."""
    data, split_by = recipe.data, recipe.split
    if len(split_by.test_paths) > 1:
        raise DataError("split.test_path: expected one file to forecast, got several: lay them end to end")
    columns = (*data.inputs, *data.targets)
    series = read_series(data.path, columns, data.time, data.resample, data.format)
    if not (split_by.validation_path or split_by.test_paths):
        return series, borders_of(recipe, series)
    rows = len(series.values)
    training, validation, _ = split_by.fractions
    ends = list(fraction_borders(rows, training, validation, 0.0))[: 1 if split_by.validation_path else 2]
    for path in filter(None, (split_by.validation_path, *split_by.test_paths)):
        series = _append(series, read_series(path, columns, data.time, data.resample, data.format), split_by.overlap)
        ends.append(len(series.values))
    return series, tuple(ends)


def _append(first: Series, second: Series, overlap: bool) -> Series:
    """Lay two files end to end; windows may only reach across if time goes on there."""
    time = None
    if first.period_s and second.period_s and first.period_s != second.period_s:
        raise DataError(
            f"expected files with one sample every {first.period_s:g} s as in training, got one every "
            f"{second.period_s:g} s: give --resample"
        )
    if second.sha256 in (first.sha256 or "").split("+"):
        raise DataError("split: the same file is given for two parts; held-out data must be other data")
    if first.time is not None and second.time is not None and second.time[0] <= first.time[-1]:
        raise DataError(
            f"split: expected the files in the order of time, but one begins at {second.time[0]}, when the one before "
            f"it has not ended ({first.time[-1]})"
        )
    if first.time is not None and second.time is not None:
        step_s = (second.time[0] - first.time[-1]) / np.timedelta64(1, "s")
        if overlap and step_s != first.period_s:
            raise DataError(
                f"overlap: expected the next file to go on {first.period_s:g} s after the one before, but "
                f"{step_s:g} s lie between them: leave out overlap"
            )
        time = np.concatenate([first.time, second.time])
    return replace(
        first,
        values=np.concatenate([first.values, second.values]),
        time=time,
        sha256=f"{first.sha256}+{second.sha256}",
    )


def _report(series: Series, policy: str, parts: list[Part]) -> tuple[str, ...]:
    lines = [f"{len(series.values)} rows" + (f", one every {series.period_s:g} s" if series.period_s else "")]
    for column, name in enumerate(series.names):
        missing = int(np.isnan(series.values[:, column]).sum())
        if missing:
            lines.append(f"{name}: {missing} missing sample(s), policy {policy!r}")
    for part in parts:
        lines.append(f"{part.name}: rows {part.start + 1} to {part.end}, {len(part.windows)} windows")
    absent = [name for name in NAMES if name not in [part.name for part in parts]]
    if absent:
        lines.append(f"no {' and no '.join(absent)} part")
    if parts[-1].end < len(series.values):
        lines.append(f"not used: rows {parts[-1].end + 1} to {len(series.values)}")
    return tuple(lines)


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
