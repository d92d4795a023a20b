"""Scores of many series, against figures computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.contract import Channel, Statistics
from edgelstm.data.scores.score import score
from edgelstm.data.windows import end_to_end, from_rows

MEDIAN = tuple(Channel(f"sales q{q}", None, "float32", None, quantile=q, column="sales") for q in (0.1, 0.5, 0.9))


def channel(spread, name="sales"):
    return Channel(name, None, "float32", Statistics(0.0, spread, 0.0, 1.0, (0.0,) * 11))


def fleet(sizes, rows=(12, 9), steps=3, horizon=2, outputs=1):
    """Series whose samples are multiples of a size, each measured by a spread of that size."""
    rng = np.random.default_rng(0)
    made = [rng.normal(size=(count, outputs)).astype(np.float32) * s for count, s in zip(rows, sizes, strict=True)]
    cut = [from_rows(one, one, 0, steps, horizon, 1) for one in made]
    spreads = np.array([[size] * outputs for size in sizes], np.float64)
    return end_to_end(cut, tuple(f"store {i}" for i in range(len(sizes))), spreads), cut


def test_the_scaled_errors_are_the_mean_of_those_of_each_series():
    windows, apart = fleet((1.0, 100.0))
    scored = score(lambda index: np.zeros((len(index), 2, 1)), windows, (channel(50.0),), "number")
    mse = [float(np.mean(one.y().astype(np.float64) ** 2)) for one in apart]
    mae = [float(np.mean(np.abs(one.y().astype(np.float64)))) for one in apart]
    assert scored.score["scaled_mse"] == pytest.approx((mse[0] + mse[1] / 100**2) / 2)
    assert scored.score["scaled_mae"] == pytest.approx((mae[0] + mae[1] / 100) / 2)
    of_all = np.concatenate([one.y().ravel() for one in apart]).astype(np.float64)
    assert scored.score["rmse"] == pytest.approx(np.sqrt(np.mean(of_all**2)))
    names = [(one["name"], one["windows"]) for one in scored.details["by_series"]]
    assert names == [("store 0", 8), ("store 1", 5)]
    assert [one["rmse"] for one in scored.details["by_series"]] == pytest.approx(np.sqrt(mse))
    assert [one["scaled_mse"] for one in scored.details["by_series"]] == pytest.approx([mse[0], mse[1] / 1e4])


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(1e-6, 1e6))
def test_the_size_of_a_series_does_not_change_the_scaled_errors(factor):
    """Persistence of a series times ten is ten times as far off, and its spread is ten times as large."""
    figures = []
    for sizes in ((1.0, 1.0), (1.0, factor)):
        windows, _ = fleet(sizes)
        last = lambda index, windows=windows: np.repeat(windows.history(index)[:, -1:], 2, axis=1)  # noqa: E731
        figures.append(score(last, windows, (channel(1.0),), "number").score["scaled_mse"])
    assert figures[1] == pytest.approx(figures[0], rel=1e-5)


def test_a_series_with_many_windows_weighs_no_more_than_one_with_few():
    windows, apart = fleet((1.0, 1.0), rows=(200, 7))
    scored = score(lambda index: np.zeros((len(index), 2, 1)), windows, (channel(1.0),), "number").score
    assert scored["scaled_mse"] == pytest.approx(np.mean([np.mean(one.y() ** 2) for one in apart]), rel=1e-6)


def test_quantiles_of_many_series_are_scaled_by_each():
    windows, apart = fleet((1.0, 100.0))
    scored = score(lambda index: np.zeros((len(index), 2, 3)), windows, MEDIAN, "quantile")
    pinball = []
    for one in apart:
        truth = one.y().astype(np.float64)
        pinball.append(np.mean([np.maximum(q * truth, (q - 1) * truth) for q in (0.1, 0.5, 0.9)]))
    assert scored.score["scaled_pinball"] == pytest.approx((pinball[0] + pinball[1] / 100) / 2)
    assert 0 <= scored.score["coverage"] <= 1


def test_each_target_of_a_series_has_a_spread_of_its_own():
    windows, apart = fleet((1.0, 100.0), outputs=2)
    spreads = np.array([[1.0, 2.0], [100.0, 50.0]])
    windows = end_to_end(apart, windows.names, spreads)
    outputs = (channel(1.0, "a"), channel(1.0, "b"))
    found = score(lambda index: np.zeros((len(index), 2, 2)), windows, outputs, "number").score["scaled_mse"]
    by_hand = [np.mean(one.y().astype(np.float64) ** 2 / spread**2) for one, spread in zip(apart, spreads, strict=True)]
    assert found == pytest.approx(np.mean(by_hand))
