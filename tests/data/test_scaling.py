"""Scaling constants against numpy on copies of the windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.scaling import measure
from edgelstm.data.windows import end_to_end, from_arrays, from_rows
from edgelstm.errors import DataError

NAMES = ("a", "b", "c")


def windows_of(x_rows, y_rows, stride=1, steps=5, horizon=3):
    return from_rows(x_rows, y_rows, 0, steps, horizon, stride)


@st.composite
def cuts(draw):
    """Windows over noise, some of them left out for a gap, with strides that skip rows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = (rng.normal(size=(50, 3)) * [1, 100, 0.01] + [0, -1000, 5]).astype(np.float32)
    if draw(st.booleans()):
        x[draw(st.integers(0, 49)), 1] = np.nan
    sizes = draw(st.integers(1, 12)), draw(st.integers(2, 6)), draw(st.integers(1, 4))
    return windows_of(x, x[:, [2, 0]], *sizes)


def touched(rows, starts, length):
    """The rows that some window touches, each once."""
    numbers = sorted({int(start) + t for start in starts for t in range(length)})
    return rows[numbers].astype(np.float64)


def assert_is(scaling, in_offset, in_scale, out_offset, out_scale):
    for found, expected in (
        (scaling.input_offset, in_offset),
        (1 / scaling.input_factor, in_scale),
        (scaling.output_offset, out_offset),
        (scaling.output_scale, out_scale),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@given(cuts())
def test_standard_is_mean_and_deviation_of_the_rows_in_use(windows):
    x = touched(windows.x_rows, windows.x_starts, windows.steps)
    y = touched(windows.y_rows, windows.y_starts, windows.horizon)
    if len(y) > 1:
        assert_is(measure("standard", windows, NAMES, ("c", "a")), x.mean(0), x.std(0), y.mean(0), y.std(0))


@given(cuts())
def test_minmax_brings_the_rows_in_use_to_zero_and_one(windows):
    x = touched(windows.x_rows, windows.x_starts, windows.steps)
    y = touched(windows.y_rows, windows.y_starts, windows.horizon)
    if len(y) > 1:
        scaling = measure("minmax", windows, NAMES, ("c", "a"))
        assert_is(scaling, x.min(0), x.max(0) - x.min(0), y.min(0), y.max(0) - y.min(0))
        brought = (x - scaling.input_offset) * scaling.input_factor
        np.testing.assert_allclose([brought.min(), brought.max()], [0, 1], atol=1e-4)


@given(cuts())
def test_relative_is_the_size_of_what_is_left_after_the_last_value(windows):
    x, y = windows.x().astype(np.float64), windows.y().astype(np.float64)
    last = x[:, -1:]
    scaling = measure("relative", windows, NAMES, ("c", "a"))
    x_size = np.sqrt(((x - last) ** 2).mean(axis=(0, 1)))
    y_size = np.sqrt(((y - last[..., [2, 0]]) ** 2).mean(axis=(0, 1)))
    beside = touched(windows.x_rows, windows.x_starts, windows.steps)[:, 1]
    offset = [0, beside.mean(), 0]  # b is no output
    x_size[1] = beside.std()
    assert_is(scaling, offset, x_size, 0, y_size)
    assert scaling.relative_inputs == (2, 0)


@given(cuts())
def test_instance_leaves_offsets_to_the_window_where_a_channel_is_forecast(windows):
    x = touched(windows.x_rows, windows.x_starts, windows.steps)
    scaling = measure("instance", windows, NAMES, ("c", "a"))
    assert_is(scaling, x.mean(0) * [0, 1, 0], x.std(0), 0, x.std(0)[[2, 0]])


def test_instance_takes_of_many_series_the_spread_of_the_one_that_moves_least():
    """Of each target its own, in the order of the outputs, and never nothing: a part of the largest."""
    spreads = np.array([[7.0, 3.0], [5.0, 4.0]])
    for smallest, expected in ((5.0, 5.0), (0.0, 7e-12)):
        spreads[1, 0] = smallest
        rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
        cut = [windows_of(part, part[:, [2, 0]]) for part in (rows[:30], rows[30:])]
        scaling = measure("instance", end_to_end(cut, ("p", "q"), spreads), NAMES, ("c", "a"))
        np.testing.assert_allclose(scaling.output_scale, [expected, 3.0], rtol=1e-6)
        np.testing.assert_allclose(1 / scaling.input_factor, [3.0, rows[:, 1].std(), expected], rtol=0.05)
        assert scaling.input_offset[[0, 2]].tolist() == [0, 0]


def test_beside_what_is_relative_a_channel_may_stand_still_over_each_window():
    rows = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    rows[:, 1] = np.arange(40) >= 20  # a machine that runs, then does not
    windows = from_arrays(rows.reshape(4, 10, 2), rows[:4, :1].reshape(4, 1, 1), (0,))
    scaling = measure("relative", windows, ("a", "b"), ("a",))
    np.testing.assert_allclose([scaling.input_offset[1], scaling.input_factor[1]], [0.5, 2])


def test_none_touches_nothing():
    rows = np.full((20, 1), 7, np.float32)  # constant: allowed where nothing is divided by it
    scaling = measure("none", windows_of(rows, rows), ("a",), ("a",))
    assert_is(scaling, 0, 1, 0, 1)
    assert scaling.relative_inputs == ()


def test_arrays_are_measured_like_series():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 4, 1)).astype(np.float32), rng.normal(size=(6, 2, 1)).astype(np.float32)
    assert_is(measure("standard", from_arrays(x, y, ()), ("a",), ("b",)), x.mean(), x.std(), y.mean(), y.std())


@pytest.mark.parametrize("kind", ["standard", "minmax", "relative"])
@pytest.mark.parametrize("level", [0.0, 0.1, 316.1, -1e30])
def test_a_constant_input_is_refused_by_name(kind, level):
    rows = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    rows[:, 1] = level
    with pytest.raises(DataError, match=r"column 'b' is constant \(.*\) in the training part.*remove it"):
        measure(kind, windows_of(rows, rows[:, :1]), ("a", "b"), ("a",))


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_a_constant_output_is_refused_by_name(kind):
    rows = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32)
    with pytest.raises(DataError, match="column 'y' is constant"):
        measure(kind, windows_of(rows, rows * 0 + 3), ("a",), ("y",))


def test_a_channel_that_is_constant_only_in_training_is_constant():
    rows = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32)
    rows[:20] = 1
    with pytest.raises(DataError, match="column 'a' is constant"):
        measure("standard", windows_of(rows[:20], rows[:20]), ("a",), ("a",))


def test_relative_needs_the_target_among_the_inputs():
    rows = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32)
    with pytest.raises(DataError, match=r"scaling needs the past of 'y', which is not among the inputs \(a\)"):
        measure("relative", windows_of(rows, rows), ("a",), ("y",))


def test_relative_on_windows_of_one_step_says_that_a_step_is_too_few():
    rows = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32)
    with pytest.raises(DataError, match=r"relative scaling needs .*steps") as caught:
        measure("relative", windows_of(rows, rows, steps=1), ("a",), ("a",))
    assert "constant" not in str(caught.value)


@pytest.mark.parametrize("kind", ["standard", "minmax", "relative", "instance"])
@pytest.mark.parametrize("unit", [2.0**-33, 2.0**-100, 2.0**60])
def test_a_unit_is_a_factor_of_every_constant(kind, unit):
    rows = np.cumsum(np.random.default_rng(0).normal(size=(60, 2)), axis=0).astype(np.float32)
    plain = measure(kind, windows_of(rows, rows), ("a", "b"), ("a", "b"))
    other = measure(kind, windows_of(rows * np.float32(unit), rows * np.float32(unit)), ("a", "b"), ("a", "b"))
    scales = 1 / plain.input_factor * unit, plain.output_scale * unit
    assert_allclose = np.testing.assert_allclose
    assert_allclose(1 / other.input_factor, scales[0], rtol=1e-6)
    assert_allclose(other.output_scale, scales[1], rtol=1e-6)
    assert_allclose(other.input_offset, plain.input_offset * unit, rtol=1e-6)
    assert_allclose(other.output_offset, plain.output_offset * unit, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-42, 3e38])
def test_what_float32_cannot_divide_by_asks_for_another_unit_and_is_not_called_constant(unit):
    rows = (np.random.default_rng(0).uniform(-1, 1, size=(40, 1)) * unit).astype(np.float32)
    with pytest.raises(DataError, match=r"column 'a' varies by .*use another unit"):
        measure("relative", windows_of(rows, rows), ("a",), ("a",))
