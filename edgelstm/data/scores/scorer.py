"""The interface of every scorer, and the sums they share."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.errors import DataError


class Scored(NamedTuple):
    """A score with its details.

    Attributes:
        score: the figures over everything, by name.
        details: the same by channel, step, class or series; plain numbers, texts, lists and dicts.
    """

    score: dict[str, float]
    details: dict[str, Any]


class Scorer(Protocol):
    """Scores answers as they come, so that they need not be kept."""

    def add(self, y: NDArray[Any], truth: NDArray[Any]) -> None:
        """Take answers y [..., O] with their truth; unknown truth is not scored."""

    def result(self) -> Scored:
        """Give the score of all answers so far."""


class Cells(NamedTuple):
    """The mean of each cell of a grid, and which cells are known; a known cell that is NaN had a NaN answer."""

    means: Array64
    known: NDArray[np.bool_]

    def over(self, axis: int | None = None) -> Array64:
        """Average over the known cells; NaN if there are none."""
        if self.known.all():  # the sum of a masked copy rounds differently
            return np.asarray(self.means.mean(axis=axis))
        total = np.where(self.known, self.means, 0.0).sum(axis=axis)
        return shares(total, self.known.sum(axis=axis), np.nan)

    def by(self, divisor: Array64) -> Cells:
        """Divide the means."""
        return self._replace(means=self.means / divisor)


class Mean:
    """The mean of each cell of a grid over the known rows."""

    def __init__(self) -> None:
        self._sum: Array64 | float = 0.0
        self._count: NDArray[np.int64] | int = 0

    def add(self, values: Array64, known: NDArray[np.bool_]) -> None:
        """Take values [n, ...]; only those that are `known`, of the same shape, count."""
        self._sum = self._sum + (values if known.all() else np.where(known, values, 0.0)).sum(axis=0)
        self._count = self._count + known.sum(axis=0)

    def cells(self) -> Cells:
        """Give the mean of each cell.

        Raises:
            DataError: no value is known.
        """
        count, total = np.asarray(self._count), np.asarray(self._sum, np.float64)
        if not count.any():
            raise DataError("nothing to score: this part has no known truth")
        return Cells(shares(total, count, np.nan), count > 0)


def shares(part: NDArray[Any], whole: NDArray[Any], otherwise: float) -> Array64:
    """Divide where the divisor is above 0."""
    result: Array64 = np.full(np.shape(part), otherwise)
    np.divide(part, whole, out=result, where=np.asarray(whole) > 0)
    return result


def plain(values: Array64) -> list[float | None]:
    """Convert numbers for JSON: NaN becomes None."""
    return [None if np.isnan(value) else float(value) for value in values]


def by_step(values: NDArray[Any], outputs: int) -> NDArray[Any]:
    """View any [..., O] as [n, K, O]; K is 1 without a horizon."""
    return values if values.ndim == 3 else values.reshape(-1, 1, outputs)
