"""Seasons: the length of a cycle in samples, by the calendar and by the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.series import Series

CONFIRMED = 0.2  # autocorrelation at a season's lag, after subtracting the mean over a season, that confirms it
CLEARER = 0.2  # by how much the autocorrelation of changes must exceed that of the calendar's season
FOUND = 0.4  # autocorrelation of changes needed for a season that no calendar suggests
LONGEST = 400  # samples of the longest season that is searched for
DAY_S, YEAR_S = 86_400.0, 365.2425 * 86_400.0

Values = NDArray[np.float64]


class Season(NamedTuple):
    """The length of a season.

    Attributes:
        samples: None if there is no season.
        words: where it comes from; empty if it was given.
    """

    samples: int | None
    words: str


def season_of(period_s: float | None) -> int | None:
    """Guess the season of a series in samples, from its sampling period.

    A day if it has at least two samples, else a week of daily samples, else a year. None without time, or with fewer
    than two samples a year.

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
    """Find the length of a season in samples.

    The calendar suggests one: a day, a week of days, a year. If the training rows do not confirm it, a season that they
    show clearly replaces it.

    Args:
        asked: the length that was given; None if none was.
        training: the training rows of each series.
        target: the channel to examine.

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
    """Interpolate gaps: only the correlation of samples matters here."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2:
        return np.zeros(0)
    return np.interp(np.arange(known[0], known[-1] + 1), known, values[known])


def _repeats(values: Values, season: int) -> float:
    """Give the autocorrelation at a season's lag, without the mean over a season; 0 for fewer than three seasons."""
    if len(values) < 3 * season:
        return 0.0
    sums = np.concatenate([[0.0], np.cumsum(values - values[0])])
    mean = (sums[season:] - sums[:-season]) / season
    half = season // 2
    left = values[half : half + len(mean)] - values[0] - mean
    return _correlation(left[season:], left[:-season])


def _most_alike(values: Values) -> int | None:
    """Find the shortest lag whose autocorrelation of changes is a peak, at least 0.9 times the highest one."""
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
