"""What to read from a table, and what was found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Task
from edgelstm.data.series import Series
from edgelstm.reading import Reading, TimeForm


@dataclass(frozen=True)
class Asking:
    """How to read a table; what is not given is detected from the table itself.

    Attributes:
        columns: the channels to read, each once; empty: every column without another task.
        targets: those of them that must hold numbers; in the others text becomes categories.
        task: what is learned: with an answer at every step, targets must not hold words such as yes and no either.
        label: the column of classes.
        time: the columns that give the time of a row together; empty: rows are equally spaced.
        series: the column that identifies the series of a row.
        format: a key of `FORMATS`; None: by the ending of the file.
        delimiter, decimal, encoding, skip_rows, header: of the dialect; None: detected.
        na: words and numbers that mean a missing sample, in addition to the usual words.
        time_format: of the times, in the codes of `strptime`.
        time_zone: of times without one.
        resample: the length of bins to average rows into.
        duplicates: one of `edgelstm.reading.DUPLICATES`.
        gaps: one of `edgelstm.reading.GAPS`; recorded, and `"error"` refuses missing rows.
        max_gap: recorded as well.
        categories: for each column of text, the words of training; a column that is not named here holds numbers or,
            without `like`, gets the words of the table.
        measured: columns that held numbers other than 1 and 0 in training: words such as yes and no are refused there.
        like: the reading of training: the table is read the same way, or refused with the difference named. Other
            options override it.
    """

    columns: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    task: Task = "forecast"
    label: str | None = None
    time: tuple[str, ...] = ()
    series: str | None = None
    format: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    skip_rows: int | None = None
    header: bool | None = None
    na: tuple[str, ...] = ()
    time_format: str | None = None
    time_zone: str | None = None
    resample: str | None = None
    duplicates: str = "error"
    gaps: str = "interpolate"
    max_gap: int | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measured: frozenset[str] = frozenset()
    like: Reading | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns that are asked for, for any purpose."""
        return (*self.columns, *self.time, *filter(None, (self.series, self.label)))


@dataclass(frozen=True)
class Found:
    """What a table holds.

    Attributes:
        series: at least one. A column of text has become a channel `COLUMN=WORD` for each category, 1 or 0: all 0 for
            an unknown word, NaN where the text is missing.
        reading: how it was read.
        categories: for each column of text its words, in order.
        notes: how the table was understood and what was done, one line each, for people.
    """

    series: tuple[Series, ...]
    reading: Reading
    categories: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


class TimeAsk(NamedTuple):
    """How to read the times of a table: the part of `Asking` about times.

    Attributes:
        columns: give the time of a row together.
        format: in the codes of `strptime`, or a form of `TimeForm`.
        zone: of times without one.
        like: how the times of training were written.
        series: int64 [N], for each row the number of its series, if there are several: the order of the rows in a
            series tells the first from the second hour when clocks are put back.
    """

    columns: tuple[str, ...]
    format: str | None = None
    zone: str | None = None
    like: TimeForm | None = None
    series: NDArray[np.int64] | None = None


class Stamps(NamedTuple):
    """The times of a table, row by row, in the order of the table.

    Attributes:
        utc: datetime64[us] [N].
        local: datetime64[us] [N], local time.
        form: how they are written.
        resolution_us: the resolution of the clock that wrote them, 1 s for whole seconds.
        notes: one line each, for people.
        example: the first of them, as written.
    """

    utc: NDArray[np.datetime64]
    local: NDArray[np.datetime64]
    form: TimeForm
    resolution_us: int
    notes: tuple[str, ...] = ()
    example: str = ""
