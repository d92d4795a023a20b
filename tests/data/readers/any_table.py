"""Write tables from a known series, in every dialect, time format and calendar, with what a reader must find.

It shares no code with the readers: dates are counted with `datetime`, texts are written with `strftime`.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = datetime(1970, 1, 1)
MISSING = ("", "NA", "NaN", "nan", "null", "?", "-", "#N/A", "NAN", "unavailable", "unknown", "None", "n/a")


class Form(NamedTuple):
    """How a moment is written.

    Attributes:
        write: converts a moment, naive UTC or local, and its offset in minutes, to the texts of the time columns.
        columns: their names.
        finest_s: the resolution.
        asked: the value for `--time-format`; None if there is none.
        ambiguous: whether day and month may be exchanged.
        zoned: has its zone: local time of Berlin.
    """

    write: Callable[[datetime, int], tuple[str, ...]]
    columns: tuple[str, ...] = ("time",)
    finest_s: float = 1.0
    asked: str | None = None
    ambiguous: bool = False
    zoned: bool = False


def _strf(form: str, finest_s: float, *, ambiguous: bool = False) -> Form:
    return Form(lambda t, _: (t.strftime(form),), finest_s=finest_s, asked=form, ambiguous=ambiguous)


def _offset(minutes: int, colon: str) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{colon}{abs(minutes) % 60:02d}"


def _24(t: datetime, _: int) -> tuple[str, ...]:
    """Write midnight as the end of the day before."""
    if (t.hour, t.minute) == (0, 0):
        return (f"{t - timedelta(days=1):%Y-%m-%d} 24:00",)
    return (f"{t:%Y-%m-%d %H:%M}",)


def _unix(factor: int) -> Form:
    def write(t: datetime, _: int) -> tuple[str, ...]:
        return (str((t - EPOCH) // timedelta(microseconds=1) * factor // 1_000_000),)

    return Form(write, finest_s=1 / min(factor, 10**6))


def _quarter(t: datetime, _: int) -> tuple[str, ...]:
    return (f"{t.year}-Q{(t.month + 2) // 3}",)


DAYS, MONTHS = 86_400.0, 27 * 86_400.0
FORMS: dict[str, Form] = {
    "iso date": _strf("%Y-%m-%d", DAYS),
    "iso basic": _strf("%Y%m%d", DAYS),
    "year": _strf("%Y", 300 * DAYS),
    "month": _strf("%Y-%m", MONTHS),
    "quarter": Form(_quarter, finest_s=80 * DAYS),
    "german date": _strf("%d.%m.%Y", DAYS, ambiguous=True),
    "day slash": _strf("%d/%m/%Y", DAYS, ambiguous=True),
    "month slash": _strf("%m/%d/%Y", DAYS, ambiguous=True),
    "day dash": _strf("%d-%m-%Y", DAYS, ambiguous=True),
    "english": _strf("%d-%b-%Y", DAYS),
    "iso minute": _strf("%Y-%m-%d %H:%M", 60),
    "iso second": _strf("%Y-%m-%dT%H:%M:%S", 1),
    "iso micro": _strf("%Y-%m-%d %H:%M:%S.%f", 1e-6),
    "iso Z": _strf("%Y-%m-%dT%H:%M:%SZ", 1),
    "utc": _strf("%Y-%m-%d %H:%M:%S UTC", 1),
    "24:00": Form(_24, finest_s=60),
    "german minute": _strf("%d.%m.%Y %H:%M", 60, ambiguous=True),
    "german second": _strf("%d.%m.%Y %H:%M:%S", 1, ambiguous=True),
    "american": _strf("%m/%d/%Y %I:%M:%S %p", 1, ambiguous=True),
    "american minute": _strf("%m/%d/%Y %I:%M %p", 60, ambiguous=True),
    "slash": _strf("%Y/%m/%d %H:%M:%S", 1),
    "offset": Form(lambda t, o: (f"{t:%Y-%m-%dT%H:%M:%S}{_offset(o, ':')}",), zoned=True),
    "offset bare": Form(lambda t, o: (f"{t:%Y-%m-%d %H:%M:%S}{_offset(o, '')}",), zoned=True),
    "unix s": _unix(1),
    "unix ms": _unix(10**3),
    "unix us": _unix(10**6),
    "unix ns": _unix(10**9),
    "date and time": Form(lambda t, _: (f"{t:%Y-%m-%d}", f"{t:%H:%M:%S}"), ("Date", "Time"), 1),
    "german date and time": Form(
        lambda t, _: (f"{t:%d.%m.%Y}", f"{t:%H.%M.%S}"), ("Date", "Time"), 1, "%d.%m.%Y %H.%M.%S", ambiguous=True
    ),
    "fields": Form(
        lambda t, _: (str(t.year), str(t.month), str(t.day), str(t.hour)), ("year", "month", "day", "hour"), 3600
    ),
}


class Calendar(NamedTuple):
    """A rhythm: from a first moment to the n-th after it, and its shortest step in seconds."""

    unit: str
    count: float
    next: Callable[[datetime, int], datetime]
    shortest_s: float
    day: int | None = None


def _fixed(seconds: float) -> Calendar:
    return Calendar("second", seconds, lambda t, n: t + timedelta(seconds=seconds * n), seconds)


def _days(count: int) -> Calendar:
    return Calendar("day", count, lambda t, n: t + timedelta(days=count * n), count * DAYS)


def _weekdays(t: datetime, n: int) -> datetime:
    for _ in range(n):
        t += timedelta(days=1)
        while t.weekday() > 4:
            t += timedelta(days=1)
    return t


def _months(count: int, day: int) -> Calendar:
    def following(t: datetime, n: int) -> datetime:
        months = t.year * 12 + t.month - 1 + count * n
        first = datetime(months // 12, months % 12 + 1, 1)
        behind = datetime((months + 1) // 12, (months + 1) % 12 + 1, 1)
        return min(first + timedelta(days=day - 1), behind - timedelta(days=1))

    return Calendar("month", count, following, 28 * count * DAYS, day)


CALENDARS: dict[str, Calendar] = {
    "half a second": _fixed(0.5),
    "7 s": _fixed(7),
    "minute": _fixed(60),
    "10 min": _fixed(600),
    "hour": _fixed(3600),
    "6 h": _fixed(6 * 3600),
    "day": _days(1),
    "week": _days(7),
    "business day": Calendar("business day", 1, _weekdays, DAYS),
    "month": _months(1, 1),
    "end of month": _months(1, 31),
    "quarter": _months(3, 1),
    "end of quarter": _months(3, 31),
    "year": _months(12, 1),
}
HOLIDAYS = 10  # consecutive business days that may be missing without being a gap
START_DAY = {"end of month": 31, "end of quarter": 31}


class Dialect(NamedTuple):
    """How the table is written."""

    delimiter: str
    decimal: str
    quote: str  # "none", "all", "numbers"
    encoding: str
    newline: str
    sep_line: bool
    comments: int
    preamble: int
    empty_lines: bool
    trailing: bool
    header: bool


class Written(NamedTuple):
    """A table and what it holds.

    Attributes:
        content: its bytes.
        columns: of numbers, in the order of the file.
        time: the columns of the time.
        values: float64 [N, C], NaN where missing; a row for every place of the rhythm, also for omitted rows.
        times: datetime64[us] [N], UTC.
        calendar: a key of `CALENDARS`.
        form: a key of `FORMS`.
        dialect: as written.
        zone: the value for `--time-zone`.
        hard: why a reader may ask for an option; empty if it must detect everything.
        options: keyword arguments of `Asking` that leave nothing to detect.
        lines: for each row in the order of the file, its place in the rhythm and its texts.
    """

    content: bytes
    columns: tuple[str, ...]
    time: tuple[str, ...]
    values: np.ndarray
    times: np.ndarray
    calendar: str
    form: str
    dialect: Dialect
    zone: str | None
    hard: tuple[str, ...]
    options: dict[str, Any]
    lines: tuple[tuple[int, tuple[str, ...]], ...]

    def __repr__(self) -> str:
        """Show the first lines for a failure, and what is special about them."""
        first = self.content[:400].decode(errors="backslashreplace")
        return f"{self.form!r}, {self.calendar!r}, zone {self.zone}, hard {self.hard}, {self.dialect}:\n{first}"


def places_between(calendar: str, rows: list[int]) -> list[int]:
    """List the places of the rhythm from the first of some rows to the last; holidays are not business days."""
    if calendar != "business day":
        return list(range(rows[0], rows[-1] + 1))
    found = rows[:1]
    for before, row in itertools.pairwise(rows):
        found += [row] if row - before - 1 <= HOLIDAYS else range(before + 1, row + 1)
    return found


@st.composite
def written_tables(draw: st.DrawFn, rows: int = 30) -> Written:
    """Draw a series and write it as a table."""
    pick: Callable[..., Any] = lambda *choices: draw(st.sampled_from(choices))  # noqa: E731
    calendar_name = pick(*CALENDARS)
    calendar = CALENDARS[calendar_name]
    whole_months = calendar.unit == "month" and calendar.day == 1
    fitting = [
        name
        for name, form in FORMS.items()
        if form.finest_s <= calendar.shortest_s
        and (name not in ("month", "quarter", "year") or whole_months)
        and (name != "quarter" or calendar.count == 3)
        and (name != "year" or calendar.count == 12)
        and (not form.zoned or calendar.unit == "second")
    ]
    form_name = pick(*fitting)
    form = FORMS[form_name]
    rng = random.Random(draw(st.integers(0, 2**32)))
    start = _start(rng, calendar_name, form_name)
    zone = "Europe/Berlin" if _may_be_local(form, calendar) and draw(st.booleans()) else None
    if zone:  # in October an hour is repeated, and times without a zone cannot tell which it is
        start = start.replace(month=6)
    moments = [calendar.next(start, n) for n in range(rows)]
    offsets = [_berlin_minutes(moment) if form.zoned or zone else 0 for moment in moments]
    walls = [moment + timedelta(minutes=ahead) for moment, ahead in zip(moments, offsets, strict=True)]
    dialect = _draw_dialect(draw, form)
    columns, texts = _draw_numbers(draw, rng, rows, dialect)
    values = np.array([[_as_number(text, dialect.decimal) for text in row] for row in texts])
    kept = _kept(draw, rng, rows)
    times = np.array(moments, "M8[us]")
    values[[n for n in range(rows) if n not in kept]] = np.nan
    lines = [(n, (*form.write(walls[n], offsets[n]), *texts[n])) for n in kept]
    lines = _in_order(draw, rng, lines)
    names = (*form.columns, *columns)
    if not dialect.header:
        names = tuple(str(i + 1) for i in range(len(names)))
    content = write_down(dialect, names, [line for _, line in lines])
    time, columns = names[: len(form.columns)], names[len(form.columns) :]
    hard = _hard(walls, kept, form, calendar_name, texts, dialect)
    options = {"delimiter": dialect.delimiter, "decimal": dialect.decimal, "skip_rows": dialect.preamble}
    options |= {"header": dialect.header} | ({"time_format": form.asked} if form.asked else {})
    if form_name == "unix ns" and moments[kept[0]].year == 1990:  # also 100 ns since the year 1, as in .NET
        options["time_format"] = "epoch ns"
        hard = (*hard, "ticks of .NET")
    if dialect.sep_line:
        del options["delimiter"]
    return Written(
        content, columns, time, values, times, calendar_name, form_name, dialect, zone, hard, options, tuple(lines)
    )


def _start(rng: random.Random, calendar: str, form: str) -> datetime:
    """A first moment that is in the calendar."""
    day = datetime(rng.randint(1990, 2030), rng.randint(1, 12), rng.randint(1, 28))
    unit = CALENDARS[calendar].unit
    if unit == "month":
        count = int(CALENDARS[calendar].count)
        month = (1 + (day.month - 1) // count * count) if START_DAY.get(calendar) is None else 3
        first = datetime(day.year, month, 1)
        return CALENDARS[calendar].next(first, 0)
    while unit == "business day" and day.weekday() > 4:
        day += timedelta(days=1)
    if unit in ("day", "business day"):
        return day
    step = CALENDARS[calendar].count
    seconds = rng.randrange(86_400)
    aligned = int(seconds // step * step) if step >= 1 else seconds
    return day + timedelta(seconds=aligned)


def _may_be_local(form: Form, calendar: Calendar) -> bool:
    """Whether a timestamp is local time, so that a zone changes its moment."""
    return (
        not form.zoned
        and calendar.unit == "second"
        and "Z" not in (form.asked or "")
        and ("UTC" not in (form.asked or "") and form.asked is not None)
    )


def _berlin_minutes(moment: datetime) -> int:
    offset = moment.replace(tzinfo=timezone.utc).astimezone(BERLIN).utcoffset()
    return int((offset or timedelta(0)).total_seconds() // 60)


def _draw_dialect(draw: st.DrawFn, form: Form) -> Dialect:
    delimiter = draw(st.sampled_from([",", ",", ";", "\t", "|", " "]))
    decimal = draw(st.sampled_from([".", ",", "."]))
    quote = draw(st.sampled_from(["none", "all", "none"]))
    if delimiter == decimal:
        quote = "all"
    if delimiter == " ":
        quote = "all" if any(" " in text for text in form.write(datetime(2020, 5, 17, 13), 0)) else quote
    header = draw(st.sampled_from([True, True, True, False]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    sep_line = delimiter != " " and draw(st.sampled_from([False, False, False, True]))
    comments = 0 if sep_line else draw(st.sampled_from([0, 0, 0, 2]))  # `sep=` is the first line
    lonely = header and not sep_line and not comments and delimiter != " "
    preamble = draw(st.sampled_from([0, 0, 0, 0, 3])) if lonely else 0
    trailing = delimiter in ";," and header and draw(st.sampled_from([False, False, True]))
    return Dialect(
        delimiter,
        decimal,
        quote,
        encoding,
        newline,
        sep_line,
        comments,
        preamble,
        draw(st.booleans()),
        trailing,
        header,
    )


def _draw_numbers(
    draw: st.DrawFn, rng: random.Random, rows: int, dialect: Dialect
) -> tuple[tuple[str, ...], list[list[str]]]:
    count = draw(st.integers(1, 3))
    names = draw(st.permutations(["load", "CO(GT)", "T (degC)", "Wärme", "p0", "value"]))[:count]
    if dialect.delimiter == " ":
        names = [name.replace(" ", "_") for name in names]
    kinds = [draw(st.sampled_from(["2", "4", "repr", "e", "int"])) for _ in range(count)]
    words = [word for word in MISSING if dialect.delimiter != " " or word]
    missing = draw(st.sampled_from(words))
    share = draw(st.sampled_from([0.0, 0.0, 0.1]))
    level = draw(st.sampled_from([0.0, 20.0, 1e6, -3.0]))
    size = draw(st.sampled_from([1.0, 100.0, 1e-6]))
    texts = [[_text(level + size * rng.gauss(0, 1), kind, dialect.decimal) for kind in kinds] for _ in range(rows)]
    for row in range(1, rows - 1):
        for column in range(count):
            if rng.random() < share:
                texts[row][column] = missing
    return tuple(names), texts


def _text(value: float, kind: str, decimal: str) -> str:
    if kind == "int":
        return str(round(value * 10))
    text = {"repr": repr, "e": lambda v: f"{v:.5e}"}.get(kind, lambda v: f"{v:.{kind}f}")(value)
    return text.replace(".", decimal)


def _as_number(text: str, decimal: str) -> float:
    return float("nan") if text in MISSING else float(text.replace(decimal, "."))


def _kept(draw: st.DrawFn, rng: random.Random, rows: int) -> list[int]:
    """The rows to write: all, or with some omitted, but so that most steps still show the rhythm."""
    if draw(st.sampled_from([True, True, False])):
        return list(range(rows))
    gone = {rng.randrange(2, rows - 2) for _ in range(rng.randint(1, 3))}
    if rng.random() < 0.3:
        gone = set(range(rows // 2, rows // 2 + 5))
    return [n for n in range(rows) if n not in gone]


def _in_order(
    draw: st.DrawFn, rng: random.Random, lines: list[tuple[int, tuple[str, ...]]]
) -> list[tuple[int, tuple[str, ...]]]:
    order = draw(st.sampled_from(["forward", "forward", "backward", "mixed", "twice"]))
    if order == "backward":
        return lines[::-1]
    if order == "mixed":
        return rng.sample(lines, len(lines))
    if order == "twice":
        place = rng.randrange(len(lines))
        return [*lines[: place + 1], *lines[place:]]
    return lines


def write_down(dialect: Dialect, names: tuple[str, ...], lines: list[tuple[str, ...]]) -> bytes:
    """Write a table in the dialect."""
    text = [f"# logger line {n}" for n in range(dialect.comments)]
    text += [f"sep={dialect.delimiter}"] if dialect.sep_line else []
    text += [f"Station 12 line {n}" for n in range(dialect.preamble)]
    width = len(names) + (2 if dialect.trailing else 0)
    if dialect.header:
        text.append(_line(dialect, names, width, quoted=dialect.delimiter in "".join(names) or dialect.quote == "all"))
    for n, line in enumerate(lines):
        text.append(_line(dialect, line, width, quoted=dialect.quote == "all"))
        if dialect.empty_lines and n == 3 and dialect.header:
            text.append("")
    if dialect.empty_lines:
        text.append(dialect.delimiter * (width - 1) if dialect.delimiter in ";," else "")
    whole = dialect.newline.join(text) + dialect.newline
    encoding = dialect.encoding if dialect.encoding != "latin-1" or "Wärme" in whole else "utf-8"
    return whole.encode(encoding)


def _line(dialect: Dialect, fields: tuple[str, ...], width: int, quoted: bool) -> str:
    padded = [f'"{field}"' if quoted else field for field in fields] + [""] * (width - len(fields))
    return dialect.delimiter.join(padded)


def _hard(
    walls: list[datetime], kept: list[int], form: Form, calendar: str, texts: list[list[str]], dialect: Dialect
) -> tuple[str, ...]:
    """Say why two readings are possible, so that a reader is right to ask."""
    found = []
    days = [walls[n].day for n in kept]
    months = [walls[n].month for n in kept]
    if form.ambiguous and max(days) <= 12 and max(months) <= 12:
        found.append("day and month")
    for column in zip(*texts, strict=True):
        known = [text for text in column if text not in MISSING]
        if dialect.decimal == "," and all(_like_thousands(text) for text in known):
            found.append("thousands")
    if dialect.preamble:
        found.append("preamble")
    if not dialect.header:
        found.append("header")
    return tuple(found)


def _like_thousands(text: str) -> bool:
    whole, comma, digits = text.lstrip("-").partition(",")
    return not comma or (len(digits) == 3 and digits.isdigit() and 1 <= len(whole) <= 3 and whole != "0")
