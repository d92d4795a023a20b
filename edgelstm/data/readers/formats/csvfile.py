"""Read a text table with only the standard library and numpy, so that a trainer and a device read the same."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking, Stamps, TimeAsk
from edgelstm.data.readers.columns import decimals
from edgelstm.data.readers.columns.decimals import Signs
from edgelstm.data.readers.columns.fields import Missing, Sifted, as_numbers, holds_text, known_texts, missing_of, sift
from edgelstm.data.readers.columns.remarks import remarks
from edgelstm.data.readers.file import File
from edgelstm.data.readers.formats.table import Table, positions_of
from edgelstm.data.readers.text import dialect, drawn, encoding, foreign
from edgelstm.data.readers.text.layout import Layout
from edgelstm.data.readers.text.layout import find as find_layout
from edgelstm.data.readers.text.lines import BLANK, QUOTE, Even, Listed, Row, Rows, even, is_comment, split, unquoted
from edgelstm.data.readers.times.stamps import read_stamps
from edgelstm.errors import DataError, counted
from edgelstm.reading import Dialect

_MOST_COLUMNS = 100_000
_GROUPED = re.compile("[0-9][' \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{RIGHT SINGLE QUOTATION MARK}][0-9]{3}")
_TOP = 50  # lines in which a table may begin
_HEAD = 200  # rows that are searched for a decimal point before all others
_SEEN = 1 << 20  # characters that are searched for groups of digits


class Grid(NamedTuple):
    """The rows of a text table.

    Attributes:
        header: the name of each column, empty if it has none.
        rows: their fields, with `offset` others before those of the columns.
        offset: 1 if each row begins with a row name, else 0.
        notes: one line each, for people.
    """

    header: tuple[str, ...]
    rows: Rows
    offset: int
    notes: tuple[str, ...]

    def column(self, position: int) -> list[str]:
        """Give the fields of a column."""
        return self.rows.column(position + self.offset)

    def label(self, position: int) -> str:
        """Give the name of a column, or its number."""
        return self.header[position] or str(position + 1)


@dataclass
class _Cells:
    """The text of each column, and how to read it."""

    name: str
    grid: Grid
    signs: Signs
    missing: Missing
    _sifted: dict[int, Sifted] = field(default_factory=dict)

    def place(self, row: int) -> str:
        return f"{self.name}: line {self.grid.rows.line(row)}"

    def numbers(self, position: int) -> NDArray[np.float64]:
        return as_numbers(self._sift(position), self.grid.label(position), self.place)

    def texts(self, position: int) -> list[str]:
        return known_texts(self.grid.column(position), self.missing)

    def some(self, position: int, rows: list[int]) -> list[str]:
        return [field.strip() for field in self.grid.rows.some(position + self.grid.offset, rows)]

    def is_text(self, position: int) -> bool:
        return holds_text(self._sift(position))

    def truths(self, position: int) -> tuple[str, ...]:
        return self._sift(position).truths

    def times(self, positions: tuple[int, ...], ask: TimeAsk) -> Stamps:
        parts = [self.texts(position) for position in positions]
        texts = parts[0] if len(parts) == 1 else list(map(" ".join, zip(*parts, strict=True)))
        return read_stamps(texts, ask, self.place)

    def remarks(self, position: int) -> tuple[str, ...]:
        return remarks(self.grid.label(position), self._sift(position))

    def _sift(self, position: int) -> Sifted:
        if position not in self._sifted:
            column = position + self.grid.offset
            values = None if self.missing.words else self.grid.rows.floats(column, self.signs.decimal)
            self._sifted[position] = (
                sift(self.grid.column(position), self.signs, self.missing)
                if values is None or not np.isfinite(values).all()
                else Sifted(values, {}, {})
            )
        return self._sifted[position]


def read(file: File, asking: Asking) -> Table:
    """Read a text table.

    Raises:
        DataError: the file is not a text table, is empty, can be read in two ways, or differs from training; names
            the line, and the option to give.
    """
    foreign.refuse(file.content, file.name)
    trained = asking.like.dialect if asking.like else None
    text, code, notes = encoding.decode(file.content, file.name, asking.encoding, trained and trained.encoding)
    undrawn = drawn.without_drawing(text, file.name)
    text = undrawn.text
    layout = _layout(text, asking, file.name)
    if trained is None:
        _refuse_names_below(text, layout, asking, file.name)
    grid = _grid(text, layout, asking, file.name)
    drawn.check_count(undrawn, len(grid.rows), file.name)
    signs = _signs(text, grid, layout, asking, file.name)
    written = Dialect(
        layout.delimiter,
        signs.decimal if signs.known else "",
        signs.thousands,
        code,
        layout.skip_rows if asking.skip_rows is None else asking.skip_rows,
        layout.names is not None,
        layout.row_names,
    )
    cells = _Cells(file.name, grid, signs, missing_of(asking))
    unnamed = [position for position, name in enumerate(grid.header) if not name or layout.names is None]
    empty = frozenset(position for position in unnamed if grid.rows.is_blank(position + grid.offset))
    lines = (*_in_words(written), *notes, *undrawn.notes, *layout.notes, *grid.notes, *_of_empty(len(empty)))
    return Table(file.name, "csv", grid.header, cells, cells.place, written, notes=lines, empty=empty)


def _layout(text: str, asking: Asking, name: str) -> Layout:
    """Detect the layout; if training skipped lines and the table does not show how many, skip the same number."""
    trained = asking.like.dialect if asking.like else None
    if trained is None or not trained.skip_rows or asking.skip_rows is not None:
        return find_layout(text, asking, name)
    try:
        layout = find_layout(text, asking, name)
        if _has_columns(layout, asking):
            return layout
    except DataError:
        pass
    return find_layout(text, replace(asking, skip_rows=trained.skip_rows), name)


def _has_columns(layout: Layout, asking: Asking) -> bool:
    """Whether the header has all columns that are asked for."""
    return all(positions_of(layout.names or (), column) for column in asking.wanted)


def _refuse_names_below(text: str, layout: Layout, asking: Asking, name: str) -> None:
    """Refuse a header without a column that is asked for if another line has it."""
    for column in asking.wanted:
        if layout.names is None or positions_of(layout.names, column):
            continue
        for number, line in enumerate(text[:_SEEN].split("\n")[:_TOP], 1):
            fields = [field.strip(' "') for field in line.split(layout.delimiter)]
            if number != layout.header_line and (column in fields or column in re.split(r'[,;\t|" ]+', line)):
                raise DataError(
                    f"{name}: there is no column {column!r} in line {layout.header_line}, which is read as the header; "
                    f"line {number} has it: give --skip-rows {number - 1}"
                )


def _grid(text: str, layout: Layout, asking: Asking, name: str) -> Grid:
    """Read all rows, and check each against the header."""
    names = layout.names if layout.names is not None else ("",) * layout.width
    if len(names) > _MOST_COLUMNS:
        raise DataError(f"{name}: expected at most {_MOST_COLUMNS:,} columns, got {len(names):,}: is it one long line?")
    header = names if layout.names is not None else tuple(str(number + 1) for number in range(layout.width))
    rows, notes = _rows(text, layout, len(names), name)
    if rows.width - layout.row_names < len(header):
        header = header[: rows.width - layout.row_names]
    rows, hollow = _without_hollow(rows, bool(asking.time), name)
    if layout.row_names and len(set(rows.column(0))) < len(rows):
        raise DataError(
            f"{name}: expected {len(header)} fields as in the header, got {len(header) + 1} at line {rows.line(0)}"
        )
    notes += (f"{counted(hollow, 'line')} without values skipped",) if hollow else ()
    return Grid(header, rows, int(layout.row_names), notes)


def _rows(text: str, layout: Layout, names: int, name: str) -> tuple[Rows, tuple[str, ...]]:
    """The rows, each as wide as the header, and notes on skipped lines."""
    text = _below(text, layout.first_line, name)
    quoted = QUOTE in text
    width = names + layout.row_names
    bare = text if not quoted else unquoted(text, layout.delimiter) if width > 1 and layout.delimiter != BLANK else None
    rows = even(bare, layout.delimiter, width, layout.first_line) if bare and layout.width == width else None
    if rows is not None:
        return rows, ()
    lines = text.rstrip("\n").split("\n")
    marked = (layout.names or ("",))[0].startswith("#") and (layout.names or ("",))[0] != "#"
    comments: list[int] = []
    try:
        every = split(lines, layout.delimiter, quoted, layout.first_line)
        listed = Listed.of(_as_wide(every if marked else _uncommented(every, comments), names, layout, name), width)
    except csv.Error as error:
        raise DataError(f"{name}: cannot be read as a CSV: {error}") from error
    if not len(listed):
        raise DataError(f"{name}: the table is empty")
    notes: tuple[str, ...] = (f"{counted(len(comments), 'comment line')} (#) skipped",) if comments else ()
    empty = len(lines) - len(listed) - len(comments)
    if width == 1 and not quoted and empty:
        notes += (f"{counted(empty, 'empty line')} skipped; write NA for a missing sample",)
    return listed, notes


def _uncommented(rows: Iterator[Row], comments: list[int]) -> Iterator[Row]:
    """Skip comments, and list their line numbers."""
    for row in rows:
        if is_comment(row):
            comments.append(row.line)
        else:
            yield row


def _below(text: str, line: int, name: str) -> str:
    """The text from a line on."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
        if start == 0:
            break
    if (line > 1 and start == 0) or not text[start:].strip():
        raise DataError(f"{name}: the table is empty")
    return text[start:]


def _as_wide(rows: Iterator[Row], names: int, layout: Layout, name: str) -> Iterator[Row]:
    """Cut empty surplus fields, and add missing ones in columns without a name.

    Raises:
        DataError: a row has too many or too few other fields.
    """
    width = names + layout.row_names
    named = max((place for place, title in enumerate(layout.names or (), 1) if title), default=names)
    for row in rows:
        surplus = len(row.fields) - width
        if surplus > 0 and not "".join(row.fields[width:]).strip():
            del row.fields[width:]
        elif surplus < 0 and len(row.fields) >= named + layout.row_names:
            row.fields.extend([""] * -surplus)
        elif surplus:
            where = "in the header" if layout.names is not None else "in the first line"
            hint = "; if the table begins further down, give --skip-rows" if row.line <= _TOP else ""
            raise DataError(
                f"{name}: expected {names} fields as {where}, got {len(row.fields) - layout.row_names} at line "
                f"{row.line}{hint}"
            )
        yield row


def _without_hollow(rows: Rows, timed: bool, name: str) -> tuple[Rows, int]:
    """Skip rows of only delimiters: all of them if rows have times, else those at the end.

    In the middle of a table without times such a row is a missing sample, and keeps the others in their places.
    """
    if rows.width == 1:
        return rows, 0
    hollow = rows.hollow()
    if not timed:
        filled = np.flatnonzero(~hollow)
        hollow[: filled[-1] if len(filled) else 0] = False
    if hollow.all():
        raise DataError(f"{name}: the table is empty")
    return (rows.keep(~hollow), int(hollow.sum())) if hollow.any() else (rows, 0)


def _signs(text: str, grid: Grid, layout: Layout, asking: Asking, name: str) -> Signs:
    """Detect the signs of numbers; with commas between unquoted fields, only the point can be decimal."""
    trained = _signs_of(asking.like.dialect) if asking.like and asking.like.dialect else None
    asked, others = _numbers(grid, asking)
    bare = QUOTE not in text or isinstance(grid.rows, Even)
    if layout.delimiter == "," and bare and not _GROUPED.search(text, 0, _SEEN):
        usual = trained._replace(decimal=".", known=True) if trained else Signs()
        if (asking.decimal or (trained and trained.known and trained.decimal)) == ".":
            return usual
        if asking.decimal is None and (trained is None or not trained.known) and "." not in text:
            return usual._replace(known=False)
        if asking.decimal is None and trained is None:
            return usual._replace(known=_shows_point(grid, asked))
    return decimals.find(_fields(grid, asked), _fields(grid, others), name, asking.decimal, trained)


def _signs_of(written: Dialect) -> Signs:
    return Signs(written.decimal or ".", written.thousands, bool(written.decimal))


def _numbers(grid: Grid, asking: Asking) -> tuple[set[int], set[int]]:
    """The positions of columns that may hold numbers: those to read, and the others."""
    columns = (*asking.time, asking.series, asking.label)
    told = {place for column in columns if column for place in positions_of(grid.header, column)}
    wanted = {place for column in asking.columns for place in positions_of(grid.header, column)}
    everything = set(range(len(grid.header))) - told
    asked = (wanted or everything) - told
    return asked, everything - asked


def _shows_point(grid: Grid, asked: set[int]) -> bool:
    """Whether a field of some columns has a decimal point; the first rows are searched first."""
    head = grid._replace(rows=grid.rows.keep(np.arange(len(grid.rows)) < _HEAD))
    return decimals.shows_point(_fields(head, asked)) or decimals.shows_point(_fields(grid, asked))


def _fields(grid: Grid, positions: set[int]) -> Iterator[tuple[str, list[str]]]:
    return ((grid.label(position), grid.column(position)) for position in sorted(positions))


def _in_words(written: Dialect) -> tuple[str, ...]:
    """Say what is unusual about how the table is written."""
    words = []
    if written.delimiter != ",":
        words.append(f"{dialect.NAMES.get(written.delimiter, repr(written.delimiter))} between fields")
    if written.decimal == ",":
        words.append("decimal commas")
    if written.thousands:
        words.append(f"{written.thousands!r} between thousands")
    if written.encoding == "utf-16":
        words.append("UTF-16")
    return (", ".join(words),) if words else ()


def _of_empty(count: int) -> tuple[str, ...]:
    return (f"{counted(count, 'column')} without name and content skipped",) if count else ()
