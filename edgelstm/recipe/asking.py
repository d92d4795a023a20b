"""From a recipe to what is asked of its tables."""

from __future__ import annotations

from edgelstm.data.readers.asking import Asking
from edgelstm.recipe.recipe import Recipe


def asking_of(
    recipe: Recipe, columns: tuple[str, ...], targets: tuple[str, ...] = (), label: str | None = None
) -> Asking:
    """Say what is asked of the tables of a recipe.

    Args:
        recipe: its `[data]` says how to read.
        columns: the channels to read; empty: every column that has no other task.
        targets: those of them that must hold numbers.
        label: the column of classes; None for none.
    """
    data = recipe.data
    return Asking(
        columns=tuple(dict.fromkeys(columns)),
        targets=targets,
        task=recipe.task,
        label=label,
        time=data.time,
        series=data.series,
        format=data.format,
        delimiter=data.delimiter,
        decimal=data.decimal,
        encoding=data.encoding,
        skip_rows=data.skip_rows,
        header=data.header,
        na=data.na,
        time_format=data.time_format,
        time_zone=data.time_zone,
        resample=data.resample,
        duplicates=data.duplicates,
        gaps=data.missing,
        max_gap=data.max_gap,
    )
