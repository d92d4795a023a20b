"""A network of `edgelstm.network` as the `torch.nn.Module` that anybody would write: oracle, and food for exporters."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

FUNCTIONS = {
    "relu": torch.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_sigmoid_keras2": lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
    "softmax": lambda x: torch.softmax(x, dim=-1),
    "elu": F.elu,
    "selu": F.selu,
    "leaky_relu": F.leaky_relu,
    "softplus": F.softplus,
    "softsign": F.softsign,
}


def can_express(network):
    """Whether torch has these layers: `nn.LSTM` knows no other functions and skips no steps."""
    plain = all(lstm.functions == ("sigmoid", "tanh", "tanh") for lstm in network.lstms)
    return plain and not any(layer.kind == "mask" for layer in network.layers)


class Eager(nn.Module):
    """Takes x [B, T, F] or tokens [B, T] and, where the contract says so, lengths [B] and time_s [B, T].

    Answers as the contract says.
    """

    def __init__(self, network, weights, contract):
        super().__init__()
        self.network, self.contract = network, contract
        self.layers = [layer for layer in network.layers if not (contract.states and layer.kind == "take")]
        self.modules_of = nn.ModuleDict()
        for layer in self.layers:
            if layer.kind in ("lstm", "linear", "embedding", "layer_norm", "highway"):
                self.modules_of[layer.name] = _module(layer)
        constants = {n for layer in self.layers for n in _constants(layer)}
        for name in constants:
            self.register_buffer(name, torch.from_numpy(weights[name]))
        owned = {k: torch.from_numpy(v) for k, v in weights.items() if k not in constants}
        self.modules_of.load_state_dict(owned)
        self.eval()

    def forward(self, x, lengths=None, time_s=None):
        relative = bool(self.network.relative_inputs)
        centre, spread = self._relative_to(x, lengths) if relative else (None, None)
        value, final, scaled = (x - centre) / spread if relative else x, None, None
        for layer in self.layers:
            if layer.kind == "lstm":
                value, final = _run_lstm(self.modules_of[layer.name], value, lengths)
            elif layer.kind in ("linear", "embedding", "layer_norm"):
                value = self.modules_of[layer.name](value)
            elif layer.kind == "standardize":
                value = (value - getattr(self, layer.offset)) * getattr(self, layer.factor)
                scaled = value if scaled is None else scaled
            elif layer.kind == "highway":
                past = self.modules_of[layer.name](_read_by(layer, scaled, value))
                value = past if layer.alone else value + past
            elif layer.kind == "rescale":
                scale, offset = getattr(self, layer.scale), getattr(self, layer.offset)
                repeats = value.shape[-1] // len(scale)
                value = value * scale.repeat(repeats) + offset.repeat(repeats)
            elif layer.kind == "take":
                taken = {"last": _last_step, "mean": _mean_step}.get(layer.which)
                value = taken(value, lengths) if taken else final
            elif layer.kind == "segment":
                value = value.transpose(1, 2).flatten(0, 1).unsqueeze(2) if layer.shared else value
                value = value.reshape(value.shape[0], -1, layer.steps * value.shape[2])
            elif layer.kind == "join":
                parts = value.unflatten(0, (-1, layer.channels)).unflatten(2, (-1, layer.values))
                value = parts.transpose(1, 2).flatten(2)
            elif layer.kind == "calendar":
                value = torch.cat([value, *_calendar(layer.features, time_s)], dim=2)
            elif layer.kind == "repeat":
                value, lengths = value.unsqueeze(1).expand(-1, layer.steps, -1), None
            elif layer.kind == "reverse":
                value = value.flip(1)
            else:
                value = FUNCTIONS[layer.function](value)
        if self.contract.task == "forecast":
            steps = (value.shape[1],) if self.contract.every_step else ()
            value = value.reshape(-1, *steps, self.contract.horizon, len(self.contract.outputs))
        inputs = list(self.network.relative_inputs)
        return value * spread[:, :, inputs] + centre[:, :, inputs] if relative else value

    def _relative_to(self, x, lengths):
        """[B, 1, F]: the last value; or the mean, and the deviation where that of the training is 1.

        Of a channel that no output starts from 0 and 1.
        """
        chosen = torch.zeros(x.shape[2], dtype=torch.bool)
        chosen[list(self.network.relative_inputs)] = True
        if not self.network.instance:
            last = _last_step(x, lengths).unsqueeze(1)
            return torch.where(chosen, last, 0.0), torch.ones_like(last)
        factor = getattr(self, self.network.layers[0].factor)
        mean = torch.where(chosen, _mean_step(x, lengths).unsqueeze(1), 0.0)
        spread = torch.sqrt(_mean_step(((x - mean) * factor) ** 2, lengths).unsqueeze(1) + 1e-5)
        return mean, torch.where(chosen, spread, 1.0)


def _read_by(highway, scaled, value):
    """The whole window [B, T * F], each channel of it [B * F, T] in a network of shared ones, or each sample."""
    if value.ndim == 3:
        return scaled
    apart = scaled.transpose(1, 2) if highway.in_features == 1 else scaled
    return apart.reshape(-1, highway.steps * highway.in_features)


def _module(layer):
    if layer.kind == "highway":
        return nn.Linear(layer.steps * layer.in_features, layer.out_features)
    if layer.kind == "linear":
        return nn.Linear(layer.in_features, layer.out_features, layer.bias)
    if layer.kind == "layer_norm":
        return nn.LayerNorm(layer.size)
    if layer.kind == "embedding":
        return nn.Embedding(layer.num_embeddings, layer.embedding_dim)
    options = {"bidirectional": layer.bidirectional, "proj_size": layer.proj_size, "bias": layer.bias}
    return nn.LSTM(layer.input_size, layer.hidden_size, layer.num_layers, batch_first=True, **options)


def _constants(layer):
    if layer.kind == "standardize":
        return layer.offset, layer.factor
    return (layer.scale, layer.offset) if layer.kind == "rescale" else ()


def _run_lstm(lstm, x, lengths):
    """The output at every step, and the last layer's h_n with its directions side by side."""
    if lengths is None:
        y, (h, _) = lstm(x)
    else:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, (h, _) = lstm(packed)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
    directions = 2 if lstm.bidirectional else 1
    return y, h[-directions:].transpose(0, 1).flatten(1)


def _last_step(x, lengths):
    return x[:, -1] if lengths is None else x[torch.arange(x.shape[0]), lengths - 1]


def _mean_step(x, lengths):
    if lengths is None:
        return x.mean(1)
    valid = torch.arange(x.shape[1]) < lengths[:, None]
    return torch.where(valid[:, :, None], x, 0).sum(1) / lengths[:, None]


def _calendar(features, time_s):
    """Sine and cosine of the phase of each, [B, T, 1]; float64 holds seconds exactly."""
    periods = {"hour": (86400, 0), "weekday": (7 * 86400, 3 * 86400), "yearday": (31556952, 0)}
    for period, shift in (periods[name] for name in features):
        phase = 2 * torch.pi * ((time_s + shift) % period)[:, :, None].double() / period
        yield from (torch.sin(phase).float(), torch.cos(phase).float())
