"""Split a series in time: training first, then validation, then test, and nothing from later leaks earlier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.rows import rows_of, seconds_of
from edgelstm.data.series import Series, Stretch
from edgelstm.data.windows import Windows, end_to_end, from_rows
from edgelstm.errors import DataError

NAMES = ("training", "validation", "test")
Rows64 = NDArray[np.float64]
Measured = tuple[Stretch, Rows64]  # and the spread that the error of its series is measured by


@dataclass(frozen=True)
class Cut:
    """How to cut windows.

    Attributes:
        steps: T.
        horizon: K.
        stride: rows from one window to the next.
        overlap: windows of validation and test may reach back into the part before for their inputs.
        missing: a policy of `edgelstm.data.gaps`.
        ahead: the inputs that are known `horizon` steps ahead; each stands beside the sample it is given with.
        times: keep the time of each row.
        max_gap: the most samples in a row that are filled, and no window reaches over more; None: any number.
        categories: the channels that are 1 or 0, for a word of a column of text.
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
        start, end: the rows of the series that are its own.
        first_row: the row of the series that is row 0 of `windows.x_rows`; before `start` with overlap.
        windows: None for a part that was not asked for.
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
            f"split: expected a training fraction above 0 and a sum of at most 1, got {training}, {validation}, {test}"
        )
    ends = np.cumsum(fractions)
    return tuple(min(rows, int(rows * end + 0.5)) for end in ends)  # type: ignore[return-value]


def split(
    series: Series, features: tuple[str, ...], targets: tuple[str, ...], borders: tuple[int, ...], cut: Cut
) -> list[SeriesPart]:
    """Cut a series into parts and the parts into windows.

    Each part's gaps are filled from its own and earlier rows alone, so that nothing after a border can reach
    what lies before it, and no target crosses a border.

    Args:
        series: the whole of it.
        features: the channels to take as inputs.
        targets: the channels to take as outputs.
        borders: the row at which each part ends, in the order of `NAMES`; equal borders make no part.
        cut: how to cut windows.

    Returns:
        The parts that have rows, training first.

    Raises:
        DataError: borders out of order or outside, a part too short for one window, no window without a gap.
    """
    edges = (0, *borders)
    if list(edges) != sorted(edges) or edges[-1] > len(series.values) or edges[1] == 0:
        raise DataError(
            f"split: expected growing borders within {len(series.values)} rows and a training part, got {borders}"
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
        windows: of all series that have one here, end to end.
        stretches: the rows of those series that are the part's own.
        short: how many series have rows here, but not enough for a window.
        broken: how many have enough, but each window touches a missing sample.
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
    """Cut each of many series into parts as `split` does one, and lay the windows of a part end to end.

    A series that is too short for a window of a part is left out of that part.

    Args:
        series: at least one, of the same channels.
        features: the channels to take as inputs.
        targets: the channels to take as outputs.
        borders: for each series the rows at which its parts end, in the order of `NAMES`; a series may have no rows in
            a part.
        cut: how to cut windows.

    Returns:
        The parts that some series has rows in, training first.

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
        raise DataError("split: no series has a row in the training part: choose earlier borders")
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
    """Cut a whole series into windows to be scored, as those of a test part are.

    Args:
        series: the whole of it.
        features: the channels to take as inputs.
        targets: the channels to take as outputs.
        name: of the part, for a message.
        cut: how to cut windows.

    Raises:
        DataError: it is too short for one window, or no window is without a gap.
    """
    return _part(series, features, targets, name, 0, len(series.values), cut).windows


def held_out_each(
    series: Sequence[Series], features: tuple[str, ...], targets: tuple[str, ...], name: str, cut: Cut
) -> Fleet:
    """Cut many whole series into windows to be scored; the error of each is measured by its own spread.

    Args:
        series: at least one, of the same channels.
        features: the channels to take as inputs.
        targets: the channels to take as outputs.
        name: of the part, for a message.
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
        raise DataError(f"the {name} part has no window without a missing sample; {_fewer_gaps(cut)}")
    return part


def _fleet(
    name: str, stretches: list[Measured], features: tuple[str, ...], targets: tuple[str, ...], cut: Cut
) -> Fleet:
    rows, needed = [one.end - _first_row(name, one.start, cut) for one, _ in stretches], cut.steps + cut.horizon
    if max(rows) < needed:
        end = stretches[int(np.argmax(rows))][0].end
        raise DataError(f"the {name} part has at most {max(rows)} rows of a series, {_too_few(needed, cut, name, end)}")
    enough = [one for one, count in zip(stretches, rows, strict=True) if count >= needed]
    parts = [(*one, _cut(one[0], features, targets, name, cut).windows) for one in enough]
    parts = [part for part in parts if len(part[2])]
    if not parts:
        raise DataError(f"the {name} part has no window without a missing sample; {_fewer_gaps(cut)}")
    kept, spreads, windows = zip(*parts, strict=True)
    names = tuple(one.series.name for one in kept)
    joined = end_to_end(windows, names, np.stack(spreads))
    return Fleet(name, joined, kept, len(stretches) - len(enough), len(enough) - len(parts))


def _first_row(name: str, start: int, cut: Cut) -> int:
    """Give the first row that a window of a part may see."""
    return max(start - cut.steps, 0) if cut.overlap and name != "training" else start


def _too_few(needed: int, cut: Cut, name: str, end: int) -> str:
    takes = f"one window takes {needed} ({cut.steps} steps + horizon {cut.horizon}): "
    if not cut.overlap and name != "training" and end >= needed:
        return (
            f"{takes}--overlap lets its windows reach back into the part before for their inputs; or give more data, a "
            "shorter window or other borders"
        )
    return f"{takes}give more data, a shorter window or other borders"


def _fewer_gaps(cut: Cut) -> str:
    if cut.missing in ("drop", "error") or cut.max_gap is None:
        return "choose --missing interpolate"
    return f"gaps of up to {cut.max_gap} are filled: choose a larger --max-gap, or a shorter window"


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
    """Cut each series at its borders: of each part the stretch of each series, None where it has no rows there."""
    found: list[list[Stretch | None]] = [[] for _ in range(max(map(len, borders)))]
    for one, ends in zip(series, borders, strict=True):
        edges = (0, *ends)
        if list(edges) != sorted(edges) or edges[-1] > len(one.values):
            raise DataError(
                f"split: series {one.name}: expected growing borders within {len(one.values)} rows, got {ends}"
            )
        for stretches, start, end in zip(found, edges[:-1], edges[1:], strict=False):
            stretches.append(Stretch(one, start, end) if end > start else None)
    return found


def _spreads(learnt: Sequence[Rows64], known: Sequence[Rows64]) -> list[Rows64]:
    """Tell what the error of each series is measured by: float64 [O] each, never 0.

    The standard deviation of its training rows. One that has none there, or is constant there, is measured by that of
    all rows that may be known of it; and one that is constant there too by that of all series together.
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
    """The standard deviation of each column over what is known: 0 where it is constant or nothing is."""
    known = [column[np.isfinite(column)] for column in rows.T]
    return np.array([0.0 if len(column) == 0 or np.ptp(column) == 0 else column.std() for column in known])


def _without_hindsight(windows: Windows, missing_x: NDArray[np.bool_], missing_y: NDArray[np.bool_]) -> Windows:
    """Leave out what must not be scored: truth that was filled, and windows that end in a filled sample.

    A gap at the end of a window is interpolated towards a value that the forecast is asked for.
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
    """Score steps where no whole window can be: with a missing month in each year, all windows of a year have one.

    What was filled is unknown there, NaN, as truth; as the past of a window it stays.
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
