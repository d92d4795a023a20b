"""Tables drawn for people by psql, MySQL, sqlcmd or in Markdown: lines without a sample are blanked.

Lines keep their numbers. A row count at the end is compared with the rows.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edgelstm.data.readers.columns.kinds import is_value
from edgelstm.errors import DataError, counted

_TOP = 50  # lines that are searched for the ruler below the header
_SEEN = 1 << 16  # characters of them
_BOTTOM = 10  # lines that are searched for a row count
# After blanks are removed: psql's `----+----`, Markdown's `|:---|---:|`, MySQL's `+----+----+`, Org's `|----+----|`.
_BARS = re.compile(r"[|+]?:?[-=]+:?(?:[|+]:?[-=]+:?)*[|+]?")
_CORNERS = re.compile(r"[|+](?:[-=]+\+)+[-=]+[|+]|\+[-=]+\+")
_PLAIN = re.compile(r"(?:-{3,}|={3,})(?:(?:[ \t]+|[,;])(?:-{3,}|={3,}))*")
_COUNT = re.compile(
    r"\((\d+) (?:rows?|Zeilen?|lignes?|filas?|righe?)(?: affected)?\)|(\d+) rows? (?:in set|selected|affected)\b.*"
    r"|\[(\d+) rows x \d+ columns\]|Time: \d.* ms.*",
    re.IGNORECASE,
)
_SCREEN = re.compile("^[ \t]*[\u250c\u2552\u2554\u256d]|[\u2500\u2550][\u253c\u256a\u256c][\u2500\u2550]", re.MULTILINE)
_RECORDS = re.compile(r"^(?:-\[ RECORD 1 \]|\*+ 1\. row \*+)", re.MULTILINE)
_FOLDED = re.compile(r"\+\s*(?:\||$)")


class Drawn(NamedTuple):
    """A text without drawn lines: its lines hold rows, names or neither.

    Attributes:
        text: as many lines as before.
        notes: one line each, for people.
        counted: the row count from a line at the end, and the number of that line; None without one.
    """

    text: str
    notes: tuple[str, ...] = ()
    counted: tuple[int, int] | None = None


def without_drawing(text: str, name: str) -> Drawn:
    r"""Blank rulers and the row count, and cut bars at both ends of lines.

    Args:
        text: of a table; lines end in line feeds.
        name: of the file, for messages.

    Raises:
        DataError: the table is drawn with box characters, which may omit rows, wraps its cells, or has a line for each
            field.

    Example:
        >>> without_drawing(" t | v\n---+---\n 1 | 2\n(1 row)\n", "a.txt").text
        ' t | v\n\n 1 | 2\n\n'
    """
    for pattern, what in (
        (_SCREEN, "one drawn for the screen, which may omit rows"),
        (_RECORDS, "one with a line for each field"),
    ):
        if pattern.search(text, 0, _SEEN):
            raise DataError(f"{name}: expected a text table, got {what}: export it as CSV")
    said = _row_count(text)
    below = _ruler(text[:_SEEN].split("\n")[:_TOP])
    if below is None and said is None:
        return Drawn(text)
    lines = text.split("\n")
    notes: tuple[str, ...] = ()
    if said is not None:
        shown = lines[said[1] - 1].strip()
        lines[said[1] - 1 :] = [""] * (len(lines) - said[1] + 1)
        notes = (f"line {said[1]} ({shown[:40]}) is a row count: skipped",)
    if below is not None:
        rulers = _blank_rulers(lines, below, name)
        notes = (f"{counted(rulers, 'line')} drawn below the header or around rows: skipped", *notes)
    return Drawn("\n".join(lines), notes, said)


def check_count(drawn: Drawn, rows: int, name: str) -> None:
    """Compare the rows with the row count.

    Raises:
        DataError: they differ.
    """
    if drawn.counted is not None and drawn.counted[0] != rows:
        said, line = drawn.counted
        raise DataError(
            f"{name}: line {line} says {counted(said, 'row')}, the table has {rows:,}: export it as CSV, or delete "
            "that line"
        )


def _ruler(lines: list[str]) -> int | None:
    """The index of the ruler below the header; None without one. A row of dashes below other rows is not a ruler."""
    above = ""
    for place, line in enumerate(lines):
        fields = above.strip().strip("|").split("|") if "|" in above else re.split("[,;]|\\s+", above.strip())
        if above and not _is_bars(above) and ("+" in line or not any(map(is_value, fields))):
            if "|" in above and _is_bars(line) and len(re.split("[|+]", line.strip().strip("|+"))) == len(fields):
                return place
            if (
                "|" not in above
                and _PLAIN.fullmatch(line.strip())
                and len(re.split("[,; \\t]+", line.strip())) == len(fields)
            ):
                return place
        above = line if line.strip() else above
    return None


def _is_bars(line: str) -> bool:
    return _BARS.fullmatch("".join(line.split())) is not None


def _blank_rulers(lines: list[str], below: int, name: str) -> int:
    """Blank rulers and cut bars, in place; returns the number of rulers."""
    ruler = lines[below].strip()
    boxed, folded = ruler[0] in "|+", ruler[0] not in "|+" and "+" in ruler
    rulers = 0
    for place, line in enumerate(lines):
        if place == below or _CORNERS.fullmatch(line.strip()) or ("=" in ruler and line.strip() == ruler):
            lines[place] = ""
            rulers += 1
        elif boxed and line.strip():
            lines[place] = _unboxed(line, f"{name}: line {place + 1}" if place > below else None)
        elif folded and place > below and _FOLDED.search(line):
            raise DataError(f"{name}: line {place + 1}: a cell continues on the next line (+): export the table as CSV")
    return rulers


def _unboxed(line: str, place: str | None) -> str:
    """Cut the bars at both ends; a line above the header may have none.

    Raises:
        DataError: a row has no bars.
    """
    bare = line.strip()
    if len(bare) > 1 and bare.startswith("|") and bare.endswith("|"):
        return bare[1:-1]
    if place is not None:
        raise DataError(
            f"{place}: expected a row between bars, like those above, got {bare[:40]!r}: delete or fix that line"
        )
    return line


def _row_count(text: str) -> tuple[int, int] | None:
    """The row count in the last lines, and the number of the first of these lines; None without one."""
    start = len(text) - _SEEN + len(text[-_SEEN:].rstrip()) if len(text) > _SEEN else len(text.rstrip())
    found: int | None = None
    first = start
    for _ in range(_BOTTOM):
        begin = text.rfind("\n", 0, start) + 1
        line = text[begin:start].strip()
        count = _COUNT.fullmatch(line)
        if line and count is None:
            break
        if count is not None:
            said = next(filter(None, count.groups()), None)
            found, first = (int(said), begin) if said else (found, begin)
        if begin == 0:
            break
        start = begin - 1
    return None if found is None else (found, text.count("\n", 0, first) + 1)
