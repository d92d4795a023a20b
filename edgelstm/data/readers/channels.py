"""Choose the channels of a table and read their samples: numbers, or a channel of 1 and 0 for each category."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import traits_of
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.columns.categories import one_hot, words_of
from edgelstm.data.readers.columns.fields import are_bookkept
from edgelstm.data.readers.columns.units import unit_of
from edgelstm.data.readers.formats.table import Table
from edgelstm.data.readers.times.stamps import moments_in
from edgelstm.errors import DataError, counted

MAX_WORDS = 256


_DIGIT = re.compile("[0-9]")


class Channels(NamedTuple):
    """The samples of a table.

    Attributes:
        names: of the channels, `COLUMN=WORD` for a category.
        values: float64 [N, C].
        categories: for each column of text its words.
        notes: one line each, for people.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    categories: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


def read_channels(table: Table, asking: Asking) -> Channels:
    """Read the columns that are asked for, or all columns without another task.

    Raises:
        DataError: there is no such column, a target holds text, a column of numbers holds a word, or there are too
            many words.
    """
    others = {*asking.time, *filter(None, (asking.series, asking.label))}
    taken = {table.position(column) for column in others}
    free = tuple(name for name in table.columns if table.position(name) not in taken)
    columns = asking.columns or table.channels or free
    for column in columns:
        table.require(column)
    if not columns:
        raise DataError(f"{table.name}: expected a column besides {' and '.join(sorted(others))}, got none")
    names: list[str] = []
    parts: list[NDArray[np.float64]] = []
    categories: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for column in dict.fromkeys(columns):
        words = _words(table, column, asking)
        if words is None:
            _refuse_truths(table, column, asking)
            names.append(column)
            parts.append(table.numbers(column)[:, None])
            notes += table.remarks(column) if asking.like is None else ()
            continue
        values, unseen = one_hot(table.texts(column), words)
        names += [f"{column}={word}" for word in words]
        parts.append(values)
        categories[column] = words
        if unseen:
            notes.append(f"column {column!r}: {counted(unseen, 'unknown word')}, treated as no category")
        elif asking.like is None:
            notes.append(f"column {column!r}: text, {len(words)} categories: {_listed(words)}")
    return Channels(tuple(names), np.concatenate(parts, axis=1), categories, tuple(notes))


def _words(table: Table, column: str, asking: Asking) -> tuple[str, ...] | None:
    """The categories of a column; None for numbers."""
    if column in asking.categories:
        return asking.categories[column]
    if asking.like is not None or table.channels:
        return None  # formats that name their channels have no text channels
    labels = traits_of(asking.task).every_step and column in asking.targets
    if not table.is_text(column):
        if labels and table.truths(column):
            raise _words_as_labels(table, column, table.truths(column))
        return None
    words = words_of(table.texts(column))
    if unit_of(words) is not None or are_bookkept(words):
        return None  # `numbers` refuses it and names the unit or the sign
    if labels:
        raise _words_as_labels(table, column, words)
    if column in asking.targets:
        signs = "write them as plain numbers, such as -1234.5"
        mend = signs if all(map(_DIGIT.search, words)) else "give --task label --classes to learn a class at each row"
        raise DataError(
            f"{table.name}: column {column!r} holds text, {_listed(words)}, but a forecast needs numbers: {mend}"
        )
    if words and moments_in(words[:MAX_WORDS]) is not None:
        raise DataError(
            f"{table.name}: column {column!r} holds times, {_listed(words[:2])}, which are not categories: give "
            f"--time {shlex.quote(column)}, or name other columns with --feature"
        )
    if len(words) > MAX_WORDS:
        raise DataError(
            f"{table.name}: column {column!r} holds {len(words)} different texts, more than {MAX_WORDS} categories: "
            "remove it from --feature, or give --series if it identifies series"
        )
    return words


def _refuse_truths(table: Table, column: str, asking: Asking) -> None:
    """Refuse words such as yes and no where training had other numbers: 1 and 0 would be wrong on that scale."""
    truths = table.truths(column) if column in asking.measured else ()
    if truths:
        raise DataError(
            f"{table.name}: expected numbers in column {column!r}, as in training, got {' and '.join(truths)}: write "
            "numbers"
        )


def _words_as_labels(table: Table, column: str, words: tuple[str, ...]) -> DataError:
    return DataError(
        f"{table.name}: column {column!r} holds words ({_listed(words)}), not numbers: give --classes to learn "
        "them as classes"
    )


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words[:6]) + (", ..." if len(words) > 6 else "")
