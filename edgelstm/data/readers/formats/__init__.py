"""List the formats that can be read: one entry each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.file import File, load
from edgelstm.data.readers.formats import cmapss, csvfile, parquet, ts
from edgelstm.data.readers.formats.table import Table
from edgelstm.errors import DataError


class Format(NamedTuple):
    """How to read one format.

    Attributes:
        read: reads a file.
        endings: of the files that are in this format by default.
    """

    read: Callable[[File, Asking], Table]
    endings: tuple[str, ...]


FORMATS = {
    "csv": Format(csvfile.read, (".csv", ".txt", ".tsv", ".dat", ".tab")),
    "parquet": Format(parquet.read, (".parquet", ".pq")),
    "ts": Format(ts.read, (".ts",)),
    "cmapss": Format(cmapss.read, ()),
}


def read_table(source: str | Path | IO[Any], asking: Asking | None = None) -> Table:
    """Read a file, or an open stream of text or bytes, in the format of `asking`, of training, or of its ending.

    Raises:
        DataError: no such file or format, or the file is not in that format, or can be read in two ways.
    """
    asking = asking or Asking()
    file = load(source)
    name = asking.format or _format(file, asking)
    if name not in FORMATS:
        raise DataError(f"format: expected one of {', '.join(FORMATS)}, got {name!r}")
    return replace(FORMATS[name].read(file, asking), sha256=file.sha256)


def _format(file: File, asking: Asking) -> str:
    """The format of training, else that of the ending, else text, whose reader checks the first bytes."""
    by_ending = next((name for name, known in FORMATS.items() if file.ending in known.endings), None)
    trained = asking.like.format if asking.like else None
    if trained is None:
        return by_ending or "csv"
    if by_ending not in (None, trained) and trained in FORMATS and FORMATS[trained].endings:
        raise DataError(
            f"{file.name}: expected {trained}, as in training, got a {file.ending} file: write it the same way, or "
            f"give --format {by_ending}"
        )
    return trained
