"""Many streams that step together, held against streams that step alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.errors import InputError
from edgelstm.network import Embedding, Linear, Lstm, Network, Take
from edgelstm.runtime import load
from edgelstm.runtime.streams import streams
from tests.export.drawn import load_graph, make_contract, make_weights


def some(seed, *shape):
    """Numbers like those the networks were trained on, in ppm."""
    return np.random.default_rng(seed).normal(330, 10, shape).astype(np.float32)


def alone(predictor, x):
    """Each of [T, N, F] through a stream of its own."""
    single = [predictor.stream() for _ in range(x.shape[1])]
    return np.stack([[stream.step(row) for stream, row in zip(single, rows, strict=True)] for rows in x])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_streams_that_step_together_equal_streams_that_step_alone_bit_for_bit(predictor, count):
    x = some(0, 40, count, 1) * np.linspace(0.9, 1.1, count, dtype=np.float32)[:, np.newaxis]
    many = predictor.streams(count)
    together = np.stack([many.step(rows) for rows in x])
    assert together.shape == (40, count, 3, 1)
    assert together.tobytes() == alone(predictor, x).tobytes()


@pytest.mark.parametrize("most", [1, 2, 3])
def test_more_streams_than_one_call_takes_are_stepped_in_several(predictor, monkeypatch, most):
    monkeypatch.setattr(streams, "MAX_ROWS", most)
    x, some_order = some(1, 26, 5, 1), np.array([3, 0, 4, 1, 2])
    many, others = predictor.streams(5), predictor.streams(5)
    expected = alone(predictor, x)
    assert np.stack([many.step(rows) for rows in x]).tobytes() == expected.tobytes()
    ordered = np.stack([others.step(rows[some_order], at=some_order) for rows in x])
    assert ordered.tobytes() == expected[:, some_order].tobytes()


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["all", "some", "mask", "join", "leave", "reset", "move"]), st.integers(0, 2**32 - 1)),
    max_size=30,
)


@given(ACTIONS, st.integers(0, 5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_happens_each_stream_answers_as_one_that_is_alone(window, carried, actions, count, carries):
    """Streams join, leave, reset, are stepped in any order and move between places and single streams."""
    predictor = carried if carries else window
    many = predictor.streams(count)
    single = {number: predictor.stream() for number in range(count)}
    for action, seed in actions:
        rng = np.random.default_rng(seed)
        numbers = np.array(sorted(single), np.int64)
        part = rng.permutation(numbers)[: rng.integers(0, len(numbers) + 1)]
        if action == "join":
            single.update({int(number): predictor.stream() for number in many.join(int(rng.integers(1, 4)))})
        elif action == "leave":
            many.leave(part[:1])
            for number in part[:1]:
                del single[number]
        elif action == "reset":
            many.reset(part)
            for number in part:
                single[number].reset()
        elif action == "move" and len(part) > 1:
            many.restore(part[0], single[part[1]].state)
            single[part[0]].state = many.snapshot(part[1])
        else:
            _step_both(many, single, numbers if action == "all" else part, action, rng)
    assert many.numbers.tolist() == sorted(single)
    assert many.ready.tolist() == [single[number].ready for number in many.numbers]


def _step_both(many, single, part, action, rng):
    x = rng.normal(330, 10, (len(part), 1)).astype(np.float32)
    expected = [single[number].step(row) for number, row in zip(part, x, strict=True)]
    if action == "mask":
        mask = np.isin(many.numbers, part)
        rows = np.full((len(mask), 1), np.nan, np.float32)
        rows[np.searchsorted(many.numbers, part)] = x
        answers = many.step(rows, at=mask)
        assert np.isnan(answers[~mask]).all()
        answers = answers[np.searchsorted(many.numbers, part)]
    else:
        answers = many.step(x, at=None if action == "all" else part)
    assert answers.shape == (len(part), 3, 1)
    assert answers.tobytes() == np.array(expected, np.float32).tobytes()


def test_rows_of_an_int8_file_may_run_in_one_call_but_then_move_with_their_neighbours(carried_files):
    predictor = load(carried_files.int8)
    x = some(2, 30, 6, 1) * np.linspace(0.5, 2, 6, dtype=np.float32)[:, np.newaxis]
    many = predictor.streams(6, exact=False)
    together = np.stack([many.step(rows) for rows in x])
    single = alone(predictor, x)
    assert together.tobytes() != single.tobytes()
    assert np.abs(together - single).max() < 40


def test_a_stream_that_joins_begins_anew_in_the_place_of_one_that_left(carried):
    many = carried.streams(3)
    many.step(some(3, 3, 1))
    many.leave([1])
    assert (len(many), many.numbers.tolist()) == (2, [0, 2])
    assert many.join(2).tolist() == [1, 3]
    assert many.ready.tolist() == [True, False, True, False]
    fresh = carried.stream().step([331.0])
    assert many.step([[331.0]] * 2, at=[3, 1]).tobytes() == np.stack([fresh] * 2).tobytes()


def test_an_answer_of_many_streams_belongs_to_the_caller(carried):
    many, x = carried.streams(2), some(4, 2, 2, 1)
    first = many.step(x[0])
    kept = first.copy()
    many.step(x[1])
    assert first.tobytes() == kept.tobytes()


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ([0, 5], "there is no stream 5"),
        ([-1, 0], "there is no stream -1"),
        ([0, 3], "there is no stream 3"),
        ([0, 0], "stream 0 occurs twice"),
        ([0.0, 1.0], "expected numbers of streams"),
        ([[0, 1]], "expected numbers of streams"),
        (["0", "1"], "expected numbers of streams"),
        (1, "expected numbers of streams"),
        ([True, False], "expected a mask over 4 streams"),
        ([[True] * 4], "expected a mask over 4 streams"),
    ],
    ids=repr,
)
def test_a_number_that_is_no_streams_is_refused_and_changes_nothing(predictor, at, reason):
    many = predictor.streams(5)
    many.leave([3])
    before = states(many)
    with pytest.raises(InputError, match=reason):
        many.step(some(5, 2, 1), at=at)
    assert states(many) == before


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39, "330", None, 1j], ids=repr)
def test_one_bad_sample_leaves_all_streams_as_they_were(predictor, bad):
    many = predictor.streams(3)
    for rows in some(6, 25, 3, 1):
        many.step(rows)
    before = states(many)
    rows = [[330.0], [bad], [331.0]]
    with pytest.raises(InputError):
        many.step(rows)
    with pytest.raises(InputError):
        many.step(rows, at=[True, True, False])
    assert states(many) == before
    many.step([rows[0], [0.0], rows[2]], at=[True, False, True])


@pytest.mark.parametrize("samples", [[], [1.0, 2.0], [[1.0]], [[1.0, 2.0]] * 2, [[[1.0]]] * 2, [[1.0]] * 3], ids=str)
def test_another_number_of_samples_is_refused(predictor, samples):
    with pytest.raises(InputError):
        predictor.streams(2).step(samples)


@pytest.mark.parametrize("count", [-1, 1.0, True, "2", None, 2**24 + 1])
def test_a_number_of_streams_that_is_none_is_refused(carried, count):
    with pytest.raises(InputError, match="count: expected a whole number from 0 to"):
        carried.streams(count)
    with pytest.raises(InputError, match="count: expected a whole number from 1 to"):
        carried.streams(2).join(count)


def test_streams_of_tokens_step_too():
    network = Network((Embedding("embedding", 7, 3), Lstm("lstm", 3, 5), Take("last"), Linear("head", 5, 4)))
    contract = make_contract(network, "classify", outputs=4, tokens=7, window=3)
    from edgelstm.export.graph import build_graph

    weights = make_weights(network, 0, 1, 4)
    predictor = load_graph(build_graph(network, weights, contract), contract)
    many, x = predictor.streams(3), np.random.default_rng(7).integers(0, 7, (6, 3))
    assert np.stack([many.step(rows) for rows in x]).tobytes() == alone(predictor, x).tobytes()
    with pytest.raises(InputError, match="expected tokens from 0 to 6"):
        many.step([1, 2, 7])
    with pytest.raises(InputError, match=r"^state: 'x': expected tokens from 0 to 6"):
        many.restore(0, {"seen": np.array([3]), "x": np.array([[1, 2, -1]])})


def states(many):
    return [{name: tensor.tobytes() for name, tensor in many.snapshot(number).items()} for number in many.numbers]
