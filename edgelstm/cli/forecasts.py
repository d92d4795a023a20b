"""Forecasts of a table, and its windows with what followed, to judge by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgelstm.cli.rows import Row, check_names, filled, iso, numbers_of
from edgelstm.contract import Contract
from edgelstm.data.readers.read import read_series
from edgelstm.data.rows import seconds_of, shifted
from edgelstm.data.series import Series
from edgelstm.data.windows import Windows, from_rows
from edgelstm.errors import DataError, InputError
from edgelstm.runtime import Predictor

if TYPE_CHECKING:
    from edgelstm.importers import Imported

BATCH = 256
COLUMNS = ("origin", "time", "row", "step")


def read_test(source: str, contract: Contract | Imported, time: str | None) -> tuple[Windows, float | None]:
    """Read inputs and outputs from a table and cut them into windows with their targets.

    Args:
        source: the table.
        contract: names the columns and says how long a window is: of a file, or of a network about to be imported.
        time: column of timestamps.

    Returns:
        The windows, and the seconds between two rows; None without timestamps.

    Raises:
        DataError: the table cannot be read, or holds no window without a gap.
        InputError: the task is none that a table can score.
    """
    if contract.task != "forecast" or contract.inputs[0].dtype == "int64":
        raise InputError(f"--data: expected a network that forecasts, got one to {contract.task}")
    inputs, outputs = (
        tuple(dict.fromkeys(channel.source for channel in channels)) for channels in (contract.inputs, contract.outputs)
    )
    series = read_series(source, inputs + outputs, time)
    x = series.columns(inputs)
    for channel in contract.inputs:
        x = shifted(x, inputs, (channel.source,), channel.ahead)
    rows = x.astype(np.float32), series.columns(outputs).astype(np.float32)
    windows = from_rows(*rows, 0, contract.window, contract.horizon, 1)
    windows = replace(windows, times=seconds_of(series, 0, len(x)))
    if not len(windows):
        needed = contract.window + contract.horizon
        raise DataError(f"{source}: expected at least {needed} rows without a gap, found no such stretch")
    return windows, series.period_s


def forecast_rows(predictor: Predictor, series: Series, every_row: bool, missing: str) -> Iterator[Row]:
    """Forecast from the last row, or from every row that has a whole window before it.

    Gaps are filled for each forecast from the rows up to its own alone, as a device would have to.

    Yields:
        One row per forecast sample: `origin` (the last sample that was seen), `time` or `row` (of the forecast),
        `step` from 1 to K, and a column for each output in its physical unit.

    Raises:
        InputError: there are fewer rows than one window takes, or an output is called like one of those columns.
        DataError: a sample that is needed is missing and `missing` is `"error"`.
    """
    contract = predictor.contract
    check_names(contract, COLUMNS)
    window, count = contract.window, len(series.values)
    carried = contract.state == "carried"
    needed = 1 if carried else window
    if count < needed:
        raise InputError(f"{series.name}: expected at least {needed} rows, which one window takes, got {count}")
    origins = range(needed - 1, count) if every_row else range(count - 1, count)
    if carried:  # one pass over all rows; a state that has gone on cannot look back to interpolate
        policy = "forward" if every_row and missing == "interpolate" else missing
        seconds = seconds_of(series, 0, count) if contract.times else None
        y = predictor.predict(filled(series, count - 1, count, policy), time_s=seconds)[origins.start :]
        yield from _rows_of(contract, series, origins, y)
        return
    for start in range(0, len(origins), BATCH):
        some = origins[start : start + BATCH]
        x = np.stack([filled(series, origin, window, missing) for origin in some])
        times = [seconds_of(series, origin + 1 - window, origin + 1) for origin in some] if contract.times else None
        yield from _rows_of(contract, series, some, predictor.predict(x, time_s=times))


def _rows_of(contract: Contract, series: Series, origins: range, y: NDArray[np.float32]) -> Iterator[Row]:
    period = np.timedelta64(int((contract.sample_period_s or 0) * 1e6), "us")
    for origin, forecast in zip(origins, y, strict=True):
        for step, values in enumerate(forecast, start=1):
            if series.time is not None and contract.sample_period_s:
                moments = series.time[origin], series.time[origin] + step * period
                days = _whole_days(series.time[0], period)
                row: Row = dict(zip(("origin", "time"), (iso(moment, days) for moment in moments), strict=True))
            else:
                row = {"origin": origin + 1, "row": origin + 1 + step}
            yield {**row, "step": step, **numbers_of(contract, values)}


def _whole_days(first: np.datetime64, period: np.timedelta64) -> bool:
    day = np.timedelta64(1, "D")
    return bool(first == first.astype("datetime64[D]") and period % day == np.timedelta64(0, "us"))
