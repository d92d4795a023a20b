"""The rows of one series while they are sorted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Times


@dataclass(frozen=True)
class Track:
    """Rows of one series.

    Attributes:
        name: of the series.
        values: float64 [N, C], NaN where a sample is missing.
        rows: int64 [N], their positions in the table.
        utc: datetime64[us] [N]; None without times.
        local: datetime64[us] [N], local time; None without times.
        labels: N texts as an object array, empty where the class is unknown; None without classes.
    """

    name: str
    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    utc: Times | None = None
    local: Times | None = None
    labels: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.values)

    def times(self) -> tuple[Times, Times]:
        """Give `utc` and `local` of a table with times."""
        if self.utc is None or self.local is None:
            raise ValueError("expected rows with times")
        return self.utc, self.local

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Track:
        """Take some rows, by number or mask."""
        return replace(
            self,
            values=self.values[which],
            rows=self.rows[which],
            utc=None if self.utc is None else self.utc[which],
            local=None if self.local is None else self.local[which],
            labels=None if self.labels is None else self.labels[which],
        )
