"""Missing samples are filled as the policy says, from a channel's own neighbours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.gaps import fill
from edgelstm.errors import DataError
from edgelstm.reading import GAPS

NAN = float("nan")
SERIES = (
    st.integers(1, 3)
    .flatmap(
        lambda channels: st.lists(
            st.tuples(*[st.one_of(st.just(NAN), st.floats(-1e6, 1e6))] * channels), min_size=1, max_size=20
        )
    )
    .map(lambda rows: np.array(rows, np.float64))
)


def names(values):
    return tuple(f"c{i}" for i in range(values.shape[1]))


def known_before(column, row):
    return next((i for i in range(row, -1, -1) if not math.isnan(column[i])), None)


def known_after(column, row):
    return next((i for i in range(row, len(column)) if not math.isnan(column[i])), None)


@given(SERIES)
def test_forward_repeats_the_last_value(values):
    filled = fill(values, names(values), "forward")
    for column, result in zip(values.T, filled.T, strict=True):
        for row in range(len(column)):
            before = known_before(column, row)
            np.testing.assert_equal(result[row], NAN if before is None else column[before])


@given(SERIES)
def test_interpolate_lies_on_the_line_between_the_neighbours(values):
    filled = fill(values, names(values), "interpolate")
    for column, result in zip(values.T, filled.T, strict=True):
        for row in range(len(column)):
            before, after = known_before(column, row), known_after(column, row)
            if before is None:
                assert math.isnan(result[row])
            elif after is None or after == before:
                assert result[row] == column[before]
            else:
                share = (row - before) / (after - before)
                expected = (1 - share) * column[before] + share * column[after]
                np.testing.assert_allclose(result[row], expected, rtol=1e-9, atol=1e-6)


@given(SERIES)
def test_drop_fills_nothing(values):
    np.testing.assert_array_equal(fill(values, names(values), "drop"), values)


@given(SERIES, st.sampled_from(["interpolate", "forward"]))
def test_known_samples_and_the_callers_array_stay_as_they_are(values, policy):
    before = values.copy()
    filled = fill(values, names(values), policy)
    np.testing.assert_array_equal(values, before)
    known = ~np.isnan(values)
    np.testing.assert_array_equal(filled[known], values[known])


def runs(column):
    """The first row and the length of each run of missing samples."""
    found, row = [], 0
    while row < len(column):
        length = next((i for i in range(row, len(column)) if not math.isnan(column[i])), len(column)) - row
        if length:
            found.append((row, length))
        row += length + 1
    return found


@given(SERIES, st.sampled_from(["interpolate", "forward"]), st.integers(0, 5))
def test_runs_longer_than_the_longest_gap_stay_missing_wholly_and_others_are_filled(values, policy, most):
    filled, everything = fill(values, names(values), policy, most), fill(values, names(values), policy)
    for before, found, full in zip(values.T, filled.T, everything.T, strict=True):
        expected = full.copy()
        for row, length in runs(before):
            if length > most:
                expected[row : row + length] = NAN
        np.testing.assert_array_equal(found, expected)


def test_each_channel_has_runs_of_its_own():
    values = np.array([[1, 1], [NAN, NAN], [NAN, 3], [4, NAN], [NAN, NAN]])
    np.testing.assert_array_equal(
        fill(values, ("a", "b"), "interpolate", 1), [[1, 1], [NAN, 2], [NAN, 3], [4, NAN], [4, NAN]]
    )


@pytest.mark.parametrize("policy", GAPS)
def test_a_series_without_gaps_is_left_alone(policy):
    values = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(fill(values, ("a", "b"), policy), values)


def test_error_counts_the_gaps_and_names_the_first():
    values = np.array([[1, 2], [3, NAN], [NAN, NAN]])
    with pytest.raises(DataError, match=r"3 missing samples, the first in column 'b' at row 2.*interpolate"):
        fill(values, ("a", "b"), "error")


@pytest.mark.parametrize("policy", ["interpolate", "forward", "drop"])
def test_a_channel_without_any_value_stays_missing(policy):
    assert np.isnan(fill(np.full((4, 1), NAN), ("a",), policy)).all()
