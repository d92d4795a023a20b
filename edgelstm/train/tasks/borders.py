"""Where series are split into parts, in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgelstm.data.parts import fraction_borders
from edgelstm.data.readers.asking import TimeAsk
from edgelstm.data.readers.times.stamps import read_stamps
from edgelstm.data.series import Series
from edgelstm.errors import DataError
from edgelstm.recipe.recipe import Recipe


def borders_of(recipe: Recipe, series: Series) -> tuple[int, ...]:
    """Give the row at which each part of one long series ends: by fractions, rows or dates.

    Raises:
        DataError: borders are not ascending within the series, or a date is given without times.
    """
    by = recipe.split
    if not by.borders:
        return fraction_borders(len(series.values), *by.fractions)
    borders = tuple(
        border if isinstance(border, int) else _row_at(border, series, recipe.data.time_zone) for border in by.borders
    )
    if list(borders) != sorted(borders) or borders[0] < 1 or borders[-1] > len(series.values):
        raise DataError(
            f"split: expected ascending borders within the {len(series.values)} rows, got "
            f"{', '.join(map(str, by.borders))} (rows {', '.join(map(str, borders))})"
        )
    return borders


def borders_of_each(recipe: Recipe, series: Sequence[Series]) -> list[tuple[int, ...]]:
    """Give the rows at which the parts of each series end: by fractions of its own rows, or by common rows or dates.

    A date may be before or after a series, which then has no rows in a part.

    Raises:
        DataError: as for `borders_of`; a row beyond the end of a series; a date outside all series.
    """
    by = recipe.split
    if len(series) == 1 or not any(isinstance(border, str) for border in by.borders):
        return [borders_of(recipe, one) for one in series]
    zone = recipe.data.time_zone
    _check_times(by.borders, series, zone)
    found = []
    for one in series:
        ends = [border if isinstance(border, int) else _place(one, _moment(border, zone)) for border in by.borders]
        if ends != sorted(ends) or ends[0] < 0 or ends[-1] > len(one.values):
            raise DataError(
                f"split: series {one.name}: expected ascending borders within its {len(one.values)} rows, got "
                f"{', '.join(map(str, by.borders))}"
            )
        found.append(tuple(ends))
    return found


def _check_times(borders: Sequence[int | str], series: Sequence[Series], zone: str | None) -> None:
    """Check that each date is within some series."""
    times = [one.time for one in series if one.time is not None]
    for border in borders:
        if isinstance(border, int):
            continue
        if not times:
            raise _without_time(border)
        first, last = min(time[0] for time in times), max(time[-1] for time in times)
        if not first < _moment(border, zone) <= last:
            raise _outside(border, first, last)


def _row_at(border: str, series: Series, zone: str | None) -> int:
    """Find the first row at or after a date."""
    if series.time is None:
        raise _without_time(border)
    moment = _moment(border, zone)
    if not series.time[0] < moment <= series.time[-1]:
        raise _outside(border, series.time[0], series.time[-1])
    return _place(series, moment)


def _place(series: Series, moment: np.datetime64) -> int:
    return 0 if series.time is None else int(np.searchsorted(series.time, moment))


def _moment(border: str, zone: str | None) -> np.datetime64:
    """Read a date, in the time zone of the table."""
    try:
        moment: np.datetime64 = read_stamps([border], TimeAsk(("border",), zone=zone), lambda row: "split").utc[0]
    except DataError as error:
        raise DataError(f"split: expected a row number or an ISO 8601 date as a border, got {border!r}") from error
    return moment


def _without_time(border: str) -> DataError:
    return DataError(f"split: the border {border!r} is a date, but there is no timestamp column: give --time")


def _outside(border: str, first: np.datetime64, last: np.datetime64) -> DataError:
    return DataError(f"split: expected a border within the data, {first} to {last}, got {border!r}")
