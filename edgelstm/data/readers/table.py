"""A table as every format gives it: columns that are read when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.fields import Place, Times
from edgelstm.errors import DataError


@dataclass(frozen=True)
class Table:
    """Columns of one file.

    Attributes:
        name: of the file, for messages.
        columns: their names.
        numbers: gives a column as float64 [N], NaN where a sample is missing.
        texts: gives a column as N texts, empty where one is missing.
        times: gives a column as datetime64[us] [N], UTC.
        place: names a row in a message.
        channels: what is read where nobody names a channel; empty: every column that has no other task.
        series: where the format itself tells series apart, the first row of each and its name; else empty.
    """

    name: str
    columns: tuple[str, ...]
    numbers: Callable[[str], NDArray[np.float64]]
    texts: Callable[[str], list[str]]
    times: Callable[[str], Times]
    place: Place
    channels: tuple[str, ...] = ()
    series: tuple[tuple[int, str], ...] = ()

    def require(self, column: str) -> None:
        """Refuse a column that is not there.

        Raises:
            DataError: naming those that are.
        """
        if column not in self.columns:
            raise DataError(f"{self.name}: there is no column {column!r}; the table has {', '.join(self.columns)}")


def no_times(name: str) -> Callable[[str], Times]:
    """Refuse to read timestamps, for formats that have none."""

    def times(column: str) -> Times:
        raise DataError(f"{name}: expected no column of timestamps, this format has none; got {column!r}")

    return times
