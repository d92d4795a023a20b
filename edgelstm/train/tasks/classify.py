"""Classify: the class of a whole series of any length."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgelstm.data.baselines.classify import baselines
from edgelstm.data.classes import class_numbers, classes_of
from edgelstm.data.deal import Wanted
from edgelstm.data.readers.formats.ts import CLASS
from edgelstm.data.readers.sources import files_of
from edgelstm.data.scores.score import Answerer
from edgelstm.data.seasons import season_of
from edgelstm.data.sequences import Sequences, lay_out
from edgelstm.data.windows import Rows
from edgelstm.errors import DataError, InputError, RecipeError
from edgelstm.recipe.asking import asking_of
from edgelstm.recipe.recipe import Recipe
from edgelstm.train.arrays import classes_from, labels_from, named, series_from
from edgelstm.train.problem import Problem, channels_of, class_channels
from edgelstm.train.tasks.asking import (
    changing,
    channels_named,
    check_drift,
    columns_found,
    of_words,
    tables_beside,
    with_words,
)
from edgelstm.train.tasks.gaps import gap_lines, max_gap_of
from edgelstm.train.tasks.series import deal_out, lay_out_parts
from edgelstm.train.tasks.task import Arrays, Pair, Task, parts_of


def read(recipe: Recipe) -> Problem:
    """Read the series of a recipe, each with its class.

    Raises:
        DataError: the data cannot be read, has only one class, or has a class that training lacks.
        RecipeError: the recipe does not name the class column.
    """
    data = recipe.data
    label = _label(recipe)
    dealt = deal_out(recipe, asking_of(recipe, data.features, label=label))
    check_drift(recipe, dealt.categories)
    classes = classes_of(one.labels[0] for one in dealt.training if one.labels)
    first, learnt = dealt.found.series[0], dealt.parts["training"]
    inputs, still = changing(channels_named(data.features, dealt.categories) or first.names, learnt)
    steps = _steps(recipe, dealt.longest)
    max_gap = max_gap_of(data.max_gap, data.missing, data.season or season_of(dealt.period_s), steps)
    times, words = bool(data.calendar), tuple(of_words(dealt.categories))
    wanted = Wanted(inputs, (), classes, False, data.missing, steps, times, max_gap, words)
    parts, report = lay_out_parts(dealt, wanted)
    problem = _problem(recipe.name, parts, inputs, classes, label or _called(recipe), data.units, dealt.origins)
    return replace(
        problem,
        inputs=with_words(problem.inputs, dealt.categories),
        period_s=dealt.period_s,
        data_sha256=dealt.sha256,
        reading=dealt.found.reading._replace(gaps=data.missing, max_gap=max_gap),
        report=(
            *dealt.report,
            *gap_lines(dealt.all_series, columns_found(first, dealt.categories), data.missing, max_gap),
            *still,
            *report,
            f"classes: {', '.join(classes)}",
        ),
    )


def from_own_arrays(arrays: Arrays, recipe: Recipe) -> Problem:
    """Check a caller's own series and their classes; see `edgelstm.train.fit`.

    Raises:
        InputError: the series do not fit each other, or the number of classes is not that of the series.
        DataError: only one class, or a class that training lacks.
    """
    parts = parts_of(arrays, _checked)
    x, y = parts["training"]
    classes = classes_from(arrays.outputs, y)
    steps = _steps(recipe, max(len(one) for series, _ in parts.values() for one in series))
    found = {
        part: lay_out(series, class_numbers(labels, classes, part), every_step=False, steps=steps)
        for part, (series, labels) in parts.items()
    }
    inputs = named("inputs", arrays.inputs, x[0].shape[1], "x")
    return _problem(recipe.name, found, inputs, classes, "class", {})


def _problem(
    name: str,
    parts: dict[str, Sequences],
    inputs: tuple[str, ...],
    classes: tuple[str, ...],
    label: str,
    units: dict[str, str],
    origins: Mapping[str, float] | None = None,
) -> Problem:
    training = parts["training"]
    return Problem(
        name=name,
        task="classify",
        answer="class",
        inputs=channels_of(inputs, training.x_rows, units, origins),
        outputs=class_channels(classes, label),
        window=training.steps,
        horizon=1,
        training=training,
        validation=parts.get("validation"),
        test=parts.get("test"),
    )


def _label(recipe: Recipe) -> str | None:
    """Give the class column; None if a separate table or the folder of each file gives the class."""
    data = recipe.data
    of_its_own = (data.format or Path(data.path).suffix.removeprefix(".")) == "ts"
    if len(data.targets) > 1:
        raise RecipeError(f"data.targets: expected one column, the class (--target), got {len(data.targets)}")
    files = None if of_its_own else files_of(data.path, tables_beside(recipe))
    if data.labels is not None or (files is not None and not data.targets):
        if data.labels is None and len({file.parent for file in files or ()}) < 2:
            raise RecipeError(
                f"data.labels: expected the class of each file of {data.path}: one folder per class, a table "
                "(--labels), or a column (--target)"
            )
        return None
    if not data.targets and not of_its_own:
        raise RecipeError("data.targets: expected one column, the class (--target), got none")
    if not data.features and not of_its_own and files is None:
        raise RecipeError("data.features: is missing; name the input columns with --feature")
    return data.targets[0] if data.targets else CLASS


def _called(recipe: Recipe) -> str:
    """Give the name of the class if it is not in a column of the tables."""
    return recipe.data.targets[0] if recipe.data.targets else CLASS


def _steps(recipe: Recipe, longest: int) -> int:
    """Give the largest number of steps of a sequence."""
    steps = recipe.window.steps or longest
    if steps < longest:
        raise DataError(
            f"window.steps: expected at least {longest}, the length of the longest series, got {steps}: raise it, or "
            "cut the series"
        )
    return steps


def _checked(part: str, x: Any, y: Any, like: Pair | None) -> tuple[list[Rows], list[str]]:
    series = series_from(part, x, like and like[0][0].shape[1])
    labels = labels_from(part, y, len(series), "series")
    if "" in labels:
        raise InputError(f"{part}: the class of series {labels.index('') + 1} is missing; remove the series")
    return series, labels


def _baselines(problem: Problem) -> dict[str, Callable[[Any], Answerer]]:
    if not isinstance(problem.training, Sequences):
        raise TypeError("expected sequences to classify")
    return dict(baselines(problem.training, problem.outputs))


CLASSIFY = Task("classify", read, from_own_arrays, _baselines)
