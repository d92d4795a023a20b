"""The options of how a table is read, the same ones for every command that is given a network and a table."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import IO, Annotated, Any

import typer

Given = dict[str, Any]  # fields of `edgelstm.data.readers.asking.Asking`, those that somebody gave

_Text, _Words, _Number = str | None, list[str] | None, int | None
_OPTIONS: dict[str, Any] = {
    "time": Annotated[_Words, typer.Option("--time", help="Column of timestamps; several make one. [as trained]")],
    "time_format": Annotated[_Text, typer.Option("--time-format", help="Of them, as strptime has it. [as trained]")],
    "time_zone": Annotated[_Text, typer.Option("--time-zone", help="Of them: Europe/Berlin. [as trained]")],
    "series": Annotated[_Text, typer.Option("--series", help="Column that tells series apart. [as trained]")],
    "delimiter": Annotated[_Text, typer.Option("--delimiter", help="Between fields: , ; | tab blank. [as trained]")],
    "decimal": Annotated[_Text, typer.Option("--decimal", help="The decimal sign, . or ,. [as trained]")],
    "encoding": Annotated[_Text, typer.Option("--encoding", help="utf-8, utf-16, latin-1. [as trained]")],
    "skip_rows": Annotated[_Number, typer.Option("--skip-rows", help="Lines above the header. [as trained]")],
    "header": Annotated[
        bool | None, typer.Option("--header/--no-header", help="The first line names the columns. [as trained]")
    ],
    "na": Annotated[_Words, typer.Option("--na", help="A missing value, such as -200; repeatable. [as trained]")],
    "duplicates": Annotated[
        _Text, typer.Option("--duplicates", help="Different rows of one time: error, first, last, mean. [as trained]")
    ],
    "resample": Annotated[_Text, typer.Option("--resample", help="Average into bins: 10m, 1h, 1d. [as trained]")],
    "gaps": Annotated[_Text, typer.Option("--missing", help="Gaps: interpolate, forward, drop, error. [as trained]")],
    "max_gap": Annotated[_Number, typer.Option("--max-gap", min=0, help="Samples that are filled. [as trained]")],
}


def reads_a_table(command: Callable[..., None]) -> Callable[..., None]:
    """Put these options in the place of a command's parameter `reading`, which is given those that were typed."""
    signature = inspect.signature(command, eval_str=True)
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.name != "reading":
            parameters.append(parameter)
            continue
        parameters += [
            inspect.Parameter(name, parameter.kind, default=None, annotation=option)
            for name, option in _OPTIONS.items()
        ]

    @functools.wraps(command)
    def with_options(**arguments: Any) -> None:
        typed = {name: arguments.pop(name) for name in _OPTIONS}
        command(**arguments, reading={name: value for name, value in typed.items() if value not in (None, [])})

    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def option_of(reading: Given) -> str | None:
    """Name the first option that was typed; None for none.

    Example:
        >>> option_of({"gaps": "drop"}), option_of({"time_zone": "UTC"}), option_of({})
        ('--missing', '--time-zone', None)
    """
    first = next(iter(reading), None)
    return {None: None, "gaps": "--missing"}.get(first, f"--{first}".replace("_", "-"))


def table_of(data: str) -> str | IO[str]:
    """Say where a table comes from: stdin for `-`."""
    return sys.stdin if data == "-" else data
