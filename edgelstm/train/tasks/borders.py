"""Where one long series is cut into its parts."""

from __future__ import annotations

import numpy as np

from edgelstm.data.parts import fraction_borders
from edgelstm.data.readers.asking import TimeAsk
from edgelstm.data.readers.times import read_stamps
from edgelstm.data.series import Series
from edgelstm.errors import DataError
from edgelstm.train.recipe import Recipe


def borders_of(recipe: Recipe, series: Series) -> tuple[int, ...]:
    """Say at which row of one long series each part ends: by fractions, rows or dates.

    Raises:
        DataError: borders that do not grow within the series, or a date where there is no time.
    """
    by = recipe.split
    if not by.borders:
        return fraction_borders(len(series.values), *by.fractions)
    borders = tuple(border if isinstance(border, int) else _row_at(border, series) for border in by.borders)
    if list(borders) != sorted(borders) or borders[0] < 1 or borders[-1] > len(series.values):
        raise DataError(
            f"split: expected borders that grow within the {len(series.values)} rows, got "
            f"{', '.join(map(str, by.borders))} (rows {', '.join(map(str, borders))})"
        )
    return borders


def _row_at(border: str, series: Series) -> int:
    """Find the first row at or after a date."""
    if series.time is None:
        raise DataError(f"split: the border {border!r} is a date, but there is no column of timestamps: give --time")
    try:
        moment = read_stamps([border], TimeAsk(("border",)), lambda row: "split").utc[0]
    except DataError as error:
        raise DataError(f"split: expected a row number or an ISO 8601 date as a border, got {border!r}") from error
    if not series.time[0] < moment <= series.time[-1]:
        raise DataError(
            f"split: expected a border between {series.time[0]} and {series.time[-1]}, where the data lies, "
            f"got {border!r}"
        )
    return int(np.searchsorted(series.time, moment))
