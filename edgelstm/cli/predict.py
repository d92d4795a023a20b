"""`edgelstm predict`: a table in, answers out, as the task of the file says. numpy and onnxruntime are enough."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgelstm.cli.device import Device, File, ProviderOption, Threads, Unverified, provider_options
from edgelstm.cli.reading import Given, reads_a_table
from edgelstm.errors import DataError, InputError
from edgelstm.files import write_whole

if TYPE_CHECKING:
    from edgelstm.cli.rows import Answers, Row, Rows
    from edgelstm.data.series import Series
    from edgelstm.runtime import Predictor

SERIES = "series"


@reads_a_table("--data-format")
def predict(
    file: File,
    data: Annotated[
        str, typer.Argument(help="A table with the input columns, as in training: CSV, Parquet, - for a CSV on stdin.")
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="A file, - for stdout.")] = "-",
    kind: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl or parquet. [by the ending of --output]")
    ] = None,
    every_row: Annotated[
        bool,
        typer.Option("--all", help="Forecast from every row that has a whole window, not only the last."),
    ] = False,
    *,
    reading: Given,
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
    unverified: Unverified = False,
) -> None:
    """Answer for a table, as the file was trained: forecast what follows, classify it, or label each of its rows."""
    from edgelstm.cli.rows import format_of, read_rows, render
    from edgelstm.runtime import load

    kind = format_of(output, kind)
    options = provider_options(provider_option)
    predictor = load(file, device, threads, unverified, provider_options=options)
    _say(f"unverified: {reason}" for reason in predictor.let_pass)
    if predictor.choice:
        _say([predictor.choice.reason])
    _check_all(predictor, every_row)
    rows = read_rows(data, predictor.contract, reading, every_row=every_row)
    answers = _answers(predictor, rows, every_row)
    content = render(answers.rows, kind)
    _say([*rows.notes, *answers.notes])
    if output == "-":
        sys.stdout.buffer.write(content)
    else:
        write_whole(Path(output), content)


def _say(lines: Iterator[str] | tuple[str, ...] | list[str]) -> None:
    """Tell a person, beside what a program reads."""
    for line in lines:
        print(f"edgelstm: {line}", file=sys.stderr)


def _check_all(predictor: Predictor, every_row: bool) -> None:
    task = predictor.contract.task
    if every_row and task != "forecast":
        why = "gives one answer for each series" if task == "classify" else "answers every row anyway"
        raise InputError(f"--all: is for forecasts; a file that was trained to {task} {why}")


def _answers(predictor: Predictor, rows: Rows, every_row: bool) -> Answers:
    """Answer for each series, whose name stands in front where there are several; what cannot be answered is named.

    Raises:
        DataError, InputError: nothing can be answered; of several series that of the first.
    """
    from edgelstm.cli.rows import Answers

    column = rows.reading.series or (SERIES if len(rows.series) > 1 else None)
    found: list[Row] = []
    notes: list[str] = []
    refused: list[DataError | InputError] = []
    for some in rows.series:
        try:
            answers = _of_one(predictor, some, rows, every_row)
        except (DataError, InputError) as error:
            refused.append(error)
            continue
        notes += answers.notes
        found += [_named(row, column, some.name) for row in answers.rows]
    if not found:
        raise refused[0] if refused else InputError("every window reaches over a gap that is not filled: --max-gap")
    return Answers(found, (*notes, *(f"left out: {error}" for error in refused)))


def _named(row: Row, column: str | None, name: str) -> Row:
    if column is not None and column in row:
        raise InputError(f"--series: {column!r} is a column of the answer as well: rename it in the table")
    return row if column is None else {column: name, **row}


def _of_one(predictor: Predictor, series: Series, rows: Rows, every_row: bool) -> Answers:
    """Answer for one series, by the module of the task."""
    from edgelstm.cli.classes import class_rows
    from edgelstm.cli.forecasts import forecast_rows
    from edgelstm.cli.labels import label_rows

    if predictor.contract.task == "forecast":
        return forecast_rows(predictor, series, rows, every_row)
    return (class_rows if predictor.contract.task == "classify" else label_rows)(predictor, series, rows)
