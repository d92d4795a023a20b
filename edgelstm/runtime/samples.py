"""Check the samples of a caller, once, before they can reach a state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array32
from edgelstm.contract import Channel
from edgelstm.errors import InputError, counted


def as_x(x: Any, channels: tuple[Channel, ...]) -> NDArray[Any]:
    """Convert samples to the input of the graph: measurements or tokens, as the channels say.

    Raises:
        InputError: see `as_samples` and `as_tokens`.
    """
    return as_tokens(x, channels[0]) if channels[0].dtype == "int64" else as_samples(x, channels)


def as_tokens(x: Any, channel: Channel) -> NDArray[np.int64]:
    """Convert whole numbers to contiguous int64 tokens; a lookup would count negative ones from the end of its table.

    Args:
        x: any array or nested list of whole numbers.
        channel: says how many tokens there are.

    Raises:
        InputError: not whole numbers, or a token outside 0 to categories - 1.
    """
    array = np.asarray(x)
    if array.dtype.kind not in "iu":
        raise InputError(f"expected tokens (int64), got dtype {array.dtype}")
    count = channel.categories or 0
    if array.size and not 0 <= array.min() <= array.max() < count:
        raise InputError(f"expected tokens from 0 to {count - 1}, got {array.min()} to {array.max()}")
    return np.asarray(array, np.int64, order="C")


def as_samples(x: Any, channels: tuple[Channel, ...]) -> Array32:
    """Convert numbers to a contiguous float32 array whose last axis is the channels.

    float64 and integers are converted; strings, objects, booleans and complex numbers are refused.

    Args:
        x: any array or nested list of numbers [..., F], in the physical units of `channels`.
        channels: what the last axis holds.

    Raises:
        InputError: not numbers, another number of channels, NaN or infinity.
    """
    array = as_float32(x)
    if array.ndim == 0 or array.shape[-1] != len(channels):
        names = ", ".join(channel.name for channel in channels)
        raise InputError(
            f"expected {counted(len(channels), 'channel')} ({names}) on the last axis, got shape {array.shape}"
        )
    if b"\0" in np.isfinite(array).tobytes():  # for few numbers, half the time of .all()
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(
            f"expected finite numbers, got {array[place]} at {list(place)} (channel {channels[place[-1]].name!r}); "
            "fill or remove missing samples first"
        )
    return array


def as_float32(x: Any) -> Array32:
    """Convert numbers to a contiguous float32 array; values beyond float32 become infinite, NaN stays.

    None among numbers is a missing value, as in JSON, and becomes NaN.

    Raises:
        InputError: not numbers, ragged, or a masked array with missing samples.
    """
    array = as_numbers(x)
    if array.dtype == np.float32:
        return np.asarray(array, np.float32, order="C")
    with np.errstate(over="ignore", invalid="ignore"):  # 0.9 us; the caller checks for infinity and NaN
        return np.asarray(array, np.float32, order="C")


def as_numbers(x: Any) -> NDArray[Any]:
    """Convert to an array of numbers, of any numeric dtype.

    Raises:
        InputError: as for `as_float32`.
    """
    # Checked by name: touching np.ma would import it, 15 ms of the first call on a device that never sees a mask.
    if type(x).__module__.startswith("numpy.ma") and np.any(x.mask):
        raise InputError("expected numbers, got a masked array with missing samples; fill or remove them first")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise InputError(f"expected a rectangular array of numbers, got a ragged one: {error}") from error
    except (TypeError, RuntimeError) as error:  # an array of another library that numpy cannot read
        raise InputError(f"expected an array of numbers, got {type(x).__name__}: {error}") from error
    if array.dtype.kind == "O" and array.ndim:
        array = _without_none(array)
    if array.dtype.kind not in "fiu":
        raise InputError(f"expected numbers (float32), got {'None' if x is None else f'dtype {array.dtype}'}")
    return array


def origins_of(channels: Sequence[Channel]) -> NDArray[np.float64]:
    """List the origins of channels: float64 [C]."""
    return np.array([channel.origin for channel in channels], np.float64)


def from_origins(x: Any, channels: tuple[Channel, ...]) -> Any:
    """Subtract the origins in float64, before anything becomes float32; without origins do nothing.

    Args:
        x: any array or nested list of numbers [..., F], in the physical units of `channels`.
        channels: what the last axis holds.

    Returns:
        float64 [..., F], in the units of the graph. Samples with another number of channels are returned unchanged, to
        be refused with their shape; so are all samples without origins.

    Raises:
        InputError: not numbers, or float32 for a channel whose values it cannot distinguish.
    """
    origins = origins_of(channels)
    if not origins.any():
        return x
    array = as_numbers(x)
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        worst = channels[int(np.abs(origins).argmax())]
        raise InputError(
            f"expected float64 for the channel {worst.name!r}, whose values near {worst.origin:g} are too close "
            f"together for {array.dtype}"
        )
    return array - origins if array.shape[-1:] == origins.shape else array


def to_origins(y: NDArray[np.floating], channels: Sequence[Channel]) -> NDArray[Any]:
    """Add the origins to values [..., C], in float64; without origins return them unchanged."""
    origins = origins_of(channels)
    return y + origins if origins.any() else y


def _without_none(array: NDArray[Any]) -> NDArray[Any]:
    """Replace None by NaN if all other values are numbers; else return the array unchanged."""
    values = list(array.flat)
    known = [value for value in values if value is not None]
    if len(known) == len(values) or not all(map(_is_number, known)):
        return array
    try:
        return np.array([np.nan if value is None else value for value in values], np.float64).reshape(array.shape)
    except OverflowError:  # an integer too large for a float
        return array


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.timedelta64))
