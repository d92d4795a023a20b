"""`edgelstm demo`: all steps from table to device on real data, ending in one page."""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgelstm.files import write_whole

if TYPE_CHECKING:
    from edgelstm.bench import BenchResult
    from edgelstm.export import Export
    from edgelstm.runtime import Replay
    from edgelstm.train import Fitted

_BENCH_S = 1.0


@dataclass(frozen=True)
class StreamCheck:
    """A stream compared with windows: how many samples, and the largest difference in physical units."""

    samples: int
    answers: int
    max_difference: float


def demo(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder. [a new temporary one]")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs; fewer for a quick look. [as in the recipe]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demo in --output.")] = False,
) -> None:
    """Train on weekly CO2 at Mauna Loa, export, verify, predict, stream, measure, and write report.html."""
    from edgelstm.cli.device import verify_words
    from edgelstm.cli.export import show_export
    from edgelstm.cli.train import show_fitted
    from edgelstm.errors import require
    from edgelstm.export import export_run
    from edgelstm.runtime import load, replay
    from edgelstm.train import fit_recipe, load_recipe

    require("jinja2", "report")
    folder = output or Path(tempfile.mkdtemp(prefix="edgelstm-demo-"))
    run = folder / "run"
    recipe_path = resources.files("edgelstm.data") / "co2" / "recipe.toml"
    recipe = load_recipe(str(recipe_path), {"training": {"epochs": epochs}} if epochs else {})

    _say(f"edgelstm train --recipe {recipe_path} --output {run}")
    fitted = fit_recipe(recipe, run, overwrite=overwrite)
    show_fitted(fitted)

    _say(f"edgelstm export {run} --quantize --output {folder}")
    export = export_run(run, folder, precisions=["int8"])
    show_export(export)

    replays, benches, streams = [], [], []
    for file in export.files:
        _say(f"edgelstm verify {file.path}")
        predictor = load(file.path)
        replays.append(replay(predictor))
        print(verify_words(file.path, predictor, replays[-1]))
    for file in export.files:
        streams.append(_check_stream(file.path, export))
        unit = file.contract.outputs[0].unit
        print(
            f"\n{file.path.name}: {streams[-1].samples} samples streamed one by one, {streams[-1].answers} answers, "
            f"largest difference from the same windows in a batch: {streams[-1].max_difference:g} {unit}"
        )
    _say(f"edgelstm predict {export.files[0].path} builtin:co2")
    _show_forecast(export)
    for file in export.files:
        benches.append(_bench(file.path))

    report = folder / "report.html"
    write_whole(report, _render(fitted, export, replays, streams, benches).encode())
    print(f"\nwrote {report}: open it in a browser")


def _say(command: str) -> None:
    print(f"\n$ {command}", flush=True)


def _check_stream(path: Path, export: Export) -> StreamCheck:
    """Feed some of the test part sample by sample, and compare with the same windows in one batch."""
    import numpy as np

    from edgelstm.runtime import load

    predictor = load(path)
    windows = export.run.heldout
    if windows is None:
        raise ValueError("the demo recipe needs a test part")
    series = windows.x_rows[: 2 * windows.steps]
    stream = predictor.stream()
    answers = [answer for answer in (stream.step(sample) for sample in series) if stream.ready]
    batch = np.stack([series[i : i + windows.steps] for i in range(len(series) - windows.steps + 1)])
    return StreamCheck(len(series), len(answers), float(np.abs(np.stack(answers) - predictor.predict(batch)).max()))


def _bench(path: Path) -> BenchResult:
    """Measure in a new process, as on a device: this one has loaded torch."""
    from edgelstm.bench import BenchResult
    from edgelstm.strict_json import decode, parse

    figures = path.with_suffix(".bench.json")
    command = ["bench", str(path), "--seconds", f"{_BENCH_S:g}", "--output", str(figures)]
    _say(f"edgelstm {' '.join(command)}")
    subprocess.run([sys.executable, "-m", "edgelstm", *command], check=True)  # noqa: S603  (our own command)
    return decode(BenchResult, parse(figures.read_bytes()), "bench")


def _show_forecast(export: Export) -> None:
    from edgelstm.answers import answer, read_samples
    from edgelstm.cli.rows import render, rows_of
    from edgelstm.runtime import load

    predictor = load(export.files[0].path)
    samples = read_samples("builtin:co2", predictor.contract)
    print(render(rows_of(answer(predictor, samples), samples), "csv").decode().rstrip())


def _render(
    fitted: Fitted,
    export: Export,
    replays: list[Replay],
    streams: list[StreamCheck],
    benches: list[BenchResult],
) -> str:
    """Fill the page: everything that was printed, and the two plots, in one self-contained file."""
    from edgelstm.report.page import environment

    plots = {
        name: base64.b64encode((fitted.run.path / f"{name}.png").read_bytes()).decode() for name in ("forecast", "loss")
    }
    contract = export.files[0].contract
    scored = {part.name: part.scored for part in fitted.evaluation.parts}
    return (
        environment("edgelstm.cli")
        .get_template("demo.html.j2")
        .render(
            contract=contract,
            unit=contract.outputs[0].unit,
            fitted=fitted,
            test=scored["test"],
            validation=scored["validation"],
            files=list(zip(export.files, replays, streams, benches, strict=True)),
            machine=benches[0].machine,
            plots=plots,
        )
    )
