"""Export: from a run directory to model files. The story of this package, top to bottom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from edgelstm import __version__
from edgelstm.bench.timer import time_calls
from edgelstm.contract import Contract, Metrics, Score
from edgelstm.data.score import Forecast, score_windows
from edgelstm.data.windows import Index, Rows, Windows
from edgelstm.errors import ParityError
from edgelstm.export.graph import build_graph
from edgelstm.export.pack import pack
from edgelstm.export.quantize import quantize_graph
from edgelstm.files import write_all_whole
from edgelstm.run import Run, read_run
from edgelstm.runtime import Golden, ModelFile, Predictor
from edgelstm.runtime.golden import OTHER, PYPI, worst_by_channel

# How far a replay may be from the file's own outputs, in training standard deviations. An int8 rounding that
# falls the other way moves an answer by thousandths; builds outside PyPI round by other kernels.
_FP32_TOLERANCE = 1e-5
_INT8_TOLERANCE = {PYPI: 5e-3, OTHER: 5e-2}
_ULPS = 4
_TIMED_S = 0.5

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ExportedFile:
    """One file that was written.

    Attributes:
        path: where it lies.
        contract: what it says about itself.
        digest: 64 hex digits.
        size_bytes: of the file.
        max_error, mean_error: against the trained network on the golden vectors, per output, in physical units.
        test: its score on the held-out windows, run by onnxruntime; None without a test part.
        p50_us: of predicting one window on this machine.
    """

    path: Path
    contract: Contract
    digest: str
    size_bytes: int
    max_error: tuple[float, ...]
    mean_error: tuple[float, ...]
    test: Score | None
    p50_us: float


@dataclass(frozen=True)
class Export:
    """What an export gave: the fp32 file first."""

    run: Run
    files: tuple[ExportedFile, ...]


def export_run(directory: str | Path, output: str | Path | None = None, *, quantize: bool = False) -> Export:
    """Write the model files of a run, all of them or none.

    Args:
        directory: a run directory.
        output: the folder of the files; None for the run directory.
        quantize: also write an int8 file.

    Returns:
        The files and what was measured on them.

    Raises:
        RunError: the run is missing, incomplete or damaged.
        ParityError: the graph does not compute what the network computed; nothing is written.
        OutputError: the disk is full; what stood there before is untouched.
    """
    run = read_run(directory)
    folder = Path(output) if output is not None else run.path
    graphs = {"fp32": build_graph(run.record.network, run.weights, run.record.contract)}
    if quantize:
        graphs["int8"] = quantize_graph(graphs["fp32"])
    made = [_make_file(run, folder, precision, graph) for precision, graph in graphs.items()]
    write_all_whole({file.path: content for file, content in made})
    return Export(run, tuple(file for file, _ in made))


def _make_file(run: Run, folder: Path, precision: str, graph: onnx.ModelProto) -> tuple[ExportedFile, bytes]:
    """Run the graph, check it, and let the file say what came out."""
    contract = _with_provenance(run.record.contract, precision)
    draft = Golden(run.golden_x, run.golden_y, run.golden_y, {})
    predictor = Predictor(ModelFile(graph.SerializeToString(), contract, draft, ""))
    y = np.stack([predictor.predict(window) for window in run.golden_x])
    if precision == "fp32":
        _check_parity(run, y)
    test = None if run.heldout is None else _score(predictor, run.heldout, _target_std(contract))
    contract = replace(contract, metrics=_with_file(contract.metrics, test))
    content, digest = pack(graph, contract, Golden(run.golden_x, run.golden_y, y, _tolerance(run, precision, y)))
    window = run.golden_x[0]
    times = time_calls(lambda: predictor.predict(window), _TIMED_S)
    error = np.abs(y.astype(np.float64) - run.golden_y)
    all_but_channels = tuple(range(error.ndim - 1))
    file = ExportedFile(
        path=folder / f"{contract.name}.{precision}.onnx",
        contract=contract,
        digest=digest,
        size_bytes=len(content),
        max_error=tuple(error.max(axis=all_but_channels).tolist()),
        mean_error=tuple(error.mean(axis=all_but_channels).tolist()),
        test=test,
        p50_us=float(np.median(times)) / 1e3,
    )
    return file, content


def _with_provenance(contract: Contract, precision: str) -> Contract:
    versions = {**contract.provenance.versions, "edgelstm": __version__}
    for package in ("onnx", "onnxruntime", "onnxruntime-gpu"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return replace(contract, precision=precision, provenance=contract.provenance._replace(versions=versions))


def _with_file(metrics: tuple[Metrics, ...], test: Score | None) -> tuple[Metrics, ...]:
    return tuple(part._replace(file=test) if part.part == "test" else part for part in metrics)


def _check_parity(run: Run, y: NDArray[np.float32]) -> None:
    """Hold fp32 against torch: 1e-5 of the training standard deviation plus 4 ulp of the largest output."""
    errors = worst_by_channel(y, run.golden_y)
    limits = _fp32_limits(run, run.golden_y)
    names = [channel.name for channel in run.record.contract.outputs]
    report = {
        name: {"error": error, "limit": float(limit)} for name, error, limit in zip(names, errors, limits, strict=True)
    }
    broken = [name for name in names if not report[name]["error"] <= report[name]["limit"]]
    if broken:
        worst = report[broken[0]]
        raise ParityError(
            f"the graph differs from the trained network: expected {broken[0]!r} within {worst['limit']:.3g}, got "
            f"{worst['error']:.3g}; nothing was written, please report this with the run directory",
            report,
        )


def _tolerance(run: Run, precision: str, y: NDArray[np.float32]) -> dict[str, tuple[float, ...]]:
    limits = _fp32_limits(run, y)
    if precision == "fp32":
        return {target: tuple(map(float, limits)) for target in (PYPI, OTHER)}
    # Relative networks answer with the change from the last value, which varies less than the series.
    spread = np.minimum(_target_std(run.record.contract), run.weights["output_scale"])
    if run.record.contract.scaling == "none":
        spread = _target_std(run.record.contract)
    return {target: tuple(map(float, limits + part * spread)) for target, part in _INT8_TOLERANCE.items()}


def _fp32_limits(run: Run, y: NDArray[np.float32]) -> Vector:
    largest = np.abs(y).max(axis=tuple(range(y.ndim - 1))).astype(np.float32)
    limits: Vector = _FP32_TOLERANCE * _target_std(run.record.contract) + _ULPS * np.spacing(largest)
    return limits


def _target_std(contract: Contract) -> Vector:
    """[O], of the outputs."""
    return np.array([channel.spread for channel in contract.outputs])


def _score(predictor: Predictor, windows: Windows, target_std: Vector) -> Score:
    """Score a file on held-out windows; of an answer at every step, the last."""

    def forecast(index: Index) -> Rows:
        y = predictor.predict(windows.x(index))
        return y[:, -1] if y.ndim == 4 else y

    forecaster: Forecast = forecast
    return score_windows(forecaster, windows, target_std).score
