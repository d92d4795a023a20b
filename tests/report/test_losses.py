"""The loss of a single example, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.network import Linear, Lstm, Network
from edgelstm.report.losses import by_series, loss_of, measure
from tests.export.drawn import make_contract

NETWORK = Network((Lstm("lstm", 1, 2), Linear("head", 2, 3)))


def test_a_class_is_right_or_wrong_or_nobody_knows():
    """The first class, too, is a class."""
    loss = loss_of(make_contract(NETWORK, "classify", outputs=3))
    truth = np.array([0, 1, -1, 2])
    expected = [0.0, 1.0, np.nan, 0.0]
    np.testing.assert_array_equal(loss(np.array([0, 2, 0, 2]), truth).ravel(), expected)
    shares = np.array([[0.9, 0.1, 0.0], [0.1, 0.2, 0.7], [1.0, 0.0, 0.0], [0.0, 0.4, 0.6]])
    np.testing.assert_array_equal(loss(shares, truth).ravel(), expected)


@pytest.mark.parametrize(("answer", "power"), [("number", 2), ("quantile", 1)])
def test_losses_of_many_series_are_divided_by_the_spread_of_each(answer, power):
    losses, spreads = np.arange(1.0, 13.0).reshape(3, 2, 2), np.array([[1.0, 2.0], [4.0, 5.0], [10.0, 20.0]])
    expected = [[[losses[n, k, o] / spreads[n, o] ** power for o in range(2)] for k in range(2)] for n in range(3)]
    np.testing.assert_allclose(by_series(losses, spreads, answer), expected)
    assert by_series(losses, None, answer) is losses


def test_the_figure_is_the_mean_of_what_is_known_of_squares_its_root():
    losses = np.array([[4.0, np.nan], [12.0, np.nan]])
    np.testing.assert_allclose(measure(losses, "number", (0,)), [np.sqrt(8), np.nan])
    np.testing.assert_allclose(measure(losses, "quantile", (0,)), [8.0, np.nan])
