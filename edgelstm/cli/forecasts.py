"""What `edgelstm predict` does between reading and writing: rows of a table to rows of forecasts."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.data.gaps import fill
from edgelstm.data.series import Series
from edgelstm.data.table import read_series
from edgelstm.errors import DataError, InputError, OutputError, require
from edgelstm.runtime import Predictor

FORMATS = ("csv", "jsonl", "parquet")
BATCH = 256

Row = dict[str, Any]


def read_rows(source: str, contract: Contract, time: str | None, missing: str) -> Series:
    """Read the input channels of a contract from a table, or from stdin for `-`, and treat the gaps.

    Raises:
        DataError: the table cannot be read, its timestamps are not as far apart as in training, or a sample is
            missing and `missing` is `"error"`.
    """
    columns = tuple(channel.name for channel in contract.inputs)
    series = read_series(sys.stdin if source == "-" else source, columns, time)
    if series.period_s and contract.sample_period_s and series.period_s != contract.sample_period_s:
        raise DataError(
            f"{source}: the network was trained on one sample every {contract.sample_period_s:g} s, but the table has "
            f"one every {series.period_s:g} s; resample it first"
        )
    return replace(series, values=fill(series.values, columns, missing))


def forecast_rows(predictor: Predictor, rows: Series, every_row: bool) -> Iterator[Row]:
    """Forecast from the last row, or from every row that has a whole window before it.

    Yields:
        One row per forecast sample: `origin` (the last sample that was seen), `time` or `row` (of the forecast),
        `step` from 1 to K, and a column for each output in its physical unit.

    Raises:
        InputError: there are fewer rows than one window takes, or a window has a missing sample.
    """
    contract = predictor.contract
    needed = contract.window if contract.state == "window" else 1
    count = len(rows.values)
    if count < needed:
        raise InputError(f"expected at least {needed} rows, which one window takes, got {count}")
    x = rows.values.astype(np.float32)
    if contract.state == "carried":
        origins = np.arange(count) if every_row else np.array([count - 1])
        yield from _rows_of(contract, rows, origins, predictor.predict(x)[origins])
        return
    origins = np.arange(needed - 1, count) if every_row else np.array([count - 1])
    for start in range(0, len(origins), BATCH):
        some = origins[start : start + BATCH]
        windows = np.stack([x[origin + 1 - needed : origin + 1] for origin in some])
        yield from _rows_of(contract, rows, some, predictor.predict(windows))


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


def _rows_of(contract: Contract, rows: Series, origins: NDArray[np.int64], y: NDArray[np.float32]) -> Iterator[Row]:
    names = [channel.name for channel in contract.outputs]
    period_us = int((contract.sample_period_s or 0) * 1e6)
    for origin, forecast in zip(origins, y, strict=True):
        for step, values in enumerate(forecast, start=1):
            if rows.time is not None and period_us:
                at = rows.time[origin] + np.timedelta64(step * period_us, "us")
                row: Row = {"origin": _iso(rows.time[origin]), "time": _iso(at)}
            else:
                row = {"origin": int(origin) + 1, "row": int(origin) + 1 + step}
            yield {**row, "step": step, **{n: float(str(v)) for n, v in zip(names, values, strict=True)}}


def _iso(moment: np.datetime64) -> str:
    text = str(np.datetime_as_string(moment, unit="auto"))
    return text[:10] if text.endswith("T00:00:00") else text
