"""Detect where a text table begins, which line is its header, and which lines are neither."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.columns.kinds import MISSING, NUMBER, TIME, WORD, is_value, kind_of
from edgelstm.data.readers.text import dialect
from edgelstm.data.readers.text.dialect import Head, Way
from edgelstm.data.readers.text.lines import BLANK, Row
from edgelstm.errors import DataError

_SEEN = 200  # rows from which the content of a column is detected
_SEEN_FIELDS = 20_000  # fields at most, so fewer rows of wide tables
# Campbell Scientific's table files: the header is line 2; in TOA5, units and kinds of values are below it.
_LOGGERS = {"TOA5": 2, "TOACI1": 0}


class Body(NamedTuple):
    """The rows among the first lines with the usual number of fields.

    Attributes:
        rows: the first of them may be the header.
        values: the positions of columns that hold numbers or times.
    """

    rows: list[Row]
    values: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """What each line of a table is for.

    Attributes:
        delimiter: between fields.
        width: fields of a row.
        names: of the columns; None without a header. May be fewer than fields.
        header_line: the number of the header; 0 without one.
        first_line: the number of the first line that may hold a row.
        skip_rows: lines before the table, as detected.
        row_names: each row begins with a row name.
        notes: one line each, for people.
    """

    delimiter: str
    width: int
    names: tuple[str, ...] | None
    header_line: int
    first_line: int
    skip_rows: int = 0
    row_names: bool = False
    notes: tuple[str, ...] = ()


def find(text: str, asking: Asking, name: str) -> Layout:
    """Detect the layout of a table.

    Args:
        text: all of it; lines end in line feeds.
        asking: the options, and what training found.
        name: of the file, for messages.

    Raises:
        DataError: the table is empty, can be read in two ways, or is not laid out as in training.
    """
    head = dialect.head_of(text, asking.skip_rows)
    logger = _logger(head)
    if logger is not None and asking.skip_rows is None:
        return _of_logger(dialect.head_of(text, head.first_line), logger, asking, name)
    way = dialect.find(head, asking, name)
    if not way.rows:
        raise DataError(f"{name}: the table is empty")
    found = _layout(way, head, asking, name)
    _agree(found, asking, name)
    return found


def _logger(head: Head) -> str | None:
    """The kind of logger that wrote a table; None for other tables."""
    first = head.lines[0].split(",")[0].strip('" ') if head.lines else ""
    return first if first in _LOGGERS else None


def _of_logger(head: Head, kind: str, asking: Asking, name: str) -> Layout:
    way = dialect.find(head, replace(asking, delimiter=asking.delimiter or ","), name)
    below = _LOGGERS[kind]
    if len(way.rows) <= 1 + below:
        raise DataError(f"{name}: the table is empty")
    header = way.rows[0]
    note = f"{kind} file of a logger: line {header.line} is the header"
    if below:
        note += f", lines {header.line + 1} and {header.line + below} (units and kinds) are skipped"
    names = tuple(map(str.strip, header.fields))
    return Layout(way.delimiter, len(names), names, header.line, way.rows[below].line + 1, notes=(note,))


def _layout(way: Way, head: Head, asking: Asking, name: str) -> Layout:
    """Separate the header from the rows, and both from the preamble."""
    first = way.first if asking.skip_rows is None or way.first == 1 else 0
    body = _body(way, first)
    wanted = asking.header
    if wanted is None and asking.like is not None and asking.like.dialect is not None and _is_open(body):
        wanted = asking.like.dialect.header
    if wanted is False:
        return _without_names(way, body, first, head, typed=True)
    if wanted is True or not _is_row(body.rows[0], body):
        return _with_names(way, body, first, head, asking.skip_rows is None)
    return _row_first(way, body, first, head, asking, name)


def _body(way: Way, first: int) -> Body:
    rows = [way.rows[first], *(row for row in way.rows[first + 1 :] if len(row.fields) == way.width)]
    seen = rows[1:_SEEN] or rows
    seen = seen[len(seen) // 2 :][: max(10, _SEEN_FIELDS // way.width)]
    values = tuple(
        position
        for position in range(min(way.width, *(len(row.fields) for row in seen)))
        if _holds_values([kind_of(row.fields[position]) for row in seen], rows[0].fields[position : position + 1])
    )
    return Body(rows, values)


def _holds_values(kinds: list[str], first: list[str]) -> bool:
    """Whether most fields are numbers or times; if all are missing, whether the first line holds one."""
    values = kinds.count(NUMBER) + kinds.count(TIME)
    return values > kinds.count(WORD) if values or WORD in kinds else any(map(is_value, first))


def _is_row(row: Row, body: Body) -> bool:
    """Whether a line holds values, or words for missing ones, where others hold values: it is not a header."""
    fields = [row.fields[position].strip() for position in body.values if position < len(row.fields)]
    return any(fields) and all(kind_of(field) != WORD for field in fields)


def _with_names(way: Way, body: Body, first: int, head: Head, search: bool) -> Layout:
    """The layout with a header; lines like `Serial,123` before it and a line of units below it are skipped."""
    at = _behind_preamble(body) if search else 0
    header = body.rows[at]
    notes = _preamble(header.line, first + at, head)
    below = header.line + 1
    if at + 1 < len(body.rows) and _is_units(body.rows[at + 1], body, body.rows[at + 2 :]):
        units = body.rows[at + 1]
        below = units.line + 1
        shown = _shown(units)[:60]
        notes += (f"line {units.line} ({shown}) is read as units and skipped",)
    names = tuple(map(str.strip, header.fields))
    skip = header.line - 1 if first + at else 0
    return Layout(way.delimiter, way.width, names, header.line, below, skip, notes=notes)


def _shown(row: Row) -> str:
    """The fields of a row in one line, even if quoted ones have line breaks."""
    return ", ".join(" ".join(field.split()) for field in row.fields)


def _preamble(line: int, rows: int, head: Head) -> tuple[str, ...]:
    """Say which lines before the table are skipped."""
    if not rows:
        return ()
    first = head.first_line
    return (f"lines {first} to {line - 1} before the table are skipped; --skip-rows overrides this",)


def _behind_preamble(body: Body) -> int:
    """The index of the header: below lines like `Serial,123`, which have a word and a value where rows have two values.

    Such a line is a broken row instead if rows follow right below it.
    """
    end = next((place for place, row in enumerate(body.rows) if _is_row(row, body)), 0)
    mixed = [place for place in range(end) if any(is_value(field) for field in _at(body, place))]
    return mixed[-1] + 1 if len(body.values) > 1 and mixed and mixed[-1] + 1 < end else 0


def _at(body: Body, place: int) -> list[str]:
    """The fields of a row in columns that hold values."""
    fields = body.rows[place].fields
    return [fields[position] for position in body.values if position < len(fields)]


def _is_units(row: Row, body: Body, below: list[Row]) -> bool:
    """Whether a line below the header holds only words, none repeated below, where others hold values."""
    if len(body.values) < 2 or not below:
        return False
    fields = [row.fields[position].strip() for position in body.values]
    kinds = [kind_of(field) for field in fields]
    if NUMBER in kinds or TIME in kinds or 2 * kinds.count(WORD) < len(kinds):
        return False
    if kinds[0] != WORD and (fields[0] or kinds.count(WORD) < len(kinds) - 1):
        return False  # only a column of times may have no unit
    return not any(
        other.fields[position].strip() == field
        for position, field in zip(body.values, fields, strict=True)
        if field
        for other in below
    )


def _row_first(way: Way, body: Body, first: int, head: Head, asking: Asking, name: str) -> Layout:
    """The layout where the first line of the usual width is a row: the header is above it, in a comment, or nowhere."""
    row = body.rows[0]
    above = way.rows[first - 1] if first else None
    if above is not None and len(above.fields) == way.width - 1 and _are_names(above.fields):
        return _with_row_names(way, body, above, first, head, name)
    if above is not None and len(above.fields) > 1:
        return _with_fewer_names(way, body, above, first, head, name)
    comment = _names_in_comment(way, row, asking)
    if comment is not None:
        line, names = comment
        note = f"the comment in line {line} is the header"
        return Layout(way.delimiter, way.width, names, line, row.line, notes=(note,))
    _refuse_counted(row, body, name)
    if asking.delimiter is None and asking.like is None:
        _refuse_pairs(way, body, name)
    return _without_names(way, body, first, head, typed=False)


def _are_names(fields: list[str]) -> bool:
    return all(kind_of(field) == WORD for field in fields)


def _with_row_names(way: Way, body: Body, above: Row, first: int, head: Head, name: str) -> Layout:
    names = tuple(map(str.strip, above.fields))
    notes = _preamble(above.line, first - 1, head)
    skip = above.line - 1 if first > 1 else 0
    if not any(row.fields[-1].strip() for row in body.rows):
        return Layout(way.delimiter, way.width, names, above.line, above.line + 1, skip, notes=notes)
    _refuse_halves(body, way, name)
    example = body.rows[0].fields[0].strip()
    note = (
        f"each row has one field more than the header in line {above.line}: the first ({example!r}) is read as a row "
    )
    notes += (note + "name and skipped",)
    return Layout(way.delimiter, way.width, names, above.line, above.line + 1, skip, True, notes)


def _with_fewer_names(way: Way, body: Body, above: Row, first: int, head: Head, name: str) -> Layout:
    """The layout of rows with more or fewer fields than names: valid only if all surplus fields are empty."""
    names = tuple(map(str.strip, above.fields))
    named = max((place for place, text in enumerate(names, 1) if text), default=0)
    if _are_names(above.fields[:named]) and (
        named == way.width or (named < way.width and not any("".join(row.fields[named:]).strip() for row in body.rows))
    ):
        notes, skip = _preamble(above.line, first - 1, head), above.line - 1 if first > 1 else 0
        return Layout(way.delimiter, way.width, names, above.line, above.line + 1, skip, notes=notes)
    raise DataError(
        f"{name}: expected {len(names)} fields as in the header, got {way.width} at line {body.rows[0].line}"
        + _remedy(body)
    )


def _remedy(body: Body) -> str:
    if all(kind_of(field) in (NUMBER, TIME, MISSING) and "." not in field for field in body.rows[-1].fields):
        return ": decimal commas need quotes around the number or another delimiter, and --decimal ,"
    return "; if the table begins further down, give --skip-rows"


def _refuse_halves(body: Body, way: Way, name: str) -> None:
    """Refuse fields that look like the halves of numbers with a decimal comma: `0,20,013`."""
    rows = body.rows
    if way.delimiter == BLANK and all(kind_of(f"{row.fields[0]} {row.fields[1]}") == TIME for row in rows):
        raise DataError(
            f"{name}: line {rows[0].line}: expected {way.width - 1} fields as in the header, got {way.width}: date and "
            "clock are two columns; name both in the header, and give --time twice"
        )
    if way.delimiter != "," or any(kind_of(row.fields[0]) == WORD or "." in "".join(row.fields[1:]) for row in rows):
        return
    for left, right in pairwise(range(1 if way.width > 2 else 0, way.width)):
        if _are_halves(rows, left, right):
            row = rows[0]
            number = f"{row.fields[left].strip()},{row.fields[right]}"
            raise DataError(
                f"{name}: line {row.line}: expected {way.width - 1} fields as in the header, got {way.width}, which "
                f"look like halves of numbers ({number}): if commas are decimal, give --decimal , and put quotes "
                "around the numbers or semicolons between fields; if the first field is a row name, name its column"
            )


def _refuse_pairs(way: Way, body: Body, name: str) -> None:
    """Refuse two columns without a header that could be one with a decimal comma: `16,677`."""
    if way.delimiter == "," and way.width == 2 and not _goes_on(body) and _are_halves(body.rows, 0, 1):
        shown = ",".join(map(str.strip, body.rows[0].fields))
        raise DataError(
            f"{name}: line {body.rows[0].line} ({shown}) could be two columns or a number with a decimal comma: give "
            "--delimiter , or --decimal ,"
        )


def _are_halves(rows: list[Row], left: int, right: int) -> bool:
    """Whether two columns hold only whole numbers, the right one without signs."""
    return all(row.fields[left].strip().lstrip("+-").isdigit() and row.fields[right].strip().isdigit() for row in rows)


def _names_in_comment(way: Way, row: Row, asking: Asking) -> tuple[int, tuple[str, ...]] | None:
    """The comment before the rows with as many words as they have fields.

    Of several, such as names and units, the one with the most columns that are asked for, else the first.
    """
    named = []
    for comment in way.comments:
        fields = [comment.fields[0].lstrip().lstrip("#"), *comment.fields[1:]]
        names = tuple(map(str.strip, fields if fields[0].strip() else fields[1:]))
        if comment.line < row.line and len(names) == way.width and _are_names(list(names)):
            named.append((comment.line, names))
    return max(named, key=lambda found: len(set(asking.wanted) & set(found[1])), default=None)


def _is_open(body: Body) -> bool:
    """Whether a line of numbers could also be the header: 0, 1, 2, ... or words beside whole numbers."""
    return _is_counted(body) or _is_wide(body)


def _is_counted(body: Body) -> bool:
    fields = [field.strip() for field in body.rows[0].fields]
    counted = any(fields == [str(start + place) for place in range(len(fields))] for start in (0, 1))
    return len(fields) > 1 and counted and not _goes_on(body)


def _is_wide(body: Body) -> bool:
    """Whether the first line has whole numbers and a word that is not repeated below: `city,2019,2020`."""
    row = body.rows[0]
    words = [place for place, field in enumerate(row.fields) if kind_of(field) == WORD]
    whole = all(row.fields[place].strip().isdigit() for place in body.values)
    again = any(other.fields[place] == row.fields[place] for place in words for other in body.rows[1:])
    return bool(words and body.values) and whole and not again


def _goes_on(body: Body) -> bool:
    """Whether the first column counts in equal steps, as rows do."""
    first = [row.fields[0].strip() for row in body.rows[:4]]
    if len(first) < 3 or not all(text.lstrip("-").isdigit() for text in first):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(first)}
    return len(steps) == 1


def _refuse_counted(row: Row, body: Body, name: str) -> None:
    if _is_open(body):
        shown = _shown(row)[:40]
        raise DataError(f"{name}: line {row.line} ({shown}) could be the header or a row: give --header or --no-header")


def _without_names(way: Way, body: Body, first: int, head: Head, typed: bool) -> Layout:
    row = body.rows[0]
    notes = _preamble(row.line, first, head)
    if not typed:
        notes += (f"no header: the columns are named 1 to {way.width}",)
    skip = row.line - 1 if first else 0
    return Layout(way.delimiter, way.width, None, 0, row.line, skip, notes=notes)


def _agree(found: Layout, asking: Asking, name: str) -> None:
    """Refuse a layout that differs from that of training."""
    trained = asking.like.dialect if asking.like else None
    if trained is None:
        return
    if asking.header is None and trained.header != (found.names is not None):
        expected, got = ("a header", "none") if trained.header else ("no header", "one")
        raise DataError(
            f"{name}: expected {expected}, as in training, got {got} (line {found.first_line}): write it the same "
            f"way, or give {'--no-header' if trained.header else '--header'}"
        )
    if trained.row_names != found.row_names:
        expected, got = ("a row name", "none") if trained.row_names else ("no row name", "one")
        raise DataError(
            f"{name}: expected {expected} at the start of each row, as in training, got {got}: line {found.first_line}"
        )
