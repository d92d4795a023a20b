"""Scores of quantiles against plain loops, and against what a known distribution must give."""

from __future__ import annotations

import json
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.scores.quantiles import Quantiles

LEVELS = (0.1, 0.5, 0.9)


@given(seed=st.integers(0, 2**32), chunks=st.integers(1, 3))
def test_scores_equal_plain_loops(seed, chunks):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(6, 2, 6)).astype(np.float32)
    truth = rng.normal(size=(6, 2, 2)).astype(np.float32)
    truth[rng.random(truth.shape) < 0.2] = np.nan
    truth[0] = 0
    std = np.repeat(rng.uniform(0.5, 2, 2), 3)
    scorer = Quantiles(std, ("a",) * 3 + ("b",) * 3, LEVELS * 2)
    for part in np.array_split(np.arange(6), chunks):
        scorer.add(y[part], truth[part])
    score, details = scorer.result()
    cells, scaled, covered = {}, {}, {}
    for n, k, o in np.ndindex(6, 2, 6):
        t = float(truth[n, k, o // 3])
        if math.isnan(t):
            continue
        e, q = t - float(y[n, k, o]), LEVELS[o % 3]
        loss = q * e if e >= 0 else (q - 1) * e
        cells.setdefault((k, o), []).append(loss)
        scaled.setdefault((k, o), []).append(loss / std[o])
        low, high = (float(y[n, k, o // 3 * 3 + i]) for i in (0, 2))
        covered.setdefault((k, o // 3), {})[n] = low <= t <= high

    def mean(values):
        return math.fsum(values) / len(values)

    assert score["pinball"] == pytest.approx(mean([mean(v) for v in cells.values()]))
    assert score["scaled_pinball"] == pytest.approx(mean([mean(v) for v in scaled.values()]))
    assert score["coverage"] == pytest.approx(mean([mean(v.values()) for v in covered.values()]))
    assert score["mae"] == pytest.approx(2 * mean([mean(v) for (_, o), v in cells.items() if o % 3 == 1]))
    assert details["pinball_by_step"] == pytest.approx(
        [mean([mean(v) for (k, _), v in cells.items() if k == step]) for step in range(2)]
    )
    json.dumps(details, allow_nan=False)


def test_the_quantiles_of_a_normal_distribution_are_calibrated():
    truth = np.random.default_rng(0).normal(size=(20_000, 1, 1)).astype(np.float32)
    z = [NormalDist().inv_cdf(q) for q in LEVELS]
    scorer = Quantiles(np.ones(3), ("a",) * 3, LEVELS)
    scorer.add(np.broadcast_to(np.float32(z), (20_000, 1, 3)), truth)
    score, details = scorer.result()
    assert [c["below"] for c in details["calibration"]] == pytest.approx(LEVELS, abs=0.01)
    assert score["coverage"] == pytest.approx(details["interval"], abs=0.01)
    # The least expected loss of a level is the density there (Gneiting 2011).
    assert score["pinball"] == pytest.approx(np.mean([NormalDist().pdf(x) for x in z]), abs=0.01)
    assert details["crossing"] == 0.0


def test_levels_out_of_order_are_counted_target_by_target():
    scorer = Quantiles(np.ones(4), ("a", "a", "b", "b"), (0.1, 0.9, 0.1, 0.9))
    y = np.float32([[[0, 1, -5, -4]], [[1, 0, 0, 1]]])  # from 1 to -5 is no crossing: another target begins
    scorer.add(y, np.zeros((2, 1, 2), np.float32))
    assert scorer.result().details["crossing"] == 0.25


def test_one_level_has_no_interval_and_no_median_no_absolute_error():
    scorer = Quantiles(np.ones(1), ("a",), (0.9,))
    scorer.add(np.zeros((1, 1, 1)), np.ones((1, 1, 1)))
    score, details = scorer.result()
    assert set(score) == {"pinball", "scaled_pinball"}
    assert "crossing" not in details
    assert score["pinball"] == pytest.approx(0.9)


def test_an_answer_that_is_no_number_is_never_passed_over():
    scorer = Quantiles(np.ones(1), ("a",), (0.5,))
    scorer.add(np.array([[[np.nan]], [[0]]]), np.ones((2, 1, 1)))
    assert all(math.isnan(value) for value in scorer.result().score.values())


def test_truth_at_an_answer_is_at_or_below_it_and_covered():
    scorer = Quantiles(np.ones(3), ("a",) * 3, (0.1, 0.5, 0.9))
    scorer.add(np.tile(np.array([1.0, 2.0, 3.0]), (3, 1, 1)), np.array([[[1.0]], [[3.0]], [[3.5]]]))
    found = scorer.result()
    assert found.score["coverage"] == pytest.approx(2 / 3)
    assert [one["below"] for one in found.details["calibration"]] == pytest.approx([1 / 3, 1 / 3, 2 / 3])


def test_levels_cross_where_one_of_them_lies_above_the_next():
    scorer = Quantiles(np.ones(3), ("a",) * 3, (0.1, 0.5, 0.9))
    answers = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0], [1.0, 3.0, 2.0], [1.0, 1.0, 1.0]])
    scorer.add(answers[:, np.newaxis], np.zeros((4, 1, 1)))
    assert scorer.result().details["crossing"] == 0.5
