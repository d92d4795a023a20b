"""Forecasters: persistence, the seasonal naive with drift, ridge. Each forecasts from a window's own samples.

For quantiles each is surrounded by what it has been off by on the validation part, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.baselines.outputs import at_levels, targets_of
from edgelstm.data.scores.numbers import Numbers
from edgelstm.data.scores.score import CHUNK
from edgelstm.data.windows import Index, Rows, Windows

Forecast = Callable[[Index], Rows]
Baseline = Callable[[Windows], Forecast]

RIDGE_ALPHAS = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
_ROUNDING = 1e-7  # of a float32, against its size
RIDGE_BYTES = 2**30  # of its normal equations, at most: beyond, they take the memory and the time of a whole training

# Samples in the cycle that a period suggests: a day for what comes more often, a year for the rest.
_DAY_S, _YEAR_S = 86_400.0, 365.2425 * 86_400.0


def baselines(
    training: Windows, validation: Windows | None, outputs: tuple[Channel, ...], season: int | None
) -> dict[str, Baseline]:
    """Fit every baseline that these windows allow.

    Persistence and the seasonal naive need the past of the targets; without it, ridge stands alone. Ridge is left out
    where `ridge_bytes` are more than `RIDGE_BYTES`.

    Args:
        training: what is fitted on.
        validation: what the penalty of ridge and the residuals of quantiles are taken from; None: from training.
        outputs: the channels of the contract; with quantiles, what is forecast are those.
        season: samples in a season; None without a seasonal naive.

    Returns:
        By name, what makes a forecaster over any windows of the same kind.
    """
    targets = targets_of(outputs)
    spread = np.array([outputs[targets.index(target)].spread for target in range(targets[-1] + 1)])
    found: dict[str, Baseline] = {}
    if training.history(slice(0, 1)) is not None:
        found["persistence"] = persistence
        if season is not None:
            found["seasonal naive with drift"] = partial(seasonal_naive, season=season)
    if ridge_bytes(training) <= RIDGE_BYTES:
        found["ridge"] = Ridge(training, validation, spread).forecaster
    if outputs[0].quantile is None:
        return found
    return {name: with_quantiles(baseline, validation or training, outputs) for name, baseline in found.items()}


def with_quantiles(baseline: Baseline, held_out: Windows, outputs: tuple[Channel, ...]) -> Baseline:
    """Surround a point forecast [K, targets] by quantiles [K, O] of its residuals, step by step.

    Args:
        baseline: forecasts one value for each target.
        held_out: windows to take the residuals from, the validation part best.
        outputs: the quantile channels of the contract.
    """
    forecast, targets = baseline(held_out), targets_of(outputs)
    chunks = [np.arange(i, min(i + CHUNK, len(held_out))) for i in range(0, len(held_out), CHUNK)]
    residuals = np.concatenate([held_out.y(chunk) - forecast(chunk) for chunk in chunks])
    offsets = at_levels(residuals, outputs)

    def surrounded(windows: Windows) -> Forecast:
        point = baseline(windows)
        return lambda index: point(index)[..., targets] + offsets

    return surrounded


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


def ridge_bytes(windows: Windows) -> int:
    """Tell the size of the normal equations of ridge on such windows: T F by T F, and T F by K O, in float64."""
    x, y = windows.steps * windows.x_rows.shape[1], windows.horizon * windows.y_rows.shape[1]
    return 8 * int(x * (x + y))


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
        varies = x_square > np.square(_ROUNDING * self._x_mean)  # no absolute limit: 1e-10 is an ordinary unit
        self._x_scale = np.sqrt(np.where(varies, x_square, 1.0))
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
        forecast, scorer = self.forecaster(validation), Numbers(target_std)
        for start in range(0, len(validation), CHUNK):
            index = np.arange(start, min(start + CHUNK, len(validation)))
            scorer.add(forecast(index), validation.y(index))
        return scorer.result().score["scaled_mse"]


def _history(windows: Windows, index: Index) -> Rows:
    history = windows.history(index)
    if history is None:
        raise ValueError("these windows do not know the past of their targets")
    return history
