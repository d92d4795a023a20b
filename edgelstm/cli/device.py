"""What a person runs on the device: `verify`, `inspect`, `predict`. numpy and onnxruntime are enough."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgelstm.cli.words import network_words, quantity, table
from edgelstm.errors import InputError
from edgelstm.files import write_whole
from edgelstm.strict_json import plain

if TYPE_CHECKING:
    from edgelstm.contract import Channel, Contract, Metrics, Provenance
    from edgelstm.runtime import ModelFile, Predictor, Replay
    from edgelstm.runtime.model_file import GraphSummary

FAILED = 1

File = Annotated[Path, typer.Argument(help="A model file.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, tensorrt, auto, or an execution provider by its name.")]
ProviderOption = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="An option of the device, as onnxruntime documents it.")
]
Threads = Annotated[int | None, typer.Option(help="Threads inside one call. [by the width of the network]")]
Unverified = Annotated[
    bool,
    typer.Option(
        "--unverified", help="Take a file that was altered since export; it is first tried in a child with limits."
    ),
]


def verify(
    file: File,
    key: Annotated[
        str | None,
        typer.Option(help="A minisign public key, its file or its text: FILE.minisig must hold, before all else."),
    ] = None,
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
    unverified: Unverified = False,
) -> None:
    """Replay the golden vectors of a file on this machine; exit 1 if it does not compute what it did at export."""
    from edgelstm.runtime import load, replay

    if key is not None and unverified:
        raise InputError("--key with --unverified: a signature holds for unaltered bytes; leave out one of them")
    options = provider_options(provider_option)
    if key is None:
        predictor = load(file, device, threads, unverified, provider_options=options)
    else:
        predictor = _load_signed(file, key, device, threads, options)
    result = replay(predictor)
    print(verify_words(file, predictor, result))
    if not result.passed:
        raise typer.Exit(FAILED)


def provider_options(pairs: list[str] | None) -> dict[str, str]:
    """Read what `--provider-option` was given.

    Raises:
        InputError: one is not KEY=VALUE, or a key comes twice.

    Example:
        >>> provider_options(["device_id=1", "gpu_mem_limit=268435456"])
        {'device_id': '1', 'gpu_mem_limit': '268435456'}
    """
    options: dict[str, str] = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise InputError(f"--provider-option: expected KEY=VALUE, got {pair!r}")
        if key in options:
            raise InputError(f"--provider-option: {key} is given twice")
        options[key] = value
    return options


def _load_signed(file: Path, key: str, device: str, threads: int | None, options: dict[str, str]) -> Predictor:
    """Verify the signature, say who signed, and load the very bytes that were verified."""
    from edgelstm.runtime import parse_model_file
    from edgelstm.runtime.loading import open_model_file
    from edgelstm.signing import verify_file

    signed = verify_file(file, key)
    print(f"{file.name}: signed with the key {signed.key.name}; trusted comment: {signed.comment}")
    return open_model_file(parse_model_file(signed.content, str(file)), device, threads, provider_options=options)


def verify_words(file: Path, predictor: Predictor, result: Replay) -> str:
    """Say what a replay gave, channel by channel."""
    import onnxruntime

    contract = predictor.contract
    lines = [
        f"{file.name}: {_digest_words(predictor)}; {result.rows} golden window(s) on onnxruntime "
        f"{onnxruntime.__version__}, {predictor.device}"
    ]
    if predictor.choice:
        lines += [f"  {predictor.choice.reason}", *(f"  {why}" for why in predictor.choice.refused.values())]
    for i, channel in enumerate(contract.outputs):
        verdict = "ok" if result.file_error[i] <= result.tolerance[i] else "FAILED"
        lines.append(
            f"  {channel.name}: {quantity(result.file_error[i], channel.unit)} from this file at export "
            f"(allowed {quantity(result.tolerance[i], channel.unit)}): {verdict}; "
            f"{quantity(result.network_error[i], channel.unit)} from the trained network"
        )
    if not result.passed:
        advice = (
            "copy or export it again, an altered file shows nothing about this machine"
            if predictor.let_pass
            else "try another onnxruntime version, or the fp32 file"
        )
        lines.append(f"it does not compute here what it computed at export: do not use it here; {advice}")
    return "\n".join(lines)


def _digest_words(predictor: Predictor) -> str:
    if predictor.let_pass:
        return f"NOT the file that was exported ({'; '.join(predictor.let_pass)})"
    return f"digest {predictor.digest[:12]} is right"


def inspect(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Take a file that was altered since export.")
    ] = False,
) -> None:
    """Print the contract, the graph and the metrics of a file, without running it."""
    from edgelstm.runtime import read_model_file
    from edgelstm.runtime.model_file import summarize_graph

    model_file = read_model_file(file, unverified)
    graph = summarize_graph(model_file.content)
    if as_json:
        size = len(model_file.content)
        content = {
            "contract": plain(model_file.contract),
            "graph": plain(graph),
            "digest": model_file.digest,
            "let_pass": list(model_file.let_pass),
        }
        print(json.dumps({"file": file.name, "bytes": size, **content}, indent=1, ensure_ascii=False))
    else:
        print(_inspect_words(file, model_file, graph))


def predict(
    file: File,
    data: Annotated[str, typer.Argument(help="A table with the input columns: CSV, Parquet, - for a CSV on stdin.")],
    output: Annotated[str, typer.Option("--output", "-o", help="A file, - for stdout.")] = "-",
    kind: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl or parquet. [by the ending of --output]")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of timestamps.")] = None,
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
    """Forecast from a table: what follows its last row, or each of its rows."""
    from edgelstm.cli.forecasts import forecast_rows, format_of, read_rows, render
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
    rows = read_rows(data, predictor.contract, time)
    content = render(list(forecast_rows(predictor, rows, every_row, missing)), kind)
    if output == "-":
        sys.stdout.buffer.write(content)
    else:
        write_whole(Path(output), content)


def _inspect_words(file: Path, model_file: ModelFile, graph: GraphSummary) -> str:
    contract = model_file.contract
    nodes = ", ".join(f"{count} {name}" if count > 1 else name for name, count in graph.nodes.items())
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in graph.opsets.items())
    origin = contract.provenance
    lines = [
        f"{file.name}: {contract.name}, {contract.task}, {contract.precision}, {len(model_file.content):,} bytes",
        f"  sees      {contract.window} steps of {_channels(contract.inputs)}{_period(contract)}",
        f"  answers   {contract.horizon} step(s) of {_channels(contract.outputs)}",
        f"  state     {contract.state}: {_state_words(contract)}",
        f"  scaling   {contract.scaling}, inside the graph",
        f"  graph     {sum(graph.nodes.values())} nodes ({nodes}), {graph.parameters:,} numbers, "
        f"opset {opsets}, IR {graph.ir_version}",
        f"  digest    {model_file.digest}",
        f"  weights   {origin.weights_sha256}",
        f"  trained   {_training_words(origin)}",
        f"  made by   {', '.join(f'{name} {version}' for name, version in contract.provenance.versions.items())}",
        f"  golden    {len(model_file.golden.x)} window(s); `edgelstm verify` replays them",
        *(f"  UNVERIFIED: {reason}" for reason in model_file.let_pass),
    ]
    for channel in contract.inputs:
        lines.append(f"  trained on {channel.name}: {_range(channel)}")
    for part in contract.metrics:
        lines += ["", _metrics_table(part, contract)]
    return "\n".join(lines)


def _metrics_table(part: Metrics, contract: Contract) -> str:
    unit = contract.outputs[0].unit if len(contract.outputs) == 1 else None
    suffix = f" ({unit})" if unit else ""
    found: list[tuple[str, Any]] = [("this file", part.file)] if part.file else []
    found += [(network_words(contract), part.network), *part.baselines.items()]
    rows = [[name, f"{score['rmse']:.4g}", f"{score['mae']:.4g}"] for name, score in found]
    return table([f"{part.part}, {part.windows} windows", f"RMSE{suffix}", f"MAE{suffix}"], rows)


def _channels(channels: tuple[Channel, ...]) -> str:
    return ", ".join(f"{channel.name} ({channel.unit})" if channel.unit else channel.name for channel in channels)


def _period(contract: Contract) -> str:
    return f", one every {contract.sample_period_s:g} s" if contract.sample_period_s else ""


def _state_words(contract: Contract) -> str:
    if contract.state == "carried" and contract.trained_state != "carried":
        return "nobody trained it to go on: trained from a zero state over a window, exported with --state carried"
    if contract.state == "carried":
        return "trained to carry its state on, may be stepped for ever"
    return "trained from a zero state over a window; a stream runs the last window at every step"


def _training_words(origin: Provenance) -> str:
    if origin.seed is not None:
        return f"with seed {origin.seed}, on {origin.data_sha256 or 'arrays, no file'}"
    tools = ("edgelstm", "onnx", "onnxruntime", "onnxruntime-gpu")
    found = [f"{name} {version}" for name, version in origin.versions.items() if name not in tools]
    return f"elsewhere, with {', '.join(found)}" if found else "elsewhere"


def _range(channel: Channel) -> str:
    s = channel.statistics
    return (
        "unknown"
        if s is None
        else f"{s.min:.6g} to {s.max:.6g}, mean {s.mean:.6g}, std {s.std:.4g} {channel.unit or ''}".rstrip()
    )
