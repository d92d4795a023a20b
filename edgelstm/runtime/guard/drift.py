"""Measure how far the samples of a device have drifted from training: the population stability index."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import QUANTILE_LEVELS, Channel
from edgelstm.errors import InputError
from edgelstm.runtime.samples import as_float32, from_origins

THRESHOLD = 0.25
# An empty bin counts as this share, because log(0) is undefined. A convention, like the thresholds.
FLOOR = 1e-4

_LEVELS = np.array(QUANTILE_LEVELS)
_EXPECTED = _LEVELS[1:] - _LEVELS[:-1]


class Drift(NamedTuple):
    """How far a window of samples is from the training part.

    Attributes:
        psi: the population stability index by channel. By convention, below 0.1 is a negligible change, 0.25 and more a
            large one. None if unknown: no training statistics, or fewer than half of the window's values were measured.
        measured: how many values of the window the index uses, by channel.
        threshold: the index from which a channel counts as drifted.
    """

    psi: dict[str, float | None]
    measured: dict[str, int]
    threshold: float

    @property
    def drifted(self) -> tuple[str, ...]:
        """The channels whose index has reached the threshold."""
        return tuple(name for name, psi in self.psi.items() if psi is not None and psi >= self.threshold)


def measure_drift(samples: Any, channels: tuple[Channel, ...], threshold: float = THRESHOLD) -> Drift:
    """Compare a window of samples with the training quantiles, channel by channel.

    The eleven quantiles make ten bins that held a tenth of the training each; the outer two are open. The index is the
    sum over the bins of (share - 0.1) ln(share / 0.1): Siddiqi, Credit Risk Scorecards (2006), there with the
    thresholds 0.1 and 0.25. Many samples may equal one quantile (a valve that is mostly shut, a constant); they are
    divided between the bins on both sides, as close to the training shares as possible.

    Without any change the index is about 9 / n for n independent samples (Yurdakul, Statistical Properties of
    Population Stability Index, 2018): 0.009 at 1,000, but 0.09 at 100. A series is not independent: a window that
    holds one night of a network that was trained on years differs from those years, and the index says so. Take a
    window over whole cycles.

    Args:
        samples: [N, F] numbers, in the physical units of `channels`; NaN and infinity are ignored.
        channels: `contract.inputs`.
        threshold: the index from which a channel counts as drifted.

    Raises:
        InputError: not numbers, or another number of channels.

    Example:
        >>> import numpy as np
        >>> from edgelstm import load
        >>> inputs = load("models/co2/co2.fp32.onnx").contract.inputs
        >>> measure_drift(np.linspace(420, 430, 1000)[:, np.newaxis], inputs).drifted
        ('co2',)
    """
    rows, channels = as_float32(from_origins(samples, channels)), tuple(channel.bare for channel in channels)
    if rows.ndim != 2 or rows.shape[1] != len(channels) or any(channel.dtype != "float32" for channel in channels):
        raise InputError(f"drift: expected samples [N, {len(channels)}] of measurements, got shape {rows.shape}")
    columns = rows.T.copy()
    finite = np.isfinite(columns)
    known = finite.sum(axis=1).tolist()
    columns[~finite] = np.nan
    columns.sort(axis=1)  # NaN goes to the end
    psi: dict[str, float | None] = {channel.name: None for channel in channels}
    shares = {
        channel.name: _shares_up_to(column[:count], channel.statistics.quantiles)
        for channel, column, count in zip(channels, columns, known, strict=True)
        if channel.statistics is not None and count and 2 * count >= len(rows)
    }
    if shares:
        psi.update(zip(shares, _stability_indices(np.array(list(shares.values()))), strict=True))
    names = [channel.name for channel in channels]
    return Drift(psi, dict(zip(names, known, strict=True)), threshold)


def _shares_up_to(ordered: NDArray[np.float32], quantiles: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the shares of one channel's sorted values below each inner edge, and up to it: [2, 9]."""
    edges = np.array(quantiles[1:-1], np.float32)
    return np.array([ordered.searchsorted(edges, "left"), ordered.searchsorted(edges, "right")]) / len(ordered)


def _stability_indices(shares: NDArray[np.float64]) -> list[float]:
    """Compute the index of each channel from the results of `_shares_up_to`, [N, 2, 9]."""
    up_to = np.tile(_LEVELS, (len(shares), 1))
    up_to[:, 1:-1] = up_to[:, 1:-1].clip(shares[:, 0], shares[:, 1])
    share = np.maximum(up_to[:, 1:] - up_to[:, :-1], FLOOR)
    indices: list[float] = ((share - _EXPECTED) * np.log(share / _EXPECTED)).sum(axis=1).tolist()
    return indices
