"""Check a caller's own arrays."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from edgelstm.data.windows import Rows
from edgelstm.errors import InputError


def fraction_of(validation: Any, count: int) -> int | None:
    """Say how many examples a fraction is; None where `validation` is no fraction.

    Raises:
        InputError: one part would be empty.
    """
    if not isinstance(validation, numbers.Real) or isinstance(validation, numbers.Integral):
        return None
    taken = round(count * float(validation)) if 0 < float(validation) < 1 else 0
    if not 1 <= taken < count:
        raise InputError(f"validation: a fraction of {validation} of {count} windows leaves one part empty")
    return taken


def pair_of(part: str, pair: Any) -> tuple[Any, Any]:
    """Take (x, y) apart.

    Raises:
        InputError: it is no pair.
    """
    try:
        x, y = pair
    except (TypeError, ValueError) as error:
        raise InputError(f"{part}: expected a pair (x, y), got {type(pair).__name__}") from error
    return x, y


def finite(what: str, values: Any) -> Rows:
    """Turn numbers into contiguous float32.

    Raises:
        InputError: no rectangular array of finite numbers.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise ValueError(f"dtype {array.dtype}")
    except ValueError as error:
        raise InputError(f"{what}: expected a rectangular array of numbers, got {error}") from error
    with np.errstate(over="ignore", invalid="ignore"):  # what is no finite float32 is refused right after
        array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{what}: expected finite numbers, got NaN or infinity; fill or leave out missing samples")
    return array


def series_from(what: str, x: Any) -> list[Rows]:
    """Take series of their own length: float32 [T, F] each, from an array [N, T, F] or a list.

    Raises:
        InputError: no series, one without a sample, or series of different channels.
    """
    series = [finite(what, one) for one in x]
    for one in series:
        if one.ndim != 2 or 0 in one.shape or one.shape[1] != series[0].shape[1]:
            raise InputError(f"{what}: expected series [T, F] with the same F and at least one step, got {one.shape}")
    if not series:
        raise InputError(f"{what}: expected at least one series, got none")
    return series


def named(what: str, names: tuple[str, ...], size: int, letter: str) -> tuple[str, ...]:
    """Name channels: as given, or `x0`, `x1`, ...

    Raises:
        InputError: another number of names than channels, or one name twice.
    """
    found = names or tuple(f"{letter}{i}" for i in range(size))
    if len(found) != size or len(set(found)) != size:
        raise InputError(f"{what}: expected {size} different name(s), one for each channel, got {found}")
    return found
