"""Read files as series. A format is one file here and one entry in `formats.FORMATS`.

Everything that could be read in two ways is an error that names the row: text among numbers, timestamps that
repeat, run backwards or leave a gap. Only Parquet and resampling need polars, so that a device reads what the
trainer reads.
"""

from __future__ import annotations

from edgelstm.data.readers.formats import FORMATS
from edgelstm.data.readers.iso import parse_times
from edgelstm.data.readers.read import BUILTIN, read_many, read_series

__all__ = ["BUILTIN", "FORMATS", "parse_times", "read_many", "read_series"]
