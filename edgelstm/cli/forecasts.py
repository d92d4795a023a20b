"""What `edgelstm predict` does between reading and writing: rows of a table to rows of forecasts."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.data.gaps import fill
from edgelstm.data.readers.read import read_series
from edgelstm.data.rows import known_ahead, seconds_of, shifted
from edgelstm.data.series import Series
from edgelstm.data.windows import Windows, from_rows
from edgelstm.errors import DataError, InputError, OutputError, require
from edgelstm.runtime import Predictor

if TYPE_CHECKING:
    from edgelstm.importers import Imported

FORMATS = ("csv", "jsonl", "parquet")
BATCH = 256
COLUMNS = ("origin", "time", "row", "step")

Row = dict[str, Any]


def read_rows(source: str, contract: Contract, time: str | None) -> Series:
    """Read the input channels of a contract from a table, or from stdin for `-`.

    A column known ahead goes on behind the last sample to forecast from, as far as the forecast does.

    Raises:
        DataError: the table cannot be read, its timestamps are not as far apart as in training, or it ends before a
            column known ahead is known far enough.
    """
    columns = tuple(channel.source for channel in contract.inputs)
    series = read_series(sys.stdin if source == "-" else source, columns, time)
    steps = 1 if contract.state == "carried" else contract.window
    series = known_ahead(series, {channel.source: channel.ahead for channel in contract.inputs}, steps)
    if series.period_s and contract.sample_period_s and series.period_s != contract.sample_period_s:
        raise DataError(
            f"{source}: the network was trained on one sample every {contract.sample_period_s:g} s, but the table has "
            f"one every {series.period_s:g} s; resample it first"
        )
    return series


def read_windows(source: str, contract: Contract, time: str | None) -> Windows:
    """Read inputs and outputs of a contract from a table and cut them into windows; errors as `read_test`."""
    return read_test(source, contract, time)[0]


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
        raise InputError(f"--data: expected a network that forecasts numbers, got one to {contract.task}")
    inputs, outputs = (
        tuple(dict.fromkeys(channel.source for channel in channels)) for channels in (contract.inputs, contract.outputs)
    )
    series = read_series(source, (*inputs, *outputs), time)
    x, y = series.columns(inputs), series.columns(outputs)
    for channel in contract.inputs:
        x = shifted(x, inputs, (channel.source,), channel.ahead)
    x_rows, y_rows = (np.ascontiguousarray(rows, np.float32) for rows in (x, y))
    windows = from_rows(x_rows, y_rows, 0, contract.window, contract.horizon, 1, every_step=False)
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
    _check_names(contract)
    window, count = contract.window, len(series.values)
    carried = contract.state == "carried"
    needed = 1 if carried else window
    if count < needed:
        raise InputError(f"expected at least {needed} rows, which one window takes, got {count}")
    origins = range(needed - 1, count) if every_row else range(count - 1, count)
    if carried:  # one pass over all rows; a state that has gone on cannot look back to interpolate
        policy = "forward" if every_row and missing == "interpolate" else missing
        y = predictor.predict(_filled(series, count - 1, count, policy))[origins.start :]
        yield from _rows_of(contract, series, origins, y)
        return
    for start in range(0, len(origins), BATCH):
        some = origins[start : start + BATCH]
        y = predictor.predict(np.stack([_filled(series, origin, window, missing) for origin in some]))
        yield from _rows_of(contract, series, some, y)


def _filled(series: Series, origin: int, steps: int, missing: str) -> NDArray[np.float64]:
    """Take the last `steps` rows up to an origin, their gaps filled from those and earlier rows."""
    first = max(origin + 1 - steps, 0)
    values = series.values[first : origin + 1]
    if not np.isnan(values).any():
        return values
    if missing == "error":
        _refuse_gaps(series, first, origin)
    return fill(series.values[: origin + 1], series.names, missing)[-len(values) :]


def _refuse_gaps(series: Series, first: int, last: int) -> None:
    """Name the first sample that is missing in a window by its row in the table."""
    missing = np.isnan(series.values[first : last + 1])
    row, column = np.argwhere(missing)[0]
    raise DataError(
        f"{int(missing.sum())} sample(s) are missing in the window of rows {first + 1} to {last + 1}, the first in "
        f"column {series.names[column]!r} at row {first + row + 1}; choose --missing interpolate or forward to fill "
        "them"
    )


def _check_names(contract: Contract) -> None:
    taken = [channel.name for channel in contract.outputs if channel.name in COLUMNS]
    if taken:
        raise InputError(
            f"the output {taken[0]!r} is called like a column of the answer ({', '.join(COLUMNS)}); "
            "train with another name, or predict from Python"
        )


def render(rows: list[Row], kind: str) -> bytes:
    """Write rows as CSV, JSON lines or Parquet.

    Raises:
        MissingDependencyError: Parquet without polars.
    """
    if kind == "parquet":
        buffer = io.BytesIO()
        require("polars", "train").DataFrame(rows).write_parquet(buffer)
        return buffer.getvalue()
    text = io.StringIO()
    if kind == "jsonl":
        text.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue().encode()


def format_of(output: str, asked: str | None) -> str:
    """Choose the format: as asked, else by the ending of the output, else CSV.

    Raises:
        OutputError: an unknown format.
    """
    kind = asked or Path(output).suffix.removeprefix(".").lower() or "csv"
    if output == "-" and asked is None:
        kind = "csv"
    if kind not in FORMATS:
        raise OutputError(f"expected one of {', '.join(FORMATS)} as format, got {kind!r}: give --format")
    return kind


def _rows_of(contract: Contract, series: Series, origins: range, y: NDArray[np.float32]) -> Iterator[Row]:
    names = [channel.name for channel in contract.outputs]
    period = np.timedelta64(int((contract.sample_period_s or 0) * 1e6), "us")
    for origin, forecast in zip(origins, y, strict=True):
        for step, values in enumerate(forecast, start=1):
            if series.time is not None and contract.sample_period_s:
                moments = series.time[origin], series.time[origin] + step * period
                days = _whole_days(series.time[0], period)
                row: Row = dict(zip(("origin", "time"), (_iso(moment, days) for moment in moments), strict=True))
            else:
                row = {"origin": origin + 1, "row": origin + 1 + step}
            yield {**row, "step": step, **{n: float(str(v)) for n, v in zip(names, values, strict=True)}}


def _whole_days(first: np.datetime64, period: np.timedelta64) -> bool:
    day = np.timedelta64(1, "D")
    return bool(first == first.astype("datetime64[D]") and period % day == np.timedelta64(0, "us"))


def _iso(moment: np.datetime64, days: bool) -> str:
    """Write all timestamps of a table in one form, so that it can be read again."""
    if days:
        return str(moment.astype("datetime64[D]"))
    return str(moment.astype("datetime64[s]") if moment == moment.astype("datetime64[s]") else moment)
