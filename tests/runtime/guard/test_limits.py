"""What a guard does unless told otherwise, by its numbers, and each limit from both sides."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from edgelstm.contract import Channel, Statistics
from edgelstm.errors import InputError
from edgelstm.reading import Reading, Rhythm, TimeForm
from edgelstm.runtime import Guard, GuardedStream, Predictor, measure_drift
from tests.runtime.timed import NOON, make_timed

PERIOD_S = 10
NAN = float("nan")
TEN_SECONDS = Rhythm("second", 10.0)
READING = Reading("csv", None, (), TimeForm(("time",), "iso", None), None, TEN_SECONDS, None, "error", "forward", None)
STATISTICS = Statistics(5.0, 3.0, 0.0, 10.0, tuple(float(level) for level in range(11)))


def guarded(guard=None, state="carried", **contract):
    """A guard around a file of two channels that sums them up, each sample times the second of its minute."""
    file = make_timed(state)
    return GuardedStream(Predictor(file._replace(contract=replace(file.contract, **contract))), guard)


def take(stream, *samples, start=0):
    """Step samples a period apart; gives the last answer."""
    for i, sample in enumerate(samples, start):
        answer = stream.step(sample, NOON + i * PERIOD_S)
    return answer


def as_bytes(stream):
    return {name: tensor.tobytes() for name, tensor in stream.state.items()}


def test_the_defaults_are_these():
    assert asdict(Guard()) == {
        "on_missing": "hold",
        "on_gap": "hold",
        "max_hold": None,
        "on_late": "drop",
        "max_late": 10,
        "tolerance": 0.5,
        "on_range": "count",
        "margin": 0.1,
        "drift_window": 1000,
        "drift_threshold": 0.25,
    }


@pytest.mark.parametrize("state", ["window", "carried"])
def test_a_reset_leaves_the_state_of_a_stream_that_is_new(state):
    stream, new, rows = guarded(state=state), guarded(state=state), [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    take(stream, *rows)
    assert as_bytes(stream) != as_bytes(new)
    stream.reset()
    assert as_bytes(stream) == as_bytes(new)
    assert not stream.ready
    assert take(stream, *rows).tobytes() == take(new, *rows).tobytes()
    assert stream.counts.clean == 10


def test_after_a_reset_nothing_is_held_no_time_is_known_and_none_was_late():
    stream = guarded(Guard(max_late=1))
    take(stream, [1, 2], [3, 4])
    stream.step([5, 6], NOON)
    stream.reset()
    assert np.isnan(stream.step([NAN, 1], NOON - 100 * PERIOD_S)).all()  # nothing to hold, and not late
    stream.step([1, 1], NOON)
    stream.step([1, 1], NOON - 1)  # the first late one since
    assert (stream.counts.missing, stream.counts.late, stream.counts.gaps, stream.counts.resets) == (1, 2, 1, 0)


@pytest.mark.parametrize(("max_gap", "most"), [("no reading", 3), (None, 3), (0, 0), (1, 1), (5, 5)])
def test_a_value_is_held_for_as_long_as_training_filled_or_else_for_three_steps(max_gap, most):
    reading = None if max_gap == "no reading" else READING._replace(max_gap=max_gap)
    stream = guarded(reading=reading)
    take(stream, [1, 2], *[[NAN, 2]] * most)
    assert (stream.counts.mended, stream.counts.resets) == (most, 0)
    take(stream, [NAN, 2], start=most + 1)
    assert (stream.counts.mended, stream.counts.missing, stream.counts.resets) == (most, 1, 1)


@pytest.mark.parametrize(("missing", "filled", "resets"), [(2, 2, 0), (3, 0, 1)])
def test_a_gap_is_filled_up_to_the_most_that_may_be_held(missing, filled, resets):
    stream = guarded(Guard(max_hold=2))
    take(stream, [1, 2])
    take(stream, [1, 2], start=missing + 1)
    assert (stream.counts.gaps, stream.counts.filled, stream.counts.resets) == (1, filled, resets)


@pytest.mark.parametrize(
    ("elapsed", "early", "gaps"), [(4.999, 1, 0), (5, 0, 0), (10, 0, 0), (15, 0, 0), (15.001, 0, 1), (25, 0, 1)]
)
def test_half_a_period_is_given_or_taken(elapsed, early, gaps):
    stream = guarded()
    stream.step([1, 2], NOON)
    stream.step([1, 2], float(NOON + elapsed))
    assert (stream.counts.early, stream.counts.gaps) == (early, gaps)


def test_ten_late_samples_in_a_row_are_dropped_and_the_eleventh_says_that_the_clock_was_set_back():
    stream = guarded()
    stream.step([1, 2], NOON)
    for i in range(10):
        stream.step([1, 2], NOON - 500 + i * PERIOD_S)
    assert (stream.counts.late, stream.counts.gaps) == (10, 0)
    stream.step([1, 2], NOON - 400)
    assert (stream.counts.late, stream.counts.gaps, stream.counts.resets) == (10, 1, 1)


@pytest.mark.parametrize(("value", "outside"), [(-1.0, 0), (-1.001, 1), (11.0, 0), (11.001, 1), (5.0, 0)])
def test_a_tenth_of_the_trained_range_beyond_it_is_still_inside(value, outside):
    inputs = (Channel("a", None, "float32", STATISTICS), Channel("b", None, "float32", None))
    stream = guarded(inputs=inputs)
    stream.step([value, 1], NOON)
    assert stream.counts.channels["a"].out_of_range == outside
    assert stream.counts.clean == 1  # counted, and let through


@pytest.mark.parametrize(("tolerance", "fits"), [(0.0, True), (0.5, True), (0.50001, False)])
def test_a_tolerance_is_half_a_period_at_most(tolerance, fits):
    if fits:
        assert Guard(tolerance=tolerance).tolerance == tolerance
    else:
        with pytest.raises(InputError, match=r"^tolerance: expected a number from 0 to 0\.5"):
            Guard(tolerance=tolerance)


def test_a_channel_has_drifted_from_the_threshold_on():
    channels, samples = (Channel("a", None, "float32", STATISTICS),), np.linspace(0, 7, 100)[:, np.newaxis]
    psi = measure_drift(samples, channels).psi["a"]
    assert 0.25 < psi < 10
    assert measure_drift(samples, channels, threshold=psi).drifted == ("a",)
    assert measure_drift(samples, channels, threshold=float(np.nextafter(psi, np.inf))).drifted == ()
    assert measure_drift(samples, channels).threshold == 0.25


@pytest.mark.parametrize(("missing", "known"), [(5, True), (6, False)])
def test_half_of_a_window_must_have_been_measured_for_an_index(missing, known):
    samples = np.linspace(0, 10, 10)[:, np.newaxis]
    samples[:missing] = np.nan
    drift = measure_drift(samples, (Channel("a", None, "float32", STATISTICS),))
    assert (drift.psi["a"] is not None) == known
    assert drift.measured == {"a": 10 - missing}
