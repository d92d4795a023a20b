"""`edgelstm export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgelstm.cli.words import microseconds, table

if TYPE_CHECKING:
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
    smallest = export.files[-1].path
    print(f"next: edgelstm verify {smallest}")


def export_table(export: Export) -> str:
    """Lay out precision, size, errors, test metric and latency of each file."""
    outputs = export.run.record.contract.outputs
    unit = f" ({outputs[0].unit})" if len(outputs) == 1 and outputs[0].unit else ""
    headers = [
        "precision",
        "bytes",
        f"max error{unit}",
        f"mean error{unit}",
        f"test RMSE{unit}",
        "p50 of a window",
    ]
    trained = next((part.network for part in export.run.record.contract.metrics if part.part == "test"), None)
    rows = [["network (torch)", "", "", "", f"{trained.rmse:.4g}" if trained else "-", ""]]
    for file in export.files:
        rows.append(
            [
                file.contract.precision,
                f"{file.size_bytes:,}",
                f"{file.max_error:.2g}",
                f"{file.mean_error:.2g}",
                f"{file.test.rmse:.4g}" if file.test else "-",
                microseconds(file.p50_us),
            ]
        )
    return table(headers, rows)
