"""Independent ways to compute what edgelstm computes, as plain as possible.

Notation: B batch, T steps, F input channels, H hidden size, K horizon, O outputs. PyTorch's gate order i f g o.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np


def sizes_of(run):
    """The sizes of a trained network, read off its tensors and its contract."""
    contract, weights = run.record.contract, run.weights
    return SimpleNamespace(
        num_layers=sum(name.startswith("lstm.weight_ih_l") for name in weights),
        horizon=contract.horizon,
        output_size=len(contract.outputs),
        relative_inputs=run.record.network.relative_inputs,
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_layer(x, w_ih, w_hh, b_ih, b_hh, h=None, c=None):
    """One layer in the dtype of its arguments: x [B, T, I] to (h at every step [B, T, H], last h, last c)."""
    hidden = w_hh.shape[1]
    h = np.zeros((len(x), hidden), x.dtype) if h is None else h
    c = np.zeros((len(x), hidden), x.dtype) if c is None else c
    steps = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        steps.append(h)
    return np.stack(steps, axis=1), h, c


def forecast(weights, shape, x, every_step=False, layer=lstm_layer):
    """A whole network in float64: x [B, T, F] to [B, K, O] or [B, T, K, O], physical units on both sides."""
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    x = np.asarray(x, np.float64)
    last = x[:, -1:]
    h = (x - (last if shape.relative_inputs else w["input_offset"])) * w["input_factor"]
    for n in range(shape.num_layers):
        names = (f"lstm.{part}_l{n}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        h, _, _ = layer(h, *(w[name] for name in names))
    if not every_step:
        h = h[:, -1]
    z = h @ w["head.weight"].T + w["head.bias"]
    y = z.reshape(*z.shape[:-1], shape.horizon, shape.output_size) * w["output_scale"] + w["output_offset"]
    return y + last[:, :, list(shape.relative_inputs)] if shape.relative_inputs else y


def quantize_weight(w):
    """[R, C] to whole numbers -64..64 with one scale for each row, as onnxruntime's 7-bit symmetric scheme."""
    scale = np.maximum(np.abs(w).max(axis=1), 0).astype(np.float32) * np.float32(2) / np.float32(128)
    scale[scale < np.finfo(np.float32).tiny] = 1
    return np.clip(np.rint(w / scale[:, None]), -64, 64).astype(np.int64), scale


def quantize_activation(a):
    """Any array to (whole numbers 0..255, scale, zero point), from its own range, which always holds 0."""
    low, high = min(np.float32(0), a.min()), max(np.float32(0), a.max())
    scale = np.float32((high - low) / np.float32(255)) if high > low else np.float32(1)
    zero = np.clip(np.rint(-low / scale), 0, 255)
    return np.clip(np.rint(a / scale) + zero, 0, 255).astype(np.int64), scale, int(zero)


def quantized_product(a, w, jitter=None):
    """a [M, C] times w.T [C, R], both in whole numbers, the sum scaled back to float32.

    `jitter`, a generator, moves each activation by about one float32 rounding before it is quantized.
    """
    if jitter is not None:
        a = a * (1 + 1e-7 * jitter.standard_normal(a.shape))
    qa, a_scale, zero = quantize_activation(a.astype(np.float32))
    qw, w_scale = quantize_weight(w.astype(np.float32))
    return ((qa - zero) @ qw.T).astype(np.float32) * (a_scale * w_scale)


def quantized_lstm_layer(x, w_ih, w_hh, b_ih, b_hh, jitter=None):
    """onnxruntime's DynamicQuantizeLSTM: x is ranged once over all steps and rows, h anew at every step."""
    batch, steps, size = x.shape
    hidden = w_hh.shape[1]
    projected = quantized_product(x.reshape(-1, size), w_ih, jitter).reshape(batch, steps, -1)
    h = np.zeros((batch, hidden), np.float32)
    c = np.zeros((batch, hidden), np.float32)
    out = []
    for t in range(steps):
        gates = projected[:, t] + quantized_product(h, w_hh, jitter) + (b_ih + b_hh).astype(np.float32)
        i, f, g, o = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)).astype(np.float32)
        out.append(h)
    return np.stack(out, axis=1), h, c


def quantized_forecast(weights, shape, x, every_step=False, jitter=None):
    """A whole int8 file: quantized layers, and a quantized head with the way back to physical units folded in."""
    w = weights
    last = x[:, -1:]
    h = (x - (last if shape.relative_inputs else w["input_offset"])) * w["input_factor"]
    for n in range(shape.num_layers):
        names = (f"lstm.{part}_l{n}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        h, _, _ = quantized_lstm_layer(h, *(w[name] for name in names), jitter)
    if not every_step:
        h = h[:, -1:]
    scale = np.tile(w["output_scale"], shape.horizon)
    offset = np.tile(w["output_offset"], shape.horizon)
    flat = quantized_product(h.reshape(-1, h.shape[-1]), w["head.weight"] * scale[:, None], jitter)
    flat = flat + (w["head.bias"] * scale + offset)
    steps = h.shape[1:2] if every_step else ()
    y = flat.reshape(len(x), *steps, shape.horizon, shape.output_size)
    return y + last[:, :, list(shape.relative_inputs)] if shape.relative_inputs else y
