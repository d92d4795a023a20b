"""Judge model files beside each other, in the mode in which their contract says that they run.

The first file is what the others are held against: the fp32 file of the same network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.bench.machine import Machine, describe_machine
from edgelstm.bench.timer import Latency, time_interleaved
from edgelstm.contract import Contract, Score
from edgelstm.data.score import score_windows
from edgelstm.data.windows import Index, Rows, Windows
from edgelstm.errors import InputError
from edgelstm.runtime import Predictor
from edgelstm.runtime.golden import worst_by_channel
from edgelstm.runtime.replay import golden_rows

CARRIED_STEPS = 10_000
NOTABLY_FASTER = 1.05  # a median ratio below this is no reason to ship another file
_BATCH = 16
_LOADS = 5


@dataclass(frozen=True)
class Candidate:
    """A file to judge.

    Attributes:
        name: of the file.
        size_bytes: of the file.
        load_ms: reading, checking and opening it; the median of five.
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


def load_candidates(files: Sequence[tuple[str, int, Callable[[], Predictor]]]) -> list[Candidate]:
    """Load files to judge five times each, in turn: the first load of a process pays for much that is no file's own.

    Args:
        files: name, bytes and how to load it.

    Example:
        >>> from edgelstm import load
        >>> [candidate] = load_candidates([("co2", 79023, lambda: load("models/co2/co2.fp32.onnx"))])
        >>> candidate.load_ms > 0
        True
    """
    times = np.empty((_LOADS, len(files)))
    for turn in range(_LOADS):
        predictors = []
        for i, (_, _, load) in enumerate(files):
            start = time.perf_counter()
            predictors.append(load())
            times[turn, i] = (time.perf_counter() - start) * 1e3
    load_ms = np.median(times, axis=0)
    return [Candidate(name, size, float(load_ms[i]), predictors[i]) for i, (name, size, _) in enumerate(files)]


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
        InputError: no files, files that take or answer different things, or one that answers NaN or infinity.
    """
    _check_alike(candidates)
    contract = candidates[0].predictor.contract
    spread = np.array([channel.spread for channel in contract.outputs])
    series = _series(candidates[0].predictor, windows)
    rows = np.concatenate([series] * -(-CARRIED_STEPS // len(series)))
    answers = [_answers(candidate.name, candidate.predictor, rows, windows) for candidate in candidates]
    metrics = [_metric(answer, windows, contract) for answer in answers]
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


def score_as_run(predictor: Predictor, windows: Windows) -> Score:
    """Score a file that forecasts on held-out windows, in the mode in which its contract says that it runs.

    A window file answers window by window. The state of a carried one goes on over all rows, from zero at the first;
    scored is what it answers behind the last step of each window.
    """
    answers = _answers("the file", predictor, _series(predictor, windows), windows)
    return _score(answers, windows, predictor.contract)


def _series(predictor: Predictor, windows: Windows | None) -> Rows:
    """The samples that a carried state goes over."""
    if windows is None:
        return np.concatenate(list(predictor.golden.x))
    return windows.x_rows[~np.isnan(windows.x_rows).any(axis=1)] if windows.same_rows else windows.x_rows


def _answers(name: str, predictor: Predictor, rows: Rows, windows: Windows | None) -> Rows:
    """Answer in the mode of the contract: carried, step by step over all rows; else window by window."""
    if predictor.contract.state == "carried":
        stream = predictor.stream()
        answers = np.stack([stream.step(row) for row in rows])
    elif windows is None:
        answers = np.stack([_without_padding(predictor, *row) for row in golden_rows(predictor.golden)])
    else:
        parts = [windows.x(np.arange(i, min(i + 512, len(windows)))) for i in range(0, len(windows), 512)]
        answers = np.concatenate([predictor.predict(part) for part in parts])
    if not np.isfinite(answers).all():
        raise InputError(f"{name}: answers NaN or infinity to the data it is judged on; do not use this file")
    return answers


def _without_padding(predictor: Predictor, x: NDArray[Any], length: int | None, time_s: Any) -> Rows:
    """Answer a window, with zeros where there is no answer: at every step, behind the length of the row."""
    y = predictor.predict(x, length, time_s)
    if length is not None and predictor.contract.every_step:
        y[length:] = 0
    return y


def _metric(answers: Rows, windows: Windows | None, contract: Contract) -> float | None:
    """One figure: RMSE in the unit of the one output, or over spreads."""
    if windows is None or contract.task != "forecast":
        return None
    score = _score(answers, windows, contract)
    return score["rmse"] if len(contract.outputs) == 1 else float(np.sqrt(score["scaled_mse"]))


def _score(answers: Rows, windows: Windows, contract: Contract) -> Score:
    """Score the answers behind each window; of a carried state, those of the first pass."""
    place = np.arange(len(windows))
    if contract.state == "carried":
        good = np.cumsum(~np.isnan(windows.x_rows).any(axis=1)) - 1 if windows.same_rows else np.arange(len(answers))
        place = good[windows.x_starts + windows.steps - 1]

    def forecast(index: Index) -> Rows:
        found: Rows = answers[place[index]]
        return found

    return score_windows(forecast, windows, np.array([channel.spread for channel in contract.outputs])).score


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
    return float(max(np.array(worst_by_channel(a, b)) / spread))


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
    """Choose: within the drop and smaller; of those the fastest if that is notable, else the smallest as fast."""
    first = files[0]
    what = "step" if state == "carried" else "window"
    against = [_objection(file, first, what, limit) for file in files[1:]]
    good = [file for file, objection in zip(files[1:], against, strict=True) if not objection]
    sentences = [objection for objection in against if objection]
    if not good:
        why = "nothing else was given" if len(files) == 1 else "no other file earns its place"
        return first.name, (f"ship {first.name}: {why}", *sentences)
    fastest = max(good, key=lambda file: _speed(file, what))
    as_fast = [file for file in good if _speed(file, what) > 1 / NOTABLY_FASTER]
    small = min(as_fast or good, key=lambda file: file.size_bytes)
    chosen = fastest if _speed(fastest, what) >= NOTABLY_FASTER else small
    return chosen.name, (f"ship {chosen.name}: {_praise(chosen, first, what)}", *sentences)


def _speed(file: Judged, what: str) -> float:
    return file.step_speed if what == "step" else file.window_speed


def _objection(file: Judged, first: Judged, what: str, limit: float) -> str:
    """Say in plain words why a file is not recommended; empty if it may be."""
    speed = _speed(file, what)
    pace = f"{speed:.2f} times as fast" if speed >= NOTABLY_FASTER else "not faster"
    if file.drop is None:
        return f"{file.name} is not recommended: without test data nobody knows what it costs"
    if not file.drop <= limit:
        return (
            f"{file.name} is not recommended: its metric is {_percent(file.drop)} worse, {_percent(limit)} is allowed "
            f"({pace} for a {what})"
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
    metric = "its metric is no worse" if drop <= 0 else f"its metric is {_percent(drop)} worse"
    return f"{size}, {pace}, {metric}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
