"""`edgelstm import`: networks that were trained elsewhere, one function for each format."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from edgelstm.cli.reading import Given, option_of, reads_a_table, table_of
from edgelstm.contract import STATES, TASKS
from edgelstm.errors import DataError, InputError, counted, either

if TYPE_CHECKING:
    from edgelstm.contract import Channel, State, Task
    from edgelstm.data.examples import Examples
    from edgelstm.importers import Imported
    from edgelstm.network import Layer
    from edgelstm.run import Run

app = typer.Typer(
    help="Import a network that was trained elsewhere into a run directory; then use `edgelstm export`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _family() -> None:
    """Keep `import` a group of commands, even of one."""


@app.command("torch", short_help="Read weights of LSTMs and linear layers (a state dict).")
@reads_a_table()
def import_torch(
    weights: Annotated[Path, typer.Argument(help="A state dict: .safetensors, .json, or what torch.save wrote.")],
    window: Annotated[int, typer.Option(min=1, help="Steps of a training window.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The run directory. [runs/NAME]")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run and its files. [name of the weights]")] = None,
    task: Annotated[str, typer.Option(help=f"Task: {either(TASKS)}.")] = "forecast",
    horizon: Annotated[int, typer.Option(min=1, help="Steps forecast at once.")] = 1,
    state: Annotated[str, typer.Option(help=f"State as trained: {either(STATES)}.")] = "window",
    input_: Annotated[list[str] | None, typer.Option("--input", help="Name of an input; repeatable. [x0]")] = None,
    output_name: Annotated[list[str] | None, typer.Option(help="Name of an output; repeatable. [y0]")] = None,
    activation: Annotated[str, typer.Option(help="Function between linear layers: relu, ..., none.")] = "",
    final: Annotated[str, typer.Option(help="Function after the last layer: softmax, sigmoid, ...")] = "",
    take: Annotated[str, typer.Option(help="Output of a bidirectional LSTM: last (step) or final (states).")] = "",
    unit: Annotated[list[str] | None, typer.Option(help="Unit of a channel, co2=ppm; repeatable.")] = None,
    data: Annotated[str | None, typer.Option(help="Test table with inputs and outputs, to compare precisions.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the classes in --data.")] = None,
    *,
    reading: Given,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --output.")] = False,
) -> None:
    """Read the weights of LSTMs and the linear layers after them; their names describe the network."""
    from edgelstm.importers import Names, read_torch

    units = _units(unit or [])
    imported = read_torch(
        weights,
        window=window,
        inputs=_channels(input_ or [], units, data is not None, "--input"),
        outputs=_channels(output_name or [], units, data is not None, "--output-name"),
        task=cast("Task", task),  # `read_torch` checks the word
        horizon=horizon,
        state=cast("State", state),
        names=Names(activation, final, take),
        name=name or weights.stem,
    )
    run = _write(imported, output, data, {**reading, **({"label": label} if label else {})}, units, overwrite)
    if run.record.network is not None:
        print("\n".join(_words(layer) for layer in run.record.network.layers))
    _show_next(run)


def _words(layer: Layer) -> str:
    """Write a layer in one line: `lstm (input_size 1, hidden_size 8)`."""
    name = getattr(layer, "name", layer.kind)
    shown = {key: value for key, value in asdict(layer).items() if isinstance(value, (int, str)) and value}
    return f"{name} ({', '.join(f'{k} {v}' for k, v in shown.items() if k not in ('name', 'kind', 'bias'))})"


@app.command("keras", short_help="Read a Keras model, without Keras.")
@reads_a_table()
def import_keras(
    file: Annotated[Path, typer.Argument(help="A .keras file, or an HDF5 file of a whole model.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The run directory. [runs/NAME]")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run and its files. [name of the file]")] = None,
    window: Annotated[int | None, typer.Option(help="Steps of a window, if the file does not fix them.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps that the last layer forecasts at once. [1]")] = None,
    input_: Annotated[list[str] | None, typer.Option("--input", help="Name of an input; repeatable. [x0]")] = None,
    output_name: Annotated[list[str] | None, typer.Option(help="Name of an output; repeatable. [y0]")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="Unit of a channel, co2=ppm; repeatable.")] = None,
    task: Annotated[str | None, typer.Option(help=f"Task: {', '.join(TASKS)}. [by the last layer]")] = None,
    data: Annotated[str | None, typer.Option(help="Test table with inputs and outputs, to compare precisions.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the classes in --data.")] = None,
    *,
    reading: Given,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --output.")] = False,
) -> None:
    """Read a Keras model without Keras; refuse a layer that cannot be reproduced exactly."""
    from edgelstm.importers import read_keras

    units = _units(unit or [])
    imported = read_keras(
        file,
        name=name,
        window=window,
        horizon=horizon,
        inputs=_channels(input_ or [], units, data is not None, "--input"),
        outputs=_channels(output_name or [], units, data is not None, "--output-name"),
        task=cast("Task | None", task),
    )
    run = _write(imported, output, data, {**reading, **({"label": label} if label else {})}, units, overwrite)
    show_imported(run, file)


def _units(given: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for text, (_, equals, _) in zip(given, pairs, strict=True):
        if not equals:
            raise InputError(f"--unit: expected CHANNEL=UNIT such as co2=ppm, got {text!r}")
    return {channel: unit for channel, _, unit in pairs}


def _channels(names: list[str], units: dict[str, str], needed: bool, option: str) -> list[Channel]:
    from edgelstm.contract import Channel

    if needed and not names:
        raise InputError(f"--data needs {option}: the columns of the table that are inputs and outputs of the network")
    return [Channel(name, units.get(name), "float32", None) for name in names]


def _write(
    imported: Imported, output: Path | None, data: str | None, about: Given, units: dict[str, str], overwrite: bool
) -> Run:
    """Read the test table, if there is one, and write the run directory."""
    from edgelstm.importers import write_imported

    unknown = units.keys() - {channel.name for channel in imported.inputs + imported.outputs}
    if unknown:
        raise InputError(f"--unit: expected the name of a channel, got {min(unknown)!r}")
    if data is None and about:
        raise InputError(f"{option_of(about)} needs a table: add --data")
    imported, test = (imported, None) if data is None else _judged_by(imported, data, about)
    return write_imported(imported, output or Path("runs") / imported.name, test=test, overwrite=overwrite)


def _judged_by(imported: Imported, data: str, about: Given) -> tuple[Imported, Examples]:
    """Read the table, and record with the network how it was read: sample period, reading, column of the classes.

    Gaps stay open unless an option says how to fill them.
    """
    from dataclasses import replace

    from edgelstm.answers import read_examples
    from edgelstm.data.readers.asking import Asking
    from edgelstm.importers import draft_contract

    if imported.traits.every_step and "label" in about:
        imported = replace(imported, classes=_probabilities(imported))
    found = read_examples(table_of(data), draft_contract(imported), **{"gaps": "drop", **about})
    if imported.traits.has_horizon and found.series > 1:
        raise DataError(f"{data}: expected one series, the table holds {found.series}")
    for line in found.report:
        print(f"edgelstm: {line}", file=sys.stderr)
    reading = found.reading._replace(gaps=about.get("gaps", Asking().gaps))
    outputs = tuple(channel._replace(column=about.get("label", channel.column)) for channel in imported.outputs)
    return replace(imported, sample_period_s=found.period_s, reading=reading, outputs=outputs), found.examples


def _probabilities(imported: Imported) -> bool:
    """Check that a network whose labels are classes gives their probabilities.

    Raises:
        InputError: it does not.
    """
    last = imported.network.layers[-1] if imported.network is not None else None
    if getattr(last, "function", None) not in ("softmax", "sigmoid"):
        raise InputError("--label needs a network that ends in softmax or sigmoid; this one gives numbers")
    return True


def show_imported(run: Run, file: Path) -> None:
    """Print what was read, what each layer became, and what to do next."""
    contract, source = run.record.contract, run.record.recipe
    inputs, outputs = (", ".join(c.name for c in channels) for channels in (contract.inputs, contract.outputs))
    print(f"{file.name}: Keras {contract.provenance.versions['keras']}")
    steps = f", {counted(contract.horizon, 'step')}" if contract.traits.has_horizon else ""
    carried = "; stateful: the state is carried over" if contract.state == "carried" else ""
    print(f"input: {contract.window} steps of {inputs}; task: {contract.task} {outputs}{steps}{carried}\n")
    rows = [
        ["layer", "class", "became"],
        *([row["name"], row["class_name"], row["became"]] for row in source["layers"]),
    ]
    print(_columns(rows))
    _show_next(run)


def _show_next(run: Run) -> None:
    if not run.record.contract.metrics:
        print("\nwithout test data (--data) the accuracy cost of smaller files is unknown")
    print(f"\nwrote {run.path}; next: edgelstm export {run.path} --quantize")


def _columns(rows: list[list[Any]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
