"""Read the time that a sample comes with: nanoseconds for a guard, whole seconds for a graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.errors import InputError

NS = 1_000_000_000
MAX_TIME_S = 10**11  # in the year 5138; what is beyond was milliseconds
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


def as_unix_ns(time: Any) -> int:
    """Turn the moment of a sample into nanoseconds since 1970, as `as_ns`, where a graph looks at it.

    A whole number that is a moment as seconds, as `Stream.step` takes it, would be one of 1970 as nanoseconds: every
    sample would be a duplicate of the first.

    Raises:
        InputError: as `as_ns`, or whole seconds.

    Example:
        >>> as_unix_ns(1_700_000_000.0) == as_unix_ns(1_700_000_000_000_000_000)
        True
    """
    ns = as_ns(time)
    if isinstance(time, (int, np.integer)) and 0 < abs(ns) < MAX_TIME_S:
        raise InputError(
            f"time: expected nanoseconds where it is a whole number, got {ns}, less than two minutes from 1970: give "
            f"seconds as a float, {ns}.0"
        )
    return ns


def as_times(time_s: Any, shape: tuple[int, ...], contract: Contract) -> NDArray[np.int64] | None:
    """Turn the moments of samples into what the graph takes beside x.

    Args:
        time_s: seconds since 1970, UTC, as whole numbers, or `numpy.datetime64`, whose fractions of a second are left
            out; of `shape`, or without its first axis, for all of them. Moments before 1970 are negative.
        shape: of what the graph takes, or of one step of it.
        contract: says whether it takes any.

    Returns:
        int64 of `shape`, contiguous; None for a file that takes no times.

    Raises:
        InputError: missing or not needed, no whole numbers, another shape, or not within `MAX_TIME_S` of 1970.

    Example:
        >>> import numpy as np
        >>> from edgelstm import load
        >>> from edgelstm.runtime.clock import as_times
        >>> as_times(None, (2,), load("models/co2/co2.fp32.onnx").contract) is None
        True
    """
    if not contract.times:
        if time_s is not None:
            raise InputError("time_s: this file takes no times")
        return None
    if time_s is None:
        raise InputError("time_s: this file takes the time of each sample, seconds since 1970 (UTC); give time_s")
    seconds = _as_seconds(time_s)
    if seconds.shape not in (shape, shape[1:]):
        raise InputError(f"time_s: expected {list(shape)} times, one for each sample, got shape {seconds.shape}")
    if seconds.size and not -MAX_TIME_S <= seconds.min() <= seconds.max() <= MAX_TIME_S:
        raise InputError(_beyond(max(int(seconds.max()), int(seconds.min()), key=abs)))
    return np.ascontiguousarray(np.broadcast_to(seconds, shape), np.int64)


def check_order(
    times: NDArray[np.int64], lengths: NDArray[np.int64] | None = None, before: NDArray[np.int64] | None = None
) -> None:
    """See that time does not run backwards.

    Args:
        times: int64 [B, T].
        lengths: int64 [B], the valid steps of each row; None: all are.
        before: int64 [B], what went before the first step; None: nothing did.

    Raises:
        InputError: names the row and the step.
    """
    last = times[:, :1] if before is None else before[:, np.newaxis]
    earlier = np.concatenate([last, times[:, :-1]], axis=1)
    back = times < earlier
    if lengths is not None:
        back &= np.arange(times.shape[1]) < lengths[:, np.newaxis]
    if back.any():
        row, step = (int(i) for i in np.argwhere(back)[0])
        raise backwards(earlier[row, step], times[row, step], f" in row {row} at step {step}")


def backwards(before: Any, after: Any, place: str = "") -> InputError:
    """Say that a sample is older than the one before it."""
    return InputError(
        f"time_s: runs backwards{place}: {before} is followed by {after}; sort the samples, or begin anew where the "
        "clock was set back"
    )


def _as_seconds(time_s: Any) -> NDArray[Any]:
    """Give whole numbers; what is a datetime64 in seconds."""
    try:
        array = np.asarray(time_s)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged, or of a library that numpy cannot look into
        raise InputError(f"time_s: expected an array of times, got {type(time_s).__name__}: {error}") from error
    if type(time_s).__module__.startswith("numpy.ma") and np.any(time_s.mask):
        raise InputError("time_s: expected a time for each sample, got a masked array")
    if not array.size:
        return np.zeros(array.shape, np.int64)
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise InputError("time_s: expected a time for each sample, got NaT")
        years = array.astype("datetime64[Y]").astype(np.int64)  # the cast to seconds would silently wrap around
        if max(-int(years.min()), int(years.max())) > MAX_TIME_S // (365 * 86400):
            raise InputError(
                f"time_s: expected times within 3,000 years of 1970, got {array.flat[abs(years).argmax()]}"
            )
        return array.astype("datetime64[s]").astype(np.int64)
    if array.dtype.kind not in "iu":
        raise InputError(
            f"time_s: expected whole seconds since 1970 (int64) or numpy.datetime64, got dtype {array.dtype}; a float "
            "such as time.time() becomes one by int()"
        )
    return array


def _beyond(value: int) -> str:
    """Word a time that is none, and the unit it was probably meant in."""
    units = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
    meant = next((f"; if these are {unit}, divide by {n}" for unit, n in units.items() if abs(value) < 10**10 * n), "")
    return f"time_s: expected seconds since 1970, within {MAX_TIME_S} of it, got {value}{meant}"
