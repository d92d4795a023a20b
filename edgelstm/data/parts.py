"""Split a series in time: training first, then validation, then test, and nothing from later leaks earlier."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.rows import rows_of, seconds_of
from edgelstm.data.series import Series
from edgelstm.data.windows import Windows, from_rows
from edgelstm.errors import DataError

NAMES = ("training", "validation", "test")


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
    """

    steps: int
    horizon: int
    stride: int
    overlap: bool
    missing: str
    ahead: tuple[str, ...] = ()
    times: bool = False


@dataclass(frozen=True)
class Part:
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
) -> list[Part]:
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


def _part(
    series: Series,
    features: tuple[str, ...],
    targets: tuple[str, ...],
    name: str,
    start: int,
    end: int,
    cut: Cut,
) -> Part:
    reach = cut.steps if cut.overlap and name != "training" else 0
    first_row = max(start - reach, 0)
    needed = cut.steps + cut.horizon
    if end - first_row < needed:
        raise DataError(
            f"the {name} part has {end - first_row} rows, one window takes {needed} "
            f"({cut.steps} steps + horizon {cut.horizon}): give more data, a shorter window or other borders"
        )
    x, x_gaps = rows_of(series, features, first_row, end, cut.missing, cut.ahead, cut.horizon)
    y, y_gaps = rows_of(series, targets, first_row, end, cut.missing)
    windows = from_rows(x, y, start - first_row, cut.steps, cut.horizon, cut.stride)
    if name != "training":
        windows = _without_hindsight(windows, x_gaps, y_gaps)
    if cut.times:
        windows = replace(windows, times=seconds_of(series, first_row, end))
    if len(windows) == 0:
        raise DataError(f"the {name} part has no window without a missing sample; choose --missing interpolate")
    return Part(name, start, end, first_row, windows)


def _without_hindsight(windows: Windows, missing_x: NDArray[np.bool_], missing_y: NDArray[np.bool_]) -> Windows:
    """Leave out what must not be scored: truth that was filled, and windows that end in a filled sample.

    A gap at the end of a window is interpolated towards a value that the forecast is asked for.
    """
    truth = missing_y[windows.y_starts[:, np.newaxis] + windows.y_offsets].any(axis=1)
    kept = ~(missing_x[windows.x_starts + windows.steps - 1] | truth)
    return replace(windows, x_starts=windows.x_starts[kept], y_starts=windows.y_starts[kept])
