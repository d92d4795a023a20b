"""Read the times of a table: detect their format, and convert them to moments.

The whole column decides. Its texts allow a set of formats; the options, the names of the columns, days that do not
exist and equal steps between rows must leave one of them, else an error names `--time-format`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Stamps, TimeAsk
from edgelstm.data.readers.columns.fields import Place
from edgelstm.data.readers.columns.words import MISSING_AMONG_NUMBERS
from edgelstm.data.readers.rows import rhythms
from edgelstm.data.readers.times import epochs
from edgelstm.data.readers.times.forms import (
    FIELD_NAMES,
    WEEKDAYS,
    Candidate,
    Core,
    candidates_of,
    core_of,
    names_offset,
)
from edgelstm.data.readers.times.languages import in_english
from edgelstm.data.readers.times.moments import (
    Moments,
    among_words,
    by_strptime,
    moments_of,
    shape_with_words,
    weekday_of,
)
from edgelstm.data.readers.times.offsets import refuse_other_kind
from edgelstm.data.readers.times.shapes import Shape, shapes_of
from edgelstm.data.readers.times.zones import local_to_utc
from edgelstm.data.readers.times.zonewords import ZoneWords, ahead_of_utc, cut, place_of
from edgelstm.errors import DataError
from edgelstm.reading import ISO, ISO_WITH_OFFSET, ISO_WITHOUT_OFFSET, TimeForm
from edgelstm.rhythm import DAY_US
from edgelstm.zones import to_local

_MISSING = MISSING_AMONG_NUMBERS | {"nat"}
_STRANGE = re.compile(r"x|b\. |0\. b")
_EXPECTED = "ISO 8601 (2001-12-29 13:00:00) or another common time format"
_ZONED = "a zone after the time, as in other rows,"
_WORD_BEHIND = re.compile(r"\s?[A-Za-z]+\s*$")
_CENTURY_OPEN = 2050  # from here to 2068, where strptime ends, two digits may also mean the century before
_OMIT = "omit --time if rows are equally spaced"


class _Way(NamedTuple):
    """One way to read the whole column: the core of its forms, and the candidate of each shape that fits."""

    core: Core
    of: tuple[Candidate | None, ...]


class _Column(NamedTuple):
    """What is read: texts, how to name them in messages, and their shapes without the names of zones at the end."""

    texts: Sequence[str]
    ask: TimeAsk
    place: Place
    shapes: list[Shape]
    words: ZoneWords | None = None

    @property
    def name(self) -> str:
        return " ".join(self.ask.columns)

    def error(self, row: int, expected: str, advice: str = "") -> DataError:
        got = self.texts[row].strip()[:40]
        return DataError(f"{self.place(row)}: expected {expected} in column {self.name!r}, got {got!r}{advice}")


def read_stamps(texts: Sequence[str], ask: TimeAsk, place: Place) -> Stamps:
    """Read a column of times, or several joined by one blank.

    Args:
        texts: of each row, at least one.
        ask: how to read them.
        place: names a row in a message, `"data.csv: line 7"`.

    Raises:
        DataError: a time is missing or invalid, the format is not the one asked for, or several formats fit.

    Example:
        >>> stamps = read_stamps(["1.2.2020 10:00", "13.2.2020 10:00"], TimeAsk(("t",)), str)
        >>> stamps.form.form, stamps.utc.astype(str).tolist()[0]
        ('%d.%m.%Y %H:%M', '2020-02-01T10:00:00.000000')
    """
    column = _Column(texts, ask, place, *_shapes(texts))
    _refuse_missing(column)
    form, moments = _found(column)
    return _stamps(column, form, moments)


def moments_in(texts: Sequence[str]) -> NDArray[np.int64] | None:
    """Give the moments of texts that are clearly times, all in one format: int64 [N], microseconds; else None.

    Names of zones are ignored, and the first of two formats is taken: the result only shows the order of the rows.

    Example:
        >>> moments_in(["1970-01-01 00:01 CET", "1970-01-01 00:02 CET"]), moments_in(["1-01", "1-02"])
        (array([ 60000000, 120000000]), None)
    """
    column = _Column(texts, TimeAsk(()), str, _shapes(texts)[0])
    try:
        moments = _found(column)[1]
    except DataError:
        try:
            readable = (_read(column, way) for way in _ways(column, None) if None not in way.of)
            moments = next(moments for moments in readable if moments.valid.all())
        except (DataError, StopIteration):
            return None
    return moments.local if moments.offset is None else moments.local - moments.offset


def stamps_of(
    local: NDArray[np.int64],
    offset: NDArray[np.int64] | None,
    form: str,
    ask: TimeAsk,
    place: Place,
    resolution_us: int = 1,
    example: str = "",
) -> Stamps:
    """Convert times to UTC.

    Args:
        local: int64 [N], microseconds since 1970 as written.
        offset: int64 [N], microseconds that the written times are ahead of UTC; None without a zone.
        form: how they are written.
        ask: for the zone.
        place: names a row.
        resolution_us: see `Stamps`.
        example: see `Stamps`.

    Raises:
        DataError: the zone is unknown, a time does not exist there in spring, or times have an offset if those of
            training had none, or the other way round.
    """
    if form == ISO:
        form = ISO_WITHOUT_OFFSET if offset is None else ISO_WITH_OFFSET
    refuse_other_kind(form, ask, place, example)
    zone = ask.zone or (ask.like.zone if ask.like else None)
    notes: tuple[str, ...] = ()
    wall = local.astype("datetime64[us]")
    if offset is not None:
        utc = (local - offset).astype("datetime64[us]")
        wall = wall if zone is None else to_local(utc, zone)
    elif zone is not None:
        utc, notes = local_to_utc(wall, zone, place, ask.series)
    else:
        utc = wall
        if resolution_us < DAY_US and ask.like is None:
            notes = ("times have no zone and are read as UTC; for local times give --time-zone Europe/Berlin",)
    return Stamps(utc, wall, TimeForm(ask.columns, form, zone), resolution_us, notes, example)


def _shapes(texts: Sequence[str]) -> tuple[list[Shape], ZoneWords | None]:
    """The shapes of texts; of their translation if they have unknown words, or points after months."""
    shapes, words = cut(shapes_of(texts), len(texts))
    strange = any(not shape.text or _STRANGE.search(shape_with_words(shape)) for shape in shapes)
    return cut(shapes_of(in_english(texts)), len(texts)) if strange else (shapes, words)


def _refuse_missing(column: _Column) -> None:
    for shape in column.shapes:
        if any(character in shape.text for character in "0"):
            continue
        rows = np.arange(len(column.texts))[shape.rows]
        for row in rows.tolist():
            if column.texts[row].strip().casefold() in _MISSING:
                raise DataError(f"{column.place(row)}: the timestamp in column {column.name!r} is missing")


def _found(column: _Column) -> tuple[str, Moments]:
    """Choose the one way to read the column: the one asked for, else the one that its texts allow."""
    wanted = _wanted(column.ask)
    if wanted in epochs.UNITS:
        return _as_epoch(column, wanted)
    ways = _ways(column, core_of(wanted) if wanted else None)
    if wanted is not None and not any(None not in way.of for way in ways):
        if ways and wanted == ISO:
            raise _unreadable(column, ways, [])
        return _in_words(column, wanted)
    numbers = epochs.epochs_of(column.shapes, len(column.texts)) if wanted is None else None
    unit = None if numbers is None else epochs.unit_of(numbers)
    readable = [(way, _read(column, way)) for way in ways if None not in way.of]
    valid = [(way, moments) for way, moments in readable if moments.valid.all()]
    # Columns of year, month and day also fit as day of the year and hour, as long as these are small.
    plain = any(way.core.date == "%Y %m %d" for way, _ in valid)
    fitting = [(_form(way), moments) for way, moments in valid if not (plain and way.core.date == "%Y %j")]
    if unit is not None and numbers is not None:
        if unit == "epoch ns" and epochs.may_be_ticks(numbers):
            advice = ", which may be 100 ns ticks of Windows or .NET: write dates, or give --time-format 'epoch ns'"
            raise column.error(0, "nanoseconds since 1970", advice)
        fitting.append((unit, _moments_of_numbers(numbers, unit)))
    if not fitting:
        raise _unreadable(column, ways, readable)
    form, moments = _decide(column, fitting) if len(fitting) > 1 else fitting[0]
    if wanted is None and form.startswith("%Y %j") and not _say_days_of_year(column.ask.columns):
        advice = f": if these are days of the year, give --time-format {form!r}; if they are weeks, {_OMIT}"
        raise column.error(0, "a date", advice)
    if wanted is None and "%y" in form:
        _refuse_centuries(column, form, moments)
    return form, moments


def _wanted(ask: TimeAsk) -> str | None:
    """The format asked for, else that of training; both kinds of ISO 8601 are read here, and one is refused later."""
    if ask.format is not None:
        return "epoch s" if ask.format == "%s" else ask.format
    trained = ask.like.form if ask.like else None
    return ISO if trained in (ISO_WITH_OFFSET, ISO_WITHOUT_OFFSET) else trained


def _ways(column: _Column, wanted: Core | None) -> list[_Way]:
    """List the ways to read at least one shape; a date without a clock among times with one is midnight.

    If both fit, `15` is the hour, not a quarter past midnight, unless `wanted` says so.
    """
    found = [candidates_of(shape_with_words(shape)) for shape in column.shapes]
    cores = dict.fromkeys(candidate.core for candidates in found for candidate in candidates)
    ways = []
    for core in cores:
        by_core = [next((c for c in candidates if c.core == core), None) for candidates in found]
        midnights = [next((c for c in candidates if c.core == Core(core.date, "")), None) for candidates in found]
        ways.append(_Way(core, tuple(a or b for a, b in zip(by_core, midnights, strict=True))))
    ways = [way for way in ways if wanted is None or _same(way.core, wanted)]
    whole = {way.core for way in ways if None not in way.of}
    ways = [way for way in ways if not (way.core.clock == "hhmm" and Core(way.core.date, "24") in whole)]
    return _named(column, [way for way in ways if not _mostly_midnights(column, way)])


def _mostly_midnights(column: _Column, way: _Way) -> bool:
    bare = sum(
        shape.bytes.shape[1]
        for shape, candidate in zip(column.shapes, way.of, strict=True)
        if candidate is not None and candidate.core != way.core
    )
    return bool(2 * bare > len(column.texts))


def _named(column: _Column, ways: list[_Way]) -> list[_Way]:
    """Drop ways that contradict the names of the columns, `year month day hour`."""
    letters = [FIELD_NAMES.get(name.strip().lower()) for name in column.ask.columns]
    numbers = max(len(re.findall("[0a-z]+", shape.text)) for shape in column.shapes)
    if len(letters) < 2 or None in letters or numbers > len(letters):
        return ways  # a column `day` may hold whole dates

    def fits(way: _Way) -> bool:
        fields = next(candidate.fields for candidate in way.of if candidate is not None)
        order = sorted(fields.keys() - {"f", "a"}, key=lambda letter: fields[letter])
        return [{"y": "Y", "b": "m"}.get(letter, letter) for letter in order] == letters

    return [way for way in ways if fits(way)]


def _same(core: Core, wanted: Core) -> bool:
    """Whether a core is the one asked for; `iso` allows every usual clock, and midnights need none."""
    if core.date != wanted.date:
        return False
    return (wanted.date == ISO and wanted.clock != "hhmm") or core.clock in (wanted.clock, "")


def _read(column: _Column, way: _Way) -> Moments:
    """Read all rows in one way that fits all shapes."""
    parts = [moments_of(shape, candidate) for shape, candidate in zip(column.shapes, way.of, strict=True) if candidate]
    if len(parts) == 1:
        return parts[0]
    rows = len(column.texts)
    local, offset, valid, zoned = np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(rows, bool), set()
    mistold = np.full(rows, -1)
    for shape, part in zip(column.shapes, parts, strict=True):
        local[shape.rows], valid[shape.rows] = part.local, part.valid
        mistold[shape.rows] = -1 if part.mistold is None else part.mistold
        zoned.add(part.offset is not None)
        if part.offset is not None:
            offset[shape.rows] = part.offset
    if len(zoned) > 1:
        raise _partly_zoned(column, parts)
    resolution_us = min(part.resolution_us for part in parts)
    return Moments(local, offset if zoned == {True} else None, valid, resolution_us, mistold)


def _partly_zoned(column: _Column, parts: list[Moments]) -> DataError:
    bare = [_first_row(shape) for shape, part in zip(column.shapes, parts, strict=True) if part.offset is None]
    return column.error(min(bare), _ZONED)


def _form(way: _Way) -> str:
    """The longest of its forms: texts may omit seconds and fractions that are zero."""
    forms = [candidate.form for candidate in way.of if candidate is not None and candidate.core == way.core]
    return max(forms, key=len)


def _decide(column: _Column, fitting: list[tuple[str, Moments]]) -> tuple[str, Moments]:
    """Take the only reading with equal steps; of several, the only one in which the rows are sorted."""
    evidence: tuple[Callable[[Moments], bool], ...] = (
        lambda moments: rhythms.is_even(moments.local.astype("datetime64[us]"), moments.resolution_us),
        lambda moments: bool((np.diff(moments.local) >= 0).all() or (np.diff(moments.local) <= 0).all()),
    )
    left = fitting
    for holds in evidence:
        kept = [(form, moments) for form, moments in left if holds(moments)]
        left = kept or left
    if len(left) == 1:
        return left[0]
    forms = " or ".join(f"--time-format {form!r}" for form, _ in left)
    raise column.error(0, "unambiguous times", f", which can be read in {len(left)} ways: give {forms}")


def _say_days_of_year(columns: tuple[str, ...]) -> bool:
    """Whether a column is called so, or there is only one column: `2020 7` in two columns may also be a week."""
    return len(columns) == 1 or any(FIELD_NAMES.get(name.strip().lower()) == "j" for name in columns)


def _refuse_centuries(column: _Column, form: str, moments: Moments) -> None:
    """Refuse two digits such as `60`, which strptime reads as a year far ahead, but most tables mean as a past one."""
    years = 1970 + moments.local.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64)
    late = np.flatnonzero(years >= _CENTURY_OPEN)
    if len(late):
        year = int(years[late[0]])
        advice = (
            f": {year % 100} may be {year - 100} or {year}: write all digits, or give --time-format {form!r} for {year}"
        )
        raise column.error(int(late[0]), "a four-digit year", advice)


def _as_epoch(column: _Column, unit: str) -> tuple[str, Moments]:
    numbers = epochs.epochs_of(column.shapes, len(column.texts))
    if numbers is None:
        row = next(_first_row(shape) for shape in column.shapes if epochs.epochs_of([shape], len(column.texts)) is None)
        raise column.error(row, f"numbers since 1970 ({unit})", _otherwise(column))
    told = epochs.unit_of(numbers)
    if column.ask.format is None and told is not None and told != unit:
        raise column.error(0, f"times as {unit}", f", which looks like {told}{_otherwise(column)}")
    return unit, _moments_of_numbers(numbers, unit)


def _moments_of_numbers(numbers: epochs.Epochs, unit: str) -> Moments:
    local = epochs.moments(numbers, unit)
    return Moments(local, np.zeros_like(local), np.ones(len(local), bool), epochs.resolution_us(numbers, unit))


def _in_words(column: _Column, form: str) -> tuple[str, Moments]:
    """Read with `strptime`, each different text once."""
    if form == ISO:
        raise column.error(0, "ISO 8601 times such as 2001-12-29T13:00:00", _otherwise(column))
    known: dict[str, tuple[int, int | None]] = {}
    texts = column.texts
    if column.words is not None:
        texts, form = [_WORD_BEHIND.sub("", text) for text in texts], re.sub(" ?%Z$", "", form)
    for row, text in enumerate(texts):
        if text in known:
            continue
        found = by_strptime(text.strip(), form)
        if found is None:
            raise column.error(row, f"times in the format {form!r}", _otherwise(column))
        if re.search("%[aAcuw]", form) and (day := weekday_of(text.strip(), form)) >= 0:
            raise _mistold(column, row, day)
        known[text] = found
    pairs = [known[text] for text in texts]
    _refuse_zones(column, form, [zone is not None for _, zone in pairs])
    local = np.array([moment for moment, _ in pairs], np.int64)
    offset = None if pairs[0][1] is None else np.array([zone or 0 for _, zone in pairs], np.int64)
    clock = next((size for word, size in (("%f", 1), ("%S", 10**6), ("%M", 6 * 10**7)) if word in form), 36 * 10**8)
    return form, Moments(local, offset, np.ones(len(local), bool), clock if core_of(form).clock else DAY_US)


def _refuse_zones(column: _Column, form: str, zoned: list[bool]) -> None:
    """Refuse a zone name without an offset: `CET` fits `%Z` only if the machine itself is in that zone."""
    zone = column.ask.zone or (column.ask.like.zone if column.ask.like else None)
    if all(zoned) or not names_offset(form) or (zone is not None and not any(zoned)):
        return
    raise column.error(
        zoned.index(False), "UTC or an offset from it", ": if all rows are in one zone, give --time-zone"
    )


def _otherwise(column: _Column) -> str:
    """What to do about a format that was asked for, or was that of training."""
    if column.ask.format is not None:
        return ": fix it, or give another --time-format"
    return ", unlike in training: give the --time-format of this table"


def _unreadable(column: _Column, ways: list[_Way], readable: list[tuple[_Way, Moments]]) -> DataError:
    """Name the first row that does not fit the most likely way."""
    name = "give their format, such as --time-format '%d/%m/%Y %H:%M'"
    if readable:
        _, moments = max(readable, key=lambda pair: int(pair[1].valid.sum()))
        row = int(np.flatnonzero(~moments.valid)[0])
        if moments.mistold is not None and moments.mistold[row] >= 0:
            return _mistold(column, row, int(moments.mistold[row]))
        if moments.valid.any():
            example = column.texts[int(np.flatnonzero(moments.valid)[0])].strip()[:40]
            return column.error(row, f"a timestamp like {example!r}", ": this day or time does not exist")
        if epochs.epochs_of(column.shapes, len(column.texts)) is None:
            return column.error(row, "a valid day and time", f": {name}")
        ways = []
    sizes = [shape.bytes.shape[1] for shape in column.shapes]
    odd = next((rows for rows in map(among_words, column.shapes) if rows is not None), None)
    if not ways and odd is not None:
        return column.error(odd[1], f"a timestamp like {column.texts[odd[0]].strip()[:40]!r}")
    if not ways:
        place = next(filter(None, map(place_of, re.findall("[A-Z]{2,5}", column.texts[0]))), None)
        zoned = f" without the zone, and --time-zone {place} or another" if place else ""
        return column.error(0, _EXPECTED, f", which is not a date: {_OMIT}, or {name}{zoned}")
    best = max(ways, key=lambda way: sum(n for n, of in zip(sizes, way.of, strict=True) if of is not None))
    fitting = [_first_row(shape) for shape, of in zip(column.shapes, best.of, strict=True) if of is not None]
    others = [_first_row(shape) for shape, of in zip(column.shapes, best.of, strict=True) if of is None]
    example = column.texts[min(fitting)].strip()[:40]
    return column.error(min(others), f"a timestamp like {example!r}")


def _mistold(column: _Column, row: int, day: int) -> DataError:
    advice = ": fix the row, or remove the weekdays"
    return column.error(row, f"the weekday of the date, {WEEKDAYS[day].capitalize()},", advice)


def _first_row(shape: Shape) -> int:
    return 0 if isinstance(shape.rows, slice) else int(shape.rows[0])


def _stamps(column: _Column, form: str, moments: Moments) -> Stamps:
    example = column.texts[0].strip()
    offset, words, ask = moments.offset, column.words, column.ask
    if words is not None:
        zone = ask.zone or (ask.like.zone if ask.like else None)
        offset = ahead_of_utc(moments.local, offset, words, zone, column.error)
    return stamps_of(moments.local, offset, form, column.ask, column.place, moments.resolution_us, example)
