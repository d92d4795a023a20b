"""Missing samples: fill them, keep them as NaN, or refuse them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.errors import DataError, counted


def fill(
    values: NDArray[np.float64], names: tuple[str, ...], policy: str, max_gap: int | None = None
) -> NDArray[np.float64]:
    """Fill the missing samples (NaN) of a series.

    Args:
        values: float64 [N, C]; not changed.
        names: of the channels, for messages.
        policy: `"interpolate"`: linear between the neighbours in time; at the end the last value is repeated.
            `"forward"`: the last value is repeated. `"drop"`: nothing is filled; windows with a missing sample are
            removed later. `"error"`: a missing sample is an error.
        max_gap: the longest gap to fill, in samples of a channel; longer gaps stay NaN completely, also at the end.
            None: no limit.

    Returns:
        float64 [N, C]; samples before a channel's first value stay NaN under every policy.

    Raises:
        DataError: the policy is `"error"` and a sample is missing.

    Example:
        >>> fill(np.array([[1.0], [np.nan], [3.0]]), ("co2",), "interpolate").ravel()
        array([1., 2., 3.])
        >>> fill(np.array([[1.0], [np.nan], [np.nan], [4.0]]), ("co2",), "forward", max_gap=1).ravel()
        array([ 1., nan, nan,  4.])
    """
    missing = np.isnan(values)
    if policy == "drop" or not missing.any():
        return values
    if policy == "error":
        row, column = np.argwhere(missing)[0]
        raise DataError(
            f"{counted(int(missing.sum()), 'missing sample')}, the first in column {names[column]!r} at row {row + 1}; "
            "fill them with --missing interpolate or forward"
        )
    filled = values.copy()
    for column in range(values.shape[1]):
        _fill_column(filled[:, column], policy)
        if max_gap is not None:
            filled[in_long_runs(missing[:, column], max_gap), column] = np.nan
    return filled


def in_long_runs(missing: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """Mark the samples of gaps that are longer than `most`.

    Args:
        missing: bool [N] of one channel.
        most: from 0.

    Returns:
        bool [N].

    Example:
        >>> in_long_runs(np.array([True, False, True, True]), 1)
        array([False, False,  True,  True])
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    long = ends - begins > most
    change = np.zeros(len(missing) + 1, np.int64)
    change[begins[long]], change[ends[long]] = 1, -1
    return np.asarray(np.cumsum(change[:-1]) > 0)


def _fill_column(column: NDArray[np.float64], policy: str) -> None:
    known = np.flatnonzero(np.isfinite(column))
    if known.size == 0:
        return
    rows = np.arange(known[0], len(column))
    if policy == "interpolate":
        column[rows] = np.interp(rows, known, column[known])
    else:
        column[rows] = column[known[np.searchsorted(known, rows, side="right") - 1]]
