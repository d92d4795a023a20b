"""Scaling constants, from the training part alone. The network and the exported graph apply them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.windows import Windows
from edgelstm.errors import DataError

Vector = NDArray[np.float32]
_SMALLEST = float(np.finfo(np.float32).tiny)  # scale; the reciprocal of a smaller one overflows float32
_LARGEST = 1 / _SMALLEST  # scale; the reciprocal of a larger one loses digits
_RANGE = 1e-12  # the smallest spread of a series, as a share of the largest: windows are squared in float32


@dataclass(frozen=True)
class Scaling:
    """Affine scaling in float32, the same in the trainer and in the graph.

    A network sees `(x - input_offset) * input_factor`, and its output `z` becomes `z * output_scale + output_offset`.
    Relative scaling subtracts the last value of each window instead of `input_offset`, and adds the last value of input
    `relative_inputs[o]` to output `o`. Instance scaling uses the mean of the window instead, divides the input by the
    standard deviation of the window, and multiplies the output by it. Both apply to the inputs in `relative_inputs`,
    which are forecast; all others are standardized by the training part, so that the network sees their level.

    Attributes:
        kind: one of `edgelstm.contract.SCALINGS`.
        input_offset, input_factor: float32 [F].
        output_scale, output_offset: float32 [O].
        relative_inputs: the input channel that each output is relative to; empty unless relative or instance.
    """

    kind: str
    input_offset: Vector
    input_factor: Vector
    output_scale: Vector
    output_offset: Vector
    relative_inputs: tuple[int, ...]


def measure(kind: str, windows: Windows, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Scaling:
    """Measure the constants on training windows.

    Args:
        kind: `"standard"`: zero mean, unit standard deviation. `"minmax"`: to 0..1. `"none"`: unchanged.
            `"relative"`: minus the last value of the window, divided by the standard deviation of that difference.
            `"instance"`: minus the mean of the window, divided by its standard deviation. With both, inputs that are
            not outputs are standardized.
        windows: of the training part.
        inputs: the names of the input channels.
        outputs: the names of the output channels; relative and instance scaling look for them among the inputs.

    Raises:
        DataError: a channel is constant, too small or too large for float32, or a relative output is not among the
            inputs.
    """
    if kind == "relative":
        return _relative(windows, inputs, outputs)
    if kind == "instance":
        return _instance(windows, inputs, outputs)
    x = _rows_in_use(windows.x_rows, windows.x_starts, windows.x_offsets)
    y = _rows_in_use(windows.y_rows, windows.y_starts, windows.y_offsets)
    return measure_rows(kind, x, inputs, y, outputs)


def measure_rows(
    kind: str,
    x: NDArray[np.floating],
    inputs: tuple[str, ...],
    y: NDArray[np.floating] | None,
    outputs: tuple[str, ...],
) -> Scaling:
    """Measure the constants on training rows, for scalings that do not depend on the window.

    Args:
        kind: `"standard"`, `"minmax"` or `"none"`.
        x: [M, F].
        inputs: the names of the input channels.
        y: [M', O], NaN where unknown; None for classes, which have no scale.
        outputs: the names of the output channels.

    Raises:
        DataError: a channel is constant.
    """
    sides = []
    for rows, names in ((x, inputs), (y, outputs)):
        if kind == "none" or rows is None:
            sides.append((np.zeros(len(names), np.float32), np.ones(len(names), np.float32)))
        else:
            sides.append(_offset_and_scale(kind, rows[~np.isnan(rows).any(axis=1)].astype(np.float64), names))
    (in_offset, in_scale), (out_offset, out_scale) = sides
    return Scaling(kind, in_offset, np.reciprocal(in_scale), out_scale, out_offset, ())


def _inputs_of(outputs: tuple[str, ...], inputs: tuple[str, ...], windows: Windows, kind: str) -> tuple[int, ...]:
    """Find the input that each output is relative to."""
    missing = [name for name in outputs if name not in inputs]
    if missing:
        raise DataError(
            f"{kind} scaling needs the past of {missing[0]!r}, which is not among the inputs ({', '.join(inputs)}): "
            "add it with --feature, or give --scaling standard"
        )
    if windows.steps < 2:
        raise DataError(f"{kind} scaling needs windows of at least 2 steps, got {windows.steps}")
    return tuple(inputs.index(name) for name in outputs)


def _instance(windows: Windows, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Scaling:
    """Measure the training deviation for inputs and outputs; the network computes mean and deviation of each window."""
    relative_inputs = _inputs_of(outputs, inputs, windows, "instance")
    rows = _rows_in_use(windows.x_rows, windows.x_starts, windows.x_offsets)
    offset, scale = _offset_and_scale("standard", rows, inputs)
    offset[list(relative_inputs)] = 0
    if windows.spreads is not None:
        scale[list(relative_inputs)] = _smallest(windows.spreads)
    out = scale[list(relative_inputs)]
    return Scaling("instance", offset, np.reciprocal(scale), out, 0 * out, relative_inputs)


def _smallest(spreads: NDArray[np.float64]) -> Vector:
    """Give the smallest spread of the series [S, O]: float32 [O].

    The spread of a window has a lower limit, `edgelstm.network.INSTANCE_EPSILON` of this scale, so that a constant
    window is not divided by zero. With one scale for all series together, the windows of a small one were below that
    limit: beside oil stocks of 1,744,000 +- 104,000, the error for a gasoline price of 2.5 +- 0.8 was 25 times that of
    persistence.
    """
    smallest: Vector = np.maximum(spreads.min(axis=0), spreads.max(axis=0) * _RANGE).astype(np.float32)
    return smallest


def _relative(windows: Windows, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Scaling:
    relative_inputs = _inputs_of(outputs, inputs, windows, "relative")
    last = windows.x_rows[windows.x_starts + windows.steps - 1].astype(np.float64)
    x_square, y_square = np.zeros(len(inputs)), np.zeros(len(outputs))
    for step in range(windows.steps):
        x_square += ((windows.x_rows[windows.x_starts + step] - last) ** 2).mean(axis=0)
    for step in range(windows.horizon):
        y_square += ((windows.y_rows[windows.y_starts + step] - last[:, relative_inputs]) ** 2).mean(axis=0)
    x_scale, y_scale = np.sqrt(x_square / windows.steps), np.sqrt(y_square / windows.horizon)
    x_offset = np.zeros(len(inputs))
    beside = sorted(set(range(len(inputs))) - set(relative_inputs))
    if beside:
        rows = _rows_in_use(windows.x_rows[:, beside], windows.x_starts, windows.x_offsets)
        x_offset[beside], x_scale[beside] = _offset_and_scale("standard", rows, tuple(inputs[i] for i in beside))
    _refuse_useless(x_scale, windows.x_rows, inputs)
    _refuse_useless(y_scale, windows.y_rows, outputs)
    offset, scale, out = (part.astype(np.float32) for part in (x_offset, x_scale, y_scale))
    return Scaling("relative", offset, np.reciprocal(scale), out, 0 * out, relative_inputs)


def _rows_in_use(rows: Vector, starts: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Take each row that is in at least one window, once."""
    used = np.zeros(len(rows), bool)
    for offset in offsets:
        used[starts + offset] = True
    return rows[used].astype(np.float64)


def _offset_and_scale(kind: str, rows: NDArray[np.float64], names: tuple[str, ...]) -> tuple[Vector, Vector]:
    if kind == "standard":
        offset, scale = rows.mean(axis=0), rows.std(axis=0)
    else:
        offset, scale = rows.min(axis=0), np.ptp(rows, axis=0)
    scale = np.where(np.ptp(rows, axis=0) == 0, 0, scale)  # the mean of equal numbers is rounded: std is not exactly 0
    _refuse_useless(scale, rows, names)
    return offset.astype(np.float32), scale.astype(np.float32)


def _refuse_useless(scale: NDArray[np.float64], rows: NDArray[np.floating], names: tuple[str, ...]) -> None:
    """See that every channel varies, by an amount that float32 can divide by."""
    for size, first, name in zip(scale, rows[0], names, strict=True):
        if size == 0:
            raise DataError(
                f"column {name!r} is constant ({first:g}) in the training part, nothing can be learned from it: "
                "remove it"
            )
        if not _SMALLEST <= size <= _LARGEST:
            raise DataError(
                f"column {name!r} varies by {size:.3g} in the training part, expected {_SMALLEST:.3g} to "
                f"{_LARGEST:.3g}, the range of float32: use another unit"
            )
