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

_OVERHEAD_S = 0.02


@dataclass(frozen=True)
class Latency:
    """The distribution of one call's duration, in microseconds, over all timed calls.

    Attributes:
        calls: their number.
        p50_us, p90_us, p99_us, p999_us, max_us: percentiles over all calls; one call in a thousand is slower than p999.
    """

    calls: int
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float

    @classmethod
    def of(cls, times_ns: NDArray[np.int64], overhead_ns: float = 0.0) -> Latency:
        """Summarize the result of `time_calls`, minus the time of timing itself.

        Example:
            >>> Latency.of(np.array([1000, 2000, 3000]), overhead_ns=100).p50_us
            1.9
        """
        percentiles = np.percentile(times_ns, [50, 90, 99, 99.9, 100])
        return cls(len(times_ns), *(float(max(value - overhead_ns, 0) / 1e3) for value in percentiles))


def time_overhead_ns(around: Callable[[], object]) -> float:
    """Measure the time of timing itself: the clock, the call of a function and what it does besides its work.

    Args:
        around: the timed function, without its work.

    Returns:
        The median, in nanoseconds.

    Example:
        >>> 0 <= time_overhead_ns(lambda: None) < 1e6
        True
    """
    return float(np.median(time_calls(around, _OVERHEAD_S)))


def time_calls(call: Callable[[], object], seconds: float, fewest: int = MIN_CALLS) -> NDArray[np.int64]:
    """Time repeated calls, after a warm-up that is not counted.

    Args:
        call: what to time.
        seconds: about how long; at most 100,000 calls are timed.
        fewest: the least number of timed calls, however long they take; as many, but at most 20, warm up.

    Returns:
        int64 [N], the duration of each call in nanoseconds, including what `time_overhead_ns` measures.

    Example:
        >>> len(time_calls(lambda: None, 0.01)) >= 20
        True
    """
    clock = time.perf_counter_ns
    for _ in range(min(fewest, WARM_UP_CALLS)):
        call()
    times = np.empty(MAX_CALLS, np.int64)
    end = clock() + int(seconds * 1e9)
    for count in range(MAX_CALLS):
        start = clock()
        call()
        stop = clock()
        times[count] = stop - start
        if stop > end and count + 1 >= fewest:
            return times[: count + 1]
    return times


def time_interleaved(calls: Sequence[Callable[[], object]], seconds: float) -> list[NDArray[np.int64]]:
    """Time several calls in turn, so that a machine that slows down slows all of them.

    Args:
        calls: what to compare; the ratio of two durations of one round is fair.
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
