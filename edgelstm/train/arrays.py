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
    taken = round(count * float(validation)) if 0 < validation < 1 else 0
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
