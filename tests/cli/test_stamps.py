"""Times as they are written: read again by `datetime` they are the same moments."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.cli.stamps import Wall, wall_of
from edgelstm.data.series import Series
from edgelstm.reading import Rhythm

ZONES = ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham", "UTC"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def times(*texts):
    return np.array(texts, "datetime64[us]")


@given(st.lists(st.integers(-(10**15), 2 * 10**15), min_size=1, max_size=5), st.sampled_from([None, *ZONES]))
def test_a_moment_is_read_again_as_itself(microseconds, zone):
    written = Wall(zone).words(np.array(microseconds, "datetime64[us]"))
    read = [datetime.fromisoformat(text) for text in written]
    assert all((moment.tzinfo is None) == (zone is None) for moment in read)
    read = [moment.replace(tzinfo=moment.tzinfo or UTC) for moment in read]
    assert len({len(text) for text in written}) == 1  # one form
    offsets_in_minutes = all(moment.utcoffset() % timedelta(minutes=1) == timedelta(0) for moment in read)
    if offsets_in_minutes and min(microseconds) > 0:  # local mean time, before 1900, had seconds
        assert [(moment - EPOCH) // timedelta(microseconds=1) for moment in read] == microseconds


def test_fractions_of_a_second_are_written_where_one_has_them():
    assert Wall().words(times("2024-01-01T00:00", "2024-01-01T00:00:00.5")) == [
        "2024-01-01T00:00:00.000000",
        "2024-01-01T00:00:00.500000",
    ]
    assert Wall().words(times("2024-01-01T23:00")) == ["2024-01-01T23:00:00"]


def test_no_times_are_no_words():
    assert Wall("Europe/Berlin").words(times()) == []


@pytest.mark.parametrize(
    ("first", "rhythm", "zone", "days"),
    [
        ("2024-01-01", Rhythm("day", 1), None, True),
        ("2024-01-01", Rhythm("second", 7 * 86400.0), None, True),
        ("2024-01-01", Rhythm("second", 3600.0), None, False),
        ("2024-01-01T06:00", Rhythm("day", 1), None, False),
        ("2023-12-31T23:00", Rhythm("day", 1), "Europe/Berlin", True),
        ("2024-01-01", Rhythm("day", 1), "Europe/Berlin", False),
        ("2023-12-31T23:00", Rhythm("second", 86400.0), "Europe/Berlin", False),  # in summer it would be at one o'clock
        ("2024-01-01", Rhythm("month", 3, 1), None, True),
        ("2024-01-01", Rhythm("business day", 1), None, True),
        ("2024-01-01", None, None, True),
    ],
    ids=str,
)
def test_days_are_written_as_days(first, rhythm, zone, days):
    series = Series(("a",), np.zeros((1, 1)), times(first), None, None)
    assert wall_of([series], rhythm, zone) == Wall(zone, days)
    again = Series(("a",), np.zeros((1, 1)), times("2024-01-01T12:34"), None, None)
    assert not wall_of([series, again], rhythm, zone).days
