"""Origins: of values whose changes float32 cannot tell apart, what is taken off before they become float32.

1e9 + sin(t) has one sample in 64 in float32: its neighbours lie 64 apart. Taken off in float64, an origin of 1e9 leaves
sin(t) to the network, and is added to its answers. Everything between, windows, weights, golden vectors and the graph,
is in values minus the origin; what people see is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.series import Series

# A channel gets an origin where float32 rounds by more than this share of how much it changes from sample to sample:
# a forecast that is off by one such change would be 1e-4 worse in its squared error, which is seen in no figure here.
# Data of no shipped model is near: the closest, cmapss' fan speed of 2388.1 +- 0.07, has 7e-4.
ROUNDING = 0.01
# It must then lie close together against its level: else an origin wins nothing.
CLOSER = 16.0
# What varies by less than this share of its level is constant, but for the rounding of the float64 it came in: 2^-52.
CONSTANT = 2.0**-40


def origin_of(stretches: Sequence[NDArray[np.float64]]) -> float:
    """Choose the origin of a channel by its training samples: 0 where float32 holds them well enough.

    Args:
        stretches: float64 [N] each, of one channel, NaN where missing; a stretch for each series.

    Returns:
        A number of few digits near the mean, or 0.

    Example:
        >>> wave = np.sin(np.arange(1000) / 8)
        >>> origin_of([wave]), origin_of([1013 + wave]), origin_of([1e9 + wave])
        (0.0, 0.0, 1000000000.0)
    """
    known = np.concatenate([values[np.isfinite(values)] for values in stretches])
    if known.size == 0:
        return 0.0
    low, high = float(known.min()), float(known.max())
    level = max(abs(low), abs(high))
    if level > np.finfo(np.float32).max or high - low <= CONSTANT * level:
        return 0.0
    rounding = float(np.spacing(np.float32(level))) / math.sqrt(12)
    if rounding <= ROUNDING * _change(stretches) or (high - low) * CLOSER > level:
        return 0.0
    return _round_number((low + high) / 2, high - low)


def _change(stretches: Sequence[NDArray[np.float64]]) -> float:
    """How much a channel changes from one sample to the next, in the root of the mean square."""
    steps = np.concatenate([np.diff(values) for values in stretches])
    steps = steps[np.isfinite(steps)]
    return float(np.sqrt(np.mean(np.square(steps)))) if steps.size else np.inf


def _round_number(middle: float, span: float) -> float:
    """A number of few digits that is not further from the middle than half of what the values span."""
    return float(round(middle, -math.floor(math.log10(span))))


def find_origins(training: Sequence[Series], names: tuple[str, ...]) -> dict[str, float]:
    """Choose the origins of channels by what is learned from, the same for all series; those that are not 0, by name.

    Args:
        training: the training rows of each series.
        names: of the channels.
    """
    found = {name: origin_of([one.columns((name,))[:, 0] for one in training]) for name in dict.fromkeys(names)}
    return {name: origin for name, origin in found.items() if origin}


def like_channels(series: Series, channels: Sequence[Channel]) -> Series:
    """Give a series the origins of a contract's channels."""
    origins = {channel.source: channel.origin for channel in channels if channel.origin}
    return replace(series, origins=origins) if origins else series
