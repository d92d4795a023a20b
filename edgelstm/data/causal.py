"""Fill gaps as a device must: from the samples up to now, never from later ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.rows import filled_rows
from edgelstm.data.series import Series

FILLING = ("interpolate", "forward")


class Filling(NamedTuple):
    """How gaps are filled.

    Attributes:
        policy: one of `edgelstm.reading.GAPS`.
        max_gap: the longest gap to fill, in samples; None: no limit.
        categories: the channels that are 1 or 0 for one word of a text column.
    """

    policy: str
    max_gap: int | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Causal:
    """A series whose gaps are filled for a forecast from any of its rows, using the rows up to that row alone.

    A gap that has ended is filled by the policy; one that is still open at the row repeats the last value, because
    the next value is not known yet.

    Attributes:
        values: float64 [N, F] as they were read.
        whole: float64 [N, F] filled by the policy from all rows.
        runs: int64 [N, F], the number of consecutive missing samples up to this one.
        max_gap: as in `Filling`.
        fills: whether the policy fills gaps at all.
    """

    values: NDArray[np.float64]
    whole: NDArray[np.float64]
    runs: NDArray[np.int64]
    max_gap: int | None
    fills: bool

    def up_to(self, row: int, steps: int) -> NDArray[np.float64]:
        """Give the last steps up to a row, float64 [steps, F] or fewer; NaN where a gap could not be filled.

        Example:
            >>> series = Series(("heat",), np.array([[1.0], [np.nan], [3.0]]), None, None, None)
            >>> filled = causal(series, Filling("interpolate"))
            >>> filled.up_to(1, 2).ravel().tolist(), filled.up_to(2, 2).ravel().tolist()
            ([1.0, 1.0], [2.0, 3.0])
        """
        first = max(row + 1 - steps, 0)
        rows = self.whole[first : row + 1]
        still_open = np.flatnonzero(self.runs[row])
        if not self.fills or not len(still_open):
            return rows
        rows = rows.copy()
        for column in still_open:
            run = int(self.runs[row, column])
            begin, fits = row + 1 - run, self.max_gap is None or run <= self.max_gap
            rows[max(begin - first, 0) :, column] = self.values[begin - 1, column] if begin and fits else np.nan
        return rows


def causal(series: Series, filling: Filling) -> Causal:
    """Fill the gaps of a series for forecasts from any of its rows."""
    fills = filling.policy in FILLING
    policy = filling.policy if fills else "drop"
    whole = filled_rows(series, series.names, len(series.values), policy, filling.max_gap, filling.categories)
    return Causal(series.values, whole, _runs(np.isnan(series.values)), filling.max_gap, fills)


def whole_stretches(rows: NDArray[np.floating]) -> list[tuple[int, int]]:
    """List the stretches of rows without a missing sample: the first row of each, and the row after its last.

    Example:
        >>> whole_stretches(np.array([[1.0], [np.nan], [3.0], [4.0]]))
        [(0, 1), (2, 4)]
    """
    good = np.concatenate([[False], ~np.isnan(rows).any(axis=1), [False]])
    edges = np.flatnonzero(np.diff(good.astype(np.int8))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _runs(missing: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the consecutive missing samples up to each sample: [N, F]."""
    rows = np.arange(len(missing))[:, np.newaxis]
    last_known = np.maximum.accumulate(np.where(missing, -1, rows), axis=0)
    return np.asarray(np.where(missing, rows - last_known, 0))
