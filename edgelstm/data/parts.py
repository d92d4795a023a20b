"""Split a series in time: training, then validation, then test. Nothing leaks from a later part into an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.rows import rows_of, seconds_of
from edgelstm.data.series import Series, Stretch
from edgelstm.data.windows import Windows, end_to_end, from_rows
from edgelstm.errors import DataError, counted

NAMES = ("training", "validation", "test")
Rows64 = NDArray[np.float64]
Measured = tuple[Stretch, Rows64]  # a stretch, and the spread by which the error of its series is divided


@dataclass(frozen=True)
class Cut:
    """How to cut windows.

    Attributes:
        steps: T.
        horizon: K.
        stride: rows from one window to the next.
        overlap: windows of validation and test may take inputs from the part before.
        missing: a policy of `edgelstm.data.gaps`.
        ahead: the inputs that are known `horizon` steps ahead; each value stands at the sample it is given with.
        times: keep the time of each row.
        max_gap: the longest gap to fill, in samples; no window contains a longer one. None: no limit.
        categories: the channels that are 1 or 0 for one word of a text column.
    """

    steps: int
    horizon: int
    stride: int
    overlap: bool
    missing: str
    ahead: tuple[str, ...] = ()
    times: bool = False
    max_gap: int | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesPart:
    """One part of a series.

    Attributes:
        name: one of `NAMES`.
        start, end: the rows of the series that belong to the part.
        first_row: the row of the series that is row 0 of `windows.x_rows`; with overlap it lies before `start`.
        windows: cut from these rows.
    """

    name: str
    start: int
    end: int
    first_row: int
    windows: Windows


def fraction_borders(rows: int, training: float, validation: float, test: float) -> tuple[int, int, int]:
    """Turn fractions into the rows at which the parts end.

    Raises:
        DataError: a fraction is negative, or they sum to more than 1.

    Example:
        >>> fraction_borders(2284, 0.7, 0.15, 0.15)
        (1599, 1941, 2284)
    """
    fractions = (training, validation, test)
    if min(fractions) < 0 or training <= 0 or sum(fractions) > 1 + 1e-9:
        raise DataError(
            f"split: expected a training fraction above 0, and a sum of at most 1, got {training}, {validation}, {test}"
        )
    ends = np.cumsum(fractions)
    return tuple(min(rows, int(rows * end + 0.5)) for end in ends)  # type: ignore[return-value]


def split(
    series: Series, features: tuple[str, ...], targets: tuple[str, ...], borders: tuple[int, ...], cut: Cut
) -> list[SeriesPart]:
    """Cut a series into parts and the parts into windows.

    The gaps of each part are filled from its own and earlier rows alone: no information crosses a border backwards,
    and no target crosses a border.

    Args:
        series: the complete series.
        features: the channels to use as inputs.
        targets: the channels to use as outputs.
        borders: the row at which each part ends, in the order of `NAMES`; equal borders make no part.
        cut: how to cut windows.

    Returns:
        The parts that have rows, training first.

    Raises:
        DataError: borders out of order or outside, a part too short for one window, a gap in every window.
    """
    edges = (0, *borders)
    if list(edges) != sorted(edges) or edges[-1] > len(series.values) or edges[1] == 0:
        raise DataError(
            f"split: expected ascending borders within {len(series.values)} rows and a training part, got {borders}"
        )
    return [
        _part(series, features, targets, name, start, end, cut)
        for name, start, end in zip(NAMES, edges[:-1], edges[1:], strict=False)
        if end > start
    ]


@dataclass(frozen=True)
class Fleet:
    """One part of many series.

    Attributes:
        name: one of `NAMES`.
        windows: of all series that have one in this part, end to end.
        stretches: the rows of those series that belong to the part.
        short: how many series have rows in this part, but too few for a window.
        broken: how many series have enough rows, but a missing sample in every window.
    """

    name: str
    windows: Windows
    stretches: tuple[Stretch, ...]
    short: int
    broken: int


def split_each(
    series: Sequence[Series],
    features: tuple[str, ...],
    targets: tuple[str, ...],
    borders: Sequence[tuple[int, ...]],
    cut: Cut,
) -> list[Fleet]:
    """Cut each of many series into parts as `split` does, and join the windows of each part end to end.

    A series that is too short for a window is skipped in that part.

    Args:
        series: at least one, all with the same channels.
        features: the channels to use as inputs.
        targets: the channels to use as outputs.
        borders: for each series the rows at which its parts end, in the order of `NAMES`; a series may have no rows in
            a part.
        cut: how to cut windows.

    Returns:
        The parts in which at least one series has rows, training first.

    Raises:
        DataError: no series has a window in a part, or none has rows in training.

    Example:
        >>> stores = [Series(("sales",), np.arange(9.0)[:, np.newaxis], None, None, None, name) for name in "ab"]
        >>> cut = Cut(steps=2, horizon=1, stride=1, overlap=True, missing="drop")
        >>> training, test = split_each(stores, ("sales",), ("sales",), [(6, 6, 9)] * 2, cut)
        >>> len(training.windows), len(test.windows), test.windows.names
        (8, 6, ('a', 'b'))
    """
    stretches = _stretches(series, borders)
    if not any(stretches[0]):
        raise DataError("split: no series has a row in the training part: give later borders")
    learnt = [one.columns(targets)[: ends[0]] for one, ends in zip(series, borders, strict=True)]
    whole = [one.columns(targets) for one in series]
    fleets = []
    for name, some in zip(NAMES, stretches, strict=False):
        spreads = _spreads(learnt, learnt if name == "training" else whole)
        there = [(one, spread) for one, spread in zip(some, spreads, strict=True) if one]
        if there:
            fleets.append(_fleet(name, there, features, targets, cut))
    return fleets


def held_out(series: Series, features: tuple[str, ...], targets: tuple[str, ...], name: str, cut: Cut) -> Windows:
    """Cut a complete series into windows to score, as in a test part.

    Args:
        series: the complete series.
        features: the channels to use as inputs.
        targets: the channels to use as outputs.
        name: of the part, for messages.
        cut: how to cut windows.

    Raises:
        DataError: it is too short for one window, or every window has a gap.
    """
    return _part(series, features, targets, name, 0, len(series.values), cut).windows


def held_out_each(
    series: Sequence[Series], features: tuple[str, ...], targets: tuple[str, ...], name: str, cut: Cut
) -> Fleet:
    """Cut many complete series into windows to score; the error of each series is divided by its own spread.

    Args:
        series: at least one, all with the same channels.
        features: the channels to use as inputs.
        targets: the channels to use as outputs.
        name: of the part, for messages.
        cut: how to cut windows.

    Raises:
        DataError: no series has a window.
    """
    whole = [one.columns(targets) for one in series]
    stretches = [Stretch(one, 0, len(one.values)) for one in series]
    return _fleet(name, list(zip(stretches, _spreads(whole, whole), strict=True)), features, targets, cut)


def _part(
    series: Series,
    features: tuple[str, ...],
    targets: tuple[str, ...],
    name: str,
    start: int,
    end: int,
    cut: Cut,
) -> SeriesPart:
    rows, needed = end - _first_row(name, start, cut), cut.steps + cut.horizon
    if rows < needed:
        raise DataError(f"the {name} part has {rows} rows, {_too_few(needed, cut, name, end)}")
    part = _cut(Stretch(series, start, end), features, targets, name, cut)
    if len(part.windows) == 0:
        raise DataError(f"every window of the {name} part contains {_too_long_a_gap(cut)}")
    return part


def _fleet(
    name: str, stretches: list[Measured], features: tuple[str, ...], targets: tuple[str, ...], cut: Cut
) -> Fleet:
    rows, needed = [one.end - _first_row(name, one.start, cut) for one, _ in stretches], cut.steps + cut.horizon
    if max(rows) < needed:
        end = stretches[int(np.argmax(rows))][0].end
        raise DataError(f"the {name} part has at most {max(rows)} rows per series, {_too_few(needed, cut, name, end)}")
    enough = [one for one, count in zip(stretches, rows, strict=True) if count >= needed]
    parts = [(*one, _cut(one[0], features, targets, name, cut).windows) for one in enough]
    parts = [part for part in parts if len(part[2])]
    if not parts:
        raise DataError(f"every window of the {name} part contains {_too_long_a_gap(cut)}")
    kept, spreads, windows = zip(*parts, strict=True)
    names = tuple(one.series.name for one in kept)
    joined = end_to_end(windows, names, np.stack(spreads))
    return Fleet(name, joined, kept, len(stretches) - len(enough), len(enough) - len(parts))


def _first_row(name: str, start: int, cut: Cut) -> int:
    """Give the first row that a window of a part may contain."""
    return max(start - cut.steps, 0) if cut.overlap and name != "training" else start


def _too_few(needed: int, cut: Cut, name: str, end: int) -> str:
    needs = f"one window needs {needed} ({cut.steps} steps + horizon {cut.horizon}): "
    if not cut.overlap and name != "training" and end >= needed:
        return (
            f"{needs}give --overlap, so that its windows take inputs from the part before; or more data, a shorter "
            "window or other borders"
        )
    return f"{needs}give more data, a shorter window or other borders"


def _too_long_a_gap(cut: Cut) -> str:
    if cut.missing in ("drop", "error") or cut.max_gap is None:
        return "a missing sample: give --missing interpolate"
    return f"a gap of more than {counted(cut.max_gap, 'sample')}: raise --max-gap, or shorten the window"


def _cut(stretch: Stretch, features: tuple[str, ...], targets: tuple[str, ...], name: str, cut: Cut) -> SeriesPart:
    series, start, end = stretch
    first_row, take = _first_row(name, start, cut), partial(rows_of, max_gap=cut.max_gap, categories=cut.categories)
    x, x_gaps = take(series, features, first_row, end, cut.missing, cut.ahead, cut.horizon)
    y, y_gaps = take(series, targets, first_row, end, cut.missing)
    windows = from_rows(x, y, start - first_row, cut.steps, cut.horizon, cut.stride)
    if name != "training":
        whole = _without_hindsight(windows, x_gaps, y_gaps)
        windows = whole if len(whole) else _partly_known(windows, x_gaps, y_gaps, features, targets)
    if cut.times:
        windows = replace(windows, times=seconds_of(series, first_row, end))
    return SeriesPart(name, start, end, first_row, windows)


def _stretches(series: Sequence[Series], borders: Sequence[tuple[int, ...]]) -> list[list[Stretch | None]]:
    """Cut each series at its borders: for each part the stretch of each series, None if it has no rows there."""
    found: list[list[Stretch | None]] = [[] for _ in range(max(map(len, borders)))]
    for one, ends in zip(series, borders, strict=True):
        edges = (0, *ends)
        if list(edges) != sorted(edges) or edges[-1] > len(one.values):
            raise DataError(
                f"split: series {one.name}: expected ascending borders within {len(one.values)} rows, got {ends}"
            )
        for stretches, start, end in zip(found, edges[:-1], edges[1:], strict=False):
            stretches.append(Stretch(one, start, end) if end > start else None)
    return found


def _spreads(learnt: Sequence[Rows64], known: Sequence[Rows64]) -> list[Rows64]:
    """Give what the error of each series is divided by: float64 [O] each, never 0.

    It is the standard deviation of its training rows. Where there are none, or they are constant, it is that of all
    known rows of the series; where these are constant too, that of all series together.
    """
    pooled = _deviation(np.concatenate(list(known)))
    pooled = np.where(pooled > 0, pooled, 1.0)
    found = []
    for rows, more in zip(learnt, known, strict=True):
        spread = _deviation(rows)
        if not spread.all():
            spread = np.where(spread > 0, spread, _deviation(more))
        found.append(np.where(spread > 0, spread, pooled))
    return found


def _deviation(rows: Rows64) -> Rows64:
    """Give the standard deviation of the known values of each column: 0 if they are constant or there are none."""
    known = [column[np.isfinite(column)] for column in rows.T]
    return np.array([0.0 if len(column) == 0 or np.ptp(column) == 0 else column.std() for column in known])


def _without_hindsight(windows: Windows, missing_x: NDArray[np.bool_], missing_y: NDArray[np.bool_]) -> Windows:
    """Remove windows that must not be scored: their truth was filled, or their last sample was.

    A gap at the end of a window is interpolated towards a value that is to be forecast.
    """
    truth = missing_y[windows.y_starts[:, np.newaxis] + windows.y_offsets].any(axis=1)
    kept = ~(missing_x[windows.x_starts + windows.steps - 1] | truth)
    return replace(windows, x_starts=windows.x_starts[kept], y_starts=windows.y_starts[kept])


def _partly_known(
    windows: Windows,
    missing_x: NDArray[np.bool_],
    missing_y: NDArray[np.bool_],
    features: tuple[str, ...],
    targets: tuple[str, ...],
) -> Windows:
    """Score single steps where every window has a gap: with a month missing each year, every window of a year has one.

    Filled values become unknown (NaN) as truth; they stay as the past of a window.
    """
    truth = ~missing_y[windows.y_starts[:, np.newaxis] + windows.y_offsets]
    kept = truth.any(axis=1) & ~missing_x[windows.x_starts + windows.steps - 1]
    if not set(targets) <= set(features):  # the past of the targets would be lost with the truth
        kept[:] = False
    known = np.where(missing_y[:, np.newaxis], np.float32(np.nan), windows.y_rows)
    past = tuple(features.index(name) for name in targets) if kept.any() else ()
    return replace(
        windows, x_starts=windows.x_starts[kept], y_starts=windows.y_starts[kept], y_rows=known, target_inputs=past
    )
