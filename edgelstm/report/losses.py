"""The loss of each example, for the errors over time and of single examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.contract import Answer, Contract
from edgelstm.errors import assert_never

Loss = Callable[[NDArray[Any], NDArray[Any]], Array64]


def loss_of(contract: Contract) -> Loss:
    """Give the loss function of single examples; `measure` averages losses to the deciding figure.

    Returns:
        A function of answers [n, ..., O] (or classes int64 [n]) and their truth, to float64 [n, K, targets], or
        [n, 1, 1] for classes; NaN where the truth is unknown: squared errors, pinball losses, or 1 for a wrong class.
        With several targets they are in training standard deviations; for many series `by_series` converts them to
        those of each series. K is 1 except for forecasts.
    """
    answer = contract.answer
    if answer == "class":
        return _wrong
    several = len(contract.targets) > 1 and not contract.many_series
    spread = np.array([channel.spread if several else 1.0 for channel in contract.targets])
    if answer == "quantile":
        levels = np.array([channel.quantile for channel in contract.outputs]).reshape(len(spread), -1)
        return lambda y, truth: _by_step(_pinball(y, truth, levels) / spread)
    if answer == "number":
        cap = np.array([channel.ceiling for channel in contract.outputs])
        return lambda y, truth: _by_step(np.square((y - np.minimum(truth, cap)) / spread))
    assert_never(answer)


def by_series(losses: Array64, spreads: Array64 | None, answer: Answer) -> Array64:
    """Scale the losses [n, K, targets] of many series by the spreads [n, targets] of each; None: unchanged."""
    if spreads is None:
        return losses
    spread = spreads[:, np.newaxis]
    return losses / (spread**2 if answer == "number" else spread)


def measure(losses: Array64, answer: Answer, axis: tuple[int, ...]) -> Array64:
    """Average losses over some axes to their figure; NaN if none is known."""
    mean = mean_known(losses, axis)
    return np.sqrt(mean) if answer == "number" else mean


def mean_known(losses: Array64, axis: tuple[int, ...]) -> Array64:
    """Average over known values; NaN if there are none."""
    known = ~np.isnan(losses)
    count, total = known.sum(axis=axis), np.where(known, losses, 0.0).sum(axis=axis)
    mean: Array64 = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _wrong(y: NDArray[Any], truth: NDArray[Any]) -> Array64:
    answer = y if y.dtype.kind == "i" else y.argmax(axis=-1)
    wrong: Array64 = np.where(truth < 0, np.nan, answer != truth).reshape(-1, 1, 1)
    return wrong


def _pinball(y: NDArray[Any], truth: NDArray[Any], levels: Array64) -> Array64:
    """Give the mean over levels: [..., targets]."""
    error = truth[..., np.newaxis] - y.reshape(*truth.shape, levels.shape[1]).astype(np.float64)
    loss: Array64 = np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
    return loss


def _by_step(losses: Array64) -> Array64:
    return losses.reshape(len(losses), -1, losses.shape[-1])
