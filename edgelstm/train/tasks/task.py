"""A task for the trainer: a word in a recipe, and its functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgelstm import contract
from edgelstm.data.scores.score import Answerer
from edgelstm.recipe.recipe import Recipe
from edgelstm.train.arrays import fraction_of, pair_of
from edgelstm.train.problem import Problem

Pair = tuple[Any, Any]  # x and y of a part
Check = Callable[[str, Any, Any, Pair | None], Pair]


@dataclass(frozen=True)
class Arrays:
    """A caller's own data; see `edgelstm.train.fit`.

    Attributes:
        x, y: of the training part.
        validation: a pair like them, a fraction, or None.
        test: a pair like them, or None.
        inputs, outputs: names of the channels, or of the classes; empty for numbered ones.
    """

    x: Any
    y: Any
    validation: Any
    test: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def parts_of(arrays: Arrays, check: Check) -> dict[str, Pair]:
    """Split a caller's data into parts, training first; a fraction takes the last examples for validation.

    Args:
        arrays: the caller's.
        check: checks and converts x and y of a part; takes the name of the part, x, y, and the converted training
            part, which the others must match, or None.

    Raises:
        InputError: a fraction leaves one part empty, or a pair is expected and not given.
    """
    x, y = check("x, y", arrays.x, arrays.y, None)
    parts = {"training": (x, y)}
    taken = fraction_of(arrays.validation, len(x))
    if taken is not None:  # the newest, if they are in time order
        parts = {"training": (x[:-taken], y[:-taken]), "validation": (x[-taken:], y[-taken:])}
    given = {"validation": None if taken else arrays.validation, "test": arrays.test}
    for part, pair in given.items():
        if pair is not None:
            parts[part] = check(part, *pair_of(part, pair), (x, y))
    return parts


@dataclass(frozen=True)
class Task:
    """One word of `edgelstm.contract.TASKS`.

    Everything else follows from the examples and answers of a task: loss, head, scores and plots are those of numbers,
    quantiles or classes, for a window, a sequence or every step of a series.

    Attributes:
        name: the word.
        read: reads the data of a recipe and splits it into parts.
        from_arrays: checks a caller's own arrays, and splits them.
        baselines: fits the baselines on the training part: by name, a function that gives answers on a part.
    """

    name: contract.Task
    read: Callable[[Recipe], Problem]
    from_arrays: Callable[[Arrays, Recipe], Problem]
    baselines: Callable[[Problem], dict[str, Callable[[Any], Answerer]]]
