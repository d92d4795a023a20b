"""What a person may ask for: how an option is told of, and the options about a table.

An option is written once: as a field with its type, its default and an `Option`. `edgelstm.recipe` checks the fields
and comments them in TOML, `edgelstm.cli.options` makes flags of them. The standard library is enough, because a device
reads tables as well and has no pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from edgelstm.reading import ENCODINGS, Duplicates, Gaps


@dataclass(frozen=True)
class Option:
    """What `Annotated` says of a field that a person may set.

    Attributes:
        about: what it is, for the help and for the comment in a recipe; begins in lower case, without a stop.
        unset: what holds where nobody sets it; empty where the default says so.
        flag: its flag, where that is not the name of the field: `"--window"` for `steps`.
        instead: how it is given where it has no flag of its own: `"as the first argument"`.
        example: of a value that has a form of its own: `"co2=ppm"`.
        least: the smallest number.
    """

    about: str
    unset: str = ""
    flag: str = ""
    instead: str = ""
    example: str = ""
    least: int | None = None

    def flag_of(self, field: str) -> str:
        """Name the flag, as it is typed to switch on.

        Example:
            >>> Option("samples in a window", flag="--window").flag_of("steps"), Option("seed").flag_of("split_seed")
            ('--window', '--split-seed')
        """
        return self.flag.partition("/")[0] or f"--{field}".replace("_", "-")


class TableOptions:
    """Which table to read, and how: keys of a recipe's `[data]`, and options of every command that reads a table."""

    path: Annotated[
        str,
        Option(
            "a file, a folder or a pattern of files with a series in each, beside the recipe, or builtin:co2",
            instead="as the first argument",
        ),
    ]
    format: Annotated[str | None, Option("format of the file: csv, parquet, ts, cmapss", "by its ending")] = None
    delimiter: Annotated[str | None, Option("between fields: ',', ';', '|', tab or blank", "found out")] = None
    decimal: Annotated[Literal[".", ","] | None, Option("the decimal sign", "found out")] = None
    encoding: Annotated[str | None, Option(f"encoding of the file: {', '.join(ENCODINGS)}", "found out")] = None
    skip_rows: Annotated[int | None, Option("lines above the header", "found out", least=0)] = None
    header: Annotated[bool | None, Option("the first line names the columns", "found out")] = None
    na: Annotated[tuple[str, ...], Option("words and numbers that stand for a missing sample, such as -200")] = ()
    time: Annotated[
        tuple[str, ...],
        Option("the column of timestamps, or several that make one", "rows are equally spaced"),
    ] = ()
    time_format: Annotated[
        str | None, Option("format of the timestamps, in strptime's words: %d.%m.%Y", "found out")
    ] = None
    time_zone: Annotated[str | None, Option("zone of timestamps that name none: Europe/Berlin", "UTC")] = None
    duplicates: Annotated[Duplicates, Option("what to take of different rows of one time")] = "error"
    series: Annotated[str | None, Option("the column that tells series apart", "the table is one series")] = None
    missing: Annotated[Gaps, Option("what to do about gaps")] = "interpolate"
    max_gap: Annotated[
        int | None,
        Option("the most samples in a row to fill; no window reaches over more", "by the season", least=0),
    ] = None
    resample: Annotated[
        str | None, Option("average into bins of this length: 10m, 1h, 1d, 1w, 1mo, 1q, 1y", "not averaged")
    ] = None


def asked_as(key: str) -> str:
    """Give the field of `edgelstm.data.readers.asking.Asking` that a key of `TableOptions` sets.

    Example:
        >>> asked_as("missing"), asked_as("delimiter")
        ('gaps', 'delimiter')
    """
    return {"missing": "gaps"}.get(key, key)
