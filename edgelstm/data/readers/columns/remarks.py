"""Remarks on a column of numbers to read before a training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.columns.fields import Sifted

_OFTEN = 3  # rows
_SHARE = 0.002  # of the known values
_DISTINCT = 10  # with fewer values, none counts as far from the others
_FAR = 4.0  # times the widest gap between two others of the nearer half
_LISTED = 6


def remarks(column: str, numbers: Sifted) -> tuple[str, ...]:
    """Say which words were read as missing samples or as 1 and 0, and which number looks like a missing sample.

    Example:
        >>> values = np.array([20.1, 20.3, np.nan, 19.9, 20.5, 20.4, np.nan, 20.0, 19.7, 19.8, 20.6, 20.7])
        >>> remarks("co2", Sifted(values, {"unknown": 2}, {}))
        ("column 'co2': read as missing: unknown (2)",)
    """
    found = []
    words = {word: count for word, count in numbers.missing.items() if word}
    if words:
        often = sorted(words.items(), key=lambda item: -item[1])[:_LISTED]
        found.append(
            f"column {column!r}: read as missing: " + ", ".join(f"{word} ({count:,})" for word, count in often)
        )
    if numbers.truths:
        found.append(f"column {column!r}: {numbers.truths[0]} is 1, {numbers.truths[1]} is 0")
    sentinel = sentinel_of(numbers.values)
    if sentinel is not None:
        known = numbers.values[~np.isnan(numbers.values)]
        others = known[known != sentinel]
        found.append(
            f"column {column!r}: {sentinel:.10g} occurs in {len(known) - len(others):,} of {len(numbers.values):,} "
            f"rows, far from all others ({others.min():g} to {others.max():g}): if it means missing, give "
            f"--na {sentinel:.10g}"
        )
    return tuple(found)


def sentinel_of(values: NDArray[np.float64]) -> float | None:
    """Find a value that probably means missing: the lowest or highest one, frequent, and far from all others.

    Never 0, which means that something is off.

    Args:
        values: float64 [N], NaN where a sample is missing.

    Example:
        >>> sentinel_of(np.array([-9999.0] * 3 + list(range(20))))
        -9999.0
        >>> sentinel_of(np.array([0.0] * 3 + list(range(5000, 5020)))) is None
        True
    """
    known = values[~np.isnan(values)]
    distinct, counts = np.unique(known, return_counts=True)
    if len(distinct) <= _DISTINCT:
        return None
    gaps = np.diff(distinct)
    enough = max(_OFTEN, _SHARE * len(known))
    for value, count, gap, others in (
        (distinct[0], counts[0], gaps[0], gaps[1 : len(gaps) // 2 + 1]),
        (distinct[-1], counts[-1], gaps[-1], gaps[len(gaps) // 2 : -1]),
    ):
        if value != 0 and count >= enough and gap > _FAR * others.max():
            return float(value)
    return None
