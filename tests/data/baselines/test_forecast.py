"""Baselines against independent implementations, and their known figures on the data that ships."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.contract import Channel
from edgelstm.data.baselines.forecast import baselines, persistence, seasonal_naive
from edgelstm.data.baselines.ridge import Ridge
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
