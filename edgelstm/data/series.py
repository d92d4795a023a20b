"""A series: equally spaced samples of one or more channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import QUANTILE_LEVELS, Statistics
from edgelstm.reading import Rhythm


@dataclass(frozen=True)
class Series:
    """Samples in a rhythm: one row for each sample time, NaN where the table had none.

    Attributes:
        names: of the channels.
        values: float64 [N, C] in physical units, NaN where a sample is missing.
        time: datetime64[us] [N], UTC; None for a table without a time column.
        period_s: seconds between two samples; None without time.
        sha256: of the file or files it was read from; None for arrays.
        name: of the series, where there are many.
        labels: the class of each sample as it is written, N texts, empty where unknown; None without classes.
        rhythm: the spacing of the samples; None without time.
        origins: what is subtracted from a channel before it becomes float32, by name; see `edgelstm.data.origins`.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    time: NDArray[np.datetime64] | None
    period_s: float | None
    sha256: str | None
    name: str = ""
    labels: tuple[str, ...] | None = None
    rhythm: Rhythm | None = None
    origins: Mapping[str, float] = field(default_factory=dict)

    def columns(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Take some channels, in that order: float64 [N, len(names)]."""
        return self.values[:, [self.names.index(name) for name in names]]


class Stretch(NamedTuple):
    """The rows of a series from `start` to `end`; the rows before them serve to fill its gaps."""

    series: Series
    start: int
    end: int

    def columns(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Take some channels of these rows: float64 [end - start, len(names)]."""
        return self.series.columns(names)[self.start : self.end]


def statistics(values: NDArray[np.floating]) -> Statistics | None:
    """Describe the samples [N] of a channel, without the missing ones; None if all are missing."""
    known = np.asarray(values[np.isfinite(values)], np.float64)
    if known.size == 0:
        return None
    quantiles = tuple(float(q) for q in np.quantile(known, QUANTILE_LEVELS))
    return Statistics(float(known.mean()), float(known.std()), float(known.min()), float(known.max()), quantiles)
