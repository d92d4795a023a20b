"""Lines in the scaled space of a network, where they are added to the output of its LSTM.

Notation: T steps, F inputs, K horizon, O targets; a window has T F numbers, an answer K O.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.data.baselines.linear import Linear
from edgelstm.data.scaling import Scaling
from edgelstm.network import INSTANCE_EPSILON


@dataclass(frozen=True)
class ScaledLine:
    """A line from scaled windows to scaled answers.

    Attributes:
        weight: float64 [K O, T F]: column t * F + f is input f of sample t, row k * O + o target o at step k. For
            channels that share one network, [K, T].
        bias: float64 [K O], or [K].
    """

    weight: Array64
    bias: Array64


@dataclass(frozen=True)
class Space:
    """The scaled space of a network, as its own layers compute it.

    Attributes:
        scaling: the constants, with one output for each target.
        shared: the channels share one network.
    """

    scaling: Scaling
    shared: bool

    def answers(self, line: ScaledLine, x: NDArray[np.floating], horizon: int) -> Array64:
        """Answer windows [n, T, F] in physical units: float64 [n, K, O]."""
        scaled, scale, base = self.frame(x)
        if self.shared:
            z = (scaled.transpose(0, 2, 1) @ line.weight.T + line.bias).transpose(0, 2, 1)
        else:
            z = (scaled.reshape(len(x), -1) @ line.weight.T + line.bias).reshape(len(x), horizon, -1)
        return z * scale + base

    def frame(self, x: NDArray[np.floating]) -> tuple[Array64, Array64, Array64]:
        """Scale windows [n, T, F]; give also scale and base [n or 1, 1, O], which lead back to physical units."""
        constants, own = self.scaling, list(self.scaling.relative_inputs)
        wide: Array64 = x.astype(np.float64)
        offset, factor = constants.input_offset.astype(np.float64), constants.input_factor.astype(np.float64)
        scale, base = constants.output_scale.astype(np.float64), constants.output_offset.astype(np.float64)
        if not own:
            return (wide - offset) * factor, scale[np.newaxis, np.newaxis], base[np.newaxis, np.newaxis]
        centred = np.isin(np.arange(wide.shape[-1]), own)
        centre = wide[:, -1:] if constants.kind == "relative" else wide.mean(axis=1, keepdims=True)
        scaled, spread = (wide - centre * centred - offset) * factor, np.ones_like(centre)
        if constants.kind == "instance":
            spread = np.where(centred, np.sqrt((scaled**2).mean(axis=1, keepdims=True) + INSTANCE_EPSILON), 1.0)
        return scaled / spread, scale * spread[..., own], centre[..., own]


def in_scaled_space(line: Linear, space: Space) -> ScaledLine:
    """Convert a line exactly to the weights of a layer from scaled windows to scaled answers.

    Args:
        line: with instance scaling, a line from the target's own past alone, without a bias; see `OwnRidge`.
        space: of a network whose channels are not shared.
    """
    scaling, weight = space.scaling, line.weight.copy()
    relative = sorted(set(line.own))
    weight[:, :, -1, relative] -= line.weight[..., relative].sum(axis=2)
    for target, channel in enumerate(line.own):
        weight[:, target, -1, channel] += 1
    scale = scaling.output_scale.astype(np.float64)[:, np.newaxis]
    level = (weight * scaling.input_offset.astype(np.float64)).sum(axis=(2, 3))
    bias = (line.bias + level - scaling.output_offset.astype(np.float64)) / scale[:, 0]
    weight = weight / scaling.input_factor.astype(np.float64) / scale[..., np.newaxis]
    if scaling.kind == "relative":
        weight[:, :, -1, relative] = 0.0  # the scaled last value is always 0
    return ScaledLine(weight.reshape(bias.size, -1), bias.reshape(-1))


def shared_in_scaled_space(weight: Array64, space: Space) -> ScaledLine:
    """Convert a line that all channels share, from the past of each, to the weights of a shared network.

    Args:
        weight: float64 [K, T], from differences to the last value, in the units of each channel.
        space: its channels scale inputs and answers by slightly different ratios; their mean is used.
    """
    weight = weight.copy()
    if space.scaling.kind != "relative":
        weight[:, -1] += 1 - weight.sum(axis=1)
    ratio = 1 / (space.scaling.input_factor.astype(np.float64) * space.scaling.output_scale.astype(np.float64))
    return ScaledLine(weight * ratio.mean(), np.zeros(len(weight)))
