"""Check what may become the state of a stream: a snapshot from elsewhere, or the result of a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array32
from edgelstm.contract import Contract
from edgelstm.errors import InputError
from edgelstm.runtime.clock import as_times, check_order
from edgelstm.runtime.samples import as_x

MAX_SEEN = 2**62  # samples; a stream at 1 MHz gets there in 146,000 years


def check_snapshot(snapshot: Any, expected: dict[str, NDArray[Any]], contract: Contract) -> None:
    """Check that a snapshot can be restored where `expected` was taken.

    Raises:
        InputError: it is damaged, or of another file or batch.
    """
    if not isinstance(snapshot, dict) or snapshot.keys() != expected.keys():
        got = ", ".join(map(str, snapshot)) if isinstance(snapshot, dict) else type(snapshot).__name__
        raise InputError(f"state: expected a snapshot with {', '.join(expected)}, got {got}")
    for name, tensor in expected.items():
        value = snapshot[name]
        if not isinstance(value, np.ndarray) or value.shape != tensor.shape or value.dtype != tensor.dtype:
            raise InputError(f"state: {name!r}: expected {tensor.dtype} {tensor.shape}, got {_describe(value)}")
        if not np.isfinite(value).all():
            raise InputError(f"state: {name!r} holds NaN or infinity")
    if contract.tokens and "x" in snapshot:
        _check_tokens(snapshot["x"], contract)
    if not 0 <= snapshot["seen"][0] <= MAX_SEEN:
        raise InputError(f"state: 'seen' must be from 0 to 2**62, got {snapshot['seen'][0]}")
    if contract.times:
        _check_kept_times(snapshot["time_s"], int(snapshot["seen"][0]), contract)


def _check_tokens(x: NDArray[np.int64], contract: Contract) -> None:
    try:
        as_x(x, contract.inputs)
    except InputError as error:
        raise InputError(f"state: 'x': {error}") from None


def _check_kept_times(times: NDArray[np.int64], seen: int, contract: Contract) -> None:
    """Check the times that came with a sample; those before the first one are zeros."""
    known = times[:, max(0, times.shape[1] - seen) :]
    try:
        as_times(known, known.shape, contract)
        check_order(known)
    except InputError as error:
        raise InputError(f"state: {error}") from None


def _describe(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def all_rows_finite(y: Array32, axes: int = 1) -> bool:
    """Check whether a state may be kept, by the first number of each answer: NaN in a state reaches all of them.

    Args:
        y: answers [B, ...], or with two axes [B, T, ...].
        axes: number of axes before an answer.
    """
    first: tuple[Any, ...] = (..., *[0] * (y.ndim - axes))
    return b"\0" not in np.isfinite(y[first]).tobytes()


def beyond() -> InputError:
    """Say why an answer, and its state, is not kept."""
    return InputError(
        "expected samples that the network can compute, got one so large that the answer is NaN or infinity; the state "
        "is unchanged"
    )


def check_rows(y: Array32, axes: int = 1) -> None:
    """Check that the states of some answers may be kept.

    Raises:
        InputError: one answer is NaN or infinite.
    """
    if not all_rows_finite(y, axes):
        raise beyond()
