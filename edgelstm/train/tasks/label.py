"""Label: a class or a number at every step of a series, with a state carried from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from edgelstm.data.baselines.label import baselines
from edgelstm.data.classes import class_numbers, classes_of
from edgelstm.data.deal import Wanted
from edgelstm.data.scores.score import Answerer
from edgelstm.data.seasons import season_of
from edgelstm.data.sequences import Sequences, Targets, lay_out
from edgelstm.data.windows import Rows
from edgelstm.errors import DataError, InputError, RecipeError
from edgelstm.recipe.asking import asking_of
from edgelstm.recipe.recipe import Recipe
from edgelstm.train.arrays import classes_from, finite, labels_from, named, series_from
from edgelstm.train.problem import Problem, channels_of, class_channels
from edgelstm.train.tasks.asking import (
    changing,
    channels_named,
    check_drift,
    columns_found,
    of_words,
    with_words,
)
from edgelstm.train.tasks.gaps import gap_lines, max_gap_of
from edgelstm.train.tasks.series import deal_out, lay_out_parts
from edgelstm.train.tasks.task import Arrays, Pair, Task, parts_of


def read(recipe: Recipe) -> Problem:
    """Read the series of a recipe, with a class or a number at every step.

    Raises:
        DataError: the data cannot be read, has only one class, or has a class that training lacks.
        RecipeError: the recipe does not say what to label.
    """
    data = recipe.data
    _check_columns(recipe)
    label = data.targets[0] if data.classes else None
    targets = () if label else data.targets
    dealt = deal_out(recipe, asking_of(recipe, (*data.features, *targets), targets, label))
    check_drift(recipe, dealt.categories)
    classes = classes_of(text for one in dealt.training for text in one.labels or ()) if label else ()
    first, learnt = dealt.found.series[0], dealt.parts["training"]
    inputs, still = changing(channels_named(data.features, dealt.categories), learnt)
    season, steps = data.season or season_of(dealt.period_s), recipe.window.steps
    max_gap = max_gap_of(data.max_gap, data.missing, season, steps or 1)
    words = tuple(of_words(dealt.categories))
    wanted = Wanted(inputs, targets, classes, True, data.missing, steps, bool(data.time), max_gap, words)
    parts, report = lay_out_parts(dealt, wanted)
    if not data.calendar:  # people want to know the times of held-out parts
        parts["training"] = replace(parts["training"], times=None)
    problem = _problem(recipe, parts, inputs, classes or targets, label, dealt.origins)
    columns = [(name, channel) for name, channel in columns_found(first, dealt.categories) if name not in targets]
    gaps = gap_lines(dealt.all_series, columns, data.missing, max_gap)
    return replace(
        problem,
        inputs=with_words(problem.inputs, dealt.categories),
        period_s=dealt.period_s,
        data_sha256=dealt.sha256,
        reading=dealt.found.reading._replace(gaps=data.missing, max_gap=max_gap),
        report=(*dealt.report, *gaps, *still, *report),
    )


def from_own_arrays(arrays: Arrays, recipe: Recipe) -> Problem:
    """Check a caller's own series and their labels; see `edgelstm.train.fit`.

    Raises:
        InputError: series or labels do not fit each other.
        DataError: only one class, or a class that training lacks.
    """
    kind = recipe.data.classes
    parts = parts_of(arrays, partial(_checked, classes=kind))
    x, y = parts["training"]
    classes = classes_from(arrays.outputs, [text for labels in y for text in labels]) if kind else ()
    found = {
        part: lay_out(
            series,
            [class_numbers(labels, classes, part) for labels in truth] if kind else truth,
            every_step=True,
            steps=recipe.window.steps,
        )
        for part, (series, truth) in parts.items()
    }
    for part, sequences in found.items():
        if not _known(sequences.targets).any():
            raise DataError(f"the {part} part has no row with a known target")
    inputs = named("inputs", arrays.inputs, x[0].shape[1], "x")
    outputs = classes or named("outputs", arrays.outputs, y[0].shape[1], "y")
    return _problem(recipe, found, inputs, outputs, "label" if kind else None)


def _problem(
    recipe: Recipe,
    parts: dict[str, Sequences],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    label: str | None,
    origins: Mapping[str, float] | None = None,
) -> Problem:
    training, data = parts["training"], recipe.data
    if label is None:
        capped = np.minimum(training.targets, np.inf if data.cap is None else data.cap)
        channels = tuple(c._replace(cap=data.cap) for c in channels_of(outputs, capped, data.units, origins))
    else:
        channels = class_channels(outputs, label)
    return Problem(
        name=recipe.name,
        task="label",
        answer="number" if label is None else "class",
        inputs=channels_of(inputs, training.x_rows, data.units, origins),
        outputs=channels,
        window=training.steps,
        horizon=1,
        training=training,
        validation=parts.get("validation"),
        test=parts.get("test"),
    )


def _check_columns(recipe: Recipe) -> None:
    data = recipe.data
    if not data.features:
        raise RecipeError("data.features: is missing; name the input columns with --feature")
    if not data.targets or (data.classes and len(data.targets) != 1):
        raise RecipeError(f"data.targets: expected the column to label (--target), got {len(data.targets)} columns")
    both = [name for name in data.features if name in data.targets]
    if both:
        raise RecipeError(f"data.features: {both[0]!r} is a target to label, it cannot be an input")


def _checked(part: str, x: Any, y: Any, like: Pair | None, *, classes: bool) -> tuple[list[Rows], list[Any]]:
    series = series_from(part, x, like and like[0][0].shape[1])
    truths = list(y) if isinstance(y, Iterable) else []
    if len(truths) != len(series):
        raise InputError(f"{part}: expected labels for each of {len(series)} series, got {len(truths)}")
    if classes:
        return series, [labels_from(part, labels, len(x), "steps") for x, labels in zip(series, truths, strict=True)]
    found = [_numbers(part, truth, len(x)) for x, truth in zip(series, truths, strict=True)]
    size = (like[1] if like else found)[0].shape[1]
    for one in found:
        if one.shape[1] != size:
            raise InputError(f"{part}: expected steps with as many numbers as the first ({size}), got {one.shape[1]}")
    return series, found


def _numbers(part: str, truth: Any, steps: int) -> Rows:
    """Give the numbers of a series, NaN if unknown: float32 [T, O]."""
    found = finite(part, truth, unknown=True)
    found = found[:, np.newaxis] if found.ndim == 1 else found
    if found.ndim != 2 or len(found) != steps or found.shape[1] == 0:
        raise InputError(f"{part}: expected a label for each of {steps} steps, got {found.shape}")
    return found


def _known(targets: Targets) -> Targets:
    return ~np.isnan(targets) if targets.dtype.kind == "f" else targets >= 0


def _baselines(problem: Problem) -> dict[str, Callable[[Any], Answerer]]:
    if not isinstance(problem.training, Sequences):
        raise TypeError("expected sequences to label")
    return dict(baselines(problem.training, problem.outputs))


LABEL = Task("label", read, from_own_arrays, _baselines)
