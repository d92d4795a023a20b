"""Read a CSV or Parquet table as a series.

Everything that could be read in two ways is an error that names the row: text among numbers, timestamps that
repeat, run backwards or leave a gap. CSV needs the standard library alone, so that a device reads what the
trainer reads; Parquet and resampling need polars.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.csvfile import read_csv
from edgelstm.data.fields import Place, Times, epoch_times, parse_numbers, parse_times
from edgelstm.data.series import Series
from edgelstm.errors import DataError, require

BUILTIN = "builtin:"
_PARQUET = (".parquet", ".pq")
_BIN = re.compile(r"(?:0*[1-9]\d*(?:ms|s|m|h|d|w))+", re.ASCII)


def read_series(
    source: str | Path | TextIO, columns: tuple[str, ...], time: str | None, resample: str | None = None
) -> Series:
    """Read some columns of a table as a series.

    Args:
        source: a CSV or `.parquet` file, `"builtin:co2"` for the data that comes with edgelstm, or an open CSV.
        columns: the channels to read; a channel named twice is read once.
        time: the column of timestamps: ISO 8601 text, dates, or whole seconds since 1970 (UTC). None if the
            rows are equally spaced by themselves.
        resample: a length such as `"1w"` (ms, s, m, h, d, w): rows are sorted and averaged into bins of
            that length, empty bins are missing samples.

    Raises:
        DataError: no such file or column, an empty table, text among numbers, timestamps out of order.
        MissingDependencyError: Parquet or resampling without polars.

    Example:
        >>> series = read_series("builtin:co2", ("co2",), "date")
        >>> series.values.shape, int(np.isnan(series.values).sum()), series.period_s
        ((2284, 1), 59, 604800.0)
    """
    columns = tuple(dict.fromkeys(columns))
    if isinstance(source, (str, Path)):
        path = _path(source)
        values, times, place = (_read_parquet if path.suffix.lower() in _PARQUET else _read_csv)(path, columns, time)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        values, times, place = _parse_csv(source, "stdin", columns, time)
        sha256 = None
    if resample is not None:
        values, times = _resample(values, times, resample)
    elif times is not None:
        _check_regular(times, place)
    return Series(columns, values, times, None if times is None else _period_s(times), sha256)


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


def _read_csv(
    path: Path, columns: tuple[str, ...], time: str | None
) -> tuple[NDArray[np.float64], Times | None, Place]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return _parse_csv(file, path.name, columns, time)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _parse_csv(
    file: TextIO, name: str, columns: tuple[str, ...], time: str | None
) -> tuple[NDArray[np.float64], Times | None, Place]:
    table = read_csv(file, name)
    _check_columns(name, list(table.columns), columns, time)

    def place(row: int) -> str:
        return f"{name}: line {table.lines[row]}"

    values = np.stack([parse_numbers(table.columns[column], column, place) for column in columns], axis=1)
    times = None if time is None else parse_times(table.columns[time], time, place)
    return values, times, place


def _read_parquet(
    path: Path, columns: tuple[str, ...], time: str | None
) -> tuple[NDArray[np.float64], Times | None, Place]:
    polars: Any = require("polars", "train")
    try:
        table = polars.read_parquet(path)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path.name}: cannot be read as a table: {str(error).splitlines()[0]}") from error
    _check_columns(path.name, table.columns, columns, time)
    if table.height == 0:
        raise DataError(f"{path.name}: the table is empty")

    def place(row: int) -> str:
        return f"{path.name}: row {row + 1}"

    values = np.stack([_parquet_numbers(polars, table[column], place) for column in columns], axis=1)
    times = None if time is None else _parquet_times(polars, table[time], place)
    return values, times, place


def _check_columns(name: str, header: list[str], columns: tuple[str, ...], time: str | None) -> None:
    for column in (*columns, *([time] if time else [])):
        if column not in header:
            raise DataError(f"{name}: there is no column {column!r}; the table has {', '.join(header)}")


def _parquet_numbers(polars: Any, column: Any, place: Place) -> NDArray[np.float64]:
    if column.dtype == polars.String:
        return parse_numbers(column.fill_null("").to_list(), column.name, place)
    if not column.dtype.is_numeric():
        raise DataError(f"{place(0)}: expected numbers in column {column.name!r}, got {column.dtype}")
    numbers: NDArray[np.float64] = column.cast(polars.Float64).fill_null(float("nan")).to_numpy()
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        row = int(infinite[0])
        raise DataError(f"{place(row)}: expected a finite number in column {column.name!r}, got {numbers[row]}")
    return numbers


def _parquet_times(polars: Any, column: Any, place: Place) -> Times:
    if column.dtype == polars.String:
        return parse_times(column.fill_null("").to_list(), column.name, place)
    if column.null_count():
        missing = int(column.is_null().arg_true()[0])
        raise DataError(f"{place(missing)}: the timestamp in column {column.name!r} is missing")
    if column.dtype.is_integer():
        return epoch_times(column.to_numpy(), column.name, place)
    if column.dtype != polars.Date and column.dtype != polars.Datetime:
        raise DataError(f"{place(0)}: expected timestamps in column {column.name!r}, got {column.dtype}")
    if getattr(column.dtype, "time_zone", None):
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    times: Times = column.cast(polars.Datetime("us")).to_numpy().astype("datetime64[us]")
    return times


def _check_regular(times: Times, place: Place) -> None:
    """Refuse timestamps that repeat, run backwards or leave a gap, and name the first row that does."""
    steps = _steps_us(times)
    if len(steps) == 0:
        return
    period = _period_us(steps)
    wrong = np.flatnonzero((steps != period) | (steps <= 0))
    if len(wrong) == 0:
        return
    row, step = int(wrong[0]) + 1, int(steps[wrong[0]])
    if step == 0:
        complaint = "repeats the one before"
    elif step < 0:
        complaint = "is earlier than the one before"
    else:
        complaint = f"comes {_duration(step)} after the one before, where {_duration(period)} is the rule"
    raise DataError(
        f"{place(row)}: the timestamp {np.datetime_as_string(times[row], unit='auto')} {complaint}; mend the table, "
        "or let `edgelstm train --resample` average it into equal bins"
    )


def _resample(values: NDArray[np.float64], times: Times | None, every: str) -> tuple[NDArray[np.float64], Times]:
    polars: Any = require("polars", "train")
    if times is None:
        raise DataError("--resample needs a column of timestamps: give --time")
    if not _BIN.fullmatch(every):
        raise DataError(f"--resample: expected a length such as 10m, 1h, 1d or 1w, got {every!r}")
    table = polars.DataFrame({"time": times, **{str(i): column for i, column in enumerate(values.T)}})
    binned = table.fill_nan(None).sort("time").group_by_dynamic("time", every=every).agg(polars.all().mean())
    regular = binned.upsample("time", every=every).fill_null(float("nan"))
    return regular.drop("time").to_numpy(), regular["time"].to_numpy().astype("datetime64[us]")


def _period_s(times: Times) -> float | None:
    steps = _steps_us(times)
    return _period_us(steps) / 1e6 if len(steps) else None


def _steps_us(times: Times) -> NDArray[np.int64]:
    return np.diff(times.astype("datetime64[us]")).astype(np.int64)


def _period_us(steps: NDArray[np.int64]) -> int:
    """The step that most rows take; of several the shortest."""
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    return int(lengths[np.argmax(counts)]) if len(lengths) else 0


def _duration(microseconds: int) -> str:
    seconds = microseconds / 1e6
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
