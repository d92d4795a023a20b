"""Equal spacing in time: check it, or make it by averaging into bins."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.fields import Place
from edgelstm.data.readers.iso import Times
from edgelstm.errors import DataError, require

JITTER = 0.02  # of the period: clocks of loggers are off by a second in a minute, and are not at fault for that
_BIN = re.compile(r"(?:0*[1-9]\d*(?:ms|s|m|h|d|w))+", re.ASCII)


def period_us(times: list[Times]) -> int | None:
    """Find the step that most rows of some series take, of several the shortest; None if no series has two rows.

    Example:
        >>> period_us([np.array(["2001-01-01", "2001-01-02", "2001-01-03"], "datetime64[us]")])
        86400000000
    """
    steps = np.concatenate([_steps_us(stamps) for stamps in times])
    if len(steps) == 0:
        return None
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    return int(lengths[np.argmax(counts)]) if len(lengths) else 0


def check(times: Times, period: int, place: Place) -> None:
    """Refuse timestamps of a series that repeat, run backwards or leave a gap, and name the first row that does.

    A timestamp may be off its place by `JITTER` of the period: what is lost or doubled is off by the whole of it.

    Raises:
        DataError: it is so.
    """
    steps = _steps_us(times)
    off = np.concatenate([[0], np.cumsum(steps - period)])
    wrong = np.flatnonzero((np.abs(off[1:]) > JITTER * period) | (steps <= 0))
    if len(wrong) == 0:
        return
    row, step = int(wrong[0]) + 1, int(steps[wrong[0]])
    if step == 0:
        complaint = "repeats the one before"
    elif step < 0:
        complaint = "is earlier than the one before"
    elif abs(step - period) > JITTER * period:
        complaint = f"comes {_duration(step)} after the one before, where {_duration(period)} is the rule"
    else:
        lag = _duration(int(abs(off[row])))
        complaint = f"is {lag} off, counted from the first, where {_duration(period)} is the rule"
    raise DataError(
        f"{place(row)}: the timestamp {np.datetime_as_string(times[row], unit='auto')} {complaint}; mend the table, "
        "or let `edgelstm train --resample` average it into equal bins"
    )


def resample(values: NDArray[np.float64], times: Times | None, every: str) -> tuple[NDArray[np.float64], Times]:
    """Sort rows and average them into bins of a length such as `"1w"` (ms, s, m, h, d, w); empty bins are missing.

    Raises:
        DataError: there are no times, or the length is none.
        MissingDependencyError: without polars.
    """
    polars: Any = require("polars", "train")
    if times is None:
        raise DataError("--resample needs a column of timestamps: give --time")
    if not _BIN.fullmatch(every):
        raise DataError(f"--resample: expected a length such as 10m, 1h, 1d or 1w, got {every!r}")
    table = polars.DataFrame({"time": times, **{str(i): column for i, column in enumerate(values.T)}})
    binned = table.fill_nan(None).sort("time").group_by_dynamic("time", every=every).agg(polars.all().mean())
    regular = binned.upsample("time", every=every).fill_null(float("nan"))
    return regular.drop("time").to_numpy(), regular["time"].to_numpy().astype("datetime64[us]")


def _steps_us(times: Times) -> NDArray[np.int64]:
    return np.diff(times.astype("datetime64[us]")).astype(np.int64)


def _duration(microseconds: int) -> str:
    seconds = microseconds / 1e6
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
