"""Read a Parquet table, with polars."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking, Stamps, TimeAsk
from edgelstm.data.readers.fields import MISSING_WORDS, Place, Times, epoch_times, parse_numbers, parse_times
from edgelstm.data.readers.file import File
from edgelstm.data.readers.table import Table
from edgelstm.errors import DataError, require
from edgelstm.reading import TimeForm


class _Cells(NamedTuple):
    """A data frame of polars."""

    polars: Any
    frame: Any
    name: str

    def place(self, row: int) -> str:
        return f"{self.name}: row {row + 1}"

    def numbers(self, position: int) -> NDArray[np.float64]:
        return _numbers(self.polars, self.frame.to_series(position), self.place)

    def texts(self, position: int) -> list[str]:
        return _texts(self.polars, self.frame.to_series(position), self.place)

    def is_text(self, position: int) -> bool:
        return bool(self.frame.to_series(position).dtype in (self.polars.String, self.polars.Categorical))

    def times(self, positions: tuple[int, ...], ask: TimeAsk) -> Stamps:
        utc = _times(self.polars, self.frame.to_series(positions[0]), self.place)
        return Stamps(utc, utc, TimeForm(ask.columns, "iso"), 1)

    def remarks(self, position: int) -> tuple[str, ...]:
        return ()


def read(file: File, asking: Asking) -> Table:
    """Read a file.

    Raises:
        DataError: it is no Parquet table, or empty.
        MissingDependencyError: without polars.
    """
    polars: Any = require("polars", "train")
    try:
        frame = polars.read_parquet(file.content)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{file.name}: cannot be read as a table: {str(error).splitlines()[0]}") from error
    if frame.height == 0:
        raise DataError(f"{file.name}: the table is empty")
    cells = _Cells(polars, frame, file.name)
    return Table(file.name, "parquet", tuple(frame.columns), cells, cells.place)


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
