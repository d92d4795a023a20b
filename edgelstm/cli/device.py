"""The commands for the device: `verify` and `inspect`. Like `predict` they need only numpy and onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgelstm.cli.words import quantity
from edgelstm.errors import InputError, counted
from edgelstm.strict_json import plain

if TYPE_CHECKING:
    from edgelstm.runtime import Predictor, Replay

FAILED = 1

File = Annotated[Path, typer.Argument(help="A model file.")]
Device = Annotated[str, typer.Option(help="Device: cpu, cuda, tensorrt, auto, or the name of an execution provider.")]
ProviderOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Option of the device, as in onnxruntime; repeatable."),
]
Threads = Annotated[int | None, typer.Option(help="Threads inside one call. [by the size of the network]")]
Unverified = Annotated[
    bool,
    typer.Option(
        "--unverified", help="Accept a file that was altered since export, after a trial in a limited child process."
    ),
]


def verify(
    file: File,
    key: Annotated[
        str | None,
        typer.Option(help="A minisign public key (file or text); first check FILE.minisig with it."),
    ] = None,
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
    unverified: Unverified = False,
) -> None:
    """Replay the golden vectors of a file on this machine; exit 1 if its results differ from those at export."""
    from edgelstm.runtime import load, replay

    if key is not None and unverified:
        raise InputError("--key and --unverified exclude each other: a signature is only valid for an unaltered file")
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
    """Parse the values of `--provider-option`.

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
    """Verify the signature, print who signed, and load the same bytes that were verified."""
    from edgelstm.runtime import parse_model_file
    from edgelstm.runtime.loading import open_model_file
    from edgelstm.signing import verify_file

    signed = verify_file(file, key)
    print(f"{file.name}: signed with the key {signed.key.name}; trusted comment: {signed.comment}")
    return open_model_file(parse_model_file(signed.content, str(file)), device, threads, provider_options=options)


def verify_words(file: Path, predictor: Predictor, result: Replay) -> str:
    """Write the result of a replay, channel by channel."""
    import onnxruntime

    contract = predictor.contract
    lines = [
        f"{file.name}: {_digest_words(predictor)}; {counted(result.rows, 'golden window')} on onnxruntime "
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
            "copy or export the file again: an altered file cannot show whether this machine computes correctly"
            if predictor.let_pass
            else "try another onnxruntime version, or the fp32 file"
        )
        lines.append(f"results differ from those at export: do not use this file here; {advice}")
    return "\n".join(lines)


def _digest_words(predictor: Predictor) -> str:
    if predictor.let_pass:
        return f"ALTERED since export ({'; '.join(predictor.let_pass)})"
    return f"digest {predictor.digest[:12]} is right"


def inspect(
    file: File,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Accept a file that was altered since export.")
    ] = False,
) -> None:
    """Print the contract, the graph and the metrics of a file, without running it."""
    from edgelstm.runtime import read_model_file
    from edgelstm.runtime.file.summary import summarize_graph

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
        from edgelstm.cli.inspection import inspect_words

        print(inspect_words(file, model_file, graph))
