"""Shares of a blend against a search over all of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.baselines.blend import best_shares, error_of, nearest_that_holds


def products_of(seed, count=3):
    errors = np.random.default_rng(seed).normal(size=(count, 40)) * np.random.default_rng(seed + 1).uniform(
        0.3, 3, (count, 1)
    )
    return errors @ errors.T / 40


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_other_shares_of_a_hundredth_are_better(seed):
    products = products_of(seed)
    grid = [np.array([a, b, 100 - a - b]) / 100 for a, b in product(range(0, 101, 4), repeat=2) if a + b <= 100]
    shares = best_shares(products)
    assert shares.min() >= 0
    assert shares.sum() == pytest.approx(1)
    assert error_of(shares, products) <= min(error_of(one, products) for one in grid) * (1 + 1e-6)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), size=st.sampled_from([1e-20, 1e20]))
def test_shares_do_not_depend_on_the_unit(seed, size):
    products = products_of(seed)
    found = error_of(best_shares(products * size), products)
    assert found == pytest.approx(error_of(best_shares(products), products), rel=1e-4)


def test_forecasts_without_an_error_are_no_error():
    assert best_shares(np.zeros((2, 2))).sum() == pytest.approx(1)


def test_what_is_wanted_is_given_up_as_far_as_a_limit_asks():
    products, safe, wanted = np.diag([1.0, 9.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])
    found = nearest_that_holds(wanted, safe, products, 1.0)
    assert error_of(found, products) <= 1.0
    assert found[1] == pytest.approx(0.2, abs=0.03)
    np.testing.assert_array_equal(nearest_that_holds(wanted, safe, products, 10.0), wanted)
    np.testing.assert_array_equal(nearest_that_holds(wanted, safe, products, 0.0), safe)


@pytest.mark.parametrize("share", [0.3, 0.004, 0.9])
def test_two_forecasts_that_are_nearly_alike_have_the_shares_of_their_closed_form(share):
    """Errors a and b of a correlation of nearly one: the search goes on until its steps are a billionth."""
    common, own = np.array([1.0, 1.0]), np.sqrt(0.02 / np.array([share, 1 - share]))
    products = np.outer(common, common) + np.diag(own**2) / 2
    expected = own[::-1] ** 2 / (own**2).sum()
    np.testing.assert_allclose(best_shares(products), expected, atol=1e-7)


@pytest.mark.parametrize("limit", [1.0, 1.7, 5.4])
def test_the_way_from_the_wanted_to_the_safe_has_forty_steps_and_ends_at_the_first_that_holds(limit):
    products, safe, wanted = np.diag([1.0, 9.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])
    found = nearest_that_holds(wanted, safe, products, limit)
    step = round(40 * found[0])
    np.testing.assert_allclose(found, [step / 40, 1 - step / 40])
    before = np.array([step - 1, 41 - step]) / 40
    assert error_of(found, products) <= limit < error_of(before, products)
