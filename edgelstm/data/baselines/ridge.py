"""Ridge regression from a window to its targets, in closed form.

DLinear's idea (Zeng et al. 2023, "Are Transformers Effective for Time Series Forecasting?"): a linear map from the past
of a series, relative to its last value, to its future.
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
RIDGE_BYTES = 2**30  # largest normal equations: larger ones need the memory and the time of a whole training
ROBUST_ROUNDS, ROBUST_AT = 3, 1.5  # rounds of reweighting; median errors beyond which a window gets less weight
_ROUNDING = 1e-7  # relative rounding error of float32

Design = tuple[Array64, Array64, Array64]  # x [n, P], y [n, Q] and the weight of each row [n]


@dataclass(frozen=True)
class Moments:
    """The moments of standardized columns from which ridge is solved.

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
        """Solve for weight [P, Q] and bias [Q] with one penalty."""
        weight = np.linalg.solve(self.gram + alpha * np.eye(len(self.gram)), self.cross) / self.scale[:, np.newaxis]
        return weight, self.mean - self.centre @ weight


def moments_of(designs: Iterable[Design], centred: bool = True) -> Moments:
    """Sum up designs in one pass, a thousand windows at a time; their values are relative to a window's last ones.

    Args:
        designs: the rows.
        centred: the line has an intercept; otherwise it goes through zero.
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
    varies = square > np.square(_ROUNDING * centre)  # no absolute limit: values around 1e-10 are ordinary
    scale = np.sqrt(np.where(varies, square, 1.0))
    inside = varies / scale  # a constant column is ignored
    return Moments(centre, scale, mean, gram * np.outer(inside, inside), cross * inside[:, np.newaxis])


def ridge_bytes(windows: Windows) -> int:
    """Give the size of the normal equations of ridge on these windows: T F by T F, and T F by K O, in float64."""
    x, y = windows.steps * windows.x_rows.shape[1], windows.horizon * windows.y_rows.shape[1]
    return 8 * int(x * (x + y))


class Ridge:
    """A linear map from a window to all its targets; see `Linear`.

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
            target_std: [O], what errors are divided by on the validation part.
            own: for each target the input that holds its past; empty if none does.
            counts: float64 [N], the weight of each window; None: all equal.
            alpha: the penalty, if it is known.
        """
        self._windows, self._own = windows, own
        self._level = _level_of(windows, own)
        self._moments = moments_of(self._designs(counts))
        self.alpha = 1.0 if alpha is None else alpha
        if validation is not None and alpha is None:
            self.alpha = min(RIDGE_ALPHAS, key=lambda alpha: scaled_mse(self._line(alpha), validation, target_std))
        self.linear = self._line(self.alpha)

    def robust_counts(self, target_std: NDArray[np.floating]) -> Array64:
        """Give Huber's weight of each training window, smaller for larger errors: [N]."""
        windows, forecast = self._windows, self.linear.forecaster(self._windows)
        scaled = ((forecast(index) - windows.y(index)) / target_std for index in chunks_of(windows))
        off = np.concatenate([np.sqrt((error**2).mean((1, 2))) for error in scaled]).astype(np.float64)
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
    """Fit ridge so that a few windows with outliers have little influence on the line.

    Source: Huber 1964, "Robust Estimation of a Location Parameter", by iterative reweighting.

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
    """Give the mean of each input; 0 for inputs that are seen relative to their last value: [F]."""
    level: Array64 = windows.x_rows[windows.x_starts].astype(np.float64).mean(axis=0)
    level[list(own)] = 0.0
    return level


def chunks_of(windows: Windows) -> list[Index]:
    """List the indices of the windows, a thousand at a time."""
    return [np.arange(i, min(i + CHUNK, len(windows))) for i in range(0, len(windows), CHUNK)]


def measures(windows: Windows, index: Index, target_std: NDArray[np.floating]) -> Array64:
    """Give what the errors of some windows are divided by, so that their squares can be averaged over all windows.

    That is the spread of each target; with many series, the spread of its own series. Each series has the same weight,
    however many windows it has.

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
    """Sum the squared errors of a line on the validation part, divided by the spread of each target."""
    forecast, total = line.forecaster(validation), 0.0
    for index in chunks_of(validation):
        error = (forecast(index) - validation.y(index)) / measures(validation, index, target_std)
        total += float(np.nansum(np.square(error)))
    return total
