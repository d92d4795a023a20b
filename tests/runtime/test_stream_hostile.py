import numpy as np
import pytest

from edgelstm.errors import InputError


def _damaged(snapshot):
    """Every way to spoil a snapshot that came to mind."""
    yield None
    yield []
    yield {}
    yield {**snapshot, "more": snapshot["seen"]}
    yield {**snapshot, "seen": np.array([-1])}
    for name, tensor in snapshot.items():
        yield {key: value for key, value in snapshot.items() if key != name}
        wrong = [None, 0, tensor.tolist(), tensor[..., :0], tensor[np.newaxis], np.repeat(tensor, 2, 0)]
        wrong += [tensor.astype(np.float64), tensor.astype(object), tensor.astype(tensor.dtype.newbyteorder(">"))]
        if tensor.dtype == np.float32:
            wrong += [np.full_like(tensor, bad) for bad in (np.nan, np.inf, -np.inf)]
        yield from ({**snapshot, name: value} for value in wrong)


def test_a_hostile_snapshot_is_refused_and_changes_nothing(predictor):
    stream = predictor.stream()
    stepped(stream, some(15, 30, 1))
    before = _bytes(stream.state)
    for snapshot in _damaged(stream.state):
        with pytest.raises(InputError, match=r"^state: "):
            stream.state = snapshot
        assert _bytes(stream.state) == before


def test_a_snapshot_of_another_file_or_batch_is_refused(window, carried):
    for stream, other in ((window.stream(), carried.stream()), (carried.stream(), window.stream())):
        with pytest.raises(InputError, match=r"^state: expected a snapshot with seen, "):
            stream.state = other.state
    with pytest.raises(InputError, match=r"^state: 'x': expected float32 \(1, 24, 1\), got float32 \(2, 24, 1\)"):
        window.stream().state = window.stream(2).state


BAD = [
    [np.nan],
    [np.inf],
    [1e39],
    [1.0, 2.0],
    [[1.0], [2.0]],
    [],
    330.0,
    [[[330.0]]],
    "330",
    [None],
    [True],
    [1j],
    None,
]


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize("seen", [0, 5, 30])
def test_a_bad_sample_leaves_the_state_as_it_was(predictor, bad, seen):
    stream, same = predictor.stream(), predictor.stream()
    for sample in some(16, seen, 1):
        stream.step(sample)
        same.step(sample)
    before, ready = _bytes(stream.state), stream.ready
    with pytest.raises(InputError):
        stream.step(bad)
    assert (_bytes(stream.state), stream.ready) == (before, ready)
    assert stream.step([331.0]).tobytes() == same.step([331.0]).tobytes()


@pytest.mark.parametrize("shape", [(1,), (1, 1), (3, 1), (2, 2), (1, 2, 1)], ids=str)
def test_a_batch_of_streams_takes_one_sample_for_each(predictor, shape):
    with pytest.raises(InputError):
        predictor.stream(2).step(np.zeros(shape))


@pytest.mark.parametrize("batch", [0, -1, 1.0, True, "2", None])
def test_a_batch_that_is_none_is_refused(carried, batch):
    with pytest.raises(InputError, match="batch: expected a whole number of at least 1, got"):
        carried.stream(batch)


def some(seed, *shape):
    """Numbers like those the networks were trained on, in ppm."""
    return np.random.default_rng(seed).normal(330, 10, shape).astype(np.float32)


def stepped(stream, samples):
    return np.stack([stream.step(sample) for sample in samples])


def _bytes(snapshot):
    return {name: tensor.tobytes() for name, tensor in snapshot.items()}
