"""How a table was read: what training understood of it, so that a device reads the next one in the same way.

Parts of the contract, and so named tuples of plain values; `edgelstm.data.readers` fills and follows them,
`edgelstm.rhythm` counts in a rhythm.
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
        delimiter: between two fields, one character; `" "` stands for runs of blanks.
        decimal: `"."` or `","`; empty where no number had one, so that nobody knows.
        thousands: between groups of three digits; empty where there is none.
        encoding: `"utf-8"`, `"utf-16"` or `"latin-1"`; a byte order mark is passed over.
        skip_rows: lines in front of the header.
        header: the first line names the columns; else they are called by their numbers, `"1"`, `"2"`, ...
        row_names: each row begins with a name of its own, for which the header has no field.
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
        columns: that make it, in the order in which their texts are joined by a blank.
        form: `"iso with offset"` where each names UTC or its offset from it, `"iso without offset"` where none does,
            `"iso"` in files that did not record which; `"epoch s"`, `"epoch ms"`, `"epoch us"`, `"epoch ns"` since
            1970; or a format of `strptime`, with `%q` for a quarter from 1 to 4.
        zone: IANA zone of stamps that do not name one, `"Europe/Berlin"`; None: they are taken as UTC.
    """

    columns: tuple[str, ...]
    form: str
    zone: str | None = None


class Rhythm(NamedTuple):
    """What lies between one sample and the next.

    Attributes:
        unit: `"second"`, `"day"`, `"business day"` (Monday to Friday) or `"month"`.
        count: of those; 3600.0 seconds, 7 days, 3 months. Whole but for seconds.
        day: of months: the day on which a sample lies; 31 is the last. None for the other units.

    Example:
        >>> Rhythm("second", 600.0).name, Rhythm("day", 7).name, Rhythm("month", 3, 1).name
        ('10 min', 'week', 'quarter')
    """

    unit: str
    count: float  # type: ignore[assignment]  # nobody asks how often a tuple holds something
    day: int | None = None

    @property
    def period_s(self) -> float:
        """Seconds from one sample to the next; of months and business days on average."""
        return self.count * UNITS[self.unit]

    @property
    def name(self) -> str:
        """What people call it."""
        if self.unit != "second":
            return _NAMES.get((int(self.count), self.unit), f"{self.count:g} {self.unit}s")
        for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
            if self.count >= size:
                return f"{self.count / size:g} {unit}"
        return f"{self.count:g} s"


class Reading(NamedTuple):
    """How the table of a network was read, and how the next one is.

    Attributes:
        format: a key of `edgelstm.data.readers.FORMATS`.
        dialect: of a text table; None for other formats.
        missing: words and numbers that stand for a missing sample, beside the usual words.
        time: None for a table without a column of time.
        series: the column that tells series apart; None where the table is one, or the format itself tells.
        rhythm: None without time.
        resample: the bins that rows were averaged into, `"1h"`, `"1mo"`; None: rows were taken as they are.
        duplicates: one of `DUPLICATES`: what is done with different rows of one time.
        gaps: one of `GAPS`: how missing samples are filled.
        max_gap: the most samples in a row that are filled; None: any number.
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
