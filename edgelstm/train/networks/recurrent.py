"""LSTMs in torch: any functions, projections, skipped steps, an initial state.

Notation: B batch, T steps, C size of the last axis, H hidden size, D directions, L layers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from edgelstm.network import Lstm
from edgelstm.train.networks.flow import Flow, Pair, in_reverse, without_padding
from edgelstm.train.networks.functions import FUNCTIONS

TORCH = ("sigmoid", "tanh", "tanh")  # the functions of `nn.LSTM`

Tensors = dict[str, Tensor]
Run = Callable[[Tensor, Tensor | None, Pair | None], tuple[Tensor, Pair]]


class Direction(Protocol):
    """Runs one direction of one layer."""

    def __call__(self, x: Tensor, weights: Tensors, h: Tensor, c: Tensor, /) -> tuple[Tensor, Pair]:
        """Run [B, T, C] from h and c; give [B, T, H], and h and c after the last step."""
        ...


def make_lstm(layer: Lstm, dropout: float) -> nn.LSTM:
    """Make the module with the weights, and with dropout between the layers of a stack."""
    return nn.LSTM(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        layer.bias,
        batch_first=True,
        dropout=dropout if layer.num_layers > 1 else 0.0,
        bidirectional=layer.bidirectional,
        proj_size=layer.proj_size,
    )


def run_lstm(layer: Lstm, lstm: nn.LSTM, flow: Flow) -> Flow:
    """Run an LSTM in float."""
    return through(layer, partial(run_float, layer, lstm, None), flow)


def through(layer: Lstm, run: Run, flow: Flow) -> Flow:
    """Apply `run` to a flow, with its lengths and initial state: give [B, T, D * H], and the state after it."""
    before = None if flow.before is None else flow.before[len(flow.after)]
    if flow.valid is None:
        value, (h, c) = run(flow.value, flow.lengths, before)
    else:
        value, (h, c) = _without_skipped(flow.value, flow.valid, layer, run)
    after = (*flow.after, (h.detach(), c.detach()))
    return flow._replace(value=value, after=after, directions=layer.directions)


def _without_skipped(x: Tensor, valid: Tensor, layer: Lstm, run: Run) -> tuple[Tensor, Pair]:
    """Move the valid steps to the front, in order; a skipped step repeats the answer before it, or gives zero.

    With two directions it is always zero, as in Keras, whose Bidirectional has no answer to repeat.
    """
    order = torch.argsort((~valid).to(torch.uint8), dim=1, stable=True)
    seen = valid.cumsum(1)
    front = x.gather(1, order[..., None].expand_as(x))
    out, after = run(front, seen[:, -1].clamp(min=1), None)
    place = (seen - 1).clamp(min=0)[..., None].expand(-1, -1, out.shape[2])
    answered = valid if layer.bidirectional else seen > 0
    return out.gather(1, place) * answered[..., None], after


def run_float(
    layer: Lstm, lstm: nn.LSTM, weights: Tensors | None, x: Tensor, lengths: Tensor | None, before: Pair | None
) -> tuple[Tensor, Pair]:
    """Run a stack in float.

    Args:
        layer: its description.
        lstm: holds its weights.
        weights: by the names of `nn.LSTM`, to replace some of its own; None for none.
        x: [B, T, C].
        lengths: int64 [B]; None: all steps are valid.
        before: h and c [D * L, B, H]; None: zeros.
    """
    if layer.functions != TORCH:
        return by_layers(lstm, weights, x, lengths, before, partial(_float_direction, layer.functions))
    if lengths is None or not layer.bidirectional:  # steps after a length change nothing before it
        found: tuple[Tensor, Pair] = _called(lstm, weights, x, before)
        return found
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), True, enforce_sorted=False)
    out, after = _called(lstm, weights, packed, before)
    return nn.utils.rnn.pad_packed_sequence(out, True, total_length=x.shape[1])[0], after


def _called(lstm: nn.LSTM, weights: Tensors | None, x: Any, before: Pair | None) -> Any:
    with _without_advice() if lstm.proj_size else nullcontext():
        return lstm(x, before) if weights is None else functional_call(lstm, weights, (x, before))


@contextmanager
def _without_advice() -> Iterator[None]:
    """Suppress the warning that oneDNN, which torch does not use here, does not support projections."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LSTM with projections is not supported")
        yield


def by_layers(
    lstm: nn.LSTM,
    weights: Tensors | None,
    x: Tensor,
    lengths: Tensor | None,
    before: Pair | None,
    direction: Direction,
) -> tuple[Tensor, Pair]:
    """Run a stack one direction of one layer at a time, see `run_float`; padding is set to zero."""
    own = {**dict(lstm.named_parameters()), **(weights or {})}
    rows, count = len(x), lstm.num_layers * (1 + lstm.bidirectional)
    zeros = [x.new_zeros(count, rows, size) for size in (lstm.proj_size or lstm.hidden_size, lstm.hidden_size)]
    starts, states = zeros if before is None else before, list[Pair]()
    for layer in range(lstm.num_layers):
        x, found = without_padding(x, lengths), []
        for suffix in ("", "_reverse")[: 1 + lstm.bidirectional]:
            end = f"_l{layer}{suffix}"
            its = {name.removesuffix(end): tensor for name, tensor in own.items() if name.endswith(end)}
            h, c = (start[len(states)] for start in starts)
            out, state = direction(in_reverse(x, lengths) if suffix else x, its, h, c)
            states.append(state)
            found.append(in_reverse(out, lengths) if suffix else out)
        x = torch.cat(found, -1)
        if layer + 1 < lstm.num_layers:
            x = F.dropout(x, lstm.dropout, lstm.training)
    return x, (torch.stack([h for h, _ in states]), torch.stack([c for _, c in states]))


def bias_of(weights: Tensors) -> Tensor | float:
    """Give the sum of the biases of a direction: float32 [4H]."""
    return weights["bias_ih"] + weights["bias_hh"] if "bias_ih" in weights else 0.0


def _float_direction(
    functions: tuple[str, ...], x: Tensor, weights: Tensors, h: Tensor, c: Tensor
) -> tuple[Tensor, Pair]:
    return steps(F.linear(x, weights["weight_ih"]) + bias_of(weights), weights, functions, h, c)


def steps(
    projected: Tensor,
    weights: Tensors,
    functions: tuple[str, ...],
    h: Tensor,
    c: Tensor,
    heard: Callable[[Tensor], Tensor] = FUNCTIONS["linear"],
) -> tuple[Tensor, Pair]:
    """Run the steps of one direction one by one, with any functions.

    Args:
        projected: float32 [B, T, 4H], what the input adds to the gates; PyTorch's order i f g o.
        weights: `weight_hh` [4H, P], and `weight_hr` [P, H] if there is a projection.
        functions: of the gates, the cell candidate and the output.
        h: before the first step.
        c: likewise.
        heard: applied to h before the recurrence.
    """
    gate, candidate, output = (FUNCTIONS[name] for name in functions)
    out = []
    for t in range(projected.shape[1]):
        i, f, g, o = (projected[:, t] + F.linear(heard(h), weights["weight_hh"])).chunk(4, 1)
        c = gate(f) * c + gate(i) * candidate(g)
        h = gate(o) * output(c)
        h = F.linear(h, weights["weight_hr"]) if "weight_hr" in weights else h
        out.append(h)
    return torch.stack(out, 1), (h, c)
