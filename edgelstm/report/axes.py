"""The axis of examples: time if the data has times, else rows or steps."""

from __future__ import annotations

import numpy as np

from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Index, Windows
from edgelstm.report.evaluation import Axis


def origins_of(windows: Windows, index: Index) -> Axis:
    """Give the place of the last sample of each window: [n]."""
    return _at(windows, windows.x_starts[index] + windows.steps - 1)


def targets_of(windows: Windows, index: Index) -> Axis:
    """Give the place of the last sample that each window forecasts: [n]."""
    rows = windows.y_starts[index] + windows.horizon - 1
    return _at(windows, rows) if windows.same_rows else Axis("row", rows + 1)


def steps_of(sequences: Sequences, i: int) -> Axis:
    """Give the places of the steps of one series: [T]."""
    times = sequences.times_of(i)
    return Axis("step", np.arange(1, sequences.lengths[i] + 1)) if times is None else Axis("time", times)


def _at(windows: Windows, rows: Index) -> Axis:
    """In time; without times in rows, or for many series in steps from the start of each."""
    if windows.times is not None:
        return Axis("time", windows.times[rows])
    if windows.firsts is None:
        return Axis("row", rows + 1)
    return Axis("step", rows - windows.firsts[np.searchsorted(windows.firsts, rows, side="right") - 1] + 1)
