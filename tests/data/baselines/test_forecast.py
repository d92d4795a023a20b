"""Baselines against independent implementations, and their known figures on the data that ships."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.contract import Channel
from edgelstm.data.baselines import forecast
from edgelstm.data.baselines.forecast import baselines, persistence, seasonal_naive
from edgelstm.data.baselines.ridge import RIDGE_ALPHAS, Ridge, ridge_bytes
from edgelstm.data.parts import Cut, fraction_borders, split
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.data.scores.score import score
from edgelstm.data.seasons import season_of
from edgelstm.data.series import statistics
from edgelstm.data.windows import from_arrays, from_rows

HOUR, DAY, WEEK = 3600.0, 86_400.0, 7 * 86_400.0


def noise(rows, channels=1, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(rows, channels)), axis=0).astype(np.float32)


def everything(forecast, windows):
    return forecast(np.arange(len(windows)))


@given(steps=st.integers(1, 6), horizon=st.integers(1, 5))
def test_persistence_repeats_the_last_value(steps, horizon):
    rows = noise(30, 2)
    windows = from_rows(rows, rows, 0, steps, horizon, 1)
    forecast = everything(persistence(windows), windows)
    for i in range(len(windows)):
        for k in range(horizon):
            np.testing.assert_array_equal(forecast[i, k], rows[i + steps - 1])


@given(season=st.integers(1, 7), more=st.integers(1, 4), horizon=st.integers(1, 16))
def test_seasonal_naive_adds_the_drift_of_a_season_to_the_last_season(season, more, horizon):
    steps, rows = season + more, noise(40, 2)
    windows = from_rows(rows, rows, 0, steps, horizon, 1)
    forecast = everything(seasonal_naive(windows, season), windows)
    for i in range(len(windows)):
        now = i + steps - 1
        for k in range(1, horizon + 1):
            back = now + k
            while back > now:
                back -= season
            np.testing.assert_allclose(forecast[i, k - 1], rows[back] + rows[now] - rows[now - season], atol=1e-5)


@pytest.mark.parametrize(
    ("period_s", "season"),
    [
        (HOUR, 24),
        (600.0, 144),
        (DAY / 2, 2),
        (DAY, 7),
        (WEEK, 52),
        (30.4369 * DAY, 12),
        (365.2425 * DAY, None),
        (None, None),
    ],
)
def test_the_season_is_a_day_a_week_or_a_year(period_s, season):
    assert season_of(period_s) == season


def least_squares(x, y, base, alpha, own=(0,)):
    """Ridge by one augmented least-squares problem on standardized columns: gives a forecaster."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    relative = np.isin(np.arange(x.shape[-1]), own)
    z = (x - x[:, -1:] * relative).reshape(len(x), -1)
    offset, scale = z.mean(axis=0), z.std(axis=0)
    scale[scale < 1e-9] = 1
    t = (y - base).reshape(len(y), -1)
    rows = np.vstack([(z - offset) / scale, np.sqrt(alpha) * np.eye(z.shape[1])])
    goal = np.vstack([t - t.mean(axis=0), np.zeros((z.shape[1], t.shape[1]))])
    weights = np.linalg.lstsq(rows, goal, rcond=None)[0]

    def forecast(x, base):
        z = (x - x[:, -1:] * relative).reshape(len(x), -1)
        return ((z - offset) / scale @ weights + t.mean(axis=0)).reshape(len(x), *y.shape[1:]) + base

    return forecast


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


@pytest.mark.parametrize("baseline", [persistence, lambda windows: seasonal_naive(windows, 2)])
def test_windows_without_the_past_of_their_targets_cannot_be_repeated(baseline):
    windows = from_arrays(np.zeros((3, 4, 1), np.float32), np.zeros((3, 2, 1), np.float32), ())
    with pytest.raises(ValueError, match="do not contain the past of their targets"):
        baseline(windows)(np.arange(3))


def test_the_figures_on_co2_are_those_that_are_published():
    series = read("builtin:co2", Asking(("co2",), time=("date",))).series[0]
    cut = Cut(steps=104, horizon=12, stride=1, overlap=True, missing="interpolate")
    borders = fraction_borders(len(series.values), 0.7, 0.15, 0.15)
    training, validation, test = (p.windows for p in split(series, ("co2",), ("co2",), borders, cut))
    std = np.array([statistics(training.y_rows[:, 0]).std])
    forecasts = {
        "persistence": persistence(test),
        "seasonal naive": seasonal_naive(test, 52),
        "ridge": Ridge(training, validation, std, (0,)).linear.forecaster(test),
    }
    outputs = (Channel("co2", "ppm", "float32", None),)
    found = {name: score(forecast, test, outputs, "number").score["rmse"] for name, forecast in forecasts.items()}
    assert found == pytest.approx({"persistence": 2.02, "seasonal naive": 0.775, "ridge": 0.496}, abs=0.005)


def test_quantiles_of_a_baseline_cover_on_the_part_they_were_taken_from_what_they_say():
    rows = noise(400, 2)
    windows = from_rows(rows, rows, 0, 6, 3, 1)
    levels = (0.1, 0.5, 0.9)
    outputs = tuple(Channel(f"{c} q{q}", None, "float32", None, quantile=q, column=c) for c in "ab" for q in levels)
    found = baselines(windows, windows, outputs, None, (0, 1))
    assert set(found) == {"persistence", "ridge"}
    point = everything(persistence(windows), windows)
    residuals = windows.y() - point
    for baseline in found.values():
        y = everything(baseline(windows), windows)
        below = (np.repeat(windows.y(), 3, axis=-1) <= y).mean(axis=0)
        np.testing.assert_allclose(below, np.tile(levels * 2, (3, 1)), atol=0.01)
    y = everything(found["persistence"](windows), windows)
    np.testing.assert_allclose(y[..., 5], point[..., 1] + np.quantile(residuals[..., 1], 0.9, axis=0), atol=1e-4)


def test_quantiles_of_a_baseline_are_those_of_what_it_is_off_by_on_validation():
    """A part that is nine times as wild as training: its residuals are nine times as wide."""
    training, validation = noise(400), 9 * noise(400, seed=1)
    cut = [from_rows(rows, rows, 0, 6, 2, 1) for rows in (training, validation)]
    levels = (0.1, 0.9)
    outputs = tuple(Channel(f"a q{q}", None, "float32", None, quantile=q, column="a") for q in levels)
    for held_out, windows in ((cut[1], cut[1]), (None, cut[0])):  # without validation those of training
        found = everything(baselines(cut[0], held_out, outputs, None, (0,))["persistence"](cut[0]), cut[0])
        residuals = windows.y() - windows.x()[:, -1:]
        offsets = np.quantile(residuals, levels, axis=0)[..., 0].T
        np.testing.assert_allclose(found - cut[0].x()[:, -1:], np.tile(offsets, (len(found), 1, 1)), atol=1e-3)


def test_baselines_that_need_the_past_of_the_targets_are_left_out_without_it():
    rng = np.random.default_rng(0)
    windows = from_arrays(
        rng.normal(size=(50, 4, 1)).astype(np.float32), rng.normal(size=(50, 2, 1)).astype(np.float32), ()
    )
    assert list(baselines(windows, None, (Channel("y", None, "float32", None),), 2, ())) == ["ridge"]


def test_ridge_is_left_out_where_its_equations_would_take_more_memory_than_a_training(monkeypatch):
    rows = noise(60, 3)
    windows = from_rows(rows, rows[:, :2], 0, 6, 4, 1)
    assert ridge_bytes(windows) == 8 * (18 * 18 + 18 * 8)
    outputs = tuple(Channel(name, None, "float32", None) for name in "ab")
    assert "ridge" in baselines(windows, None, outputs, None, (0, 1))
    monkeypatch.setattr(forecast, "RIDGE_BYTES", ridge_bytes(windows) - 1)
    assert list(baselines(windows, None, outputs, None, (0, 1))) == ["persistence"]
