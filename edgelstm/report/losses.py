"""The loss of each single example, for what an evaluation shows along time and case by case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract

Doubles = NDArray[np.float64]
Loss = Callable[[NDArray[Any], NDArray[Any]], Doubles]


def loss_of(contract: Contract) -> Loss:
    """Give what tells the loss of each example: its mean over examples, by `measure`, is the figure that decides.

    Returns:
        A function of answers [n, ..., O] (or classes int64 [n]) and their truth, to float64 [n, targets], [n, 1] of
        classes, NaN where the truth is unknown: squared errors, pinball losses, or 1 for a wrong class. With several
        targets they are in training standard deviations.
    """
    if contract.answer == "class":
        return _wrong
    several = len(contract.targets) > 1
    spread = np.array([channel.spread if several else 1.0 for channel in contract.targets])
    if contract.answer == "quantile":
        levels = np.array([channel.quantile for channel in contract.outputs]).reshape(len(spread), -1)
        return lambda y, truth: _mean(_pinball(y, truth, levels) / spread)
    cap = np.array([np.inf if channel.cap is None else channel.cap for channel in contract.outputs])
    return lambda y, truth: _mean(np.square((y - np.minimum(truth, cap)) / spread))


def measure(losses: Doubles, answer: str) -> float:
    """Average the losses that are known into the figure they belong to; NaN where none is."""
    known = losses[~np.isnan(losses)]
    if not known.size:
        return float("nan")
    return float(np.sqrt(known.mean()) if answer == "number" else known.mean())


def _wrong(y: NDArray[Any], truth: NDArray[Any]) -> Doubles:
    answer = y if y.dtype.kind == "i" else y.argmax(axis=-1)
    wrong: Doubles = np.where(truth < 0, np.nan, answer != truth)[:, np.newaxis]
    return wrong


def _pinball(y: NDArray[Any], truth: NDArray[Any], levels: Doubles) -> Doubles:
    """[..., targets], the mean over levels."""
    error = truth[..., np.newaxis] - y.reshape(*truth.shape, levels.shape[1]).astype(np.float64)
    loss: Doubles = np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
    return loss


def _mean(losses: Doubles) -> Doubles:
    """[n, ..., targets] to [n, targets], over what is known."""
    rows = losses.reshape(len(losses), -1, losses.shape[-1])
    known = ~np.isnan(rows)
    count = known.sum(axis=1)
    total = np.where(known, rows, 0.0).sum(axis=1)
    mean: Doubles = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
