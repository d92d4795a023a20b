"""Columns that are known ahead, and what no float32 can hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.parts import Cut, split
from edgelstm.data.rows import known_ahead, rows_of, seconds_of
from edgelstm.data.series import Series
from edgelstm.errors import DataError


def table(rows):
    time = np.datetime64("2001-01-01", "us") + np.arange(rows) * np.timedelta64(3600, "s")
    values = np.stack([np.arange(rows), 1000.0 + np.arange(rows)], axis=1)
    return Series(("heat", "plan"), values, time, 3600.0, None)


@given(steps=st.integers(1, 5), horizon=st.integers(1, 5), rows=st.integers(30, 50))
def test_a_window_holds_of_a_column_known_ahead_what_is_a_horizon_later(steps, horizon, rows):
    cut = Cut(steps, horizon, 1, False, "error", ("plan",), times=True)
    training, test = split(table(rows), ("heat", "plan"), ("heat",), (rows - 15, rows - 15, rows), cut)
    for part in (training, test):
        x, y, times = part.windows.x(), part.windows.y(), part.windows.times_of()
        np.testing.assert_array_equal(x[..., 1], x[..., 0] + 1000 + horizon)
        np.testing.assert_array_equal(x[:, -1, 1], y[:, -1, 0] + 1000)  # the plan of the last step that is forecast
        np.testing.assert_array_equal(times, 978_307_200 + 3600 * x[..., 0].astype(int))
        assert len(part.windows) == part.end - part.start - steps - horizon + 1


def test_without_times_asked_for_windows_have_none():
    cut = Cut(2, 1, 1, False, "error")
    assert split(table(9), ("heat",), ("heat",), (9, 9, 9), cut)[0].windows.times is None
    assert seconds_of(Series(("a",), np.zeros((1, 1)), None, None, None), 0, 1) is None


def test_a_window_that_ends_in_a_filled_plan_is_not_scored():
    series = table(12)
    series.values[8, 1] = np.nan
    cut = Cut(2, 1, 1, False, "forward", ("plan",))
    test = split(series, ("heat", "plan"), ("heat",), (5, 5, 12), cut)[1].windows
    ends = test.x()[:, -1, 0]
    assert 7 not in ends
    assert 8 in ends


def test_a_table_goes_on_behind_the_last_sample_as_far_as_its_plans():
    series = table(10)
    series.values[7:, 0] = np.nan
    found = known_ahead(series, {"plan": 3}, 7)
    assert found.values.tolist() == [[float(i), 1003.0 + i] for i in range(7)]
    assert len(found.time) == 7
    assert known_ahead(series, {}, 5) is series


def test_a_table_that_ends_too_early_for_a_forecast_is_refused():
    with pytest.raises(DataError, match=r"needs 'plan' known 3 steps ahead.*at least 11 rows, got 10"):
        known_ahead(table(10), {"plan": 3}, 8)


@pytest.mark.parametrize("value", [np.nan, 1e39])
def test_what_is_refused_in_one_of_many_series_is_named_after_it(value):
    pump = Series(("heat",), np.array([[1.0], [value]]), None, None, None, "pump 7")
    with pytest.raises(DataError, match=r"^series pump 7: .*column 'heat'.* at row 2"):
        rows_of(pump, ("heat",), 0, 2, "error")


def test_a_number_beyond_float32_is_named():
    series = table(10)
    series.values[3, 1] = -1e39
    with pytest.raises(DataError, match=r"column 'plan' is -1e\+39 at row 4, which is too large for float32"):
        split(series, ("plan",), ("heat",), (10, 10, 10), Cut(2, 1, 1, False, "error"))


def test_a_column_known_ahead_is_moved_by_no_step_unless_some_are_given():
    rows, _ = rows_of(table(4), ("heat", "plan"), 0, 4, "error", ("plan",))
    assert rows.tolist() == [[float(i), 1000.0 + i] for i in range(4)]
