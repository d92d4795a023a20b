"""Read a Parquet table, with polars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.fields import MISSING_WORDS, Place, Times, epoch_times, parse_numbers, parse_times
from edgelstm.data.readers.table import Table
from edgelstm.errors import DataError, require


def read(path: Path) -> Table:
    """Read a file.

    Raises:
        DataError: it is no Parquet table, or empty.
        MissingDependencyError: without polars.
    """
    polars: Any = require("polars", "train")
    try:
        table = polars.read_parquet(path)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path.name}: cannot be read as a table: {str(error).splitlines()[0]}") from error
    if table.height == 0:
        raise DataError(f"{path.name}: the table is empty")

    def place(row: int) -> str:
        return f"{path.name}: row {row + 1}"

    return Table(
        path.name,
        tuple(table.columns),
        lambda column: _numbers(polars, table[column], place),
        lambda column: _texts(polars, table[column], place),
        lambda column: _times(polars, table[column], place),
        place,
    )


def _numbers(polars: Any, column: Any, place: Place) -> NDArray[np.float64]:
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


def _texts(polars: Any, column: Any, place: Place) -> list[str]:
    """Whole numbers, as pandas writes them as floats beside missing ones, are written without a point."""
    if column.dtype.is_float():
        values = _numbers(polars, column, place)
        broken = np.flatnonzero(~np.isnan(values) & (values != np.round(values)))
        if len(broken):
            row = int(broken[0])
            raise DataError(
                f"{place(row)}: expected whole numbers or text in column {column.name!r}, got {values[row]}"
            )
        return ["" if np.isnan(value) else str(int(value)) for value in values]
    if not (column.dtype in (polars.String, polars.Boolean, polars.Categorical) or column.dtype.is_integer()):
        raise DataError(f"{place(0)}: expected whole numbers or text in column {column.name!r}, got {column.dtype}")
    texts = [str(text).strip() for text in column.cast(polars.String).fill_null("").to_list()]
    return ["" if text in MISSING_WORDS else text for text in texts]


def _times(polars: Any, column: Any, place: Place) -> Times:
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
