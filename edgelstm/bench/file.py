"""Measure one model file on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from edgelstm.bench.machine import Machine, describe_machine, resident_mib
from edgelstm.bench.timer import Latency, time_calls
from edgelstm.runtime import load


@dataclass(frozen=True)
class BenchResult:
    """What was measured.

    Attributes:
        file: its name.
        digest: of the file, 64 hex digits.
        precision, state, window: from its contract.
        device, threads: as asked, or as they were chosen.
        load_ms: reading, checking and opening the file.
        first_call_ms: the first window after that.
        step: one sample through a stream that is ready.
        whole_window: one window of `window` steps through `predict`.
        resident_mib: of this process after everything; None where the system does not say.
        machine: where.
    """

    file: str
    digest: str
    precision: str
    state: str
    window: int
    device: str
    threads: int
    load_ms: float
    first_call_ms: float
    step: Latency
    whole_window: Latency
    resident_mib: float | None
    machine: Machine


def bench_file(
    path: str | Path,
    *,
    device: str = "cpu",
    provider_options: Mapping[str, Any] | None = None,
    threads: int | None = None,
    seconds: float = 3.0,
    unverified: bool = False,
) -> BenchResult:
    """Measure load, first call, step and window of a file, on its own golden windows.

    Args:
        path: a model file.
        device: as for `edgelstm.load`.
        provider_options: as for `edgelstm.load`.
        threads: as for `edgelstm.load`.
        seconds: how long to time each of step and window.
        unverified: as for `edgelstm.load`; `load_ms` then holds the trial in a child process.

    Raises:
        ModelFileError: the file cannot be loaded.
        ProviderError: the device is not to be had.

    Example:
        >>> result = bench_file("models/co2/co2.fp32.onnx", seconds=0.1)
        >>> result.step.p50_us > 0
        True
    """
    start = time.perf_counter_ns()
    predictor = load(path, device, threads, unverified, provider_options=provider_options)
    loaded = time.perf_counter_ns()
    windows = list(predictor.golden.x)
    predictor.predict(windows[0])
    called = time.perf_counter_ns()
    stream = predictor.stream()
    for sample in windows[0]:
        stream.step(sample)
    samples, rows = cycle([sample for window in windows for sample in window]), cycle(windows)
    return BenchResult(
        file=Path(path).name,
        digest=predictor.digest,
        precision=predictor.contract.precision,
        state=predictor.contract.state,
        window=predictor.contract.window,
        device=predictor.device,
        threads=predictor.threads,
        load_ms=(loaded - start) / 1e6,
        first_call_ms=(called - loaded) / 1e6,
        step=Latency.of(time_calls(lambda: stream.step(next(samples), copy=False), seconds)),
        whole_window=Latency.of(time_calls(lambda: predictor.predict(next(rows)), seconds)),
        resident_mib=resident_mib(),
        machine=describe_machine(),
    )
