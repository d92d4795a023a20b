from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.bench import Latency, time_calls, timer


class Clock:
    """A clock that only goes on when a call takes time."""

    def __init__(self, monkeypatch):
        self.now_ns = 1_000_000
        self.calls = 0
        monkeypatch.setattr(timer, "time", SimpleNamespace(perf_counter_ns=lambda: self.now_ns))

    def taking(self, *durations_ns):
        """A call that takes these durations in turn."""

        def call():
            self.now_ns += durations_ns[self.calls % len(durations_ns)]
            self.calls += 1

        return call


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_each_duration_is_told_in_its_order(clock):
    durations = [1000 * (i + 1) for i in range(40)]
    times = time_calls(clock.taking(*durations), seconds=0.001)
    expected = [durations[i % 40] for i in range(timer.WARM_UP_CALLS, timer.WARM_UP_CALLS + len(times))]
    assert times.dtype == np.int64
    assert times.tolist() == expected


def test_the_warm_up_is_not_counted(clock):
    slow_at_first = [10**9] * timer.WARM_UP_CALLS + [5] * 1000
    times = time_calls(clock.taking(*slow_at_first), seconds=0)
    assert set(times.tolist()) == {5}
    assert clock.calls == timer.WARM_UP_CALLS + len(times)


@pytest.mark.parametrize("seconds", [0, 1e-9, 0.01])
def test_a_slow_call_is_timed_at_least_twenty_times(clock, seconds):
    assert len(time_calls(clock.taking(10**9), seconds)) == timer.MIN_CALLS == 20


def test_calls_are_timed_until_the_time_is_over(clock):
    times = time_calls(clock.taking(1_000_000), seconds=0.5)
    assert 0.5e9 <= times.sum() <= 0.5e9 + 2_000_000


def test_an_instant_call_is_timed_a_bounded_number_of_times(clock, monkeypatch):
    monkeypatch.setattr(timer, "MAX_CALLS", 1234)
    assert len(time_calls(clock.taking(0), seconds=10)) == 1234
    assert clock.calls == 1234 + timer.WARM_UP_CALLS


def test_an_error_in_the_call_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        time_calls(lambda: 1 // 0, 0.01)


def test_the_real_clock_gives_durations():
    times = time_calls(lambda: None, 0.01)
    assert len(times) >= 20
    assert (times >= 0).all()


def test_a_known_distribution_has_known_percentiles():
    microseconds = np.random.default_rng(0).permutation(np.arange(101)) * 1000
    latency = Latency.of(microseconds)
    assert latency == Latency(
        calls=101, p50_us=50.0, p90_us=90.0, p99_us=99.0, p999_us=pytest.approx(99.9), max_us=100.0
    )


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200))
def test_percentiles_lie_between_their_neighbours_in_order(times):
    latency, ordered = Latency.of(np.array(times, np.int64)), sorted(times)
    assert latency.calls == len(times)
    assert latency.max_us == pytest.approx(ordered[-1] / 1e3)
    assert latency.p50_us <= latency.p90_us <= latency.p99_us <= latency.p999_us <= latency.max_us
    for value, share in (
        (latency.p50_us, 0.50),
        (latency.p90_us, 0.90),
        (latency.p99_us, 0.99),
        (latency.p999_us, 0.999),
    ):
        place = share * (len(times) - 1)
        low, high = ordered[int(place)], ordered[min(int(place) + 1, len(times) - 1)]
        assert value == pytest.approx((low + (high - low) * (place - int(place))) / 1e3)


def test_one_slow_call_is_not_lost():
    times = np.full(1000, 1000, np.int64)
    times[500] = 9_000_000
    latency = Latency.of(times)
    assert (latency.calls, latency.p50_us, latency.p99_us, latency.max_us) == (1000, 1.0, 1.0, 9000.0)
    assert 1 < latency.p999_us < 9000


def test_what_timing_itself_takes_is_subtracted_from_every_percentile():
    times = np.array([1000, 2000, 3000], np.int64)
    with_it, without = Latency.of(times), Latency.of(times, overhead_ns=400)
    assert (without.p50_us, without.max_us) == (1.6, 2.6)
    assert with_it.p99_us - without.p99_us == pytest.approx(0.4)
    assert Latency.of(times, overhead_ns=1e6).p50_us == 0  # a call that is quicker than the clock takes no time


def test_the_overhead_is_the_median_of_what_stands_around_a_call(clock):
    assert timer.time_overhead_ns(clock.taking(50, 50, 50, 10**6)) == 50


@pytest.mark.parametrize("fewest", [1, 3])
def test_a_call_of_a_second_may_be_timed_less_often(clock, fewest):
    assert len(time_calls(clock.taking(10**9), 0.5, fewest)) == fewest
    assert clock.calls == 2 * fewest  # as many to warm up
