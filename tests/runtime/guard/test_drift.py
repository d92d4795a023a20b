import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.contract import QUANTILE_LEVELS, Channel
from edgelstm.data.series import statistics
from edgelstm.errors import InputError
from edgelstm.runtime import Guard, GuardedStream, Predictor, load, measure_drift, read_model_file
from tests.conftest import CO2_FILES


def channel(training, name="x"):
    return Channel(name, None, "float32", None if training is None else statistics(np.asarray(training, np.float64)))


def psi(training, seen):
    return measure_drift(np.asarray(seen, np.float64)[:, np.newaxis], (channel(training),)).psi["x"]


def by_histogram(training, seen):
    """The index as textbooks have it: ten bins between the training's deciles, the outer two open."""
    edges = np.quantile(training, QUANTILE_LEVELS)
    edges[0], edges[-1] = -np.inf, np.inf
    expected = np.full(10, 0.1)
    actual = np.histogram(seen, edges)[0] / len(seen)
    actual = np.where(actual == 0, 1e-4, actual)
    return sum((a - e) * math.log(a / e) for a, e in zip(actual, expected, strict=True))


@given(st.integers(0, 2**32), st.floats(-3, 3), st.floats(0.1, 3), st.integers(20, 2000))
@settings(max_examples=100, deadline=None)
def test_the_index_is_that_of_a_histogram_over_the_training_deciles(seed, shift, width, count):
    random = np.random.default_rng(seed)
    training = random.normal(size=5000).astype(np.float32)
    seen = random.normal(shift, width, count).astype(np.float32)
    assert psi(training, seen) == pytest.approx(by_histogram(training, seen), rel=1e-6, abs=1e-9)


def test_the_index_of_a_case_worked_out_by_hand():
    """Half of the samples in the lowest of ten bins, the rest spread evenly over the other nine."""
    training = np.arange(1001) / 1000
    seen = [0.05] * 9 + [0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]
    by_hand = 0.4 * math.log(5) + 9 * (1 / 18 - 0.1) * math.log(10 / 18)
    assert psi(training, seen) == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize("values", [2, 3, 5, 10, 12, 30])
@pytest.mark.parametrize("skew", [0.0, 0.9, 3.0])
def test_a_channel_of_few_values_has_not_drifted_while_nothing_changes(values, skew):
    """Quantiles then repeat or lie on values that many samples have, down to a switch that is nearly always off."""
    random = np.random.default_rng(values)
    shares = np.exp(-skew * np.arange(values))
    training, seen = (random.choice(values, size, p=shares / shares.sum()) for size in (50_000, 2000))
    assert psi(training, seen) < 0.05


@pytest.mark.parametrize("rare", [0.0005, 0.01, 0.05, 0.099, 0.101, 0.25, 0.4, 0.5])
def test_a_switch_that_changes_its_habit_has_drifted_one_that_does_not_has_not(rare):
    random = np.random.default_rng(3)
    training = random.random(50_000) < rare
    assert psi(training, random.random(1000) < rare) < 0.1
    assert psi(training, random.random(1000) < 0.9) > 0.25


@pytest.mark.parametrize("constant", [0.0, 0.1, 7.3, -1e30])
def test_a_constant_channel_has_drifted_once_it_is_another_value(constant):
    training = np.full(100, constant)
    assert psi(training, np.full(50, constant)) == pytest.approx(0)
    for other in (np.nextafter(np.float32(constant), np.float32(s * np.inf)) for s in (-1, 1)):
        assert psi(training, np.full(50, other)) > 0.25


def test_what_is_missing_is_left_out_and_too_little_says_nothing():
    training = np.random.default_rng(0).normal(size=1000)
    seen = training[:600].copy()
    gone = seen.copy()
    gone[::2] = np.nan
    gone[1::60] = np.inf
    assert psi(training, gone[1:]) is None
    gone = seen.copy()
    gone[::2] = -np.inf
    assert psi(training, gone) == pytest.approx(psi(training, seen[1::2]))
    assert psi(training, []) is None
    assert psi(None, seen) is None


def test_each_channel_is_compared_with_its_own_training():
    random = np.random.default_rng(1)
    training = {"a": random.normal(0, 1, 1000), "b": random.normal(500, 30, 1000), "c": None}
    channels = tuple(channel(values, name) for name, values in training.items())
    rows = np.stack([random.normal(2, 1, 400), random.normal(500, 30, 400), np.zeros(400)], axis=1)
    rows[:3, 2] = np.nan
    drift = measure_drift(rows, channels)
    assert drift.drifted == ("a",)
    assert drift.psi["c"] is None
    assert drift.measured == {"a": 400, "b": 400, "c": 397}
    assert measure_drift(rows, channels, threshold=0).drifted == ("a", "b")


@pytest.mark.parametrize("bad", [1.0, [1.0], [[1.0, 2.0]], [[[1.0]]], [["1"]], None])
def test_what_is_no_window_of_samples_is_refused(bad):
    with pytest.raises(InputError):
        measure_drift(bad, (channel([1.0, 2.0]),))


def test_tokens_have_no_drift_and_no_guard():
    tokens = Channel("x", None, "int64", None, 9)
    with pytest.raises(InputError, match="expected samples"):
        measure_drift([[1.0]], (tokens,))
    file = read_model_file(CO2_FILES / "co2.fp32.onnx")
    predictor = Predictor(file)
    predictor.contract = replace(file.contract, inputs=(tokens,))
    with pytest.raises(InputError, match="this file takes tokens"):
        GuardedStream(predictor)


@pytest.fixture(scope="module")
def co2():
    """The file that ships: weekly, one channel."""
    return load(CO2_FILES / "co2.fp32.onnx")


@given(st.integers(1, 20), st.lists(st.one_of(st.floats(300, 400, width=32), st.none()), max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_guard_measures_the_last_samples_and_no_others(co2, window, values):
    guarded = GuardedStream(co2, Guard(drift_window=window, max_hold=100))
    for value in values:
        guarded.step([math.nan if value is None else value])
    last = [math.nan if v is None else v for v in values][-window:]
    whole = [math.nan] * (window - len(last)) + last
    expected = measure_drift(np.array(whole, np.float32)[:, np.newaxis], co2.contract.inputs)
    assert guarded.drift() == expected
    assert guarded.drift() == expected


def test_drift_sees_samples_as_they_came_and_none_that_was_dropped_refused_or_filled_in(co2):
    week, guard = 7 * 86400.0, Guard(drift_window=10, on_range="clip", margin=0, max_hold=5)
    guarded = GuardedStream(co2, guard)
    for value, weeks in [(330, 0), (331, 1), (500, 1), (332, 4), (600, 3), (9999, 5), (float("nan"), 6), (333, 7)]:
        guarded.step([value], weeks * week)
    with pytest.raises(InputError):
        guarded.step(["1"], 8 * week)
    with pytest.raises(InputError):
        guarded.step([700.0], "later")
    came = np.full((10, 1), np.nan)
    came[:5, 0] = [330, 331, 332, 9999, 333]
    assert guarded.drift() == measure_drift(came, co2.contract.inputs)
    assert guarded.drift().measured == {"co2": 5}
    guarded.reset()
    assert guarded.drift().measured == {"co2": 5}


def test_a_guard_without_a_window_has_no_drift(co2):
    guarded = GuardedStream(co2, Guard(drift_window=0))
    guarded.step([330.0])
    guarded.step([float("nan")])
    with pytest.raises(InputError, match="give it a drift_window above 0"):
        guarded.drift()


def test_samples_like_the_training_have_not_drifted_and_those_of_60_ppm_more_have(co2):
    quantiles = co2.contract.inputs[0].statistics.quantiles
    training = np.interp(np.random.default_rng(0).random(1000), QUANTILE_LEVELS, quantiles)
    for rows, drifted in ((training, ()), (training + 60, ("co2",))):
        guarded = GuardedStream(co2, Guard(on_range="count"))
        for value in rows:
            guarded.step([value])
        assert guarded.drift().drifted == drifted
