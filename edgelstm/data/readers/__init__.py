"""Read files as series. A format is one file in `formats` and one entry in `formats.FORMATS`.

A table is read as it comes, and how it was understood is said. What could be read in two ways is an error that names
the row and the option. Only Parquet needs polars, so that a device reads what the trainer reads.

`read` is the way through the rooms: `formats` gives a table; `text` splits one of text into fields, `columns` turns
fields into samples, `times` into moments; `rows` orders the rows of each series and finds their rhythm.
"""

from __future__ import annotations

from edgelstm.data.readers.asking import Asking, Found
from edgelstm.data.readers.formats import FORMATS
from edgelstm.data.readers.read import BUILTIN, read

__all__ = ["BUILTIN", "FORMATS", "Asking", "Found", "read"]
