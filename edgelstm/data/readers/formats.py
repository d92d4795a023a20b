"""Every format that can be read: one entry each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edgelstm.data.readers import cmapss, csvfile, parquet, ts
from edgelstm.data.readers.table import Table
from edgelstm.errors import DataError


class Format(NamedTuple):
    """How to read one format.

    Attributes:
        read: reads a file.
        endings: of the files that are read so unless somebody says otherwise.
    """

    read: Callable[[Path], Table]
    endings: tuple[str, ...]


FORMATS = {
    "csv": Format(csvfile.read, (".csv", ".txt")),
    "parquet": Format(parquet.read, (".parquet", ".pq")),
    "ts": Format(ts.read, (".ts",)),
    "cmapss": Format(cmapss.read, ()),
}


def read_table(path: Path, name: str | None = None) -> Table:
    """Read a file in the format of that name; without one by its ending, and as a CSV where nobody claims it.

    Raises:
        DataError: there is no such format, or the file is not in it.
    """
    if name is None:
        ending = path.suffix.lower()
        name = next((name for name, known in FORMATS.items() if ending in known.endings), "csv")
    if name not in FORMATS:
        raise DataError(f"format: expected one of {', '.join(FORMATS)}, got {name!r}")
    return FORMATS[name].read(path)


def columns_of(path: str | Path, name: str | None = None) -> tuple[str, ...]:
    """List the columns of a file; see `read_table`."""
    return read_table(Path(path), name).columns
