"""From a file to its series."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TextIO

import numpy as np

from edgelstm.data.readers import regular
from edgelstm.data.readers.asking import Asking, Found, TimeAsk
from edgelstm.data.readers.formats import read_table
from edgelstm.data.readers.table import Table
from edgelstm.data.series import Series
from edgelstm.errors import DataError
from edgelstm.reading import Reading, Rhythm, TimeForm

BUILTIN = "builtin:"


def read_series(
    source: str | Path | TextIO,
    columns: tuple[str, ...],
    time: str | None,
    resample: str | None = None,
    kind: str | None = None,
) -> Series:
    """Read some columns of a table as a series.

    Args:
        source: a file of any format of `edgelstm.data.readers.formats`, `"builtin:co2"` for the data that comes with
            edgelstm, or an open CSV.
        columns: the channels to read; a channel named twice is read once.
        time: the column of timestamps: ISO 8601 text, dates, or whole seconds since 1970 (UTC). None if the
            rows are equally spaced by themselves.
        resample: a length such as `"1w"` (ms, s, m, h, d, w): rows are sorted and averaged into bins of
            that length, empty bins are missing samples.
        kind: the format, if the ending of the file does not tell.

    Raises:
        DataError: no such file or column, an empty table, text among numbers, timestamps out of order, many series.
        MissingDependencyError: Parquet or resampling without polars.

    Example:
        >>> series = read_series("builtin:co2", ("co2",), "date")
        >>> series.values.shape, int(np.isnan(series.values).sum()), series.period_s
        ((2284, 1), 59, 604800.0)
    """
    found = read_many(source, columns, time, resample=resample, kind=kind)
    if len(found) > 1:
        raise DataError(f"{source}: expected one series, the file holds {len(found)}")
    return found[0]


def read_many(
    source: str | Path | TextIO,
    columns: tuple[str, ...],
    time: str | None = None,
    *,
    series: str | None = None,
    label: str | None = None,
    resample: str | None = None,
    kind: str | None = None,
) -> tuple[Series, ...]:
    r"""Read the series of a file, in the order in which they stand there.

    Args:
        source: as for `read_series`.
        columns: as for `read_series`; empty: every channel that there is.
        time: as for `read_series`.
        resample: as for `read_series`, inside each series.
        series: the column that tells series apart; the rows of one stand together. None: the whole table is one
            series, named after its file, unless the format itself holds many.
        label: the column of classes, if there is one: numbers or text.
        kind: the format, if the ending of the file does not tell.

    Raises:
        DataError: as for `read_series`, or rows of a series that do not stand together.
        MissingDependencyError: Parquet or resampling without polars.

    Example:
        >>> import io
        >>> table = io.StringIO("unit,heat,state\n1,20,off\n1,35,on\n2,21,off\n")
        >>> [(found.name, found.values[:, 0].tolist(), found.labels)
        ...     for found in read_many(table, ("heat",), series="unit", label="state")]
        [('1', [20.0, 35.0], ('off', 'on')), ('2', [21.0], ('off',))]
    """
    table, sha256 = _table(source, kind)
    others = [name for name in (time, series, label) if name]
    columns = columns or table.channels or tuple(name for name in table.columns if name not in others)
    columns = tuple(dict.fromkeys(columns))
    for column in (*columns, *others):
        table.require(column)
    if resample is not None and label is not None:
        raise DataError("--resample averages numbers, and classes have no average: leave it out")
    values = np.stack([table.numbers(column) for column in columns], axis=1)
    times = None if time is None else table.times(TimeAsk((time,))).utc
    labels = None if label is None else table.texts(label)
    found = []
    for name, first, last in _stretches(table, series, len(values)):
        rows, stamps = values[first:last], None if times is None else times[first:last]
        if resample is not None:
            rows, stamps = regular.resample(rows, stamps, resample)
        classes = None if labels is None else tuple(labels[first:last])
        found.append((first, Series(columns, rows, stamps, None, sha256, name, classes)))
    return _regular(found, table, checked=resample is None)


def _table(source: str | Path | TextIO, kind: str | None) -> tuple[Table, str | None]:
    table = read_table(_path(source) if isinstance(source, (str, Path)) else source, Asking(format=kind))
    return table, table.sha256


def _path(source: str | Path) -> Path:
    text = str(source)
    if text.startswith(BUILTIN):
        name = text.removeprefix(BUILTIN)
        path = Path(str(resources.files("edgelstm.data").joinpath(name, f"{name}.csv")))
        if not re.fullmatch(r"\w+", name) or not path.is_file():
            raise DataError(f"there is no built-in data {name!r}; there is {BUILTIN}co2")
        return path
    path = Path(source)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    return path


def _stretches(table: Table, column: str | None, rows: int) -> list[tuple[str, int, int]]:
    """The name of each series, its first row and the row behind its last."""
    starts = _changes(table, column) if column else list(table.series) or [(0, Path(table.name).stem)]
    ends = [first for first, _ in starts[1:]] + [rows]
    return [(name, first, last) for (first, name), last in zip(starts, ends, strict=True)]


def _changes(table: Table, column: str) -> list[tuple[int, str]]:
    """The rows at which the name in a column changes; no name comes back."""
    names = table.texts(column)
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        if not name:
            raise DataError(f"{table.place(row)}: the name of the series in column {column!r} is missing")
        if row and name == names[row - 1]:
            continue
        if name in seen:
            raise DataError(
                f"{table.place(row)}: series {name!r} comes back, it began at {table.place(seen[name])} and another "
                f"came between: sort the table by {column!r}, the rows of each series in the order of time"
            )
        seen[name] = row
    return [(row, name) for name, row in seen.items()]


def _regular(found: list[tuple[int, Series]], table: Table, checked: bool) -> tuple[Series, ...]:
    """Find the spacing in time, the same for all, and hold every series against it."""
    times = [series.time for _, series in found if series.time is not None]
    period = regular.period_us(times) if times else None
    if checked and period is not None:
        for (first, _), stamps in zip(found, times, strict=True):
            regular.check(stamps, period, partial(_place, table, first))
    period_s = None if period is None else period / 1e6
    return tuple(replace(series, period_s=period_s) for _, series in found)


def _place(table: Table, first: int, row: int) -> str:
    return table.place(first + row)


def read(source: str | Path | TextIO, asking: Asking) -> Found:
    """Read the series of a table as they are asked for."""
    table, _ = _table(source, asking.format or (asking.like and asking.like.format))
    time = asking.time or (asking.like.time.columns if asking.like and asking.like.time else ())
    found = read_many(
        source,
        asking.columns,
        time[0] if time else None,
        series=asking.series,
        label=asking.label,
        resample=asking.resample,
        kind=asking.format or (asking.like and asking.like.format),
    )
    form = TimeForm(time, "iso") if time else None
    period = found[0].period_s
    rhythm = None if period is None else Rhythm("second", period)
    reading = Reading(
        table.format, table.dialect, asking.na, form, asking.series, rhythm, asking.resample, asking.duplicates,
        asking.gaps, asking.max_gap,
    )
    return Found(found, reading, {}, ())
