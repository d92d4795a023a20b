"""From a recipe to the requests for its tables, and from columns to channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgelstm.contract import Channel
from edgelstm.data.readers.asking import Asking, Found
from edgelstm.data.readers.sources import read_source
from edgelstm.data.series import Series, Stretch
from edgelstm.errors import DataError
from edgelstm.recipe.recipe import Recipe

Categories = Mapping[str, tuple[str, ...]]
SHOWN = 6  # names per line


def read_like(found: Found, path: str, asking: Asking) -> Found:
    """Read another source of the same recipe, a held-out one, in the same way as the first."""
    return read_source(path, replace(asking, like=found.reading, categories=found.categories))


def tables_beside(recipe: Recipe) -> tuple[Path, ...]:
    """List the files of a recipe that are not series, in any folder."""
    return tuple(Path(path) for path in (recipe.data.labels, recipe.split.groups) if path is not None)


def channels_named(columns: tuple[str, ...], categories: Categories) -> tuple[str, ...]:
    """Name the channels of columns: a text column has one per word.

    Example:
        >>> channels_named(("heat", "wind"), {"wind": ("NW", "SE")})
        ('heat', 'wind=NW', 'wind=SE')
    """
    return tuple(
        name
        for column in columns
        for name in ([f"{column}={word}" for word in categories[column]] if column in categories else [column])
    )


def columns_found(series: Series, categories: Categories) -> list[tuple[str, str]]:
    """List the columns of a series, each with a channel that is missing at the same samples."""
    about = of_words(categories)
    columns = {about[name][0] if name in about else name: name for name in reversed(series.names)}
    return list(columns.items())[::-1]


def of_words(categories: Categories) -> dict[str, tuple[str, str]]:
    """Give the column and the word of each channel that stands for a word."""
    return {f"{column}={word}": (column, word) for column, words in categories.items() for word in words}


def with_words(channels: Sequence[Channel], categories: Categories) -> tuple[Channel, ...]:
    """Record the column and the word in each input that stands for a word."""
    about = of_words(categories)
    return tuple(
        channel._replace(column=about[channel.name][0], category=about[channel.name][1])
        if channel.name in about
        else channel
        for channel in channels
    )


def changing(
    names: tuple[str, ...], learnt: Sequence[Stretch], keep: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove inputs that are constant in training: there is nothing to learn from them.

    Args:
        names: of the inputs.
        learnt: the training data.
        keep: inputs that are targets as well, which are checked later.

    Returns:
        The inputs that change, and a line that names the others, if there are any.

    Raises:
        DataError: all are constant.
    """
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for stretch in learnt:
        values = stretch.columns(names)
        known = np.isfinite(values)
        low = np.minimum(low, np.where(known, values, np.inf).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.where(known, values, -np.inf).max(axis=0, initial=-np.inf))
    still = [name for i, name in enumerate(names) if not low[i] < high[i] and name not in keep]
    if not still:
        return names, ()
    if len(still) == len(names):
        raise DataError(
            f"expected inputs that change in the training part, got only constants ({some(names)}): name others with "
            "--feature"
        )
    left = tuple(name for name in names if name not in still)
    return left, (f"not used, because constant in training: {some(still)}",)


def some(names: Sequence[str]) -> str:
    """Name the first few."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def check_drift(recipe: Recipe, categories: Categories) -> None:
    """Check that drift is given for numbers only.

    Raises:
        DataError: it is given for a text column.
    """
    for name in recipe.data.drift:
        if name in categories:
            raise DataError(f"data.drift: {name!r} holds words, and only numbers can drift: remove it")
