"""Average rows into bins of a length: `"10m"`, `"1h30m"`, `"1w"`, `"1mo"`, `"1q"`, `"1y"`."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Times
from edgelstm.data.readers.columns.fields import Place
from edgelstm.data.readers.rows.grid import refuse_growth
from edgelstm.data.readers.rows.order import means
from edgelstm.data.readers.rows.track import Track
from edgelstm.errors import DataError
from edgelstm.reading import Rhythm
from edgelstm.zones import to_local, to_utc

_LENGTH = re.compile(r"(?:0*[1-9]\d*(?:ms|mo|s|m|h|d|w|q|y))+", re.ASCII)
_PART = re.compile(r"(\d+)(ms|mo|s|m|h|d|w|q|y)", re.ASCII)
_US = {"ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6, "w": 7 * 86_400 * 10**6}
_MONTHS = {"mo": 1, "q": 3, "y": 12}
_MONDAY = 3  # days from the Monday before it to 1970-01-01


def bins_of(length: str) -> Rhythm:
    """Read the length of bins.

    Raises:
        DataError: it is not a length.

    Example:
        >>> bins_of("1h30m").name, bins_of("1w").name, bins_of("1q").name
        ('1.5 h', 'week', 'quarter')
    """
    parts = [(int(count), unit) for count, unit in _PART.findall(length)]
    units = {unit for _, unit in parts}
    if not _LENGTH.fullmatch(length) or (units & _MONTHS.keys() and units & _US.keys()):
        raise DataError(f"--resample: expected a length such as 10m, 1h, 1d, 1w, 1mo, 1q or 1y, got {length!r}")
    if units & _MONTHS.keys():
        return Rhythm("month", sum(count * _MONTHS[unit] for count, unit in parts), 1)
    size = sum(count * _US[unit] for count, unit in parts)
    return Rhythm("day", size // _US["d"]) if units <= {"d", "w"} else Rhythm("second", size / 1e6)


def resample(track: Track, bins: Rhythm, zone: str | None, place: Place) -> Track:
    """Average the rows of each bin.

    Args:
        track: rows in time order.
        bins: their length: seconds are counted from 1970, weeks begin on Monday; days, months and years in local time.
        zone: of local time; None: UTC.
        place: names a row of the table.

    Returns:
        A row for each bin from the first to the last with rows, at its beginning; NaN in bins without rows.

    Raises:
        DataError: there would be too many bins.
    """
    utc, _ = track.times()
    numbers = _numbers(utc, bins, zone)
    size = int(numbers[-1] - numbers[0]) + 1
    refuse_growth(size, len(track), bins, place(int(track.rows[0])))
    starts = np.flatnonzero(np.concatenate([[True], np.diff(numbers) > 0]))
    values = np.full((size, track.values.shape[1]), np.nan)
    values[numbers[starts] - numbers[0]] = means(track.values, starts)
    times = _begins(np.arange(size) + numbers[0], bins, zone)
    return replace(track, values=values, rows=np.full(size, -1), utc=times, local=times)


def _numbers(utc: Times, bins: Rhythm, zone: str | None) -> NDArray[np.int64]:
    """The number of the bin of each moment, counted from 1970."""
    if bins.unit == "second":
        return np.asarray(utc.astype("datetime64[us]").astype(np.int64) // round(bins.count * 1e6))
    local = to_local(utc, zone)
    if bins.unit == "day":
        return (local.astype("datetime64[D]").astype(np.int64) + _shift(bins)) // int(bins.count)
    return np.asarray(local.astype("datetime64[M]").astype(np.int64) // int(bins.count))


def _begins(numbers: NDArray[np.int64], bins: Rhythm, zone: str | None) -> Times:
    if bins.unit == "second":
        return (numbers * round(bins.count * 1e6)).astype("datetime64[us]")
    if bins.unit == "day":
        local = (numbers * int(bins.count) - _shift(bins)).astype("datetime64[D]")
    else:
        local = (numbers * int(bins.count)).astype("datetime64[M]")
    return to_utc(local.astype("datetime64[us]"), zone)


def _shift(bins: Rhythm) -> int:
    """Weeks begin on Monday."""
    return _MONDAY if bins.count % 7 == 0 else 0
