"""From a recipe to the options for reading its tables."""

from __future__ import annotations

from edgelstm.data.readers.asking import Asking
from edgelstm.options import TableOptions, asked_as
from edgelstm.recipe.recipe import Recipe


def asking_of(
    recipe: Recipe, columns: tuple[str, ...], targets: tuple[str, ...] = (), label: str | None = None
) -> Asking:
    """Give the options for reading the tables of a recipe.

    Args:
        recipe: its `[data]` says how to read the tables.
        columns: the channels to read; empty: every column without another role.
        targets: the channels that must hold numbers.
        label: the column of the classes; None for none.
    """
    data = recipe.data
    how = {asked_as(key): getattr(data, key) for key in TableOptions.__annotations__ if key != "path"}
    return Asking(
        columns=tuple(dict.fromkeys(columns)),
        targets=targets,
        task=recipe.task,
        label=label,
        **how,
    )
