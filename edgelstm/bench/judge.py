"""Judge model files beside each other, in the mode in which their contract says that they run.

The first file is what the others are held against: the fp32 file of the same network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from edgelstm.bench.machine import Machine, describe_machine
from edgelstm.bench.timer import Latency, time_interleaved
from edgelstm.contract import Contract
from edgelstm.data.score import score_windows
from edgelstm.data.windows import Index, Rows, Windows
from edgelstm.errors import InputError
from edgelstm.runtime import Predictor
from edgelstm.runtime.golden import worst_by_channel
from edgelstm.runtime.replay import golden_rows

CARRIED_STEPS = 10_000
NOTABLY_FASTER = 1.05  # a median ratio below this is no reason to ship another file
_BATCH = 16


@dataclass(frozen=True)
class Candidate:
    """A file to judge.

    Attributes:
        name: of the file.
        size_bytes: of the file.
        load_ms: reading, checking and opening it.
        predictor: the loaded file.
    """

    name: str
    size_bytes: int
    load_ms: float
    predictor: Predictor


@dataclass(frozen=True)
class Judged:
    """What was measured on one file.

    Attributes:
        name, precision, size_bytes, load_ms: of the file.
        step, window: latencies of one sample through a stream and of one window.
        step_speed, window_speed: median over rounds of the first file's time by this one's: 2 is twice as fast.
        metric: on the test data; None without. See `Judgement.metric`.
        drop: how much worse than the first file's metric, 0.01 is one percent; None without test data.
        max_error: largest difference from the first file's answers, in standard deviations of the output.
        stream_difference: largest difference between stepping and the same samples at once, likewise.
        neighbour_difference: how far a row moves when an ONNX client runs it in a batch, likewise.
    """

    name: str
    precision: str
    size_bytes: int
    load_ms: float
    step: Latency
    window: Latency
    step_speed: float
    window_speed: float
    metric: float | None
    drop: float | None
    max_error: float
    stream_difference: float
    neighbour_difference: float


@dataclass(frozen=True)
class Judgement:
    """All files, and which one to ship.

    Attributes:
        files: as they were given; the first is what the others are held against.
        state: the mode: `"window"`, or `"carried"` over `steps` steps.
        steps: how many steps a carried state went on for; 0 for windows.
        metric: what `Judged.metric` is: `"RMSE"` in the unit of the one output, or `"scaled RMSE"` over several.
        max_metric_drop: the worst drop allowed.
        ship: name of the file to ship.
        sentences: why, and what speaks against the others.
        machine: where it was measured.
    """

    files: tuple[Judged, ...]
    state: str
    steps: int
    metric: str
    max_metric_drop: float
    ship: str
    sentences: tuple[str, ...]
    machine: Machine


def judge(
    candidates: Sequence[Candidate], windows: Windows | None, *, max_metric_drop: float = 0.01, seconds: float = 2.0
) -> Judgement:
    """Measure files side by side and say which one to ship.

    Args:
        candidates: files of one network, fp32 first.
        windows: held-out windows with their targets; None: the metric cannot be judged, and fp32 is recommended.
        max_metric_drop: how much worse the metric may be than the first file's, 0.01 is one percent.
        seconds: how long to time steps, and again windows, all files in turn.

    Raises:
        InputError: no files, or files that take or answer different things.
    """
    _check_alike(candidates)
    contract = candidates[0].predictor.contract
    spread = np.array([channel.spread for channel in contract.outputs])
    rows = _rows(candidates[0].predictor, windows)
    answers = [_answers(candidate.predictor, rows, windows) for candidate in candidates]
    metrics = [_metric(answer, windows, contract, spread) for answer in answers]
    steps, whole = _latencies(candidates, seconds)
    files = []
    for i, (candidate, answer, metric) in enumerate(zip(candidates, answers, metrics, strict=True)):
        drop = None if metric is None or metrics[0] is None else metric / max(metrics[0], 1e-30) - 1
        files.append(
            Judged(
                candidate.name,
                candidate.predictor.contract.precision,
                candidate.size_bytes,
                candidate.load_ms,
                Latency.of(steps[i]),
                Latency.of(whole[i]),
                float(np.median(steps[0] / steps[i])),
                float(np.median(whole[0] / whole[i])),
                metric,
                drop,
                _in_spreads(answer, answers[0], spread),
                _stream_difference(candidate.predictor, rows, answer, spread),
                _neighbour_difference(candidate.predictor, windows, spread),
            )
        )
    ship, sentences = _verdict(files, contract.state, max_metric_drop)
    return Judgement(
        tuple(files),
        contract.state,
        len(rows) if contract.state == "carried" else 0,
        "RMSE" if len(contract.outputs) == 1 else "scaled RMSE",
        max_metric_drop,
        ship,
        sentences,
        describe_machine(),
    )


def _check_alike(candidates: Sequence[Candidate]) -> None:
    if not candidates:
        raise InputError("expected at least one file to judge, got none")
    first = candidates[0].predictor.contract
    for candidate in candidates[1:]:
        other = candidate.predictor.contract
        for key in ("task", "window", "horizon", "state", "lengths"):
            if getattr(first, key) != getattr(other, key):
                raise InputError(
                    f"{candidate.name}: its {key} is {getattr(other, key)!r}, that of {candidates[0].name} is "
                    f"{getattr(first, key)!r}; only files of one network can be compared"
                )
        for key in ("inputs", "outputs"):
            names = [[channel.name for channel in getattr(contract, key)] for contract in (first, other)]
            if names[0] != names[1]:
                raise InputError(f"{candidate.name}: its {key} are {names[1]}, those of the first file {names[0]}")


def _rows(predictor: Predictor, windows: Windows | None) -> Rows:
    """The samples a carried state goes over: the test series, again and again until there are 10,000."""
    if windows is not None and windows.same_rows:
        rows = windows.x_rows[~np.isnan(windows.x_rows).any(axis=1)]
    elif windows is not None:
        rows = windows.x_rows
    else:
        rows = np.concatenate(list(predictor.golden.x))
    return np.concatenate([rows] * -(-CARRIED_STEPS // len(rows)))


def _answers(predictor: Predictor, rows: Rows, windows: Windows | None) -> Rows:
    """Answer in the mode of the contract: carried, step by step over all rows; else window by window."""
    if predictor.contract.state == "carried":
        stream = predictor.stream()
        return np.stack([stream.step(row) for row in rows])
    if windows is None:
        return np.stack([predictor.predict(*row) for row in golden_rows(predictor.golden)])
    parts = [windows.x(np.arange(i, min(i + 512, len(windows)))) for i in range(0, len(windows), 512)]
    return np.concatenate([predictor.predict(part) for part in parts])


def _metric(answers: Rows, windows: Windows | None, contract: Contract, spread: NDArray[np.float64]) -> float | None:
    """Score the answers behind each test window; of a carried state, those of the first pass."""
    if windows is None or contract.task != "forecast":
        return None
    place = np.arange(len(windows))
    if contract.state == "carried":
        good = np.cumsum(~np.isnan(windows.x_rows).any(axis=1)) - 1 if windows.same_rows else np.arange(len(answers))
        place = good[windows.x_starts + windows.steps - 1]

    def forecast(index: Index) -> Rows:
        found: Rows = answers[place[index]]
        return found

    score = score_windows(forecast, windows, spread).score
    return score.rmse if len(spread) == 1 else float(np.sqrt(score.scaled_mse))


def _latencies(
    candidates: Sequence[Candidate], seconds: float
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Time steps of ready streams, and windows, all files in turn."""
    steps, whole = [], []
    for candidate in candidates:
        predictor = candidate.predictor
        stream = predictor.stream()
        for sample in predictor.golden.x[0]:
            stream.step(sample)
        samples = cycle([sample for window in predictor.golden.x for sample in window])
        windows = cycle(golden_rows(predictor.golden))
        steps.append(lambda stream=stream, samples=samples: stream.step(next(samples), copy=False))
        whole.append(lambda predictor=predictor, windows=windows: predictor.predict(*next(windows)))
    return time_interleaved(steps, seconds), time_interleaved(whole, seconds)


def _in_spreads(a: Rows, b: Rows, spread: NDArray[np.float64]) -> float:
    return float(max(np.array(worst_by_channel(np.nan_to_num(a), np.nan_to_num(b))) / spread))


def _stream_difference(predictor: Predictor, rows: Rows, stepped: Rows, spread: NDArray[np.float64]) -> float:
    """A carried state, stepped, beside the same samples at once; a window's stream runs the window itself."""
    if predictor.contract.state != "carried":
        return 0.0
    return _in_spreads(predictor.predict(rows), stepped, spread)


def _neighbour_difference(predictor: Predictor, windows: Windows | None, spread: NDArray[np.float64]) -> float:
    """Run a few windows as one batch, as any ONNX client would, and one by one."""
    if windows is None:
        x, lengths = predictor.golden.x, predictor.golden.lengths
    else:
        x, lengths = windows.x(np.linspace(0, len(windows) - 1, min(_BATCH, len(windows))).astype(np.int64)), None
        lengths = np.full(len(x), x.shape[1]) if predictor.contract.lengths else None
    together = predictor.run_batch(np.ascontiguousarray(x), lengths)
    alone = [predictor.run_batch(x[i : i + 1], None if lengths is None else lengths[i : i + 1]) for i in range(len(x))]
    return _in_spreads(together, np.concatenate(alone), spread)


def _verdict(files: Sequence[Judged], state: str, limit: float) -> tuple[str, tuple[str, ...]]:
    """Choose: within the drop and smaller; of those the fastest if that is notable, else the smallest."""
    first = files[0]
    what = "step" if state == "carried" else "window"
    against = [_objection(file, first, what, limit) for file in files[1:]]
    good = [file for file, objection in zip(files[1:], against, strict=True) if not objection]
    sentences = [objection for objection in against if objection]
    if not good:
        why = "nothing else was given" if len(files) == 1 else "no other file earns its place"
        return first.name, (f"ship {first.name}: {why}", *sentences)
    fastest = max(good, key=lambda file: _speed(file, what))
    chosen = fastest if _speed(fastest, what) >= NOTABLY_FASTER else min(good, key=lambda file: file.size_bytes)
    return chosen.name, (f"ship {chosen.name}: {_praise(chosen, first, what)}", *sentences)


def _speed(file: Judged, what: str) -> float:
    return file.step_speed if what == "step" else file.window_speed


def _objection(file: Judged, first: Judged, what: str, limit: float) -> str:
    """Say in plain words why a file is not recommended; empty if it may be."""
    speed = _speed(file, what)
    pace = f"{speed:.2f} times as fast" if speed >= NOTABLY_FASTER else "not faster"
    if file.drop is None:
        return f"{file.name} is not recommended: without test data nobody knows what it costs"
    if file.drop > limit:
        return (
            f"{file.name} is not recommended: its metric is {file.drop:.1%} worse, {limit:.1%} is allowed ({pace} for "
            f"a {what})"
        )
    if file.size_bytes >= first.size_bytes:
        return f"{file.name} is not recommended: it is not smaller than {first.name} and {pace} for a {what}"
    return ""


def _praise(file: Judged, first: Judged, what: str) -> str:
    size = f"{1 - file.size_bytes / first.size_bytes:.0%} smaller than {first.name}"
    speed = _speed(file, what)
    if speed >= NOTABLY_FASTER:
        pace = f"{speed:.2f} times as fast for a {what}"
    elif speed > 1 / NOTABLY_FASTER:
        pace = f"as fast for a {what}"
    else:
        pace = f"though a {what} takes {1 / speed:.2f} times as long"
    drop = file.drop or 0.0
    metric = "its metric is no worse" if drop <= 0 else f"its metric is {drop:.2%} worse"
    return f"{size}, {pace}, {metric}"
