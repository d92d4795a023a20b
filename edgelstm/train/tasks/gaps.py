"""Gaps in a recipe's series: the longest gap to fill, and the report about gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.series import Series

LINES = 8  # columns with a line each about their gaps
_DONE = {"interpolate": "interpolated", "forward": "filled with the last value"}


def max_gap_of(asked: int | None, policy: str, season: int | None, window: int) -> int | None:
    """Choose the longest gap to fill, in samples: as given, else a third of a season, else an eighth of a window.

    Returns:
        At least 1 if not given; None under a policy that fills nothing.

    Example:
        >>> max_gap_of(None, "interpolate", 24, 168), max_gap_of(None, "interpolate", None, 6)
        (8, 1)
    """
    if policy not in _DONE:
        return None
    if asked is not None:
        return asked
    return max(1, window // 8 if season is None else season // 3)


def gap_lines(
    series: Sequence[Series], columns: Sequence[tuple[str, str]], policy: str, max_gap: int | None
) -> tuple[str, ...]:
    """Count the gaps of each column, in a line for people.

    Args:
        series: all of them.
        columns: the name of a column, and a channel that is missing at the same samples.
        policy: of `edgelstm.data.gaps`.
        max_gap: the longest gap that is filled, in samples.

    Example:
        >>> values = np.array([1.0, np.nan, 3.0, np.nan, np.nan, np.nan, 7.0])[:, np.newaxis]
        >>> print(*gap_lines([Series(("v",), values, None, None, None)], [("v", "v")], "interpolate", 2))
        v: 4 of 7 samples are missing, in 2 gaps: 1 interpolated, 1 longer than 2 not filled (--max-gap)
    """
    lines = []
    for name, channel in columns:
        lengths = np.concatenate([_lengths(one.columns((channel,))[:, 0]) for one in series])
        if len(lengths):
            rows = sum(len(one.values) for one in series)
            lines.append(f"{name}: {_line(lengths, rows, policy, max_gap)}")
    if len(lines) > LINES:
        lines = [*lines[:LINES], f"samples are missing in {len(lines) - LINES} more columns"]
    return tuple(lines)


def _line(lengths: NDArray[np.int64], rows: int, policy: str, max_gap: int | None) -> str:
    gaps = f"{len(lengths)} gap{'s' if len(lengths) > 1 else ''}"
    line = f"{lengths.sum():,} of {rows:,} samples are missing, in {gaps}"
    if policy not in _DONE:
        return f"{line}: not filled"
    long = 0 if max_gap is None else int((lengths > max_gap).sum())
    if not long:
        most = "" if max_gap is None else f", up to {max_gap} in a row (--max-gap)"
        return f"{line}: {_DONE[policy]}{most}"
    filled = f"{len(lengths) - long} {_DONE[policy]}, " if long < len(lengths) else ""
    return f"{line}: {filled}{long} longer than {max_gap} not filled (--max-gap)"


def _lengths(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give the length of each run of missing samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.isnan(values).astype(np.int8), [0]])))
    return edges[1::2] - edges[::2]
