"""Read a table into its series."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking, Found, Stamps, TimeAsk
from edgelstm.data.readers.channels import read_channels
from edgelstm.data.readers.formats import read_table
from edgelstm.data.readers.formats.table import Table
from edgelstm.data.readers.rows import rhythms
from edgelstm.data.readers.rows.grid import holes, on_grid
from edgelstm.data.readers.rows.order import (
    in_order,
    of_change,
    refuse_repeated,
    repeated,
    settle,
    tells_apart,
    without_equals,
)
from edgelstm.data.readers.rows.resample import bins_of, resample
from edgelstm.data.readers.rows.track import Track
from edgelstm.data.readers.totals import refuse_totals
from edgelstm.data.readers.untimed import look_for_times
from edgelstm.data.series import Series
from edgelstm.errors import DataError, counted
from edgelstm.reading import ISO_WITH_OFFSET, ISO_WITHOUT_OFFSET, Reading, Rhythm, TimeForm

BUILTIN = "builtin:"

Source = str | Path | IO[Any]
_Notes = tuple[str, ...]


class _Split(NamedTuple):
    """The series of each row: names in the order of the table, and int64 [N] indices into them."""

    names: tuple[str, ...]
    of: NDArray[np.int64]


def read(source: Source, asking: Asking) -> Found:
    r"""Read the series of a table.

    Args:
        source: a file of any format of `edgelstm.data.readers.formats`, `"builtin:co2"` for the data that comes with
            edgelstm, or an open stream.
        asking: what to read and how; what it does not say is detected from the table.

    Returns:
        Series whose rows are sorted, with a row at each place of the rhythm, and how the table was understood.

    Raises:
        DataError: no such file or column, an empty table, text among numbers, something that can be read in two ways,
            different rows with the same time, rows without a rhythm, or a table that differs from that of training.
        MissingDependencyError: a format or a time zone needs a package that is not installed.

    Example:
        >>> import io
        >>> table = "day,store,sales\n2/1/2024,b,5\n1/1/2024,a,1\n15/1/2024,a,3\n14/1/2024,a,2\n1/1/2024,b,4\n"
        >>> found = read(io.StringIO(table), Asking(("sales",), time=("day",), series="store"))
        >>> [(series.name, len(series.values), series.rhythm.name) for series in found.series]
        [('b', 2, 'day'), ('a', 15, 'day')]
        >>> found.reading.time.form
        '%d/%m/%Y'
    """
    asking = _as_in_training(asking)
    table = read_table(path_of(source) if isinstance(source, (str, Path)) else source, asking)
    channels = read_channels(table, asking)
    split = _split(table, asking.series, len(channels.values))
    if not table.channels:
        refuse_totals(table, len(channels.values))
    tracks = _tracks(channels.values, table.texts(asking.label) if asking.label else None, split)
    stamps = _stamps(table, asking, split)
    understood = asking.like is None  # else training has said it, and only what was done is new
    notes = (*(table.notes if understood else ()), *channels.notes)
    rhythm = None
    if stamps is not None:
        tracks, order = _ordered(_timed(tracks, stamps), table, asking, stamps)
        tracks, rhythm, gaps = _in_rhythm(tracks, table, asking, stamps)
        notes += (
            *(_described(stamps, None if asking.resample else rhythm) if understood else ()),
            *stamps.notes,
            *order,
            *gaps,
        )
    elif asking.resample is not None:
        raise DataError("--resample needs a column of timestamps: give --time")
    elif not table.channels:
        notes += look_for_times(table, asking, split.of)
    reading = Reading(
        table.format,
        table.dialect,
        asking.na,
        None if stamps is None else stamps.form,
        asking.series,
        rhythm,
        asking.resample,
        asking.duplicates,
        asking.gaps,
        asking.max_gap,
    )
    series = tuple(_series(track, channels.names, rhythm, table.sha256) for track in tracks)
    return Found(series, reading, channels.categories, notes)


def path_of(source: str | Path) -> Path:
    """Find a file, or the data that comes with edgelstm.

    Raises:
        DataError: there is none.
    """
    text = str(source)
    if text.startswith(BUILTIN):
        name = text.removeprefix(BUILTIN)
        path = Path(str(resources.files("edgelstm.data").joinpath(name, f"{name}.csv")))
        if not re.fullmatch(r"\w+", name) or not path.is_file():
            raise DataError(f"expected {BUILTIN}co2, got the unknown built-in data {name!r}")
        return path
    path = Path(source)
    if not path.is_file():
        raise DataError(f"{path}: file not found")
    return path


def _as_in_training(asking: Asking) -> Asking:
    """Take from the reading of training what is not given."""
    like = asking.like
    if like is None:
        return asking
    return replace(
        asking,
        time=asking.time or (like.time.columns if like.time else ()),
        series=asking.series or like.series,
        na=asking.na or like.missing,
        resample=asking.resample or like.resample,
        duplicates=like.duplicates if asking.duplicates == "error" else asking.duplicates,
        gaps=like.gaps if asking.gaps == "interpolate" else asking.gaps,
        max_gap=like.max_gap if asking.max_gap is None else asking.max_gap,
    )


def _split(table: Table, column: str | None, rows: int) -> _Split:
    """Assign each row to a series: by a column, by the format, or all to one."""
    if column is None:
        starts = table.series or ((0, Path(table.name).stem),)
        lengths = np.diff([*(first for first, _ in starts), rows])
        return _Split(tuple(name for _, name in starts), np.repeat(np.arange(len(starts)), lengths))
    names = table.texts(column)
    if "" in names:
        raise DataError(f"{table.place(names.index(''))}: the name of the series in column {column!r} is missing")
    numbers: dict[str, int] = {}
    of = np.array([numbers.setdefault(name, len(numbers)) for name in names])
    return _Split(tuple(numbers), of)


def _tracks(values: NDArray[np.float64], labels: list[str] | None, split: _Split) -> list[Track]:
    """The rows of each series, in the order of the table."""
    classes = None if labels is None else np.array(labels, object)
    whole = Track("", values, np.arange(len(values)), labels=classes)
    if len(split.names) == 1:
        return [replace(whole, name=split.names[0])]
    borders = np.cumsum(np.bincount(split.of, minlength=len(split.names)))[:-1]
    parts = np.split(np.argsort(split.of, kind="stable"), borders)
    return [replace(whole.take(rows), name=name) for name, rows in zip(split.names, parts, strict=True)]


def _stamps(table: Table, asking: Asking, split: _Split) -> Stamps | None:
    if not asking.time:
        return None
    trained: TimeForm | None = asking.like.time if asking.like else None
    if trained is not None and trained.columns != asking.time:
        trained = None
    series = split.of if len(split.names) > 1 else None
    return table.times(TimeAsk(asking.time, asking.time_format, asking.time_zone, trained, series))


def _timed(tracks: list[Track], stamps: Stamps) -> list[Track]:
    return [replace(track, utc=stamps.utc[track.rows], local=stamps.local[track.rows]) for track in tracks]


def _ordered(tracks: list[Track], table: Table, asking: Asking, stamps: Stamps) -> tuple[list[Track], _Notes]:
    """Sort each series, and merge rows with the same time."""
    sorted_, moved = _each(in_order, tracks)
    single, equal = _each(without_equals, sorted_)
    if asking.duplicates == "error" and asking.resample is None:
        _refuse_repeated(sorted_, single, table, asking, stamps)
    policy = asking.duplicates
    settled = 0
    if policy != "error":
        single, settled = _each(lambda track: settle(track, policy), single)
    notes = (
        _moved(moved, tracks),
        f"{counted(equal, 'duplicate row')} (same time and samples) removed{of_change(sorted_, stamps.form.zone)}"
        if equal
        else "",
        f"{counted(settled, 'row')} with the time of another row: --duplicates {policy}" if settled else "",
    )
    return single, tuple(filter(None, notes))


def _each(step: Callable[[Track], tuple[Track, int]], tracks: Sequence[Track]) -> tuple[list[Track], int]:
    done = [step(track) for track in tracks]
    return [track for track, _ in done], sum(count for _, count in done)


def _moved(moved: int, tracks: list[Track]) -> str:
    rows = sum(map(len, tracks))
    if moved and moved == rows - len(tracks):
        return "rows run from the latest to the earliest: reversed"
    return f"rows are not in time order, {moved} out of place: sorted" if moved else ""


def _refuse_repeated(
    tracks: list[Track], without_equal: list[Track], table: Table, asking: Asking, stamps: Stamps
) -> None:
    """Refuse different rows with the same time, and equal ones if a column may identify two series."""
    found = next(filter(None, map(repeated, tracks)), None)
    if found is None:
        return
    differing = next(filter(None, map(repeated, without_equal)), None)
    column = _telling_apart(table, asking, stamps)
    if differing is not None or column is not None:
        raise refuse_repeated(differing or found, table.place, stamps.form.zone, column)


def _telling_apart(table: Table, asking: Asking, stamps: Stamps) -> str | None:
    """A column that may identify series."""
    taken = {*asking.columns, *asking.time, asking.label}
    for column in table.columns if asking.series is None else ():
        try:
            if column not in taken and tells_apart(table.texts(column), stamps.utc):
                return column
        except DataError:  # a column of fractions, or of a type without text
            continue
    return None


def _in_rhythm(
    tracks: list[Track], table: Table, asking: Asking, stamps: Stamps
) -> tuple[list[Track], Rhythm | None, _Notes]:
    """Average rows into bins if asked for, else put them at the places of their rhythm."""
    zone = stamps.form.zone
    if asking.resample is not None:
        bins = bins_of(asking.resample)
        if asking.label is not None:
            raise DataError("--resample averages numbers, and classes have no average: omit it")
        binned = [resample(track, bins, zone, table.place) for track in tracks]
        rows, places = sum(map(len, tracks)), sum(map(len, binned))
        empty = sum(int(np.isnan(track.values).all(axis=1).sum()) for track in binned)
        note = f"{rows} rows are averaged into {places} bins of {asking.resample}"
        return binned, bins, (note + (f", {empty} of them empty" if empty else ""),)
    rhythm = _rhythm(tracks, asking.like, stamps, table)
    if rhythm is None:
        return tracks, None, ("one row is too few to detect the rhythm",)
    placed = [rhythms.place_rows(track, rhythm, stamps.resolution_us, table.place) for track in tracks]
    if asking.gaps == "error":
        _refuse_holes(tracks, [places for places, _ in placed], table)
    full = [on_grid(track, at, rhythm, zone, table.place) for track, (at, _) in zip(tracks, placed, strict=True)]
    return full, rhythm, tuple(_gaps([at for at, _ in placed], sum(count for _, count in placed)))


def _rhythm(tracks: list[Track], like: Reading | None, stamps: Stamps, table: Table) -> Rhythm | None:
    """Detect the rhythm, and compare it with that of training.

    Raises:
        DataError: rows come more or less often than in training.
    """
    found = rhythms.find(tracks, stamps.resolution_us)
    trained = None if like is None or like.resample is not None else like.rhythm
    if trained is None or found is None:
        return trained or found
    if rhythms.fits(tracks, trained, stamps.resolution_us):
        return trained
    if not rhythms.fits(tracks, found, stamps.resolution_us):
        return trained  # no rhythm at all: `place_rows` names the row
    raise DataError(
        f"{table.name}: expected one row every {trained.name}, as in training, got one every {found.name}: give a "
        "table with the rhythm of training"
        + (f", or --resample {rhythms.length_of(trained)}" if found.period_s < trained.period_s else "")
    )


def _refuse_holes(tracks: list[Track], places: list[NDArray[np.int64]], table: Table) -> None:
    for track, at in zip(tracks, places, strict=True):
        gap = np.flatnonzero(np.diff(at) > 1)
        if len(gap):
            total = sum(holes(of).rows for of in places)
            raise DataError(
                f"{table.place(int(track.rows[gap[0] + 1]))}: {counted(int(np.diff(at)[gap[0]]) - 1, 'missing row')} "
                f"before this one, {total} in all; give --missing interpolate or forward to fill them"
            )


def _gaps(places: list[NDArray[np.int64]], restarts: int) -> list[str]:
    missing = [holes(at) for at in places]
    rows, where = sum(hole.rows for hole in missing), sum(hole.places for hole in missing)
    longest = max(hole.longest for hole in missing)
    notes = []
    if rows:
        gaps = counted(where, "gap")
        notes.append(f"{counted(rows, 'row')} missing, in {gaps} of at most {longest}: read as missing samples")
    if restarts:
        notes.append(f"rows are shifted in time after {counted(restarts, 'gap')}, as when a logger restarts")
    return notes


def _described(stamps: Stamps, rhythm: Rhythm | None) -> tuple[str, ...]:
    form, zone = stamps.form.form, stamps.form.zone
    where = "" if zone is None else f" in {zone}"
    how = "ISO 8601" if form in (ISO_WITH_OFFSET, ISO_WITHOUT_OFFSET) else form
    often = "" if rhythm is None else f", one every {rhythm.name}"
    return (f"times: {stamps.example} is {how}{where}{often}" if stamps.example else f"times{where}{often}",)


def _series(track: Track, names: tuple[str, ...], rhythm: Rhythm | None, sha256: str | None) -> Series:
    labels = None if track.labels is None else tuple(track.labels.tolist())
    period_s = None if rhythm is None else rhythm.period_s
    return Series(names, track.values, track.utc, period_s, sha256, track.name, labels, rhythm)
