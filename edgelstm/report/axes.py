"""Where examples lie: in time, where the data says when, else in rows or steps."""

from __future__ import annotations

import numpy as np

from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Index, Windows
from edgelstm.report.evaluation import Axis


def origins_of(windows: Windows, index: Index) -> Axis:
    """Say where the last sample of each window lies: [n]."""
    return _at(windows, windows.x_starts[index] + windows.steps - 1)


def targets_of(windows: Windows, index: Index) -> Axis:
    """Say where the last sample that each window is to forecast lies: [n]."""
    rows = windows.y_starts[index] + windows.horizon - 1
    return _at(windows, rows) if windows.same_rows else Axis("row", rows + 1)


def steps_of(sequences: Sequences, i: int) -> Axis:
    """Say where the steps of one series lie: [T]."""
    times = sequences.times_of(i)
    return Axis("step", np.arange(1, sequences.lengths[i] + 1)) if times is None else Axis("time", times)


def _at(windows: Windows, rows: Index) -> Axis:
    """In time; without it in rows, of many series in steps from the first of each."""
    if windows.times is not None:
        return Axis("time", windows.times[rows])
    if windows.firsts is None:
        return Axis("row", rows + 1)
    return Axis("step", rows - windows.firsts[np.searchsorted(windows.firsts, rows, side="right") - 1] + 1)
