"""Export: from a run directory to model files. The pipeline of this package, top to bottom."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from edgelstm import __version__
from edgelstm.answers import score_as_run
from edgelstm.answers.answerer import Answers, StreamInput, stepped
from edgelstm.answers.differences import neighbour_difference, stream_difference
from edgelstm.bench import Judged, Judgement, answers_to_judge, judge, load_candidates
from edgelstm.bench.timer import time_calls
from edgelstm.contract import STATES, Contract, Fidelity, Metrics, Precision, Quantization, Score, has_integers
from edgelstm.data.inputs import Inputs
from edgelstm.data.scores.metric import drop_of, figure_of
from edgelstm.errors import ExportError, InputError, ParityError, either
from edgelstm.export.graph import build_graph
from edgelstm.export.line import line_of
from edgelstm.export.pack import pack
from edgelstm.export.quantize import convert_graph
from edgelstm.files import write_all_whole
from edgelstm.network import carried_states
from edgelstm.run import Run, read_run
from edgelstm.runtime import Golden, ModelFile, Predictor, parse_model_file
from edgelstm.runtime.file.golden import OTHER, PYPI, worst_by_channel
from edgelstm.runtime.replay import golden_rows
from edgelstm.strict_json import plain

# How far a replay may be from the file's own outputs, in training standard deviations. One int8 value rounded the
# other way moves an answer by thousandths; builds outside PyPI use kernels that round differently.
_FP32_TOLERANCE = 1e-5
_TOLERANCE: dict[Precision, dict[str, float]] = {
    "fp32": {PYPI: 0.0, OTHER: 0.0},
    "int8w": {PYPI: 0.0, OTHER: 0.0},
    "fp16": {PYPI: 2e-3, OTHER: 5e-3},
    "int8": {PYPI: 5e-3, OTHER: 5e-2},
}
_ULPS = 4
# If the training data is unknown, the golden answers may be much closer together than the values the network computes
# with: 1e-6 of the largest answer is the error of float32 itself.
_FP32_ROUNDING = 1e-6
_TIMED_S = 0.5
# A linear start is a fixed sum over a window: it becomes int8 if that makes the file smaller and not the metric worse.
_SMALL_HIGHWAY_BYTES = 16 * 2**10
_HIGHWAY_DROP = 0.001

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ExportedFile:
    """One file that was written.

    Attributes:
        path: of the file.
        contract: of the file.
        digest: 64 hex digits.
        size_bytes: of the file.
        max_error, mean_error: against the trained network on the golden vectors, per output, in physical units.
        test: its score on the held-out windows or series, run by onnxruntime; None without a test part.
        p50_us: median time to predict one window on this machine.
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
    """The result of an export: the fp32 file first.

    Attributes:
        run: what was exported.
        files: the files that were written.
        judgement: comparison of all files, if it was asked for.
        refused: the precision that was not written, because its metric dropped beyond the limit; None if all were.
    """

    run: Run
    files: tuple[ExportedFile, ...]
    judgement: Judgement | None = None
    refused: Judged | None = None


def export_run(
    directory: str | Path,
    output: str | Path | None = None,
    *,
    precisions: Sequence[Precision] = (),
    quantization: Quantization | None = None,
    state: str | None = None,
    max_metric_drop: float | None = None,
    line: bool = False,
) -> Export:
    """Write the model files of a run, all of them or none.

    Args:
        directory: a run directory.
        output: the folder of the files; None for the run directory.
        precisions: what to write besides fp32: `"int8"`, `"int8w"`, `"fp16"`.
        quantization: how to make int8 weights; None: as the network was fine-tuned for, else the defaults.
        state: `"carried"` exports a window network so that it carries its state; the contract says that it was not
            trained so. None: the state it was trained with.
        max_metric_drop: compare the files (some seconds), write `NAME.judgement.json` next to them, and do not write
            a file whose test metric is worse than fp32's by more than this: 0.01 is one percent. With several
            precisions all are written, and the judgement says which to ship.
        line: write the linear start alone, without the LSTM: `NAME.line.fp32.onnx`.

    Returns:
        The files and their measurements.

    Raises:
        RunError: the run is missing, incomplete or damaged.
        ExportError: `quantization` contradicts the form that the network was fine-tuned for; or there is no linear
            start to write alone.
        ParityError: the graph does not compute what the network computed; nothing is written.
        OutputError: the disk is full; existing files are unchanged.
    """
    run = _with_state(read_run(directory), state)
    if line:
        run = line_of(run)
    folder = Path(output) if output is not None else run.path
    graph = _fp32_graph(run)
    chosen: list[Precision] = ["fp32", *(p for p in precisions if p != "fp32")]
    forms = {p: _form(run, p, quantization) for p in chosen}
    score = _score if max_metric_drop is None else _score_to_judge
    made = [_make_best(run, folder, p, graph, form, score) for p, form in forms.items()]
    if max_metric_drop is None:
        write_all_whole({one.file.path: one.content for one in made})
        return Export(run, tuple(one.file for one in made))
    return _judged(run, folder, made, max_metric_drop)


def open_run(directory: str | Path) -> tuple[Run, Predictor]:
    """Read a run and load its network like the fp32 file, without writing one.

    Raises:
        RunError: the run is missing, incomplete or damaged.
        ParityError: the graph does not compute what the network computed.
    """
    run = read_run(directory)
    draft = _draft(run)
    predictor = Predictor(ModelFile(_fp32_graph(run).SerializeToString(), run.record.contract, draft, ""))
    _check_parity(run, np.stack([predictor.bare.predict(*row) for row in golden_rows(draft)]))
    return run, predictor


def _form(run: Run, precision: Precision, asked: Quantization | None) -> Quantization:
    """Choose how weights become integers: a network that was fine-tuned for one form cannot be exported in another."""
    tuned_for, form = run.record.tuned_for or (None, None)
    if precision != tuned_for or form is None:
        return asked or Quantization()
    if asked is not None and asked._replace(highway=form.highway) != form:
        scale = "per channel" if form.per_channel else "per tensor"
        raise ExportError(
            f"{run.path}: was fine-tuned for {precision} {scale}, clip {form.clip}, head {form.head}; omit the options "
            "that contradict this, or fine-tune again"
        )
    return form if asked is None else asked


class _Made(NamedTuple):
    """A file that is not written yet, and its answers on the held-out part if it will be judged."""

    file: ExportedFile
    content: bytes
    answers: Answers | None


def _score(predictor: Predictor, run: Run) -> tuple[Answers | None, Score | None]:
    return None, None if run.heldout is None else score_as_run(predictor, run.heldout)


def _score_to_judge(predictor: Predictor, run: Run) -> tuple[Answers | None, Score | None]:
    """Score a file, and keep its answers for the judge, which need not run the file again."""
    return (None, None) if run.heldout is None else answers_to_judge(predictor, run.heldout)


Scoring = Callable[[Predictor, Run], tuple[Answers | None, Score | None]]


def _make_best(
    run: Run, folder: Path, precision: Precision, graph: onnx.ModelProto, form: Quantization, score: Scoring
) -> _Made:
    """Make a file; a large linear start is tried in float32 and in int8, and int8 is kept if it is as accurate."""
    made = _make_file(run, folder, precision, convert_graph(graph, precision, form), form, score)
    highway = run.record.network.highway if run.record.network is not None else None
    size = 0 if highway is None else run.weights[f"{highway.name}.weight"].nbytes
    if not has_integers(precision) or form.highway == "int8" or size <= _SMALL_HIGHWAY_BYTES:
        return made
    form = form._replace(highway="int8")
    smaller = _make_file(run, folder, precision, convert_graph(graph, precision, form), form, score)
    return smaller if _loss(smaller.file, made.file) < _HIGHWAY_DROP else made


def _loss(smaller: ExportedFile, made: ExportedFile) -> float:
    """How much worse one file is: by the test metric, or without a test part by the mean golden error in spreads."""
    contract = made.contract
    if made.test is None or smaller.test is None:
        spreads = [channel.spread for channel in contract.outputs]
        both = zip(smaller.mean_error, made.mean_error, spreads, strict=True)
        return max((a - b) / spread for a, b, spread in both)
    figures = [figure_of(score, contract.metric) for score in (smaller.test, made.test)]
    return drop_of(figures[0], figures[1], contract.metric)


def _judged(run: Run, folder: Path, made: list[_Made], limit: float) -> Export:
    """Judge the files and write them; if a single precision besides fp32 lost too much, only fp32 is written."""
    files = [(file.path.name, len(content), partial(_load, file.path.name, content)) for file, content, _ in made]
    loaded = zip(load_candidates(files), made, strict=True)
    candidates = [replace(candidate, answers=one.answers) for candidate, one in loaded]
    judgement = judge(candidates, run.heldout, max_metric_drop=limit)
    refused = None
    if len(made) == 2 and not (judgement.files[1].drop or 0.0) <= limit:
        refused, made = judgement.files[1], made[:1]
    report = json.dumps(plain(judgement), indent=1, ensure_ascii=False).encode() + b"\n"
    written = {one.file.path: one.content for one in made}
    write_all_whole({**written, folder / f"{run.record.contract.name}.judgement.json": report})
    return Export(run, tuple(one.file for one in made), judgement, refused)


def _load(name: str, content: bytes) -> Predictor:
    return Predictor(parse_model_file(content, name))


def _fp32_graph(run: Run) -> onnx.ModelProto:
    if run.record.network is None:
        foreign = onnx.ModelProto()
        foreign.ParseFromString(run.graph or b"")
        return foreign
    return build_graph(run.record.network, run.weights, run.record.contract)


def _with_state(run: Run, state: str | None) -> Run:
    """Change a run of a window network so that it carries its state, if it can; the contract records the change."""
    if state not in (None, *STATES):
        raise InputError(f"state: expected {either(STATES)}, got {state!r}")
    contract, network = run.record.contract, run.record.network
    if state is None or state == contract.state:
        return run
    if network is None:
        raise ExportError(
            f"state: this network was imported as a graph with state {contract.state}, which export cannot change; "
            f"import it again with state {state}"
        )
    if state == "window":
        raise ExportError(f"state: this network needs state {contract.state}; it cannot be exported with state {state}")
    carried = replace(contract, state="carried", lengths=False, states=carried_states(network))
    run = replace(run, record=replace(run.record, contract=carried))
    graph = build_graph(network, run.weights, carried)  # refuses networks that cannot carry their state
    # The recorded answers of the network are compared with the graph; the other steps' answers come from the graph.
    draft = _draft(run)._replace(lengths=None)
    predictor = Predictor(ModelFile(graph.SerializeToString(), carried, draft, "")).bare
    rows = Inputs(draft.x, None, draft.times)
    y = np.concatenate([predictor.run_batch(*rows.one(i)) for i in range(len(rows.x))])
    _check_parity(run, _as_window_answers(run, y))
    return replace(run, golden_y=y, golden_lengths=None)


def _as_window_answers(run: Run, y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reduce answers at every step to those of a window file: at the end of each row, or up to it."""
    if y.shape == run.golden_y.shape:
        return np.where(np.isnan(run.golden_y), np.nan, y).astype(np.float32)  # after the end of a row
    ends = np.full(len(y), y.shape[1]) if run.golden_lengths is None else run.golden_lengths
    last: NDArray[np.float32] = y[np.arange(len(y)), ends - 1]
    return last


def _make_file(
    run: Run, folder: Path, precision: Precision, graph: onnx.ModelProto, quantization: Quantization, score: Scoring
) -> _Made:
    """Run the graph, check it, and record the results in the file."""
    contract = replace(
        _with_provenance(run.record.contract),
        precision=precision,
        quantization=quantization if has_integers(precision) else None,
    )
    draft = _draft(run)
    predictor = Predictor(ModelFile(graph.SerializeToString(), contract, draft, "")).bare
    rows = golden_rows(draft)
    y = np.stack([predictor.predict(*row) for row in rows])
    if precision == "fp32":
        _check_parity(run, y)
    answers, test = score(predictor, run)
    fidelity = _fidelity(predictor, draft, y)
    contract = replace(contract, fidelity=fidelity, metrics=_with_file(contract.metrics, test))
    content, digest = pack(graph, contract, draft._replace(file=y, tolerance=_tolerance(run, precision, y)))
    times = time_calls(lambda: predictor.predict(*rows[0]), _TIMED_S)
    error = np.nan_to_num(np.abs(y.astype(np.float64) - run.golden_y))
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
    return _Made(file, content, answers)


def _draft(run: Run) -> Golden:
    """The golden vectors before a file has answered."""
    return Golden(run.golden_x, run.golden_y, run.golden_y, {}, run.golden_lengths, run.golden_times)


def _with_provenance(contract: Contract) -> Contract:
    versions = {**contract.provenance.versions, "edgelstm": __version__}
    for package in ("onnx", "onnxruntime", "onnxruntime-gpu"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return replace(contract, provenance=contract.provenance._replace(versions=versions))


def _with_file(metrics: tuple[Metrics, ...], test: Score | None) -> tuple[Metrics, ...]:
    return tuple(part._replace(file=test) if part.part == "test" else part for part in metrics)


def _check_parity(run: Run, y: NDArray[np.float32]) -> None:
    """Compare fp32 with torch: within 1e-5 of the training standard deviation plus 4 ulp of the largest output."""
    padding = np.isnan(y) & np.isnan(run.golden_y)  # after the end of a row
    errors = worst_by_channel(np.where(padding, 0, y), np.where(padding, 0, run.golden_y))
    limits = _fp32_limits(run, run.golden_y)
    names = [channel.name for channel in run.record.contract.outputs]
    report = {
        name: {"error": error, "limit": float(limit)} for name, error, limit in zip(names, errors, limits, strict=True)
    }
    broken = [name for name in names if not report[name]["error"] <= report[name]["limit"]]
    if broken:
        worst = report[broken[0]]
        raise ParityError(
            f"the graph differs from the trained network: {broken[0]!r} is off by {worst['error']:.3g}, expected "
            f"within {worst['limit']:.3g}; nothing was written; please report this with the run directory",
            report,
        )


def _tolerance(run: Run, precision: Precision, y: NDArray[np.float32]) -> dict[str, tuple[float, ...]]:
    limits = _fp32_limits(run, y)
    # Networks with relative scaling predict the change from the last value, which varies less than the series.
    spread = _spread(run)
    if run.record.contract.scaling != "none" and "output_scale" in run.weights:
        spread = np.minimum(spread, run.weights["output_scale"])
    return {target: tuple(map(float, limits + part * spread)) for target, part in _TOLERANCE[precision].items()}


def _fp32_limits(run: Run, y: NDArray[np.float32]) -> Vector:
    largest = np.nanmax(np.abs(y), axis=tuple(range(y.ndim - 1))).astype(np.float32)
    limits: Vector = _FP32_TOLERANCE * _spread(run) + _ULPS * np.spacing(largest)
    known = np.array([channel.statistics is not None for channel in run.record.contract.outputs])
    found: Vector = np.where(known, limits, np.maximum(limits, _FP32_ROUNDING * np.maximum(1, largest)))
    return found


def _spread(run: Run) -> Vector:
    """[O]: the training standard deviation; if unknown, that of the golden answers.

    For classes 1, the range of a probability, unless a foreign network answers with larger numbers.
    """
    contract = run.record.contract
    spread = np.array([channel.spread for channel in contract.outputs])
    known = np.array([channel.statistics is not None for channel in contract.outputs])
    golden = np.nanstd(run.golden_y.astype(np.float64), axis=tuple(range(run.golden_y.ndim - 1)))
    if contract.answer == "class":
        golden = np.maximum(golden, 1.0)
    found: Vector = np.where(known | (golden == 0), spread, golden)
    return found


def _fidelity(predictor: Predictor, golden: Golden, y: NDArray[np.float32]) -> Fidelity:
    """Compare the file with its network, its steps with its window, and a row in a batch with the row alone."""
    streamed, rows = (0.0,) * y.shape[-1], Inputs(golden.x, golden.lengths, golden.times)
    if predictor.contract.state == "carried":
        times = [None] * len(golden.x) if golden.times is None else list(golden.times)
        inputs = [StreamInput(*row) for row in zip(golden.x, times, strict=True)]
        found = np.concatenate([stepped(predictor, one) for one in inputs])
        streamed = stream_difference(predictor, inputs, found)
    valid = ~np.isnan(y)
    network_error = worst_by_channel(np.where(valid, y, 0), np.where(valid, golden.network, 0))
    return Fidelity(network_error, streamed, neighbour_difference(predictor, rows))
