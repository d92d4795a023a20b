"""Ridge from the past of a target alone, independent of scale: series a thousand times larger, forecasts too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.data.baselines.linear import Linear
from edgelstm.data.baselines.ridge import RIDGE_ALPHAS, Design, chunks_of, moments_of, scaled_mse
from edgelstm.data.windows import Windows

SMALLEST_SPREAD = 0.05  # of a window, as a share of the usual one: a constant window does not show the size of changes


class OwnRidge:
    """For each target a straight line through zero, from the differences of its window from the last value.

    It is fitted on windows that are divided by their own spread, so that series of all sizes have the same weight. Its
    forecasts do not depend on the scale.

    Attributes:
        alpha: the penalty.
        linear: the line.
    """

    def __init__(
        self,
        windows: Windows,
        validation: Windows | None,
        target_std: NDArray[np.floating],
        own: tuple[int, ...],
        alpha: float | None = None,
        pooled: bool = False,
    ) -> None:
        """Fit on training windows.

        Args:
            windows: of the training part.
            validation: what the penalty is chosen on; None: it is 1.0.
            target_std: [O], what errors are divided by on the validation part, for windows without series spreads.
            own: for each target the input that holds its past.
            alpha: the penalty, if it is known.
            pooled: all targets share one line.
        """
        self._windows, self._own, self._usual = windows, own, usual_spread(windows, own)
        groups = [list(range(len(own)))] * len(own) if pooled else [[target] for target in range(len(own))]
        self._moments = [moments_of(self._designs(group), centred=False) for group in groups[: 1 if pooled else None]]
        self._moments *= len(own) if pooled else 1
        self.alpha = 1.0 if alpha is None else alpha
        if validation is not None and alpha is None:
            self.alpha = min(RIDGE_ALPHAS, key=lambda alpha: scaled_mse(self._line(alpha), validation, target_std))
        self.linear = self._line(self.alpha)

    def _designs(self, targets: Sequence[int]) -> Iterator[Design]:
        for index in chunks_of(self._windows):
            x, y, series = self._windows.x(index), self._windows.y(index), self._windows.series_of(index)
            for target in targets:
                past = x[..., self._own[target]].astype(np.float64)
                spread, last = spread_in(past, self._usual[series, target]), past[:, -1:]
                yield (past - last) / spread, (y[..., target].astype(np.float64) - last) / spread, np.ones(len(x))

    def _line(self, alpha: float) -> Linear:
        steps, inputs, horizon = self._windows.steps, self._windows.x_rows.shape[1], self._windows.horizon
        weight = np.zeros((horizon, len(self._own), steps, inputs))
        for target, (channel, moments) in enumerate(zip(self._own, self._moments, strict=True)):
            weight[:, target, :, channel] = moments.solve(alpha)[0].T
        return Linear(weight, np.zeros((horizon, len(self._own))), self._own)


def usual_spread(windows: Windows, own: tuple[int, ...]) -> Array64:
    """Give the usual spread of a window of each series: float64 [S, O], never 0."""
    count = 1 if windows.firsts is None else len(windows.firsts)
    square, seen = np.zeros((count, len(own))), np.zeros(count)
    for index in chunks_of(windows):
        series = windows.series_of(index)
        np.add.at(square, series, windows.x(index)[..., list(own)].astype(np.float64).var(axis=1))
        np.add.at(seen, series, 1)
    usual = np.sqrt(square / np.maximum(seen, 1)[:, np.newaxis])
    return np.where(usual > 0, usual, 1.0)


def spread_in(x: Array64, usual: Array64) -> Array64:
    """Give the standard deviation of windows [n, T], at least a share of the usual one [n]: [n, 1]."""
    spread: Array64 = np.maximum(x.std(axis=1), SMALLEST_SPREAD * usual)[:, np.newaxis]
    return spread
