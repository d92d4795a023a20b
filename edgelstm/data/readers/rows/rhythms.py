"""Detect the rhythm of the rows of a table, and the place of each row in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Ints, Times
from edgelstm.data.readers.columns.fields import Place
from edgelstm.data.readers.rows.track import Track
from edgelstm.errors import DataError
from edgelstm.reading import Rhythm
from edgelstm.rhythm import DAY_US, HOLIDAYS, business_days, day_in, day_of, on_weekend

JITTER = 0.02  # of the period: a second in a minute is normal for the clock of a logger
RESTARTS = 0.01  # of the steps: after a gap a restarted logger counts from another moment
_MONTH_US = 365.2425 / 12 * DAY_US
_SHORTEST_MONTH_US = 27.5 * DAY_US
_CLOSE = 2e-3  # of the period: a loop that sleeps for one minute may take 60.1 s
_SHIFT_DAYS = 4  # at most, from a monthly value to the end or the beginning of the month: a weekend and a holiday
_LENGTHS = {  # to suggest for --resample, in seconds
    **{f"{n}ms": n / 1e3 for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)},
    **{f"{n}s": float(n) for n in (1, 2, 5, 10, 15, 30)},
    **{f"{n}m": n * 60.0 for n in (1, 2, 5, 10, 15, 30)},
    **{f"{n}h": n * 3600.0 for n in (1, 2, 3, 6, 12)},
    **{"1d": 86_400.0, "1w": 604_800.0, "1mo": 2_629_746.0, "1q": 7_889_238.0, "1y": 31_556_952.0},
}


class Steps(NamedTuple):
    """How the rows of a series follow each other in a rhythm.

    Attributes:
        counts: int64 [N - 1], samples from one row to the next, 1 where none is missing.
        wrong: bool [N - 1], the step does not fit the rhythm.
        restarts: bool [N - 1], after a gap the rows are shifted in time.
    """

    counts: Ints
    wrong: NDArray[np.bool_]
    restarts: NDArray[np.bool_]


def find(tracks: list[Track], resolution_us: int) -> Rhythm | None:
    """Detect the rhythm of all series of a table: that of the series with the shortest steps.

    Args:
        tracks: of the series.
        resolution_us: of the clock; see `Stamps`.

    Returns:
        None if no series has two rows. If no rhythm fits, the closest one: `place_rows` names the row that does not
        fit.

    Example:
        >>> days = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[D]").astype("datetime64[us]")
        >>> find([Track("", np.zeros((3, 1)), np.arange(3), days, days)], 86_400_000_000)
        Rhythm(unit='day', count=1, day=None)
    """
    long = [track for track in tracks if len(track) > 1]
    if not long:
        return None
    rhythm = None
    for rhythm in _likely(long, resolution_us):
        steps = [steps_of(track, rhythm, resolution_us) for track in long]
        if not any(step.wrong.any() for step in steps) and _may_restart(steps):
            return rhythm
    return rhythm


def is_even(times: Times, resolution_us: int) -> bool:
    """Whether moments, in any order, have a rhythm with few gaps."""
    local = np.unique(times)
    track = Track("", np.zeros((len(local), 0)), np.arange(len(local)), local, local)
    rhythm = find([track], resolution_us)
    if rhythm is None:
        return True
    steps = steps_of(track, rhythm, resolution_us)
    return not steps.wrong.any() and not steps.restarts.any() and bool(steps.counts.sum() < 2 * len(local))


def steps_of(track: Track, rhythm: Rhythm, resolution_us: int) -> Steps:
    """Count the samples from each row of a series to the next; each row is compared with the one before it.

    Clocks may drift, and a restarted logger may count from another moment.
    """
    utc, local = track.times()
    if rhythm.unit == "second":
        allowed = JITTER * rhythm.count * 1e6 + min(resolution_us, 0.49 * rhythm.count * 1e6)
        return _fixed(_us_steps(utc), rhythm.count * 1e6, allowed, _pace(utc, rhythm, allowed))
    days = local.astype("datetime64[D]")
    if rhythm.unit == "day":
        period = rhythm.count * DAY_US
        allowed = JITTER * period + min(resolution_us, 0.2 * period)
        return _fixed(_us_steps(local), period, allowed, period)
    if rhythm.unit == "business day":
        counts = np.diff(business_days(days)) // int(rhythm.count)
        counts = np.where((counts >= 1) & (counts <= HOLIDAYS + 1), 1, counts)
        return Steps(counts, (counts < 1) | on_weekend(days)[1:], np.zeros(len(counts), bool))
    months = days.astype("datetime64[M]")
    steps = np.diff(months).astype(np.int64)
    off = np.abs((days - day_in(months, rhythm.day or 1)).astype(np.int64)) > _SHIFT_DAYS
    wrong = (steps < 1) | (steps % int(rhythm.count) != 0) | off[1:] | off[:-1]
    return Steps(steps // int(rhythm.count), wrong, np.zeros(len(steps), bool))


def fits(tracks: list[Track], rhythm: Rhythm, resolution_us: int) -> bool:
    """Whether a rhythm fits the rows of all series, without missing every second row or more."""
    steps = [steps_of(track, rhythm, resolution_us) for track in tracks if len(track) > 1]
    counts = np.concatenate([step.counts for step in steps]) if steps else np.ones(1, np.int64)
    if any(step.wrong.any() for step in steps) or not _may_restart(steps):
        return False
    return bool((counts == 1).any()) or len(counts) == 1


def place_rows(track: Track, rhythm: Rhythm, resolution_us: int, place: Place) -> tuple[Ints, int]:
    """Give the place of each row in a rhythm: int64 [N], from 0, and how often the logger restarted.

    Raises:
        DataError: a row does not fit the rhythm; names the first one, and a length of bins that would fit.
    """
    steps = steps_of(track, rhythm, resolution_us)
    wrong = steps.wrong if _may_restart([steps]) else steps.wrong | steps.restarts
    if wrong.any():
        raise _irregular(track, int(np.flatnonzero(wrong)[0]) + 1, rhythm, place)
    return np.concatenate([[0], np.cumsum(steps.counts)]), int(steps.restarts.sum())


def length_of(rhythm: Rhythm) -> str:
    """Write the length of a rhythm for --resample.

    Example:
        >>> length_of(Rhythm("second", 5400.0)), length_of(Rhythm("month", 3, 1))
        ('90m', '1q')
    """
    if rhythm.unit == "month":
        size, unit = next((size, unit) for size, unit in ((12, "y"), (3, "q"), (1, "mo")) if rhythm.count % size == 0)
        return f"{int(rhythm.count) // size}{unit}"
    seconds = round((rhythm.count if rhythm.unit == "second" else rhythm.count * 86_400) * 1000)
    units = ((604_800_000, "w"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))
    size, unit = next((size, unit) for size, unit in units if seconds % size == 0)
    return f"{seconds // size}{unit}"


def length_for(seconds: float) -> str:
    """Suggest a --resample length for rows with about that step.

    Example:
        >>> length_for(3598.0), length_for(45.0)
        ('1h', '1m')
    """
    return next((name for name, length in _LENGTHS.items() if length >= 0.9 * seconds), "1y")


def duration(microseconds: float) -> str:
    """Write a duration.

    Example:
        >>> duration(90e6)
        '1.5 min'
    """
    seconds = microseconds / 1e6
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _every(rhythm: Rhythm) -> str:
    """The expected step in words: `1 h`, `one day`."""
    return rhythm.name if rhythm.unit == "second" else f"one {rhythm.name}"


def _likely(tracks: list[Track], resolution_us: int) -> Iterator[Rhythm]:
    """The likely rhythms, from the usual step of the fastest series, the longest unit first."""
    utc, local = zip(*(track.times() for track in tracks), strict=True)
    base = min(map(_usual, map(_us_steps, local)))
    days = [times.astype("datetime64[D]") for times in local]
    if base >= _SHORTEST_MONTH_US:
        day = _day_of_month(np.concatenate(days))
        if day is not None:
            yield Rhythm("month", max(1, round(base / _MONTH_US)), day)
    count = round(base / DAY_US)
    if count >= 1 and abs(base - count * DAY_US) <= JITTER * count * DAY_US:
        if _are_business_days(days) and (count == 1 or _mostly_follow(days)):
            yield Rhythm("business day", 1)
        yield Rhythm("day", count)
    steps = [_us_steps(times) for times in utc]
    for base in (min(map(_usual, steps)), _longest(np.concatenate(steps))):
        yield Rhythm("second", _period(np.concatenate(steps), base, resolution_us) / 1e6)


def _us_steps(times: Times) -> Ints:
    return np.asarray(np.diff(times).astype(np.int64))


def _longest(steps: Ints) -> int:
    """The step that covers most of the time: rows may be hourly for months, and at every change on the last day."""
    steps = np.sort(steps)
    over = np.cumsum(steps)
    return int(steps[np.searchsorted(over, over[-1] / 2)])


def _usual(steps: Ints) -> int:
    """The median step, always one that occurs, in microseconds."""
    middle = (len(steps) - 1) // 2
    return int(np.partition(steps, middle)[middle])


def _period(steps: Ints, base: int, resolution_us: int) -> float:
    """The period in microseconds: the usual step, or the mean one where the clock is too coarse to show it."""
    single = steps[np.abs(steps - base) <= JITTER * base + min(resolution_us, 0.49 * base)]
    mean = float(single.mean()) if len(single) else float(base)
    rate = 1e6 / mean
    if rate > 1.5 and abs(rate - round(rate)) < 1e-3 * rate:
        return 1e6 / round(rate)
    if abs(mean - base) > _CLOSE * base and resolution_us > 1e-3 * base:
        return float(round(mean))
    size = 10**6 if base >= 10**6 else 10**3
    whole = round(base / size) * size
    return float(whole if abs(whole - base) <= _CLOSE * base else base)


def _pace(utc: Times, rhythm: Rhythm, allowed: float) -> float:
    """The mean of the single steps, to count the samples in long gaps despite a drifting clock."""
    period = rhythm.count * 1e6
    steps = _us_steps(utc)
    single = steps[np.abs(steps - period) <= allowed]
    return float(single.mean()) if len(single) > 10 else period


def _fixed(steps: Ints, period: float, allowed: float, pace: float) -> Steps:
    counts = np.rint(steps / pace).astype(np.int64)
    off = np.minimum(np.abs(steps - counts * pace), np.abs(steps - counts * period)) > allowed
    return Steps(counts, (counts < 1) | (off & (counts < 2)), off & (counts >= 2))


def _may_restart(steps: list[Steps]) -> bool:
    """Whether so few rows are shifted in time that these are restarts."""
    restarts = sum(int(step.restarts.sum()) for step in steps)
    return restarts <= max(1, RESTARTS * sum(len(step.counts) for step in steps))


def _are_business_days(series: list[Times]) -> bool:
    """Whether no row is on a weekend, although a series spans one."""
    over = False
    for days in series:
        numbers = business_days(days)
        if on_weekend(days).any():
            return False
        over |= bool((np.diff(days).astype(np.int64) > np.diff(numbers)).any())
    return over


def _mostly_follow(series: list[Times]) -> bool:
    """Whether most rows are on the next business day, on at least three weekdays: other days may be skipped often."""
    steps = np.concatenate([np.diff(business_days(days)) for days in series])
    weekdays = np.unique(business_days(np.concatenate(series)) % 5)
    return bool(2 * np.count_nonzero(steps == 1) > len(steps)) and len(weekdays) > 2


def _day_of_month(days: Times) -> int | None:
    """The day of the month that all days have; 31 is the last one. None if they have no common one."""
    months = days.astype("datetime64[M]")
    last = day_in(months, 31)
    if (days == last).all():
        return 31
    latest = int(day_of(days).max())
    if (days == day_in(months, latest)).all():
        return latest
    if ((last - days).astype(np.int64) <= _SHIFT_DAYS).all():
        return 31
    return 1 if latest <= 1 + _SHIFT_DAYS else None


def _irregular(track: Track, row: int, rhythm: Rhythm, place: Place) -> DataError:
    utc, local = track.times()
    step = duration(int((utc[row] - utc[row - 1]).astype(np.int64)))
    usual = rhythm.period_s
    stamp = np.datetime_as_string(local[row], unit="auto").replace("T", " ")
    return DataError(
        f"{place(int(track.rows[row]))}: the time {stamp} is {step} after the previous row, expected {_every(rhythm)}: "
        f"give --resample {length_for(usual)} to average rows into equal bins, or omit --time if rows are equally "
        "spaced"
    )
