"""List the formats that can be read: one entry each, under its word in `edgelstm.options`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.file import File, load
from edgelstm.data.readers.formats import cmapss, csvfile, parquet, ts
from edgelstm.data.readers.formats.table import Table
from edgelstm.errors import DataError
from edgelstm.options import TABLE_FORMATS, TableFormat


class Format(NamedTuple):
    """How to read one format.

    Attributes:
        read: reads a file.
        endings: of the files that are in this format by default.
        start: the first bytes of every file in this format; empty if there are none that tell.
    """

    read: Callable[[File, Asking], Table]
    endings: tuple[str, ...]
    start: bytes = b""


FORMATS: dict[TableFormat, Format] = {
    "csv": Format(csvfile.read, (".csv", ".txt", ".tsv", ".dat", ".tab")),
    "parquet": Format(parquet.read, (".parquet", ".pq"), b"PAR1"),
    "ts": Format(ts.read, (".ts",)),
    "cmapss": Format(cmapss.read, ()),
}
ENDINGS = tuple(ending for known in FORMATS.values() for ending in known.endings)


def read_table(source: str | Path | IO[Any], asking: Asking | None = None) -> Table:
    """Read a file, or an open stream of text or bytes, in the format of `asking`, of training, or of its ending.

    Raises:
        DataError: no such file or format, or the file is not in that format, or can be read in two ways.
    """
    asking = asking or Asking()
    file = load(source)
    name = asking.format or _format(file, asking)
    found = FORMATS.get(cast("TableFormat", name))
    if found is None:
        raise DataError(f"format: expected one of {', '.join(FORMATS)}, got {name!r}")
    if found == FORMATS["csv"]:
        _refuse_other_formats(file)
    return replace(found.read(file, asking), sha256=file.sha256)


def _refuse_other_formats(file: File) -> None:
    """Refuse a table in another format where text was expected."""
    for name, known in FORMATS.items():
        if known.start and file.content.startswith(known.start):
            raise DataError(
                f"{file.name}: expected a text table, got a {TABLE_FORMATS[name]} table: rename it to "
                f"{known.endings[0]}, or give --format {name}"
            )


def _format(file: File, asking: Asking) -> str:
    """The format of training, else that of the ending, else text, whose reader checks the first bytes."""
    by_ending = next((name for name, known in FORMATS.items() if file.ending in known.endings), None)
    trained = asking.like.format if asking.like else None
    if trained is None:
        return by_ending or "csv"
    known = FORMATS.get(cast("TableFormat", trained))
    if by_ending not in (None, trained) and known is not None and known.endings:
        raise DataError(
            f"{file.name}: expected {trained}, as in training, got a {file.ending} file: write it the same way, or "
            f"give --format {by_ending}"
        )
    return trained
