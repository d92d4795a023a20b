"""Score forecasts against the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Score
from edgelstm.data.windows import Index, Rows, Windows

Forecast = Callable[[Index], Rows]
CHUNK = 1024


@dataclass(frozen=True)
class DetailedScore:
    """A score with its parts.

    Attributes:
        score: over everything.
        rmse_by_channel: [O], in physical units.
        rmse_by_step: [K], in physical units, over all channels.
    """

    score: Score
    rmse_by_channel: tuple[float, ...]
    rmse_by_step: tuple[float, ...]


def score_windows(forecast: Forecast, windows: Windows, target_std: NDArray[np.floating]) -> DetailedScore:
    """Score a forecaster on all windows, a thousand at a time.

    Args:
        forecast: gives float32 [n, K, O] for window numbers int64 [n].
        windows: the windows and their targets.
        target_std: [O], the training standard deviation of each output channel.
    """
    square = np.zeros((windows.horizon, len(target_std)))
    absolute = np.zeros_like(square)
    for start in range(0, len(windows), CHUNK):
        index = np.arange(start, min(start + CHUNK, len(windows)))
        error = forecast(index).astype(np.float64) - windows.y(index)
        square += (error**2).sum(axis=0)
        absolute += np.abs(error).sum(axis=0)
    square /= len(windows)
    absolute /= len(windows)
    score = {
        "mse": float(square.mean()),
        "mae": float(absolute.mean()),
        "rmse": float(np.sqrt(square.mean())),
        "scaled_mse": float((square / np.square(target_std, dtype=np.float64)).mean()),
        "scaled_mae": float((absolute / np.asarray(target_std, np.float64)).mean()),
    }
    return DetailedScore(score, _roots(square.mean(axis=0)), _roots(square.mean(axis=1)))


def _roots(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.sqrt(values))
