"""Streams by name, held against streams that step alone."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from edgelstm.errors import InputError, SharingError
from tests.runtime.timed import load_timed


def some(seed, *shape):
    return np.random.default_rng(seed).normal(330, 10, shape).astype(np.float32)


def test_each_name_answers_as_a_stream_that_steps_alone_whoever_else_is_there(predictor):
    named, alone = predictor.streams(names=["a"]), {}
    rng = np.random.default_rng(0)
    for step in range(60):
        names = [name for name in "abcde" if rng.random() < 0.6]
        samples = {name: some(step * 10 + i, 1) for i, name in enumerate(names)}
        answers = named.step(samples)
        assert list(answers) == names
        for name in names:
            stream = alone.setdefault(name, predictor.stream())
            assert answers[name].tobytes() == stream.step(samples[name]).tobytes()
    assert set(named.names) == set(alone) | {"a"}
    assert named.ready == {name: name in alone and alone[name].ready for name in named.names}


def test_names_join_when_they_first_come_and_leave_when_they_are_told_to(window):
    named = window.streams(names=[])
    assert (len(named), named.names, named.step({})) == (0, (), {})
    named.step({"b": [330.0], "a": [331.0]})
    assert named.names == ("b", "a")
    assert "a" in named
    named.leave(["b"])
    assert (named.names, len(named)) == (("a",), 1)
    named.step({"c": [330.0], "a": [331.0]})
    assert named.names == ("a", "c")


def test_a_name_that_was_reset_or_left_begins_from_nothing(carried):
    named, x = carried.streams(names=["a", "b"]), some(3, 30, 1)
    for row in x:
        named.step({"a": row, "b": row})
    fresh = carried.stream().step(x[0])
    named.reset(["a"])
    named.leave(["b"])
    answers = named.step({"a": x[0], "b": x[0]})
    assert answers["a"].tobytes() == answers["b"].tobytes() == fresh.tobytes()
    named.reset()
    assert named.step({"a": x[0]})["a"].tobytes() == fresh.tobytes()


def test_a_state_moves_from_one_name_to_another_and_from_a_stream(predictor):
    named, stream, x = predictor.streams(names=["a"]), predictor.stream(), some(4, 40, 1)
    for row in x:
        named.step({"a": row})
        stream.step(row)
    named.restore("b", named.snapshot("a"))
    named.restore("c", stream.state)
    answers = named.step(dict.fromkeys("abc", x[0]))
    expected = stream.step(x[0]).tobytes()
    assert all(answer.tobytes() == expected for answer in answers.values())


@pytest.mark.parametrize(
    ("samples", "match"),
    [
        ({"a": [1.0, 2.0], "new": [1.0]}, "expected"),
        ({"a": ["x"], "new": [1.0]}, "number"),
        ({"a": [1.0], 7: [1.0]}, "names: expected texts, got 7"),
        ([[1.0]], "expected a sample for each name"),
        (None, "expected a sample for each name"),
    ],
)
def test_a_sample_that_is_none_changes_nothing_and_no_name_joins(carried, samples, match):
    named, other = carried.streams(names=["a"]), carried.stream()
    named.step({"a": [330.0]})
    other.step([330.0])
    with pytest.raises(InputError, match=match):
        named.step(samples)
    assert named.names == ("a",)
    assert named.step({"a": [331.0]})["a"].tobytes() == other.step([331.0]).tobytes()


def test_names_that_are_not_there_or_come_twice_are_refused(window):
    with pytest.raises(InputError, match="'a' occurs twice"):
        window.streams(names=["a", "b", "a"])
    with pytest.raises(InputError, match="got the text 'pump'"):
        window.streams(names="pump")
    with pytest.raises(InputError, match="a count or names"):
        window.streams(3, names=["a"])
    named = window.streams(names=["a"])
    for call in (lambda: named.leave(["x"]), lambda: named.reset(["x"]), lambda: named.snapshot("x")):
        with pytest.raises(InputError, match="there is no stream 'x'"):
            call()
    with pytest.raises(InputError):
        named.restore("x", {})
    assert named.names == ("a",)


def test_they_belong_to_their_process(window):
    with pytest.raises((SharingError, TypeError)):
        pickle.dumps(window.streams(names=["a"]))


def test_each_name_may_have_a_moment_of_its_own():
    times_file = load_timed("carried")
    named, first, second = times_file.streams(names=["a", "b"]), times_file.stream(), times_file.stream()
    x = np.random.default_rng(0).normal(size=(20, len(times_file.contract.inputs))).astype(np.float32)
    for i, row in enumerate(x):
        early, late = 1_700_000_000 + 60 * i, 1_700_050_000 + 60 * i
        answers = named.step({"b": row, "a": row}, time_s={"a": early, "b": late})
        assert answers["a"].tobytes() == first.step(row, early).tobytes()
        assert answers["b"].tobytes() == second.step(row, late).tobytes()
    with pytest.raises(InputError, match="got none for 'b'"):
        named.step({"a": x[0], "b": x[0]}, time_s={"a": 1_800_000_000})
