"""Counts since 1970: seconds, milliseconds, microseconds or nanoseconds, identified by their size."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.times.shapes import Shape

UNITS = {"epoch s": 1e6, "epoch ms": 1e3, "epoch us": 1.0, "epoch ns": 1e-3}
# From 1973 to 2286 in each unit: the ranges do not touch, and row numbers do not reach the first.
_SMALLEST = {"epoch s": 10**8, "epoch ms": 10**11, "epoch us": 10**14, "epoch ns": 10**17}
_TICKS = ((125 * 10**15, 145 * 10**15), (630 * 10**15, 650 * 10**15))  # about 1997 to 2060, since 1601 and since 1
_NUMBER = re.compile(r"-?(0{1,19})(?:[.,](0{1,12}))?")


class Epochs(NamedTuple):
    """A column of numbers.

    Attributes:
        whole: int64 [N], rounded towards zero.
        part: float64 [N], the fraction, from 0 to 1.
        negative: bool [N].
        digits: the most after the point.
    """

    whole: NDArray[np.int64]
    part: NDArray[np.float64]
    negative: NDArray[np.bool_]
    digits: int


def epochs_of(shapes: list[Shape], rows: int) -> Epochs | None:
    """Read a column that holds only numbers; None for other columns."""
    found = [_NUMBER.fullmatch(shape.text) for shape in shapes]
    if not all(found):
        return None
    whole, part, negative = np.zeros(rows, np.int64), np.zeros(rows), np.zeros(rows, bool)
    digits = 0
    for shape, number in zip(shapes, found, strict=True):
        assert number is not None  # noqa: S101 - all() above
        whole[shape.rows] = shape.number(*number.span(1))
        negative[shape.rows] = shape.text[0] == "-"
        if number[2]:
            digits = max(digits, len(number[2]))
            part[shape.rows] = shape.number(*number.span(2)) / 10.0 ** len(number[2])
    return Epochs(whole, part, negative, digits)


def unit_of(numbers: Epochs) -> str | None:
    """Identify the unit by the size; None if no unit gives moments from 1973 to 2286.

    Example:
        >>> from edgelstm.data.readers.times.shapes import shapes_of
        >>> [unit_of(epochs_of(shapes_of([text]), 1)) for text in ("1700000000.5", "1700000000000", "12")]
        ['epoch s', 'epoch ms', None]
    """
    low, high = int(numbers.whole.min()), int(numbers.whole.max())
    for unit, smallest in _SMALLEST.items():
        if smallest <= high < 100 * smallest and (low >= smallest or numbers.negative.any()):
            return unit
    return None


def may_be_ticks(numbers: Epochs) -> bool:
    """Whether numbers could also count 100 ns since 1601, as in Windows, or since the year 1, as in .NET.

    Example:
        >>> from edgelstm.data.readers.times.shapes import shapes_of
        >>> [may_be_ticks(epochs_of(shapes_of([text]), 1)) for text in ("133500000000000000", "1700000000000000000")]
        [True, False]
    """
    low, high = int(numbers.whole.min()), int(numbers.whole.max())
    return any(first <= low and high < last for first, last in _TICKS)


def moments(numbers: Epochs, unit: str) -> NDArray[np.int64]:
    """Give microseconds since 1970: int64 [N]."""
    size = UNITS[unit]
    whole = numbers.whole * int(size) if size >= 1 else numbers.whole // 1000
    at = whole + np.rint(numbers.part * size).astype(np.int64)
    return np.where(numbers.negative, -at, at)


def resolution_us(numbers: Epochs, unit: str) -> int:
    """Give the resolution of such numbers in microseconds, at least 1."""
    return max(1, round(UNITS[unit] / 10.0**numbers.digits))
