"""Sort the rows of a series by time, and settle rows with the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Times
from edgelstm.data.readers.columns.fields import Place
from edgelstm.data.readers.rows.rhythms import length_for
from edgelstm.data.readers.rows.track import Track
from edgelstm.errors import DataError

_SUNDAY, _HOURS_OF_CHANGE = 3, (0, 3)  # days since 1970-01-01, a Thursday; clocks are put back between 0:00 and 4:00
_MONTHS_OF_CHANGE = (3, 4, 9, 10, 11)  # autumn, in both hemispheres


class Repeated(NamedTuple):
    """Two rows of one series with the same time: their places in the table, the time, and the usual step."""

    first: int
    second: int
    local: np.datetime64
    step_s: float


def in_order(track: Track) -> tuple[Track, int]:
    """Sort rows by time, keeping the order of rows with the same time; also count the rows out of order."""
    utc, _ = track.times()
    back = int((np.diff(utc) < np.timedelta64(0)).sum())
    return (track.take(np.argsort(utc, kind="stable")), back) if back else (track, 0)


def without_equals(track: Track) -> tuple[Track, int]:
    """Drop rows that equal an earlier one with the same time, and count them."""
    utc, _ = track.times()
    starts = np.flatnonzero(np.diff(utc) == np.timedelta64(0))
    if len(starts) == 0:
        return track, 0
    keep = np.ones(len(track), bool)
    seen: set[tuple[int, bytes, str]] = set()
    for row in np.unique(np.concatenate([starts, starts + 1])).tolist():
        label = "" if track.labels is None else str(track.labels[row])
        content = (int(utc[row].astype(np.int64)), (track.values[row] + 0.0).tobytes(), label)
        keep[row] = content not in seen
        seen.add(content)
    return track.take(keep), int((~keep).sum())


def repeated(track: Track) -> Repeated | None:
    """Find the first two rows with the same time."""
    utc, local = track.times()
    steps = np.diff(utc).astype(np.int64)
    same = np.flatnonzero(steps == 0)
    if len(same) == 0:
        return None
    row = int(same[0])
    step = float(np.median(steps[steps > 0])) / 1e6 if (steps > 0).any() else 86_400.0
    return Repeated(int(track.rows[row]), int(track.rows[row + 1]), local[row], step)


def settle(track: Track, policy: str) -> tuple[Track, int]:
    """Merge rows with the same time into one.

    Args:
        track: rows in order.
        policy: `"first"` or `"last"` in the table, or `"mean"` of the known samples.

    Returns:
        The rows, and how many fewer they are.

    Raises:
        DataError: the mean is asked for, and the rows have different classes.
    """
    utc, _ = track.times()
    starts = np.flatnonzero(np.concatenate([[True], np.diff(utc) > np.timedelta64(0)]))
    fewer = len(track) - len(starts)
    if fewer == 0:
        return track, 0
    if policy == "last":
        return track.take(np.append(starts[1:], len(track)) - 1), fewer
    first = track.take(starts)
    if policy == "first":
        return first, fewer
    labels, kept = track.labels, first.labels
    sizes = np.diff(np.append(starts, len(track)))
    if labels is not None and kept is not None and (np.repeat(kept, sizes) != labels).any():
        raise DataError("--duplicates mean averages numbers, and classes have no average: choose first or last")
    return replace(first, values=means(track.values, starts)), fewer


def means(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average runs of rows.

    Args:
        values: float64 [N, C], NaN where a sample is missing.
        starts: int64 [M], the first row of each run, from 0, increasing.

    Returns:
        float64 [M, C], of the known samples; NaN where there is none.

    Example:
        >>> means(np.array([[1.0], [3.0], [np.nan]]), np.array([0, 2])).ravel()
        array([ 2., nan])
    """
    known = ~np.isnan(values)
    counts = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def refuse_repeated(found: Repeated, place: Place, zone: str | None, column: str | None) -> DataError:
    """Say what to do about several rows with the same time.

    Args:
        found: the rows.
        place: names a row.
        zone: in which the times were read.
        column: that may identify series.
    """
    stamp = np.datetime_as_string(found.local, unit="auto").replace("T", " ")
    way = f"give --duplicates first, last or mean, or --resample {length_for(found.step_s)}"
    if column is not None:
        way = f"give --series {column!r} if that column identifies series, else {way.removeprefix('give ')}"
    elif zone is None and _may_be_change(found.local):
        way = f"clocks were put back then: give --time-zone, such as Europe/Berlin, or {way}"
    return DataError(
        f"{place(found.second)}: the time {stamp} occurs twice, first at "
        f"{place(found.first).rpartition(': ')[2]}; {way}"
    )


def of_change(tracks: Sequence[Track], zone: str | None) -> str:
    """What to add if equal rows with the same time may be from the repeated hour in autumn; empty otherwise."""
    found = next(filter(None, map(repeated, tracks)), None)
    if zone is not None or found is None or not _may_be_change(found.local):
        return ""
    return "; if clocks were put back then, give --time-zone to keep both hours"


def tells_apart(names: list[str], times: Times) -> bool:
    """Whether a column may identify series: there are few, and no time repeats within one."""
    codes: dict[str, int] = {}
    numbers = np.array([codes.setdefault(name, len(codes)) for name in names])
    if not 1 < len(codes) <= len(names) // 2 or "" in codes:
        return False
    order = np.lexsort((times, numbers))
    again = (np.diff(numbers[order]) == 0) & (np.diff(times[order]).astype(np.int64) == 0)
    return not again.any()


def _may_be_change(local: np.datetime64) -> bool:
    """Whether it is a Sunday night in a month when clocks may be put back."""
    day = local.astype("datetime64[D]")
    month = int(day.astype("datetime64[M]").astype(int)) % 12 + 1
    hour = int((local - day).astype("timedelta64[h]").astype(int))
    sunday = int(day.astype(int)) % 7 == _SUNDAY
    return sunday and month in _MONTHS_OF_CHANGE and _HOURS_OF_CHANGE[0] <= hour <= _HOURS_OF_CHANGE[1]
