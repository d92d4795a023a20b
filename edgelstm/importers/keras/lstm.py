"""LSTM and Bidirectional.

Keras' gates are in the order i f c o and its kernels are [in, 4H]; transposed, they are PyTorch's. Its single bias
becomes `bias_ih`, and `bias_hh` is zero.
"""

from __future__ import annotations

import numpy as np

from edgelstm.importers.keras.chain import KerasLayer, layer_in
from edgelstm.importers.keras.flow import Flow, check_count, check_policy, checked_array
from edgelstm.importers.keras.functions import function_of
from edgelstm.network import FINAL, LAST, LSTM_FUNCTIONS, Linear, Lstm, Reverse, Take, Weights


def add_lstm(flow: Flow, layer: KerasLayer) -> None:
    """Add an LSTM; with go_backwards it reads the steps in reverse and answers in that order, like Keras."""
    backwards, at_every_step = _check_lstm(flow, layer)
    if backwards:
        _reverse(flow, layer, at_every_step)
    check_count(layer, 3 if layer.get("use_bias", bool) else 2)
    lstm = _lstm_layer(flow, layer, bidirectional=False)
    flow.weights.update(_lstm_tensors(layer, lstm, "l0"))
    _append(flow, layer, lstm, at_every_step, zeroed=layer.get("zero_output_for_mask", bool, False))


def _check_lstm(flow: Flow, layer: KerasLayer) -> tuple[bool, bool]:
    """See that the LSTM is supported; give go_backwards and return_sequences."""
    if not flow.sequence:
        raise layer.refuse("expected a sequence before it, got one vector")
    for key in ("return_state", "time_major"):
        if layer.get(key, bool, False):
            raise layer.refuse(f"{key}=True is not supported; save it again without")
    backwards, at_every_step = layer.get("go_backwards", bool, False), layer.get("return_sequences", bool, False)
    if flow.masked and layer.get("unroll", bool, False) and backwards:
        raise layer.refuse(
            "unroll, go_backwards and a mask together are not supported: Keras' backends disagree on them"
        )
    return backwards, at_every_step


def _reverse(flow: Flow, layer: KerasLayer, at_every_step: bool) -> None:
    """Reverse the steps; before a mask is computed, so that it is reversed too."""
    if flow.masked and (at_every_step or flow.mask_at is None):
        raise layer.refuse(
            "go_backwards with a mask is supported only directly after the mask and with return_sequences=False"
        )
    place = len(flow.layers) if flow.mask_at is None else flow.mask_at
    flow.layers.insert(place, Reverse())


def _lstm_layer(flow: Flow, layer: KerasLayer, *, bidirectional: bool) -> Lstm:
    gate, cell = (
        function_of(flow.major, layer, layer.config.get(key, "missing"), key)
        for key in ("recurrent_activation", "activation")
    )
    for function in (gate, cell):
        if function not in LSTM_FUNCTIONS:
            raise layer.refuse(
                f"{function!r} inside an LSTM is not supported; expected one of {', '.join(LSTM_FUNCTIONS)}"
            )
    return Lstm(
        flow.name("lstm"),
        flow.size,
        layer.size("units"),
        bidirectional=bidirectional,
        bias=layer.get("use_bias", bool),
        functions=(gate, cell, cell),
    )


def _lstm_tensors(layer: KerasLayer, lstm: Lstm, suffix: str, first: int = 0) -> Weights:
    """Take kernel, recurrent kernel and bias of one direction, from the `first` array on."""
    gates = 4 * lstm.hidden_size
    found = {
        f"weight_ih_{suffix}": checked_array(layer, first, (lstm.input_size, gates), "kernel").T,
        f"weight_hh_{suffix}": checked_array(layer, first + 1, (lstm.hidden_size, gates), "recurrent kernel").T,
    }
    if lstm.bias:
        found[f"bias_ih_{suffix}"] = checked_array(layer, first + 2, (gates,), "bias")
        found[f"bias_hh_{suffix}"] = np.zeros(gates, np.float32)
    return {f"{lstm.name}.{name}": np.ascontiguousarray(tensor) for name, tensor in found.items()}


def _append(flow: Flow, layer: KerasLayer, lstm: Lstm, at_every_step: bool, zeroed: bool) -> None:
    """Append the LSTM and track the mask: a skipped step repeats the answer before it, or is zero."""
    if flow.masked and zeroed and not at_every_step:
        raise layer.refuse("zero_output_for_mask at the last step is not supported; save it again without")
    flow.layers.append(lstm)
    flow.stateful.append(layer.get("stateful", bool, False))
    flow.size, flow.function, flow.mask_at = lstm.output_size, "linear", None
    flow.zeroed = flow.masked and zeroed and at_every_step
    if not at_every_step:
        flow.layers.append(Take(FINAL if lstm.bidirectional else LAST))
        flow.sequence = flow.masked = False


def add_bidirectional(flow: Flow, layer: KerasLayer) -> None:
    """Add both directions, the backward answers in the order of time; concatenated, or summed by a linear layer."""
    half = len(layer.weights) // 2
    forward = layer_in(layer, "layer", layer.weights[:half])
    given = layer.config.get("backward_layer") is not None
    backward = layer_in(layer, "backward_layer" if given else "layer", layer.weights[half:])
    for inner, direction in ((forward, False), (backward, given)):
        if inner.class_name != "LSTM":
            raise layer.refuse(f"expected an LSTM in both directions, got {inner.class_name!r:.60}")
        check_policy(inner)
        if _check_lstm(flow, inner)[0] != direction:
            raise layer.refuse("expected a forward layer, and a backward layer with go_backwards=True")
    at_every_step = forward.get("return_sequences", bool, False)
    lstm = _lstm_layer(flow, forward, bidirectional=True)
    if lstm != _lstm_layer(flow, backward, bidirectional=True) or _differ(forward, backward):
        raise layer.refuse("expected both directions with the same size and settings")
    for inner, suffix in ((forward, "l0"), (backward, "l0_reverse")):
        check_count(inner, 3 if lstm.bias else 2)
        flow.weights.update(_lstm_tensors(inner, lstm, suffix))
    _append(flow, forward, lstm, at_every_step, zeroed=at_every_step)
    _merge(flow, layer, lstm.hidden_size)


def _differ(forward: KerasLayer, backward: KerasLayer) -> bool:
    return any(
        forward.get(key, bool, False) != backward.get(key, bool, False) for key in ("return_sequences", "stateful")
    )


def _merge(flow: Flow, layer: KerasLayer, hidden: int) -> None:
    mode = layer.config.get("merge_mode", "concat")
    if mode == "concat":
        return
    if mode not in ("sum", "ave"):
        raise layer.refuse(f"merge_mode {mode!r:.40} is not supported; expected concat, sum or ave")
    part = np.eye(hidden, dtype=np.float32) / np.float32(2 if mode == "ave" else 1)
    linear = Linear(flow.name("merge"), 2 * hidden, hidden, bias=False)
    flow.weights[f"{linear.name}.weight"] = np.hstack([part, part])
    flow.layers.append(linear)
    flow.size = hidden
