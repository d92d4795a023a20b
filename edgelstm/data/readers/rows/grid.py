"""Put the rows of a series at the places of a rhythm: missing rows become rows of missing samples."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.columns.fields import Place
from edgelstm.data.readers.rows.rhythms import length_for
from edgelstm.data.readers.rows.track import Track
from edgelstm.errors import DataError
from edgelstm.reading import Rhythm
from edgelstm.rhythm import after

MAX_ROWS = 50_000_000
_MAX_SHARE, _FEW = 20, 1000  # a table may grow to so many times its rows, or to so many rows
_ASTRAY = 0.05  # of the rows may have times from a wrong clock


class Holes(NamedTuple):
    """Missing rows.

    Attributes:
        rows: how many.
        places: in how many gaps.
        longest: the most in one gap.
    """

    rows: int
    places: int
    longest: int


def holes(places: NDArray[np.int64]) -> Holes:
    """Count what is missing between increasing places.

    Example:
        >>> holes(np.array([0, 1, 4, 5, 7]))
        Holes(rows=3, places=2, longest=2)
    """
    gaps = np.diff(places) - 1
    return Holes(int(gaps.sum()), int((gaps > 0).sum()), int(gaps.max(initial=0)))


def on_grid(track: Track, places: NDArray[np.int64], rhythm: Rhythm, zone: str | None, place: Place) -> Track:
    """Fill gaps with rows of NaN, with their times and, if there are classes, an unknown class.

    Args:
        track: rows in order.
        places: int64 [N], of each row in the rhythm, from 0, increasing.
        rhythm: the step between two places.
        zone: in which days and months are counted.
        place: names a row of the table.

    Raises:
        DataError: the table would become far too long.
    """
    size = int(places[-1]) + 1
    if size == len(track):
        return track
    _refuse_jump(track, places, place)
    refuse_growth(size, len(track), rhythm, place(int(track.rows[0])))
    utc, _ = track.times()
    before = np.searchsorted(places, np.arange(size), side="right") - 1
    behind = np.arange(size) - places[before]
    here = behind == 0
    times = np.empty(size, "datetime64[us]")
    times[here] = utc
    times[~here] = _between(utc, places, before[~here], behind[~here], rhythm, zone)
    values = np.full((size, track.values.shape[1]), np.nan)
    values[here] = track.values
    labels = None
    if track.labels is not None:
        labels = np.full(size, "", object)
        labels[here] = track.labels
    rows = np.full(size, -1)
    rows[here] = track.rows
    return replace(track, values=values, utc=times, local=times, labels=labels, rows=rows)


def _refuse_jump(track: Track, places: NDArray[np.int64], place: Place) -> None:
    """Refuse times far from all others, such as those of a clock reset to 1970 or of a year that means never.

    Raises:
        DataError: a few rows at one end are far from all others.
    """
    gaps = np.diff(places)
    widest = int(gaps.argmax())
    few = min(widest + 1, len(gaps) - widest)
    if gaps[widest] <= max(_FEW, _MAX_SHARE * len(places)) or few > _ASTRAY * len(places):
        return
    row = int(track.rows[0 if widest + 1 == few else -1])
    utc, _ = track.times()
    at = str(utc[0 if widest + 1 == few else -1])[:16].replace("T", " ")
    these = "this row" if few == 1 else f"these {few} rows"
    raise DataError(f"{place(row)}: the time {at} is far from all others: fix or delete {these}")


def refuse_growth(size: int, rows: int, rhythm: Rhythm, where: str) -> None:
    """Refuse to make very many rows from few.

    Raises:
        DataError: there would be too many.
    """
    if size > MAX_ROWS or size > max(_FEW, _MAX_SHARE * rows):
        raise DataError(
            f"{where}: the {rows} rows from here would become {size}, one every {rhythm.name}, nearly all of them "
            f"missing: give --resample {length_for(rhythm.period_s * size / rows)} or longer"
        )


def _between(
    utc: NDArray[np.datetime64],
    places: NDArray[np.int64],
    before: NDArray[np.int64],
    behind: NDArray[np.int64],
    rhythm: Rhythm,
    zone: str | None,
) -> NDArray[np.datetime64]:
    """The times of missing rows, each a number of places after an existing row."""
    if rhythm.unit != "second":
        return after(utc[before], rhythm, behind, zone)
    # Evenly between the rows on both sides, because clocks drift.
    span = (utc[before + 1] - utc[before]).astype(np.int64)
    share = behind / (places[before + 1] - places[before])
    return np.asarray(utc[before] + np.rint(span * share).astype(np.int64).astype("timedelta64[us]"))
