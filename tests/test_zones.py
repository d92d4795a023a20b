"""Arrays of times go between UTC and the clock on the wall as `zoneinfo` does it for one moment."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm import zones
from edgelstm.errors import DataError, MissingDependencyError
from edgelstm.zones import find_zone, to_local, to_utc

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "UTC"]
ZONES += ["Pacific/Fiji"]  # set its clocks back in January
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2060, 1, 1))


def array(moments):
    return np.array([moment.replace(tzinfo=None) for moment in moments], "datetime64[us]")


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.lists(MOMENTS, min_size=1, max_size=10))
def test_the_wall_shows_what_zoneinfo_says(name, moments):
    zone = zoneinfo.ZoneInfo(name)
    expected = [moment.replace(tzinfo=timezone.utc).astimezone(zone) for moment in moments]
    np.testing.assert_array_equal(to_local(array(moments), name), array(expected))


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.lists(MOMENTS, min_size=1, max_size=10), st.booleans())
def test_a_time_on_the_wall_is_the_moment_that_zoneinfo_says(name, moments, later):
    zone = zoneinfo.ZoneInfo(name)
    expected = [moment.replace(tzinfo=zone, fold=int(later)).astimezone(timezone.utc) for moment in moments]
    np.testing.assert_array_equal(to_utc(array(moments), name, later), array(expected))


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("name", ZONES)
def test_every_half_hour_of_some_years_is_as_zoneinfo_has_it(name, later):
    zone = zoneinfo.ZoneInfo(name)
    wall = np.arange("2016-01-01", "2018-01-01", np.timedelta64(30, "m"), "datetime64[us]")
    expected = [moment.replace(tzinfo=zone, fold=int(later)).astimezone(timezone.utc) for moment in wall.tolist()]
    np.testing.assert_array_equal(to_utc(wall, name, later), array(expected))


def test_without_a_zone_the_wall_shows_utc():
    times = np.array(["2024-07-01"], "datetime64[us]")
    assert to_local(times, None) is times
    assert to_utc(times, None) is times
    assert len(to_utc(times[:0], "Europe/Berlin")) == len(to_local(times[:0], "Europe/Berlin")) == 0


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Europe/Berln", r"--time-zone: expected a name such as .*, got 'Europe/Berln'; did you mean Europe/Berlin"),
        ("", "--time-zone: expected a name"),
        ("../etc/passwd", "--time-zone: expected a name"),
        ("Europe", "--time-zone: expected a name"),
        ("\0", "--time-zone: expected a name"),
        ("+01:00", "--time-zone: expected a name"),
    ],
)
def test_what_is_no_zone_is_refused_with_the_nearest_name(name, complaint):
    with pytest.raises(DataError, match=complaint) as caught:
        find_zone(name)
    assert "\n" not in str(caught.value)


def test_a_machine_without_zones_is_told_what_to_install(monkeypatch):
    def none(name):
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zones.zoneinfo, "ZoneInfo", none)
    monkeypatch.setattr(zones.zoneinfo, "available_timezones", set)
    with pytest.raises(MissingDependencyError, match=r"'Europe/Berlin' needs time zone data.*pip install tzdata"):
        find_zone("Europe/Berlin")
