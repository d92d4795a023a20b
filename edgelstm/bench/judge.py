"""Judge model files side by side, in the mode of their contract.

The others are compared with the first file: the fp32 file of the same network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from edgelstm.answers.answerer import Answers, StreamInput, answerer_of, check_finite, placed, stepped, stream_inputs_of
from edgelstm.answers.differences import answers_alone, neighbour_difference, stream_difference
from edgelstm.bench.judgement import Judged, Judgement, verdict
from edgelstm.bench.machine import describe_machine
from edgelstm.bench.timer import Latency, time_interleaved
from edgelstm.contract import Contract, Score
from edgelstm.data.examples import Examples
from edgelstm.data.inputs import Inputs, pick_inputs
from edgelstm.data.scores.metric import drop_of, figure_of
from edgelstm.data.scores.score import score
from edgelstm.data.windows import Windows
from edgelstm.errors import InputError
from edgelstm.runtime import Predictor
from edgelstm.runtime.file.golden import worst_by_channel
from edgelstm.runtime.replay import golden_rows, passing_times

CARRIED_STEPS = 10_000
_BATCH = 16
_LOADS = 5
Spread = NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """A file to judge.

    Attributes:
        name: of the file.
        size_bytes: of the file.
        load_ms: reading, checking and opening it; the median of five.
        predictor: the loaded file.
        answers: the result of `answers_to_judge` for the same examples; None: computed when needed.
    """

    name: str
    size_bytes: int
    load_ms: float
    predictor: Predictor
    answers: Answers | None = None


def load_candidates(files: Sequence[tuple[str, int, Callable[[], Predictor]]]) -> list[Candidate]:
    """Load each file to judge five times, in turn, because the first load of a process pays for much else.

    Args:
        files: for each, its name, its bytes and how to load it.

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
    candidates: Sequence[Candidate], examples: Examples | None, *, max_metric_drop: float = 0.01, seconds: float = 2.0
) -> Judgement:
    """Measure files side by side and say which one to ship.

    Args:
        candidates: files of one network, fp32 first.
        examples: held-out windows or sequences with targets; None: the metric is unknown, and fp32 is recommended.
        max_metric_drop: how much worse than the first file's the metric may be; 0.01 is one percent.
        seconds: how long to time steps, and then windows, of all files in turn.

    Raises:
        InputError: no files, files with different inputs or outputs, or one that answers NaN or infinity.
        DataError: no target is known.
    """
    _check_alike(candidates)
    candidates = [replace(candidate, predictor=candidate.predictor.bare) for candidate in candidates]
    contract = candidates[0].predictor.contract
    spread = np.array([channel.spread for channel in contract.outputs])
    inputs = _stream_inputs(candidates[0].predictor, examples)
    answers = [_answers(candidate, inputs, examples) for candidate in candidates]
    figures = [_figure(answer, examples, contract) for answer in answers]
    steps, whole = _latencies(candidates, seconds)
    files = []
    for i, (candidate, answer, figure) in enumerate(zip(candidates, answers, figures, strict=True)):
        drop = None if figure is None or figures[0] is None else drop_of(figure, figures[0], contract.metric)
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
                figure,
                drop,
                _worst(worst_by_channel(answer, answers[0]), spread),
                _worst(stream_difference(candidate.predictor, inputs, answer), spread) if inputs else 0.0,
                _worst(neighbour_difference(candidate.predictor, _picked(candidate.predictor, examples)), spread),
            )
        )
    ship, sentences = verdict(files, contract.state, max_metric_drop)
    return Judgement(
        tuple(files),
        contract.state,
        sum(len(one.x) for one in inputs),
        len(inputs),
        contract.metric,
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
        for key in ("task", "answer", "window", "horizon", "state", "lengths", "times"):
            if getattr(first, key) != getattr(other, key):
                raise InputError(
                    f"{candidate.name} has {key} {getattr(other, key)!r}, {candidates[0].name} has "
                    f"{getattr(first, key)!r}; only files of one network can be compared"
                )
        for key in ("inputs", "outputs"):
            names = [[channel.name for channel in getattr(contract, key)] for contract in (first, other)]
            if names[0] != names[1]:
                raise InputError(f"{candidate.name} has the {key} {names[1]}, the first file has {names[0]}")


def _stream_inputs(predictor: Predictor, examples: Examples | None) -> list[StreamInput]:
    """List what a carried state runs over: each series from zero; for forecasts, the last one until 10,000 steps."""
    if predictor.contract.state != "carried":
        return []
    if examples is not None:
        *others, last = stream_inputs_of(examples, predictor.contract.times)
        return [*others, _repeated(last) if isinstance(examples, Windows) and examples.same_rows else last]
    golden, x = predictor.golden, np.concatenate(list(predictor.golden.x))
    if golden.times is None:
        return [_repeated(StreamInput(x, None))]
    period = round(predictor.contract.sample_period_s or 1)
    return [_repeated(StreamInput(x, golden.times[0, 0] + np.arange(len(x)) * period))]


def _repeated(given: StreamInput) -> StreamInput:
    """Repeat samples; time continues."""
    x, times = given
    turns = -(-CARRIED_STEPS // len(x))
    if times is not None:
        span = times[-1] - times[0] + np.diff(times[-2:]).sum()
        times = (np.arange(turns)[:, np.newaxis] * span + times).reshape(-1)
    return StreamInput(np.concatenate([x] * turns), times)


def answers_to_judge(predictor: Predictor, examples: Examples, name: str = "the file") -> tuple[Answers, Score]:
    """Compute and score all answers that `judge` needs of a file.

    Args:
        predictor: the loaded file.
        examples: examples with targets.
        name: name of the file in errors.

    Returns:
        The value of `Candidate.answers`, and the score, as `edgelstm.answers.score_as_run` gives it.

    Raises:
        InputError: the examples do not fit the file, or its answers hold NaN or infinity.
        DataError: no target is known.
    """
    predictor = predictor.bare
    found = _run(name, predictor, _stream_inputs(predictor, examples), examples)
    return found, _score(found, examples, predictor.contract)


def _answers(candidate: Candidate, inputs: Sequence[StreamInput], examples: Examples | None) -> Answers:
    if candidate.answers is not None:
        return candidate.answers
    return _run(candidate.name, candidate.predictor, inputs, examples)


def _run(name: str, predictor: Predictor, inputs: Sequence[StreamInput], examples: Examples | None) -> Answers:
    """Answer in the mode of the contract: if carried, step by step over all streams, else each example."""
    if inputs:
        return check_finite(name, np.concatenate([stepped(predictor, one) for one in inputs]))
    if examples is None:
        golden = predictor.golden
        y = answers_alone(predictor, Inputs(golden.x, golden.lengths, golden.times))
        return check_finite(name, y if golden.lengths is None else np.nan_to_num(y, nan=0.0))
    answerer = answerer_of(predictor, examples, name)
    if examples.every_step:
        return np.concatenate([answerer(index) for index in examples.batches(1)])
    return np.asarray(answerer(np.arange(len(examples))))


def _figure(answers: Answers, examples: Examples | None, contract: Contract) -> float | None:
    """Return the figure that decides; if a carried state repeats a series, that of the first pass."""
    if examples is None:
        return None
    return figure_of(_score(answers, examples, contract), contract.metric)


def _score(answers: Answers, examples: Examples, contract: Contract) -> Score:
    answerer = placed(answers, examples, contract.state == "carried")
    return score(answerer, examples, contract.outputs, contract.answer).score


def _latencies(
    candidates: Sequence[Candidate], seconds: float
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Time steps of ready streams, and windows, all files in turn."""
    steps, whole = [], []
    for candidate in candidates:
        predictor = candidate.predictor
        stream, times = predictor.stream(), passing_times(predictor.golden)
        for sample in predictor.golden.x[0]:
            stream.step(sample, next(times))
        samples = zip(cycle([sample for window in predictor.golden.x for sample in window]), times, strict=False)
        windows = cycle(golden_rows(predictor.golden))
        steps.append(lambda stream=stream, samples=samples: stream.step(*next(samples), copy=False))
        whole.append(lambda predictor=predictor, windows=windows: predictor.predict(*next(windows)))
    return time_interleaved(steps, seconds), time_interleaved(whole, seconds)


def _worst(differences: tuple[float, ...], spread: Spread) -> float:
    """The largest difference of all outputs, in their standard deviations."""
    return float(max(np.array(differences) / spread))


def _picked(predictor: Predictor, examples: Examples | None) -> Inputs:
    """Pick a few rows to run as one batch and one by one."""
    golden = predictor.golden
    if examples is None:
        return Inputs(golden.x, golden.lengths, golden.times)
    return pick_inputs(examples, predictor.contract, _BATCH)
