"""Answers at every step against numpy's own least squares."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.contract import Channel
from edgelstm.data.baselines.label import baselines
from edgelstm.data.sequences import lay_out
from edgelstm.errors import DataError


def series(seed=0, count=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, 2)).astype(np.float32) * [1, 100] for n in (40, 1, 25)[:count]]


def test_numbers_are_fitted_to_known_capped_truth():
    x = series()
    truth = [(np.float32(x_[:, :1] * 3 + x_[:, 1:] / 50 + 1)) for x_ in x]
    truth[0][3] = np.nan
    found = baselines(lay_out(x, truth, every_step=True), (Channel("y", None, "float32", None, cap=2.0),))
    known = ~np.isnan(np.concatenate(truth)[:, 0])
    rows, goal = np.concatenate(x)[known], np.minimum(np.concatenate(truth)[known, 0], 2)
    test = lay_out(x, truth, every_step=True)
    np.testing.assert_allclose(found["mean"](test)(np.array([1])), [[goal.mean()]], rtol=1e-5)
    with_one = np.column_stack([(rows - rows.mean(axis=0)) / rows.std(axis=0), np.ones(len(rows))])
    penalty = np.diag([1.0, 1.0, 0.0])
    weights = np.linalg.lstsq(np.vstack([with_one, penalty]), np.concatenate([goal, [0, 0, 0]]), rcond=None)[0]
    expected = np.column_stack([(x[2] - rows.mean(axis=0)) / rows.std(axis=0), np.ones(25)]) @ weights
    np.testing.assert_allclose(found["linear"](test)(np.array([2]))[:, 0], expected, rtol=1e-4, atol=1e-4)


def test_classes_that_a_line_tells_apart_are_told_apart():
    x = series(1)
    truth = [(x_[:, 1] > 20).astype(np.int64) for x_ in x]
    truth[0][::2] = -1
    sequences = lay_out(x, truth, every_step=True)
    found = baselines(sequences, tuple(Channel(name, None, "float32", None) for name in ("off", "on")))
    answer, known = found["linear"](sequences)(np.array([0])), truth[0] >= 0
    assert (answer[known] == truth[0][known]).mean() > 0.9
    shares = found["majority"](sequences)(np.array([2]))
    known = np.concatenate(truth)[np.concatenate(truth) >= 0]
    np.testing.assert_allclose(shares, [[(known == c).mean() for c in (0, 1)]] * 25, rtol=1e-6)


def test_quantiles_surround_the_answer_by_what_it_was_off_by():
    x = series(2)
    truth = [np.random.default_rng(n).normal(size=(len(x_), 1)).astype(np.float32) for n, x_ in enumerate(x)]
    sequences = lay_out(x, truth, every_step=True)
    outputs = tuple(Channel(f"y q{q}", None, "float32", None, quantile=q, column="y") for q in (0.1, 0.9))
    found = baselines(sequences, outputs)["mean"](sequences)(np.array([0]))
    np.testing.assert_allclose(found, [np.quantile(np.concatenate(truth), (0.1, 0.9))] * 40, rtol=1e-4)


def test_without_a_known_truth_there_is_nothing_to_fit():
    nothing = lay_out(series(count=1), [np.full((40, 1), np.nan, np.float32)], every_step=True)
    with pytest.raises(DataError, match="no row with a known truth"):
        baselines(nothing, (Channel("y", None, "float32", None),))
