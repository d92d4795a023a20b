"""Simulation of a network's int8 file in torch, so that training can adapt to it.

A second table for the same layers and weights. The forward pass rounds like the file: weights by
`edgelstm.quantization`, as export writes them, and for int8 the activations by the ranges that onnxruntime uses when
edgelstm runs it. A window is run one row at a time, with one thread and without its padding: the input of a layer has
one range per row, h of each direction a new range at every step; channels that share one network are rows of one call
and share these ranges. A carried file is stepped: every value gets a new range at every step. The backward pass treats
rounding as the identity (straight-through: Bengio et al. 2013, arXiv 1308.3432).

Notation: B batch, T steps, C channels, R rows of a weight, H hidden size, D directions, L layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgelstm.network import Linear, Lstm, Network, Weights, folded, reordered
from edgelstm.quantization import LEVELS, quantize_rows
from edgelstm.recipe.sections import QuantizationRecipe
from edgelstm.train.networks.flow import Flow, Pair, without_padding
from edgelstm.train.networks.kinds import IN_TORCH, InTorch, Kinds
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.networks.recurrent import TORCH, Tensors, bias_of, by_layers, run_float, steps, through

ACTIVATION_LEVELS = 255  # uint8


class QuantizedNetwork(LstmNetwork):
    """A copy of a network that answers as its int8 or int8w file does, and can be trained.

    Example:
        >>> from edgelstm.network import Take
        >>> from edgelstm.train.networks.plan import Plan
        >>> plan = Plan(Network((Lstm("lstm", 1, 8), Take("last"), Linear("head", 8, 3))), horizon=3, outputs=1)
        >>> QuantizedNetwork(LstmNetwork(plan, {}), QuantizationRecipe())(torch.zeros(2, 5, 1)).shape
        torch.Size([2, 3, 1])
    """

    def __init__(self, network: LstmNetwork, asked: QuantizationRecipe) -> None:
        """Copy a network.

        Args:
            network: gives plan, weights and scaling; it is not changed.
            asked: the precision and the form of the file.
        """
        weights = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
        plan = network.plan
        rounding = Rounding(asked, plan.every_step, row_factors(plan.network, weights, plan.every_step))
        super().__init__(plan, weights, kinds_of(rounding))
        self.load_state_dict(network.state_dict())


@dataclass(frozen=True)
class Rounding:
    """How the layers of a file round.

    Attributes:
        asked: the precision and the form of the file.
        every_step: the file is stepped.
        factors: float64 [R] by the name of a linear layer, the factors that export applies to its rows before rounding;
            without layers that it does not scale.
    """

    asked: QuantizationRecipe
    every_step: bool
    factors: dict[str, Tensor]

    def multiplied(self, a: Tensor, weight: Tensor, together: int) -> Tensor:
        """Multiply by a matrix outside the LSTM, a [B, ..., C] by weight.T [C, R], in the chosen precision."""
        if self.asked.head == "fp32":
            return F.linear(a, weight)
        if self.asked.precision == "int8":
            return self.product(a, weight, together)
        return F.linear(a, self.rounded(weight))

    def product(self, a: Tensor, weight: Tensor, together: int) -> Tensor:
        """Multiply a [B, ..., C] by weight.T [C, R] in integers, and scale back to float32.

        float32 adds integers exactly up to 2**24: a thousand inputs of the largest size.
        """
        (whole, scale), (shifted, a_scale) = self.whole(weight), self._whole_rows(a.detach(), together)
        exact = F.linear(shifted, whole) * (a_scale * scale)
        felt = F.linear(_felt(a, shifted * a_scale), _felt(weight, whole * scale[:, None]))
        return _felt(felt, exact)

    def rounded(self, weight: Tensor) -> Tensor:
        """Round a weight [R, C] to its value in the file."""
        whole, scale = self.whole(weight)
        return _felt(weight, whole * scale[:, None])

    def whole(self, weight: Tensor) -> Pair:
        """Quantize as export does: integers as float32 [R, C], and their scales [R]."""
        asked = self.asked
        rows = weight.detach().cpu().numpy()
        whole, scale = quantize_rows(rows, LEVELS[asked.precision], asked.per_channel, asked.clip)
        return torch.from_numpy(whole.astype(np.float32)).to(weight.device), torch.from_numpy(scale).to(weight.device)

    def _whole_rows(self, a: Tensor, together: int) -> Pair:
        """Quantize activations [B, ..., C] by their range in a call: a step of a carried file, else all steps."""
        if self.every_step:
            return whole_activations(a, (-1,))
        return _whole_together(a, together)


def kinds_of(rounding: Rounding) -> Kinds:
    """Give the table of how each kind of layer runs in the file: products are rounded, the rest is float."""
    lstm = _int8_lstm if rounding.asked.precision == "int8" else _int8w_lstm
    return {
        **IN_TORCH,
        Lstm: InTorch(partial(lstm, rounding), IN_TORCH[Lstm].make),
        Linear: InTorch(partial(_linear, rounding), IN_TORCH[Linear].make),
    }


def row_factors(network: Network, weights: Weights, carried: bool) -> dict[str, Tensor]:
    """Give the factors that export applies to the rows of linear layers when it folds the output scaling into them.

    Args:
        network: its layers.
        weights: gives the scaling constants.
        carried: the file is stepped.

    Returns:
        float64 [R] by the name of the layer: the result of folding ones, for layers that it changes.
    """
    names = [layer.name for layer in network.layers if isinstance(layer, Linear)]
    ones = {f"{name}.weight": np.ones_like(weights[f"{name}.weight"]) for name in names}
    found = folded(reordered(network, carried), {**weights, **ones})[1]
    factors = {name: found[f"{name}.weight"][:, 0].astype(np.float64) for name in names}
    return {name: torch.from_numpy(factor) for name, factor in factors.items() if (factor != 1).any()}


def _linear(rounding: Rounding, layer: Linear, linear: nn.Linear, flow: Flow) -> Flow:
    """Run a linear layer as the file does; steps after the length of a row do not widen the range."""
    a = flow.value if flow.value.ndim == 2 else without_padding(flow.value, flow.lengths)
    factor = rounding.factors.get(layer.name)
    with torch.autocast(a.device.type, enabled=False):  # bfloat16 would round sums of integers
        if factor is None:
            z = rounding.multiplied(a, linear.weight, flow.together)
        else:
            factor = factor.to(a.device)
            weight = (linear.weight * factor[:, None]).float()
            z = rounding.multiplied(a, weight, flow.together) / factor.float()
    return flow._replace(value=z + linear.bias if layer.bias else z)


def _int8w_lstm(rounding: Rounding, layer: Lstm, lstm: nn.LSTM, flow: Flow) -> Flow:
    """Run int8w: weights stored as integers, arithmetic in float32."""
    weights = {name: rounding.rounded(weight) for name, weight in lstm.named_parameters() if name.startswith("weight")}
    with torch.autocast(flow.value.device.type, enabled=False):
        return through(layer, partial(run_float, layer, lstm, weights), flow)


def _int8_lstm(rounding: Rounding, layer: Lstm, lstm: nn.LSTM, flow: Flow) -> Flow:
    """Run int8: one DynamicQuantizeLSTM per layer, with one range of x for both directions."""
    direction = partial(_int8_direction, rounding, layer, flow.together)

    def run(x: Tensor, lengths: Tensor | None, before: Pair | None) -> tuple[Tensor, Pair]:
        return by_layers(lstm, None, x, lengths, before, direction)

    with torch.autocast(flow.value.device.type, enabled=False):
        return through(layer, run, flow)


def _int8_direction(
    rounding: Rounding, layer: Lstm, together: int, x: Tensor, weights: Tensors, h: Tensor, c: Tensor
) -> tuple[Tensor, Pair]:
    projected = rounding.product(x, weights["weight_ih"], together) + bias_of(weights)
    w_hh = weights["weight_hh"]
    if layer.functions != TORCH:
        heard = partial(_heard, together)
        return steps(projected, {"weight_hh": rounding.rounded(w_hh)}, layer.functions, h, c, heard)
    out, c = _Recurrence.apply(projected, w_hh, *rounding.whole(w_hh), h, c, together)  # type: ignore[no-untyped-call]
    return out, (out[:, -1], c)


def _heard(together: int, h: Tensor) -> Tensor:
    """Round h before the recurrence."""
    whole, scale = _whole_together(h.detach(), together)
    return _felt(h, whole * scale)


def whole_activations(a: Tensor, over: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Quantize activations by their own range, which always includes 0.

    Source: onnxruntime, `GetQuantizationParameter` in core/util/qmath.h.

    Args:
        a: float32, any shape.
        over: the axes that share a range.

    Returns:
        Integers minus their zero point, -255..255, as float32; and their scale, with axes of size 1.

    Example:
        >>> whole_activations(torch.tensor([[0.0, 0.2, 1.0]]), (1,))
        (tensor([[  0.,  51., 255.]]), tensor([[0.0039]]))
    """
    low, high = a.amin(over, keepdim=True).clamp(max=0), a.amax(over, keepdim=True).clamp(min=0)
    scale = (high - low) / ACTIVATION_LEVELS
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zero = torch.round(-low / scale)
    return (torch.round(a / scale) + zero).clamp(0, ACTIVATION_LEVELS) - zero, scale


def _whole_together(a: Tensor, count: int) -> Pair:
    """Quantize [B, ..., C], `count` rows with one range: integers, and the scale of each row [B, 1, ...]."""
    whole, scale = whole_activations(a.reshape(-1, count, *a.shape[1:]), tuple(range(1, a.ndim + 1)))
    return whole.reshape(a.shape), scale.expand(-1, count, *scale.shape[2:]).reshape(-1, *scale.shape[2:])


def _felt(trained: Tensor, rounded: Tensor) -> Tensor:
    """Give the rounded value, and pass the gradient on to the trained one."""
    return trained + (rounded - trained).detach()


class _Recurrence(torch.autograd.Function):
    """The steps of one layer, with an explicit gradient: autograd over small nodes would take several times as long.

    One batch of 32 windows, 96 steps, H = 64, forward and backward on one thread: 28 ms; `nn.LSTM` takes 12.
    """

    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        weight: Tensor,
        whole: Tensor,
        scale: Tensor,
        h_before: Tensor,
        c_before: Tensor,
        together: int,
    ) -> Pair:
        """Run all steps.

        Args:
            ctx: keeps what `backward` needs.
            projected: float32 [B, T, 4H], what the input adds to the gates; PyTorch's order i f g o.
            weight: float32 [4H, H], of the recurrence; gets the gradient.
            whole: the same as integers [4H, H].
            scale: of its rows, [4H].
            h_before: h of the step before, [B, H]; gets no gradient.
            c_before: c of the step before, likewise.
            together: number of rows that share a range.

        Returns:
            h float32 [B, T, H], and c after the last step, [B, H].
        """
        batch, steps, size = projected.shape
        hidden = size // 4
        h, seen = projected.new_empty(steps, batch, hidden), projected.new_empty(steps, batch, hidden)
        c, gates = projected.new_empty(steps + 1, batch, hidden), projected.new_empty(steps, batch, size)
        c[0] = c_before
        shifted, h_scale = _whole_together(h_before, together)
        transposed = whole.T.contiguous()
        for t in range(steps):
            torch.mul(shifted, h_scale, out=seen[t])
            sums = torch.addcmul(projected[:, t], shifted @ transposed, h_scale * scale)
            torch.sigmoid(sums, out=gates[t])
            i, f, g, o = gates[t].chunk(4, 1)
            torch.tanh(sums[:, 2 * hidden : 3 * hidden], out=g)
            torch.addcmul(f * c[t], i, g, out=c[t + 1])
            torch.mul(o, torch.tanh(c[t + 1]), out=h[t])
            shifted, h_scale = _whole_together(h[t], together)
        ctx.save_for_backward(seen, c, gates, whole * scale[:, None])
        last = c[-1].clone()
        ctx.mark_non_differentiable(last)
        return h.transpose(0, 1), last

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Backpropagate through time like an ordinary LSTM with the rounded weights and states."""
        seen, c, gates, weight = ctx.saved_tensors
        outer = gradients[0].transpose(0, 1)
        i, f, g, o = gates.chunk(4, 2)
        tanh_c = torch.tanh(c[1:])
        to_c = o * (1 - tanh_c * tanh_c)
        # Derivative of c (for o: of h) by the sum before each gate, for all steps at once; multiplied by dc, dh below.
        sums = torch.cat([g * i * (1 - i), c[:-1] * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o)], 2)
        dh, dc = torch.zeros_like(c[0]), torch.zeros_like(c[0])
        for t in reversed(range(len(gates))):
            dh = dh + outer[t]
            dc = torch.addcmul(dc, dh, to_c[t])
            sums[t] *= torch.cat([dc, dc, dc, dh], 1)
            dh, dc = sums[t] @ weight, dc * f[t]
        recurrence = sums.flatten(0, 1).T @ seen.flatten(0, 1)
        return sums.transpose(0, 1), recurrence, None, None, None, None, None
