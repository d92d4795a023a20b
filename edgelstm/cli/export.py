"""`edgelstm export` and `edgelstm compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from edgelstm.cli.device import Device, ProviderOption, Threads, provider_options
from edgelstm.cli.reading import Given, option_of, reads_a_table, table_of
from edgelstm.cli.words import figure_words, fraction, metric_words, microseconds, network_words, table
from edgelstm.errors import InputError, either

if TYPE_CHECKING:
    from edgelstm.bench import Judgement
    from edgelstm.contract import Channel, Contract
    from edgelstm.data.examples import Examples
    from edgelstm.export import Export, ExportedFile
    from edgelstm.network import Network


QUANTIZE = ("int8", "int8w", "fp16", "auto")
FAILED = 1


class ExportCommand(TyperCommand):
    """Lets `--quantize` come without a value, as in `export RUN --quantize`: that is int8."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the value where none follows."""
        given = list(args)
        for i, argument in enumerate(args):
            value = args[i + 1] if i + 1 < len(args) else "-"
            if argument == "--quantize" and (value.startswith("-") or (value not in QUANTIZE and Path(value).exists())):
                given.insert(i + 1, "int8")
        return super().parse_args(ctx, given)


def export(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the files. [the run]")] = None,
    quantize: Annotated[
        str | None,
        typer.Option(help="Also write int8 (the default of the flag), int8w or fp16; auto: compare all."),
    ] = None,
    max_metric_drop: Annotated[
        str | None, typer.Option(help="Largest loss of the test metric against fp32. [1%]")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="carried: keep the state of a window network between steps. [as trained]")
    ] = None,
    per_tensor: Annotated[bool, typer.Option("--per-tensor", help="One int8 scale per tensor, not per row.")] = False,
    clip: Annotated[
        str | None, typer.Option(help="Clipping of the int8 weights: none, percentile, mse. [none, or as fine-tuned]")
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="Precision of layers after the LSTM: int8, fp32. [int8, or as fine-tuned]")
    ] = None,
    line: Annotated[
        bool, typer.Option("--line", help="Write only the straight line that training started from, without the LSTM.")
    ] = False,
) -> None:
    """Write the ONNX files of a run: fp32, and other precisions on request."""
    from edgelstm.contract import CLIPS, HEADS, PRECISIONS, Quantization
    from edgelstm.export import export_run

    _one_of("--quantize", quantize, (None, *QUANTIZE))
    _one_of("--clip", clip, (None, *CLIPS))
    _one_of("--head", head, (None, *HEADS))
    if line and (quantize or state):
        raise InputError("--line excludes --quantize and --state: a straight line has one precision and no state")
    _needs_quantize("--max-metric-drop", max_metric_drop, quantize, QUANTIZE)
    for option, value in (("--per-tensor", per_tensor or None), ("--clip", clip), ("--head", head)):
        _needs_quantize(option, value, quantize, ("int8", "int8w", "auto"))
    given = per_tensor or clip is not None or head is not None
    every = [precision for precision in PRECISIONS if precision != "fp32"]
    precisions = every if quantize == "auto" else [precision for precision in every if precision == quantize]
    exported = export_run(
        run,
        output,
        precisions=precisions,
        quantization=Quantization(not per_tensor, clip or "none", head or "int8") if given else None,
        state=state,
        max_metric_drop=fraction("--max-metric-drop", max_metric_drop or "1%") if precisions else None,
        line=line,
    )
    show_export(exported)
    if exported.refused is not None:
        raise typer.Exit(FAILED)


def _one_of(option: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        raise InputError(f"{option}: expected one of {', '.join(filter(None, known))}, got {value!r}")


def _needs_quantize(option: str, value: object, quantize: str | None, known: tuple[str, ...]) -> None:
    """Refuse an option that would be ignored."""
    if value is not None and quantize not in known:
        raise InputError(f"{option} needs --quantize {either(known)}")


@reads_a_table("--format")
def compare(
    files: Annotated[list[Path], typer.Argument(help="Model files of one network; the first is the reference.")],
    data: Annotated[str | None, typer.Option(help="Table with inputs and outputs to score the files on.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the classes. [as trained]")] = None,
    *,
    reading: Given,
    max_metric_drop: Annotated[str, typer.Option(help="Largest loss of the metric.")] = "1%",
    seconds: Annotated[float, typer.Option(min=0.01, help="Seconds to measure steps, and again for windows.")] = 2.0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the comparison as JSON.")] = None,
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
) -> None:
    """Compare model files on this machine: size, latency, accuracy, and which one to ship."""
    import json
    from functools import partial

    from edgelstm.bench import judge, load_candidates
    from edgelstm.files import write_whole
    from edgelstm.runtime import load, read_model_file
    from edgelstm.strict_json import plain

    limit, options = fraction("--max-metric-drop", max_metric_drop), provider_options(provider_option)
    if device == "auto":
        raise InputError("--device: auto may choose a different device for each file; name one device")
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        names = [str(file) for file in files]
    candidates = load_candidates(
        [
            (name, len(read_model_file(file).content), partial(load, file, device, threads, provider_options=options))
            for name, file in zip(names, files, strict=True)
        ]
    )
    about_table = {**reading, **({"label": label} if label else {})}
    examples = _examples(data, candidates[0].predictor.contract, about_table)
    judgement = judge(candidates, examples, max_metric_drop=limit, seconds=seconds)
    print(judgement_words(judgement, candidates[0].predictor.contract))
    if output is not None:
        write_whole(output, json.dumps(plain(judgement), indent=1, ensure_ascii=False).encode() + b"\n")
        print(f"wrote {output}")


def _examples(data: str | None, contract: Contract, about_table: Given) -> Examples | None:
    """Read the table to score files on, if there is one; without it, refuse options about it."""
    if data is None:
        if about_table:
            raise InputError(f"{option_of(about_table)} needs a table: add --data")
        return None
    from edgelstm.answers import read_examples

    unread = {} if contract.reading else {"gaps": "drop"}  # windows with a gap are skipped
    found = read_examples(table_of(data), contract, **{**unread, **about_table})
    print("\n".join(found.report), file=sys.stderr)
    return found.examples


def judgement_words(judgement: Judgement, contract: Contract) -> str:
    """Lay out what was measured, and the recommendation."""
    from edgelstm.data.scores.figures import figure_text

    headers = ["file", "bytes", "load", "step p50", "p99", "window p50", "p99", f"test {metric_words(contract)}"]
    headers += ["max error", "stream", "neighbours"]
    rows = [
        [
            file.name,
            f"{file.size_bytes:,}",
            microseconds(file.load_ms * 1e3),
            *(microseconds(value) for value in (file.step.p50_us, file.step.p99_us)),
            *(microseconds(value) for value in (file.window.p50_us, file.window.p99_us)),
            figure_text(file.metric, contract.metric),
            *(f"{value:.1e}" for value in (file.max_error, file.stream_difference, file.neighbour_difference)),
        ]
        for file in judgement.files
    ]
    alone = "series by series" if contract.traits.whole_series else "window by window"
    mode = f"with a state carried over {judgement.steps:,} steps" if judgement.steps else alone
    if judgement.series > 1:
        mode += f", starting from zero for each of {judgement.series} series"
    note = (
        f"Measured {mode} on {judgement.machine.cpu}. Errors are in standard deviations of the output, if known. "
        "max error: difference from the first file; stream: steps against a window; neighbours: a row in a batch "
        "against the row alone"
    )
    return "\n".join([table(headers, rows), note, "", *judgement.sentences])


def show_export(export: Export) -> None:
    """Print a table of the files, with the trained network in the first row."""
    print(export_table(export))
    print()
    if export.judgement is not None:
        print(judgement_words(export.judgement, export.run.record.contract))
        print()
    if export.refused is not None:
        older = export.files[0].path.with_name(export.refused.name).exists()
        print(
            f"{export.refused.name} was not written{' (the one there is of an earlier export)' if older else ''}: its "
            f"metric is {100 * (export.refused.drop or 0.0):.3g}% worse than that of the fp32 file; allow more with "
            f"--max-metric-drop, or try --quantize {_other(export.refused.precision)}"
        )
    for file in export.files:
        print(f"wrote {file.path}")
    first, last = export.files[0], export.files[-1]
    if export.judgement is not None:
        last = next((file for file in export.files if file.path.name == export.judgement.ship), first)
    elif last is not first and last.size_bytes >= first.size_bytes:
        print(f"{last.contract.precision} is not smaller than {first.contract.precision}: the network is too small")
    record = export.run.record
    if record.best_epoch == 0 and record.network is not None and record.network.highway and record.network.lstms:
        print(
            "the LSTM does not improve on the straight line it started from: ship the line with edgelstm export "
            f"{export.run.path} --line"
        )
    print(f"next: edgelstm verify {last.path}")


def _other(precision: str) -> str:
    """Name a precision that loses less accuracy."""
    return "int8w" if precision == "int8" else "fp16" if precision == "int8w" else "auto"


def export_table(export: Export) -> str:
    """Lay out precision, size, errors and test metric of each file; and its latency if files were not compared.

    The error of one output is in its unit; of several outputs it is the worst one's, in training standard deviations;
    of classes it is a difference of probabilities.
    """
    contract = export.run.record.contract
    one, unit = len(contract.outputs) == 1, _unit_words(contract.outputs)
    spread = [1.0 if one else channel.spread for channel in contract.outputs]
    headers = ["precision", "bytes", f"max error{unit}", f"mean error{unit}", f"test {metric_words(contract)}"]
    headers.append("p50 of a window")
    trained = next((part.network for part in contract.metrics if part.part == "test"), None)
    rows = [[network_words(contract), "", "", "", figure_words(trained, contract.metric), ""]]
    for file in export.files:
        errors = [
            max(error / std for error, std in zip(found, spread, strict=True))
            for found in (file.max_error, file.mean_error)
        ]
        latency = microseconds(file.p50_us)
        precision, size = _precision_words(file, export.run.record.network), f"{file.size_bytes:,}"
        rows.append(
            [precision, size, *(f"{error:.2g}" for error in errors), figure_words(file.test, contract.metric), latency]
        )
    if export.judgement is not None:
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    return f"{table(headers, rows)}\nerrors: difference from the trained network on the golden windows"


def _precision_words(file: ExportedFile, network: Network | None) -> str:
    """Name the precision, and that of a linear start, which may stay float32."""
    quantization, precision = file.contract.quantization, file.contract.precision
    if quantization is None or network is None or network.highway is None:
        return precision
    return f"{precision}, start {quantization.highway}"


def _unit_words(outputs: tuple[Channel, ...]) -> str:
    """Write the unit of the errors: that of one output, std for several; empty if unknown."""
    if len(outputs) > 1:
        return " (std)" if all(output.statistics for output in outputs) else ""
    return f" ({outputs[0].unit})" if outputs[0].unit else ""
