"""What a forecast from a row may know: the oracle fills the rows up to it, and looks at no other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.causal import Filling, causal, whole_stretches
from edgelstm.data.gaps import fill
from edgelstm.data.series import Series

cells = st.one_of(st.floats(-9, 9), *[st.just(np.nan)] * 2)
tables = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=12)
)


def series_of(rows):
    values = np.array(rows, float)
    return Series(tuple("abc"[: values.shape[1]]), values, None, None, None)


@given(tables, st.sampled_from(["interpolate", "forward", "drop"]), st.none() | st.integers(0, 4), st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_a_row_knows_what_came_up_to_it_and_nothing_else(rows, policy, max_gap, steps):
    series = series_of(rows)
    filled = causal(series, Filling(policy, max_gap))
    for row in range(len(rows)):
        expected = fill(series.values[: row + 1], series.names, policy, max_gap)[-steps:]
        np.testing.assert_allclose(filled.up_to(row, steps), expected, atol=1e-12)


@given(tables, st.none() | st.integers(0, 4))
@settings(deadline=None)
def test_a_category_goes_on_and_is_never_a_fraction(rows, max_gap):
    ones = np.where(np.isnan(rows), np.nan, (np.array(rows) > 0).astype(float))
    series = series_of(ones)
    filled = causal(series, Filling("interpolate", max_gap, series.names))
    for row in range(len(rows)):
        found = filled.up_to(row, 99)
        assert set(found[~np.isnan(found)].tolist()) <= {0.0, 1.0}
        np.testing.assert_array_equal(found, fill(ones[: row + 1], series.names, "forward", max_gap))


def test_what_is_an_error_is_filled_by_nobody():
    filled = causal(series_of([[1.0], [np.nan], [3.0]]), Filling("error"))
    np.testing.assert_array_equal(filled.up_to(2, 3), [[1.0], [np.nan], [3.0]])


def test_what_was_read_is_not_changed():
    series = series_of([[1.0], [np.nan]])
    before = series.values.copy()
    causal(series, Filling("forward")).up_to(1, 2)[:] = 7
    np.testing.assert_array_equal(series.values, before)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([], []), ([1], [(0, 1)]), ([np.nan], []), ([1, np.nan, 2, 3], [(0, 1), (2, 4)]), ([np.nan, 1, 2], [(1, 3)])],
)
def test_stretches_lie_between_gaps(rows, expected):
    assert whole_stretches(np.array(rows, float).reshape(-1, 1)) == expected
