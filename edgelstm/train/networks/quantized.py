"""The network as its int8 file computes, in torch: what a training must feel to adapt to it.

Forward, every rounding of the file happens: weights by `edgelstm.quantization`, as export writes them, and for int8
the activations as onnxruntime ranges them where edgelstm runs it. A window is run one row at a time, with one thread
and without its padding: what goes into a layer is ranged once over the row, h of each direction anew at every step;
channels that share one network are rows of one call and share these ranges. A carried file is stepped: everything is
ranged at every step. Backward, a rounding counts as the identity (straight-through: Bengio et al. 2013, arXiv
1308.3432).

Notation: B batch, T steps, C channels, H hidden size, D directions, L layers, K horizon, O outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from edgelstm.data.scaling import Scaling
from edgelstm.quantization import LEVELS, quantize_rows
from edgelstm.recipe.sections import QuantizationRecipe
from edgelstm.train.networks.network import Answer, LstmNetwork, State

ACTIVATION_LEVELS = 255  # uint8
_CONSTANTS = ("input_offset", "input_factor", "output_scale", "output_offset")

Pair = tuple[Tensor, Tensor]


class QuantizedNetwork(LstmNetwork):
    """A copy of a network that answers as its int8 or int8w file does, and can be trained.

    Example:
        >>> one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
        >>> from edgelstm.train.networks.shape import NetworkShape
        >>> network = LstmNetwork(NetworkShape(1, 8, 1, 3, 1), Scaling("none", zero, one, one, zero, ()))
        >>> QuantizedNetwork(network, QuantizationRecipe())(torch.zeros(2, 5, 1)).shape
        torch.Size([2, 3, 1])
    """

    def __init__(self, network: LstmNetwork, asked: QuantizationRecipe) -> None:
        """Copy a network.

        Args:
            network: gives sizes, weights and scaling; stays as it is.
            asked: the precision and the form of the file.
        """
        offset, factor, scale, back = (getattr(network, name).cpu().numpy() for name in _CONSTANTS)
        kind, relative = "instance" if network.instance else "", network.shape.relative_inputs
        super().__init__(network.shape, Scaling(kind, offset, factor, scale, back, relative))
        self.load_state_dict(network.state_dict())
        self._asked = asked
        self._together = network.shape.input_size if network.shape.shared else 1  # rows of one call

    def run(
        self, x: Tensor, lengths: Tensor | None = None, time_s: Tensor | None = None, state: State | None = None
    ) -> Answer:
        """Answer in scaled units, see `LstmNetwork.run`; always in float32, which holds the whole numbers exactly."""
        with torch.autocast(x.device.type, enabled=False):
            return super().run(x, lengths, time_s, state)

    def run_lstm(self, name: str, x: Tensor, lengths: Tensor | None, before: Pair | None) -> tuple[Tensor, Pair]:
        """Run one LSTM as the file does: float32 [B, T, C] to [B, T, D * H], and its h and c [D * L, B, H]."""
        if self._asked.precision == "int8":
            return self._whole_lstm(getattr(self, name), x, lengths, before)
        return super().run_lstm(name, x, lengths, before)

    def call_lstm(self, name: str, x: Any, before: Pair | None) -> Any:
        """int8w: weights stored in whole numbers, arithmetic in float32."""
        lstm: nn.LSTM = getattr(self, name)
        names = [parameter for parameter, _ in lstm.named_parameters() if parameter.startswith("weight")]
        rounded = {parameter: self._rounded(getattr(lstm, parameter)) for parameter in names}
        return functional_call(lstm, rounded, (x, before))

    def run_linear(self, name: str, h: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Run a linear layer that is not the head as the file does."""
        layer: nn.Linear = getattr(self, name)
        return self._multiplied(_without_padding(h, lengths), layer.weight) + layer.bias

    def run_head(self, h: Tensor) -> Tensor:
        """Answer in scaled units: float32 [..., H] to [..., numbers of the head].

        The file's head goes on to physical units where it can, so it is those weights that are rounded.
        """
        factor = self._folded_scale()
        weight = (self.head.weight.double() * factor[:, None]).float()
        return self._multiplied(h, weight) / factor + self.head.bias

    def _folded_scale(self) -> Tensor:
        """What export multiplies each row of the head by: `edgelstm.export.plan.folded`."""
        shape, scale, offset = self.shape, self.output_scale, self.output_offset
        alike = bool((scale == scale[0]).all() and (offset == offset[0]).all())
        if shape.classes or (shape.shared and not alike):
            return torch.ones_like(self.head.bias)
        if shape.shared:
            return scale[:1].expand(shape.head_output)
        return scale.expand(shape.output_size).repeat(shape.horizon)

    def _whole_lstm(self, lstm: nn.LSTM, x: Tensor, lengths: Tensor | None, before: Pair | None) -> tuple[Tensor, Pair]:
        """int8: one DynamicQuantizeLSTM for each layer, which ranges x once for both directions."""
        zero = x.new_zeros(lstm.num_layers * (1 + lstm.bidirectional), len(x), lstm.hidden_size)
        starts = [zero, zero] if before is None else before
        states: list[Pair] = []
        for layer in range(lstm.num_layers):
            x, found = _without_padding(x, lengths), []
            for suffix in ("", "_reverse") if lstm.bidirectional else ("",):
                names = (f"{part}_l{layer}{suffix}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
                w_ih, w_hh, b_ih, b_hh = (getattr(lstm, name) for name in names)
                projected = self._product(_reversed(x, lengths) if suffix else x, w_ih) + (b_ih + b_hh)
                start = [part[len(states)] for part in starts]
                h, c = _Recurrence.apply(projected, w_hh, *self._whole(w_hh), *start, self._together)  # type: ignore[no-untyped-call]
                states.append((h[:, -1], c))
                found.append(_reversed(h, lengths) if suffix else h)
            x = torch.cat(found, -1)
            if layer + 1 < lstm.num_layers:
                x = F.dropout(x, lstm.dropout, self.training)
        return x, (torch.stack([h for h, _ in states]), torch.stack([c for _, c in states]))

    def _multiplied(self, a: Tensor, weight: Tensor) -> Tensor:
        """Multiply by a matrix beside the LSTM, a [..., C] by weight.T [C, R], as was asked."""
        if self._asked.head == "fp32":
            return F.linear(a, weight)
        return self._product(a, weight) if self._asked.precision == "int8" else F.linear(a, self._rounded(weight))

    def _product(self, a: Tensor, weight: Tensor) -> Tensor:
        """Multiply a [B, ..., C] by weight.T [C, R] in whole numbers, and scale back to float32.

        float32 adds whole numbers exactly up to 2**24: a thousand inputs at their largest.
        """
        (whole, scale), (shifted, a_scale) = self._whole(weight), self._whole_rows(a.detach())
        exact = F.linear(shifted, whole) * (a_scale * scale)
        felt = F.linear(_felt(a, shifted * a_scale), _felt(weight, whole * scale[:, None]))
        return _felt(felt, exact)

    def _whole_rows(self, a: Tensor) -> Pair:
        """Range activations [B, ..., C] over a call: a step of a carried file, else all steps of the rows together."""
        if self.shape.every_step:
            return whole_activations(a, (-1,))
        return _whole_together(a, self._together)

    def _rounded(self, weight: Tensor) -> Tensor:
        whole, scale = self._whole(weight)
        return _felt(weight, whole * scale[:, None])

    def _whole(self, weight: Tensor) -> Pair:
        """Quantize as export does: whole numbers float32 [R, C] and their scales [R]."""
        asked = self._asked
        rows = weight.detach().cpu().numpy()
        whole, scale = quantize_rows(rows, LEVELS[asked.precision], asked.per_channel, asked.clip)
        return torch.from_numpy(whole.astype(np.float32)).to(weight.device), torch.from_numpy(scale).to(weight.device)


def whole_activations(a: Tensor, over: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Quantize activations from their own range, which always holds 0.

    Source: onnxruntime, `GetQuantizationParameter` in core/util/qmath.h.

    Args:
        a: float32, any shape.
        over: the axes that share a range.

    Returns:
        Whole numbers less their zero point, -255..255, as float32; and their scale, with axes of size 1.

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
    """Quantize [B, ..., C], `count` rows with one range: whole numbers, and the scale of each row [B, 1, ...]."""
    whole, scale = whole_activations(a.reshape(-1, count, *a.shape[1:]), tuple(range(1, a.ndim + 1)))
    return whole.reshape(a.shape), scale.expand(-1, count, *scale.shape[2:]).reshape(-1, *scale.shape[2:])


def _without_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Put zeros behind the length of each row, which no range widens for: float32 [B, T, C]."""
    if lengths is None:
        return x
    return x * (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None]


def _reversed(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Put the valid steps of each row in reverse order; the others stay behind them: float32 [B, T, C]."""
    if lengths is None:
        return x.flip(1)
    steps, ends = torch.arange(x.shape[1], device=x.device), lengths[:, None]
    places = torch.where(steps < ends, ends - 1 - steps, steps)
    return x.gather(1, places[..., None].expand_as(x))


def _felt(trained: Tensor, rounded: Tensor) -> Tensor:
    """Give the rounded value, and let the gradient through to the trained one."""
    return trained + (rounded - trained).detach()


class _Recurrence(torch.autograd.Function):
    """The steps of one layer, with a gradient written out: a graph of small nodes would cost several times as much.

    One batch of 32 windows, 96 steps, H = 64, forward and back on one thread: 28 ms, where `nn.LSTM` takes 12.
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
            weight: float32 [4H, H], of the recurrence; takes the gradient.
            whole: the same as whole numbers [4H, H].
            scale: of its rows, [4H].
            h_before: h of the step before, [B, H]; takes no gradient.
            c_before: c of the step before, likewise.
            together: so many rows share a range.

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
        """Go back through time as an ordinary LSTM does whose weights and states are the rounded ones."""
        seen, c, gates, weight = ctx.saved_tensors
        outer = gradients[0].transpose(0, 1)
        i, f, g, o = gates.chunk(4, 2)
        tanh_c = torch.tanh(c[1:])
        to_c = o * (1 - tanh_c * tanh_c)
        # What a sum in front of a gate moves c (of o: h) by, for all steps at once; times dc and dh below.
        sums = torch.cat([g * i * (1 - i), c[:-1] * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o)], 2)
        dh, dc = torch.zeros_like(c[0]), torch.zeros_like(c[0])
        for t in reversed(range(len(gates))):
            dh = dh + outer[t]
            dc = torch.addcmul(dc, dh, to_c[t])
            sums[t] *= torch.cat([dc, dc, dc, dh], 1)
            dh, dc = sums[t] @ weight, dc * f[t]
        recurrence = sums.flatten(0, 1).T @ seen.flatten(0, 1)
        return sums.transpose(0, 1), recurrence, None, None, None, None, None
