"""Time a call many times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WARM_UP_CALLS = 20
MIN_CALLS = 20
MAX_CALLS = 100_000


@dataclass(frozen=True)
class Latency:
    """The distribution of one call's duration, in microseconds, over all calls that were timed.

    Attributes:
        calls: how many.
        p50_us, p95_us, p99_us, max_us: percentiles.
    """

    calls: int
    p50_us: float
    p95_us: float
    p99_us: float
    max_us: float

    @classmethod
    def of(cls, times_ns: NDArray[np.int64]) -> Latency:
        """Summarize what `time_calls` gave."""
        p50, p95, p99 = np.percentile(times_ns, [50, 95, 99]) / 1e3
        return cls(len(times_ns), float(p50), float(p95), float(p99), float(times_ns.max() / 1e3))


def time_calls(call: Callable[[], object], seconds: float) -> NDArray[np.int64]:
    """Call again and again for some time, after a warm-up that is not counted.

    Args:
        call: what to time.
        seconds: about how long; at least 20 and at most 100,000 calls are timed.

    Returns:
        int64 [N], the duration of each call in nanoseconds, timer overhead (about 0.05 us) included.

    Example:
        >>> len(time_calls(lambda: None, 0.01)) >= 20
        True
    """
    clock = time.perf_counter_ns
    for _ in range(WARM_UP_CALLS):
        call()
    times = np.empty(MAX_CALLS, np.int64)
    end = clock() + int(seconds * 1e9)
    for count in range(MAX_CALLS):
        start = clock()
        call()
        stop = clock()
        times[count] = stop - start
        if stop > end and count + 1 >= MIN_CALLS:
            return times[: count + 1]
    return times


def time_interleaved(calls: Sequence[Callable[[], object]], seconds: float) -> list[NDArray[np.int64]]:
    """Time several calls in turn, so that a machine that slows down slows all of them.

    Args:
        calls: what to compare; the quotient of two of one round is a fair ratio.
        seconds: about how long in all; at least 20 and at most 100,000 rounds.

    Returns:
        For each call int64 [N], its durations in nanoseconds, round by round.

    Example:
        >>> first, second = time_interleaved([lambda: None, lambda: sum(range(1000))], 0.01)
        >>> float(np.median(second / np.maximum(first, 1))) > 1
        True
    """
    clock = time.perf_counter_ns
    for call in calls:
        for _ in range(WARM_UP_CALLS):
            call()
    rounds: list[list[int]] = []
    end = clock() + int(seconds * 1e9)
    while len(rounds) < MIN_CALLS or (clock() < end and len(rounds) < MAX_CALLS):
        row = []
        for call in calls:
            start = clock()
            call()
            row.append(clock() - start)
        rounds.append(row)
    return list(np.array(rounds, np.int64).T)
