"""Check a caller's own arrays."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from edgelstm.data.classes import classes_of
from edgelstm.data.windows import Rows
from edgelstm.errors import InputError


def fraction_of(validation: Any, count: int) -> int | None:
    """Convert a fraction to a number of examples; None if `validation` is not a fraction.

    Raises:
        InputError: one part would be empty.
    """
    if not isinstance(validation, numbers.Real) or isinstance(validation, numbers.Integral):
        return None
    taken = round(count * float(validation)) if 0 < float(validation) < 1 else 0
    if not 1 <= taken < count:
        raise InputError(
            f"validation: {validation} of {count} leaves training or validation empty; give another fraction"
        )
    return taken


def pair_of(part: str, pair: Any) -> tuple[Any, Any]:
    """Unpack (x, y).

    Raises:
        InputError: it is not a pair.
    """
    try:
        x, y = pair
    except (TypeError, ValueError) as error:
        raise InputError(f"{part}: expected a pair (x, y), got {type(pair).__name__}") from error
    return x, y


def finite(what: str, values: Any, unknown: bool = False) -> Rows:
    """Turn numbers into contiguous float32.

    Args:
        what: name of the values, for a message.
        values: anything that numpy can turn into an array.
        unknown: allow NaN for unknown values.

    Raises:
        InputError: not a rectangular array of finite numbers.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise ValueError(f"dtype {array.dtype}")
    except ValueError as error:
        raise InputError(f"{what}: expected a rectangular array of numbers, got {error}") from error
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite float32 are refused below
        array = np.ascontiguousarray(array, np.float32)
    if not (np.isfinite(array) | (unknown & np.isnan(array))).all():
        raise InputError(f"{what}: expected finite numbers, got NaN or infinity; fill or remove missing samples")
    return array


def series_from(what: str, x: Any, channels: int | None = None) -> list[Rows]:
    """Take series of any length: float32 [T, F] each, from an array [N, T, F] or a list.

    Args:
        what: name of the series, for a message.
        x: the series.
        channels: F; None: that of the first series.

    Raises:
        InputError: no series, a series without samples, or different channels.
    """
    series = [finite(what, one) for one in x] if isinstance(x, Iterable) else []
    if not series:
        raise InputError(f"{what}: expected at least one series, got {'none' if isinstance(x, Iterable) else repr(x)}")
    for number, one in enumerate(series, start=1):
        if one.ndim != 2 or 0 in one.shape or one.shape[1] != (channels or series[0].shape[1]):
            letter = channels or "F"
            raise InputError(
                f"{what}: expected series [T, {letter}] with the same channels and at least one step, got {one.shape} "
                f"as series {number}"
            )
    return series


def labels_from(what: str, labels: Any, count: int, of: str) -> list[str]:
    """Take classes as texts, empty if unknown (None, NaN).

    Args:
        what: name of the labels, for a message.
        labels: numbers or texts.
        count: expected number.
        of: what has a label each, for a message.

    Raises:
        InputError: a different number of labels, or not a plain list.
    """
    plain = labels.tolist() if hasattr(labels, "tolist") else labels
    found = list(plain) if isinstance(plain, Iterable) else []
    if len(found) != count or any(isinstance(label, (list, tuple, np.ndarray)) for label in found):
        raise InputError(f"{what}: expected a class for each of {count} {of}, got {_shown(labels)}")
    return ["" if label is None or label != label else str(label) for label in found]


def classes_from(outputs: tuple[str, ...], labels: list[str]) -> tuple[str, ...]:
    """Give the classes of the training part: the given names, or those that occur there.

    Raises:
        InputError: fewer than two names, duplicates, or a class in the data without a name.
        DataError: only one class.
    """
    if not outputs:
        return classes_of(labels)
    absent = sorted(set(labels) - {"", *outputs})
    if absent or len(outputs) < 2 or len(set(outputs)) != len(outputs):
        raise InputError(
            f"outputs: expected the names of at least two different classes, with every class in y, got {outputs}"
            + (f" without {absent[0]!r}" if absent else "")
        )
    return outputs


def _shown(values: Any) -> str:
    """Describe values by their shape, else by their length, else by themselves."""
    if hasattr(values, "shape"):
        return str(tuple(values.shape))
    return f"{len(values)} of them" if isinstance(values, (list, tuple)) else repr(values)


def named(what: str, names: tuple[str, ...], size: int, letter: str) -> tuple[str, ...]:
    """Name channels: as given, or `x0`, `x1`, ...

    Raises:
        InputError: the number of names differs from that of the channels, or a name occurs twice.
    """
    found = names or tuple(f"{letter}{i}" for i in range(size))
    if len(found) != size or len(set(found)) != size:
        raise InputError(f"{what}: expected one name per channel ({size}), all different, got {found}")
    return found
