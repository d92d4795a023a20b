"""Read a CSV with the standard library alone, for devices that have no polars."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from edgelstm.errors import DataError

MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


@dataclass(frozen=True)
class CsvRows:
    """Some columns of a CSV.

    Attributes:
        values: float64 [N, C], NaN where a field is empty or says so.
        time: datetime64[us] [N]; None without a time column.
    """

    values: NDArray[np.float64]
    time: NDArray[np.datetime64] | None


def read_csv(file: TextIO, name: str, columns: tuple[str, ...], time: str | None) -> CsvRows:
    r"""Read some columns of a CSV with a header line.

    Args:
        file: the open text.
        name: how to call it in an error.
        columns: the number columns to read, in that order.
        time: a column of ISO 8601 timestamps, or None.

    Raises:
        DataError: no row, no such column, text among numbers, a timestamp that does not parse.

    Example:
        >>> import io
        >>> read_csv(io.StringIO("a,b\n1,2\n3,\n"), "x.csv", ("b",), None).values.tolist()
        [[2.0], [nan]]
    """
    reader = csv.DictReader(file)
    wanted = (*columns, *([time] if time else []))
    try:
        header = reader.fieldnames or ()
        for column in wanted:
            if column not in header:
                raise DataError(f"{name}: there is no column {column!r}; the table has {', '.join(header) or 'none'}")
        values, stamps = [], []
        for row in reader:
            values.append([_number(row[column], column, name, reader.line_num) for column in columns])
            if time:
                stamps.append(_moment(row[time], time, name, reader.line_num))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{name}: cannot be read as a CSV: {error}") from error
    if not values:
        raise DataError(f"{name}: the table is empty")
    return CsvRows(np.array(values, np.float64), np.array(stamps, "datetime64[us]") if time else None)


def _number(text: str | None, column: str, name: str, line: int) -> float:
    text = (text or "").strip()
    if text in MISSING_WORDS:
        return float("nan")
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"{name}: expected a number in column {column!r} at line {line}, got {text!r}") from error


def _moment(text: str | None, column: str, name: str, line: int) -> np.datetime64:
    try:
        return np.datetime64((text or "").strip().removesuffix("Z"), "us")
    except ValueError as error:
        raise DataError(
            f"{name}: expected an ISO 8601 timestamp in column {column!r} at line {line}, got {text!r}"
        ) from error
