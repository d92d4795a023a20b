"""Detect the delimiter of a text table: of a set of candidates, exactly one must remain."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.columns.kinds import NUMBER, WORD, is_value, kind_of
from edgelstm.data.readers.text.lines import BLANK, QUOTE, Row, is_comment, split
from edgelstm.errors import DataError

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", BLANK: "blanks"}
_TYPED = {"tab": "\t", "\\t": "\t", "blank": BLANK, "blanks": BLANK, "space": BLANK, "comma": ",", "semicolon": ";"}
_TYPED |= {"bar": "|", "pipe": "|"}
_HEAD = 500  # lines from which the dialect is detected
_HEAD_CHARACTERS = 1 << 20
_SEEN_FIELDS = 5_000  # that are searched for other delimiters
_MOST = 0.9  # of the lines must agree on the number of fields
_SEP = re.compile(r'\s*"?sep=(.)"?[\s;,]*', re.IGNORECASE)


class Head(NamedTuple):
    """The first lines of a table.

    Attributes:
        lines: without their ends.
        first_line: the number of the first of them.
        quoted: whether fields may stand in quotes.
        sep: the delimiter from a line `sep=;`; None without one.
    """

    lines: list[str]
    first_line: int
    quoted: bool
    sep: str | None = None


@dataclass(frozen=True)
class Way:
    """One way to split the first lines.

    Attributes:
        delimiter: one character; a blank means runs of blanks.
        rows: lines with fields, without comments and lines of only delimiters.
        comments: lines that begin with `#`.
        width: the number of fields in most rows.
        first: the index in `rows` of the first row with that many.
        share: of the rows from there on, the share with that many.
        foreign: the share of fields that suggest another delimiter.
    """

    delimiter: str
    rows: list[Row]
    comments: list[Row]
    width: int
    first: int
    share: float
    foreign: float

    @property
    def fits(self) -> bool:
        """Whether nearly all rows have the same number of fields."""
        return self.width > 1 and self.share >= _MOST


def head_of(text: str, skip_rows: int | None = None) -> Head:
    """Take the first lines of a text, after skipped lines and a line `sep=;`."""
    skip = skip_rows or 0
    start = 0
    for _ in range(skip):
        start = text.find("\n", start) + 1
        if start == 0:
            return Head([], skip + 1, False)
    piece = text[start : start + _HEAD_CHARACTERS]
    lines = piece.split("\n", _HEAD)[:_HEAD]
    if len(lines) < _HEAD and len(lines) > 1 and len(text) > start + len(piece):
        lines.pop()
    number = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    sep = _SEP.fullmatch(lines[number]) if number < len(lines) else None
    if sep is not None:
        lines, skip = lines[number + 1 :], skip + number + 1
    return Head(lines, skip + 1, QUOTE in text, sep[1] if sep else None)


def find(head: Head, asking: Asking, name: str) -> Way:
    """Choose the delimiter.

    Args:
        head: the first lines.
        asking: the options, and what training found.
        name: of the file, for messages.

    Raises:
        DataError: two delimiters fit, or that of training does not.
    """
    if asking.delimiter is not None or head.sep is not None:
        return _way(head, str(head.sep) if asking.delimiter is None else typed(asking.delimiter), name)
    ways = [way for way in (_try(head, delimiter) for delimiter in NAMES) if way is not None]
    if any(_is_one_column(way, asking) for way in ways):
        return _way(head, ";", name)
    fitting = [way for way in ways if way.fits]
    if asking.like is not None and asking.like.dialect is not None:
        return _trained(head, fitting, asking.like.dialect.delimiter, name)
    near = _nearly(ways)
    if not fitting or (near is not None and near.foreign < min(way.foreign for way in fitting)):
        return near or _way(head, ",", name)
    return _best(fitting, name)


def typed(delimiter: str) -> str:
    r"""Convert a delimiter as people type it.

    Raises:
        DataError: it is not a delimiter.

    Example:
        >>> typed("tab"), typed(";")
        ('\t', ';')
    """
    found = _TYPED.get(delimiter.lower(), delimiter)
    if len(found) != 1 or found.isalnum() or found in '"\r\n.+-':
        raise DataError(f"--delimiter: expected one character, or tab or blank, got {delimiter!r}")
    return found


def _best(fitting: list[Way], name: str) -> Way:
    """The way with the fewest foreign fields; of several, the one that skips no line."""
    tabs = any(way.delimiter == "\t" for way in fitting)  # tabs count as blanks too
    order = sorted((way for way in fitting if not (tabs and way.delimiter == BLANK)), key=_rank)
    if len(order) > 1 and _rank(order[0]) == _rank(order[1]):
        first, second = order[:2]
        raise DataError(
            f"{name}: {NAMES[first.delimiter]} and {NAMES[second.delimiter]} both split every line into the same "
            f"number of fields: give --delimiter '{first.delimiter}' or --delimiter '{second.delimiter}'"
        )
    return order[0]


def _rank(way: Way) -> tuple[float, bool]:
    return way.foreign, way.first > 0


def _trained(head: Head, fitting: list[Way], delimiter: str, name: str) -> Way:
    """The way of training, which must be among those that fit."""
    way = next((way for way in fitting if way.delimiter == delimiter), None)
    if way is not None and way.foreign <= _least(fitting).foreign:
        return way
    if fitting:
        got = NAMES[_least(fitting).delimiter]
        raise DataError(
            f"{name}: expected {NAMES.get(delimiter, repr(delimiter))} between fields, as in training, got {got}: "
            "write it the same way, or give --delimiter"
        )
    return _way(head, delimiter, name)


def _least(fitting: list[Way]) -> Way:
    return min(fitting, key=_rank)


def _nearly(ways: list[Way]) -> Way | None:
    """The delimiter that nearly fits where none does, so that the error names its broken line."""
    near = [way for way in ways if way.width > 1 and way.share >= 0.5 and way.delimiter != BLANK]
    return max(near, key=lambda way: (-way.foreign, way.share, way.width), default=None)


def _is_one_column(way: Way, asking: Asking) -> bool:
    """Whether commas are given as decimal signs, and the table is a single column of such numbers."""
    if asking.decimal != "," or way.delimiter != ",":
        return False
    return all(kind_of(",".join(row.fields)) == NUMBER for row in way.rows[way.first :])


def _try(head: Head, delimiter: str) -> Way | None:
    """Split by a delimiter; None if quotes are unbalanced."""
    try:
        return _split(head, delimiter)
    except csv.Error:
        return None


def _way(head: Head, delimiter: str, name: str) -> Way:
    try:
        return _split(head, delimiter)
    except csv.Error as error:
        raise DataError(f"{name}: cannot be read as a CSV: {error}") from error


def _split(head: Head, delimiter: str) -> Way:
    every = list(split(head.lines, delimiter, head.quoted, head.first_line))
    comments = [row for row in every if is_comment(row)]
    names = _counted(every, comments, delimiter)
    comments = [row for row in comments if row is not names]
    if len(comments) == len(every):
        comments = []  # if all lines begin with #, it does not mark comments
    rows = [row for row in every if row is names or not is_comment(row)] if comments else every
    rows = _trimmed([row for row in rows if any(map(str.strip, row.fields))])
    width, first, share = _width(rows)
    if share == 0 and rows:
        width, first = len(rows[0].fields), 0
        share = sum(len(row.fields) == width for row in rows) / len(rows)
    return Way(delimiter, rows, comments, width, first, share, _foreign(rows[first:], delimiter))


def _counted(every: list[Row], comments: list[Row], delimiter: str) -> Row | None:
    """The header of a table whose column of row numbers is called `#`: `#,time,load`; None without one."""
    row = next((row for row in comments if row.fields[0].strip() == "#"), None)
    names = [field for field in row.fields[1:] if field.strip()] if row else []
    if row is None or delimiter == BLANK or not names or any(map(is_value, names)):
        return None
    alike = [len(other.fields) == len(row.fields) for other in every if not is_comment(other)]
    above = sum(not is_comment(other) for other in every if other.line < row.line)
    return row if not any(alike[:above]) and sum(alike) >= max(1, _MOST * len(alike[above:])) else None


def _trimmed(rows: list[Row]) -> list[Row]:
    """Cut empty fields at the ends of all rows of the usual length: from delimiters at the ends of lines."""
    counts = Counter(len(row.fields) for row in rows)
    usual = max(counts, key=lambda count: (counts[count], count), default=0)
    filled = [
        place for row in rows if len(row.fields) == usual for place, field in enumerate(row.fields) if field.strip()
    ]
    width = max(max(filled, default=usual - 1) + 1, 2)  # one column and an empty one still show the delimiter
    if width >= usual:
        return rows
    return [row if "".join(row.fields[width:]).strip() else Row(row.line, row.fields[:width]) for row in rows]


def _width(rows: list[Row]) -> tuple[int, int, float]:
    """The number of fields, the index of the first row with that many, and the share of the rows below with that many.

    Most rows decide; if they do not agree, the rows after the last change of width decide if they begin with a header,
    else the last row.
    """
    counts = Counter(len(row.fields) for row in rows if len(row.fields) > 1)
    if not counts:
        return 1, 0, 1.0
    usual = max(counts, key=lambda count: (counts[count], count))
    ways = [_from(rows, _first_of(rows, usual))]
    if ways[0][2] < 1:
        below = _behind_last_break(rows)
        ways = [
            *([_from(rows, below)] if below is not None else []),
            *ways,
            _from(rows, _first_of(rows, len(rows[-1].fields))),
        ]
    return next((way for way in ways if way[0] > 1 and way[2] >= _MOST), ways[0])


def _from(rows: list[Row], first: int) -> tuple[int, int, float]:
    width = len(rows[first].fields)
    share = sum(len(row.fields) == width for row in rows[first:]) / (len(rows) - first)
    return width, first, share if _may_begin(rows, first) else 0.0


def _first_of(rows: list[Row], width: int) -> int:
    return next(place for place, row in enumerate(rows) if len(row.fields) == width)


def _behind_last_break(rows: list[Row]) -> int | None:
    """The index after the last row of another width, if words are there and values right below."""
    width = len(rows[-1].fields)
    first = 1 + max((place for place, row in enumerate(rows) if len(row.fields) != width), default=-1)
    if not 0 < first < len(rows) - 1:
        return None
    below = [field for row in rows[first + 1 : first + 4] for field in row.fields]
    return None if any(map(is_value, rows[first].fields)) or not any(map(is_value, below)) else first


def _may_begin(rows: list[Row], first: int) -> bool:
    """Whether all lines before a row may be a preamble or the header, and not rows of the table."""
    before = rows[:first]
    if any(all(map(is_value, row.fields)) for row in before):
        return False
    return all(len(row.fields) == 1 for row in before[:-1]) or not any(map(is_value, rows[first].fields))


def _foreign(rows: list[Row], delimiter: str) -> float:
    """The share of fields that hold another delimiter and are not numbers, or begin with a number and a blank."""
    others = [other for other in NAMES if other not in (delimiter, BLANK)]
    fields = [field for row in rows[1 if len(rows) > 1 else 0 :] for field in row.fields[:_SEEN_FIELDS]][:_SEEN_FIELDS]
    found = 0
    for field in fields:
        kind = kind_of(field)
        if kind == NUMBER:
            continue
        first, _, rest = field.strip().partition(BLANK)
        counted = kind == WORD and bool(rest) and kind_of(first) == NUMBER
        found += counted or any(other in field for other in others)
    return found / len(fields) if fields else 0.0
