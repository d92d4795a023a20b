"""Convert local times of a table to UTC, with the repeated hour in autumn and the skipped hour in spring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Ints, Times
from edgelstm.data.readers.columns.fields import Place
from edgelstm.errors import DataError
from edgelstm.zones import to_utc, turns_of

_HOUR_US = 3_600_000_000


class _Turn(NamedTuple):
    """A clock change: local time before and after, and the offsets, in microseconds."""

    before: int
    after: int
    old: int
    new: int


def local_to_utc(
    local: Times, zone: str, place: Place, series: NDArray[np.int64] | None = None
) -> tuple[Times, tuple[str, ...]]:
    """Convert local times to UTC.

    In the repeated hour the order of the rows decides: the old offset comes first, then the new one, and the other way
    round if rows run backwards. A logger that stamps the end of an hour writes 1:00, 2:00, 2:00, 3:00; one that stamps
    the beginning writes 0:00, 1:00, 1:00, 2:00. Both are understood.

    Args:
        local: datetime64[us] [N], in the order of the table.
        zone: IANA name.
        place: names a row.
        series: int64 [N], the number of the series of each row; None: there is one.

    Returns:
        datetime64[us] [N], UTC, and notes.

    Raises:
        DataError: the zone is unknown, or a time does not exist there in spring.
    """
    utc = to_utc(local, zone).astype(np.int64)
    at = local.astype(np.int64)
    turns = turns_of(zone, int(at.min()), int(at.max()))
    order = np.arange(len(at)) if series is None else np.argsort(series, kind="stable")
    ordered, of = at[order], None if series is None else series[order]
    told = once = 0
    for turn in map(_Turn, *(edge.tolist() for edge in (*turns.walls, turns.offset[:-1], turns.offset[1:]))):
        inside = np.flatnonzero((ordered >= min(turn[:2])) & (ordered <= max(turn[:2])))
        if turn.after > turn.before:
            _refuse_left_out(ordered[inside], turn, zone, order[inside], place)
            continue
        for run in _runs(inside, of):
            by_new = _by_new_clock(ordered[run], turn.before, _runs_back(ordered, run, of))
            utc[order[run]] = ordered[run] - np.where(by_new, turn.new, turn.old)
            twice = len(run) - len(np.unique(ordered[run]))
            told += twice
            once += 0 if twice else int((ordered[run] < turn.before).sum())
    return utc.astype("datetime64[us]"), tuple(_notes(told, once, zone))


def _runs(rows: Ints, series: Ints | None) -> Iterator[Ints]:
    """Runs of consecutive rows of one series."""
    if len(rows) == 0:
        return
    apart = np.diff(rows) > 1
    if series is not None:
        apart |= np.diff(series[rows]) != 0
    yield from np.split(rows, np.flatnonzero(apart) + 1)


def _runs_back(at: Ints, run: Ints, series: Ints | None) -> bool:
    """Whether rows run backwards: most of a run, or from the row before it to the row after it."""
    steps = np.sign(np.diff(at[run])).sum()
    if steps == 0:
        first, last = max(run[0] - 1, 0), min(run[-1] + 1, len(at) - 1)
        first = first if series is None or series[first] == series[run[0]] else run[0]
        last = last if series is None or series[last] == series[run[0]] else run[-1]
        steps = at[last] - at[first]
    return bool(steps < 0)


def _by_new_clock(at: Ints, end: int, back: bool) -> NDArray[np.bool_]:
    """Which rows of the repeated hour, and of its end, were written after the change.

    The second pass begins where local time steps back. If it never does, the second of two equal times belongs to it.
    """
    if back:
        return _by_new_clock(at[::-1], end, False)[::-1]
    backwards = np.flatnonzero(np.diff(at) < 0)
    if len(backwards) == 1:
        return np.asarray(np.arange(len(at)) > backwards[0])
    again = np.ones(len(at), bool)
    again[np.unique(at, return_index=True)[1]] = False
    return np.asarray(again | ((at == end) & ((at == end).sum() == 1)))


def _refuse_left_out(at: Ints, turn: _Turn, zone: str, rows: Ints, place: Place) -> None:
    """Refuse times inside the skipped hour; its beginning is allowed as its end, for stamps at the end of an hour."""
    wrong = (at > turn.before) & (at < turn.after)
    if (at == turn.after).any():
        wrong |= at == turn.before
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong)[0])
    stamp, before, after = (_clock(time) for time in (int(at[row]), turn.before, turn.after))
    hours, rest = divmod(turn.old, _HOUR_US)
    fixed = "" if rest else f", --time-zone Etc/GMT{-hours:+d}" if hours else ", --time-zone UTC"
    raise DataError(
        f"{place(int(rows[row]))}: {stamp} does not exist in {zone}, where clocks went from {before[11:]} to "
        f"{after[11:]}: the logger stayed on winter time, so give a zone without summer time{fixed}"
    )


def _notes(told: int, once: int, zone: str) -> Iterator[str]:
    if told:
        yield f"times: {told} occur twice where summer time ends in {zone}, assigned by the order of the rows"
    if once:
        yield f"times: {once} could be summer or winter time where summer time ends in {zone}: read as summer time"


def _clock(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us"))[:16].replace("T", " ")
