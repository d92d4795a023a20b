"""Refuse lines of totals, `Total` or `Mean`, at an end of a table: a training would take them for samples."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgelstm.data.readers.columns.kinds import TIME, kind_of
from edgelstm.data.readers.columns.words import SUMMARIES, SUMS
from edgelstm.data.readers.formats.table import Table
from edgelstm.errors import DataError, counted

_FIRST, _LAST = 1, 8  # rows at both ends that are searched for such lines
_SEEN = 5_000  # rows after the first ones and before the last ones to compare with
_MOST_WORDS, _LONGEST = 4, 60
_COLUMNS = 200

_Field = tuple[int, str]  # a row, and its text


def refuse_totals(table: Table, rows: int) -> None:
    """Refuse a table that begins or ends with a line of totals, or has one among its times.

    Args:
        table: of any format with columns of text.
        rows: how many it has.

    Raises:
        DataError: there is one; names the line, and what to do.
    """
    tail = min(_LAST, rows // 2)
    between = range(_FIRST, rows - tail)
    middle = [*between] if len(between) <= 2 * _SEEN else [*between[:_SEEN], *between[-_SEEN:]]
    if not middle:
        return
    edge = [*range(_FIRST), *range(rows - tail, rows)]
    for column in table.columns[:_COLUMNS]:
        fields = table.some(column, edge)
        if any(map(is_summary, fields)):
            found = _found(
                list(zip(edge, fields, strict=True)), list(zip(middle, table.some(column, middle), strict=True))
            )
            if found:
                raise _refused(table, column, found)


def _found(edge: list[_Field], middle: list[_Field]) -> list[_Field]:
    """The fields of a column that mark lines of totals."""
    words = [field for _, field in middle]
    if 2 * sum(kind_of(word) == TIME for word in words) > len(words):
        return [field for field in sorted(edge + middle) if is_summary(field[1])]
    known = {word.casefold() for word in words}
    labelled = 2 * sum(map(bool, words)) > len(words)
    found = [field for field in edge if is_summary(field[1]) and field[1].casefold() not in known]
    return [field for field in found if labelled or _plain(field[1]) in SUMMARIES]


def is_summary(field: str) -> bool:
    """Whether a field marks a line of totals.

    Example:
        >>> [is_summary(field) for field in ("Total", "Grand total:", "Summe 2020", "max", "max load", "totally")]
        [True, True, True, True, False, False]
    """
    if len(field) > _LONGEST:
        return False
    plain = _plain(field)
    words = re.split(r"[\s:_(]+", plain)
    return plain in SUMMARIES or (len(words) <= _MOST_WORDS and not {words[0], words[-1]}.isdisjoint(SUMS))


def _plain(field: str) -> str:
    return field.strip(" \t:.*=-()[]").casefold()


def _refused(table: Table, column: str, found: Sequence[_Field]) -> DataError:
    row, field = found[0]
    which = "it" if len(found) == 1 else f"it and {counted(len(found) - 1, 'more such line')}"
    return DataError(
        f"{table.place(row)}: {field[:40]!r} in column {column!r} looks like a line of totals: delete {which}; if it "
        "is a sample, use another word"
    )
