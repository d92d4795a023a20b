"""Options: how one is described, and those about a table.

An option is declared once: a field with a type, a default and an `Option`. `edgelstm.recipe` checks the fields and
writes them with comments as TOML; `edgelstm.cli.options` makes flags from them. This room needs only the standard
library, because a device reads tables too and has no pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from edgelstm.errors import either
from edgelstm.reading import ENCODINGS, Duplicates, Gaps

# The formats of tables that can be read, and what people call them. `edgelstm.data.readers.formats.FORMATS` reads them.
TableFormat: TypeAlias = Literal["csv", "parquet", "ts", "cmapss"]
TABLE_FORMATS: dict[TableFormat, str] = {"csv": "CSV", "parquet": "Parquet", "ts": ".ts", "cmapss": "C-MAPSS"}


@dataclass(frozen=True)
class Option:
    """The description of a field that a person may set, inside `Annotated`.

    Attributes:
        about: what it is, for the help and the comment in a recipe; in lower case, without a full stop.
        unset: what applies if it is not set; empty if the default says so.
        flag: its flag, if that differs from the name of the field: `"--window"` for `steps`.
        instead: how to give it, if it has no flag of its own: `"as the first argument"`.
        example: a value, if it has a special form: `"co2=ppm"`.
        least: the smallest number allowed.
    """

    about: str
    unset: str = ""
    flag: str = ""
    instead: str = ""
    example: str = ""
    least: int | None = None

    def flag_of(self, field: str) -> str:
        """Name the flag, in the form that switches it on.

        Example:
            >>> Option("samples in a window", flag="--window").flag_of("steps"), Option("seed").flag_of("split_seed")
            ('--window', '--split-seed')
        """
        return self.flag.partition("/")[0] or f"--{field}".replace("_", "-")


class TableOptions:
    """Which table to read and how: keys of `[data]` in a recipe, and options of every command that reads a table."""

    path: Annotated[
        str,
        Option(
            "a file; a folder or a pattern of files, one series each; or builtin:co2; relative to the recipe",
            instead="as the first argument",
        ),
    ]
    format: Annotated[str | None, Option(f"file format: {', '.join(TABLE_FORMATS)}", "by the file extension")] = None
    delimiter: Annotated[str | None, Option("field delimiter: ',', ';', '|', tab or blank", "detected")] = None
    decimal: Annotated[Literal[".", ","] | None, Option("decimal sign", "detected")] = None
    encoding: Annotated[str | None, Option(f"encoding of the file: {', '.join(ENCODINGS)}", "detected")] = None
    skip_rows: Annotated[int | None, Option("lines above the header", "detected", least=0)] = None
    header: Annotated[bool | None, Option("the first line is a header with column names", "detected")] = None
    na: Annotated[tuple[str, ...], Option("words or numbers that mean a missing sample, such as -200")] = ()
    time: Annotated[
        tuple[str, ...],
        Option("timestamp column; several are joined", "rows are equally spaced"),
    ] = ()
    time_format: Annotated[str | None, Option("format of the timestamps (strptime), such as %d.%m.%Y", "detected")] = (
        None
    )
    time_zone: Annotated[str | None, Option("time zone of timestamps without one, such as Europe/Berlin", "UTC")] = None
    duplicates: Annotated[Duplicates, Option("what to keep of different rows with the same time")] = "error"
    series: Annotated[str | None, Option("column that identifies the series", "the table is one series")] = None
    missing: Annotated[Gaps, Option("how to fill gaps")] = "interpolate"
    max_gap: Annotated[
        int | None,
        Option("longest gap to fill, in samples; no window contains a longer one", "by the season", least=0),
    ] = None
    resample: Annotated[
        str | None, Option("average into bins of this length: 10m, 1h, 1d, 1w, 1mo, 1q, 1y", "not averaged")
    ] = None


def table_formats() -> str:
    """List the formats of tables for people.

    Example:
        >>> table_formats()
        'CSV, Parquet, .ts or C-MAPSS'
    """
    return either(TABLE_FORMATS.values())


def asked_as(key: str) -> str:
    """Give the field of `edgelstm.data.readers.asking.Asking` that a key of `TableOptions` sets.

    Example:
        >>> asked_as("missing"), asked_as("delimiter")
        ('gaps', 'delimiter')
    """
    return {"missing": "gaps"}.get(key, key)
