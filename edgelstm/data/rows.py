"""From series in float64, with gaps, to the float32 rows that a network is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.gaps import fill
from edgelstm.data.series import Series
from edgelstm.data.windows import Index, Rows
from edgelstm.errors import DataError


def rows_of(
    series: Series,
    names: tuple[str, ...],
    start: int,
    end: int,
    missing: str,
    ahead: tuple[str, ...] = (),
    steps: int = 0,
    *,
    max_gap: int | None = None,
    categories: tuple[str, ...] = (),
) -> tuple[Rows, NDArray[np.bool_]]:
    """Take some rows of some channels, their gaps filled from these and earlier rows alone.

    Args:
        series: to take them from.
        names: of the channels.
        start: the first row.
        end: the row after the last.
        missing: a policy of `edgelstm.data.gaps`.
        ahead: the channels that are known ahead.
        steps: how many steps ahead they are known.
        max_gap: the longest gap to fill, in samples; None: no limit.
        categories: the channels that are 1 or 0 for a word: words cannot be interpolated, so the last one is repeated.

    Returns:
        float32 [end - start, C], minus the origins of the series, NaN where a gap could not be filled; channels known
        ahead have the value of `steps` rows later. And bool [end - start], whether a sample of the row was missing in
        the series.

    Raises:
        DataError: a sample is missing and the policy is `"error"`, or a value is too large for float32.
    """
    values = shifted(series.columns(names)[:end], names, ahead, steps)
    filled = shifted(filled_rows(series, names, end, missing, max_gap, categories), names, ahead, steps)
    if series.origins:
        filled = filled - np.array([series.origins.get(name, 0.0) for name in names])
    with np.errstate(over="ignore"):  # values that are too large are refused right after
        rows: Rows = filled.astype(np.float32)
    large = np.argwhere(np.isinf(rows))
    if len(large):
        row, column = large[0]
        raise DataError(
            f"{_named(series)}column {names[column]!r} is {filled[row, column]:g} at row {row + 1}, which is too large "
            "for float32: use a larger unit"
        )
    return rows[start:], np.asarray(np.isnan(values).any(axis=1))[start:]


def filled_rows(
    series: Series,
    names: tuple[str, ...],
    end: int,
    missing: str,
    max_gap: int | None = None,
    categories: tuple[str, ...] = (),
) -> NDArray[np.float64]:
    """Fill the gaps of some channels from the rows before `end`; an error names the series.

    Args:
        series: to take them from.
        names: of the channels.
        end: the row after the last.
        missing: a policy of `edgelstm.data.gaps`.
        max_gap: as for `rows_of`.
        categories: as for `rows_of`.

    Returns:
        float64 [end, C], NaN where a gap could not be filled.

    Raises:
        DataError: a sample is missing and the policy is `"error"`.
    """
    values, held = series.columns(names)[:end], [i for i, name in enumerate(names) if name in categories]
    try:
        filled = fill(values, names, missing, max_gap)
        if held and missing == "interpolate":
            words = tuple(names[i] for i in held)
            filled = filled.copy()
            filled[:, held] = fill(values[:, held], words, "forward", max_gap)
    except DataError as error:
        raise DataError(f"{_named(series)}{error}") from error
    return filled


def _named(series: Series) -> str:
    return f"series {series.name}: " if series.name else ""


def shifted(
    values: NDArray[np.float64], names: tuple[str, ...], ahead: tuple[str, ...], steps: int
) -> NDArray[np.float64]:
    """Move the channels known ahead to the rows they are given with: [N, C], NaN at the end, after the last value.

    Example:
        >>> shifted(np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]), ("heat", "plan"), ("plan",), 1).tolist()
        [[1.0, 20.0], [2.0, 30.0], [3.0, nan]]
    """
    if not ahead or steps == 0:
        return values
    result = values.copy()
    columns = [names.index(name) for name in ahead]
    result[:, columns] = np.nan
    result[: max(len(values) - steps, 0), columns] = values[steps:, columns]
    return result


def known_ahead(series: Series, ahead: Mapping[str, int], steps: int) -> Series:
    """Move columns known ahead to the samples they are given with, up to the last sample that has them all.

    Args:
        series: a table with rows after the last sample to forecast from, for the columns known ahead.
        ahead: how many steps ahead each such column is known; other columns may be missing.
        steps: the rows that a forecast needs.

    Raises:
        DataError: the table ends too early for a single forecast.

    Example:
        >>> values = np.array([[1.0, 10.0], [2.0, 20.0], [np.nan, 30.0]])
        >>> known_ahead(Series(("heat", "plan"), values, None, None, None), {"plan": 1}, 2).values.tolist()
        [[1.0, 20.0], [2.0, 30.0]]
    """
    most = max(ahead.values(), default=0)
    if most == 0:
        return series
    count = len(series.values) - most
    if count < steps:
        column = max(ahead, key=lambda name: ahead[name])
        raise DataError(
            f"a forecast from {steps} rows needs {column!r} known {most} steps ahead, so at least {steps + most} rows, "
            f"got {len(series.values)}: add the future rows, with the known columns alone"
        )
    values = series.values
    for name, by in ahead.items():
        values = shifted(values, series.names, (name,), by)
    labels = None if series.labels is None else series.labels[:count]
    time = None if series.time is None else series.time[:count]
    return replace(series, values=values[:count], time=time, labels=labels)


def seconds_of(series: Series, start: int, end: int) -> Index | None:
    """Give the times of some rows in whole seconds since 1970, UTC: int64 [end - start]; None without times."""
    if series.time is None:
        return None
    seconds: Index = series.time[start:end].astype("datetime64[s]").astype(np.int64)
    return seconds
