"""What `edgelstm predict` does for every task: samples out of a table, rows of answers into another."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.cli.stamps import Wall, wall_of
from edgelstm.contract import Contract
from edgelstm.data.asked import names_of, read_for
from edgelstm.data.causal import FILLING, Filling
from edgelstm.data.gaps import POLICIES
from edgelstm.data.rows import known_ahead
from edgelstm.data.series import Series
from edgelstm.errors import DataError, InputError, OutputError, require
from edgelstm.reading import Reading, Rhythm

FORMATS = ("csv", "jsonl", "parquet")

Row = dict[str, Any]


class Rows(NamedTuple):
    """The samples of a table, and how they go on.

    Attributes:
        series: one or many, of the input channels. Of channels known ahead each sample holds the value that is given
            with it, and the last sample is the last that has them all.
        reading: how they were read.
        filling: how their gaps are filled.
        rhythm: what lies between two samples; None without times, or where nobody knows.
        wall: how times are written.
        notes: what was done, in lines for people.
    """

    series: tuple[Series, ...]
    reading: Reading
    filling: Filling
    rhythm: Rhythm | None
    wall: Wall
    notes: tuple[str, ...]


class Answers(NamedTuple):
    """What is answered for one series.

    Attributes:
        rows: of the answer.
        notes: what was left out, in lines for people.
    """

    rows: list[Row]
    notes: tuple[str, ...] = ()


def read_rows(source: str, contract: Contract, given: Mapping[str, Any], *, every_row: bool = False) -> Rows:
    """Read the input channels of a contract from a table, or from stdin for `-`, as the table of training was read.

    Args:
        source: the table.
        contract: of the file that is to answer.
        given: fields of `edgelstm.data.readers.asking.Asking` that somebody asked for; they win.
        every_row: an answer from every row is wanted, so that the last need not be one.

    Raises:
        InputError: the file takes times and there is no column of them, or an unknown policy for gaps.
        DataError: the table cannot be read, is another one than in training, or what must be known ahead of its last
            sample is not there.
    """
    trained = contract.reading
    policy = given.get("gaps") or (trained.gaps if trained else "error")
    if policy not in POLICIES:
        raise InputError(f"--missing: expected one of {', '.join(POLICIES)}, got {policy!r}")
    found = read_for(contract, sys.stdin if source == "-" else source, {**given, "gaps": policy})
    words = names_of([channel for channel in contract.inputs if channel.category is not None])
    return Rows(
        series=tuple(_with_known_ahead(some, contract, every_row) for some in found.series),
        reading=found.reading,
        filling=Filling(policy, found.reading.max_gap, words),
        rhythm=_rhythm(contract, found.series),
        wall=wall_of(found.series, _rhythm(contract, found.series), _zone(found.reading)),
        notes=found.notes,
    )


def _rhythm(contract: Contract, series: tuple[Series, ...]) -> Rhythm | None:
    """What lies between two samples: as trained, for a table may be too short to show it."""
    if series[0].time is None:
        return None
    if contract.reading is not None:
        return contract.reading.rhythm
    return Rhythm("second", contract.sample_period_s) if contract.sample_period_s else None


def _zone(reading: Reading) -> str | None:
    return None if reading.time is None else reading.time.zone


def refuse_gaps(series: Series, rows: NDArray[np.float64], last: int, filling: Filling) -> None:
    """Refuse rows of a series that lack a sample, and say what to do.

    Args:
        series: as it was read.
        rows: float64 [T, F], filled as far as they could be.
        last: the row of the series that the last of them is.
        filling: how they were filled.

    Raises:
        DataError: there is such a sample.
    """
    missing = np.isnan(rows)
    if not missing.any():
        return
    first = last + 1 - len(rows)
    row, column = (int(i) for i in np.argwhere(missing)[0])
    place = f"in column {series.names[column]!r} at row {first + row + 1}"
    window = f"the window of rows {first + 1} to {last + 1}"
    if filling.policy not in FILLING:
        raise DataError(
            f"{series.name}: {int(missing.sum())} sample(s) are missing in {window}, the first {place}; choose "
            "--missing interpolate or forward to fill them"
        )
    if np.isnan(series.values[: first + row + 1, column]).all():
        raise DataError(f"{series.name}: {window} begins before the first value {place}: leave its first rows out")
    raise DataError(
        f"{series.name}: {window} reaches over a gap of more than {filling.max_gap} sample(s), {place}: give a table "
        "that goes on for a whole window behind it, or a larger --max-gap"
    )


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
