"""Scores of numbers against plain loops."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.contract import Channel, Statistics
from edgelstm.data.scores.numbers import Numbers
from edgelstm.data.scores.score import CHUNK, score
from edgelstm.data.sequences import lay_out
from edgelstm.data.windows import from_arrays
from edgelstm.errors import DataError

SIZES = st.integers(1, 4)


def mean(values):
    values = list(values)
    return math.fsum(values) / len(values)


def channels(std):
    return tuple(
        Channel(f"y{o}", None, "float32", Statistics(0, float(s), 0, 0, (0.0,) * 11)) for o, s in enumerate(std)
    )


def scored(y, forecast, std):
    windows = from_arrays(np.zeros((len(y), 2, 1), np.float32), y, ())
    return score(lambda index: forecast[index], windows, channels(std), "number")


@given(N=SIZES, K=SIZES, O=SIZES, seed=st.integers(0, 2**32))
def test_scores_equal_plain_loops(N, K, O, seed):  # noqa: E741 (O is a shape letter)
    rng = np.random.default_rng(seed)
    y, z = rng.normal(size=(2, N, K, O)).astype(np.float32) * 10
    std = rng.uniform(0.1, 5, O)
    error = [[[float(z[n, k, o]) - float(y[n, k, o]) for o in range(O)] for k in range(K)] for n in range(N)]
    every = [(n, k, o) for n in range(N) for k in range(K) for o in range(O)]
    found, details = scored(y, z, std)
    mse = mean(error[n][k][o] ** 2 for n, k, o in every)
    assert found == pytest.approx(
        {
            "mse": mse,
            "mae": mean(abs(error[n][k][o]) for n, k, o in every),
            "rmse": math.sqrt(mse),
            "scaled_mse": mean((error[n][k][o] / std[o]) ** 2 for n, k, o in every),
            "scaled_mae": mean(abs(error[n][k][o]) / std[o] for n, k, o in every),
        }
    )
    by_channel = [math.sqrt(mean(error[n][k][o] ** 2 for n in range(N) for k in range(K))) for o in range(O)]
    by_step = [math.sqrt(mean(error[n][k][o] ** 2 for n in range(N) for o in range(O))) for k in range(K)]
    assert details["rmse_by_channel"] == pytest.approx(by_channel)
    assert details["rmse_by_step"] == pytest.approx(by_step)
    json.dumps(details, allow_nan=False)


def test_a_perfect_forecast_scores_zero():
    y = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    assert set(scored(y, y, [1, 2]).score.values()) == {0.0}


@pytest.mark.parametrize("count", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_more_windows_than_fit_at_once_are_all_scored(count):
    y = np.random.default_rng(0).normal(size=(count, 1, 1)).astype(np.float32)
    expected = float(np.mean(y.astype(np.float64) ** 2))
    assert scored(y, 0 * y, [1.0]).score["mse"] == pytest.approx(expected)


def test_large_levels_do_not_drown_small_errors():
    y = np.full((10, 1, 1), 1e6, np.float32)
    assert scored(y, y + np.float32(0.0625), [1.0]).score["rmse"] == 0.0625


def test_unknown_truth_is_not_scored_and_series_are_scored_one_by_one():
    truth = [np.array([[1], [np.nan], [3]], np.float32), np.full((2, 1), np.nan, np.float32), np.float32([[5]])]
    series = [np.zeros((len(t), 1), np.float32) for t in truth]
    sequences = lay_out(series, truth, every_step=True, names=("a", "b", "c"))
    found = score(lambda index: np.zeros_like(truth[index[0]]), sequences, channels([1]), "number")
    assert found.score["mae"] == pytest.approx(3)
    assert found.score["mse"] == pytest.approx(35 / 3)
    assert [(s["name"], s["steps"], s["mae"]) for s in found.details["by_series"]] == [("a", 2, 2.0), ("c", 1, 5.0)]


def test_truth_is_clipped_at_the_cap_and_scored_as_it_is_beside():
    scorer = Numbers(np.ones(2), (125.0, None))
    scorer.add(np.array([[125, 0], [100, 0]], np.float32), np.array([[145, 0], [100, 150]], np.float32))
    score, details = scorer.result()
    assert score["mse"] == 150**2 / 4
    assert details["uncapped_rmse"] == pytest.approx(math.sqrt((20**2 + 150**2) / 4))
    assert "uncapped_rmse" not in scored(np.zeros((1, 1, 1), np.float32), np.ones((1, 1, 1)), [1]).details


def test_nothing_known_is_nothing_scored():
    scorer = Numbers(np.ones(1))
    scorer.add(np.zeros((2, 1)), np.full((2, 1), np.nan))
    with pytest.raises(DataError, match="this part has no known truth"):
        scorer.result()


def test_an_answer_that_is_no_number_is_never_passed_over():
    scorer = Numbers(np.ones(2))
    scorer.add(np.array([[np.nan, 0]]), np.array([[1, np.nan]]))
    scorer.add(np.array([[0, 0]]), np.array([[1, 1]]))
    assert all(math.isnan(value) for value in scorer.result().score.values())
