"""A file whose channels have origins answers as the same file without them, moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgelstm.errors import InputError
from edgelstm.runtime import Guard, GuardedStream, Predictor, load, measure_drift, read_model_file, replay

IN, OUT = 2.0**40, -(2.0**33)


def moved(channel, origin):
    found = channel.statistics
    return channel._replace(statistics=found.minus(-origin), origin=origin)


@pytest.fixture
def pair(path):
    """The file as it is, and with origins."""
    file = read_model_file(path)
    contract = replace(
        file.contract,
        inputs=tuple(moved(channel, IN) for channel in file.contract.inputs),
        outputs=tuple(moved(channel, OUT) for channel in file.contract.outputs),
    )
    return load(path), Predictor(file._replace(contract=contract))


def samples(count, seed=0):
    """CO2-like numbers of few binary digits: adding an origin to them and taking it off again is exact."""
    rng = np.random.default_rng(seed)
    return np.round((335 + np.cumsum(rng.normal(size=(count, 1)), axis=0)) * 256) / 256


def test_windows_are_answered_from_the_origin(pair):
    plain, far = pair
    x = np.stack([samples(24, seed) for seed in range(3)])
    y = far.predict(x + IN)
    assert y.dtype == np.float64
    np.testing.assert_array_equal(y, plain.predict(x).astype(np.float64) + OUT)
    np.testing.assert_array_equal(far.predict(x[0] + IN), plain.predict(x[0]).astype(np.float64) + OUT)


def test_streams_are_answered_from_the_origin_step_by_step_and_at_once(pair):
    plain, far = pair
    x = samples(40)
    plain_stream, far_stream = plain.stream(), far.stream()
    stepped = np.stack([far_stream.step(sample + IN) for sample in x])
    expected = np.stack([plain_stream.step(sample.astype(np.float32)) for sample in x]).astype(np.float64) + OUT
    np.testing.assert_array_equal(stepped, expected)
    np.testing.assert_array_equal(far.stream().run(x + IN), plain.stream().run(x).astype(np.float64) + OUT)
    assert far_stream.ready
    for name, tensor in plain_stream.state.items():
        np.testing.assert_array_equal(far_stream.state[name], tensor)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(at=st.lists(st.integers(0, 3), unique=True, min_size=1), seed=st.integers(0, 99))
def test_many_streams_are_answered_from_the_origin_whichever_have_a_sample(pair, at, seed):
    plain, far = (predictor.streams(4) for predictor in pair)
    for t, row in enumerate(samples(28, seed)):
        x = np.repeat(row[np.newaxis], len(at), axis=0)
        y, expected = far.step(x + IN, at), plain.step(x, at)
        np.testing.assert_array_equal(y, expected.astype(np.float64) + OUT)
        mask = np.arange(4) == t % 4
        garbage = np.where(mask[:, np.newaxis], row + IN, np.nan)
        np.testing.assert_array_equal(
            far.step(garbage, mask), plain.step(np.where(mask[:, np.newaxis], row, 0), mask).astype(np.float64) + OUT
        )


def test_a_guard_judges_physical_values_and_counts_as_without_origins(pair):
    guard = Guard(max_hold=2, on_range="clip", margin=0.1)
    plain, far = (GuardedStream(predictor, guard) for predictor in pair)
    x = samples(40)
    x[5], x[9], x[10] = np.nan, 1e6, -np.inf
    for row in x:
        y, expected = far.step(row + IN), plain.step(row)
        np.testing.assert_array_equal(y, expected.astype(np.float64) + OUT)
    assert far.counts == plain.counts
    assert far.counts.mended == 3
    assert far.step([None]).shape == plain.step([None]).shape
    wide = [GuardedStream(predictor, replace(guard, drift_window=30)) for predictor in pair]
    for row in samples(30):
        wide[0].step(row), wide[1].step(row + IN)
    assert wide[0].drift() == wide[1].drift()


def test_a_guard_answers_float32_if_only_inputs_have_an_origin(pair, path):
    plain, far = pair
    file = read_model_file(path)
    mixed = Predictor(file._replace(contract=replace(file.contract, inputs=far.contract.inputs)))
    guarded, expected = GuardedStream(mixed), GuardedStream(plain)
    for row in samples(30):
        answer = guarded.step(row + IN)
        assert answer.dtype == np.float32
        np.testing.assert_array_equal(answer, expected.step(row))


def test_drift_is_measured_from_the_origin(pair):
    plain, far = pair
    x = samples(200)
    assert measure_drift(x + IN, far.contract.inputs) == measure_drift(x, plain.contract.inputs)


def test_golden_vectors_are_in_the_units_of_the_graph(pair):
    plain, far = pair
    assert replay(far) == replay(plain)
    assert replay(far).passed
    for channel, same in zip(far.bare.contract.inputs, plain.contract.inputs, strict=True):
        np.testing.assert_allclose(channel.statistics.quantiles, same.statistics.quantiles, atol=2e-4)
        assert channel._replace(statistics=None) == same._replace(statistics=None)


def test_a_file_without_origins_is_its_own_bare_one_and_answers_float32(predictor):
    assert predictor.bare is predictor
    assert predictor.predict(samples(24)).dtype == np.float32


def test_float32_is_refused_where_it_cannot_tell_the_values_apart(pair):
    _, far = pair
    with pytest.raises(InputError, match=r"expected float64 for the channel 'co2'.*too close together for float32"):
        far.predict((samples(24) + IN).astype(np.float32))
    with pytest.raises(InputError, match="expected float64"):
        far.stream().step(np.zeros(1, np.float32))


@pytest.mark.parametrize("bad", [[[1.0, 2.0]], "no numbers", [[np.nan]] * 24, [[None]] * 24, [[1e300]] * 24])
def test_bad_samples_are_refused_as_without_origins(pair, bad):
    _, far = pair
    with pytest.raises(InputError):
        far.predict(bad)
    before = far.stream()
    with pytest.raises(InputError):
        before.step(bad)
    assert before.state["seen"][0] == 0
