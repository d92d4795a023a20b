"""Independent ways to compute what edgelstm computes, as plain as possible.

Notation: B batch, T steps, F input channels, H hidden size, K horizon, O outputs. PyTorch's gate order i f g o.
"""

from __future__ import annotations

import math
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
    centred = np.isin(np.arange(x.shape[2]), shape.relative_inputs)
    h = (x - np.where(centred, last, w["input_offset"])) * w["input_factor"]
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
    centred = np.isin(np.arange(x.shape[2]), shape.relative_inputs)
    h = (x - np.where(centred, last, w["input_offset"])) * w["input_factor"]
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


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# The functions of `edgelstm.network`, in float64.
FUNCTIONS = {
    "sigmoid": lambda x: 0.5 * (1 + np.tanh(x / 2)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_keras2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "linear": lambda x: x,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "leaky_relu_02": lambda x: np.where(x > 0, x, 0.2 * x),
    "leaky_relu_03": lambda x: np.where(x > 0, x, 0.3 * x),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "softmax": softmax,
}


def lstm_steps(x, w_ih, w_hh, b, w_hr, functions):
    """One direction of one layer over one row: x [T, I] to h [T, H or P]. b [4H] is the sum of both biases."""
    gate, candidate, output = (FUNCTIONS[name] for name in functions)
    h, c = np.zeros(w_hh.shape[1]), np.zeros(len(w_hh) // 4)
    steps = []
    for sample in x:
        i, f, g, o = np.split(w_ih @ sample + w_hh @ h + b, 4)
        c = gate(f) * c + gate(i) * candidate(g)
        h = gate(o) * output(c)
        h = h if w_hr is None else w_hr @ h
        steps.append(h)
    return np.array(steps).reshape(len(x), w_hh.shape[1])


def lstm_stack(lstm, w, x):
    """All layers and directions over one row: x [T, I] to (output [T, C], the final states side by side [C])."""
    for n in range(lstm.num_layers):
        outputs, finals = [], []
        for suffix in ("", "_reverse") if lstm.bidirectional else ("",):
            w_ih, w_hh, b_ih, b_hh, w_hr = (
                w.get(f"{lstm.name}.{part}_l{n}{suffix}")
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            )
            b = b_ih + b_hh if lstm.bias else 0
            h = lstm_steps(x[::-1] if suffix else x, w_ih, w_hh, b, w_hr, lstm.functions)
            finals.append(h[-1] if len(h) else np.zeros(w_hh.shape[1]))
            outputs.append(h[::-1] if suffix else h)
        x = np.concatenate(outputs, axis=1)
    return x, np.concatenate(finals)


def lstm_with_skips(lstm, w, x, counts):
    """`lstm_stack` over the steps that count alone (bool [T]; None: all).

    As Keras has it, a step that is skipped gives the answer before it again, or zero; of two directions zero.
    """
    if counts is None:
        return lstm_stack(lstm, w, x)
    found, final = lstm_stack(lstm, w, x[counts])
    y = np.zeros((len(x), found.shape[1]))
    y[counts] = found
    if not lstm.bidirectional:
        for t in range(1, len(x)):
            y[t] = y[t] if counts[t] else y[t - 1]
    return y, final


# What comes again in time, in seconds, and the shift from where it begins to the beginning of 1970.
CYCLES = {"hour": (86400, 0), "weekday": (604800, 259200), "yearday": (365.2425 * 86400, 0)}


def calendar(features, times):
    """[T] to [T, 2 * features]."""
    columns = []
    for name in features:
        period, shift = CYCLES[name]
        phase = 2 * np.pi * (((times + shift) % int(period)) / period)
        columns += [np.sin(phase), np.cos(phase)]
    return np.stack(columns, axis=1)


def evaluate_apart(layers, w, value, scaled):
    """Each channel of [T, C] by itself through the same layers up to the join, then what is behind it."""
    segment, *layers = layers
    place = next(i for i, layer in enumerate(layers) if layer.kind == "join")
    cut = [channel.reshape(-1, segment.steps) for channel in value.T]
    answers = [
        evaluate_row(layers[:place], w, channel, scaled=None if scaled is None else scaled[:, c % scaled.shape[1]])
        for c, channel in enumerate(cut)
    ]
    answers = [answer.reshape(-1, layers[place].values) for answer in answers]
    return evaluate_row(layers[place + 1 :], w, np.concatenate(answers, axis=1))


def evaluate_row(layers, w, x, times=None, scaled=None):
    """The layers, one after the other, over the valid steps of one row: x [T, F] or tokens [T], w in float64.

    `scaled` is what the first standardize gave, which a highway reads.
    """
    value, counts, final = x, None, None
    for i, layer in enumerate(layers):
        match layer.kind:
            case "segment" if layer.shared:
                return evaluate_apart(layers[i:], w, value, scaled)
            case "segment":
                value = np.stack([np.concatenate(part) for part in np.split(value, len(value) // layer.steps)])
            case "layer_norm":
                value = (value - value.mean(-1, keepdims=True)) / np.sqrt(value.var(-1, keepdims=True) + 1e-5)
                value = value * w[f"{layer.name}.weight"] + w[f"{layer.name}.bias"]
            case "calendar":
                value = np.concatenate([value, calendar(layer.features, times)], axis=1)
            case "take" if layer.which == "mean":
                value = value if counts is None else value[counts]
                value = value.mean(axis=0) if len(value) else np.zeros(value.shape[1])
            case "standardize":
                value = (value - w[layer.offset]) * w[layer.factor]
                scaled = value if scaled is None else scaled
            case "highway":
                read = scaled if value.ndim == 2 else scaled.reshape(-1)
                past = read @ w[f"{layer.name}.weight"].T + w[f"{layer.name}.bias"]
                value = past if layer.alone else value + past
            case "rescale":
                repeats = value.shape[-1] // w[layer.scale].size
                value = value * np.tile(w[layer.scale], repeats) + np.tile(w[layer.offset], repeats)
            case "embedding":
                value = w[f"{layer.name}.weight"][value]
            case "lstm":
                value, final = lstm_with_skips(layer, w, value, counts)
            case "take" if layer.which == "final":
                value = final
            case "take":
                value = value[-1] if counts is None or not counts.any() else value[counts][-1]
            case "repeat":
                value, counts = np.stack([value] * layer.steps), None
            case "reverse":
                value, counts = value[::-1], None if counts is None else counts[::-1]
            case "mask":
                counts = (value != np.float32(layer.value)).any(axis=-1)
            case "linear":
                value = value @ w[f"{layer.name}.weight"].T + w.get(f"{layer.name}.bias", 0)
            case "activation":
                value = FUNCTIONS[layer.function](value)
            case kind:
                raise ValueError(kind)
    return value


def relative_to(network, w, x):
    """What a row [T, F] is relative to: centre and spread, [F] each."""
    if not network.relative_inputs:
        return 0, 1
    centre, spread = np.zeros(x.shape[1]), np.ones(x.shape[1])
    for i in network.relative_inputs:
        centre[i] = x[:, i].mean() if network.instance else x[-1, i]
        if network.instance:
            factor = np.broadcast_to(w[network.layers[0].factor], x.shape[1])[i]
            spread[i] = np.sqrt((x[:, i] * factor).var() + 1e-5)
    return centre, spread


def evaluate(network, weights, x, contract, lengths=None, time_s=None):
    """A whole network in float64, row by row, each over its valid steps alone: nothing of another row can leak.

    x [B, T, F] or tokens [B, T]; the answers are shaped as the contract says, NaN behind the length of a row.
    """
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    layers = [layer for layer in network.layers if not (contract.states and layer.kind == "take")]
    answers = []
    for b, row in enumerate(x if x.dtype == np.int64 else x.astype(np.float64)):
        valid = row if lengths is None else row[: lengths[b]]
        centre, spread = relative_to(network, w, valid)
        times = None if time_s is None else time_s[b, : len(valid)]
        value = evaluate_row(layers, w, (valid - centre) / spread if network.relative_inputs else valid, times)
        if contract.task == "forecast":
            steps = value.shape[:1] if contract.every_step else ()
            value = value.reshape(*steps, contract.horizon, len(contract.outputs))
        if network.relative_inputs:
            inputs = list(network.relative_inputs)
            value = value * spread[inputs] + centre[inputs]
        if lengths is not None and contract.every_step:
            value = np.concatenate([value, np.full((len(row) - len(valid), *value.shape[1:]), np.nan)])
        answers.append(value)
    return np.stack(answers)
