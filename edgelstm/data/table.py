"""Read a CSV or Parquet table as a series, through polars.

Everything that could be read in two ways is an error that names the row: text among numbers, timestamps that
repeat, run backwards or leave a gap.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.series import Series
from edgelstm.errors import DataError, require

BUILTIN = "builtin:"
MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_EPOCH_MS_FROM = 10**11  # as seconds: the year 5138


def read_series(source: str | Path, columns: tuple[str, ...], time: str | None, resample: str | None = None) -> Series:
    """Read some columns of a table as a series.

    Args:
        source: a `.csv` or `.parquet` file, or `"builtin:co2"` for the data that comes with edgelstm.
        columns: the channels to read; a channel named twice is read once.
        time: the column of timestamps: ISO 8601 text, dates, or whole seconds since 1970 (UTC). None if the
            rows are equally spaced by themselves.
        resample: a polars duration such as `"1w"`: rows are sorted and averaged into bins of that length,
            empty bins are missing samples.

    Raises:
        DataError: no such file or column, an empty table, text among numbers, timestamps out of order.
        MissingDependencyError: polars is not installed.

    Example:
        >>> series = read_series("builtin:co2", ("co2",), "date")
        >>> series.values.shape, int(np.isnan(series.values).sum()), series.period_s
        ((2284, 1), 59, 604800.0)
    """
    polars = require("polars", "train")
    path = _path(source)
    table = _read_table(polars, path)
    columns = tuple(dict.fromkeys(columns))
    for column in (*columns, *([time] if time else [])):
        if column not in table.columns:
            raise DataError(f"{path.name}: there is no column {column!r}; the table has {', '.join(table.columns)}")
    if table.height == 0:
        raise DataError(f"{path.name}: the table is empty")
    numbers = polars.DataFrame({column: _numbers(polars, table[column], path) for column in columns})
    times = None if time is None else _times(polars, table[time], path)
    if resample is not None:
        if times is None:
            raise DataError("--resample needs a column of timestamps: give --time")
        numbers, times = _resample(polars, numbers, times, resample, path)
    elif times is not None:
        _check_regular(times.to_numpy(), path)
    stamps = None if times is None else times.to_numpy().astype("datetime64[us]")
    return Series(
        columns,
        numbers.to_numpy().astype(np.float64),
        stamps,
        None if stamps is None else _period_s(stamps),
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


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


def _read_table(polars: Any, path: Path) -> Any:
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return polars.read_parquet(path)
        return polars.read_csv(path, infer_schema=False, null_values=list(MISSING_WORDS))
    except polars.exceptions.NoDataError as error:
        raise DataError(f"{path.name}: the table is empty") from error
    except (polars.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path.name}: cannot be read as a table: {str(error).splitlines()[0]}") from error


def _numbers(polars: Any, column: Any, path: Path) -> Any:
    if column.dtype == polars.String:
        numbers = column.str.strip_chars().cast(polars.Float64, strict=False)
    elif column.dtype.is_numeric():
        numbers = column.cast(polars.Float64)
    else:
        raise DataError(f"{path.name}: expected numbers in column {column.name!r}, got {column.dtype}")
    wrong = (column.is_not_null() & numbers.is_null()).arg_true()
    if len(wrong):
        raise DataError(
            f"{path.name}: expected a number in column {column.name!r} at {_row(path, wrong[0])}, "
            f"got {column[int(wrong[0])]!r}"
        )
    numbers = numbers.fill_null(float("nan"))
    infinite = numbers.is_infinite().arg_true()
    if len(infinite):
        raise DataError(f"{path.name}: column {column.name!r} is infinite at {_row(path, infinite[0])}")
    return numbers


def _times(polars: Any, column: Any, path: Path) -> Any:
    if column.null_count():
        row = column.is_null().arg_true()[0]
        raise DataError(f"{path.name}: the timestamp in column {column.name!r} is missing at {_row(path, row)}")
    if column.dtype == polars.String:
        times = _parse_times(polars, column.str.strip_chars(), path)
    elif column.dtype.is_integer():
        times = _epoch_seconds(polars, column, path)
    else:
        times = column
    if not times.dtype.is_temporal():
        raise DataError(f"{path.name}: expected timestamps in column {column.name!r}, got {column.dtype}")
    if getattr(times.dtype, "time_zone", None):
        times = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return times.cast(polars.Datetime("us"))


def _parse_times(polars: Any, column: Any, path: Path) -> Any:
    whole = column.cast(polars.Int64, strict=False)
    if whole.null_count() == 0:
        return _epoch_seconds(polars, whole, path)
    # One ISO 8601 pattern after the other; the one that reads the first row must read them all.
    patterns = (
        ("%Y-%m-%d", None),
        ("%Y-%m-%dT%H:%M:%S%.f%:z", "UTC"),
        ("%Y-%m-%d %H:%M:%S%.f%:z", "UTC"),
        ("%Y-%m-%dT%H:%M:%S%.f", None),
        ("%Y-%m-%d %H:%M:%S%.f", None),
        ("%Y-%m-%dT%H:%M", None),
        ("%Y-%m-%d %H:%M", None),
    )
    text = column.str.replace("Z$", "+00:00")
    for pattern, zone in patterns:
        kind = polars.Date if pattern == "%Y-%m-%d" else polars.Datetime("us", zone)
        times = text.str.strptime(kind, pattern, strict=False, exact=True)
        if times[0] is None:
            continue
        if times.null_count():
            row = times.is_null().arg_true()[0]
            raise DataError(
                f"{path.name}: expected a timestamp like {column[0]!r} in column {column.name!r} at "
                f"{_row(path, row)}, got {column[int(row)]!r}"
            )
        return times
    raise DataError(
        f"{path.name}: expected ISO 8601 timestamps (2001-12-29 or 2001-12-29T13:00:00) in column "
        f"{column.name!r}, got {column[0]!r}"
    )


def _epoch_seconds(polars: Any, column: Any, path: Path) -> Any:
    if column.abs().max() >= _EPOCH_MS_FROM:
        raise DataError(
            f"{path.name}: expected seconds since 1970 in column {column.name!r}, got {column[0]}, which looks like "
            "milliseconds or finer: divide it first"
        )
    return polars.from_epoch(column, time_unit="s")


def _check_regular(stamps: NDArray[np.datetime64], path: Path) -> None:
    """Refuse timestamps that repeat, run backwards or leave a gap, and name the first row that does."""
    steps = np.diff(stamps).astype("timedelta64[us]").astype(np.int64)
    if len(steps) == 0:
        return
    period = int(np.median(steps))
    for wrong, complaint in (
        (steps == 0, "repeats the one before"),
        (steps < 0, "is earlier than the one before"),
        (steps != period, f"comes {{step}} after the one before, where {_duration(period)} is the rule"),
    ):
        rows = np.flatnonzero(wrong)
        if len(rows):
            row = int(rows[0]) + 1
            what = complaint.format(step=_duration(int(steps[row - 1])))
            raise DataError(
                f"{path.name}: the timestamp {np.datetime_as_string(stamps[row], unit='auto')} at {_row(path, row)} "
                f"{what}; mend the table or give --resample, such as --resample 1w"
            )


def _resample(polars: Any, numbers: Any, times: Any, every: str, path: Path) -> tuple[Any, Any]:
    if not re.fullmatch(r"(\d+(ms|s|m|h|d|w|mo|q|y))+", every):
        raise DataError(f"--resample: expected a duration such as 10m, 1h, 1d, 1w or 1mo, got {every!r}")
    table = numbers.fill_nan(None).with_columns(times.alias("__time")).sort("__time")
    binned = table.group_by_dynamic("__time", every=every).agg(polars.all().mean())
    regular = binned.upsample("__time", every=every).fill_null(float("nan"))
    return regular.drop("__time"), regular["__time"]


def _period_s(stamps: NDArray[np.datetime64]) -> float | None:
    if len(stamps) < 2:
        return None
    return float(np.median(np.diff(stamps).astype("timedelta64[us]").astype(np.int64)) / 1e6)


def _duration(microseconds: int) -> str:
    seconds = microseconds / 1e6
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _row(path: Path, row: int) -> str:
    """Name a data row; in a CSV the header is line 1."""
    return f"line {int(row) + 2}" if path.suffix.lower() not in (".parquet", ".pq") else f"row {int(row) + 1}"
