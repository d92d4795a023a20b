"""Read files as series. A format is one file here and one entry in `formats.FORMATS`.

A table is read as it comes, and how it was understood is said. What could be read in two ways is an error that names
the row and the option. Only Parquet needs polars, so that a device reads what the trainer reads.
"""

from __future__ import annotations

from edgelstm.data.readers.asking import Asking, Found
from edgelstm.data.readers.formats import FORMATS
from edgelstm.data.readers.read import BUILTIN, read, read_many, read_series

__all__ = ["BUILTIN", "FORMATS", "Asking", "Found", "read", "read_many", "read_series"]
