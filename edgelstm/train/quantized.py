"""The network as its int8 file computes, in torch: what a training must feel to adapt to it.

Forward, every rounding of the file happens: weights by `edgelstm.quantization`, as export writes them, and for int8
the activations as onnxruntime ranges them where edgelstm runs it. A window is run one row at a time: x is ranged once
over the row, h anew at every step. A carried file is stepped: everything is ranged at every step. Backward, a rounding
counts as the identity (straight-through: Bengio et al. 2013, arXiv 1308.3432).

Notation: B batch, T steps, F input channels, H hidden size, K horizon, O outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from edgelstm.data.scaling import Scaling
from edgelstm.quantization import LEVELS, quantize_rows
from edgelstm.train.network import ForecastNetwork
from edgelstm.train.recipe import QuantizationRecipe

ACTIVATION_LEVELS = 255  # uint8
_CONSTANTS = ("input_offset", "input_factor", "output_scale", "output_offset")


class QuantizedNetwork(ForecastNetwork):
    """A copy of a network that answers as its int8 or int8w file does, and can be trained.

    Example:
        >>> one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
        >>> from edgelstm.train.network import NetworkShape
        >>> network = ForecastNetwork(NetworkShape(1, 8, 1, 3, 1, ()), Scaling("none", zero, one, one, zero, ()))
        >>> QuantizedNetwork(network, QuantizationRecipe())(torch.zeros(2, 5, 1)).shape
        torch.Size([2, 3, 1])
    """

    def __init__(self, network: ForecastNetwork, asked: QuantizationRecipe) -> None:
        """Copy a network.

        Args:
            network: gives sizes, weights and scaling; stays as it is.
            asked: the precision and the form of the file.
        """
        shape = network.shape
        offset, factor, scale, back = (getattr(network, name).cpu().numpy() for name in _CONSTANTS)
        scaling = Scaling("", offset, factor, scale, back, shape.relative_inputs)
        super().__init__(shape, scaling, network.dropout.p, network.every_step)
        self.load_state_dict(network.state_dict())
        self._asked = asked

    def run_lstm(self, x: Tensor) -> Tensor:
        """Run the stack as the file does: float32 [B, T, F] to [B, T, H]."""
        return self._whole_lstm(x) if self._asked.precision == "int8" else self._float_lstm(x)

    def run_head(self, h: Tensor) -> Tensor:
        """Answer in scaled units: float32 [..., H] to [..., K * O].

        The file's head goes on to physical units, so it is those weights that are rounded.
        """
        if self._asked.head == "fp32":
            return super().run_head(h)
        factor = self.output_scale.expand(self.shape.output_size).repeat(self.shape.horizon)
        weight = (self.head.weight.double() * factor[:, None]).float()
        if self._asked.precision == "int8":
            return self._product(h, weight) / factor + self.head.bias
        return F.linear(h, self._rounded(weight)) / factor + self.head.bias

    def _float_lstm(self, x: Tensor) -> Tensor:
        """int8w: weights stored in whole numbers, arithmetic in float32."""
        names = [name for name, _ in self.lstm.named_parameters() if name.startswith("weight")]
        rounded = {name: self._rounded(getattr(self.lstm, name)) for name in names}
        h: Tensor = functional_call(self.lstm, rounded, (x,))[0]
        return h

    def _whole_lstm(self, x: Tensor) -> Tensor:
        """int8: one DynamicQuantizeLSTM for each layer."""
        for layer in range(self.shape.num_layers):
            names = (f"{part}_l{layer}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            w_ih, w_hh, b_ih, b_hh = (getattr(self.lstm, name) for name in names)
            projected = self._product(x, w_ih) + (b_ih + b_hh)
            x = _Recurrence.apply(projected, w_hh, *self._whole(w_hh))  # type: ignore[no-untyped-call]
            if layer + 1 < self.shape.num_layers:
                x = F.dropout(x, self.lstm.dropout, self.training)
        return x

    def _product(self, a: Tensor, weight: Tensor) -> Tensor:
        """Multiply a [B, ..., C] by weight.T [C, R] in whole numbers, and scale back to float32.

        float32 adds whole numbers exactly up to 2**24: a thousand inputs at their largest.
        """
        over = (-1,) if self.every_step else tuple(range(1, a.ndim))
        (whole, scale), (shifted, a_scale) = self._whole(weight), whole_activations(a.detach(), over)
        exact = F.linear(shifted, whole) * (a_scale * scale)
        felt = F.linear(_felt(a, shifted * a_scale), _felt(weight, whole * scale[:, None]))
        return _felt(felt, exact)

    def _rounded(self, weight: Tensor) -> Tensor:
        whole, scale = self._whole(weight)
        return _felt(weight, whole * scale[:, None])

    def _whole(self, weight: Tensor) -> tuple[Tensor, Tensor]:
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


def _felt(trained: Tensor, rounded: Tensor) -> Tensor:
    """Give the rounded value, and let the gradient through to the trained one."""
    return trained + (rounded - trained).detach()


class _Recurrence(torch.autograd.Function):
    """The steps of one layer, with a gradient written out: a graph of small nodes would cost several times as much.

    One batch of 32 windows, 96 steps, H = 64, forward and back on one thread: 28 ms, where `nn.LSTM` takes 12.
    """

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, whole: Tensor, scale: Tensor) -> Tensor:
        """Run from a zero state.

        Args:
            ctx: keeps what `backward` needs.
            projected: float32 [B, T, 4H], what the input adds to the gates; PyTorch's order i f g o.
            weight: float32 [4H, H], of the recurrence; takes the gradient.
            whole: the same as whole numbers [4H, H].
            scale: of its rows, [4H].

        Returns:
            float32 [B, T, H].
        """
        batch, steps, size = projected.shape
        hidden = size // 4
        h, seen = projected.new_empty(steps, batch, hidden), projected.new_empty(steps, batch, hidden)
        c, gates = projected.new_zeros(steps + 1, batch, hidden), projected.new_empty(steps, batch, size)
        shifted, h_scale = torch.zeros_like(c[0]), projected.new_ones(batch, 1)
        transposed = whole.T.contiguous()
        for t in range(steps):
            torch.mul(shifted, h_scale, out=seen[t])
            sums = torch.addcmul(projected[:, t], shifted @ transposed, h_scale * scale)
            torch.sigmoid(sums, out=gates[t])
            i, f, g, o = gates[t].chunk(4, 1)
            torch.tanh(sums[:, 2 * hidden : 3 * hidden], out=g)
            torch.addcmul(f * c[t], i, g, out=c[t + 1])
            torch.mul(o, torch.tanh(c[t + 1]), out=h[t])
            shifted, h_scale = whole_activations(h[t], (1,))
        ctx.save_for_backward(seen, c, gates, whole * scale[:, None])
        return h.transpose(0, 1)

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
        return sums.transpose(0, 1), recurrence, None, None
