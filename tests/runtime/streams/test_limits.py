"""Each limit of what a stream takes, from both sides."""

import numpy as np
import pytest

from edgelstm.errors import InputError
from edgelstm.runtime.clock import as_ns, as_times
from edgelstm.runtime.streams import room, state, stream, streams
from tests.runtime.timed import NOON, load_timed

FAR = 10**11


@pytest.fixture(params=["window", "carried"])
def timed(request):
    return load_timed(request.param)


def ways_to_step(predictor):
    """A step of every kind of stream: of a moment."""
    one, several, many = predictor.stream(), predictor.stream(2), predictor.streams(2)
    named = predictor.streams(names=["a"])
    return {
        "stream": lambda at: one.step([1, 2], at),
        "piece": lambda at: one.run([[1, 2]], [at]),
        "stream of two": lambda at: several.step([[1, 2]] * 2, at),
        "all of many": lambda at: many.step([[1, 2]] * 2, time_s=at),
        "one of many": lambda at: many.step([[1, 2]], [1], at),
        "by name": lambda at: named.step({"a": [1, 2]}, at),
    }


@pytest.mark.parametrize("way", ["stream", "piece", "stream of two", "all of many", "one of many", "by name"])
def test_the_same_second_twice_is_taken_and_the_one_before_is_not(timed, way):
    step = ways_to_step(timed)[way]
    for _ in range(3):
        step(NOON)
    with pytest.raises(InputError, match=r"^time_s: runs backwards"):
        step(NOON - 1)
    step(NOON)
    step(NOON + 1)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_moment_lies_within_a_hundred_billion_seconds_of_1970(timed, sign):
    assert as_ns(sign * FAR) == sign * FAR * 10**9
    assert as_ns(float(sign * FAR)) == sign * FAR * 10**9
    assert as_times(sign * FAR, (2,), timed.contract).tolist() == [sign * FAR] * 2
    timed.stream().step([1, 2], sign * FAR)
    for beyond in (sign * (FAR + 1), float(sign * (FAR + 1))):
        for refuse in (
            as_ns,
            lambda at: as_times(at, (2,), timed.contract),
            lambda at: timed.stream().step([1, 2], at),
        ):
            with pytest.raises(InputError, match=f"time_s: expected seconds since 1970.*{FAR}"):
                refuse(beyond)


@pytest.mark.parametrize("year", ["5141", "-1201"])
def test_one_year_that_is_too_far_is_refused_wherever_it_stands_among_others(timed, year):
    """The cast of such a year to seconds may wrap around to a time of today."""
    near, far = np.datetime64("2020-01-01", "Y"), np.datetime64(year, "Y")
    for several in ([near, far], [far, near]):
        with pytest.raises(InputError, match=rf"^time_s: expected times within 3,000 years of 1970, got {year}"):
            as_times(np.array(several), (2,), timed.contract)


@pytest.mark.parametrize(("seen", "fits"), [(0, True), (2**62, True), (2**62 + 1, False), (-1, False)])
def test_a_snapshot_has_seen_from_none_to_two_to_the_62_samples(timed, seen, fits):
    one = timed.stream()
    snapshot = {**one.state, "seen": np.array([seen])}
    if fits:
        one.state = snapshot
        assert one.state["seen"].tolist() == [seen]
    else:
        with pytest.raises(InputError, match=r"^state: 'seen' must be from 0 to 2\*\*62"):
            one.state = snapshot


def test_a_stream_is_ready_with_the_last_sample_of_its_window_and_not_before():
    predictor = load_timed("window")
    many, one = predictor.streams(2), predictor.stream()
    for step in range(predictor.contract.window - 1):
        assert np.isnan(one.step([1, 2], NOON + step)).all()
        assert np.isnan(many.step([[1, 2]] * 2, time_s=NOON + step)).all()
        assert (one.ready, many.ready.tolist()) == (False, [False, False])
    answer = one.step([1, 2], NOON + 9)
    assert np.isfinite(answer).all()
    assert many.step([[1, 2]], [1], NOON + 9)[0].tobytes() == answer.tobytes()
    assert (one.ready, many.ready.tolist()) == (True, [False, True])


def test_streams_are_run_in_calls_and_up_to_numbers_of_these():
    assert (streams.MAX_ROWS, streams.MAX_STREAMS, stream._WINDOWS, state.MAX_SEEN) == (256, 2**24, 256, 2**62)


def test_only_an_int8_file_that_is_to_be_exact_runs_its_rows_apart():
    for precision, exact, apart in (("int8", True, True), ("int8", False, False), ("fp32", True, False)):
        predictor = load_timed("carried", precision=precision)
        assert predictor.streams(3, exact=exact)._room.apart == apart
        assert predictor.stream(3)._rooms[0].apart == (precision == "int8")
    assert room.kept_windows(load_timed("carried").contract) == ("time_s",)
    assert room.kept_windows(load_timed("window").contract) == ("x", "time_s")


def test_a_state_is_judged_by_the_first_number_of_each_answer():
    answers = np.zeros((2, 3), np.float32)
    answers[:, 1:] = np.nan
    assert state.all_rows_finite(answers)
    answers[1, 0] = np.inf
    assert not state.all_rows_finite(answers)
