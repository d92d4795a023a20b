"""Answers as rows of a table: columns for time or row, one column per output; written as CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgelstm.cli.stamps import Wall, wall_of
from edgelstm.errors import InputError, OutputError, assert_never, require

if TYPE_CHECKING:
    from edgelstm.answers import Answered, Answers, Places, Samples
    from edgelstm.contract import Contract, Task

FORMATS = ("csv", "jsonl", "parquet")
SERIES, CLASS = "series", "class"

Row = dict[str, Any]


def check_names(contract: Contract) -> None:
    """Check that no output has the name of another result column.

    Raises:
        InputError: one has.
    """
    columns = _columns(contract.task)
    taken = [channel.name for channel in contract.outputs if channel.name in columns]
    if taken:
        raise InputError(
            f"the output {taken[0]!r} has the name of a result column ({', '.join(columns)}); rename it and train "
            "again, or predict from Python"
        )


def rows_of(answered: Answered, samples: Samples) -> list[Row]:
    """Lay out answers as rows; if there are several series, the first column names the series.

    Returns:
        For a forecast: `origin` (the last sample seen), `time` or `row` of the forecast, `step` from 1 to K, and a
        column for each output. To label: `time` or `row`, and the outputs; to classify: the outputs alone. Classes
        have a column `class` before the outputs, the name of the most probable one.

    Raises:
        InputError: the column of the series has the name of one of those.
    """
    reading = samples.reading
    column = (reading.series if reading else None) or (SERIES if len(samples.series) > 1 else None)
    wall = wall_of(samples.series, samples.rhythm, samples.zone)
    return [row for answers in answered.series for row in _rows(answers, wall, column)]


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
    """Choose the format: as given, else by the extension of the output, else CSV.

    Raises:
        OutputError: an unknown format.
    """
    kind = asked or Path(output).suffix.removeprefix(".").lower() or "csv"
    if output == "-" and asked is None:
        kind = "csv"
    if kind not in FORMATS:
        raise OutputError(f"--format: expected one of {', '.join(FORMATS)}, got {kind!r}")
    return kind


def _columns(task: Task) -> tuple[str, ...]:
    """List the result columns besides the outputs."""
    match task:
        case "forecast":
            return "origin", "time", "row", "step"
        case "classify":
            return (CLASS,)
        case "label":
            return "time", "row", CLASS
        case _:
            assert_never(task)


def _rows(answers: Answers, wall: Wall, series: str | None) -> list[Row]:
    columns: dict[str, Sequence[Any]] = {}
    if answers.origins is not None:
        columns["origin"] = _words(answers.origins, wall)
    if answers.at is not None:
        columns["row" if answers.at.times is None else "time"] = _words(answers.at, wall)
    if answers.steps is not None:
        columns["step"] = answers.steps.tolist()
    if answers.classes is not None:
        columns[CLASS] = answers.classes
    for channel, values in zip(answers.channels, answers.values.T, strict=True):
        columns[channel.name] = [float(str(value)) for value in values]  # the fewest digits that give the same float
    if series is not None and series in columns:
        raise InputError(f"--series {series}: the output has a column {series!r} too; rename it in the table")
    front = {} if series is None else {series: answers.name}
    return [{**front, **dict(zip(columns, row, strict=True))} for row in zip(*columns.values(), strict=True)]


def _words(places: Places, wall: Wall) -> list[str] | list[int]:
    """Write places as times, or as row numbers from 1."""
    return (places.rows + 1).tolist() if places.times is None else wall.words(places.times)
