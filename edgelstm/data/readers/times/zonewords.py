"""Names of zones after a time: `CEST`, `EST`.

The same name is used in several parts of the world, so that it needs `--time-zone`. It is then compared with the name
of the clocks in that zone at that moment, and settles the repeated hour in autumn.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Times
from edgelstm.data.readers.times.forms import says_something
from edgelstm.data.readers.times.shapes import Shape
from edgelstm.errors import DataError
from edgelstm.zones import called, to_local, to_utc, turns_of

_BEHIND = re.compile(
    r"(?P<time>.*(?::00(?:[.,]0{1,9})?(?: ?aa(?= ))?|[ a]00?\.00|a0{4}(?:00)?|[ a]00? ?aa(?= ))(?: ?[-+]00(?::?00)?)?)"
    r" ?(?P<word>a{2,5})"
)
# Where a word is mostly used: only an example for errors, never a decision.
_LIKELY = {
    place: words.split()
    for place, words in {
        "Europe/Berlin": "CET CEST MEZ MESZ MET MEST",
        "Europe/London": "BST GMT",
        "Europe/Lisbon": "WET WEST",
        "Europe/Athens": "EET EEST",
        "Europe/Moscow": "MSK MSD",
        "America/New_York": "EST EDT ET",
        "America/Chicago": "CST CDT CT",
        "America/Denver": "MST MDT MT",
        "America/Los_Angeles": "PST PDT PT",
        "America/Anchorage": "AKST AKDT",
        "America/Halifax": "AST ADT",
        "America/St_Johns": "NST NDT",
        "America/Sao_Paulo": "BRT BRST",
        "America/Argentina/Buenos_Aires": "ART",
        "Pacific/Honolulu": "HST",
        "Africa/Johannesburg": "SAST",
        "Africa/Nairobi": "EAT",
        "Africa/Maputo": "CAT",
        "Africa/Lagos": "WAT",
        "Asia/Kolkata": "IST",
        "Asia/Karachi": "PKT",
        "Asia/Jakarta": "WIB",
        "Asia/Singapore": "SGT",
        "Asia/Hong_Kong": "HKT",
        "Asia/Manila": "PHT PHST",
        "Asia/Tokyo": "JST",
        "Asia/Seoul": "KST",
        "Australia/Sydney": "AEST AEDT",
        "Australia/Adelaide": "ACST ACDT",
        "Australia/Perth": "AWST",
        "Pacific/Auckland": "NZST NZDT",
    }.items()
}
_YEAR_US = 365 * 86_400_000_000
_GERMAN = {"mez": "cet", "mesz": "cest"}

Complaint = Callable[[int, str, str], DataError]


class ZoneWords(NamedTuple):
    """The words of a column.

    Attributes:
        words: each once, in lower case.
        which: int64 [N], which of them each row has; -1 for none.
    """

    words: tuple[str, ...]
    which: NDArray[np.int64]

    def at(self, row: int) -> str:
        """Give the word of a row, in upper case."""
        return self.words[int(self.which[row])].upper()


class Told(NamedTuple):
    """Local times in UTC, by their words.

    Attributes:
        utc: datetime64[us] [N].
        right: bool [N], the clocks of the zone had that name at that moment.
    """

    utc: Times
    right: NDArray[np.bool_]


def cut(shapes: list[Shape], rows: int) -> tuple[list[Shape], ZoneWords | None]:
    """Cut the words after clocks; None if there are none except UTC, which is read elsewhere.

    Example:
        >>> from edgelstm.data.readers.times.shapes import shapes_of
        >>> shapes, found = cut(shapes_of(["2020-01-07 13:00 CET", "2020-07-07 13:00 CEST"]), 2)
        >>> [shape.text for shape in shapes], found.words, found.which.tolist()
        (['0000-00-00 00:00', '0000-00-00 00:00'], ('cet', 'cest'), [0, 1])
    """
    known: dict[str, int] = {}
    which = np.full(rows, -1)
    left = []
    for shape in shapes:
        found = _BEHIND.fullmatch(shape.text)
        words, of = shape.words(*found.span("word")) if found else ([], np.zeros(0, np.int64))
        if found is None or all(map(says_something, words)):
            left.append(shape)
            continue
        which[shape.rows] = np.array([known.setdefault(word, len(known)) for word in words])[of]
        left.append(Shape(found["time"], shape.rows, shape.bytes[: found.end("time")]))
    return left, ZoneWords(tuple(known), which) if known else None


def place_of(word: str) -> str | None:
    """Give the zone that a word mostly means.

    Example:
        >>> place_of("CEST"), place_of("Uhr")
        ('Europe/Berlin', None)
    """
    return next((place for place, words in _LIKELY.items() if word.upper() in words), None)


def ahead_of_utc(
    local: NDArray[np.int64], offset: NDArray[np.int64] | None, words: ZoneWords, zone: str | None, error: Complaint
) -> NDArray[np.int64]:
    """Say how far local times are ahead of UTC, by the zone and the words after them.

    Args:
        local: int64 [N], microseconds since 1970 as written.
        offset: int64 [N], microseconds ahead of UTC, if also written; else None.
        words: after the times.
        zone: IANA name; None if not given.
        error: makes an error from a row, what was expected there, and what to do.

    Returns:
        int64 [N], microseconds.

    Raises:
        DataError: no zone is given, or its clocks had another name at one of the times.
    """
    bare = np.flatnonzero(words.which < 0)
    if len(bare):
        raise error(int(bare[0]), "a zone after the time, as in other rows,", "")
    if zone is None:
        raise _without_zone(words.at(0), error)
    told = tell(local.astype("datetime64[us]"), offset, words, zone)
    wrong = np.flatnonzero(~told.right)
    if len(wrong):
        row = int(wrong[0])
        raise _another_clock(words.at(row), row, int(told.utc[row].astype(np.int64)), zone, error)
    return local - told.utc.astype(np.int64)


def _without_zone(word: str, error: Complaint) -> DataError:
    place = place_of(word)
    if place is None:
        return error(0, "only times", f": remove {word!r}; if it names a zone, also give --time-zone Area/City")
    advice = f": {word} is ambiguous: give --time-zone, such as {place}"
    return error(0, "times in a known zone", advice)


def _another_clock(word: str, row: int, utc: int, zone: str, error: Complaint) -> DataError:
    """Refuse a word that was not the name of the clocks of the zone at that moment."""
    right, place, fixed = called(utc, zone), place_of(word), fixed_for(word, utc, zone)
    other = f"give the --time-zone of {word}, such as {place}, or " if place and place != zone else ""
    advice = f": {other}remove the words after the times" + (f" and give --time-zone {fixed}" if fixed else "")
    if word == right:
        advice = ": this time does not exist there"
    return error(row, f"{right}, the name of the clocks in {zone} at that time,", advice)


def tell(local: Times, offset: NDArray[np.int64] | None, words: ZoneWords, zone: str) -> Told:
    """Convert local times to UTC by their words.

    Args:
        local: datetime64[us] [N].
        offset: int64 [N], microseconds ahead of UTC, if also written; else None.
        words: one for each time.
        zone: IANA name.

    Raises:
        DataError: the zone is unknown.

    Example:
        >>> times = np.array(["2024-10-27T02:30"] * 2, "datetime64[us]")
        >>> tell(times, None, ZoneWords(("cest", "cet"), np.array([0, 1])), "Europe/Berlin").utc.astype(str).tolist()
        ['2024-10-27T00:30:00.000000', '2024-10-27T01:30:00.000000']
    """
    if offset is not None:
        utc = local - offset.astype("timedelta64[us]")
        return Told(utc, _are_called(utc, words, zone) & (to_local(utc, zone) == local))
    first, second = to_utc(local, zone), to_utc(local, zone, later=True)
    utc = np.where(_are_called(first, words, zone), first, second)
    return Told(utc, _are_called(utc, words, zone) & (to_local(utc, zone) == local))


def fixed_for(word: str, utc: int, zone: str) -> str | None:
    """Give the zone that keeps the offset of a word all year; None if the clocks of `zone` never have that name.

    Args:
        word: `EST`.
        utc: microseconds since 1970 of some moment of the year.
        zone: IANA name.

    Example:
        >>> fixed_for("EST", 0, "America/New_York"), fixed_for("PST", 0, "America/New_York")
        ('Etc/GMT+5', None)
    """
    for moment in range(utc, utc + _YEAR_US, _YEAR_US // 12):
        if called(moment, zone).casefold() == _GERMAN.get(word.casefold(), word.casefold()):
            at = np.array([moment], "datetime64[us]")
            hours = (to_local(at, zone) - at)[0] / np.timedelta64(1, "h")
            return f"Etc/GMT{-hours:+.0f}" if hours == round(hours) else None
    return None


def _are_called(utc: Times, words: ZoneWords, zone: str) -> NDArray[np.bool_]:
    """Whether the clocks of a zone have the names after the times: looked up once between two clock changes."""
    at = utc.astype(np.int64)
    turns = turns_of(zone, int(at.min()), int(at.max()))
    key = np.searchsorted(turns.utc, at, side="right") * len(words.words) + words.which
    _, rows, of = np.unique(key, return_index=True, return_inverse=True)
    names = [called(int(at[row]), zone).casefold() for row in rows.tolist()]
    told = [words.words[words.which[row]] for row in rows.tolist()]
    return np.array([_GERMAN.get(word, word) == name for word, name in zip(told, names, strict=True)])[of]
