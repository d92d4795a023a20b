"""Tables for the tests of the readers, read from text in memory."""

from __future__ import annotations

import io

import pytest

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.formats import read_table
from edgelstm.errors import DataError
from edgelstm.reading import Dialect, Reading


def table(content, like=None, **asking):
    """Read text or bytes as a stream."""
    stream = io.BytesIO(content) if isinstance(content, bytes) else io.StringIO(content, newline="")
    return read_table(stream, Asking(like=None if like is None else reading(like), **asking))


def columns(content, like=None, **asking):
    """All columns of numbers, by name."""
    found = table(content, like, **asking)
    return {name: found.numbers(name).tolist() for name in found.columns}


def complaint(content, like=None, **asking):
    """The error for a table that cannot be read, or whose columns cannot; always one line."""
    with pytest.raises(DataError) as caught:
        columns(content, like, **asking)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


def reading(dialect=None, missing=(), format="csv"):  # noqa: A002
    """A reading that a training may have recorded."""
    return Reading(format, dialect or Dialect(), missing, None, None, None, None, "error", "interpolate", None)
