"""Local times of a table are converted to UTC; the order of the rows decides in the repeated hour."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.times.zones import local_to_utc
from edgelstm.errors import DataError

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def read(local, zone, series=None):
    found, notes = local_to_utc(np.array(local, "datetime64[us]"), zone, lambda row: f"line {row + 2}", series)
    return found.tolist(), notes


def walls(utc, zone):
    """What a logger writes that uses local time."""
    return [
        moment.replace(tzinfo=timezone.utc).astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None) for moment in utc
    ]


@settings(deadline=None)
@given(
    st.sampled_from([(BERLIN, datetime(2024, 10, 26, 12)), (NEW_YORK, datetime(2024, 11, 2, 12))]),
    st.sampled_from([1, 5, 10, 15, 30, 60]),
    st.booleans(),
    st.integers(0, 200),
)
def test_a_regular_logger_is_read_back_whichever_way_its_rows_run(where, minutes, backwards, offset):
    zone, start = where
    utc = [start + timedelta(minutes=offset) + n * timedelta(minutes=minutes) for n in range(26 * 60 // minutes)]
    if backwards:
        utc.reverse()
    assert read(walls(utc, zone), zone)[0] == utc


def test_a_logger_that_stamps_the_end_of_an_hour_is_read_back():
    """PJM writes 1:00, 2:00, 2:00, 3:00 in autumn, 1:00, 2:00, 4:00 in spring."""
    autumn = [datetime(2017, 11, 5, hour) for hour in (0, 1, 2, 2, 3)]
    assert read(autumn, NEW_YORK)[0] == [datetime(2017, 11, 5, hour) for hour in (4, 5, 6, 7, 8)]
    spring = [datetime(2017, 3, 12, hour) for hour in (1, 2, 4)]
    assert read(spring, NEW_YORK)[0] == [datetime(2017, 3, 12, hour) for hour in (6, 7, 8)]


def test_rows_with_equal_stamps_below_each_other_are_the_first_and_the_second():
    stamps = [f"2024-10-27T{clock}" for clock in ("01:30", "02:00", "02:00", "02:30", "02:30", "03:00")]
    hours = [23.5, 24, 25, 24.5, 25.5, 26]
    assert read(stamps, BERLIN)[0] == [datetime(2024, 10, 26) + timedelta(hours=hour) for hour in hours]


def test_days_that_run_backwards_are_told_apart_inside_each():
    days = [
        [datetime(2024, 10, day) - timedelta(hours=2) + n * timedelta(hours=1) for n in range(24)]
        for day in (28, 27, 26)
    ]
    utc = [moment for day in days for moment in day]
    assert read(walls(utc, BERLIN), BERLIN)[0] == utc


def test_each_series_has_an_order_of_its_own():
    utc = [datetime(2024, 10, 26, 22) + n * timedelta(hours=1) for n in range(6)]
    interleaved = [moment for moment in utc for _ in range(3)]
    found, notes = read(walls(interleaved, BERLIN), BERLIN, np.tile(np.arange(3), 6))
    assert found == interleaved
    assert notes == ("times: 3 occur twice where summer time ends in Europe/Berlin, assigned by the order of the rows",)


def test_times_that_come_once_although_they_could_twice_are_summer_time_and_counted():
    found, notes = read(["2024-10-27T01:00", "2024-10-27T02:00", "2024-10-27T03:00"], BERLIN)
    assert found[1] == datetime(2024, 10, 27, 0)
    assert "times: 1 could be summer or winter time" in notes[0]


@pytest.mark.parametrize(
    ("stamps", "zone", "line", "mend"),
    [
        (["01:00", "01:30", "02:00", "02:30", "03:00"], BERLIN, 4, "Etc/GMT-1"),
        (["01:45", "02:15", "02:45"], BERLIN, 3, "Etc/GMT-1"),
        (["02:00", "03:00"], BERLIN, 2, "Etc/GMT-1"),
    ],
)
def test_a_time_that_was_left_out_in_spring_names_its_row_and_the_zone_of_the_logger(stamps, zone, line, mend):
    with pytest.raises(
        DataError, match=rf"line {line}: 2024-03-31 .* does not exist in {zone}, .* from 02:00 to 03:00.*{mend}"
    ):
        read([f"2024-03-31T{clock}" for clock in stamps], zone)


def test_the_zone_that_is_named_reads_the_table_of_a_logger_that_did_not_change_its_clock():
    stamps = [f"2024-03-31T{clock}" for clock in ("01:00", "02:00", "03:00")]
    assert read(stamps, "Etc/GMT-1")[0] == [datetime(2024, 3, 31, hour) for hour in (0, 1, 2)]


@settings(deadline=None, max_examples=50)
@given(st.permutations(range(48)))
def test_rows_in_any_order_are_read_within_the_hour_that_is_doubtful(order):
    utc = [datetime(2024, 10, 26, 12) + n * timedelta(minutes=30) for n in range(48)]
    mixed = [utc[n] for n in order]
    found, _ = read(walls(mixed, BERLIN), BERLIN)
    for expected, got in zip(mixed, found, strict=True):
        sure = not datetime(2024, 10, 27, 0) <= expected <= datetime(2024, 10, 27, 2)
        assert got == expected if sure else abs(got - expected) <= timedelta(hours=1)
