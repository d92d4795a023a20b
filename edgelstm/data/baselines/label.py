"""Answers at every step from that step alone: a constant, and a linear model in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.contract import Channel
from edgelstm.data.baselines.outputs import at_levels, targets_of
from edgelstm.data.scores.score import Answerer
from edgelstm.data.sequences import Sequences
from edgelstm.errors import DataError

Baseline = Callable[[Sequences], Answerer]
Sampled = Callable[[NDArray[np.float32]], NDArray[Any]]
PENALTY = 1.0  # added to the sum over all rows of standardized channels, because columns may be equal to each other


def baselines(training: Sequences, outputs: tuple[Channel, ...]) -> dict[str, Baseline]:
    """Fit every baseline that answers at every step, on the rows with a known truth.

    Args:
        training: the training part.
        outputs: the channels of the contract: one for each class, or numbers, clipped at their cap, or quantiles of
            numbers, those of the training part.

    Returns:
        Functions by name that make an answerer for sequences with the same channels: `"majority"` or `"mean"`, and
        `"linear"`, least squares on the sample; for classes, the class with the largest answer.

    Raises:
        DataError: no truth is known.

    Example:
        >>> from edgelstm.data.sequences import lay_out
        >>> x = np.arange(8, dtype=np.float32)[:, np.newaxis]
        >>> training = lay_out([x], [(x[:, 0] > 3.5).astype(np.int64)], every_step=True)
        >>> found = baselines(training, tuple(Channel(name, None, "float32", None) for name in ("off", "on")))
        >>> found["linear"](training)(np.array([0])).tolist()
        [0, 0, 0, 0, 1, 1, 1, 1]
    """
    goal, known = _goal(training, outputs)
    if not known.any():
        raise DataError("the training part has no row with a known truth")
    x, goal = training.x_rows[known], goal[known]
    constant, weights = np.zeros((training.x_rows.shape[1], goal.shape[1])), _least_squares(x, goal)
    found = {"mean": _affine(constant, goal.mean(axis=0)), "linear": _affine(*weights)}
    if training.targets.dtype.kind == "i":
        return {"majority": _over(found["mean"]), "linear": _over(_largest(found["linear"]))}
    if outputs[0].quantile is not None:
        found = {name: _with_quantiles(answer, x, goal, outputs) for name, answer in found.items()}
    return {name: _over(answer) for name, answer in found.items()}


def _least_squares(x: NDArray[np.float32], goal: Array64) -> tuple[Array64, Array64]:
    """Fit `goal` [n, O] by samples x [n, F], every channel standardized: weights [F, O] and offset [O]."""
    mean, scale = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    scale[np.ptp(x, axis=0) == 0] = 1.0
    z, offset = (x - mean) / scale, goal.mean(axis=0)
    weights = np.linalg.solve(z.T @ z + PENALTY * np.eye(z.shape[1]), z.T @ (goal - offset)) / scale[:, np.newaxis]
    return weights, offset - mean @ weights


def _affine(weights: Array64, offset: Array64) -> Sampled:
    return lambda x: (x @ weights + offset).astype(np.float32)


def _largest(answer: Sampled) -> Sampled:
    return lambda x: answer(x).argmax(axis=-1)


def _with_quantiles(answer: Sampled, x: NDArray[np.float32], goal: Array64, outputs: tuple[Channel, ...]) -> Sampled:
    targets, offsets = targets_of(outputs), at_levels(goal - answer(x), outputs)
    return lambda x: answer(x)[..., targets] + offsets


def _over(answer: Sampled) -> Baseline:
    """Make an answerer for sequences, one series at a time, of a function of samples [T, F]."""
    return lambda sequences: lambda index: answer(sequences.x(int(index[0])))


def _goal(training: Sequences, outputs: tuple[Channel, ...]) -> tuple[Array64, NDArray[np.bool_]]:
    """Give the values to fit, [M, targets] or 0 and 1 for each class, and which rows are known."""
    targets = training.targets
    if targets.dtype.kind == "i":
        return np.eye(len(outputs))[targets], np.asarray(targets >= 0)
    caps = {channel.source: channel.ceiling for channel in outputs}
    return np.minimum(targets.astype(np.float64), list(caps.values())), np.asarray(~np.isnan(targets).any(axis=1))
