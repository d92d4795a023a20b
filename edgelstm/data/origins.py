"""Origins: what is subtracted from values whose changes are too small for float32, before they become float32.

Around 1e9, neighbouring float32 numbers are 64 apart, too coarse for 1e9 + sin(t). An origin of 1e9, subtracted in
float64, leaves sin(t) to the network and is added to its answers. Windows, weights, golden vectors and the graph are in
values minus the origin; what people see is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.series import Series

# A channel gets an origin if float32 rounds by more than this share of its change from sample to sample: the squared
# error of a forecast that is off by one such change would be 1e-4 larger, which no figure here shows.
# No shipped model comes near this: the closest, cmapss' fan speed of 2388.1 +- 0.07, has 7e-4.
ROUNDING = 0.01
# Its level must also be this many times its range: otherwise an origin gains nothing.
CLOSER = 16.0
# A channel that varies by less than this share of its level is constant, but for the rounding of float64, 2^-52.
CONSTANT = 2.0**-40


def origin_of(stretches: Sequence[NDArray[np.float64]]) -> float:
    """Choose the origin of a channel from its training samples: 0 if float32 is precise enough for them.

    Args:
        stretches: float64 [N] each, of one channel, NaN where missing; one for each series.

    Returns:
        A number of few digits near the middle of the values, or 0.

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
    """Give the root mean square change of a channel from one sample to the next."""
    steps = np.concatenate([np.diff(values) for values in stretches])
    steps = steps[np.isfinite(steps)]
    return float(np.sqrt(np.mean(np.square(steps)))) if steps.size else np.inf


def _round_number(middle: float, span: float) -> float:
    """Give a number of few digits, at most half the span of the values away from their middle."""
    return float(round(middle, -math.floor(math.log10(span))))


def find_origins(training: Sequence[Series], names: tuple[str, ...]) -> dict[str, float]:
    """Choose the origins of channels from the training rows, the same for all series: those that are not 0, by name.

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
