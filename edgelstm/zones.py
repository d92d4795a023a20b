"""Convert between UTC and local time, for whole arrays: `zoneinfo` converts one time."""

from __future__ import annotations

import difflib
import zoneinfo
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Times
from edgelstm.errors import DataError, MissingDependencyError

_US = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


class Turns(NamedTuple):
    """The clock changes of a zone over some years.

    Attributes:
        utc: int64 [C], microseconds since 1970 at which an offset begins; the first is the beginning of the years.
        offset: int64 [C], microseconds by which local time is ahead of UTC from then on.
    """

    utc: NDArray[np.int64]
    offset: NDArray[np.int64]

    @property
    def walls(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The local time just before and just after each change: int64 [C - 1], microseconds."""
        return self.utc[1:] + self.offset[:-1], self.utc[1:] + self.offset[1:]


def find_zone(name: str) -> zoneinfo.ZoneInfo:
    """Look up an IANA zone.

    Raises:
        DataError: there is no zone of that name.
        MissingDependencyError: this machine has no time zone data.

    Example:
        >>> find_zone("Europe/Berlin").key
        'Europe/Berlin'
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        known = zoneinfo.available_timezones()
        if not known:
            raise MissingDependencyError(
                f"the time zone {name!r} needs time zone data, which this machine lacks: pip install tzdata"
            ) from error
        near = difflib.get_close_matches(name, known, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise DataError(
            f"--time-zone: expected a name such as Europe/Berlin or America/New_York, got {name!r}{hint}"
        ) from error


def turns_of(zone: str, first: int, last: int) -> Turns:
    """List the clock changes of a zone between two times, with a year of margin on both sides.

    Args:
        zone: its IANA name.
        first: microseconds since 1970.
        last: the same, not before `first`.
    """
    years = np.array([first, last], "datetime64[us]").astype("datetime64[Y]").astype(int) + 1970
    low, high = max(2, int(years[0]) - 1), min(9998, int(years[1]) + 1)
    begin = datetime(low, 1, 1)
    found = [(_microseconds(begin), _offset(zone, begin) // _US)]
    found += [turn for year in range(low, high + 1) for turn in _turns_in(zone, year)]
    utc, offset = zip(*found, strict=True)
    return Turns(np.array(utc, np.int64), np.array(offset, np.int64))


def to_local(utc: Times, zone: str | None) -> Times:
    """Convert UTC to local time.

    Args:
        utc: datetime64[us] [N].
        zone: IANA name; None: local time is UTC.

    Returns:
        datetime64[us] [N].

    Raises:
        DataError: there is no such zone.

    Example:
        >>> to_local(np.array(["2024-07-01T12:00"], "datetime64[us]"), "Europe/Berlin")
        array(['2024-07-01T14:00:00.000000'], dtype='datetime64[us]')
    """
    if zone is None or len(utc) == 0:
        return utc
    at = utc.astype("datetime64[us]").astype(np.int64)
    turns = turns_of(zone, int(at.min()), int(at.max()))
    place = np.maximum(np.searchsorted(turns.utc, at, side="right") - 1, 0)
    return (at + turns.offset[place]).astype("datetime64[us]")


def to_utc(local: Times, zone: str | None, later: bool = False) -> Times:
    """Convert local time to UTC.

    Args:
        local: datetime64[us] [N].
        zone: IANA name; None: local time is UTC.
        later: for a time that occurs twice in autumn, take the second one. A time that is skipped in spring gets the
            offset before the change, or with `later` the one after it, like `fold` of PEP 495.

    Returns:
        datetime64[us] [N].

    Raises:
        DataError: there is no such zone.

    Example:
        >>> to_utc(np.array(["2024-07-01T14:00"], "datetime64[us]"), "Europe/Berlin")
        array(['2024-07-01T12:00:00.000000'], dtype='datetime64[us]')
    """
    if zone is None or len(local) == 0:
        return local
    at = local.astype("datetime64[us]").astype(np.int64)
    turns = turns_of(zone, int(at.min()), int(at.max()))
    before, after = turns.walls
    borders = np.minimum(before, after) if later else np.maximum(before, after)
    return (at - turns.offset[np.searchsorted(borders, at, side="right")]).astype("datetime64[us]")


def called(microseconds: int, zone: str) -> str:
    """Give the abbreviation of a zone at a time.

    Args:
        microseconds: since 1970, UTC.
        zone: IANA name.

    Raises:
        DataError: there is no such zone.

    Example:
        >>> called(0, "Europe/Berlin"), called(0, "Asia/Dubai")
        ('CET', '+04')
    """
    found = find_zone(zone)
    moment = datetime(1970, 1, 1, tzinfo=found) + microseconds * _US
    return found.fromutc(moment).tzname() or ""


@lru_cache(maxsize=4096)
def _turns_in(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """List the changes within a year, each as its time and the new offset in microseconds."""
    turns = []
    day, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)
    before = _offset(zone, day)
    while day < end:
        after = _offset(zone, day + timedelta(days=1))
        if after != before:
            low, high = day, day + timedelta(days=1)
            while high - low > _SECOND:
                middle = low + (high - low) // _SECOND // 2 * _SECOND
                low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
            turns.append((_microseconds(high), after // _US))
        day, before = day + timedelta(days=1), after
    return tuple(turns)


def _offset(zone: str, utc: datetime) -> timedelta:
    found = find_zone(zone)
    return found.fromutc(utc.replace(tzinfo=found)).utcoffset() or timedelta()


def _microseconds(utc: datetime) -> int:
    return (utc - datetime(1970, 1, 1)) // _US
