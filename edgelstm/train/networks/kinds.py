"""Each kind of layer in torch: the module that holds its weights, and how it runs.

Notation: B batch, T steps, C size of the last axis, H hidden size, D directions, K horizon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from edgelstm.network import (
    CYCLES,
    FINAL,
    LAST,
    LAYER_NORM_EPSILON,
    Activation,
    Calendar,
    Embedding,
    Highway,
    Join,
    LayerNorm,
    Linear,
    Lstm,
    Mask,
    Repeat,
    Rescale,
    Reverse,
    Segment,
    Standardize,
    Take,
)
from edgelstm.train.networks.flow import Flow, inside, last_step, mean_of_steps
from edgelstm.train.networks.functions import FUNCTIONS
from edgelstm.train.networks.recurrent import make_lstm, run_lstm


class InTorch(NamedTuple):
    """A kind of layer in torch.

    Attributes:
        run: takes a layer, its module and the flow before it; gives the flow after it.
        make: makes the module with the weights of a layer, given its internal dropout; None: it has no weights.
    """

    run: Callable[[Any, Any, Flow], Flow]
    make: Callable[[Any, float], nn.Module] | None = None


Kinds = dict[type, InTorch]


def _standardize(layer: Standardize, _: None, flow: Flow) -> Flow:
    value = (flow.value - flow.constant(layer.offset)) * flow.constant(layer.factor)
    return flow._replace(value=value, scaled=value if flow.scaled is None else flow.scaled)


def _rescale(layer: Rescale, _: None, flow: Flow) -> Flow:
    scale, offset = flow.constant(layer.scale), flow.constant(layer.offset)
    z = flow.value
    value = z.reshape(*z.shape[:-1], -1, len(scale)) * scale + offset
    return flow._replace(value=value.reshape(z.shape))


def _owned(_: Any, module: nn.Module, flow: Flow) -> Flow:
    """Run a module that works on the last axis only."""
    return flow._replace(value=module(flow.value))


def _activation(layer: Activation, _: None, flow: Flow) -> Flow:
    return flow._replace(value=FUNCTIONS[layer.function](flow.value))


def _take(layer: Take, _: None, flow: Flow) -> Flow:
    h = flow.value
    if layer.which == LAST:
        return flow._replace(value=last_step(h, flow.lengths, flow.valid))
    if layer.which == FINAL:
        return flow._replace(value=_ends(flow))
    return flow._replace(value=mean_of_steps(h, flow.lengths, flow.valid))


def _ends(flow: Flow) -> Tensor:
    """Give the last step of both directions side by side; that of the backward direction is the first valid step."""
    h, size = flow.value, flow.value.shape[-1] // flow.directions
    last = last_step(h[..., :size], flow.lengths, flow.valid)
    if flow.directions == 1:
        return last
    if flow.valid is None:
        return torch.cat([last, h[:, 0, size:]], -1)
    firsts = flow.valid.to(torch.uint8).argmax(1)
    return torch.cat([last, h[torch.arange(len(h), device=h.device), firsts, size:]], -1)


def _repeat(layer: Repeat, _: None, flow: Flow) -> Flow:
    return flow.with_steps(flow.value[:, None].expand(-1, layer.steps, -1))


def _reverse(_: Reverse, __: None, flow: Flow) -> Flow:
    valid = flow.valid
    if flow.lengths is not None:  # from here on the valid steps are at the end
        valid = inside(flow.value.shape[1], flow.lengths)
    return flow._replace(value=flow.value.flip(1), lengths=None, valid=None if valid is None else valid.flip(1))


def _mask(layer: Mask, _: None, flow: Flow) -> Flow:
    differs = (flow.value != layer.value).any(-1)
    if flow.valid is not None:
        differs = differs & flow.valid
    if flow.lengths is not None:
        differs = differs & inside(flow.value.shape[1], flow.lengths)
    return flow._replace(valid=differs, lengths=None)


def _segment(layer: Segment, _: None, flow: Flow) -> Flow:
    """Bring [B, T, C] to [B, T / n, n * C], or with shared channels to [B * C, T / n, n]."""
    x = flow.value
    if not layer.shared:
        return flow.with_steps(x.reshape(len(x), x.shape[1] // layer.steps, -1))
    apart = x.transpose(1, 2).reshape(-1, x.shape[1] // layer.steps, layer.steps)
    return flow.with_steps(apart)._replace(together=x.shape[2])


def _join(layer: Join, _: None, flow: Flow) -> Flow:
    """Bring [B * C, K * V] to [B, K, C * V]."""
    parts = flow.value.reshape(-1, layer.channels, flow.value.shape[1] // layer.values, layer.values).transpose(1, 2)
    return flow.with_steps(parts.reshape(len(parts), -1, layer.channels * layer.values))._replace(together=1)


def _calendar(layer: Calendar, _: None, flow: Flow) -> Flow:
    """Append sine and cosine of the phase of each calendar feature."""
    if flow.time_s is None:
        raise ValueError("this network has a calendar and needs the time of each sample")
    found = [flow.value]
    for cycle in (CYCLES[feature] for feature in layer.features):
        angle = torch.remainder(flow.time_s + cycle.shift_s, cycle.period_s).double() * (2 * torch.pi / cycle.period_s)
        found += [torch.sin(angle).float()[..., None], torch.cos(angle).float()[..., None]]
    return flow._replace(value=torch.cat(found, -1))


def _highway(layer: Highway, highway: nn.Module, flow: Flow) -> Flow:
    """Add the line past the LSTM, from undisturbed inputs: whole windows, single channels of them, or samples."""
    read = flow.scaled
    if read is None:
        raise ValueError("a highway reads the output of a standardize layer, and there is none before it")
    if flow.value.ndim == 2:
        if flow.lengths is not None:
            raise ValueError("a highway reads whole windows: expected no lengths")
        read = read.transpose(1, 2) if flow.together > 1 else read
        read = read.reshape(-1, layer.steps * layer.in_features)
    with torch.autocast(read.device.type, enabled=False):
        z = highway(read)
    return flow._replace(value=z if layer.alone else flow.value + z)


def _make_highway(layer: Highway, _: float) -> nn.Module:
    """Make the frozen layer; draw no random numbers, so that the LSTM starts as it would without a highway."""
    highway: nn.Linear = skip_init(nn.Linear, layer.steps * layer.in_features, layer.out_features)  # type: ignore[no-untyped-call]
    highway.requires_grad_(False)
    nn.init.zeros_(highway.weight)
    nn.init.zeros_(highway.bias)
    return highway


def _make_linear(layer: Linear, _: float) -> nn.Module:
    return nn.Linear(layer.in_features, layer.out_features, layer.bias)


def _make_layer_norm(layer: LayerNorm, _: float) -> nn.Module:
    return nn.LayerNorm(layer.size, LAYER_NORM_EPSILON)


def _make_embedding(layer: Embedding, _: float) -> nn.Module:
    return nn.Embedding(layer.num_embeddings, layer.embedding_dim)


IN_TORCH: Kinds = {
    Standardize: InTorch(_standardize),
    Rescale: InTorch(_rescale),
    Embedding: InTorch(_owned, _make_embedding),
    Lstm: InTorch(run_lstm, make_lstm),
    Take: InTorch(_take),
    Repeat: InTorch(_repeat),
    Reverse: InTorch(_reverse),
    Mask: InTorch(_mask),
    Linear: InTorch(_owned, _make_linear),
    Activation: InTorch(_activation),
    Segment: InTorch(_segment),
    Join: InTorch(_join),
    LayerNorm: InTorch(_owned, _make_layer_norm),
    Calendar: InTorch(_calendar),
    Highway: InTorch(_highway, _make_highway),
}
