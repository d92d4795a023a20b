"""Seasons: how many samples a cycle has, by the calendar and by the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.series import Series

CONFIRMED = 0.2  # autocorrelation a season apart, of what is left of a series without its mean over a season
CLEARER = 0.2  # of the changes of a series, than those a season of the calendar apart
FOUND = 0.4  # of the changes of a series, to believe in a season that no calendar suggests
LONGEST = 400  # samples in a season that is looked for
DAY_S, YEAR_S = 86_400.0, 365.2425 * 86_400.0

Values = NDArray[np.float64]


class Season(NamedTuple):
    """How many samples make a season.

    Attributes:
        samples: None where there is no season.
        words: where that comes from; empty where it was given.
    """

    samples: int | None
    words: str


def season_of(period_s: float | None) -> int | None:
    """Guess the season of a series from its sampling period, in samples.

    A day where a day has at least two samples, otherwise a week of daily samples, otherwise a year. None where
    there is no time, or samples are too rare for a season.

    Example:
        >>> season_of(7 * 86400.0), season_of(3600.0), season_of(None)
        (52, 24, None)
    """
    if period_s is None:
        return None
    season = round((DAY_S if period_s <= DAY_S / 2 else YEAR_S) / period_s)
    season = 7 if period_s == DAY_S else season
    return season if season >= 2 else None


def find_season(asked: int | None, training: Sequence[Series], target: str) -> Season:
    """Say how many samples a season has.

    The calendar of the rhythm suggests one: a day, a week of days, a year. Where the training rows do not confirm it,
    one that they show clearly is taken in its place.

    Args:
        asked: what was given; None where nothing was.
        training: the training rows of each series.
        target: the channel to look at.

    Example:
        >>> wave = np.sin(np.arange(500.0) * 2 * np.pi / 20)[:, np.newaxis]
        >>> find_season(None, [Series(("heat",), wave, None, None, None)], "heat")
        Season(samples=20, words='found in the training part')
    """
    if asked is not None:
        return Season(asked, "")
    longest = max(training, key=lambda one: len(one.values))
    values, suggested = _filled(longest.columns((target,))[:, 0]), _by_calendar(longest)
    found, changes = _most_alike(values), np.diff(values)
    if suggested is not None and _repeats(values, suggested) >= CONFIRMED:
        clearer = found is not None and _alike(changes, found) - _alike(changes, suggested) >= CLEARER
        if not clearer:
            return Season(suggested, "by the calendar, confirmed in the training part")
    if found is not None:
        return Season(found, "found in the training part")
    return Season(suggested, "by the calendar, not confirmed in the training part" if suggested else "")


def _by_calendar(series: Series) -> int | None:
    rhythm = series.rhythm
    if rhythm is not None and rhythm.unit == "business day":
        return 5 if rhythm.count == 1 else None
    return season_of(series.period_s if rhythm is None else rhythm.period_s)


def _filled(values: Values) -> Values:
    """Draw a line over gaps: here only how samples hang together counts."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2:
        return np.zeros(0)
    return np.interp(np.arange(known[0], known[-1] + 1), known, values[known])


def _repeats(values: Values, season: int) -> float:
    """Correlate what is a season apart, without the mean over a season; 0 where there are no two seasons to compare."""
    if len(values) < 3 * season:
        return 0.0
    sums = np.concatenate([[0.0], np.cumsum(values - values[0])])
    mean = (sums[season:] - sums[:-season]) / season
    half = season // 2
    left = values[half : half + len(mean)] - values[0] - mean
    return _correlation(left[season:], left[:-season])


def _most_alike(values: Values) -> int | None:
    """Find the shortest lag at which the changes of a series are about as alike as at any: a peak, and a high one."""
    changes = np.diff(values)
    lags = min(LONGEST, len(changes) // 3)
    if lags < 3:
        return None
    alike = np.array([_alike(changes, lag) for lag in range(1, lags + 1)])
    inner = alike[1:-1]
    peaks = 1 + np.flatnonzero((inner > alike[:-2]) & (inner >= alike[2:]) & (inner >= FOUND))
    if not len(peaks):
        return None
    return int(peaks[np.flatnonzero(alike[peaks] >= 0.9 * alike[peaks].max())[0]]) + 1


def _alike(changes: Values, lag: int) -> float:
    return _correlation(changes[lag:], changes[:-lag]) if len(changes) > lag else 0.0


def _correlation(a: Values, b: Values) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0
