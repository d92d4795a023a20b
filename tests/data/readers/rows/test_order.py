"""When two rows of one time may be those of the hour that comes twice."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.data.readers.rows.order import of_change
from edgelstm.data.readers.rows.track import Track


def twice(time):
    times = np.array([time, time], "datetime64[us]")
    return Track("", np.array([[1.0], [2.0]]), np.arange(2), times, times)


@pytest.mark.parametrize(
    ("time", "told"),
    [
        ("2024-10-27T00:00", True),  # a Sunday in October
        ("2024-10-27T03:59", True),
        ("2024-10-27T04:00", False),
        ("2024-10-26T23:59", False),
        ("2024-10-28T02:30", False),
        *((f"2024-{month:02}-{day:02}T02:30", month in (3, 4, 9, 10, 11)) for month, day in enumerate(
            (7, 4, 3, 7, 5, 2, 7, 4, 1, 6, 3, 1), 1)),
    ],
)  # fmt: skip
def test_clocks_are_put_back_on_sunday_nights_of_spring_and_autumn(time, told):
    assert bool(of_change([twice(time)], None)) == told
    assert of_change([twice(time)], "Europe/Berlin") == ""


def test_rows_of_different_times_tell_nothing():
    times = np.array(["2024-10-27T02:30", "2024-10-27T02:31"], "datetime64[us]")
    assert of_change([Track("", np.zeros((2, 1)), np.arange(2), times, times)], None) == ""
