"""Count in a rhythm: the moment of the next samples, and how many lie between two moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.reading import Rhythm

Times = NDArray[np.datetime64]


def after(times: Times, rhythm: Rhythm, steps: int, zone: str | None = None) -> Times:
    """Give the moment of the sample that comes so many steps behind each time.

    Args:
        times: datetime64[us] [N], UTC.
        rhythm: what lies between two samples.
        steps: at least 0.
        zone: IANA zone in which days and months are counted; None: UTC.

    Returns:
        datetime64[us] [N], UTC.

    Example:
        >>> friday = np.array(["2024-03-01"], "datetime64[us]")
        >>> [str(after(friday, rhythm, 1)[0])[:10] for rhythm in (Rhythm("business day", 1), Rhythm("month", 1, 1))]
        ['2024-03-04', '2024-04-01']
    """
    raise NotImplementedError


def samples_between(before: Times, later: Times, rhythm: Rhythm, zone: str | None = None) -> NDArray[np.float64]:
    """Count how many samples later one moment is than another: 1.0 for the next one, 0.5 for half of a period.

    Args:
        before: datetime64[us] [N], UTC.
        later: the same.
        rhythm: what lies between two samples.
        zone: as for `after`.
    """
    raise NotImplementedError
