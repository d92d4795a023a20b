"""Compute a network in float64 numpy: slow and simple, without torch, ONNX or the framework of an imported file.

It replaces a framework that is not installed (a `.keras` file without Keras), and imported graphs are compared with
it. The formula of each layer is in its class; this file runs the layers in order.

Notation: B batch, T steps, F input channels, H hidden size, D directions, C size of the last axis.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.network import INSTANCE_EPSILON, Network, Weights
from edgelstm.network.flow import Flow, Valid, last_step, mean_of_steps, wide


def compute(
    network: Network,
    weights: Weights,
    x: NDArray[Any],
    lengths: NDArray[np.int64] | None = None,
    time_s: NDArray[np.int64] | None = None,
) -> Array64:
    """Run a network from a zero state.

    Args:
        network: its layers.
        weights: their tensors, by name.
        x: [B, T, F] in physical units, or tokens int64 [B, T].
        lengths: int64 [B], the valid steps of each row; None: all are.
        time_s: int64 [B, T], seconds since 1970, UTC; for a network with a calendar.

    Returns:
        float64 [B, C], or [B, T, C] if the layers answer at every step; after a `Join` [B, K, C].

    Raises:
        NetworkError: there is a calendar, but no times; or no LSTM before a layer that takes its final state.

    Example:
        >>> from edgelstm.network import Linear, Lstm, Take
        >>> network = Network((Linear("in", 1, 2, bias=False), Lstm("lstm", 2, 1, bias=False), Take("last")))
        >>> weights = {name: np.full(shape, 0.5, np.float32) for name, shape in network.tensors()}
        >>> compute(network, weights, np.ones((1, 3, 1), np.float32)).round(4)
        array([[0.4072]])
    """
    steps = np.arange(x.shape[1])
    valid = np.ones(x.shape[:2], bool) if lengths is None else steps < np.asarray(lengths)[:, np.newaxis]
    value = x if x.dtype.kind in "iu" else np.where(valid[:, :, np.newaxis], x, 0).astype(np.float64)
    base = _base(network, weights, value, valid) if network.relative_inputs else None
    if base is not None:
        value = (value - base.centre) / base.spread
    flow = Flow(value, valid, None, time_s)
    for layer in network.layers:
        flow = layer.compute(flow, weights)
    answer: Array64 = flow.value
    return answer if base is None else _with_base(answer, base, network.relative_inputs)


class _Base(NamedTuple):
    """The base of a window: each channel minus `centre`, divided by `spread`, float64 [B, 1, F].

    For a channel that is not the input of an output these are 0 and 1.
    """

    centre: Array64
    spread: Array64


def _base(network: Network, weights: Weights, x: Array64, valid: Valid) -> _Base:
    """Give the last value of each row; or its mean and deviation, in units of the training deviation."""
    centred = np.array(network.centred)
    if not network.instance:
        last = last_step(x, valid)
        return _Base(np.where(centred, last, 0), np.ones_like(last))
    factor = 1.0 if network.scaling is None else wide(weights, network.scaling.factor)
    mean = mean_of_steps(x, valid)[:, np.newaxis]
    variance = mean_of_steps(((x - mean) * factor) ** 2, valid)[:, np.newaxis]
    spread = np.sqrt(variance + INSTANCE_EPSILON)
    return _Base(np.where(centred, mean, 0), np.where(centred, spread, 1))


def _with_base(answer: Array64, base: _Base, inputs: tuple[int, ...]) -> Array64:
    centre, spread = base.centre[..., list(inputs)], base.spread[..., list(inputs)]
    back: Array64 = (answer.reshape(len(answer), -1, len(inputs)) * spread + centre).reshape(answer.shape)
    return back
