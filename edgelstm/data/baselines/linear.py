"""Forecasts that are linear in the window: the common form of persistence, the seasonal naive and ridge.

Notation: T steps, F inputs, K horizon, O targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.data.windows import Index, Rows, Windows

LINE_ALONE = "line alone"  # the line that a network started from, as `edgelstm export RUN --line` ships it
Forecast = Callable[[Index], Rows]


@dataclass(frozen=True)
class Linear:
    """y[k, o] = past[o] + bias[k, o] + the sum of weight[k, o, t, f] times seen[t, f].

    An input that holds the past of a target is seen relative to its last value in the window, and the target's last
    value is its `past`. Any other input is seen unchanged, and a target whose past is not an input has a `past` of 0.

    Attributes:
        weight: float64 [K, O, T, F], in physical units.
        bias: float64 [K, O].
        own: for each target the input that holds its past; empty if none does.
    """

    weight: Array64
    bias: Array64
    own: tuple[int, ...]

    def forecaster(self, windows: Windows) -> Forecast:
        """Make a forecaster for some windows."""
        flat = self.weight.reshape(self.bias.size, -1).T

        def forecast(index: Index) -> Rows:
            seen, past = seen_in(windows.x(index), self.own)
            y = (seen.reshape(len(seen), -1) @ flat).reshape(len(seen), *self.bias.shape)
            forecast: Rows = (y + self.bias + past).astype(np.float32)
            return forecast

        return forecast


def seen_in(x: NDArray[np.floating], own: tuple[int, ...]) -> tuple[Array64, Array64 | float]:
    """Give what a linear forecast sees of windows [n, T, F], and the `past` of each target [n, 1, O]; see `Linear`."""
    seen = x.astype(np.float64)
    if not own:
        return seen, 0.0
    past = seen[:, -1:, list(own)].copy()
    relative = sorted(set(own))
    seen[..., relative] -= seen[:, -1:, relative].copy()
    return seen, past


def seasonal(steps: int, inputs: int, horizon: int, own: tuple[int, ...], season: int | None, drift: bool) -> Linear:
    """Write a naive forecast as a linear one: persistence without a season, else the values of one season ago.

    Args:
        steps: T.
        inputs: F.
        horizon: K.
        own: for each target the input that holds its past.
        season: samples in a season, at most `steps`, or `steps` - 1 with drift; None: repeat the last value.
        drift: add the drift of the series in a season: x[t+k-s] + x[t] - x[t-s].

    Example:
        >>> last_season = seasonal(3, 1, 2, (0,), 2, drift=False)
        >>> last_season.weight[:, 0, :, 0].tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    weight = np.zeros((horizon, len(own), steps, inputs))
    if season is not None:
        for k in range(horizon):
            for target, channel in enumerate(own):
                weight[k, target, steps - season + k % season, channel] += 1
                if drift:
                    weight[k, target, steps - 1 - season, channel] -= 1
    return Linear(weight, np.zeros((horizon, len(own))), own)


def window_mean(steps: int, inputs: int, horizon: int, own: tuple[int, ...]) -> Linear:
    """Forecast the mean of the window."""
    weight = np.zeros((horizon, len(own), steps, inputs))
    for target, channel in enumerate(own):
        weight[:, target, :, channel] = 1 / steps
    return Linear(weight, np.zeros((horizon, len(own))), own)
