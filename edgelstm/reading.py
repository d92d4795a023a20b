"""How a table was read: what training detected, so that a device reads the next table in the same way.

These are parts of the contract, so they are named tuples of plain values; `edgelstm.data.readers` fills and follows
them, `edgelstm.rhythm` counts in a rhythm.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Duplicates = Literal["error", "first", "last", "mean"]
Gaps = Literal["interpolate", "forward", "drop", "error"]
DUPLICATES: tuple[str, ...] = get_args(Duplicates)
GAPS: tuple[str, ...] = get_args(Gaps)
ENCODINGS = ("utf-8", "utf-16", "latin-1")
UNITS = {"second": 1.0, "day": 86_400.0, "business day": 7 / 5 * 86_400.0, "month": 365.2425 / 12 * 86_400.0}
ISO, ISO_WITH_OFFSET, ISO_WITHOUT_OFFSET = "iso", "iso with offset", "iso without offset"
_NAMES = {
    (1, "day"): "day",
    (7, "day"): "week",
    (1, "business day"): "business day",
    (1, "month"): "month",
    (3, "month"): "quarter",
    (12, "month"): "year",
}


class Dialect(NamedTuple):
    """How a text table is written.

    Attributes:
        delimiter: one character between two fields; `" "` stands for runs of blanks.
        decimal: `"."` or `","`; empty if no number had one, so that it is unknown.
        thousands: between groups of three digits; empty if there is none.
        encoding: `"utf-8"`, `"utf-16"` or `"latin-1"`; a byte order mark is skipped.
        skip_rows: lines before the header.
        header: the first line names the columns; otherwise their names are their numbers, `"1"`, `"2"`, ...
        row_names: each row begins with a name, for which the header has no field.
    """

    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    skip_rows: int = 0
    header: bool = True
    row_names: bool = False


class TimeForm(NamedTuple):
    """How the time of a row is written.

    Attributes:
        columns: the columns that are joined with a blank to one timestamp, in this order.
        form: `"iso with offset"` if each names UTC or its offset from it, `"iso without offset"` if none does, `"iso"`
            in files that did not record which; `"epoch s"`, `"epoch ms"`, `"epoch us"`, `"epoch ns"` since 1970; or a
            format of `strptime`, with `%q` for a quarter from 1 to 4.
        zone: IANA zone of timestamps without one, `"Europe/Berlin"`; None: they are read as UTC.
    """

    columns: tuple[str, ...]
    form: str
    zone: str | None = None


class Rhythm(NamedTuple):
    """The spacing of samples: the time from one to the next.

    Attributes:
        unit: `"second"`, `"day"`, `"business day"` (Monday to Friday) or `"month"`.
        count: how many of them; 3600.0 seconds, 7 days, 3 months. A whole number except for seconds.
        day: for months: the day of a sample; 31 is the last day. None for the other units.

    Example:
        >>> Rhythm("second", 600.0).name, Rhythm("day", 7).name, Rhythm("month", 3, 1).name
        ('10 min', 'week', 'quarter')
    """

    unit: str
    count: float  # type: ignore[assignment]  # hides tuple.count, which nothing uses
    day: int | None = None

    @property
    def period_s(self) -> float:
        """Seconds from one sample to the next; for months and business days on average."""
        return self.count * UNITS[self.unit]

    @property
    def name(self) -> str:
        """The usual name of the rhythm."""
        if self.unit != "second":
            return _NAMES.get((int(self.count), self.unit), f"{self.count:g} {self.unit}s")
        for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
            if self.count >= size:
                return f"{self.count / size:g} {unit}"
        return f"{self.count:g} s"


class Reading(NamedTuple):
    """How the training table of a network was read, and how the next one is.

    Attributes:
        format: a key of `edgelstm.data.readers.FORMATS`.
        dialect: of a text table; None for other formats.
        missing: words and numbers that mark a missing sample, in addition to the usual words.
        time: None for a table without a time column.
        series: the column that identifies the series; None if the table is one series, or the format separates them.
        rhythm: None without time.
        resample: the length of the bins into which rows were averaged, `"1h"`, `"1mo"`; None: rows were not averaged.
        duplicates: one of `DUPLICATES`: what to do with different rows of the same time.
        gaps: one of `GAPS`: how to fill missing samples.
        max_gap: the longest gap to fill, in samples; None: no limit.
    """

    format: str
    dialect: Dialect | None
    missing: tuple[str, ...]
    time: TimeForm | None
    series: str | None
    rhythm: Rhythm | None
    resample: str | None
    duplicates: str
    gaps: str
    max_gap: int | None
