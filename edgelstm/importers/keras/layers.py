"""Translate each Keras layer exactly, or refuse it. Source: keras/src/layers of Keras 3.15 and 2.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array
from edgelstm.errors import NetworkError
from edgelstm.importers.keras.chain import Chain, KerasLayer, layer_in
from edgelstm.importers.keras.flow import Flow, add_function, check_count, check_policy, checked_array
from edgelstm.importers.keras.functions import FUNCTION_LAYERS, function_of
from edgelstm.importers.keras.lstm import add_bidirectional, add_lstm
from edgelstm.network import (
    Embedding,
    Layer,
    Linear,
    Mask,
    Network,
    Repeat,
    Rescale,
    Standardize,
    Weights,
)

# These do nothing at inference.
_NOTHING = ("Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization")
_EPSILON = 1e-7  # smallest divisor in Keras


class Became(NamedTuple):
    """A layer of the file and what it was translated to, for people."""

    name: str
    class_name: str
    became: str


class Translated(NamedTuple):
    """A network, and the form of its inputs and outputs.

    Attributes:
        network, weights: in edgelstm's layers.
        table: what each Keras layer became.
        tokens: the number of tokens of the embedding at the beginning; None for measurements.
        input_size: F; 1 for tokens.
        output_size: of the last axis.
        every_step: it answers at every step of the window.
        repeated: the steps of a RepeatVector; 0 without one.
        reshaped: [K, O] of a Reshape at the end; None without one.
        stateful: it carries its state from window to window.
        last_function: the function at the end, `"softmax"`; `"linear"` for numbers.
    """

    network: Network
    weights: Weights
    table: tuple[Became, ...]
    tokens: int | None
    input_size: int
    output_size: int
    every_step: bool
    repeated: int
    reshaped: tuple[int, int] | None
    stateful: bool
    last_function: str


def translate(chain: Chain, major: int) -> Translated:
    """Turn a chain of Keras layers into a network.

    Args:
        chain: from `chain_of`.
        major: 2 or 3, of the Keras that wrote it: they differ in `hard_sigmoid`.

    Raises:
        NetworkError: a layer cannot be translated exactly; names it.
    """
    tokens = bool(chain.layers) and chain.layers[0].class_name == "Embedding"
    size = 1 if tokens else chain.input_shape[-1]
    if len(chain.input_shape) != (1 if tokens else 2) or size is None:
        raise NetworkError(f"expected an input [steps, channels], or [steps] of an Embedding, got {chain.input_shape}")
    flow = Flow(major, size)
    table = []
    for layer in chain.layers:
        before = list(flow.layers)
        _translate_layer(flow, layer)
        added = [new for new in flow.layers if not any(new is old for old in before)]
        table.append(Became(layer.name, layer.class_name, _words(added)))
    _check_end(flow, chain)
    return Translated(
        Network(tuple(flow.layers)),
        flow.weights,
        tuple(table),
        flow.tokens,
        size,
        flow.size,
        flow.sequence and not flow.repeated,
        flow.repeated,
        flow.reshaped,
        all(flow.stateful),
        flow.function,
    )


def _translate_layer(flow: Flow, layer: KerasLayer) -> None:
    translator = _LAYERS.get(layer.class_name)
    if layer.class_name == "Lambda":
        raise layer.refuse("contains Python code, which is never run; move its computation out of the model")
    if translator is None:
        raise layer.refuse(f"this class is not supported; expected one of {', '.join(_LAYERS)}")
    if flow.reshaped:
        raise layer.refuse("comes after a Reshape, which can only be the last layer")
    check_policy(layer)
    translator(flow, layer)


def _check_end(flow: Flow, chain: Chain) -> None:
    if not flow.stateful:
        raise NetworkError("expected a model with at least one LSTM, found none among its layers")
    if any(flow.stateful) and not all(flow.stateful):
        raise NetworkError("expected all LSTMs stateful or none; a mixture cannot carry its state")
    if any(flow.stateful) and any(layer.no_state for layer in flow.layers):
        raise NetworkError(
            "a stateful model with Bidirectional, go_backwards, RepeatVector or a mask cannot carry its state step by "
            "step; save it again with stateful=False"
        )
    if flow.zeroed:
        raise NetworkError(
            f"layer {chain.layers[-1].name!r}: the model answers at every step, and its last LSTM gives zeros at "
            "masked steps (Bidirectional or zero_output_for_mask), which is not supported"
        )


def _words(layers: list[Layer]) -> str:
    """Describe layers in a few words."""
    return " + ".join(layer.words for layer in layers) or "nothing (at inference)"


def _nothing(flow: Flow, layer: KerasLayer) -> None:
    """Skip a layer that only works in training."""


def _dense(flow: Flow, layer: KerasLayer) -> None:
    bias = layer.get("use_bias", bool)
    linear = Linear(flow.name("dense"), flow.size, layer.size("units"), bias)
    check_count(layer, 2 if bias else 1)
    flow.weights[f"{linear.name}.weight"] = checked_array(layer, 0, (flow.size, linear.out_features), "kernel").T
    if bias:
        flow.weights[f"{linear.name}.bias"] = checked_array(layer, 1, (linear.out_features,), "bias")
    flow.layers.append(linear)
    flow.size = linear.out_features
    add_function(flow, function_of(flow.major, layer, layer.config.get("activation", "missing")))


def _time_distributed(flow: Flow, layer: KerasLayer) -> None:
    """Translate the inner layer: a linear layer works at every step anyway."""
    inner = layer_in(layer, "layer", layer.weights)
    if not flow.sequence:
        raise layer.refuse("expected a sequence before it, got one vector")
    if inner.class_name not in ("Dense", "Activation", *_NOTHING, *FUNCTION_LAYERS):
        raise layer.refuse(f"expected Dense or Activation inside it, got {inner.class_name!r:.60}")
    check_policy(inner)
    _LAYERS[inner.class_name](flow, inner)


def _activation(flow: Flow, layer: KerasLayer) -> None:
    add_function(flow, function_of(flow.major, layer, layer.config.get("activation", "missing")))


def _function_layer(flow: Flow, layer: KerasLayer) -> None:
    add_function(flow, FUNCTION_LAYERS[layer.class_name](layer))


def _repeat_vector(flow: Flow, layer: KerasLayer) -> None:
    steps = layer.size("n")
    if flow.sequence:
        raise layer.refuse("expected one vector before it, got a sequence")
    flow.layers.append(Repeat(steps))
    flow.sequence, flow.repeated = True, steps


def _masking(flow: Flow, layer: KerasLayer) -> None:
    value = layer.get("mask_value", float)
    if flow.layers:  # rounding changes the last bits of computed values, which are then not equal to the number
        raise layer.refuse(
            "expected before all layers that compute: it compares the raw input with a number, bit by bit"
        )
    if abs(value) > float(np.finfo(np.float32).max):
        raise layer.refuse(f"expected a mask_value that float32 can hold, got {value!r}")
    _begin_mask(flow, value)


def _begin_mask(flow: Flow, value: float) -> None:
    flow.masked, flow.mask_at = True, len(flow.layers)
    flow.layers.append(Mask(value))


def _embedding(flow: Flow, layer: KerasLayer) -> None:
    """Add an embedding; with mask_zero, token 0 is skipped, and its row, which is unused, becomes the mask value."""
    if flow.layers or flow.tokens is not None:
        raise layer.refuse("expected the Embedding before all other layers")
    tokens, size = layer.size("input_dim"), layer.size("output_dim")
    check_count(layer, 1)
    table = checked_array(layer, 0, (tokens, size), "embeddings").copy()
    embedding = Embedding("embedding0", tokens, size)
    flow.layers.append(embedding)
    flow.tokens, flow.size = tokens, size
    if layer.get("mask_zero", bool, False):
        blank = _blank(table[1:])
        table[0] = blank
        _begin_mask(flow, float(blank))
    flow.weights["embedding0.weight"] = table


def _blank(rows: NDArray[np.float32]) -> np.float32:
    """Find a number such that no other row consists of it alone: 0, or else one within their range."""
    taken = {float(row[0]) for row in rows if (row == row[0]).all()}
    largest = float(np.abs(rows).max(initial=1))
    candidates = (np.float32(largest * k / (len(rows) + 2)) for k in range(len(rows) + 2))
    return next(candidate for candidate in candidates if float(candidate) not in taken)


def _normalization(flow: Flow, layer: KerasLayer) -> None:
    """Compute (x - mean) / std, or its inverse; Keras stores the variance, and never divides by less than 1e-7."""
    mean, variance = _mean_and_variance(flow, layer)
    std = np.maximum(np.sqrt(variance.astype(np.float64)), _EPSILON)
    invert = layer.get("invert", bool, False)
    name = f"normalization{len(flow.layers)}"
    if invert:
        _add_rescale(flow, name, std, mean)
    elif flow.layers:  # after a bidirectional LSTM only Rescale gets the right order of axes
        _add_rescale(flow, name, 1 / std, -mean / std)
    else:
        flow.weights.update({f"{name}.offset": mean, f"{name}.factor": _as_float32(1 / std)})
        flow.layers.append(Standardize(f"{name}.offset", f"{name}.factor"))
    flow.function = "linear"


def _batch_normalization(flow: Flow, layer: KerasLayer) -> None:
    """Compute gamma (x - mean) / sqrt(variance + epsilon) + beta, with moving mean and variance of the training."""
    _check_axis(flow, layer)
    names = [name for name, key in (("gamma", "scale"), ("beta", "center")) if layer.get(key, bool, True)]
    names += ["moving mean", "moving variance"]
    check_count(layer, len(names))
    found = {name: checked_array(layer, i, (flow.size,), name).astype(np.float64) for i, name in enumerate(names)}
    epsilon = layer.get("epsilon", float)
    if epsilon < 0 or (found["moving variance"] + epsilon <= 0).any():
        raise layer.refuse("expected a positive variance")
    scale = found.get("gamma", 1.0) / np.sqrt(found["moving variance"] + epsilon)
    offset = found.get("beta", 0.0) - found["moving mean"] * scale
    _add_rescale(flow, f"batch_normalization{len(flow.layers)}", scale, offset)


def _check_axis(flow: Flow, layer: KerasLayer) -> list[int]:
    """See that there is one number for each channel, or one for all; give the axes, none for the latter."""
    axis = layer.config.get("axis", -1)
    axis = [axis] if type(axis) is int else axis
    last = 2 if flow.sequence else 1
    if axis is not None and axis not in ([], [-1], [last]):
        raise layer.refuse(f"expected a number for each channel (axis -1) or one for all, got axis {axis!r:.40}")
    return axis or []


def _mean_and_variance(flow: Flow, layer: KerasLayer) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    shape = (flow.size,) if _check_axis(flow, layer) else ()
    if layer.config.get("mean") is not None:
        layer = layer._replace(weights=tuple(_given(flow, layer, key) for key in ("mean", "variance")))
        shape = (flow.size,)
    mean, variance = (checked_array(layer, i, shape, what) for i, what in enumerate(("mean", "variance")))
    if (variance < 0).any():
        raise layer.refuse("expected a variance of at least 0")
    return np.broadcast_to(mean, flow.size).copy(), np.broadcast_to(variance, flow.size).copy()


def _given(flow: Flow, layer: KerasLayer, key: str) -> NDArray[np.float32]:
    """Read numbers from the config: one for each channel, or one for all."""
    try:
        array = np.asarray(layer.config.get(key))
    except ValueError:  # a ragged list
        array = np.asarray(None)
    if array.dtype.kind not in "fiu" or array.size not in (1, flow.size):
        raise layer.refuse(f"expected {flow.size} numbers as {key}")
    return _as_float32(np.broadcast_to(array.reshape(-1), flow.size))


def _rescaling(flow: Flow, layer: KerasLayer) -> None:
    scale, offset = (np.full(flow.size, layer.get(key, float)) for key in ("scale", "offset"))
    _add_rescale(flow, f"rescaling{len(flow.layers)}", scale, offset)


def _add_rescale(flow: Flow, name: str, scale: Array, offset: Array) -> None:
    flow.weights.update({f"{name}.scale": _as_float32(scale), f"{name}.offset": _as_float32(offset)})
    flow.layers.append(Rescale(f"{name}.scale", f"{name}.offset"))
    flow.function = "linear"


def _as_float32(array: Array) -> NDArray[np.float32]:
    """Convert to float32; values that are too large become infinite, and are refused later with all other weights."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _flatten(flow: Flow, layer: KerasLayer) -> None:
    if flow.sequence:
        raise layer.refuse("flattening a sequence is not supported; expected it only where it changes nothing")


def _reshape(flow: Flow, layer: KerasLayer) -> None:
    """After the last Dense it separates steps and outputs; elsewhere it must change nothing."""
    shape = layer.config.get("target_shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= -1 for size in shape):
        raise layer.refuse(f"expected a target_shape, got {shape!r:.60}")
    if not flow.sequence and shape in ([flow.size], [-1]):
        return
    if not flow.sequence and len(shape) == 2:
        known = [flow.size // abs(shape[1 - i] or 1) if size == -1 else size for i, size in enumerate(shape)]
        if known[0] * known[1] == flow.size:
            flow.reshaped = (known[0], known[1])
            return
    raise layer.refuse(
        f"the shape {shape} is not supported; expected one that changes nothing, or [steps, outputs] at the end"
    )


_LAYERS: dict[str, Callable[[Flow, KerasLayer], None]] = {
    "LSTM": add_lstm,
    "Bidirectional": add_bidirectional,
    "Dense": _dense,
    "TimeDistributed": _time_distributed,
    "RepeatVector": _repeat_vector,
    "Embedding": _embedding,
    "Masking": _masking,
    "Normalization": _normalization,
    "BatchNormalization": _batch_normalization,
    "Rescaling": _rescaling,
    "Activation": _activation,
    **dict.fromkeys(FUNCTION_LAYERS, _function_layer),
    **dict.fromkeys(_NOTHING, _nothing),
    "Flatten": _flatten,
    "Reshape": _reshape,
}
