"""What `edgelstm predict` does for every task: samples out of a table, rows of answers into another."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.data.gaps import fill
from edgelstm.data.readers.read import read_many
from edgelstm.data.rows import known_ahead
from edgelstm.data.series import Series
from edgelstm.errors import DataError, InputError, OutputError, require

FORMATS = ("csv", "jsonl", "parquet")

Row = dict[str, Any]


def read_rows(
    source: str,
    contract: Contract,
    time: str | None,
    *,
    series: str | None = None,
    data_format: str | None = None,
    every_row: bool = False,
) -> tuple[Series, ...]:
    """Read the input channels of a contract from a table, or from stdin for `-`: one series or many.

    Args:
        source: the table.
        contract: of the file that is to answer.
        time: column of timestamps.
        series: column that tells series apart.
        data_format: of the table; None: its ending tells.
        every_row: an answer from every row is wanted, so that the last need not be one.

    Returns:
        Series of the input channels. Of channels known ahead each sample holds the value that is given with it, and
        the last sample is the last that has them all.

    Raises:
        InputError: the file takes times and there is no column of them.
        DataError: the table cannot be read, its timestamps are not as far apart as in training, or what must be known
            ahead of its last sample is not there.
    """
    if contract.times and time is None:
        raise InputError("--time: this file takes the time of each sample: name the column of timestamps")
    columns = tuple(channel.source for channel in contract.inputs)
    found = read_many(sys.stdin if source == "-" else source, columns, time, series=series, kind=data_format)
    period = next((some.period_s for some in found if some.period_s), None)
    if period and contract.sample_period_s and period != contract.sample_period_s:
        raise DataError(
            f"{source}: the network was trained on one sample every {contract.sample_period_s:g} s, but the table has "
            f"one every {period:g} s; resample it first"
        )
    return tuple(_with_known_ahead(some, contract, every_row) for some in found)


def filled(series: Series, origin: int, steps: int, missing: str) -> NDArray[np.float64]:
    """Take the last `steps` rows up to an origin, their gaps filled from those and earlier rows: [steps, F]."""
    first = max(origin + 1 - steps, 0)
    values = series.values[first : origin + 1]
    if not np.isnan(values).any():
        return values
    if missing == "error":
        _refuse_gaps(series, first, origin)
    return fill(series.values[: origin + 1], series.names, missing)[-len(values) :]


def check_names(contract: Contract, columns: Iterable[str]) -> None:
    """See that no output is called like another column of the answer.

    Raises:
        InputError: it is.
    """
    columns = tuple(columns)
    taken = [channel.name for channel in contract.outputs if channel.name in columns]
    if taken:
        raise InputError(
            f"the output {taken[0]!r} is called like a column of the answer ({', '.join(columns)}); "
            "train with another name, or predict from Python"
        )


def numbers_of(contract: Contract, values: NDArray[np.float32]) -> dict[str, float]:
    """Give the answer of each output under its name, in as few digits as tell it from any other float32."""
    return {channel.name: float(str(value)) for channel, value in zip(contract.outputs, values, strict=True)}


def iso(moment: np.datetime64, days: bool) -> str:
    """Write all timestamps of a table in one form, so that it can be read again."""
    if days:
        return str(moment.astype("datetime64[D]"))
    return str(moment.astype("datetime64[s]") if moment == moment.astype("datetime64[s]") else moment)


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


def _with_known_ahead(series: Series, contract: Contract, every_row: bool) -> Series:
    """Move what is known ahead beside its sample, and see that the table goes on as far as it must."""
    ahead = {channel.source: channel.ahead for channel in contract.inputs if channel.ahead}
    if not ahead:
        return series
    most = max(ahead.values())
    measured = [name for name in series.names if name not in ahead]
    known = np.flatnonzero(~np.isnan(series.columns(tuple(measured))).any(axis=1))
    last, needed = int(known[-1]) + 1 if len(known) else 0, len(series.values) - most
    if last > needed and not every_row:
        column = max(ahead, key=lambda name: ahead[name])
        raise DataError(
            f"{series.name}: the last sample is row {last}, and {column!r} must be known {most} steps ahead of it, up "
            f"to row {last + most}, but the table ends at row {len(series.values)}: add the rows to come, with nothing "
            "but what is known of them, or take --all for those that have it"
        )
    return known_ahead(series, ahead, contract.window if contract.state == "window" else 1)


def _refuse_gaps(series: Series, first: int, last: int) -> None:
    """Name the first sample that is missing in a window by its row in the table."""
    missing = np.isnan(series.values[first : last + 1])
    row, column = np.argwhere(missing)[0]
    raise DataError(
        f"{int(missing.sum())} sample(s) are missing in the window of rows {first + 1} to {last + 1}, the first in "
        f"column {series.names[column]!r} at row {first + row + 1}; choose --missing interpolate or forward to fill "
        "them"
    )
