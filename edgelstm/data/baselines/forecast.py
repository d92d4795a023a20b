"""Forecasters: persistence, seasonal naive with drift, ridge. Each forecasts from the samples of a window alone.

For quantiles, the residuals of each on the validation part are added to its forecast, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.baselines.linear import Forecast
from edgelstm.data.baselines.outputs import at_levels, targets_of
from edgelstm.data.baselines.own_ridge import OwnRidge
from edgelstm.data.baselines.ridge import RIDGE_BYTES, Ridge, ridge_bytes
from edgelstm.data.scores.score import CHUNK
from edgelstm.data.windows import Index, Rows, Windows

Baseline = Callable[[Windows], Forecast]


def baselines(
    training: Windows,
    validation: Windows | None,
    outputs: tuple[Channel, ...],
    season: int | None,
    own: tuple[int, ...],
) -> dict[str, Baseline]:
    """Fit every baseline that is possible with these windows.

    Persistence and the seasonal naive need the past of the targets; without it, ridge is the only one. Ridge is omitted
    if `ridge_bytes` exceeds `RIDGE_BYTES`. With many series it does not depend on their sizes, see `OwnRidge`.

    Args:
        training: the training part.
        validation: for the penalty of ridge and the residuals of quantiles; None: the training part.
        outputs: the channels of the contract; quantiles where these are quantiles.
        season: samples in a season; None: no seasonal naive.
        own: for each target the input that holds its past; empty if none does.

    Returns:
        Functions by name that make a forecaster for windows with the same channels.
    """
    found: dict[str, Baseline] = {}
    if training.history(slice(0, 1)) is not None:
        found["persistence"] = persistence
        if season is not None:
            found["seasonal naive with drift"] = partial(seasonal_naive, season=season)
    if training.spreads is not None and own:
        found["ridge"] = OwnRidge(training, validation, spread_of(outputs), own).linear.forecaster
    elif ridge_bytes(training) <= RIDGE_BYTES:
        found["ridge"] = Ridge(training, validation, spread_of(outputs), own).linear.forecaster
    if outputs[0].quantile is None:
        return found
    return {name: with_quantiles(baseline, validation or training, outputs) for name, baseline in found.items()}


def spread_of(outputs: tuple[Channel, ...]) -> NDArray[np.float64]:
    """Give the training standard deviation of each target of the outputs: [targets]."""
    targets = targets_of(outputs)
    return np.array([outputs[targets.index(target)].spread for target in range(targets[-1] + 1)])


def with_quantiles(baseline: Baseline, held_out: Windows, outputs: tuple[Channel, ...]) -> Baseline:
    """Turn a point forecast [K, targets] into quantiles [K, O] by adding those of its residuals, step by step.

    Args:
        baseline: forecasts one value for each target.
        held_out: windows to take the residuals from, preferably the validation part.
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


def persistence(windows: Windows) -> Forecast:
    """Repeat the last value."""

    def forecast(index: Index) -> Rows:
        history = _history(windows, index)
        return np.repeat(history[:, -1:], windows.horizon, axis=1)

    return forecast


def seasonal_naive(windows: Windows, season: int) -> Forecast:
    """Repeat the last season plus the drift of the series since then: x[t+k-s] + x[t] - x[t-s]."""

    def forecast(index: Index) -> Rows:
        history = _history(windows, index)
        drift = history[:, -1:] - history[:, -1 - season : -season]
        steps = np.arange(windows.horizon) % season
        return history[:, windows.steps - season + steps] + drift

    return forecast


def _history(windows: Windows, index: Index) -> Rows:
    history = windows.history(index)
    if history is None:
        raise ValueError("these windows do not contain the past of their targets")
    return history
