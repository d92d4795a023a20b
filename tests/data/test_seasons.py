"""Seasons: by the calendar, by the data, by what was asked."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.data.seasons import find_season
from edgelstm.data.series import Series
from edgelstm.reading import Rhythm

HOURS = Rhythm("second", 3600.0)


def series(values, rhythm=None):
    period = None if rhythm is None else rhythm.period_s
    return Series(("v",), np.asarray(values, np.float64)[:, np.newaxis], None, period, None, rhythm=rhythm)


def wave(season, rows=600, noise=0.3):
    return np.sin(np.arange(rows) * 2 * np.pi / season) + noise * np.random.default_rng(0).normal(size=rows)


def walk(rows=600):
    return np.cumsum(np.random.default_rng(1).normal(size=rows))


@pytest.mark.parametrize("size", [1e-10, 1.0, 1e12])
def test_the_day_of_hours_is_confirmed_by_the_data_whatever_their_size(size):
    found = find_season(None, [series(size * (wave(24) + 1000), HOURS)], "v")
    assert found == (24, "by the calendar, confirmed in the training part")


def test_a_season_that_the_data_show_clearly_takes_the_place_of_the_calendars():
    found = find_season(None, [series(wave(30, noise=0.02), HOURS)], "v")
    assert found == (30, "found in the training part")


@pytest.mark.parametrize(
    ("rhythm", "samples"),
    [
        (HOURS, 24),
        (Rhythm("business day", 1), 5),
        (Rhythm("day", 1), 7),
        (Rhythm("day", 7), 52),
        (Rhythm("month", 1, 1), 12),
        (Rhythm("month", 3, 1), 4),
        (Rhythm("month", 12, 1), None),
        (None, None),
    ],
)
def test_a_walk_has_the_season_of_its_calendar_which_nothing_confirms(rhythm, samples):
    found = find_season(None, [series(walk(), rhythm)], "v")
    assert found.samples == samples
    assert ("not confirmed" in found.words) == (samples is not None)


def test_what_was_asked_is_taken():
    assert find_season(17, [series(wave(24), HOURS)], "v") == (17, "")


def test_the_longest_series_tells_and_gaps_do_not_matter():
    long = wave(24)
    long[::7] = np.nan
    assert find_season(None, [series([1.0, 2.0]), series(long, HOURS)], "v").samples == 24


@pytest.mark.parametrize("values", [[], [1.0], [np.nan] * 9, [3.0] * 200])
def test_what_has_no_season_is_no_error(values):
    assert find_season(None, [series(values)], "v") == (None, "")
