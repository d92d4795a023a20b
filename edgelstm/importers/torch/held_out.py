"""Test arrays, which the network never saw, as windows or series with their truth."""

from __future__ import annotations

import numpy as np

from edgelstm.arrays import Array
from edgelstm.contract import Channel, Task, traits_of
from edgelstm.data.examples import Examples
from edgelstm.data.sequences import Sequences, lay_out
from edgelstm.data.windows import Windows, from_arrays
from edgelstm.errors import InputError


def held_out_examples(arrays: tuple[Array, ...], window: int, horizon: int, task: Task, lengths: bool) -> Examples:
    """Convert test arrays to the examples of a task.

    Args:
        arrays: x, y and, for a network that takes them, lengths.
        window: T.
        horizon: K.
        task: one of `edgelstm.contract.TASKS`.
        lengths: the network takes lengths.

    Raises:
        InputError: arrays that do not fit each other or the network, NaN or infinity.
    """
    traits = traits_of(task)
    if traits.has_horizon and lengths:
        raise InputError("test: a forecast from rows with lengths cannot be scored; omit the test data")
    if len(arrays) != 2 + lengths:
        expected = "x, y and lengths, because this network takes lengths" if lengths else "x and y"
        raise InputError(f"test: expected {expected}, got {len(arrays)} arrays")
    x = np.ascontiguousarray(arrays[0], np.float32)
    if x.ndim != 3 or x.shape[1] != window or len(x) == 0:
        raise InputError(f"test: expected x [N, {window}, F], got {list(np.shape(arrays[0]))}")
    if traits.has_horizon:
        return _windows(x, np.ascontiguousarray(arrays[1], np.float32), horizon)
    valid = np.asarray(arrays[2]) if lengths else np.full(len(x), window)
    if valid.dtype.kind not in "iu" or valid.shape != (len(x),) or not 1 <= valid.min() <= valid.max() <= window:
        raise InputError(f"test: expected lengths [{len(x)}], whole numbers from 1 to {window}")
    series = [row[:length] for row, length in zip(x, valid, strict=True)]
    if not all(np.isfinite(row).all() for row in series):
        raise InputError("test: x contains NaN or infinity")
    y = np.asarray(arrays[1])
    if traits.whole_series:
        return _classes(series, y)
    return _labels(series, y, window)


def check_targets(sequences: Sequences, outputs: tuple[Channel, ...]) -> None:
    """See that classes and channels are those of the network.

    Raises:
        InputError: they are not.
    """
    targets, count = sequences.targets, len(outputs)
    if targets.dtype == np.int64 and targets.max() >= count:
        raise InputError(f"test: expected the network's classes 0 to {count - 1}, got {targets.max()}")
    if targets.dtype != np.int64 and targets.shape[1] != count:
        raise InputError(f"test: expected y [N, T, {count}], as the network gives, got {targets.shape[1]} channels")


def _windows(x: Array, y: Array, horizon: int) -> Windows:
    given = list(y.shape)
    y = y.reshape(len(y), horizon, -1) if y.ndim == 2 and y.shape[1] % horizon == 0 else y
    if y.ndim != 3 or len(x) != len(y) or y.shape[1] != horizon:
        raise InputError(f"test: expected x [N, T, F] and y [N, {horizon}, O], got {list(x.shape)} and {given}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("test: x or y contains NaN or infinity")
    return from_arrays(x, y, ())


def _classes(series: list[Array], y: Array) -> Sequences:
    if y.dtype.kind not in "iu" or y.shape != (len(series),):
        raise InputError(
            f"test: expected y [{len(series)}], the classes as whole numbers, got {y.dtype} {list(y.shape)}"
        )
    return lay_out(series, y.astype(np.int64), every_step=False)


def _labels(series: list[Array], y: Array, window: int) -> Sequences:
    classes = y.dtype.kind in "iu"
    if y.shape[:2] != (len(series), window) or y.ndim != (2 if classes else 3):
        axes = f"{len(series)}, {window}"
        raise InputError(
            f"test: expected y [{axes}], classes as whole numbers, or [{axes}, O], numbers, got {y.dtype} "
            f"{list(y.shape)}"
        )
    y = y.astype(np.int64 if classes else np.float32)
    return lay_out(series, [row[: len(x)] for row, x in zip(y, series, strict=True)], every_step=True)
