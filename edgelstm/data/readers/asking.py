"""What somebody asks of a table, and what was found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.series import Series
from edgelstm.reading import Reading, TimeForm


@dataclass(frozen=True)
class Asking:
    """How to read a table; what is left out is found out from the table itself.

    Attributes:
        columns: the channels to read, each once; empty: every column that has no other task.
        targets: those of them that must hold numbers; in the others text becomes categories.
        task: one of `edgelstm.contract.TASKS`; targets that are labels are no words of yes and no either.
        label: the column of classes.
        time: the columns that make the time of a row; empty: rows are equally spaced.
        series: the column that tells series apart.
        format: a key of `FORMATS`; None: by the ending of the file.
        delimiter, decimal, encoding, skip_rows, header: of the dialect; None: found out.
        na: words and numbers that stand for a missing sample, beside the usual words.
        time_format: of the times, in the words of `strptime`.
        time_zone: of times that do not name one.
        resample: the length of bins to average rows into.
        duplicates: one of `edgelstm.reading.DUPLICATES`.
        gaps: one of `edgelstm.reading.GAPS`; is recorded, and `"error"` refuses rows that are not there.
        max_gap: likewise recorded.
        categories: of each column of text the words that training knew; a column that is not named here holds numbers,
            or gets the words that the table has where there is no `like`.
        measured: columns that held other numbers than 1 and 0 in training: there words of yes and no are refused.
        like: the reading of training: the table is read in the same way or refused with the difference named. Options
            that are given as well win.
    """

    columns: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    task: str = "forecast"
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
        """All columns that are asked for, whatever for."""
        return (*self.columns, *self.time, *filter(None, (self.series, self.label)))


@dataclass(frozen=True)
class Found:
    """What a table holds.

    Attributes:
        series: at least one. A column of text has become a channel `COLUMN=WORD` for each category, 1 or 0, all 0 for a
            word that is not known and NaN where there is none.
        reading: how it was read.
        categories: of each column of text its words, in order.
        notes: what was understood and done, in lines for people.
    """

    series: tuple[Series, ...]
    reading: Reading
    categories: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


class TimeAsk(NamedTuple):
    """How to read the times of a table: `Asking`, as far as it is about them.

    Attributes:
        columns: that make the time of a row.
        format: in the words of `strptime`, or a form of `TimeForm`.
        zone: of times that do not name one.
        like: how the times of training were written.
        series: int64 [N], for each row the number of its series, where there are many: in autumn the hour that comes
            twice is told apart by the order of the rows of a series.
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
        local: datetime64[us] [N], what the clock on the wall said.
        form: how they are written.
        resolution_us: the smallest step that the clock they were written by can tell, 1 s for whole seconds.
        notes: in lines for people.
        example: the first of them, as it is written.
    """

    utc: NDArray[np.datetime64]
    local: NDArray[np.datetime64]
    form: TimeForm
    resolution_us: int
    notes: tuple[str, ...] = ()
    example: str = ""
