"""Classes as they are written in a table, and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edgelstm.data.sequences import UNKNOWN
from edgelstm.data.series import Series
from edgelstm.data.windows import Index
from edgelstm.errors import DataError

SHOWN = 12  # classes in a message


def classes_of(labels: Iterable[str]) -> tuple[str, ...]:
    """List the classes of the training part as they are written: numbers by value, text alphabetically.

    Args:
        labels: one for each sample or series, empty where unknown.

    Raises:
        DataError: there are fewer than two classes.

    Example:
        >>> classes_of(["10", "9", "", "10"]), classes_of(["on", "off", "10"])
        (('9', '10'), ('10', 'off', 'on'))
    """
    found = sorted(set(labels) - {""})
    if len(found) < 2:
        got = f"only {found[0]!r}" if found else "none"
        raise DataError(f"expected at least two classes in the training part, got {got}")
    values = [_number(label) for label in found]
    if np.isnan(values).any():
        return tuple(found)
    return tuple(label for _, label in sorted(zip(values, found, strict=True)))


def class_numbers(labels: Iterable[str], classes: tuple[str, ...], part: str) -> Index:
    """Number labels by their position among the classes: int64 [n], `UNKNOWN` where they are empty.

    Args:
        labels: as they are written.
        classes: of the training part.
        part: its name, for messages.

    Raises:
        DataError: a class does not occur in training.

    Example:
        >>> class_numbers(["on", "", "off"], ("off", "on"), "test").tolist()
        [1, -1, 0]
    """
    known = {"": UNKNOWN, **{label: number for number, label in enumerate(classes)}}
    labels = list(labels)
    foreign = sorted(set(labels) - known.keys())
    if foreign:
        raise DataError(
            f"the {part} part has classes that training lacks: {_some([repr(label) for label in foreign])} "
            f"(training has {_some(classes)}): remove them, or add training examples"
        )
    return np.array([known[label] for label in labels], np.int64)


def class_of(series: Series) -> str:
    """Give the single class of a series.

    Raises:
        DataError: it is missing, or changes within the series.
    """
    found = sorted(set(series.labels or ("",)))
    if len(found) > 1:
        shown = ", ".join(repr(label) if label else "missing" for label in found[:3])
        raise DataError(f"series {series.name}: expected one class for the whole series, got {shown}")
    if not found[0]:
        raise DataError(f"series {series.name}: its class is missing; remove the series")
    return found[0]


def _some(labels: Sequence[str]) -> str:
    """Name the first few: numbers used as classes can be hundreds."""
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return ", ".join(labels[:SHOWN]) + more


def _number(label: str) -> float:
    """Give the value of a label; NaN if it is not a finite number."""
    try:
        number = float(label) if label.isascii() and "_" not in label else np.nan
    except ValueError:
        return np.nan
    return number if abs(number) < np.inf else np.nan
