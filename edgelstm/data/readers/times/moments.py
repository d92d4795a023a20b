"""Convert the digits of texts to microseconds since 1970, for all rows at once."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Ints
from edgelstm.data.readers.times.forms import MONTH_OF, WEEKDAYS, Candidate, says_something, with_words
from edgelstm.data.readers.times.shapes import Shape
from edgelstm.rhythm import DAY_US

_YEARS_OF_DIGITS = (1600, 2200)  # for numbers without separators: others are not dates
_HOUR_US, _MINUTE_US, _SECOND_US = 3_600_000_000, 60_000_000, 1_000_000
_WORD = re.compile("a+")

_Bools = NDArray[np.bool_]


class Moments(NamedTuple):
    """Times as written.

    Attributes:
        local: int64 [n], microseconds since 1970 as written, without the zone.
        offset: int64 [n], microseconds that the zone of the text is ahead of UTC; None without a zone.
        valid: bool [n], the day and the hour exist, and the day has the weekday in the text.
        resolution_us: the resolution of such texts.
        mistold: int64 [n], the weekday of the date, from 0 for Monday, if the text has another one and is right
            otherwise, else -1; None without weekdays.
    """

    local: Ints
    offset: Ints | None
    valid: _Bools
    resolution_us: int
    mistold: Ints | None = None


def shape_with_words(shape: Shape) -> str:
    """Replace the letters of a shape by their meaning; see `forms.with_words`."""
    spans = [(*found.span(), shape.words(*found.span())[0]) for found in _WORD.finditer(shape.text)]
    return with_words(shape.text, spans)


def among_words(shape: Shape) -> tuple[int, int] | None:
    """Find a row whose word is part of a time, and the first row whose word is not; None without both."""
    rows = shape.rows if isinstance(shape.rows, np.ndarray) else np.arange(shape.bytes.shape[1])
    for found in _WORD.finditer(shape.text):
        words, which = shape.words(*found.span())
        known = np.array([says_something(word) for word in words])[which]
        if known.any() and not known.all():
            return int(rows[known][0]), int(rows[~known][0])
    return None


def moments_of(shape: Shape, how: Candidate) -> Moments:
    """Read the texts of a shape.

    Example:
        >>> from edgelstm.data.readers.times.shapes import shapes_of
        >>> from edgelstm.data.readers.times.forms import candidates_of
        >>> (shape,) = shapes_of(["1970-01-01 00:01"])
        >>> moments_of(shape, candidates_of(shape.text)[0]).local
        array([60000000])
    """
    days, right = _days(shape, how)
    clock, fits = _clock(shape, how)
    at, offset, valid = days * DAY_US + clock, _offset(shape, how), right & fits
    if "a" not in how.fields:
        return Moments(at, offset, valid, _resolution(how))
    weekday = (days + 3) % 7  # the first day of 1970 was a Thursday
    right = _weekday(shape, how) == weekday
    return Moments(at, offset, valid & right, _resolution(how), np.where(valid & ~right, weekday, -1))


def by_strptime(text: str, form: str) -> tuple[int, int | None] | None:
    """Read one text with the standard library: microseconds, and those of its zone; None if it does not fit."""
    try:
        moment = datetime.strptime(text, form)
    except (ValueError, re.error):
        return None
    offset = moment.utcoffset()
    if offset is None and "%Z" in form and re.search(r"\b(UTC|GMT|Z)\b", text):
        offset = timedelta()
    since = moment.replace(tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    one = timedelta(microseconds=1)
    return since // one, None if offset is None else offset // one


def weekday_of(text: str, form: str) -> int:
    """Give the weekday of a date, from 0 for Monday, if its text has another, which `datetime` ignores; else -1.

    Example:
        >>> weekday_of("Mon 7.1.2020", "%a %d.%m.%Y"), weekday_of("Tue 7.1.2020", "%a %d.%m.%Y")
        (1, -1)
    """
    day = datetime.strptime(text, form).weekday()
    return -1 if time.strptime(text, form).tm_wday == day else day


def _weekday(shape: Shape, how: Candidate) -> Ints:
    """The weekday in the text, from 0 for Monday."""
    words, which = shape.words(*how.fields["a"])
    return np.array([next(n for n, day in enumerate(WEEKDAYS) if day.startswith(word)) for word in words])[which]


def _days(shape: Shape, how: Candidate) -> tuple[Ints, _Bools]:
    """Days since 1970, and which of them exist."""
    years = _number(shape, how, "Y") if "Y" in how.fields else _century(_number(shape, how, "y"))
    low, high = _YEARS_OF_DIGITS if how.digits else (1, 9999)
    right = (years >= low) & (years <= high)
    first = ((years - 1970) * 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    if "j" in how.fields:
        day = _number(shape, how, "j")
        return first + day - 1, right & (day >= 1) & (day <= _length(years - 1970, 12))
    if "w" in how.fields:
        return _week(shape, how, first, right)
    month = _month(shape, how)
    day = _number(shape, how, "d", 1)
    right &= (month >= 1) & (month <= 12)
    months = (years - 1970) * 12 + month - 1
    return _first(months) + day - 1, right & (day >= 1) & (day <= _length(months, 1))


def _month(shape: Shape, how: Candidate) -> Ints:
    if "b" in how.fields:
        words, which = shape.words(*how.fields["b"])
        return np.array([MONTH_OF.get(word, 0) for word in words])[which]
    if "q" in how.fields:
        quarter = _number(shape, how, "q")
        return np.where((quarter >= 1) & (quarter <= 4), quarter * 3 - 2, 0)
    return _number(shape, how, "m", 1)


def _week(shape: Shape, how: Candidate, first: Ints, right: _Bools) -> tuple[Ints, _Bools]:
    """Weeks of ISO 8601: the first week of a year contains 4 January, and begins on a Monday."""
    week, day = _number(shape, how, "w"), _number(shape, how, "u", 1)
    fourth = first + 3
    days = fourth - (fourth + 3) % 7 + (week - 1) * 7 + day - 1
    thursday = days - (day - 1) + 3  # is in the year of the week
    year = thursday.astype("datetime64[D]").astype("datetime64[Y]")
    same = year == first.astype("datetime64[D]").astype("datetime64[Y]")
    return days, right & (week >= 1) & (day >= 1) & (day <= 7) & same


def _clock(shape: Shape, how: Candidate) -> tuple[Ints, _Bools]:
    """Microseconds since midnight, and which are valid; 24:00 is the end of the day."""
    hour, minute, second = (_number(shape, how, letter, 0) for letter in "HMS")
    right = (minute < 60) & (second < 60)
    if "p" in how.fields:
        words, which = shape.words(*how.fields["p"])
        right &= hour <= 12
        hour = hour % 12 + np.array([12 * (word == "pm") for word in words])[which]
    part = np.zeros_like(hour)
    if "f" in how.fields:
        start, end = how.fields["f"]
        end = min(end, start + 6)  # digits below microseconds are cut off
        part = shape.number(start, end) * 10 ** (6 - (end - start))
    clock = hour * _HOUR_US + minute * _MINUTE_US + second * _SECOND_US + part
    return clock, right & (clock <= DAY_US)


def _offset(shape: Shape, how: Candidate) -> Ints | None:
    if not how.zoned:
        return None
    if "z" not in how.fields:
        return np.zeros(shape.bytes.shape[1], np.int64)
    start, end = how.fields["z"]
    hours = shape.number(start + 1, start + 3)
    minutes = shape.number(end - 2, end) if end - start > 3 else 0
    sign = np.where(shape.bytes[start] == ord("-"), -1, 1)
    return np.asarray(sign * (hours * _HOUR_US + minutes * _MINUTE_US))


def _resolution(how: Candidate) -> int:
    if "f" in how.fields:
        start, end = how.fields["f"]
        return int(10 ** max(0, 6 - (end - start)))
    for letter, size in (("S", _SECOND_US), ("M", _MINUTE_US), ("H", _HOUR_US)):
        if letter in how.fields:
            return size
    return DAY_US


def _number(shape: Shape, how: Candidate, letter: str, missing: int = 0) -> Ints:
    if letter not in how.fields:
        return np.full(shape.bytes.shape[1], missing, np.int64)
    return shape.number(*how.fields[letter])


def _century(years: Ints) -> Ints:
    """Two digits mean 1969 to 2068, as in POSIX."""
    return np.where(years >= 69, 1900 + years, 2000 + years)


def _first(months: Ints) -> Ints:
    """First day of a month, both counted from 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _length(periods: Ints, months: int) -> Ints:
    """Days of a period of so many months, counted from 1970."""
    return _first((periods + 1) * months) - _first(periods * months)
