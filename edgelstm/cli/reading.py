"""The options for reading a table, the same for every command that takes a network and a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import IO, Any, get_args, get_type_hints

from edgelstm.cli.options import Asked, with_options
from edgelstm.cli.options import Given as Typed
from edgelstm.options import TableOptions, asked_as

Given = dict[str, Any]  # the given fields of `edgelstm.data.readers.asking.Asking`


def _table_options() -> list[Asked]:
    hints = get_type_hints(TableOptions, include_extras=True)
    described = {key: (kind, get_args(kind)[-1]) for key, kind in hints.items()}
    return [
        Asked("", key, kind, option, "as trained", "The table")
        for key, (kind, option) in described.items()
        if not option.instead
    ]


_FORMAT, *_OPTIONS = _table_options()


def reads_a_table(format_flag: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the parameter `reading` of a command by these options; it receives those that were given.

    Args:
        format_flag: the flag of the table's format; empty: no flag, the format is detected by the file extension.
    """
    file_format = _FORMAT._replace(
        option=replace(_FORMAT.option, flag=format_flag), usual=f"as trained, else {_FORMAT.option.unset}"
    )
    options = [file_format, *_OPTIONS] if format_flag else _OPTIONS
    return lambda command: with_options(command, "reading", options, _asked)


def _asked(given: Typed) -> Given:
    return {asked_as(key): value for (_, key), value in given.items()}


def option_of(reading: Given) -> str | None:
    """Name the first option that was given; None for none.

    Example:
        >>> option_of({"gaps": "drop"}), option_of({"time_zone": "UTC"}), option_of({})
        ('--missing', '--time-zone', None)
    """
    flags = {asked_as(option.key): option.flag for option in _OPTIONS}
    return next((flags.get(key, f"--{key}") for key in reading), None)


def table_of(data: str) -> str | IO[str]:
    """Give the source of a table: stdin for `-`."""
    return sys.stdin if data == "-" else data
