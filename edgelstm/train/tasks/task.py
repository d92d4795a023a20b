"""What a task is to the trainer: a word in a recipe, and the functions behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgelstm.data.scores.score import Answerer
from edgelstm.train.problem import Problem
from edgelstm.train.recipe import Recipe


@dataclass(frozen=True)
class Arrays:
    """A caller's own data; see `edgelstm.train.fit`.

    Attributes:
        x, y: of the training part.
        validation: a pair like them, a fraction, or None.
        test: a pair like them, or None.
        inputs, outputs: names of the channels, or of the classes; empty for numbered ones.
        options: the recipe's other sections, checked.
    """

    x: Any
    y: Any
    validation: Any
    test: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """One word of `edgelstm.contract.TASKS`.

    What else there is about a task follows from its examples and from what it answers: loss, head, scores and plots
    are those of numbers, quantiles or classes, for a window, a sequence or every step of a series.

    Attributes:
        name: the word.
        read: reads the data of a recipe and cuts it into parts.
        from_arrays: checks a caller's own arrays, and cuts them.
        baselines: fits, on the training part, what the network is held against: by name, what answers on a part.
    """

    name: str
    read: Callable[[Recipe], Problem]
    from_arrays: Callable[[Arrays, Recipe], Problem]
    baselines: Callable[[Problem], dict[str, Callable[[Any], Answerer]]]
