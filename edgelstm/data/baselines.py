"""Forecasters that any network has to be held against.

Each is fitted on the training part alone and forecasts from a window's own samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.score import CHUNK, Forecast, score_windows
from edgelstm.data.windows import Index, Rows, Windows

RIDGE_ALPHAS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)

# Samples in the cycle that a period suggests: a day for what comes more often, a year for the rest.
_DAY_S, _YEAR_S = 86_400.0, 365.2425 * 86_400.0


def season_of(period_s: float | None) -> int | None:
    """Guess the season of a series from its sampling period, in samples.

    A day where a day has at least two samples, otherwise a week of daily samples, otherwise a year. None where
    there is no time, or samples are too rare for a season.

    Example:
        >>> season_of(7 * 86400.0), season_of(3600.0), season_of(None)
        (52, 24, None)
    """
    if period_s is None:
        return None
    if period_s <= _DAY_S / 2:
        season = round(_DAY_S / period_s)
    else:
        season = 7 if period_s == _DAY_S else round(_YEAR_S / period_s)
    return season if season >= 2 else None


def persistence(windows: Windows) -> Forecast:
    """Say that the last value stays."""

    def forecast(index: Index) -> Rows:
        history = _history(windows, index)
        return np.repeat(history[:, -1:], windows.horizon, axis=1)

    return forecast


def seasonal_naive(windows: Windows, season: int) -> Forecast:
    """Repeat the last season, shifted by what the series has drifted since: x[t+k-s] + x[t] - x[t-s]."""

    def forecast(index: Index) -> Rows:
        history = _history(windows, index)
        drift = history[:, -1:] - history[:, -1 - season : -season]
        steps = np.arange(windows.horizon) % season
        return history[:, windows.steps - season + steps] + drift

    return forecast


class Ridge:
    """Ridge regression from a window to its targets, both relative to the window's last values.

    DLinear's idea in closed form (Zeng et al. 2023, "Are Transformers Effective for Time Series Forecasting?").
    Where the targets have no past in the windows, they are taken relative to their training mean.
    """

    def __init__(self, windows: Windows, validation: Windows | None, target_std: NDArray[np.floating]) -> None:
        """Fit on training windows; the penalty is chosen on validation, or is 1.0 without."""
        self._y_mean = windows.y_rows[windows.y_starts].mean(axis=0, dtype=np.float64)
        self._fit_moments(windows)
        self.alpha = 1.0
        self._solve(self.alpha)
        if validation is not None:
            self.alpha = min(RIDGE_ALPHAS, key=lambda alpha: self._validation_mse(alpha, validation, target_std))
            self._solve(self.alpha)

    def forecaster(self, windows: Windows) -> Forecast:
        """Give the forecaster over some windows."""

        def forecast(index: Index) -> Rows:
            x, base = self._features(windows, index)
            y = ((x - self._x_mean) / self._x_scale) @ self._weights + self._intercept
            forecast: Rows = (y.reshape(len(x), windows.horizon, -1) + base).astype(np.float32)
            return forecast

        return forecast

    def _features(self, windows: Windows, index: Index) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the relative windows [n, T*F] and what their targets are relative to [n, 1, O]."""
        x = windows.x(index).astype(np.float64)
        history = windows.history(index)
        base = np.broadcast_to(self._y_mean, (len(x), 1, len(self._y_mean)))
        if history is not None:
            base = history[:, -1:].astype(np.float64)
        return (x - x[:, -1:]).reshape(len(x), -1), base

    def _fit_moments(self, windows: Windows) -> None:
        """Sum up what the normal equations need, a thousand windows at a time."""
        chunks = [np.arange(i, min(i + CHUNK, len(windows))) for i in range(0, len(windows), CHUNK)]
        n = len(windows)
        x_mean = sum(self._features(windows, c)[0].sum(axis=0) for c in chunks) / n
        x_square = sum(((self._features(windows, c)[0] - x_mean) ** 2).sum(axis=0) for c in chunks) / n
        self._x_mean = np.asarray(x_mean)
        self._x_scale = np.sqrt(np.where(x_square > 1e-18, x_square, 1.0))
        gram, cross, y_sum = 0.0, 0.0, 0.0
        for chunk in chunks:
            x, base = self._features(windows, chunk)
            z = (x - self._x_mean) / self._x_scale
            y = (windows.y(chunk) - base).reshape(len(x), -1)
            gram, cross, y_sum = gram + z.T @ z, cross + z.T @ y, y_sum + y.sum(axis=0)
        self._gram, self._cross, self._intercept = np.asarray(gram), np.asarray(cross), np.asarray(y_sum) / n

    def _solve(self, alpha: float) -> None:
        penalty = alpha * np.eye(len(self._gram))
        self._weights = np.linalg.solve(self._gram + penalty, self._cross)

    def _validation_mse(self, alpha: float, validation: Windows, target_std: NDArray[np.floating]) -> float:
        self._solve(alpha)
        return score_windows(self.forecaster(validation), validation, target_std).score["scaled_mse"]


def _history(windows: Windows, index: Index) -> Rows:
    history = windows.history(index)
    if history is None:
        raise ValueError("these windows do not know the past of their targets")
    return history
