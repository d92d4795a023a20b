"""`edgelstm predict`: a table in, answers out, as the task of the file says. numpy and onnxruntime are enough."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgelstm.cli.device import Device, File, ProviderOption, Threads, Unverified, provider_options
from edgelstm.errors import InputError
from edgelstm.files import write_whole

if TYPE_CHECKING:
    from edgelstm.cli.rows import Row
    from edgelstm.data.series import Series
    from edgelstm.runtime import Predictor

SERIES = "series"


def predict(
    file: File,
    data: Annotated[str, typer.Argument(help="A table with the input columns: CSV, Parquet, - for a CSV on stdin.")],
    output: Annotated[str, typer.Option("--output", "-o", help="A file, - for stdout.")] = "-",
    kind: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl or parquet. [by the ending of --output]")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of timestamps.")] = None,
    series: Annotated[str | None, typer.Option(help="Column that tells series apart; each is answered alone.")] = None,
    data_format: Annotated[
        str | None, typer.Option(help="csv, parquet, ts, cmapss. [by the ending of the data]")
    ] = None,
    every_row: Annotated[
        bool,
        typer.Option("--all", help="Forecast from every row that has a whole window, not only the last."),
    ] = False,
    missing: Annotated[str, typer.Option(help="Gaps: error, forward, interpolate.")] = "error",
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
    unverified: Unverified = False,
) -> None:
    """Answer for a table, as the file was trained: forecast what follows, classify it, or label each of its rows."""
    from edgelstm.cli.rows import format_of, read_rows, render
    from edgelstm.runtime import load

    if missing not in ("error", "forward", "interpolate"):
        raise InputError(f"--missing: expected error, forward or interpolate, got {missing!r}")
    kind = format_of(output, kind)
    options = provider_options(provider_option)
    predictor = load(file, device, threads, unverified, provider_options=options)
    for reason in predictor.let_pass:
        print(f"edgelstm: unverified: {reason}", file=sys.stderr)
    if predictor.choice:
        print(f"edgelstm: {predictor.choice.reason}", file=sys.stderr)
    _check_all(predictor, every_row)
    found = read_rows(data, predictor.contract, time, series=series, data_format=data_format, every_row=every_row)
    column = series or (SERIES if len(found) > 1 else None)
    content = render([row for some in found for row in _named(some, column, predictor, every_row, missing)], kind)
    if output == "-":
        sys.stdout.buffer.write(content)
    else:
        write_whole(Path(output), content)


def _check_all(predictor: Predictor, every_row: bool) -> None:
    task = predictor.contract.task
    if every_row and task != "forecast":
        why = "gives one answer for each series" if task == "classify" else "answers every row anyway"
        raise InputError(f"--all: is for forecasts; a file that was trained to {task} {why}")


def _named(some: Series, column: str | None, predictor: Predictor, every_row: bool, missing: str) -> Iterator[Row]:
    """Answer for one series, its name in front where there are several."""
    for row in _answers(predictor, some, every_row, missing):
        if column is not None and column in row:
            raise InputError(f"--series: {column!r} is a column of the answer as well: rename it in the table")
        yield row if column is None else {column: some.name, **row}


def _answers(predictor: Predictor, series: Series, every_row: bool, missing: str) -> Iterator[Row]:
    """Answer for one series, by the module of the task."""
    from edgelstm.cli.classes import class_rows
    from edgelstm.cli.forecasts import forecast_rows
    from edgelstm.cli.labels import label_rows

    if predictor.contract.task == "forecast":
        return forecast_rows(predictor, series, every_row, missing)
    return (class_rows if predictor.contract.task == "classify" else label_rows)(predictor, series, missing)
