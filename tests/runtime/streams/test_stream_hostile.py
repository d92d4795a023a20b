import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edgelstm.errors import InputError
from edgelstm.export.graph import build_graph
from edgelstm.network import Linear, Lstm, Network, Standardize, Take
from tests.export.drawn import load_graph, make_contract, make_weights


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


LAST = {"window": (Take("last"),), "carried": ()}


def small(state, inputs):
    """A network without training, of so many channels; what is finite stays so in it."""
    network = Network((Standardize("offset", "factor"), Lstm("lstm", inputs, 5), *LAST[state], Linear("head", 5, 2)))
    weights = make_weights(network, 0, inputs, 2, spread=1, factors=(0.01, 0.1))
    contract = make_contract(network, outputs=2, inputs=inputs, window=3, state=state)
    return load_graph(build_graph(network, weights, contract), contract)


KINDS = ["f4", "f8", "f2", ">f4", ">f8", "i1", "u2", "i8", ">i4", "u8", "?", "c8", "S3", "U2", "O", "M8[s]", "g"]


@st.composite
def samples(draw, inputs):
    """Anything a caller may hand in as one sample: mostly an array, mostly of nearly the right shape."""
    if draw(st.integers(0, 9)) == 0:
        leaf = st.one_of(
            st.none(), st.text(max_size=2), st.booleans(), st.integers(), st.floats(), st.complex_numbers()
        )
        nested = st.recursive(leaf, lambda inner: st.lists(inner, max_size=4), max_leaves=6)
        return draw(st.one_of(nested, st.binary(max_size=12), st.dictionaries(leaf, leaf, max_size=2)))
    kind = np.dtype(draw(st.sampled_from(KINDS)))
    shape = draw(
        st.sampled_from([(inputs,)] * 4 + [(1, inputs)] * 2 + [(), (inputs - 1,), (inputs, 1), (2, inputs), (0,)])
    )
    array = np.zeros(shape, kind) if kind.kind == "O" else draw(npst.arrays(kind, shape))
    if kind.kind == "f" and array.size and draw(st.booleans()):
        numbers = [np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e39, -1e300, 1e-45, 0.0, -0.0, 1.5]
        with np.errstate(all="ignore"):
            array.ravel()[...] = np.array(
                draw(st.lists(st.sampled_from(numbers), min_size=array.size, max_size=array.size))
            )
    return draw(st.sampled_from(LAYOUTS))(array)


def _unaligned(array):
    whole = np.zeros(array.nbytes + 1, np.uint8)
    view = np.ndarray(array.shape, array.dtype, whole, 1) if array.dtype.kind != "O" else array
    view[...] = array
    return view


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = [
    lambda array: array,
    lambda array: np.repeat(array, 2, -1)[..., ::2] if array.ndim else array,
    lambda array: array[..., ::-1] if array.ndim else array,
    lambda array: np.broadcast_to(array[..., :1], array.shape) if array.ndim and array.size else array,
    np.asfortranarray,
    _read_only,
    _unaligned,
    lambda array: array.tolist() if array.dtype.kind != "M" else array,
    lambda array: np.ma.masked_array(array) if array.dtype.kind in "fiu" else array,
]


def _as_row(sample, inputs):
    """What a step should make of it: float32 [F], or None where it should refuse."""
    try:
        array = np.asarray(sample)
    except ValueError:
        return None
    if array.dtype.kind not in "fiu" or array.shape not in ((inputs,), (1, inputs)):
        return None
    with np.errstate(all="ignore"):
        row = array.astype(np.float32).reshape(inputs)
    return row if np.isfinite(row).all() else None


@pytest.fixture(scope="module", params=[("window", 3), ("carried", 3), ("carried", 60), ("window", 60)], ids=str)
def any_small(request):
    return request.param[1], small(*request.param)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_fed_a_step_answers_rightly_or_refuses_and_changes_nothing(any_small, data):
    inputs, predictor = any_small
    stream, same, many = predictor.stream(), predictor.stream(), predictor.streams(1)
    for sample in data.draw(st.lists(samples(inputs), min_size=1, max_size=6)):
        row, before = _as_row(sample, inputs), _bytes(stream.state)
        if row is None:
            with pytest.raises(InputError):
                stream.step(sample)
            with pytest.raises(InputError):
                many.step([sample])
            assert _bytes(stream.state) == before
        else:
            answer = same.step(row).tobytes()
            assert stream.step(sample, copy=data.draw(st.booleans())).tobytes() == answer
            assert many.step([np.reshape(sample, -1)]).tobytes() == answer
        assert _bytes(stream.state) == _bytes(same.state) == _bytes(many.snapshot(0))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_piece_is_fed_it_is_run_as_steps_or_refused(any_small, data):
    inputs, predictor = any_small
    stream, same = predictor.stream(), predictor.stream()
    piece = data.draw(st.one_of(samples(inputs), st.lists(samples(inputs), max_size=4)))
    array = _numbers(piece)
    if array is not None and array.ndim == 3 and len(array) == 1:
        array = array[0]  # a batch of one
    if array is None or array.shape[1:] != (inputs,) or not len(array):
        with pytest.raises(InputError):
            stream.run(piece)
    else:
        assert stream.run(piece).tobytes() == np.stack([same.step(row) for row in array]).tobytes()
    assert _bytes(stream.state) == _bytes(same.state)


def _numbers(piece):
    try:
        array = np.asarray(piece)
    except ValueError:
        return None
    if array.dtype.kind not in "fiu" or array.ndim < 1:
        return None
    with np.errstate(all="ignore"):
        array = array.astype(np.float32)
    return array if np.isfinite(array).all() else None


class Mine(np.ndarray):
    """An array that says other things of itself than it holds."""

    @property
    def data(self):
        return memoryview(np.full(3, 7, np.float32))


def test_a_masked_or_derived_array_takes_no_short_cut():
    for state in ("window", "carried"):
        stream, same = small(state, 3).stream(), small(state, 3).stream()
        with pytest.raises(InputError, match="missing"):
            stream.step(np.ma.masked_array(np.ones(3, np.float32), [False, True, False]))
        assert stream.step(np.ones(3, np.float32).view(Mine)).tobytes() == same.step([1, 1, 1]).tobytes()
        assert _bytes(stream.state) == _bytes(same.state)


@pytest.mark.parametrize("state", ["window", "carried"])
def test_a_number_that_overflows_inside_the_network_poisons_no_state(state):
    """A sigmoid, tanh or relu hides what happens inside: onnxruntime clips to 3.4e38, and its kernels for x86 turn NaN
    into a number, others do not. Linear functions show it: the first such sample gives 1e38, the second NaN."""
    lstm = Lstm("lstm", 3, 5, functions=("sigmoid", "linear", "linear"))
    network = Network((Standardize("offset", "factor"), lstm, *LAST[state], Linear("head", 5, 2)))
    weights = make_weights(network, 0, 3, 2, spread=1, factors=(20, 20))
    contract = make_contract(network, outputs=2, inputs=3, window=2, state=state)
    predictor = load_graph(build_graph(network, weights, contract), contract)
    huge = np.array([1e38, -1e38, 1e38])
    stream, many, pair = predictor.stream(), predictor.streams(2), predictor.stream(2)
    for row in (np.zeros(3), huge):
        stream.step(row), many.step([row, row]), pair.step([row, row])
    before = _bytes(stream.state)
    for use in (
        lambda: stream.step(huge),
        lambda: stream.step(huge.astype(np.float32)),
        lambda: stream.run([huge, [0, 0, 0]]),
        lambda: many.step([huge, huge]),
        lambda: many.step([huge], at=[1]),
        lambda: pair.step([huge, huge]),
    ):
        with pytest.raises(InputError, match="so large that the answer is NaN or infinity"):
            use()
    assert _bytes(stream.state) == _bytes(many.snapshot(0)) == _bytes(many.snapshot(1)) == before
    stream.reset()
    assert stream.step([1, 2, 3]).tobytes() == predictor.stream().step([1, 2, 3]).tobytes()


def test_numbers_whose_square_overflows_are_finite():
    for inputs in (3, 60):
        stream = small("carried", inputs).stream()
        assert np.isfinite(stream.step(np.full(inputs, 3e38, np.float32))).all()
        assert np.isfinite(stream.step(np.full(inputs, -3e38, np.float32))).all()
        bad = np.zeros(inputs, np.float32)
        bad[[0, -1]] = np.inf, -np.inf
        with pytest.raises(InputError, match=r"expected finite numbers, got inf at \[0\]"):
            stream.step(bad)


def test_a_window_network_does_not_carry_a_state_and_says_what_does(window, carried):
    for start in (window.stream, window.streams):
        with pytest.raises(InputError, match=r"over 24 steps.*edgelstm export RUN --state carried"):
            start(state="carried")
    for start in (carried.stream, carried.streams):
        with pytest.raises(InputError, match="use predict"):
            start(state="window")
        with pytest.raises(InputError, match="expected window, carried or None, got 'forever'"):
            start(state="forever")
    assert carried.stream(state="carried").step([330.0]).shape == window.stream(state="window").step([330.0]).shape


def some(seed, *shape):
    """Numbers like those the networks were trained on, in ppm."""
    return np.random.default_rng(seed).normal(330, 10, shape).astype(np.float32)


def stepped(stream, samples):
    return np.stack([stream.step(sample) for sample in samples])


def _bytes(snapshot):
    return {name: tensor.tobytes() for name, tensor in snapshot.items()}
