"""Read a CSV with the standard library alone: the same reader for the trainer and for a device without polars."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking, Stamps, TimeAsk
from edgelstm.data.readers.fields import MISSING_WORDS, parse_numbers, read_stamps
from edgelstm.data.readers.file import File
from edgelstm.data.readers.table import Table
from edgelstm.errors import DataError
from edgelstm.reading import Dialect


class CsvTable(NamedTuple):
    """The text of a CSV.

    Attributes:
        columns: the fields of each column, by its name in the header.
        lines: the line on which each row ends; the header is line 1.
    """

    columns: dict[str, list[str]]
    lines: list[int]


class _Cells(NamedTuple):
    """The text of each column."""

    name: str
    table: CsvTable

    def place(self, row: int) -> str:
        return f"{self.name}: line {self.table.lines[row]}"

    def numbers(self, position: int) -> NDArray[np.float64]:
        return parse_numbers(self._raw(position), list(self.table.columns)[position], self.place)

    def texts(self, position: int) -> list[str]:
        return ["" if text.strip() in MISSING_WORDS else text.strip() for text in self._raw(position)]

    def is_text(self, position: int) -> bool:
        return False

    def times(self, positions: tuple[int, ...], ask: TimeAsk) -> Stamps:
        texts = list(map(" ".join, zip(*map(self.texts, positions), strict=True)))
        return read_stamps(texts, ask, self.place)

    def remarks(self, position: int) -> tuple[str, ...]:
        return ()

    def _raw(self, position: int) -> list[str]:
        return list(self.table.columns.values())[position]


def read(file: File, asking: Asking) -> Table:
    """Read a text table.

    Raises:
        DataError: as `read_csv` does.
    """
    try:
        table = read_csv(io.StringIO(file.content.decode("utf-8"), newline=""), file.name)
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name}: cannot be read as a CSV: {error}") from error
    cells = _Cells(file.name, table)
    return Table(file.name, "csv", tuple(table.columns), cells, cells.place, Dialect())


def read_csv(file: TextIO, name: str) -> CsvTable:
    r"""Read a CSV with a header line; blank lines are passed over.

    Where every row has exactly one field more than the header, the first is a name of the row, as R writes it, and
    is left out: then no two are alike.

    Args:
        file: the open text.
        name: how to call it in an error.

    Raises:
        DataError: no header or row, a column named twice, a row with more or fewer fields than the header, no text.

    Example:
        >>> import io
        >>> read_csv(io.StringIO("a,b\n1,2\n\n3,\n"), "x.csv")
        CsvTable(columns={'a': ['1', '3'], 'b': ['2', '']}, lines=[2, 4])
        >>> read_csv(io.StringIO("a,b\nrow 1,1,2\nrow 2,3,4\n"), "x.csv").columns
        {'a': ['1', '3'], 'b': ['2', '4']}
    """
    reader = csv.reader(file, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = _header(reader, name)
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
            if row and len(row) - len(header) not in (0, 1):
                break
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{name}: cannot be read as a CSV: {error}") from error
    if not rows:
        raise DataError(f"{name}: the table is empty")
    if _have_names(rows, len(header)):
        rows = [row[1:] for row in rows]
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(header):
            raise DataError(f"{name}: expected {len(header)} fields as in the header, got {len(row)} at line {line}")
    return CsvTable(
        {column: list(fields) for column, fields in zip(header, zip(*rows, strict=True), strict=True)}, lines
    )


def _have_names(rows: list[list[str]], columns: int) -> bool:
    """Whether each row begins with a name of its own; rows that all end in a comma have none."""
    if any(len(row) != columns + 1 for row in rows) or not any(row[-1].strip() for row in rows):
        return False
    return len({row[0] for row in rows}) == len(rows)


def _header(reader: object, name: str) -> list[str]:
    for row in reader:  # type: ignore[attr-defined]
        if row:
            break
    else:
        raise DataError(f"{name}: the table is empty")
    header = [field.removeprefix("\ufeff").strip() for field in row]
    twice = [column for column in header if header.count(column) > 1]
    if twice:
        raise DataError(f"{name}: the column {twice[0]!r} is there twice; rename one")
    return header
