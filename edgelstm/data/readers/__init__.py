"""Read files as series. A format is one file in `formats`, an entry in its `FORMATS`, and a word in `edgelstm.options`.

A table is read as it is, and the notes say how it was understood. A table that can be read in two ways is an error that
names the row and the option. Text needs numpy alone, so that a device reads what the trainer reads.

`read` calls the rooms in order: `formats` gives a table; `text` splits a text table into fields, `columns` turns fields
into samples, `times` into moments; `rows` sorts the rows of each series and detects their rhythm.
"""

from __future__ import annotations

from edgelstm.data.readers.asking import Asking, Found
from edgelstm.data.readers.formats import FORMATS
from edgelstm.data.readers.read import BUILTIN, read

__all__ = ["BUILTIN", "FORMATS", "Asking", "Found", "read"]
