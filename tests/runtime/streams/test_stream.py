import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def some(seed, *shape):
    """Numbers like those the networks were trained on, in ppm."""
    return np.random.default_rng(seed).normal(330, 10, shape).astype(np.float32)


def stepped(stream, samples):
    return np.stack([stream.step(sample) for sample in samples])


cuts = st.lists(st.integers(0, 40), max_size=5).map(sorted)


def test_a_carried_stream_equals_the_whole_window_bit_for_bit(carried):
    x = some(0, 200, 1)
    assert stepped(carried.stream(), x).tobytes() == carried.predict(x).tobytes()


@given(cuts, st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_a_stream_split_anywhere_equals_the_whole_window(carried, cuts, seed):
    """Between the chunks the state moves to a new stream, which has run something else before."""
    x = some(seed, 40, 1)
    stream, answers = carried.stream(), []
    for chunk in np.split(x, cuts):
        answers += [stream.step(sample) for sample in chunk]
        state, stream = stream.state, carried.stream()
        stepped(stream, some(len(answers), 1 + len(answers) % 3, 1))
        stream.state = state
    assert np.stack(answers).tobytes() == carried.predict(x).tobytes()


@given(cuts, st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_chunks_that_pass_their_state_on_equal_the_stream(carried, cuts, seed):
    """The same without `Stream`: onnxruntime itself is given chunks and the state tensors of the contract."""
    x = some(seed, 1, 40, 1)
    states = {s.input: np.zeros([1 if size == "B" else size for size in s.shape], np.float32) for s in _states(carried)}
    names = ["y", *(s.output for s in _states(carried))]
    answers = []
    for chunk in np.split(x, cuts, axis=1):
        if chunk.size:
            y, *new = carried._session.run(names, {"x": chunk, **states})
            states = dict(zip(states, new, strict=True))
            answers.append(y[0])
    stream = carried.stream()
    assert np.concatenate(answers).tobytes() == stepped(stream, x[0]).tobytes()
    assert all(stream.state[name].tobytes() == state.tobytes() for name, state in states.items())


@given(cuts, st.integers(0, 2**32), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_pieces_cut_anywhere_equal_the_steps(window, carried, cuts, seed, steps):
    """Of both states; a few steps go before, so that pieces begin anywhere in a window and on either set of buffers."""
    x = some(seed, 45, 1)
    for predictor in (window, carried):
        expected, stream = stepped(predictor.stream(), x), predictor.stream()
        answers = [stream.step(sample)[np.newaxis] for sample in x[:steps]]
        answers += [stream.run(piece) for piece in np.split(x[steps:], cuts) if len(piece)]
        np.testing.assert_array_equal(np.concatenate(answers), expected)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_piece_equals_its_steps_in_every_precision_and_goes_on_as_they_do(predictor, batch):
    x = some(17, batch, 40, 1)
    stream, same = predictor.stream(batch), predictor.stream(batch)
    pieces = [stream.run(x[:, :7]), stream.run(x[:, 7:8]), stream.run(x[:, 8:])]
    steps = np.stack([same.step(x[:, t]) for t in range(40)], axis=1)
    y = np.concatenate(pieces, axis=1)
    assert y.shape == (batch, 40, 3, 1)
    if batch == 1 or predictor.contract.precision == "int8":
        np.testing.assert_array_equal(y, steps)
    np.testing.assert_allclose(y, steps, rtol=0, atol=2e-4)
    assert stream.ready == same.ready
    assert stream.state["seen"] == same.state["seen"] == 40


def test_more_windows_in_a_piece_than_one_call_takes_are_run_in_several(window):
    x = some(18, 700, 1)
    np.testing.assert_array_equal(window.stream().run(x), stepped(window.stream(), x))


def test_the_answers_to_a_piece_belong_to_the_caller(predictor):
    x, stream = some(19, 60, 1), predictor.stream()
    y = stream.run(x[:30])
    kept = y.copy()
    stream.run(x[30:])
    np.testing.assert_array_equal(y, kept)


def test_a_window_stream_is_not_ready_until_it_has_seen_a_window(window):
    x, stream = some(1, 60, 1), window.stream()
    for count, sample in enumerate(x, 1):
        y = stream.step(sample)
        assert y.shape == (3, 1)
        assert stream.ready == (count >= 24)
        if count < 24:
            assert np.isnan(y).all()
        else:
            assert y.tobytes() == window.predict(x[count - 24 : count]).tobytes()


def test_a_carried_stream_is_ready_after_one_sample(carried):
    stream = carried.stream()
    assert not stream.ready
    assert np.isfinite(stream.step([330.0])).all()
    assert stream.ready


def test_a_sample_may_come_as_a_row(predictor):
    x = some(2, 30, 1)
    y = stepped(predictor.stream(), x)
    rows = stepped(predictor.stream(), x[:, np.newaxis])
    assert rows.shape == (30, 1, 3, 1)
    assert y.tobytes() == rows.tobytes()


@pytest.mark.parametrize("batch", [2, 5])
def test_streams_that_step_together_equal_streams_that_step_alone(predictor, batch):
    x = some(3, 50, batch, 1) + np.arange(batch, dtype=np.float32)[:, np.newaxis] * 20
    together = stepped(predictor.stream(batch), x)
    alone = np.stack([stepped(predictor.stream(), x[:, i]) for i in range(batch)], axis=1)
    assert together.shape == (50, batch, 3, 1)
    if predictor.contract.precision == "int8":
        assert together.tobytes() == alone.tobytes()
    np.testing.assert_allclose(together, alone, rtol=0, atol=2e-4)  # fp32: a few roundings around 400


def test_two_streams_share_nothing(predictor):
    x, other = some(4, 30, 1), some(5, 30, 1)
    expected = stepped(predictor.stream(), x)
    one, two = predictor.stream(), predictor.stream()
    answers = []
    for a, b in zip(x, other, strict=True):
        answers.append(one.step(a))
        two.step(b)
        predictor.predict(other[:24])
    assert np.stack(answers).tobytes() == expected.tobytes()


@pytest.mark.parametrize("batch", [1, 2])
def test_an_answer_without_a_copy_is_overwritten_by_the_next(predictor, batch):
    x, stream = some(6, 26, batch, 1), predictor.stream(batch)
    stepped(stream, x[:24])
    view = stream.step(x[24], copy=False)
    first = view.copy()
    second = stream.step(x[25], copy=False)
    assert np.shares_memory(view, second)
    assert view.tobytes() == second.tobytes() != first.tobytes()


def test_an_answer_with_a_copy_is_kept(predictor):
    x, stream = some(7, 26, 1), predictor.stream()
    stepped(stream, x[:24])
    kept = stream.step(x[24])
    first = kept.copy()
    assert not np.shares_memory(kept, stream.step(x[25], copy=False))
    assert kept.tobytes() == first.tobytes()


def test_answers_with_and_without_a_copy_are_the_same(predictor):
    x, stream = some(8, 30, 1), predictor.stream()
    views = np.stack([stream.step(sample, copy=False).copy() for sample in x])
    assert views.tobytes() == stepped(predictor.stream(), x).tobytes()


def test_writing_into_an_answer_changes_no_later_one(predictor):
    x, stream = some(9, 30, 1), predictor.stream()
    expected = stepped(predictor.stream(), x)
    answers = []
    for sample in x:
        view = stream.step(sample, copy=False)
        answers.append(view.copy())
        if view.flags.writeable:
            view[:] = 0
    assert np.stack(answers).tobytes() == expected.tobytes()


@pytest.mark.parametrize("steps", [1, 2, 23, 24, 31])
def test_a_reset_stream_is_a_new_stream(predictor, steps):
    x, stream = some(10, 30, 2, 1), predictor.stream(2)
    stepped(stream, some(11, steps, 2, 1))
    stream.reset()
    assert not stream.ready
    assert {name: tensor.any() for name, tensor in stream.state.items()} == dict.fromkeys(stream.state, False)
    assert stepped(stream, x).tobytes() == stepped(predictor.stream(2), x).tobytes()


@pytest.mark.parametrize("steps", [0, 1, 10, 23, 24, 31])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_snapshot_goes_on_in_another_stream(predictor, steps, batch):
    x, rest = some(12, steps, batch, 1), some(13, 27, batch, 1)
    stream, other = predictor.stream(batch), predictor.stream(batch)
    for sample in x:
        stream.step(sample)
    other.step(rest[0])
    other.state = stream.state
    assert other.ready == stream.ready
    assert stepped(other, rest).tobytes() == stepped(stream, rest).tobytes()


def test_a_snapshot_is_a_copy_on_the_way_out_and_in(predictor):
    x, stream = some(14, 30, 1), predictor.stream()
    stepped(stream, x)
    snapshot = stream.state
    kept = {name: tensor.copy() for name, tensor in snapshot.items()}
    stepped(stream, x)
    assert _bytes(snapshot) == _bytes(kept)
    stream.state = snapshot
    for tensor in snapshot.values():
        tensor[:] = 1
    assert _bytes(stream.state) == _bytes(kept)


def test_a_snapshot_holds_what_the_contract_lists(predictor):
    contract, snapshot = predictor.contract, predictor.stream(4).state
    expected = {"seen": (np.int64, (1,))}
    if contract.state == "window":
        expected["x"] = (np.float32, (4, 24, 1))
    for state in contract.states:
        expected[state.input] = (np.float32, tuple(4 if size == "B" else size for size in state.shape))
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in snapshot.items()} == expected


def _states(predictor):
    return predictor.contract.states


def _bytes(snapshot):
    return {name: tensor.tobytes() for name, tensor in snapshot.items()}
