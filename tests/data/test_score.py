"""Scores against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.score import CHUNK, score_windows
from edgelstm.data.windows import from_arrays

SIZES = st.integers(1, 4)


def scored(y, forecast, std):
    windows = from_arrays(np.zeros((len(y), 2, 1), np.float32), y, ())
    return score_windows(lambda index: forecast[index], windows, np.array(std))


def mean(values):
    values = list(values)
    return math.fsum(values) / len(values)


@given(N=SIZES, K=SIZES, O=SIZES, seed=st.integers(0, 2**32))
def test_scores_equal_plain_loops(N, K, O, seed):  # noqa: E741 (O is a shape letter)
    rng = np.random.default_rng(seed)
    y, z = rng.normal(size=(2, N, K, O)).astype(np.float32) * 10
    std = rng.uniform(0.1, 5, O)
    error = [[[float(z[n, k, o]) - float(y[n, k, o]) for o in range(O)] for k in range(K)] for n in range(N)]
    every = [(n, k, o) for n in range(N) for k in range(K) for o in range(O)]
    found = scored(y, z, std)
    mse = mean(error[n][k][o] ** 2 for n, k, o in every)
    assert found.score["mse"] == pytest.approx(mse)
    assert found.score["rmse"] == pytest.approx(math.sqrt(mse))
    assert found.score["mae"] == pytest.approx(mean(abs(error[n][k][o]) for n, k, o in every))
    assert found.score["scaled_mse"] == pytest.approx(mean((error[n][k][o] / std[o]) ** 2 for n, k, o in every))
    assert found.score["scaled_mae"] == pytest.approx(mean(abs(error[n][k][o]) / std[o] for n, k, o in every))
    by_channel = [math.sqrt(mean(error[n][k][o] ** 2 for n in range(N) for k in range(K))) for o in range(O)]
    by_step = [math.sqrt(mean(error[n][k][o] ** 2 for n in range(N) for o in range(O))) for k in range(K)]
    assert found.rmse_by_channel == pytest.approx(by_channel)
    assert found.rmse_by_step == pytest.approx(by_step)


def test_a_perfect_forecast_scores_zero():
    y = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    score = scored(y, y, [1, 2]).score
    assert list(score.values()) == [0.0] * 5


@pytest.mark.parametrize("count", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_more_windows_than_fit_at_once_are_all_scored(count):
    y = np.random.default_rng(0).normal(size=(count, 1, 1)).astype(np.float32)
    expected = float(np.mean(y.astype(np.float64) ** 2))
    assert scored(y, 0 * y, [1.0]).score["mse"] == pytest.approx(expected)


def test_large_levels_do_not_drown_small_errors():
    y = np.full((10, 1, 1), 1e6, np.float32)
    assert scored(y, y + np.float32(0.0625), [1.0]).score["rmse"] == 0.0625
