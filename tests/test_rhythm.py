"""The next sample comes when the calendar says so, and as many samples later as were counted on."""

from __future__ import annotations

import calendar
import zoneinfo
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.reading import Rhythm
from edgelstm.rhythm import after, business_days, day_in, samples_between

MOMENTS = st.datetimes(datetime(1960, 1, 1), datetime(2050, 1, 1))
STEPS = st.integers(-50, 500)
ZONES = st.sampled_from([None, "Europe/Berlin", "America/New_York"])
RHYTHMS = st.one_of(
    st.builds(Rhythm, st.just("second"), st.sampled_from([0.5, 60.0, 3600.0, 1 / 30])),
    st.builds(Rhythm, st.just("day"), st.integers(1, 14)),
    st.builds(Rhythm, st.just("business day"), st.integers(1, 3)),
    st.builds(Rhythm, st.just("month"), st.sampled_from([1, 3, 12]), st.integers(1, 31)),
)


def one(moment):
    return np.array([moment.replace(tzinfo=None)], "datetime64[us]")


def moment_of(times):
    return times[0].astype("datetime64[us]").item()


def as_local(moment, zone):
    return moment.replace(tzinfo=timezone.utc).astimezone(zoneinfo.ZoneInfo(zone or "UTC"))


def exists(local, zone):
    """Whether the clock on the wall shows a time, and once."""
    both = [local.replace(tzinfo=zoneinfo.ZoneInfo(zone or "UTC"), fold=fold).utcoffset() for fold in (0, 1)]
    return both[0] == both[1]


@given(MOMENTS, STEPS, st.sampled_from([0.5, 60.0, 86_400.0]), ZONES)
def test_a_fixed_period_is_added_in_utc(moment, steps, period, zone):
    expected = moment + steps * timedelta(seconds=period)
    assert moment_of(after(one(moment), Rhythm("second", period), steps, zone)) == expected


def test_a_period_that_is_no_whole_microsecond_does_not_drift():
    start = np.array(["2024-01-01"], "datetime64[us]")
    assert moment_of(after(start, Rhythm("second", 1 / 30), 30 * 86_400)) == datetime(2024, 1, 2)


@settings(deadline=None)
@given(MOMENTS, STEPS, st.integers(1, 14), ZONES)
def test_days_keep_the_time_on_the_wall(moment, steps, count, zone):
    wall = as_local(moment, zone).replace(tzinfo=None)
    expected = wall + timedelta(days=steps * count)
    found = as_local(moment_of(after(one(moment), Rhythm("day", count), steps, zone)), zone)
    if exists(expected, zone):
        assert found.replace(tzinfo=None) == expected


@settings(deadline=None)
@given(MOMENTS, st.integers(0, 300))
def test_business_days_pass_over_weekends_as_numpy_counts_them(moment, steps):
    expected = np.busday_offset(np.datetime64(moment.date()), steps, roll="backward")
    found = after(one(moment), Rhythm("business day", 1), steps)[0]
    assert found.astype("datetime64[D]") == expected
    assert found - expected == np.datetime64(moment, "us") - np.datetime64(moment.date(), "us")


@settings(deadline=None)
@given(MOMENTS, st.integers(-30, 300), st.sampled_from([1, 3, 12]), st.integers(1, 31))
def test_months_end_where_the_calendar_ends_them(moment, steps, count, day):
    month = moment.year * 12 + moment.month - 1 + steps * count
    year, month = divmod(month, 12)
    expected = moment.replace(year=year, month=month + 1, day=min(day, calendar.monthrange(year, month + 1)[1]))
    assert moment_of(after(one(moment), Rhythm("month", count, day), steps)) == expected


def test_behind_the_last_day_of_a_month_comes_the_last_day_of_the_next():
    ends = after(np.repeat(np.array(["2024-01-31"], "datetime64[us]"), 4), Rhythm("month", 1, 31), np.arange(4))
    assert [str(end)[:10] for end in ends] == ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]


def test_without_a_day_a_month_keeps_that_of_the_sample():
    assert str(after(one(datetime(2023, 1, 30)), Rhythm("month", 1), 1)[0])[:10] == "2023-02-28"


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        ("Europe/Berlin", "2024-03-30T23:00", "2024-03-31T22:00"),  # a day of 23 hours
        ("Europe/Berlin", "2024-10-26T22:00", "2024-10-27T23:00"),  # and one of 25
        (None, "2024-03-30T23:00", "2024-03-31T23:00"),
    ],
)
def test_a_local_day_is_as_long_as_it_is(zone, start, expected):
    found = after(np.array([start], "datetime64[us]"), Rhythm("day", 1), 1, zone)
    assert found[0] == np.datetime64(expected)


@settings(deadline=None)
@given(MOMENTS, STEPS, RHYTHMS, ZONES)
def test_so_many_samples_lie_between_a_moment_and_the_one_so_many_samples_later(moment, steps, rhythm, zone):
    start = after(one(moment), rhythm, 0, zone)  # onto the rhythm, where the moment is not
    later = after(start, rhythm, steps, zone)
    walls = [as_local(moment_of(time), zone).replace(tzinfo=None) for time in (start, later)]
    if rhythm.unit == "second" or all(exists(wall, zone) for wall in walls):
        np.testing.assert_allclose(samples_between(start, later, rhythm, zone), [steps], atol=1e-4)


@pytest.mark.parametrize(
    ("rhythm", "before", "later", "expected"),
    [
        (Rhythm("second", 60.0), "2024-01-01T00:00", "2024-01-01T00:00:30", 0.5),
        (Rhythm("day", 7), "2024-01-01", "2024-01-04T12:00", 0.5),
        (Rhythm("business day", 1), "2024-03-01", "2024-03-04", 1.0),
        (Rhythm("business day", 1), "2024-03-01", "2024-03-05T12:00", 2.5),
        (Rhythm("business day", 1), "2024-03-04", "2024-03-01", -1.0),
        (Rhythm("month", 1, 1), "2024-04-01", "2024-04-16", 0.5),
        (Rhythm("month", 12, 31), "2024-12-31", "2022-12-31", -2.0),
    ],
)
def test_parts_of_a_period_are_counted(rhythm, before, later, expected):
    times = (np.array([text], "datetime64[us]") for text in (before, later))
    np.testing.assert_allclose(samples_between(*times, rhythm), [expected])


@given(st.dates(), st.dates())
def test_business_days_are_numbered_as_numpy_counts_them(first, second):
    first, second = sorted(np.busday_offset(np.array([first, second], "datetime64[D]"), 0, roll="backward"))
    between = business_days(np.array([second])) - business_days(np.array([first]))
    assert between[0] == np.busday_count(first, second)


def test_a_day_of_each_month_is_the_last_where_the_month_is_shorter():
    months = np.arange("2023-01", "2025-01", dtype="datetime64[M]")
    for day in (1, 28, 29, 30, 31):
        expected = [min(day, calendar.monthrange(m.year, m.month)[1]) for m in months.tolist()]
        assert [found.day for found in day_in(months, day).tolist()] == expected
