"""Read the time that a sample comes with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edgelstm.errors import InputError

NS = 1_000_000_000
_YEARS = (1678, 2261)  # whole years of int64 nanoseconds since 1970


def as_ns(time: Any) -> int:
    """Turn a time into nanoseconds.

    Args:
        time: seconds as a float (`time.time()`), nanoseconds as a whole number (`time.time_ns()`), or a
            `numpy.datetime64`. Since 1970 or any other moment, as long as it is always the same.

    Raises:
        InputError: something else, or no time within 292 years of that moment.

    Example:
        >>> import numpy as np
        >>> as_ns(1.5), as_ns(1_500_000_000), as_ns(np.datetime64("1970-01-01T00:00:01.5"))
        (1500000000, 1500000000, 1500000000)
    """
    ns: int | None = None
    if isinstance(time, float):  # not float32, which resolves 128 s of Unix time
        ns = round(time * NS) if math.isfinite(time * NS) else None
    elif isinstance(time, (int, np.integer)) and not isinstance(time, (bool, np.timedelta64)):
        ns = int(time)
    elif isinstance(time, np.datetime64) and not np.isnat(time):
        year = 1970 + int(time.astype("datetime64[Y]").astype(np.int64))
        # Outside those years the cast to nanoseconds would silently wrap around.
        ns = int(time.astype("datetime64[ns]").astype(np.int64)) if _YEARS[0] <= year <= _YEARS[1] else None
    if ns is None or abs(ns) >= 2**63:
        raise InputError(
            "time: expected seconds (float), nanoseconds (int) or a numpy.datetime64, of the years 1678 to 2261, "
            f"got {type(time).__name__} {str(time)[:40]}"
        )
    return ns
