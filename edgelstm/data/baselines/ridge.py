"""Ridge regression from a window to its targets, in closed form.

DLinear's idea (Zeng et al. 2023, "Are Transformers Effective for Time Series Forecasting?"): a straight line from what
a series did, relative to its last value, to what it will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.data.baselines.linear import Linear, seen_in
from edgelstm.data.scores.score import CHUNK
from edgelstm.data.windows import Index, Windows

RIDGE_ALPHAS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1e3)
RIDGE_BYTES = 2**30  # of its normal equations, at most: beyond, they take the memory and the time of a whole training
ROBUST_ROUNDS, ROBUST_AT = 3, 1.5  # of reweighting; beyond so many median errors a window counts less
_ROUNDING = 1e-7  # of a float32, against its size

Design = tuple[Array64, Array64, Array64]  # x [n, P], y [n, Q] and how much each row counts [n]


@dataclass(frozen=True)
class Moments:
    """What the normal equations of ridge need, of standardized columns.

    Attributes:
        centre, scale: float64 [P], of the columns of x.
        mean: float64 [Q], of the columns of y.
        gram, cross: float64 [P, P] and [P, Q].
    """

    centre: Array64
    scale: Array64
    mean: Array64
    gram: Array64
    cross: Array64

    def solve(self, alpha: float) -> tuple[Array64, Array64]:
        """Give weight [P, Q] and bias [Q] for one penalty."""
        weight = np.linalg.solve(self.gram + alpha * np.eye(len(self.gram)), self.cross) / self.scale[:, np.newaxis]
        return weight, self.mean - self.centre @ weight


def moments_of(designs: Iterable[Design], centred: bool = True) -> Moments:
    """Sum up designs, a thousand windows at a time, in one go: what they hold is relative to a window's last values.

    Args:
        designs: the rows.
        centred: the line has an intercept; else it goes through zero.
    """
    gram, cross, x_sum, y_sum = (np.zeros(()) for _ in range(4))
    count = 0.0
    for x, y, counts in designs:
        weighted = x * counts[:, np.newaxis]
        gram, cross = gram + weighted.T @ x, cross + weighted.T @ y
        x_sum, y_sum, count = x_sum + weighted.sum(axis=0), y_sum + counts @ y, count + float(counts.sum())
    centre, mean = x_sum / count * centred, y_sum / count * centred
    gram, cross = gram - count * np.outer(centre, centre), cross - count * np.outer(centre, mean)
    square = np.diag(gram) / count
    varies = square > np.square(_ROUNDING * centre)  # no absolute limit: 1e-10 is an ordinary unit
    scale = np.sqrt(np.where(varies, square, 1.0))
    inside = varies / scale  # a column that stands still is no column
    return Moments(centre, scale, mean, gram * np.outer(inside, inside), cross * inside[:, np.newaxis])


def ridge_bytes(windows: Windows) -> int:
    """Tell the size of the normal equations of ridge on such windows: T F by T F, and T F by K O, in float64."""
    x, y = windows.steps * windows.x_rows.shape[1], windows.horizon * windows.y_rows.shape[1]
    return 8 * int(x * (x + y))


class Ridge:
    """A straight line from a whole window to all its targets; see `Linear`.

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
        counts: Array64 | None = None,
        alpha: float | None = None,
    ) -> None:
        """Fit on training windows.

        Args:
            windows: of the training part.
            validation: what the penalty is chosen on; None: it is 1.0.
            target_std: [O], what errors are divided by there.
            own: for each target the input that holds its past; empty where none does.
            counts: float64 [N], how much each window counts; None: alike.
            alpha: the penalty, where it is known.
        """
        self._windows, self._own = windows, own
        self._level = _level_of(windows, own)
        self._moments = moments_of(self._designs(counts))
        self.alpha = 1.0 if alpha is None else alpha
        if validation is not None and alpha is None:
            self.alpha = min(RIDGE_ALPHAS, key=lambda alpha: scaled_mse(self._line(alpha), validation, target_std))
        self.linear = self._line(self.alpha)

    def robust_counts(self, target_std: NDArray[np.floating]) -> Array64:
        """Say how much each training window counts in Huber's sense: less, the further off its forecast is: [N]."""
        off = np.concatenate(
            [
                np.sqrt(
                    (((self.linear.forecaster(self._windows)(index) - self._windows.y(index)) / target_std) ** 2).mean((1, 2))
                )
                for index in chunks_of(self._windows)
            ]
        ).astype(np.float64)
        usual = ROBUST_AT * np.median(off)
        return np.where(off > usual, usual / np.where(off > 0, off, 1.0), 1.0)

    def _designs(self, counts: Array64 | None) -> Iterator[Design]:
        for index in chunks_of(self._windows):
            x, past = seen_in(self._windows.x(index), self._own)
            y = self._windows.y(index).astype(np.float64) - past
            alike = np.ones(len(x)) if counts is None else counts[index]
            yield (x - self._level).reshape(len(x), -1), y.reshape(len(x), -1), alike

    def _line(self, alpha: float) -> Linear:
        weight, bias = self._moments.solve(alpha)
        steps, inputs = self._windows.steps, self._windows.x_rows.shape[1]
        horizon = self._windows.horizon
        bias = bias - np.tile(self._level, steps) @ weight
        return Linear(weight.T.reshape(horizon, -1, steps, inputs), bias.reshape(horizon, -1), self._own)


def robust(
    windows: Windows, validation: Windows | None, target_std: NDArray[np.floating], own: tuple[int, ...], first: Ridge
) -> Ridge:
    """Fit ridge so that a few windows with outliers do not turn the line.

    Source: Huber 1964, "Robust Estimation of a Location Parameter", by iterated weights.

    Args:
        windows: of the training part.
        validation: what the penalty is chosen on; None: it is that of `first`.
        target_std: [O], what errors are divided by.
        own: for each target the input that holds its past.
        first: fitted on the same windows.
    """
    line = first
    for left in reversed(range(ROBUST_ROUNDS)):
        counts = line.robust_counts(target_std)
        known = first.alpha if left or validation is None else None
        line = Ridge(windows, validation, target_std, own, counts, known)
    return line


def _level_of(windows: Windows, own: tuple[int, ...]) -> Array64:
    """Give the mean of each input that is seen as it is, 0 of those that are seen relative to their last value: [F]."""
    level: Array64 = windows.x_rows[windows.x_starts].astype(np.float64).mean(axis=0)
    level[list(own)] = 0.0
    return level


def chunks_of(windows: Windows) -> list[Index]:
    """Number the windows, a thousand at a time."""
    return [np.arange(i, min(i + CHUNK, len(windows))) for i in range(0, len(windows), CHUNK)]


def measures(windows: Windows, index: Index, target_std: NDArray[np.floating]) -> Array64:
    """Give what the errors of some windows are divided by, so that squares of all of them may be averaged.

    That is the spread of each target; of many series that of its own series, and each series weighs the same, however
    many windows it has.

    Returns:
        float64 [n, 1, O].
    """
    if windows.spreads is None:
        return np.broadcast_to(np.asarray(target_std, np.float64), (len(index), 1, len(target_std)))
    counts = np.bincount(windows.series, minlength=len(windows.spreads))
    series = windows.series_of(index)
    weight = len(windows) / np.count_nonzero(counts) / counts[series]
    measured: Array64 = (windows.spreads[series] / np.sqrt(weight)[:, np.newaxis])[:, np.newaxis]
    return measured


def scaled_mse(line: Linear, validation: Windows, target_std: NDArray[np.floating]) -> float:
    """Score a line on the validation part, in the spread of each target."""
    forecast, total = line.forecaster(validation), 0.0
    for index in chunks_of(validation):
        error = (forecast(index) - validation.y(index)) / measures(validation, index, target_std)
        total += float(np.nansum(np.square(error)))
    return total
