"""Ridge against least squares that numpy solves, its penalty, what it shrugs off, and what it does not take on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm.contract import Channel
from edgelstm.data.baselines import forecast
from edgelstm.data.baselines.forecast import baselines
from edgelstm.data.baselines.ridge import (
    RIDGE_ALPHAS,
    RIDGE_BYTES,
    Ridge,
    measures,
    moments_of,
    ridge_bytes,
    robust,
    scaled_mse,
)
from edgelstm.data.windows import end_to_end, from_arrays, from_rows
from tests.data.baselines.plain import huber, least_squares


def noise(rows, channels=1, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(rows, channels)), axis=0).astype(np.float32)


def everything(forecast, windows):
    return forecast(np.arange(len(windows)))


def test_ridge_equals_an_augmented_least_squares_problem():
    rows = noise(300, 3)
    windows = from_rows(rows, rows[:, [2, 0]], 0, 6, 4, 1)
    x, y = windows.x(), windows.y()
    base = x[:, -1:, [2, 0]].astype(np.float64)
    ridge = Ridge(windows, None, np.ones(2), (2, 0))
    assert ridge.alpha == 1.0
    expected = least_squares(x, y, base, 1.0, (2, 0))(x, base)
    np.testing.assert_allclose(everything(ridge.linear.forecaster(windows), windows), expected, rtol=1e-4, atol=1e-4)


def test_ridge_chooses_the_penalty_that_is_best_on_validation():
    training, validation = noise(150, seed=1), noise(80, seed=2)
    windows = [from_rows(rows, rows, 0, 12, 2, 1) for rows in (training, validation)]
    ridge = Ridge(*windows, np.ones(1), (0,))

    def validation_error(alpha):
        x, y = windows[0].x(), windows[0].y()
        forecast = least_squares(x, y, x[:, -1:].astype(np.float64), alpha)
        x, y = windows[1].x(), windows[1].y()
        return ((forecast(x, x[:, -1:]) - y) ** 2).mean()

    errors = {alpha: validation_error(alpha) for alpha in RIDGE_ALPHAS}
    assert ridge.alpha == min(errors, key=errors.get)
    assert ridge.alpha != 1.0  # else this test could not tell a choice from the default


def test_ridge_learns_more_windows_than_fit_at_once_exactly():
    rows = noise(2600)
    windows = from_rows(rows, rows, 0, 5, 1, 1)
    x, y = windows.x(), windows.y()
    expected = least_squares(x, y, x[:, -1:].astype(np.float64), 1.0)(x, x[:, -1:])
    found = everything(Ridge(windows, None, np.ones(1), (0,)).linear.forecaster(windows), windows)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_ridge_without_the_past_of_the_targets_starts_from_their_mean():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5, 2)).astype(np.float32)
    y = (x[:, :1, :1] - x[:, -1:, :1] + 100 + 0.01 * rng.normal(size=(200, 1, 1))).astype(np.float32)
    windows = from_arrays(x, y, ())
    found = everything(Ridge(windows, None, np.ones(1), ()).linear.forecaster(windows), windows)
    expected = least_squares(x, y, y.mean(axis=0, dtype=np.float64), 1.0, ())(x, y.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.abs(found - y).max() < 0.1


def test_the_penalties_are_the_powers_of_ten_from_a_thousandth_to_a_thousand():
    assert pytest.approx([10.0**power for power in range(-3, 4)]) == RIDGE_ALPHAS


@pytest.mark.parametrize(("share", "varies"), [(1.5e-7, True), (0.7e-7, False)])
@pytest.mark.parametrize("size", [1e-10, 1.0, 1e6])
def test_a_column_stands_still_where_it_moves_by_less_than_float32_can_tell(size, share, varies):
    """That is a ten millionth of its level, in whatever unit."""
    x = size * (1 + share * np.array([[1.0], [-1.0]] * 50))
    moments = moments_of([(x, np.array([[1.0], [-1.0]] * 50), np.ones(100))])
    assert moments.scale == pytest.approx(size * share if varies else 1.0, rel=1e-2)
    weight, bias = moments.solve(0.0 if varies else 1.0)
    assert (x @ weight + bias)[0, 0] == pytest.approx(1.0 if varies else 0.0, rel=0.05)


def test_targets_that_nobody_knows_are_no_error_on_validation():
    x = np.zeros((3, 4, 1), np.float32)
    y = np.array([[[5.0], [np.nan]], [[np.nan], [np.nan]], [[-2.0], [4.0]]], np.float32)
    rows = noise(40)
    line = Ridge(from_rows(rows, rows, 0, 4, 2, 1), None, np.ones(1), (0,)).linear
    off = line.bias[np.newaxis] - y  # of windows that do not move
    expected = np.nansum((off / 2.0) ** 2)
    assert scaled_mse(line, from_arrays(x, y, (0,)), np.array([2.0])) == pytest.approx(expected)


def spiked(seed, spread=(1.0, 1.0)):
    """Windows of two walks at levels of their own; the second is forecast, and the first; some targets are spikes."""
    rng, rows = np.random.default_rng(seed), noise(130, 2, seed) * spread + [50, -9]
    rows = rows.astype(np.float32)
    windows = from_rows(rows, rows[:, [1, 0]].copy(), 0, 5, 2, 1)
    windows.y_rows[rng.integers(0, 130, 6)] += 30 * np.array(spread[::-1], np.float32)
    return windows


@pytest.mark.parametrize("validated", [False, True])
def test_outliers_count_less_by_the_weights_of_huber_three_times(validated):
    """On the way the penalty is that of ridge; validation chooses that of the last line anew."""
    windows, spread = spiked(0), np.array([1.0, 4.0])
    validation = from_rows(noise(90, 2, 3), noise(90, 2, 3)[:, [1, 0]], 0, 5, 2, 1) if validated else None
    x, y = windows.x(), windows.y().astype(np.float64)
    base = x[:, -1:, [1, 0]].astype(np.float64)
    first = Ridge(windows, None, spread, (1, 0), None, 100.0)
    found = robust(windows, validation, spread, (1, 0), first)
    lines = {alpha: huber(x, y, base, [100.0] * 3 + [alpha], (1, 0), spread) for alpha in RIDGE_ALPHAS}
    expected = 100.0
    if validated:
        held_x, held_y = validation.x(), validation.y()
        held = held_x[:, -1:, [1, 0]]
        errors = {alpha: (((lines[alpha](held_x, held) - held_y) / spread) ** 2).mean() for alpha in RIDGE_ALPHAS}
        expected = min(errors, key=errors.get)
        assert expected != 100.0  # else a choice could not be told
    assert found.alpha == expected
    np.testing.assert_allclose(
        everything(found.linear.forecaster(windows), windows), lines[expected](x, base), atol=1e-4
    )
    assert np.abs(everything(first.linear.forecaster(windows), windows) - lines[expected](x, base)).max() > 0.1


def test_windows_without_an_error_all_count():
    rows = np.arange(40, dtype=np.float32)[:, np.newaxis]
    windows = from_rows(rows, rows, 0, 4, 1, 1)
    assert Ridge(windows, None, np.ones(1), (0,), None, 1e-30).robust_counts(np.ones(1)).min() > 0


def fleet(lengths, spreads):
    each = [from_rows(noise(rows, 2, rows), noise(rows, 2, rows + 1), 0, 4, 2, 1) for rows in lengths]
    return end_to_end(each, tuple("abc")[: len(each)], np.array(spreads))


def test_each_series_weighs_the_same_and_is_measured_by_its_own_spread():
    """15 and 5 windows, and a series with none: weights 2/3 and 2, by whose roots the spreads are divided."""
    windows = fleet((20, 10, 5), [[1.0, 2.0], [30.0, 60.0], [7.0, 7.0]])
    assert np.bincount(windows.series, minlength=3).tolist() == [15, 5, 0]
    found = measures(windows, np.array([0, 14, 15, 19]), np.ones(2))
    assert found.shape == (4, 1, 2)
    expected = [[1.0, 2.0], [1.0, 2.0], [30.0, 60.0], [30.0, 60.0]] / np.sqrt([[2 / 3], [2 / 3], [2], [2]])
    np.testing.assert_allclose(found[:, 0], expected)
    alone = replace(windows, spreads=None, firsts=None)
    np.testing.assert_array_equal(measures(alone, np.arange(3), np.array([2.0, 5.0])), [[[2.0, 5.0]]] * 3)


def test_ridge_is_left_out_where_its_equations_would_take_more_memory_than_a_training(monkeypatch):
    rows = noise(60, 3)
    windows = from_rows(rows, rows[:, :2], 0, 6, 4, 1)
    assert ridge_bytes(windows) == 8 * (18 * 18 + 18 * 8)
    outputs = tuple(Channel(name, None, "float32", None) for name in "ab")
    monkeypatch.setattr(forecast, "RIDGE_BYTES", ridge_bytes(windows))
    assert "ridge" in baselines(windows, None, outputs, None, (0, 1))
    monkeypatch.setattr(forecast, "RIDGE_BYTES", ridge_bytes(windows) - 1)
    assert list(baselines(windows, None, outputs, None, (0, 1))) == ["persistence"]
    assert RIDGE_BYTES == 2**30
