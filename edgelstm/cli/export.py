"""`edgelstm export`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgelstm.cli.words import microseconds, table

if TYPE_CHECKING:
    from edgelstm.contract import Score
    from edgelstm.export import Export


def export(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the files. [the run]")] = None,
    quantize: Annotated[bool, typer.Option("--quantize", help="Also write an int8 file.")] = False,
) -> None:
    """Write the ONNX files of a run: fp32, and int8 on request."""
    from edgelstm.export import export_run

    show_export(export_run(run, output, quantize=quantize))


def show_export(export: Export) -> None:
    """Print one table over the files, and the trained network above them."""
    print(export_table(export))
    print()
    for file in export.files:
        print(f"wrote {file.path}")
    first, last = export.files[0], export.files[-1]
    if last is not first and last.size_bytes >= first.size_bytes:
        print(
            f"{last.contract.precision} is no smaller than {first.contract.precision} here: this network is too small"
        )
    print(f"next: edgelstm verify {last.path}")


def export_table(export: Export) -> str:
    """Lay out precision, size, errors, test metric and latency of each file.

    Figures of one output are in its unit; of several they are in training standard deviations, the worst output's.
    """
    outputs = export.run.record.contract.outputs
    one = len(outputs) == 1
    unit = (f" ({outputs[0].unit})" if outputs[0].unit else "") if one else " (std)"
    spread = [1.0 if one else channel.spread for channel in outputs]
    headers = ["precision", "bytes", f"max error{unit}", f"mean error{unit}", f"test RMSE{unit}", "p50 of a window"]
    trained = next((part.network for part in export.run.record.contract.metrics if part.part == "test"), None)
    rows = [["network (torch)", "", "", "", _rmse(trained, one), ""]]
    for file in export.files:
        errors = [
            max(error / std for error, std in zip(found, spread, strict=True))
            for found in (file.max_error, file.mean_error)
        ]
        latency = microseconds(file.p50_us)
        precision, size = file.contract.precision, f"{file.size_bytes:,}"
        rows.append([precision, size, *(f"{error:.2g}" for error in errors), _rmse(file.test, one), latency])
    return table(headers, rows)


def _rmse(score: Score | None, one: bool) -> str:
    if score is None:
        return "-"
    return f"{score.rmse if one else math.sqrt(score.scaled_mse):.4g}"
