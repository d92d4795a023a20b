"""Tables read without --time: find the column of times, and refuse rows that run backwards."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.columns.kinds import MISSING, NUMBER, TIME, WORD, kind_of
from edgelstm.data.readers.formats.table import Table
from edgelstm.data.readers.times.forms import FIELD_NAMES
from edgelstm.data.readers.times.stamps import moments_in
from edgelstm.errors import DataError, counted

_SEEN = 200  # rows at each end
_COLUMNS = 200
_MOST = 0.9  # of the steps: a clock that is put back makes one step with the other sign
_TAIL = 3  # last rows that may not be samples
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\.?)?", re.ASCII | re.IGNORECASE)
# Numbers are times only if the name of their column says so; a meter may count as far as seconds since 1970.
_SAYS_TIME = re.compile(
    r"time|date|epoch|unix|stamp|datum|zeit|fecha|heure|tijd|(?:^|[^a-z])(?:t|ts|day|year|month|jahr|monat)(?:$|[^a-z])"
)
_LETTERS = "Ymjdw HMS"


class _Clock(NamedTuple):
    """Columns that give a time together, and in which direction it runs.

    Attributes:
        columns: their names.
        share: steps forwards minus steps backwards, as a share of both, from -1 to 1; 0 without steps.
    """

    columns: tuple[str, ...]
    share: float


def look_for_times(table: Table, asking: Asking, of: NDArray[np.int64]) -> tuple[str, ...]:
    """Find the column of times in a table that is read without one.

    Args:
        table: with columns of text.
        asking: has no `time`.
        of: int64 [N], the number of the series of each row.

    Returns:
        Notes, one line each, for people.

    Raises:
        DataError: that column runs from the latest row to the earliest, or stops being times in the last rows.
    """
    taken = {table.position(column) for column in (*asking.columns, *filter(None, (asking.series, asking.label)))}
    free = [column for column in table.columns if table.position(column) not in taken][:_COLUMNS]
    rows = len(of)
    seen = [*range(rows)] if rows <= 2 * _SEEN else [*range(_SEEN), *range(rows - _SEEN, rows)]
    together = _together(table, free)
    for columns in together:
        _refuse_tail(table, columns, seen, free)
    clocks = [clock for columns in together if (clock := _clock(table, columns, seen, of)) is not None]
    if not clocks:
        return ()
    chosen = max(clocks, key=lambda clock: (clock.share >= _MOST, clock.share <= -_MOST))
    if chosen.share <= -_MOST and rows > len(seen):
        chosen = _clock(table, chosen.columns, [*range(rows)], of) or chosen
    typed = " ".join(f"--time {shlex.quote(column)}" for column in chosen.columns)
    what = " ".join(chosen.columns)
    if chosen.share <= -_MOST:
        first, last = _texts(table, chosen.columns, [0, rows - 1])
        raise DataError(
            f"{table.name}: rows run from the latest ({first}) to the earliest ({last}) in column {what!r}: give "
            f"{typed} to sort them by time; to keep this order, remove that column"
        )
    if asking.like is not None:
        return ()
    return (f"rows are read in table order, one sample each; give {typed} to use the times in {what!r}",)


def _together(table: Table, free: Sequence[str]) -> list[tuple[str, ...]]:
    """Columns that may give a time: year, month and so on; a date and the clock next to it; each column alone."""
    parts = {letter: column for column in free if (letter := FIELD_NAMES.get(column.strip().lower())) is not None}
    found = []
    if len(parts) > 1 and "Y" in parts:
        found.append(tuple(parts[letter] for letter in _LETTERS if letter in parts))
    for column, beside in zip_longest(free, free[1:], fillvalue=""):
        kind = kind_of(table.some(column, [0])[0])
        if kind == MISSING or (kind == NUMBER and not _SAYS_TIME.search(column.casefold())):
            continue
        if kind == TIME and beside and _CLOCK.fullmatch(table.some(beside, [0])[0]):
            found.append((column, beside))
        found.append((column,))
    return found


def _clock(table: Table, columns: tuple[str, ...], seen: list[int], of: NDArray[np.int64]) -> _Clock | None:
    """In which direction some columns run, ignoring rows without a time; None if they are not times."""
    texts = _texts(table, columns, seen)
    known = [place for place, text in enumerate(texts) if kind_of(text) != MISSING]
    at = moments_in([texts[place] for place in known]) if 2 * len(known) > len(seen) else None
    if at is None:
        return None
    series = of[np.array(seen)[known]]
    order = np.argsort(series, kind="stable")
    inside = np.diff(series[order]) == 0
    steps = np.sign(np.diff(at[order])[inside])
    return _Clock(columns, float(steps.sum() / max(1, np.count_nonzero(steps))))


def _texts(table: Table, columns: tuple[str, ...], rows: list[int]) -> list[str]:
    return list(map(" ".join, zip(*(table.some(column, rows) for column in columns), strict=True)))


def _refuse_tail(table: Table, columns: tuple[str, ...], seen: list[int], free: Sequence[str]) -> None:
    """Refuse last rows without a time where all others have one: totals, notes, a truncated line."""
    texts = _texts(table, columns, seen)
    if len(texts) <= 2 * _TAIL or kind_of(texts[0]) != TIME or moments_in(texts) is not None:
        return
    count = next((count for count in range(1, _TAIL + 1) if moments_in(texts[:-count]) is not None), 0)
    row, text = seen[-count], texts[-count].strip()
    if count == 0 or (not text and _is_labelled(table, row, free)):
        return
    got = repr(text[:40]) if text else "none"
    below = f" and the {counted(count - 1, 'line')} below it" if count > 1 else ""
    raise DataError(
        f"{table.place(row)}: expected a time in column {' '.join(columns)!r}, as in the rows above, got {got}: if it "
        f"is a line of totals, delete it{below}; else fix it, or remove that column"
    )


def _is_labelled(table: Table, row: int, free: Sequence[str]) -> bool:
    """Whether another column has a time or a word in the row: an order that was not shipped yet has its order date."""
    return any(kind_of(table.some(column, [row])[0]) in (TIME, WORD) for column in free)
