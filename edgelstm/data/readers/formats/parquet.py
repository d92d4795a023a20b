"""Read a Parquet table, with polars."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking, Stamps, TimeAsk
from edgelstm.data.readers.columns.decimals import Signs
from edgelstm.data.readers.columns.fields import (
    Missing,
    Place,
    Sifted,
    as_numbers,
    holds_text,
    known_texts,
    missing_of,
    sift,
)
from edgelstm.data.readers.columns.remarks import remarks
from edgelstm.data.readers.file import File
from edgelstm.data.readers.formats.table import Table
from edgelstm.data.readers.times.stamps import read_stamps, stamps_of
from edgelstm.errors import DataError, one_line, require
from edgelstm.reading import ISO
from edgelstm.rhythm import DAY_US


class _Cells(NamedTuple):
    """A data frame of polars."""

    polars: Any
    frame: Any
    name: str
    missing: Missing

    def place(self, row: int) -> str:
        return f"{self.name}: row {row + 1}"

    def numbers(self, position: int) -> NDArray[np.float64]:
        column = self.frame.to_series(position)
        if self._is_words(column):
            return as_numbers(self._sifted(column), column.name, self.place)
        if not (column.dtype.is_numeric() or column.dtype == self.polars.Boolean):
            raise DataError(f"{self.place(0)}: expected numbers in column {column.name!r}, got {column.dtype}")
        numbers = column.cast(self.polars.Float64).fill_null(float("nan")).to_numpy(writable=True)
        infinite = np.flatnonzero(np.isinf(numbers))
        if len(infinite):
            row = int(infinite[0])
            raise DataError(
                f"{self.place(row)}: expected a finite number in column {column.name!r}, got {numbers[row]}"
            )
        numbers[np.isin(numbers, self.missing.numbers)] = np.nan
        return np.asarray(numbers, np.float64)

    def texts(self, position: int) -> list[str]:
        """Give texts; whole numbers have no point, although pandas stores them as floats beside missing ones."""
        column = self.frame.to_series(position)
        if column.dtype.is_float():
            return self._whole(column.name, self.numbers(position))
        if not (self._is_words(column) or column.dtype == self.polars.Boolean or column.dtype.is_integer()):
            raise DataError(
                f"{self.place(0)}: expected whole numbers or text in column {column.name!r}, got {column.dtype}"
            )
        return known_texts(self._written(column), self.missing)

    def some(self, position: int, rows: list[int]) -> list[str]:
        return self._written(self.frame.to_series(position).gather(rows))

    def is_text(self, position: int) -> bool:
        column = self.frame.to_series(position)
        return self._is_words(column) and holds_text(self._sifted(column))

    def truths(self, position: int) -> tuple[str, ...]:
        column = self.frame.to_series(position)
        if column.dtype == self.polars.Boolean:
            return ("true", "false")
        return self._sifted(column).truths if self._is_words(column) else ()

    def times(self, positions: tuple[int, ...], ask: TimeAsk) -> Stamps:
        columns = [self.frame.to_series(position) for position in positions]
        if len(columns) > 1 or self._is_words(columns[0]) or columns[0].dtype.is_numeric():
            parts = map(self._written, columns)
            return read_stamps(list(map(" ".join, zip(*parts, strict=True))), ask, self.place)
        return _times(self.polars, columns[0], ask, self.place)

    def remarks(self, position: int) -> tuple[str, ...]:
        column = self.frame.to_series(position)
        if self._is_words(column):
            return remarks(column.name, self._sifted(column))
        return remarks(column.name, Sifted(self.numbers(position), {}, {}))

    def _is_words(self, column: Any) -> bool:
        return bool(column.dtype in (self.polars.String, self.polars.Categorical, self.polars.Enum))

    def _written(self, column: Any) -> list[str]:
        if column.dtype.is_float():
            numbers = column.cast(self.polars.Float64).fill_null(float("nan")).to_list()
            return ["" if number != number else np.format_float_positional(number, trim="-") for number in numbers]
        return [str(text).strip() for text in column.cast(self.polars.String).fill_null("").to_list()]

    def _sifted(self, column: Any) -> Sifted:
        return sift(self._written(column), Signs(), self.missing)

    def _whole(self, name: str, values: NDArray[np.float64]) -> list[str]:
        broken = np.flatnonzero(~np.isnan(values) & (values != np.round(values)))
        if len(broken):
            row = int(broken[0])
            raise DataError(f"{self.place(row)}: expected whole numbers or text in column {name!r}, got {values[row]}")
        return ["" if np.isnan(value) else str(int(value)) for value in values]


def read(file: File, asking: Asking) -> Table:
    """Read a file.

    Raises:
        DataError: it is not a Parquet table, or is empty.
        MissingDependencyError: polars is not installed.
    """
    polars: Any = require("polars", "train")
    try:
        frame = polars.read_parquet(io.BytesIO(file.content))
    except (polars.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{file.name}: cannot be read as a table: {one_line(error)}") from error
    if frame.height == 0:
        raise DataError(f"{file.name}: the table is empty")
    cells = _Cells(polars, frame, file.name, missing_of(asking))
    return Table(file.name, "parquet", tuple(frame.columns), cells, cells.place)


def _times(polars: Any, column: Any, ask: TimeAsk, place: Place) -> Stamps:
    """Read stored dates and times; if they have a zone, days and months are counted in it."""
    if column.null_count():
        missing = int(column.is_null().arg_true()[0])
        raise DataError(f"{place(missing)}: the timestamp in column {column.name!r} is missing")
    if column.dtype != polars.Date and column.dtype != polars.Datetime:
        raise DataError(f"{place(0)}: expected timestamps in column {column.name!r}, got {column.dtype}")
    zone = getattr(column.dtype, "time_zone", None)
    if zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        ask = ask if ask.zone or ask.like or zone == "UTC" else ask._replace(zone=zone)
    local = column.cast(polars.Datetime("us")).to_numpy().astype("datetime64[us]").astype(np.int64)
    return stamps_of(
        local, np.zeros_like(local) if zone else None, ISO, ask, place, _resolution_us(local), str(column[0])
    )


def _resolution_us(times: NDArray[np.int64]) -> int:
    """The resolution of the clock, guessed from the times because it is not stored: a day, 1 s, 1 ms or 1 us."""
    for size in (DAY_US, 1_000_000, 1_000):
        if not (times % size).any():
            return size
    return 1
