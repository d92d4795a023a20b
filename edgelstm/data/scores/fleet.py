"""Score many series: all together, and each by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.scores.scorer import Scored, Scorer

SCALED = "scaled_"


class Fleet:
    """Figures over all series; the scaled ones are the mean of the figures of the single series.

    Scaled errors are divided by the spread of their own series, and every series has the same weight, however many
    windows it has: otherwise the largest and the longest would decide alone. The other figures are over all windows.
    The details have `by_series`: name, windows and score of each.
    """

    def __init__(
        self, names: tuple[str, ...], spreads: NDArray[np.float64], make: Callable[[NDArray[np.float64] | None], Scorer]
    ) -> None:
        """Prepare.

        Args:
            names: of the series.
            spreads: float64 [S, targets], what the error of each is divided by.
            make: makes a scorer for a spread [targets]; None: for that of the contract.
        """
        self._names = names
        self._total, self._alone = make(None), [make(spread) for spread in spreads]
        self._windows = np.zeros(len(names), np.int64)

    def add(self, y: NDArray[Any], truth: NDArray[Any], series: NDArray[np.int64]) -> None:
        """Take answers with their truth and the number of the series of each, int64 [n]."""
        self._total.add(y, truth)
        for number in np.unique(series):
            mine = series == number
            self._alone[number].add(y[mine], truth[mine])
            self._windows[number] += mine.sum()

    def result(self) -> Scored:
        """Give the score of all answers."""
        total = self._total.result()
        scored = [
            {"name": name, "windows": int(count), **alone.result().score}
            for name, count, alone in zip(self._names, self._windows, self._alone, strict=True)
            if count
        ]
        means = {key: float(np.mean([one[key] for one in scored])) for key in total.score if key.startswith(SCALED)}
        return Scored({**total.score, **means}, {**total.details, "by_series": scored})
