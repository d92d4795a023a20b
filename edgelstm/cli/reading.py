"""The options of how a table is read, the same ones for every command that is given a network and a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import IO, Any, get_args, get_type_hints

from edgelstm.cli.options import Asked, with_options
from edgelstm.cli.options import Given as Typed
from edgelstm.options import TableOptions, asked_as

Given = dict[str, Any]  # fields of `edgelstm.data.readers.asking.Asking`, those that somebody gave


def _table_options() -> list[Asked]:
    hints = get_type_hints(TableOptions, include_extras=True)
    told = {key: (kind, get_args(kind)[-1]) for key, kind in hints.items()}
    return [
        Asked("", key, kind, option, "as trained", "The table")
        for key, (kind, option) in told.items()
        if not option.instead
    ]


_FORMAT, *_OPTIONS = _table_options()


def reads_a_table(format_flag: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put these options in the place of a command's parameter `reading`, which is given those that were typed.

    Args:
        format_flag: the flag of the table's format; empty: by the ending of the table.
    """
    told = _FORMAT._replace(
        option=replace(_FORMAT.option, flag=format_flag), usual=f"as trained, else {_FORMAT.option.unset}"
    )
    options = [told, *_OPTIONS] if format_flag else _OPTIONS
    return lambda command: with_options(command, "reading", options, _asked)


def _asked(given: Typed) -> Given:
    return {asked_as(key): value for (_, key), value in given.items()}


def option_of(reading: Given) -> str | None:
    """Name the first option that was typed; None for none.

    Example:
        >>> option_of({"gaps": "drop"}), option_of({"time_zone": "UTC"}), option_of({})
        ('--missing', '--time-zone', None)
    """
    flags = {asked_as(option.key): option.flag for option in _OPTIONS}
    return next((flags.get(key, f"--{key}") for key in reading), None)


def table_of(data: str) -> str | IO[str]:
    """Say where a table comes from: stdin for `-`."""
    return sys.stdin if data == "-" else data
