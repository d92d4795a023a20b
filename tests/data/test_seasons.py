"""Seasons: by the calendar, by the data, by what was asked."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.data.seasons import find_season, season_of
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


CONFIRMED, NOT = (
    "by the calendar, confirmed in the training part",
    "by the calendar, not confirmed in the training part",
)
FOUND = "found in the training part"


@pytest.mark.parametrize(("share", "words"), [(0.26, CONFIRMED), (0.14, NOT)])
def test_a_calendar_is_confirmed_by_a_fifth_of_what_moves(share, words):
    """A wave of variance 1 / 2 beside noise: what is a season apart correlates by the share of the wave."""
    found = find_season(None, [series(wave(24, 9_600, np.sqrt(0.5 / share - 0.5)), HOURS)], "v")
    assert found == (24, words)


@pytest.mark.parametrize(("rows", "words"), [(72, CONFIRMED), (71, NOT)])
def test_a_season_is_confirmed_by_three_of_it(rows, words):
    assert find_season(None, [series(wave(24, rows, 0), HOURS)], "v") == (24, words)


@pytest.mark.parametrize(("season", "found"), [(26, (24, CONFIRMED)), (27, (27, FOUND))])
def test_another_season_must_be_clearer_by_a_fifth(season, found):
    """A wave correlates with itself 24 samples on by cos(2 pi 24 / season): 0.89 and 0.77."""
    assert find_season(None, [series(wave(season, 2_600, 0), HOURS)], "v") == found


@pytest.mark.parametrize(("share", "season"), [(0.46, 10), (0.34, None)])
def test_a_season_that_no_calendar_suggests_is_two_fifths_of_all_changes(share, season):
    """The changes of such a wave have the variance 2 sin(pi / 10) ** 2, those of noise twice its own."""
    moves = 2 * np.sin(np.pi / 10) ** 2
    assert find_season(None, [series(wave(10, 9_600, np.sqrt(moves * (1 / share - 1) / 2)))], "v").samples == season


@pytest.mark.parametrize(("season", "found"), [(399, 399), (402, None)])
def test_a_season_of_up_to_400_samples_is_looked_for(season, found):
    assert find_season(None, [series(wave(season, 2_500, 0))], "v").samples == found


@pytest.mark.parametrize(("long", "found"), [(0.55, 10), (1.5, 30)])
def test_the_shortest_of_seasons_that_are_about_as_clear_is_taken(long, found):
    """A third of a season counts as the season where it is at least nine tenths as clear: 0.95 and 0.7 here."""
    assert find_season(None, [series(wave(10, noise=0) + long * wave(30, noise=0))], "v").samples == found


@pytest.mark.parametrize(("hours", "samples"), [(8, 3), (12, 2), (13, 674), (23, 381), (24, 7), (25, 351)])
def test_a_day_with_less_than_two_samples_is_no_season(hours, samples):
    """Then it is a year, of 8765.82 hours, but a week of days."""
    assert season_of(hours * 3600.0) == samples
