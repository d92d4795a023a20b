"""Score many series together: over everything, and one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.scores.scorer import Scored, Scorer

SCALED = "scaled_"


class Fleet:
    """Figures over all series, in which the scaled ones are the mean of what each series has alone.

    What is scaled is divided by the spread of the series itself, and every series weighs the same, however many windows
    it has: else the largest and the longest would decide alone. The other figures are over all windows. The details
    have `by_series`: name, windows and score of each.
    """

    def __init__(
        self, names: tuple[str, ...], spreads: NDArray[np.float64], make: Callable[[NDArray[np.float64] | None], Scorer]
    ) -> None:
        """Prepare.

        Args:
            names: of the series.
            spreads: float64 [S, targets], what the error of each is measured by.
            make: makes a scorer for such a spread [targets]; None: for that of the contract.
        """
        self._names = names
        self._total, self._alone = make(None), [make(spread) for spread in spreads]
        self._windows = np.zeros(len(names), np.int64)

    def add(self, y: NDArray[Any], truth: NDArray[Any], series: NDArray[np.int64]) -> None:
        """Take answers with their truth, and say which series each is of, int64 [n]."""
        self._total.add(y, truth)
        for number in np.unique(series):
            mine = series == number
            self._alone[number].add(y[mine], truth[mine])
            self._windows[number] += mine.sum()

    def result(self) -> Scored:
        """Say how good everything was."""
        total = self._total.result()
        scored = [
            {"name": name, "windows": int(count), **alone.result().score}
            for name, count, alone in zip(self._names, self._windows, self._alone, strict=True)
            if count
        ]
        means = {key: float(np.mean([one[key] for one in scored])) for key in total.score if key.startswith(SCALED)}
        return Scored({**total.score, **means}, {**total.details, "by_series": scored})
