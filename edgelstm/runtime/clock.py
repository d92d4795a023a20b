"""Convert the time of a sample: to nanoseconds for a guard, to whole seconds for a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.errors import InputError

NS = 1_000_000_000
MAX_TIME_S = 10**11  # the year 5138; larger numbers were milliseconds
_MAX_YEARS = MAX_TIME_S // (365 * 86400)


def as_ns(time_s: Any) -> int:
    """Convert the time of one sample to nanoseconds.

    Args:
        time_s: seconds since 1970, UTC, whole or not (`time.time()`), or a `numpy.datetime64`. Unless file or guard use
            the calendar, they may count from any other fixed moment.

    Raises:
        InputError: another type, or a time further than `MAX_TIME_S` from 1970.

    Example:
        >>> import numpy as np
        >>> as_ns(1.5), as_ns(2), as_ns(np.datetime64("1970-01-01T00:00:01.5"))
        (1500000000, 2000000000, 1500000000)
    """
    if isinstance(time_s, float):  # not float32, which resolves 128 s of Unix time
        if abs(time_s) <= MAX_TIME_S:
            return round(time_s * NS)
    elif isinstance(time_s, (int, np.integer)) and not isinstance(time_s, (bool, np.timedelta64)):
        if abs(int(time_s)) <= MAX_TIME_S:
            return int(time_s) * NS
        raise InputError(_beyond(int(time_s)))
    elif isinstance(time_s, np.datetime64) and not np.isnat(time_s):
        year = int(time_s.astype("datetime64[Y]").astype(np.int64))
        if abs(year) < _MAX_YEARS:  # larger values wrap around in the cast
            return int(time_s.astype("datetime64[us]").astype(np.int64)) * 1000
    raise InputError(
        f"time_s: expected seconds since 1970 (UTC), within {MAX_TIME_S} of it, as a number or a numpy.datetime64, got "
        f"{type(time_s).__name__} {str(time_s)[:40]}"
    )


def as_times(time_s: Any, shape: tuple[int, ...], contract: Contract) -> NDArray[np.int64] | None:
    """Convert the times of samples to the graph's input `time_s`.

    Args:
        time_s: seconds since 1970, UTC, or `numpy.datetime64`; fractions of a second are dropped; of `shape`, or
            without its first axis to apply to all rows. Times before 1970 are negative.
        shape: shape of the graph's input, or of one step of it.
        contract: says whether the file takes times.

    Returns:
        int64 of `shape`, contiguous; None for a file that takes no times.

    Raises:
        InputError: missing, not taken by this file, not numbers, of another shape, or further than `MAX_TIME_S` from
            1970.

    Example:
        >>> import numpy as np
        >>> from edgelstm import load
        >>> from edgelstm.runtime.clock import as_times
        >>> as_times(None, (2,), load("models/co2/co2.fp32.onnx").contract) is None
        True
    """
    if not contract.times:
        if time_s is not None:
            raise InputError("time_s: this file takes no times; omit time_s")
        return None
    if time_s is None:
        raise InputError("time_s: this file needs the time of each sample, seconds since 1970 (UTC); give time_s")
    seconds = _as_seconds(time_s)
    if seconds.shape not in (shape, shape[1:]):
        raise InputError(f"time_s: expected {list(shape)} times, one for each sample, got shape {seconds.shape}")
    if seconds.size and not -MAX_TIME_S <= seconds.min() <= seconds.max() <= MAX_TIME_S:
        raise InputError(_beyond(max(int(seconds.max()), int(seconds.min()), key=abs)))
    return np.ascontiguousarray(np.broadcast_to(seconds, shape), np.int64)


def check_order(
    times: NDArray[np.int64], lengths: NDArray[np.int64] | None = None, before: NDArray[np.int64] | None = None
) -> None:
    """Check that time does not run backwards.

    Args:
        times: int64 [B, T].
        lengths: int64 [B], the valid steps of each row; None: all steps.
        before: int64 [B], the time before the first step; None: there was none.

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
        f"time_s: runs backwards{place}: {before}, then {after}; sort the samples, or start a new series (in a stream: "
        "reset()) where the clock was set back"
    )


def _as_seconds(time_s: Any) -> NDArray[Any]:
    """Convert to whole seconds, rounded down."""
    try:
        array = np.asarray(time_s)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged, or from a library that numpy cannot read
        raise InputError(f"time_s: expected an array of times, got {type(time_s).__name__}: {error}") from error
    if type(time_s).__module__.startswith("numpy.ma") and np.any(time_s.mask):
        raise InputError("time_s: expected a time for each sample, got a masked array")
    if not array.size:
        return np.zeros(array.shape, np.int64)
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise InputError("time_s: expected a time for each sample, got NaT")
        years = array.astype("datetime64[Y]").astype(np.int64)  # the cast to seconds would silently wrap around
        if max(-int(years.min()), int(years.max())) > _MAX_YEARS:
            raise InputError(
                f"time_s: expected times within 3,000 years of 1970, got {array.flat[abs(years).argmax()]}"
            )
        return array.astype("datetime64[s]").astype(np.int64)
    if array.dtype.kind == "f" and array.dtype.itemsize >= 8:
        if not np.isfinite(array).all():
            raise InputError("time_s: expected a time for each sample, got NaN or infinity")
        far = float(array.flat[abs(array).argmax()])
        if abs(far) > MAX_TIME_S:  # larger values wrap around in the cast
            raise InputError(_beyond(int(far)))
        whole: NDArray[np.int64] = np.floor(array).astype(np.int64)
        return whole
    if array.dtype.kind not in "iu":
        raise InputError(
            f"time_s: expected seconds since 1970, int64 or float64, or numpy.datetime64, got dtype {array.dtype}"
        )
    return array


def _beyond(value: int) -> str:
    """Say that a time is too far from 1970, and which unit was probably meant."""
    units = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
    meant = next((f"; if these are {unit}, divide by {n}" for unit, n in units.items() if abs(value) < 10**10 * n), "")
    return f"time_s: expected seconds since 1970, within {MAX_TIME_S} of it, got {value}{meant}"
