"""Measure one model file on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, repeat
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from edgelstm.bench.machine import (
    Condition,
    Machine,
    describe_machine,
    read_condition,
    resident_mib,
    throttled_between,
)
from edgelstm.bench.timer import Latency, time_calls, time_overhead_ns
from edgelstm.errors import InputError, ProviderError
from edgelstm.runtime import Predictor, load
from edgelstm.runtime.replay import golden_rows, passing_times

STREAMS = (1, 100, 1000)
STEPS = 10_000

_STARTS = 3
_PARTS = 20  # of the long run: the condition of the machine is read between them
_FEWEST_CALLS = 3  # for many streams: one call may take a second
_START = """
import json, sys, time
path, arguments, options, *sys.path[:] = sys.argv[1:]
start = time.perf_counter_ns()
import edgelstm.runtime
imported = time.perf_counter_ns()
predictor = edgelstm.runtime.load(path, *json.loads(arguments), provider_options=json.loads(options))
loaded = time.perf_counter_ns()
golden = predictor.golden
predictor.bare.predict(golden.x[0], *(None if given is None else given[0] for given in (golden.lengths, golden.times)))
called = time.perf_counter_ns()
print(json.dumps([imported - start, loaded - imported, called - loaded]))
"""

Value = TypeVar("Value")


class Throughput(NamedTuple):
    """Many streams that step together.

    Attributes:
        streams: their number.
        calls: number of timed calls; each steps all streams.
        steps_per_s: of all streams together, from the median call.
    """

    streams: int
    calls: int
    steps_per_s: float


class LongRun(NamedTuple):
    """One stream, stepped many times.

    Attributes:
        steps: number of steps.
        steps_per_s: over the whole run.
        growth_mib: growth of this process's memory since the first twentieth; None where the system does not say.
    """

    steps: int
    steps_per_s: float
    growth_mib: float | None


@dataclass(frozen=True)
class BenchResult:
    """The figures of one file.

    Attributes:
        file: its file name.
        digest: of the file, 64 hex digits.
        precision, state, window: from the contract.
        device, threads: as requested or chosen.
        import_ms: importing edgelstm.runtime, which imports numpy and onnxruntime.
        load_ms: reading, checking and opening the file after that.
        first_call_ms: the first window after that. All three are medians over separate processes.
        overhead_us: the time of timing a call; subtracted from `step`, `whole_window` and `throughput`.
        step: one sample through a stream that is ready.
        whole_window: one window of `window` steps through `predict`.
        throughput: of many streams that step together.
        long_run: of one stream.
        idle_cpu_percent: of one core, used by this process while a loaded file and its stream are idle.
        resident_mib: of this process after the long run; None where the system does not say.
        before, after: the condition of the machine.
        throttled: what slowed the machine down during the run, as far as known: if not empty, the figures are invalid.
        machine: where it was measured.
    """

    file: str
    digest: str
    precision: str
    state: str
    window: int
    device: str
    threads: int
    import_ms: float
    load_ms: float
    first_call_ms: float
    overhead_us: float
    step: Latency
    whole_window: Latency
    throughput: tuple[Throughput, ...]
    long_run: LongRun
    idle_cpu_percent: float
    resident_mib: float | None
    before: Condition
    after: Condition
    throttled: tuple[str, ...]
    machine: Machine


def bench_file(
    path: str | Path,
    *,
    device: str = "cpu",
    provider_options: Mapping[str, Any] | None = None,
    threads: int | None = None,
    seconds: float = 3.0,
    steps: int = STEPS,
    streams: Sequence[int] = STREAMS,
    idle_s: float = 1.0,
    unverified: bool = False,
) -> BenchResult:
    """Measure idling, start, step, window, a long run and many streams of a file, on its own golden windows.

    Args:
        path: a model file.
        device: as for `edgelstm.load`.
        provider_options: as for `edgelstm.load`.
        threads: as for `edgelstm.load`.
        seconds: how long to time each of step and window, and all of `streams` together.
        steps: number of steps of the long run.
        streams: numbers of streams that step together; each is measured.
        idle_s: how long to stay idle.
        unverified: as for `edgelstm.load`; `load_ms` then includes the trial in a child process.

    Raises:
        ModelFileError: the file cannot be loaded.
        ProviderError: the device is unavailable, or a new process cannot use it.
        InputError: `steps` or one of `streams` is not a whole number of at least 1.

    Example:
        >>> result = bench_file("models/co2/co2.fp32.onnx", seconds=0.1, steps=100, streams=[8], idle_s=0.1)
        >>> result.step.p50_us > 0, result.throughput[0].streams
        (True, 8)
    """
    _check_counts("steps", [steps])
    _check_counts("streams", streams)
    conditions = [read_condition()]
    predictor = load(path, device, threads, unverified, provider_options=provider_options).bare
    step_on, samples = _ready(predictor, 1)
    rows = cycle(golden_rows(predictor.golden))

    def then(value: Value) -> Value:
        conditions.append(read_condition())
        return value

    overhead_ns = time_overhead_ns(lambda: next(samples))
    idle = then(_idle_cpu_percent(idle_s))
    starts = then(_starts(path, [device, threads, unverified], dict(provider_options or {})))
    step = then(time_calls(lambda: step_on(*next(samples)), seconds))
    whole = then(time_calls(lambda: predictor.predict(*next(rows)), seconds))
    long_run = _long_run(lambda: step_on(*next(samples)), steps, conditions)
    memory = resident_mib()
    throughput = [then(_throughput(predictor, n, seconds / len(streams), overhead_ns)) for n in streams]
    return BenchResult(
        Path(path).name,
        predictor.digest,
        predictor.contract.precision,
        predictor.contract.state,
        predictor.contract.window,
        predictor.device,
        predictor.threads,
        *starts,
        overhead_ns / 1e3,
        Latency.of(step, overhead_ns),
        Latency.of(whole, overhead_ns),
        tuple(throughput),
        long_run,
        idle,
        memory,
        conditions[0],
        conditions[-1],
        throttled_between(conditions),
        describe_machine(),
    )


def _check_counts(name: str, values: Sequence[int]) -> None:
    for value in values:
        if type(value) is not int or value < 1:
            raise InputError(f"{name}: expected whole numbers of at least 1, got {value!r}")


def _ready(predictor: Predictor, n: int) -> tuple[Callable[..., object], Iterator[tuple[Any, ...]]]:
    """Make streams that are ready, and endless samples for them; each stream starts at another golden sample.

    With each sample come the next arguments of a step: its time, or None; for many streams, before it `at`: all.
    """
    golden = np.concatenate(list(predictor.golden.x))
    found = golden[~np.isnan(golden).any(axis=tuple(range(1, golden.ndim)))]  # no padding
    starts = np.linspace(0, len(found), n, endpoint=False).astype(int)
    samples = [found[(starts + i) % len(found)] for i in range(min(len(found), 64))] if n > 1 else list(found)
    times = passing_times(predictor.golden)
    endless: Iterator[tuple[Any, ...]] = zip(cycle(samples), *([] if n == 1 else [repeat(None)]), times, strict=False)
    step: Callable[..., object] = predictor.streams(n).step if n > 1 else partial(predictor.stream().step, copy=False)
    for _ in range(predictor.contract.window):
        step(*next(endless))
    return step, endless


def _starts(path: str | Path, arguments: list[Any], options: dict[str, Any]) -> tuple[float, float, float]:
    """Import, load and predict in separate processes; return the median of each, in ms."""
    asked = [str(Path(path).resolve()), json.dumps(arguments), json.dumps(options)]
    command = [sys.executable, "-c", _START, *asked, *sys.path]
    times = np.empty((_STARTS, 3))
    for i in range(_STARTS):
        child = subprocess.run(command, capture_output=True)  # noqa: S603  (our own interpreter and code)
        if child.returncode:
            reason = child.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"status {child.returncode}"]
            raise ProviderError(f"this process can load the file, but a new process cannot: {reason[0]}")
        times[i] = json.loads(child.stdout)
    import_ms, load_ms, first_call_ms = (np.median(times, axis=0) / 1e6).tolist()
    return import_ms, load_ms, first_call_ms


def _throughput(predictor: Predictor, n: int, seconds: float, overhead_ns: float) -> Throughput:
    step_on, samples = _ready(predictor, n)
    times = time_calls(lambda: step_on(*next(samples)), seconds, _FEWEST_CALLS)
    return Throughput(n, len(times), n * 1e9 / max(float(np.median(times)) - overhead_ns, 1.0))


def _long_run(step: Callable[[], object], steps: int, conditions: list[Condition]) -> LongRun:
    """Step many times; reading the condition of the machine is not timed."""
    taken_ns, memory = 0, []
    for part in range(_PARTS):
        start = time.perf_counter_ns()
        for _ in range(steps * part // _PARTS, steps * (part + 1) // _PARTS):
            step()
        taken_ns += time.perf_counter_ns() - start
        conditions.append(read_condition())
        memory.append(resident_mib())
    first, last = memory[0], memory[-1]
    growth = None if first is None or last is None else last - first
    return LongRun(steps, steps * 1e9 / max(taken_ns, 1), growth)


def _idle_cpu_percent(seconds: float) -> float:
    """Sleep, and measure what all threads of this process use meanwhile."""
    start, used = time.perf_counter(), time.process_time()
    time.sleep(seconds)
    used = time.process_time() - used
    return 100 * used / (time.perf_counter() - start)
