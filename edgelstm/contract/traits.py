"""The traits of each task: what the rest of the code asks, instead of comparing names.

A new task is a word of `edgelstm.contract.Task` and a row here; mypy reports a word without a row.
"""

from __future__ import annotations

from typing import NamedTuple

from edgelstm.contract.parts import ANSWERS, STATES, Answer, Precision, State, Task
from edgelstm.errors import assert_never


class Traits(NamedTuple):
    """The traits of one task.

    Attributes:
        has_horizon: an answer is K values, one for each step after a window: y has the axis K, and examples are
            windows.
        every_step: an answer belongs to a step of a series, in a window file too: y has the axis T.
        takes_lengths: series differ in length, so files that are trained here take the length of each row.
        answers: the kinds of answer that it can give.
        states: how it can be trained; the first one is the default.
        nouns: what people call one example, and several.
    """

    has_horizon: bool
    every_step: bool
    takes_lengths: bool
    answers: tuple[Answer, ...]
    states: tuple[State, ...]
    nouns: tuple[str, str]

    @property
    def whole_series(self) -> bool:
        """Whether an answer belongs to a series as a whole."""
        return not self.has_horizon and not self.every_step

    @property
    def always_classes(self) -> bool:
        """Whether every answer is a class."""
        return self.answers == ("class",)


_FORECAST = Traits(
    has_horizon=True,
    every_step=False,
    takes_lengths=False,
    answers=("number", "quantile"),
    states=STATES,
    nouns=("window", "windows"),
)
_CLASSIFY = Traits(
    has_horizon=False,
    every_step=False,
    takes_lengths=True,
    answers=("class",),
    states=("window",),
    nouns=("sequence", "sequences"),
)
_LABEL = Traits(
    has_horizon=False,
    every_step=True,
    takes_lengths=False,
    answers=ANSWERS,
    states=("carried",),
    nouns=("series", "series"),
)


def traits_of(task: Task) -> Traits:
    """Give the traits of a task.

    Raises:
        AssertionError: the word is not one of `edgelstm.contract.TASKS`.

    Example:
        >>> traits_of("forecast").has_horizon, traits_of("classify").answers, traits_of("label").states
        (True, ('class',), ('carried',))
    """
    match task:
        case "forecast":
            return _FORECAST
        case "classify":
            return _CLASSIFY
        case "label":
            return _LABEL
        case _:
            assert_never(task)


def has_integers(precision: Precision) -> bool:
    """Say whether weights become integers with scales.

    Example:
        >>> [precision for precision in ("fp32", "int8", "int8w", "fp16") if has_integers(precision)]
        ['int8', 'int8w']
    """
    match precision:
        case "int8" | "int8w":
            return True
        case "fp32" | "fp16":
            return False
        case _:
            assert_never(precision)


def runs_rows_apart(precision: Precision) -> bool:
    """Say whether rows must be run one by one, because those of one call would change each other's answers.

    Example:
        >>> [precision for precision in ("fp32", "int8", "int8w", "fp16") if runs_rows_apart(precision)]
        ['int8']
    """
    match precision:
        case "int8":  # activations are quantized by their range in the call
            return True
        case "fp32" | "int8w" | "fp16":
            return False
        case _:
            assert_never(precision)
