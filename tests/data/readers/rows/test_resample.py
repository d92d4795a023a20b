"""Rows are averaged into bins as in polars, in local time for bins of days and longer."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.rows.grid import MAX_ROWS
from edgelstm.data.readers.rows.resample import bins_of, resample
from edgelstm.data.readers.rows.track import Track
from edgelstm.errors import DataError
from edgelstm.reading import Rhythm

ZONES = [None, "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]


def track(times, values):
    utc = np.array(times, "datetime64[us]")
    return Track("x", np.array(values, np.float64).reshape(len(utc), -1), np.arange(len(utc)), utc, utc)


def binned(times, values, length, zone=None):
    return resample(track(times, values), bins_of(length), zone, lambda row: f"line {row + 2}")


def by_polars(times, values, every, zone):
    table = polars.DataFrame({"time": times, "x": values}).with_columns(
        polars.col("time").cast(polars.Datetime("us")).dt.replace_time_zone("UTC").dt.convert_time_zone(zone or "UTC"),
        polars.col("x").fill_nan(None),
    )
    found = table.group_by_dynamic("time", every=every).agg(polars.all().mean()).upsample("time", every=every)
    moments = found["time"].dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return moments.to_numpy().astype("datetime64[us]"), found["x"].fill_null(float("nan")).to_numpy()


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["30s", "10m", "1h", "1h30m", "1d", "3d", "1w", "1mo", "1q", "1y", "6mo"]),
    st.sampled_from(ZONES),
    st.lists(
        st.tuples(st.integers(0, 2000), st.one_of(st.just(float("nan")), st.integers(-100, 100))),
        min_size=1,
        max_size=25,
    ),
)
def test_bins_are_those_of_polars(length, zone, samples):
    step = {"30s": 7e0, "10m": 200.0, "1h": 900.0, "1h30m": 1700.0}.get(length, 40_000.0)
    samples = sorted(samples, key=lambda sample: sample[0])
    times = [datetime(2023, 2, 25, 22) + timedelta(seconds=step * n) for n, _ in samples]
    values = np.array([float(value) for _, value in samples])
    if length in ("1h", "1h30m", "10m", "30s"):
        zone = None  # polars counts hours in local time as well
    expected_times, expected = by_polars(times, values, length, zone)
    found = binned(times, values, length, zone)
    np.testing.assert_array_equal(found.utc, expected_times)
    np.testing.assert_allclose(found.values[:, 0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("length", "rhythm"),
    [
        ("30s", Rhythm("second", 30.0)),
        ("500ms", Rhythm("second", 0.5)),
        ("1h30m", Rhythm("second", 5400.0)),
        ("24h", Rhythm("second", 86_400.0)),
        ("1d12h", Rhythm("second", 129_600.0)),
        ("1d", Rhythm("day", 1)),
        ("2w", Rhythm("day", 14)),
        ("1mo", Rhythm("month", 1, 1)),
        ("2q", Rhythm("month", 6, 1)),
        ("1y6mo", Rhythm("month", 18, 1)),
    ],
)
def test_the_rhythm_follows_from_the_length(length, rhythm):
    assert bins_of(length) == rhythm


@pytest.mark.parametrize(
    "length", ["0h", "0d", "week", "-1h", "1", "1x", "", "1h 30m", "1.5h", "1mo1d", "1M", "\u0661h"]
)
def test_what_is_no_length_is_refused(length):
    with pytest.raises(DataError, match=r"--resample: expected a length such as 10m, 1h, 1d, 1w, 1mo, 1q or 1y, got"):
        bins_of(length)


def test_a_local_day_may_have_25_hours():
    hours = np.arange("2024-10-26T22:00", "2024-10-28T23:00", dtype="datetime64[h]")
    found = binned(hours, np.ones(len(hours)), "1d", "Europe/Berlin")
    assert [str(time)[:16] for time in found.utc] == ["2024-10-26T22:00", "2024-10-27T23:00"]


def test_a_mean_leaves_out_what_is_missing_and_shares_are_means_of_categories():
    found = binned(["2024-01-01T00:10", "2024-01-01T00:20", "2024-01-01T02:00"], [[1, 0], [np.nan, 1], [5, 1]], "1h")
    np.testing.assert_array_equal(found.values, [[1, 0.5], [np.nan, np.nan], [5, 1]])


def test_large_values_keep_their_small_changes():
    values = 1e9 + np.sin(np.arange(1000))
    found = binned(np.datetime64("2024-01-01", "m") + np.arange(1000), values, "10m")
    expected = 1e9 + np.sin(np.arange(1000)).reshape(100, 10).mean(axis=1)
    np.testing.assert_allclose(found.values[:, 0], expected, rtol=0, atol=1e-6)


def test_very_many_bins_of_few_rows_are_refused():
    with pytest.raises(DataError, match=r"line 2: the 2 rows from here would become \d+, .*give --resample"):
        binned(["2024-01-01", "2025-01-01"], [1, 2], "1s")
    assert MAX_ROWS == 50_000_000
