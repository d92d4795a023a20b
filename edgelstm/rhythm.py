"""Count in a rhythm: the times of the next samples, and the number of samples between two times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Times
from edgelstm.reading import Rhythm
from edgelstm.zones import to_local, to_utc

Counts = NDArray[np.int64]

DAY_US = 86_400_000_000
HOLIDAYS = 10  # consecutive business days that may be missing; more are a gap
_MONDAY = -3  # 1969-12-29, in days since 1970


def after(times: Times, rhythm: Rhythm, steps: int | Counts, zone: str | None = None) -> Times:
    """Give the time of the sample that is this many steps after each time.

    Args:
        times: datetime64[us] [N], UTC.
        rhythm: the spacing of the samples.
        steps: one number for all, or int64 [N]; negative ones go back.
        zone: IANA zone in which days and months are counted; None: UTC.

    Returns:
        datetime64[us] [N], UTC. Days keep the local time of day; a month after 31 January is the last day of February.

    Example:
        >>> friday = np.array(["2024-03-01"], "datetime64[us]")
        >>> [str(after(friday, rhythm, 1)[0])[:10] for rhythm in (Rhythm("business day", 1), Rhythm("month", 1, 1))]
        ['2024-03-04', '2024-04-01']
    """
    if rhythm.unit == "second":
        ahead = np.rint(np.asarray(steps) * (rhythm.count * 1e6)).astype(np.int64)
        return np.asarray(times.astype("datetime64[us]") + ahead.astype("timedelta64[us]"))
    local = to_local(times.astype("datetime64[us]"), zone)
    days = local.astype("datetime64[D]")
    ahead = np.asarray(steps) * int(rhythm.count)
    if rhythm.unit == "day":
        later = days + ahead.astype("timedelta64[D]")
    elif rhythm.unit == "business day":
        later = _business_day(business_days(days) + ahead)
    else:
        later = day_in(days.astype("datetime64[M]") + ahead.astype("timedelta64[M]"), rhythm.day or day_of(days))
    return to_utc(later + (local - days), zone)


def samples_between(before: Times, later: Times, rhythm: Rhythm, zone: str | None = None) -> NDArray[np.float64]:
    """Count the samples from one time to another: 1.0 for the next sample, 0.5 for half a period.

    Args:
        before: datetime64[us] [N], UTC.
        later: the same.
        rhythm: the spacing of the samples.
        zone: as for `after`.

    Returns:
        float64 [N], negative where `later` is earlier. In a rhythm of business days, a weekend has no length.

    Example:
        >>> friday, monday = np.array(["2024-03-01"], "datetime64[us]"), np.array(["2024-03-04"], "datetime64[us]")
        >>> samples_between(friday, monday, Rhythm("business day", 1))
        array([1.])
    """
    before, later = before.astype("datetime64[us]"), later.astype("datetime64[us]")
    if rhythm.unit == "second":
        return _us(later - before) / (rhythm.count * 1e6)
    start, end = to_local(before, zone), to_local(later, zone)
    if rhythm.unit == "day":
        return _us(end - start) / (rhythm.count * DAY_US)
    days, ends = start.astype("datetime64[D]"), end.astype("datetime64[D]")
    clock = start - days
    if rhythm.unit == "business day":
        whole = business_days(ends) - business_days(days)
        return np.asarray((whole + _us(end - ends - clock) / DAY_US) / rhythm.count)
    # Months are measured from sample to sample, at the time of day of the earlier one.
    day = rhythm.day or day_of(days)
    return np.asarray((_months(end - clock, day) - _months(start - clock, day)) / rhythm.count)


def business_days(days: Times) -> Counts:
    """Number the days from Monday to Friday; weekend days have the number of the Friday before."""
    since = days.astype("datetime64[D]").astype(np.int64) - _MONDAY
    return np.asarray(since // 7 * 5 + np.minimum(since % 7, 4))


def on_weekend(days: Times) -> NDArray[np.bool_]:
    """Say which days are a Saturday or a Sunday."""
    return np.asarray((days.astype("datetime64[D]").astype(np.int64) - _MONDAY) % 7 > 4)


def day_of(days: Times) -> Counts:
    """Give the day of the month, from 1."""
    whole = days.astype("datetime64[D]")
    return np.asarray((whole - whole.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1)


def day_in(months: Times, day: int | Counts) -> Times:
    """Give a day of each month, or the last day if the month is shorter.

    Args:
        months: datetime64[M] [N].
        day: from 1; 31 is always the last.

    Example:
        >>> [str(day) for day in day_in(np.array(["2023-01", "2023-02"], "datetime64[M]"), 30)]
        ['2023-01-30', '2023-02-28']
    """
    first = months.astype("datetime64[D]")
    length = ((months + np.timedelta64(1, "M")).astype("datetime64[D]") - first).astype(np.int64)
    return np.asarray(first + (np.minimum(length, day) - 1).astype("timedelta64[D]"))


def _business_day(numbers: Counts) -> Times:
    return np.asarray((numbers // 5 * 7 + numbers % 5 + _MONDAY).astype("datetime64[D]"))


def _months(local: Times, day: int | Counts) -> NDArray[np.float64]:
    """Give the months since 1970, a whole number on the day of the sample."""
    month = local.astype("datetime64[M]")
    month = month - (local < day_in(month, day)).astype("timedelta64[M]")
    first, last = day_in(month, day), day_in(month + np.timedelta64(1, "M"), day)
    return np.asarray(month.astype(np.int64) + _us(local - first) / _us(last - first))


def _us(spans: NDArray[np.timedelta64]) -> NDArray[np.float64]:
    return spans.astype("timedelta64[us]").astype(np.float64)
