"""What a network computes, in float64 numpy: the slow and plain way, without torch, ONNX or a framework's file.

It answers for networks whose own framework is not at hand (a `.keras` file without Keras), and imported graphs are
held against it. Formulas: `torch.nn.LSTM`, gates i f g o; Hochreiter and Schmidhuber 1997, Gers et al. 2000.

Notation: B batch, T steps, F input channels, H hidden size, D directions, C size of the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.errors import NetworkError
from edgelstm.network import (
    CYCLES,
    FINAL,
    INSTANCE_EPSILON,
    LAST,
    LAYER_NORM_EPSILON,
    MEAN,
    Activation,
    Calendar,
    Embedding,
    Highway,
    Join,
    Layer,
    LayerNorm,
    Linear,
    Lstm,
    Mask,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Segment,
    Standardize,
    Take,
    Weights,
)

Array = NDArray[np.float64]
Valid = NDArray[np.bool_]


def compute(
    network: Network,
    weights: Weights,
    x: NDArray[Any],
    lengths: NDArray[np.int64] | None = None,
    time_s: NDArray[np.int64] | None = None,
) -> Array:
    """Run a network from a zero state.

    Args:
        network: its layers.
        weights: their tensors, by name.
        x: [B, T, F] in physical units, or tokens int64 [B, T].
        lengths: int64 [B], the valid steps of each row; None: all are.
        time_s: int64 [B, T], seconds since 1970, UTC; for a network with a calendar.

    Returns:
        float64 [B, C], or [B, T, C] where the layers answer at every step; behind a `Join` [B, K, C].

    Raises:
        NetworkError: there is a calendar, but no times; or no LSTM in front of what takes its final state.

    Example:
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
    flow = _Flow(value, valid, None, time_s)
    for layer in network.layers:
        flow = _LAYERS[type(layer)](flow, layer, weights)
    answer: Array = flow.value
    return answer if base is None else _with_base(answer, base, network.relative_inputs)


class _Base(NamedTuple):
    """What a window is relative to: each of its channels less `centre` and over `spread`, float64 [B, 1, F].

    Of a channel that no output starts from these are 0 and 1.
    """

    centre: Array
    spread: Array


def _base(network: Network, weights: Weights, x: Array, valid: Valid) -> _Base:
    """The last value of each row; or its mean, and its deviation where the training's is 1."""
    centred = np.array(network.centred)
    if not network.instance:
        last = np.take_along_axis(x, _last(valid)[:, np.newaxis, np.newaxis], axis=1)
        return _Base(np.where(centred, last, 0), np.ones_like(last))
    first = network.layers[0]
    factor = _wide(weights, first.factor) if isinstance(first, Standardize) else 1.0
    mean = _mean(x, valid)[:, np.newaxis]
    variance = _mean(((x - mean) * factor) ** 2, valid)[:, np.newaxis]
    spread = np.sqrt(variance + INSTANCE_EPSILON)
    return _Base(np.where(centred, mean, 0), np.where(centred, spread, 1))


def _with_base(answer: Array, base: _Base, inputs: tuple[int, ...]) -> Array:
    centre, spread = base.centre[..., list(inputs)], base.spread[..., list(inputs)]
    back: Array = (answer.reshape(len(answer), -1, len(inputs)) * spread + centre).reshape(answer.shape)
    return back


class _Flow(NamedTuple):
    """A value between two layers.

    Attributes:
        value: [B, T, C] or [B, C]; between a shared `Segment` and its `Join` each channel is a row.
        valid: bool [B, T], the steps that count.
        final: [B, D * H], the state of each direction after its last step, behind an LSTM; else None.
        time_s: int64 [B, T], or None.
        scaled: [B, T, F], what the first `Standardize` gave; None in front of it.
    """

    value: Any
    valid: Valid
    final: Array | None
    time_s: NDArray[np.int64] | None = None
    scaled: Array | None = None


def _standardize(flow: _Flow, layer: Standardize, weights: Weights) -> _Flow:
    offset, factor = _wide(weights, layer.offset), _wide(weights, layer.factor)
    value = (flow.value - offset) * factor
    return flow._replace(value=value, scaled=value if flow.scaled is None else flow.scaled)


def _rescale(flow: _Flow, layer: Rescale, weights: Weights) -> _Flow:
    scale, offset = _wide(weights, layer.scale), _wide(weights, layer.offset)
    parts = flow.value.reshape(*flow.value.shape[:-1], -1, scale.size) * scale + offset
    return flow._replace(value=parts.reshape(flow.value.shape))


def _embedding(flow: _Flow, layer: Embedding, weights: Weights) -> _Flow:
    return flow._replace(value=_wide(weights, f"{layer.name}.weight")[flow.value])


def _lstm(flow: _Flow, lstm: Lstm, weights: Weights) -> _Flow:
    value, final = flow.value, np.empty(0)
    for layer in range(lstm.num_layers):
        outputs, finals = [], []
        for suffix in ("", "_reverse")[: lstm.directions]:
            steps = range(value.shape[1]) if not suffix else range(value.shape[1] - 1, -1, -1)
            out, h = _direction(value, flow.valid, lstm, weights, f"l{layer}{suffix}", steps)
            outputs.append(out)
            finals.append(h)
        value, final = np.concatenate(outputs, axis=2), np.concatenate(finals, axis=1)
    if lstm.bidirectional:  # at a skipped step there is no answer before it to repeat, or one for each direction
        value = np.where(flow.valid[:, :, np.newaxis], value, 0)
    return flow._replace(value=value, final=final)


def _direction(x: Array, valid: Valid, lstm: Lstm, weights: Weights, suffix: str, steps: range) -> tuple[Array, Array]:
    """One direction of one layer; a step that does not count leaves the state, and the answer, as they are."""
    w, r = _wide(weights, f"{lstm.name}.weight_ih_{suffix}"), _wide(weights, f"{lstm.name}.weight_hh_{suffix}")
    bias = sum(_wide(weights, f"{lstm.name}.{b}_{suffix}") for b in ("bias_ih", "bias_hh")) if lstm.bias else 0.0
    gate, candidate, output = (FUNCTIONS[name] for name in lstm.functions)
    h, c = np.zeros((len(x), r.shape[1])), np.zeros((len(x), lstm.hidden_size))
    out = np.zeros((*x.shape[:2], r.shape[1]))
    for t in steps:
        i, f, g, o = np.split(x[:, t] @ w.T + h @ r.T + bias, 4, axis=1)
        new_c = gate(f) * c + gate(i) * candidate(g)
        new_h = gate(o) * output(new_c)
        if lstm.proj_size:
            new_h = new_h @ _wide(weights, f"{lstm.name}.weight_hr_{suffix}").T
        counts = valid[:, t, np.newaxis]
        h, c = np.where(counts, new_h, h), np.where(counts, new_c, c)
        out[:, t] = h
    return out, h


def _take(flow: _Flow, layer: Take, _: Weights) -> _Flow:
    if layer.which == MEAN:
        return flow._replace(value=_mean(flow.value, flow.valid))
    if layer.which == FINAL and flow.final is None:
        raise NetworkError("take: the final state is that of an LSTM, but none stands in front of it")
    last = np.take_along_axis(flow.value, _last(flow.valid)[:, np.newaxis, np.newaxis], axis=1)[:, 0]
    return flow._replace(value=last if layer.which == LAST else flow.final)


def _repeat(flow: _Flow, layer: Repeat, _: Weights) -> _Flow:
    repeated = np.repeat(flow.value[:, np.newaxis], layer.steps, axis=1)
    return _from_here(flow, repeated)


def _reverse(flow: _Flow, _: Reverse, __: Weights) -> _Flow:
    return flow._replace(value=flow.value[:, ::-1], valid=flow.valid[:, ::-1], final=None)


def _mask(flow: _Flow, layer: Mask, _: Weights) -> _Flow:
    return flow._replace(valid=flow.valid & (flow.value != np.float64(np.float32(layer.value))).any(axis=2))


def _linear(flow: _Flow, layer: Linear, weights: Weights) -> _Flow:
    bias = _wide(weights, f"{layer.name}.bias") if layer.bias else 0.0
    return flow._replace(value=flow.value @ _wide(weights, f"{layer.name}.weight").T + bias, final=None)


def _segment(flow: _Flow, layer: Segment, _: Weights) -> _Flow:
    value = flow.value
    if layer.shared:  # a row for each channel, one channel in it
        value = value.transpose(0, 2, 1).reshape(-1, value.shape[1], 1)
    rows, steps, channels = value.shape
    cut = value.reshape(rows, steps // layer.steps, layer.steps * channels)
    return _from_here(flow, cut)


def _join(flow: _Flow, layer: Join, _: Weights) -> _Flow:
    parts = flow.value.reshape(-1, layer.channels, flow.value.shape[1] // layer.values, layer.values)
    joined = parts.transpose(0, 2, 1, 3).reshape(len(parts), -1, layer.channels * layer.values)
    return _from_here(flow, joined)


def _from_here(flow: _Flow, value: Array) -> _Flow:
    """Go on with other steps, all of which count."""
    return flow._replace(value=value, valid=np.ones(value.shape[:2], bool), final=None)


def _highway(flow: _Flow, layer: Highway, weights: Weights) -> _Flow:
    read: Any = flow.scaled
    if flow.value.ndim == 2:  # the whole window; of shared channels a row for each, one after the other
        read = read.transpose(0, 2, 1) if layer.in_features == 1 else read
        read = read.reshape(-1, layer.steps * layer.in_features)
    past = read @ _wide(weights, f"{layer.name}.weight").T + _wide(weights, f"{layer.name}.bias")
    return flow._replace(value=past if layer.alone else flow.value + past, final=None)


def _layer_norm(flow: _Flow, layer: LayerNorm, weights: Weights) -> _Flow:
    centred = flow.value - flow.value.mean(axis=-1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + LAYER_NORM_EPSILON)
    scaled = normed * _wide(weights, f"{layer.name}.weight") + _wide(weights, f"{layer.name}.bias")
    return flow._replace(value=scaled, final=None)


def _calendar(flow: _Flow, layer: Calendar, _: Weights) -> _Flow:
    if flow.time_s is None:
        raise NetworkError("calendar: expected time_s, the moment of each sample, got none")
    features = [flow.value]
    for cycle in (CYCLES[name] for name in layer.features):
        phase = 2 * np.pi * ((flow.time_s + cycle.shift_s) % cycle.period_s)[:, :, np.newaxis] / cycle.period_s
        features += [np.sin(phase), np.cos(phase)]
    return flow._replace(value=np.concatenate(features, axis=2))


def _activation(flow: _Flow, layer: Activation, _: Weights) -> _Flow:
    function = FUNCTIONS[layer.function]
    final = None if flow.final is None else function(flow.final)
    return flow._replace(value=function(flow.value), final=final)


def _last(valid: Valid) -> NDArray[np.int64]:
    """[B]: the last step that counts; the last of all in a row of which none does."""
    places: NDArray[np.int64] = valid.shape[1] - 1 - np.argmax(valid[:, ::-1], axis=1)
    return places


def _mean(value: Array, valid: Valid) -> Array:
    """[B, C], over the steps that count; 0 in a row of which none does."""
    total = np.where(valid[:, :, np.newaxis], value, 0).sum(axis=1)
    return np.asarray(total / np.maximum(valid.sum(axis=1), 1)[:, np.newaxis])


def _wide(weights: Weights, name: str) -> Array:
    return np.asarray(weights[name], np.float64)


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


_erf = np.vectorize(math.erf, otypes=[np.float64])

# SELU's constants: Klambauer et al. 2017, "Self-Normalizing Neural Networks".
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805

FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_keras2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "softmax": _softmax,
    "elu": _elu,
    "selu": lambda x: _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0))),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "leaky_relu_02": lambda x: np.where(x > 0, x, 0.2 * x),
    "leaky_relu_03": lambda x: np.where(x > 0, x, 0.3 * x),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
}

_LAYERS: dict[type[Layer], Callable[[_Flow, Any, Weights], _Flow]] = {
    Standardize: _standardize,
    Rescale: _rescale,
    Embedding: _embedding,
    Lstm: _lstm,
    Take: _take,
    Repeat: _repeat,
    Reverse: _reverse,
    Mask: _mask,
    Linear: _linear,
    Activation: _activation,
    Segment: _segment,
    Join: _join,
    LayerNorm: _layer_norm,
    Calendar: _calendar,
    Highway: _highway,
}
