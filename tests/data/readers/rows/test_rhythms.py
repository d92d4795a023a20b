"""The rhythm of rows is detected and named; drift, pauses and free Sundays are accepted."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.rows.rhythms import (
    duration,
    find,
    fits,
    is_even,
    length_for,
    length_of,
    place_rows,
    steps_of,
)
from edgelstm.data.readers.rows.track import Track
from edgelstm.errors import DataError
from edgelstm.reading import Rhythm
from edgelstm.rhythm import after

DAY, SECOND = 86_400_000_000, 1_000_000
START = np.datetime64("2024-01-01T00:00:00", "us")


def track(times, local=None):
    utc = np.asarray(times, "datetime64[us]")
    return Track("x", np.zeros((len(utc), 1)), np.arange(len(utc)), utc, utc if local is None else local)


def seconds(steps):
    return track(START + np.cumsum([0, *np.rint(np.asarray(steps) * 1e6)]).astype("timedelta64[us]"))


def places(of, resolution=SECOND):
    rhythm = find([of], resolution)
    return rhythm, place_rows(of, rhythm, resolution, lambda row: f"line {row + 2}")


RHYTHMS = [
    Rhythm("second", 0.5),
    Rhythm("second", 60.0),
    Rhythm("second", 3600.0),
    Rhythm("day", 1),
    Rhythm("day", 7),
    Rhythm("day", 10),
    Rhythm("business day", 1),
    Rhythm("month", 1, 1),
    Rhythm("month", 1, 15),
    Rhythm("month", 1, 31),
    Rhythm("month", 1, 30),
    Rhythm("month", 3, 1),
    Rhythm("month", 6, 31),
    Rhythm("month", 12, 1),
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(RHYTHMS), st.dates(date(1960, 1, 1), date(2040, 1, 1)), st.data())
def test_a_known_rhythm_is_found_again_with_rows_left_out(rhythm, start, data):
    rows = data.draw(st.integers(20, 60))
    begin = after(np.array([start], "datetime64[us]"), rhythm, 1)
    every = after(np.repeat(begin, rows), rhythm, np.arange(rows))
    gone = data.draw(st.sets(st.integers(1, rows - 2), max_size=rows // 8))
    kept = np.array([row for row in range(rows) if row not in gone])
    resolution = 1000 if rhythm.unit == "second" else DAY
    found, (at, restarts) = places(track(every[kept]), resolution)
    assert (found.unit, found.count) == (rhythm.unit, rhythm.count)
    if rhythm.unit == "business day":  # missing days are holidays
        np.testing.assert_array_equal(at, np.arange(len(kept)))
    else:
        np.testing.assert_array_equal(at, kept)
    assert restarts == 0
    if rhythm.day == 31:
        assert found.day == 31


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"], Rhythm("month", 1, 31)),
        (["2023-01-30", "2023-02-28", "2023-03-30"], Rhythm("month", 1, 30)),
        (["2024-01-31", "2024-02-29", "2024-03-29", "2024-04-30"], Rhythm("month", 1, 31)),  # last business days
        (["2024-01-02", "2024-02-01", "2024-03-01", "2024-04-01"], Rhythm("month", 1, 1)),  # first ones
        (["1965-01-01", "1965-04-01", "1965-07-01"], Rhythm("month", 3, 1)),
        (["2020-02-29", "2021-02-28", "2022-02-28"], Rhythm("month", 12, 31)),
        (["2024-01-01", "2024-01-29", "2024-02-26"], Rhythm("day", 28)),
        (["2024-01-01", "2024-01-02"], Rhythm("day", 1)),
        (["2024-01-01", "2025-01-01"], Rhythm("month", 12, 1)),
    ],
)
def test_a_calendar_is_told_from_its_days(days, expected):
    assert find([track(days)], DAY) == expected


def test_a_week_whose_day_moves_for_a_holiday_is_a_week():
    days = track(["2024-01-01", "2024-01-08", "2024-01-16", "2024-01-22", "2024-02-05"])
    rhythm, (at, _) = places(days, DAY)
    assert rhythm == Rhythm("day", 7)
    assert at.tolist() == [0, 1, 2, 3, 5]


def business(start, end):
    days = np.arange(start, end, dtype="datetime64[D]")
    return days[np.is_busday(days)]


def test_business_days_of_which_many_are_missing_are_business_days():
    days = business("2024-01-01", "2024-03-01")
    gone = [1, 3, 6, 8, 11, 13, 16, 18, 21, 23]
    assert find([track(np.delete(days, gone))], DAY) == Rhythm("business day", 1)


@pytest.mark.parametrize("weekdays", [(0, 4), (0, 2, 4), (1, 3)])
def test_a_few_weekdays_alone_are_no_business_days(weekdays):
    days = business("2024-01-01", "2024-03-01")
    on = np.isin((days.astype("datetime64[D]").astype(int) + 3) % 7, weekdays)
    assert find([track(days[on])], DAY) != Rhythm("business day", 1)


def test_business_days_pass_over_holidays_and_count_long_holes():
    days = business("2024-01-01", "2024-06-01")
    holidays = np.isin(days, business("2024-03-25", "2024-04-08"))  # ten in a row
    assert holidays.sum() == 10
    rhythm, (at, _) = places(track(days[~holidays]), DAY)
    assert rhythm == Rhythm("business day", 1)
    np.testing.assert_array_equal(at, np.arange((~holidays).sum()))
    hole = np.isin(days, business("2024-03-25", "2024-04-09"))
    _, (at, _) = places(track(days[~hole]), DAY)
    assert np.diff(at).max() == 12


def test_days_from_monday_to_friday_alone_say_nothing_of_weekends():
    assert find([track(business("2024-01-01", "2024-01-06"))], DAY) == Rhythm("day", 1)
    assert find([track(business("2024-01-01", "2024-01-09"))], DAY) == Rhythm("business day", 1)


def test_a_row_on_a_weekend_makes_all_days_count():
    days = np.concatenate([business("2024-01-01", "2024-02-01"), np.array(["2024-02-03"], "datetime64[D]")])
    rhythm, (at, _) = places(track(days), DAY)
    assert rhythm == Rhythm("day", 1)
    assert at[-1] == 33


def test_a_loop_that_sleeps_for_a_minute_drifts_and_is_not_at_fault():
    """Whole seconds of a loop that takes 60.05 s."""
    clock = np.floor(np.arange(5000) * 60.05)
    rhythm, (at, restarts) = places(seconds(np.diff(clock)))
    assert rhythm == Rhythm("second", 60.0)
    np.testing.assert_array_equal(at, np.arange(5000))
    assert restarts == 0


def test_a_long_hole_of_a_clock_that_drifts_has_as_many_rows_as_it_lost():
    clock = np.floor(np.arange(5000) * 60.05)
    kept = np.concatenate([np.arange(1000), np.arange(3000, 5000)])
    _, (at, _) = places(seconds(np.diff(clock[kept])))
    np.testing.assert_array_equal(at, kept)


@pytest.mark.parametrize("rate", [3, 7, 30, 50, 60])
def test_a_rate_is_found_behind_a_clock_that_is_too_coarse_for_it(rate):
    """Milliseconds cannot show thirty times a second: 33, 33, 34."""
    clock = np.floor(np.arange(1000) * 1000 / rate) / 1000
    rhythm, (at, _) = places(seconds(np.diff(clock)), 1000)
    assert rhythm.unit == "second"
    np.testing.assert_allclose(rhythm.count, 1 / rate, rtol=1e-6)
    np.testing.assert_array_equal(at, np.arange(1000))


@settings(deadline=None)
@given(st.lists(st.floats(-1.1, 1.1), min_size=10, max_size=50))
def test_a_clock_may_be_off_by_two_percent_and_its_resolution(off):
    steps = 60 + np.asarray(off) * 0.98 * (60 * 0.02 + 1) / 1.1
    rhythm = Rhythm("second", 60.0)
    at, restarts = place_rows(seconds(steps), rhythm, SECOND, str)
    np.testing.assert_array_equal(at, np.arange(len(off) + 1))
    assert restarts == 0


def test_a_logger_that_starts_again_counts_from_another_moment_and_that_is_counted():
    _, (at, restarts) = places(seconds([600.0] * 50 + [1500.0] + [600.0] * 50))
    assert restarts == 1
    assert np.diff(at).tolist() == [1] * 50 + [2] + [1] * 50


@pytest.mark.parametrize(
    ("steps", "line", "length"),
    [
        ([3600.0] * 50 + [61.0, 47.0, 300.0] * 30, 53, "1h"),
        ([600.0, 610.0, 600.0, 640.0, 600.0], 6, "10m"),
        ([600.0, 600.0, 200.0, 600.0], 5, "10m"),
        ([60.0, 7.0] * 50, 4, "1m"),
        ([60.0] * 10 + [150.0, 60.0, 90.0, 60.0, 210.0], 13, "1m"),
    ],
)
def test_rows_without_a_rhythm_name_the_first_and_a_length_of_bins(steps, line, length):
    with pytest.raises(
        DataError,
        match=rf"line {line}: the time .* after the previous row, expected .*: give --resample {length} to.*--time",
    ):
        places(seconds(steps))


def test_months_that_are_read_on_any_day_are_irregular():
    days = track(["2024-01-03", "2024-02-21", "2024-03-11", "2024-04-30", "2024-05-08"])
    with pytest.raises(DataError, match=r"--resample (1mo|1q)"):
        places(days, DAY)


def test_the_fastest_series_gives_the_rhythm_of_all():
    daily = track(np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]"))
    weekly = track(np.arange("2024-01-01", "2024-12-11", 7, dtype="datetime64[D]"))
    single = track(["2024-01-01"])
    assert find([weekly, daily, single], DAY) == Rhythm("day", 1)
    assert find([single], DAY) is None
    assert fits([weekly, daily], Rhythm("day", 1), DAY)
    assert not fits([weekly], Rhythm("day", 1), DAY)
    assert fits([single], Rhythm("day", 1), DAY)


def test_local_days_have_the_length_that_they_have():
    local = np.arange("2024-03-25", "2024-04-05", dtype="datetime64[D]").astype("datetime64[us]")
    utc = local - np.where(local > np.datetime64("2024-03-31"), 2, 1).astype("timedelta64[h]")
    assert find([track(utc, local)], SECOND) == Rhythm("day", 1)
    assert find([track(utc)], SECOND).unit == "second" or not fits([track(utc)], Rhythm("day", 1), SECOND)


@pytest.mark.parametrize(
    ("days", "even"),
    [
        (["2024-01-01", "2024-01-02", "2024-01-03"], True),
        (["2024-01-03", "2024-01-01", "2024-01-02", "2024-01-02"], True),
        (["2024-01-01", "2024-02-01", "2024-03-01"], True),
        (["2024-01-01"], True),
        (["2024-01-01", "2024-01-02", "2025-01-01", "2025-01-02"], False),
        (["2024-01-01", "2024-01-08", "2024-02-01", "2024-07-05"], False),
    ],
)
def test_even_times_hardly_leave_one_out(days, even):
    assert is_even(np.array(days, "datetime64[us]"), DAY) == even


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30), st.sampled_from([1, 1000, SECOND, 60 * SECOND, DAY]))
def test_any_steps_are_placed_on_rising_places_or_refused(steps, resolution):
    times = START + np.cumsum([0, *steps]).astype("timedelta64[s]")
    try:
        _, (at, _) = places(track(times), resolution)
    except DataError as error:
        complaint = str(error)
    else:
        complaint = "--resample"
        assert at[0] == 0
        assert (np.diff(at) >= 1).all()
    assert "--resample" in complaint
    assert "\n" not in complaint


def test_lengths_have_names():
    assert [length_for(s) for s in (0.02, 1.0, 59.0, 3500.0, 86_400.0, 7e5, 3e7)] == [
        *("20ms", "1s", "1m", "1h", "1d", "1mo", "1y"),
    ]
    assert [length_of(rhythm) for rhythm in (Rhythm("second", 0.5), Rhythm("day", 14), Rhythm("month", 12, 1))] == [
        *("500ms", "2w", "1y"),
    ]
    assert [duration(us) for us in (1.5e6, 90e6, 7.2e9, 86_400e6 * 19)] == ["1.5 s", "1.5 min", "2 h", "19 d"]


def test_a_thousand_series_are_judged_together():
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    many = [track(days[: 2 + n % 50]) for n in range(1000)]
    assert find(many, DAY) == Rhythm("day", 1)
    assert timedelta(seconds=Rhythm("day", 1).period_s) == timedelta(days=1)


MS, MINUTE, HOUR, DAY_S, YEAR_S = 1e-3, 60, 3600, 86_400, 365.2425 * 86_400
LENGTHS = {
    **{"1ms": MS, "2ms": 2 * MS, "5ms": 5 * MS, "10ms": 10 * MS, "20ms": 20 * MS, "50ms": 50 * MS, "100ms": 100 * MS},
    **{"200ms": 200 * MS, "500ms": 500 * MS, "1s": 1, "2s": 2, "5s": 5, "10s": 10, "15s": 15, "30s": 30},
    **{"1m": MINUTE, "2m": 2 * MINUTE, "5m": 5 * MINUTE, "10m": 10 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE},
    **{"1h": HOUR, "2h": 2 * HOUR, "3h": 3 * HOUR, "6h": 6 * HOUR, "12h": 12 * HOUR, "1d": DAY_S, "1w": 7 * DAY_S},
    **{"1mo": YEAR_S / 12, "1q": YEAR_S / 4, "1y": YEAR_S},
}


def test_bins_have_the_next_length_that_is_at_most_a_tenth_shorter_than_a_step():
    names = list(LENGTHS)
    for name, longer in zip(names, [*names[1:], "1y"], strict=True):
        assert length_for(LENGTHS[name] / 0.9 * 0.999) == name
        assert length_for(LENGTHS[name] / 0.9 * 1.001) == longer


@pytest.mark.parametrize(("step", "count"), [(60.1, 60.0), (60.13, 60.13), (59.9, 60.0), (59.87, 59.87)])
def test_a_step_is_called_by_the_whole_seconds_that_it_is_close_to(step, count):
    """Within a five hundredth."""
    assert find([seconds([step] * 20)], 1000) == Rhythm("second", count)


@pytest.mark.parametrize(("usual", "count"), [(900, 904.5), (1100, 1100.0)])
def test_where_the_clock_tells_a_thousandth_of_a_step_the_usual_one_counts_else_the_mean(usual, count):
    """Of seconds, and of steps half of which are a hundredth longer."""
    assert find([seconds([usual, 1.01 * usual] * 50)], SECOND) == Rhythm("second", count)


@pytest.mark.parametrize(("off", "wrong"), [(2.1, False), (2.3, True)])
def test_a_step_is_off_by_more_than_a_fiftieth_and_the_resolution(off, wrong):
    """Of a minute 1.2 s, and one of the clock."""
    steps = steps_of(seconds([60.0] * 5 + [60.0 + off]), Rhythm("second", 60.0), SECOND)
    assert steps.wrong.tolist() == [False] * 5 + [wrong]


def test_a_clock_as_coarse_as_the_rhythm_tells_half_a_step():
    steps = [60.0] * 5 + [60.0 + 29.0]
    assert not steps_of(seconds(steps), Rhythm("second", 60.0), 60 * SECOND).wrong.any()
    assert steps_of(seconds(steps), Rhythm("second", 60.0), 20 * SECOND).wrong.any()


@pytest.mark.parametrize(("restarts", "taken"), [(2, True), (3, False)])
def test_one_step_in_a_hundred_may_be_a_restart(restarts, taken):
    steps = [*[600.0] * (200 - restarts), *[1500.0] * restarts]
    assert fits([seconds(steps)], Rhythm("second", 600.0), SECOND) == taken


@pytest.mark.parametrize(("off", "expected"), [(0.0009, 1 / 3), (0.0012, 0.334)])
def test_three_rows_a_second_are_so_within_a_thousandth(off, expected):
    """Beyond it the period is one of whole milliseconds."""
    rhythm = find([track(START + (np.arange(20) * round((1 + off) / 3 * 1e6)).astype("timedelta64[us]"))], 1)
    assert rhythm == Rhythm("second", pytest.approx(expected))
