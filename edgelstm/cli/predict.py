"""`edgelstm predict`: a table in, answers out, by the task of the file. It needs only numpy and onnxruntime."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from edgelstm.cli.device import Device, File, ProviderOption, Threads, Unverified, provider_options
from edgelstm.cli.reading import Given, reads_a_table, table_of
from edgelstm.files import write_whole
from edgelstm.options import table_formats


@reads_a_table("--data-format")
def predict(
    file: File,
    data: Annotated[
        str,
        typer.Argument(
            help=f"Table with the input columns, as in training: {table_formats()}, or - for a CSV on stdin."
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Output file, - for stdout.")] = "-",
    kind: Annotated[
        str | None, typer.Option("--format", help="Output format: csv, jsonl, parquet. [by the extension of --output]")
    ] = None,
    every_row: Annotated[
        bool,
        typer.Option("--all", help="Forecast from every row with a complete window, not only the last."),
    ] = False,
    *,
    reading: Given,
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
    unverified: Unverified = False,
) -> None:
    """Forecast, classify or label a table, as the file was trained."""
    from edgelstm.answers import answer, read_samples
    from edgelstm.cli.rows import check_names, format_of, render, rows_of
    from edgelstm.runtime import load

    kind = format_of(output, kind)
    options = provider_options(provider_option)
    predictor = load(file, device, threads, unverified, provider_options=options)
    _say(f"unverified: {reason}" for reason in predictor.let_pass)
    if predictor.choice:
        _say([predictor.choice.reason])
    contract = predictor.contract
    samples = read_samples(table_of(data), contract, every_row=every_row, **reading)
    check_names(contract)
    answered = answer(predictor, samples, every_row=every_row)
    content = render(rows_of(answered, samples), kind)
    _say([*samples.notes, *answered.notes])
    if output == "-":
        sys.stdout.buffer.write(content)
    else:
        write_whole(Path(output), content)


def _say(lines: Iterable[str]) -> None:
    """Print notes for people on stderr; stdout is for programs."""
    for line in lines:
        print(f"edgelstm: {line}", file=sys.stderr)
