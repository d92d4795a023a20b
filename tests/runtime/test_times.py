"""Files that take the time of each sample beside it."""

from __future__ import annotations

import base64
import json
import pickle
import sys
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm import load
from edgelstm.bench import bench_file
from edgelstm.errors import ContractError, InputError, ModelFileError, SharingError
from edgelstm.runtime import Predictor, parse_model_file, replay
from edgelstm.runtime.choice import _window_call
from edgelstm.runtime.clock import MAX_TIME_S, as_times
from edgelstm.runtime.trial import try_in_child
from tests.resealed import altered
from tests.runtime.timed import NOON, WINDOW, load_timed, make_contract, make_timed, running, session_of, total

CONTRACT = make_contract("window", False, "fp32", ("a", "b"), 10.0)
KINDS = [("window", "fp32"), ("window", "int8"), ("carried", "fp32"), ("carried", "int8")]


@pytest.fixture(params=KINDS, ids=" ".join)
def timed(request):
    state, precision = request.param
    return load_timed(state, precision=precision)


@pytest.fixture(scope="module")
def by_window():
    return load_timed()


@pytest.fixture(scope="module")
def carried():
    return load_timed("carried")


def some(seed, *shape):
    return np.random.default_rng(seed).integers(-8, 8, (*shape, 2)).astype(np.float32)


def moments(*shape, seed=0):
    """Times that go on in each row, now and then the same twice."""
    return NOON + np.random.default_rng(seed).integers(0, 100, shape).cumsum(axis=-1)


def stepped(predictor, x, times):
    """What a stream should answer to [T, F], by numpy: [T, 1, 1]."""
    if predictor.contract.state == "carried":
        return running(x[np.newaxis], times[np.newaxis])[0]
    answers = np.full((len(x), 1, 1), np.nan, np.float32)
    for i in range(WINDOW, len(x) + 1):
        answers[i - 1] = total(x[np.newaxis, i - WINDOW : i], times[np.newaxis, i - WINDOW : i])[0]
    return answers


# What goes in.


@pytest.mark.parametrize("lengths", [False, True])
def test_a_window_is_predicted_with_the_time_of_each_sample(lengths):
    predictor, x, times = load_timed(lengths=lengths), some(1, 3, WINDOW), moments(3, WINDOW)
    valid = np.array([4, 1, 3]) if lengths else None
    np.testing.assert_array_equal(predictor.predict(x, valid, times), total(x, times, valid))
    np.testing.assert_array_equal(predictor.predict(x[0], time_s=times[0]), total(x[:1], times[:1])[0])


def test_any_onnx_client_gives_the_same(by_window):
    session = onnxruntime.InferenceSession(session_of(CONTRACT))
    x, times = some(2, 2, WINDOW), moments(2, WINDOW)
    np.testing.assert_array_equal(session.run(["y"], {"x": x, "time_s": times})[0], by_window.predict(x, None, times))


def test_rows_of_an_int8_file_keep_their_times():
    x, times = some(3, 5, WINDOW), moments(5, WINDOW)
    np.testing.assert_array_equal(load_timed(precision="int8").predict(x, None, times), total(x, times))
    x, times = some(3, 2, 9), moments(2, 9)
    np.testing.assert_array_equal(load_timed("carried").predict(x, None, times), running(x, times))


@pytest.mark.parametrize(
    "as_given",
    [
        lambda times: times.tolist(),
        lambda times: times.astype(np.uint64),
        lambda times: times.astype(np.int32),
        lambda times: times.astype("datetime64[s]"),
        lambda times: times.astype("datetime64[s]").astype("datetime64[us]") + np.timedelta64(999_999, "us"),
        lambda times: list(times.astype("datetime64[s]")),
        lambda times: times[::-1][::-1],
    ],
)
def test_whole_numbers_and_datetime64_are_seconds_since_1970(by_window, as_given):
    x, times = some(4, WINDOW), moments(WINDOW)
    expected = total(x[np.newaxis], times[np.newaxis])[0]
    np.testing.assert_array_equal(by_window.predict(x, time_s=as_given(times)), expected)


def test_a_moment_before_1970_is_negative_and_its_fraction_is_cut_towards_the_past(by_window):
    before = np.array(["1958-03-29T00:00:03.5", "1969-12-31T23:59:59.25", "1970-01-01", "1970-01-01T00:00:30"],
                      "datetime64[ms]")  # fmt: skip
    mauna_loa = int(datetime(1958, 3, 29, 0, 0, 3, tzinfo=UTC).timestamp())
    assert as_times(before, (4,), CONTRACT).tolist() == [mauna_loa, -1, 0, 30]
    x = some(5, WINDOW)
    seconds = [3, 59, 0, 30]  # of their minutes
    expected = np.float32((x.sum(axis=1) * seconds).sum())
    assert by_window.predict(x, time_s=before)[0, 0] == expected


def test_one_row_of_times_serves_all_rows(by_window):
    x, times = some(6, 3, WINDOW), moments(WINDOW)
    np.testing.assert_array_equal(by_window.predict(x, time_s=times), total(x, np.stack([times] * 3)))


def test_a_file_of_times_needs_them_and_another_takes_none(timed, window, carried_files):
    x = some(7, WINDOW)
    for call in (timed.predict, timed.stream().run):
        with pytest.raises(InputError, match=r"^time_s: this file needs the time of each sample"):
            call(x)
    with pytest.raises(InputError, match=r"^time_s: this file needs the time"):
        timed.stream().step(x[0])
    with pytest.raises(InputError, match=r"^time_s: this file needs the time"):
        timed.streams(1).step(x[:1])
    plain = load(carried_files.fp32)
    for call in (plain.stream().step, plain.streams(1).step):
        with pytest.raises(InputError, match=r"^time_s: this file takes no times; omit time_s$"):
            call([[330.0]], time_s=[NOON])
    for call in (window.predict, window.stream().run):
        with pytest.raises(InputError, match=r"^time_s: this file takes no times; omit time_s$"):
            call(np.full((24, 1), 330.0), time_s=np.arange(24))


HOSTILE = {
    "floats of 32 bits": np.full(WINDOW, NOON, np.float32),
    "infinity": [np.inf] * WINDOW,
    "floats beyond any integer": [1e300] * WINDOW,
    "NaN": [np.nan] * WINDOW,
    "text": ["2023-11-15"] * WINDOW,
    "booleans": [True] * WINDOW,
    "Python's datetime": [datetime(2023, 11, 15, tzinfo=UTC)] * WINDOW,
    "durations": np.full(WINDOW, 5, "timedelta64[s]"),
    "None among them": [NOON, None, NOON, NOON],
    "larger than any integer": [2**70] * WINDOW,
    "ragged": [[NOON], [NOON, NOON]],
    "NaT": np.array([NOON, NOON, "NaT", NOON], "datetime64[s]"),
    "no year": np.full(WINDOW, 10**12, "datetime64[Y]"),
    "masked": np.ma.array([NOON] * WINDOW, mask=[0, 0, 1, 0]),
    "milliseconds": [NOON * 10**3] * WINDOW,
    "microseconds": [NOON * 10**6] * WINDOW,
    "nanoseconds": [NOON * 10**9] * WINDOW,
    "milliseconds before 1970": [-NOON * 10**3] * WINDOW,
    "the smallest integer": [-(2**63)] * WINDOW,
    "the largest integer": np.full(WINDOW, 2**64 - 1, np.uint64),
    "one": NOON,
    "too few": [NOON] * (WINDOW - 1),
    "too many": [NOON] * (WINDOW + 1),
    "another axis": np.full((WINDOW, 1), NOON),
    "another batch": np.full((2, WINDOW), NOON),
    "backwards": [NOON, NOON + 1, NOON, NOON + 2],
    "none": [],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_times_are_refused_and_change_nothing(timed, what):
    x, times = some(8, WINDOW), HOSTILE[what]
    stream, many = timed.stream(), timed.streams(WINDOW)
    stream.run(some(9, 6), np.arange(6) + NOON - 100)
    many.step(x, time_s=NOON - 100)
    before = stream.state, [many.snapshot(i) for i in range(WINDOW)]
    for call in (timed.predict, stream.run):
        with pytest.raises(InputError, match=r"^time_s: "):
            call(x, time_s=times)
    if what not in ("one", "backwards"):
        with pytest.raises(InputError, match=r"^time_s: "):
            many.step(x, time_s=times)
        with pytest.raises(InputError, match=r"^time_s: "):
            stream.step(x[0], times if what == "ragged" else times[0:2])
    np.testing.assert_equal((stream.state, [many.snapshot(i) for i in range(WINDOW)]), before)


@pytest.mark.parametrize("unit", ["milliseconds", "microseconds", "nanoseconds"])
def test_seconds_that_are_something_else_are_recognized(by_window, unit):
    size = {"milliseconds": 1000, "microseconds": 10**6, "nanoseconds": 10**9}[unit]
    with pytest.raises(InputError, match=f"if these are {unit}, divide by {size}$"):
        by_window.predict(some(1, WINDOW), time_s=HOSTILE[unit])


def test_the_message_names_where_time_runs_backwards(by_window):
    times = moments(2, WINDOW)
    times[1, 2] = times[1, 1] - 1
    with pytest.raises(InputError, match=rf"in row 1 at step 2: {times[1, 1]}, then {times[1, 2]}; "):
        by_window.predict(some(1, 2, WINDOW), time_s=times)


def test_what_stands_behind_the_length_of_a_row_is_no_time():
    predictor, x = load_timed(lengths=True), some(1, 2, WINDOW)
    times = np.array([[NOON, NOON + 1, 0, -7], [NOON, NOON + 30, NOON + 31, NOON + 32]])
    np.testing.assert_array_equal(predictor.predict(x, [2, 4], times), total(x, times, [2, 4]))
    with pytest.raises(InputError, match="runs backwards in row 0 at step 2"):
        predictor.predict(x, [3, 4], times)


# Streams.


def test_a_stream_answers_as_numpy_does_step_by_step_and_in_pieces(timed):
    x, times = some(10, 30), moments(30)
    expected, stream = stepped(timed, x, times), timed.stream()
    found = np.stack([stream.step(sample, at) for sample, at in zip(x, times.tolist(), strict=True)])
    np.testing.assert_array_equal(found, expected)
    stream.reset()
    pieces = [stream.run(x[i:j], times[i:j]) for i, j in ((0, 1), (1, 3), (3, 20), (20, 30))]
    np.testing.assert_array_equal(np.concatenate(pieces), expected)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.sampled_from(KINDS), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_a_stream_of_several_split_anywhere_equals_numpy(pieces, kind, batch):
    predictor = load_timed(kind[0], precision=kind[1])
    count = sum(pieces)
    x, times = some(count, batch, count), moments(batch, count, seed=count)
    stream, found, start = predictor.stream(batch), [], 0
    for size in pieces:
        part = slice(start, start + size)
        if size == 1:
            found.append(stream.step(x[:, start], times[:, start]).reshape(batch, 1, 1, 1))
        else:
            found.append(stream.run(x[:, part], times[:, part]))
        start += size
    expected = np.stack([stepped(predictor, *row) for row in zip(x, times, strict=True)])
    np.testing.assert_array_equal(np.concatenate(found, axis=1), expected)


def test_times_of_a_step_come_in_any_form(timed):
    x = some(11, 2)
    forms = [NOON, np.int64(NOON), np.int32(NOON), np.datetime64(NOON, "s"), np.array(NOON), [NOON], np.array([NOON])]
    states = []
    for form in forms:
        stream = timed.stream()
        stream.step(x[0], form)
        states.append(stream.state)
    for state in states[1:]:
        np.testing.assert_equal(state, states[0])


def test_a_step_back_in_time_is_refused_and_changes_nothing_and_the_same_second_is_taken(timed):
    x, stream = some(12, 8), timed.stream()
    stream.run(x[:5], NOON + np.arange(5))
    before = stream.state
    for call, sample in ((stream.step, x[5]), (stream.run, x[5:6])):
        with pytest.raises(InputError, match=f"runs backwards.*: {NOON + 4}, then {NOON + 3}; "):
            call(sample, NOON + 3 if sample.ndim == 1 else [NOON + 3])
    np.testing.assert_equal(stream.state, before)
    assert np.isfinite(stream.step(x[5], NOON + 4)).all()
    stream.reset()
    stream.step(x[6], NOON - 1000)


def test_the_state_holds_the_times_and_moves_to_another_stream(timed):
    x, times = some(13, 20), moments(20)
    first, second, many = timed.stream(), timed.stream(), timed.streams(3)
    first.run(x[:7], times[:7])
    state = first.state
    steps = WINDOW if timed.contract.state == "window" else 1
    np.testing.assert_array_equal(state["time_s"], times[np.newaxis, 7 - steps : 7])
    second.state = state
    many.restore(1, state)
    for i in range(7, 20):
        expected = first.step(x[i], int(times[i]))
        np.testing.assert_array_equal(second.step(x[i], int(times[i])), expected)
        np.testing.assert_array_equal(many.step(x[i : i + 1], [1], times[i])[0], expected)
    np.testing.assert_equal(many.snapshot(1), first.state)


def test_a_snapshot_with_hostile_times_is_refused(timed):
    stream = timed.stream()
    stream.run(some(14, 6), NOON + np.arange(6))
    state = stream.state
    wrong = [state["time_s"].astype(float), state["time_s"] * 1000, state["time_s"][:, :0], None]
    wrong += [state["time_s"][:, ::-1].copy()] if timed.contract.state == "window" else []
    for times in wrong:
        with pytest.raises(InputError, match=r"^state: "):
            stream.state = {**state, "time_s": times}
    with pytest.raises(InputError, match=r"^state: expected a snapshot with seen, "):
        stream.state = {name: value for name, value in state.items() if name != "time_s"}
    np.testing.assert_equal(stream.state, state)


def test_the_zeros_of_a_stream_that_has_not_seen_a_window_are_no_times(by_window):
    stream, other = by_window.stream(), by_window.stream()
    stream.run(some(15, 2), [-100, -50])  # before 1970
    other.state = stream.state
    np.testing.assert_array_equal(other.state["time_s"], [[0, 0, -100, -50]])
    other.run(some(16, 2), [-40, -30])


# Many streams.


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
@pytest.mark.parametrize("most", [2, 256])
def test_many_streams_equal_numpy_whoever_has_a_sample(kind, most, monkeypatch):
    monkeypatch.setattr("edgelstm.runtime.streams.streams.MAX_ROWS", most)
    predictor, rng = load_timed(kind[0], precision=kind[1]), np.random.default_rng(0)
    many, seen = predictor.streams(5), {i: ([], []) for i in range(5)}
    for step in range(40):
        numbers = rng.permutation(5)[: rng.integers(1, 6)]
        x, times = some(step, len(numbers)), NOON + step * 9 + rng.integers(0, 5, len(numbers))
        if step % 3 == 0:  # all, or a mask over all
            numbers = np.sort(numbers)
            rows, at = np.full((5, 2), np.nan, np.float32), np.zeros(5, bool)
            moment, at[numbers] = np.zeros(5, np.int64), True
            rows[numbers], moment[numbers] = x, times
            answers = many.step(rows, at, moment)[numbers]
        else:
            answers = many.step(x, numbers, times)
        for number, sample, time, answer in zip(numbers.tolist(), x, times, answers, strict=True):
            seen[number][0].append(sample)
            seen[number][1].append(time)
            told, at_times = np.array(seen[number][0]), np.array(seen[number][1])
            expected = stepped(predictor, told, at_times)[len(told) - 1]
            np.testing.assert_array_equal(answer, expected)


def test_one_of_many_that_goes_back_in_time_stops_all_and_changes_nothing(timed):
    many = timed.streams(3)
    many.step(some(17, 3), time_s=[NOON, NOON + 5, NOON])
    before = [many.snapshot(i) for i in range(3)]
    with pytest.raises(InputError, match=f"for the sample of row 1: {NOON + 5}, then {NOON + 4}"):
        many.step(some(18, 3), time_s=NOON + 4)
    np.testing.assert_equal([many.snapshot(i) for i in range(3)], before)
    many.leave([1])
    assert many.join().tolist() == [1]
    many.step(some(19, 3), time_s=NOON + 4)  # a new stream begins where it likes
    many.step(np.zeros((0, 2)), [], [])


# Files.


def test_golden_times_are_replayed(timed):
    assert timed.golden.times.shape == (2, WINDOW)
    assert replay(timed).passed


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of the child are Linux's")
def test_a_file_of_times_is_tried_in_a_child():
    try_in_child(make_timed().content)


def test_the_call_that_a_device_is_chosen_by_can_be_made_again_and_again(timed):
    call = _window_call(timed)
    for _ in range(3):
        call()


@pytest.mark.parametrize("state", ["window", "carried"])
def test_bench_gives_times_to_steps_windows_and_streams(tmp_path, state):
    path = tmp_path / "timed.onnx"
    path.write_bytes(make_timed(state).content)
    result = bench_file(path, seconds=0, steps=20, streams=(1, 3), idle_s=0)
    assert result.step.p50_us > 0
    assert result.whole_window.p50_us > 0


def test_a_replay_with_other_times_fails(by_window):
    golden = by_window.golden
    moved = make_timed()._replace(golden=golden._replace(times=golden.times + 1))
    assert not replay(Predictor(moved)).passed


@pytest.mark.parametrize("state", ["window", "carried"])
def test_a_contract_that_says_something_else_about_times_is_refused(tmp_path, state):
    path = tmp_path / "timed.onnx"
    path.write_bytes(make_timed(state).content)
    silent = altered(path, "edgelstm.contract", lambda contract: contract.update(times=False))
    with pytest.raises(ModelFileError, match="the golden vectors are damaged"):
        parse_model_file(silent)
    model_file = make_timed(state)
    with pytest.raises(ModelFileError, match="the contract says that the graph takes"):
        Predictor(model_file._replace(contract=replace(model_file.contract, times=False)))


def test_a_graph_that_takes_times_of_another_type_or_shape_is_refused():
    model_file = make_timed()
    for change in (
        lambda tensor: setattr(tensor, "elem_type", onnx.TensorProto.INT32),
        lambda tensor: setattr(tensor.shape.dim[1], "dim_param", "S"),
        lambda tensor: tensor.shape.dim.add(dim_value=1),
    ):
        model = onnx.ModelProto.FromString(model_file.content)
        change(next(i for i in model.graph.input if i.name == "time_s").type.tensor_type)
        with pytest.raises(ModelFileError):
            Predictor(model_file._replace(content=model.SerializeToString()))


@pytest.mark.parametrize(
    "change",
    [
        lambda golden: golden.update(times=None),
        lambda golden: golden["times"].update(shape=[WINDOW, 2]),
        lambda golden: golden["times"].update(shape=[-2, WINDOW]),
        lambda golden: golden["times"].update(dtype="float32"),
        lambda golden: golden["times"].update(base64=_packed([[MAX_TIME_S + 1] * WINDOW] * 2)),
        lambda golden: golden["times"].update(base64=_packed([[-(2**63)] * WINDOW] * 2)),
        lambda golden: golden["times"].update(base64=_packed([[4, 3, 2, 1]] * 2)),
    ],
)
def test_golden_vectors_whose_times_do_not_fit_are_refused(tmp_path, change):
    path = tmp_path / "timed.onnx"
    path.write_bytes(make_timed().content)
    with pytest.raises(ModelFileError, match="the golden vectors are damaged"):
        parse_model_file(altered(path, "edgelstm.golden", change))


def _packed(times):
    return base64.b64encode(np.array(times, "<i8").tobytes()).decode()


def test_tokens_have_no_times():
    value = json.loads(CONTRACT.to_json())
    value["inputs"] = [{**value["inputs"][0], "dtype": "int64", "categories": 3}]
    with pytest.raises(ContractError, match="tokens have no times"):
        type(CONTRACT).from_json(json.dumps(value))


def test_a_stream_of_times_is_not_pickled(timed):
    for what in (timed, timed.stream(), timed.streams(2)):
        with pytest.raises(SharingError):
            pickle.dumps(what)
