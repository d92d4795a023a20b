"""Forecasts of a table, and its windows with what followed, to judge by."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.cli.rows import Answers, Row, Rows, check_names, numbers_of, refuse_gaps
from edgelstm.contract import Contract
from edgelstm.data.asked import read_for
from edgelstm.data.causal import Causal, causal, whole_stretches
from edgelstm.data.rows import filled_rows, seconds_of, shifted
from edgelstm.data.series import Series
from edgelstm.data.windows import Windows, from_rows
from edgelstm.errors import DataError, InputError
from edgelstm.reading import Reading
from edgelstm.rhythm import after
from edgelstm.runtime import Predictor

if TYPE_CHECKING:
    from edgelstm.importers import Imported

BATCH = 256
COLUMNS = ("origin", "time", "row", "step")


def forecast_rows(predictor: Predictor, series: Series, rows: Rows, every_row: bool) -> Answers:
    """Forecast from the last row, or from every row that has a whole window before it.

    Gaps are filled for each forecast from the rows up to its own alone, as a device would have to. Where every row is
    asked for, those are left out and counted whose window reaches over a gap that is not filled.

    Returns:
        One row per forecast sample: `origin` (the last sample that was seen), `time` or `row` (of the forecast),
        `step` from 1 to K, and a column for each output in its physical unit.

    Raises:
        InputError: there are fewer rows than one window takes, or an output is called like one of those columns.
        DataError: a sample that is needed is missing and is not filled.
    """
    contract = predictor.contract
    check_names(contract, COLUMNS)
    count, carried = len(series.values), contract.state == "carried"
    needed = 1 if carried else contract.window
    if count < needed:
        raise InputError(f"{series.name}: expected at least {needed} rows, which one window takes, got {count}")
    origins = np.arange(needed - 1, count) if every_row else np.array([count - 1])
    answer = _carried if carried else _windowed
    return answer(predictor, series, rows, origins)


def _windowed(predictor: Predictor, series: Series, rows: Rows, origins: NDArray[np.int64]) -> Answers:
    """Run the window up to each origin."""
    contract, filled = predictor.contract, causal(series, rows.filling)
    found: list[Row] = []
    left_out = 0
    for start in range(0, len(origins), BATCH):
        some = origins[start : start + BATCH]
        x = np.stack([filled.up_to(origin, contract.window) for origin in some.tolist()])
        good = ~np.isnan(x).any(axis=(1, 2))
        if not good.all():
            _refuse(series, filled, int(some[~good][0]), contract.window, rows, alone=len(origins) == 1)
            left_out += int((~good).sum())
            some, x = some[good], x[good]
        if len(some):
            times = [seconds_of(series, row + 1 - contract.window, row + 1) for row in some] if contract.times else None
            found += _rows_of(contract, series, rows, some, predictor.predict(x, time_s=times))
    return Answers(found, _left_out(left_out, len(origins), series))


def _refuse(series: Series, filled: Causal, origin: int, steps: int, rows: Rows, alone: bool) -> None:
    """Refuse the one window that is asked for; of many it is left out, unless every gap is an error."""
    if alone or rows.filling.policy == "error":
        refuse_gaps(series, filled.up_to(origin, steps), origin, rows.filling)


def _carried(predictor: Predictor, series: Series, rows: Rows, origins: NDArray[np.int64]) -> Answers:
    """Go over all rows once, and begin anew behind a gap; a state that has gone on cannot look back to interpolate."""
    contract, count, filling = predictor.contract, len(series.values), rows.filling
    if len(origins) > 1 and filling.policy == "interpolate":
        filling = filling._replace(policy="forward")
    policy = "drop" if filling.policy == "error" else filling.policy
    x = filled_rows(series, series.names, count, policy, filling.max_gap, filling.categories)
    if filling.policy == "error":
        refuse_gaps(series, x, count - 1, filling)
    found: list[Row] = []
    for start, end in whole_stretches(x):
        asked = origins[(origins >= start) & (origins < end)]
        if len(asked):
            y = predictor.predict(x[start:end], time_s=seconds_of(series, start, end) if contract.times else None)
            found += _rows_of(contract, series, rows, asked, y[asked - start])
    if len(origins) == 1 and not found:
        refuse_gaps(series, x[-1:], count - 1, filling)
    return Answers(found, _left_out(len(origins) - len(found) // contract.horizon, len(origins), series))


def _left_out(count: int, asked: int, series: Series) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{series.name}: left out {count} of {asked} forecasts, whose windows reach over a gap that is not filled",)


def _rows_of(
    contract: Contract, series: Series, rows: Rows, origins: NDArray[np.int64], y: NDArray[np.float32]
) -> Iterator[Row]:
    places = _places(series, rows, origins, contract.horizon)
    for forecast, at in zip(y, places, strict=True):
        for step, (values, place) in enumerate(zip(forecast, at, strict=True), start=1):
            yield {**place, "step": step, **numbers_of(contract, values)}


def _places(series: Series, rows: Rows, origins: NDArray[np.int64], horizon: int) -> list[list[Row]]:
    """Say where each forecast was made, and where each of its samples lies: at a time, or at a row."""
    if series.time is None or rows.rhythm is None:
        return [[{"origin": o + 1, "row": o + 1 + step} for step in range(1, horizon + 1)] for o in origins.tolist()]
    zone = rows.wall.zone
    zone, seen = rows.wall.zone, series.time[origins]
    origin = rows.wall.words(seen)
    ahead = [rows.wall.words(after(seen, rows.rhythm, step, zone)) for step in range(1, horizon + 1)]
    return [[{"origin": origin[i], "time": times[i]} for times in ahead] for i in range(len(origin))]


class HeldOut(NamedTuple):
    """Windows with their targets, to judge a network by.

    Attributes:
        windows: of the table.
        period_s: seconds between two rows; None without timestamps.
        reading: how the table was read.
        notes: what was understood and done, in lines for people.
    """

    windows: Windows
    period_s: float | None
    reading: Reading
    notes: tuple[str, ...]


def read_test(source: str, contract: Contract | Imported, given: Mapping[str, Any]) -> HeldOut:
    """Read inputs and outputs from a table and cut them into windows with their targets.

    Args:
        source: the table, - for stdin.
        contract: names the columns and says how long a window is: of a file, or of a network about to be imported.
        given: fields of `edgelstm.data.readers.asking.Asking` that somebody asked for.

    Raises:
        DataError: the table cannot be read, or holds no window without a gap.
        InputError: the task is none that a table can score.
    """
    if contract.task != "forecast" or contract.inputs[0].dtype == "int64":
        raise InputError(f"--data: expected a network that forecasts, got one to {contract.task}")
    outputs = tuple(dict.fromkeys(channel.source for channel in contract.outputs))
    found = read_for(contract, sys.stdin if source == "-" else source, given, outputs)
    if len(found.series) > 1:
        raise DataError(f"{source}: expected one series, the table holds {len(found.series)}")
    series = found.series[0]
    windows = _windows(series, contract, outputs)
    if not len(windows):
        needed = contract.window + contract.horizon
        raise DataError(f"{source}: expected at least {needed} rows without a gap, found no such stretch")
    return HeldOut(windows, series.period_s, found.reading, found.notes)


def _windows(series: Series, contract: Contract | Imported, outputs: Sequence[str]) -> Windows:
    from dataclasses import replace

    names = series.names[: len(contract.inputs)]
    x = series.columns(names)
    for name, channel in zip(names, contract.inputs, strict=True):
        x = shifted(x, names, (name,), channel.ahead)
    rows = x.astype(np.float32), series.columns(tuple(outputs)).astype(np.float32)
    windows = from_rows(*rows, 0, contract.window, contract.horizon, 1)
    return replace(windows, times=seconds_of(series, 0, len(x)))
