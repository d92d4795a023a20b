"""The table that every format gives: columns are read when they are asked for, by name or by number."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Stamps, TimeAsk
from edgelstm.data.readers.columns.fields import Place
from edgelstm.errors import DataError
from edgelstm.reading import Dialect

_LISTED = 30
_IMPORTED = re.compile(r"[xy]\d{1,4}")  # the names that an import gives to channels without names


class Cells(Protocol):
    """The columns of a table in one format, by their position, counted from 0."""

    def numbers(self, position: int) -> NDArray[np.float64]:
        """Give a column as float64 [N], NaN where a sample is missing."""

    def texts(self, position: int) -> list[str]:
        """Give a column as N texts, empty where one is missing."""

    def some(self, position: int, rows: list[int]) -> list[str]:
        """Give the texts of a few rows of a column, as written."""

    def is_text(self, position: int) -> bool:
        """Say whether a column holds words other than numbers, booleans and missing samples."""

    def truths(self, position: int) -> tuple[str, ...]:
        """Give the pair of words, such as on and off, that a column holds and that are read as 1 and 0; else empty."""

    def times(self, positions: tuple[int, ...], ask: TimeAsk) -> Stamps:
        """Give the times that some columns hold together."""

    def remarks(self, position: int) -> tuple[str, ...]:
        """Say what is odd about a column of numbers, one line each, for people."""


@dataclass(frozen=True)
class Table:
    """Columns of one file. A column is selected by its name, or by its number from 1 if no column has that name.

    Attributes:
        name: of the file, for messages.
        format: a key of `edgelstm.data.readers.FORMATS`.
        header: the name of each column as written, empty if it has none.
        cells: what they hold.
        place: names a row in a message.
        dialect: how a text table is written; None for other formats.
        channels: what to read if no channel is named; empty: every column without another task.
        series: if the format itself has series, the first row of each and its name; else empty.
        notes: how it was understood, one line each, for people.
        empty: positions of columns without name and content, which `columns` omits.
        sha256: of the file; None for an open stream.
    """

    name: str
    format: str
    header: tuple[str, ...]
    cells: Cells
    place: Place
    dialect: Dialect | None = None
    channels: tuple[str, ...] = ()
    series: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()
    empty: frozenset[int] = frozenset()
    sha256: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The name of each column, or its number if it has none or shares it."""
        shared = Counter(self.header)
        names = [
            name if name and shared[name] == 1 else str(position + 1)
            for position, name in enumerate(self.header)
            if position not in self.empty
        ]
        clash = Counter(names)
        return tuple(name for name in names if clash[name] == 1)

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Read a column as float64 [N], NaN where a sample is missing; True, on and yes are 1, their opposites 0.

        Raises:
            DataError: there is no such column, or a field is not a number; names the row.
        """
        return self.cells.numbers(self.position(column))

    def texts(self, column: str) -> list[str]:
        """Read a column as N texts, empty where one is missing.

        Raises:
            DataError: there is no such column, or the format has no texts for it.
        """
        return self.cells.texts(self.position(column))

    def some(self, column: str, rows: list[int]) -> list[str]:
        """Give a few fields of a column as written, without the cost of reading all.

        Raises:
            DataError: there is no such column.
        """
        return self.cells.some(self.position(column), rows)

    def is_text(self, column: str) -> bool:
        """Say whether a column has categories: most of its known fields are neither numbers nor booleans.

        Raises:
            DataError: there is no such column.
        """
        return self.cells.is_text(self.position(column))

    def truths(self, column: str) -> tuple[str, ...]:
        """Give the pair of words that a column holds for 1 and 0, `("on", "off")`; empty for other words and numbers.

        Raises:
            DataError: there is no such column.
        """
        return self.cells.truths(self.position(column))

    def times(self, ask: TimeAsk) -> Stamps:
        """Read the times of the rows, in the order of the table.

        Raises:
            DataError: there is no such column, or its fields are not times, or can be read in several ways.
        """
        return self.cells.times(tuple(self.position(column) for column in ask.columns), ask)

    def remarks(self, column: str) -> tuple[str, ...]:
        """Say what to know before training on a column of numbers: a value that looks like a missing sample.

        Raises:
            DataError: as `numbers` does.
        """
        return self.cells.remarks(self.position(column))

    def require(self, column: str) -> None:
        """Refuse an unknown column.

        Raises:
            DataError: no column has that name, or several have; names the nearest, or their numbers.
        """
        self.position(column)

    def position(self, column: str) -> int:
        """Find the position of a column, counted from 0.

        Raises:
            DataError: as `require` does.
        """
        found = positions_of(self.header, column)
        if len(found) == 1:
            return found[0]
        if found:
            numbers = " or ".join(str(position + 1) for position in found)
            raise DataError(
                f"{self.name}: column {column!r} occurs {_times(len(found))}; select it by number: {numbers}"
            )
        why = _named_by_an_import(column, self.columns) or self._nearest(column)
        raise DataError(f"{self.name}: there is no column {column!r}; {why}")

    def _nearest(self, column: str) -> str:
        folded = {name.casefold(): name for name in reversed(self.columns)}
        asked = column.strip().casefold()
        close = difflib.get_close_matches(asked, folded, 3, 0.6) or [name for name in folded if asked and asked in name]
        near = [folded[name] for name in close[:3]]
        listed = ", ".join(" ".join(name.split()) for name in self.columns[:_LISTED]) + (
            ", ..." if len(self.columns) > _LISTED else ""
        )
        if near:
            return f"the table has {listed}; did you mean {' or '.join(map(repr, near))}?"
        hint = "" if self.dialect is None else "; if the header is further down, give --skip-rows"
        return f"the table has {listed}{hint}"


def positions_of(header: tuple[str, ...], column: str) -> list[int]:
    """Find the columns with that name, else the one with that number, counted from 1.

    Example:
        >>> positions_of(("t", "v", "v"), "v"), positions_of(("t", "v", "v"), "3")
        ([1, 2], [2])
    """
    found = [position for position, name in enumerate(header) if name and name == column]
    number = int(column) if re.fullmatch(r"[1-9]\d{0,8}", column, re.ASCII) else 0
    return found or ([number - 1] if 0 < number <= len(header) else [])


def _named_by_an_import(column: str, columns: tuple[str, ...]) -> str:
    """Explain a name such as x0, which an import gives to inputs without names; empty for other names."""
    if not _IMPORTED.fullmatch(column) or any(_IMPORTED.fullmatch(name) for name in columns):
        return ""
    listed = ", ".join(" ".join(name.split()) for name in columns[:_LISTED]) + (
        ", ..." if len(columns) > _LISTED else ""
    )
    if column[0] == "x":
        named = "input: give --feature COLUMN to finetune, or --input COLUMN at import"
    else:
        named = "output: give --target COLUMN to finetune, or --output-name COLUMN at import"
    return f"the table has {listed}; {column} is the default name of an imported {named}"


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def no_times(name: str, ask: TimeAsk) -> Stamps:
    """Refuse to read timestamps from a format without them.

    Raises:
        DataError: always.
    """
    raise DataError(
        f"{name}: expected no column of timestamps, this format has none, got {' '.join(ask.columns)!r}: omit --time"
    )
