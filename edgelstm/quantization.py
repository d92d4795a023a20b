"""The int8 schemes in plain numpy: weights to integers and scales.

All are symmetric: a weight is its integer times its scale, and 0 stays 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array32

# int8: DynamicQuantizeLSTM multiplies with uint8 activations. x86 processors without VNNI add two such products in
# 16 bits: 2 * 255 * 64 fits, 2 * 255 * 127 does not. int8w is converted to float before any product.
LEVELS = {"int8": 64, "int8w": 127}
PERCENTILE = 99.9
_FRACTIONS = np.linspace(0.5, 1.0, 51)


def quantize_rows(
    weight: Array32, levels: int, per_channel: bool = True, clip: str = "none"
) -> tuple[NDArray[np.int8], Array32]:
    """Quantize a matrix, each row with its own scale or all with one.

    Args:
        weight: float32 [R, C].
        levels: the largest integer, see `LEVELS`.
        per_channel: one scale per row.
        clip: `"none"`: the largest weight sets the scale. `"percentile"`: the 99.9th percentile of |weight| does.
            `"mse"`: of 51 ranges from half the largest weight up, the one with the least squared error.

    Returns:
        int8 [R, C] in -levels..levels, and the scales float32 [R]; all equal unless `per_channel`.

    Example:
        >>> whole, scale = quantize_rows(np.array([[0.5, -1.0]], np.float32), levels=64)
        >>> whole, scale
        (array([[ 32, -64]], dtype=int8), array([0.015625], dtype=float32))
    """
    rows = weight if per_channel else weight.reshape(1, -1)
    largest = np.abs(rows).max(axis=1)
    if clip == "percentile":
        limit = np.percentile(np.abs(rows), PERCENTILE, axis=1).astype(np.float32)
        limit = np.where(limit > 0, limit, largest)
    elif clip == "mse":
        limit = _least_squares(rows, largest, levels)
    else:
        limit = largest
    scale = (limit / np.float32(levels)).astype(np.float32)
    scale = np.where(scale < np.finfo(np.float32).tiny, np.float32(1), scale).astype(np.float32)
    whole = _round(rows, scale, levels).astype(np.int8).reshape(weight.shape)
    return whole, np.broadcast_to(scale, len(weight)).copy()


def _round(rows: Array32, scale: Array32, levels: int) -> NDArray[np.float32]:
    whole: NDArray[np.float32] = np.clip(np.rint(rows / scale[:, np.newaxis]), -levels, levels)
    return whole


def _least_squares(rows: Array32, largest: Array32, levels: int) -> Array32:
    """Choose for each row the range whose rounding and clipping have the least squared error."""
    best, limit = np.full(len(rows), np.inf), largest.copy()
    for fraction in _FRACTIONS:
        candidate = (largest * fraction).astype(np.float32)
        scale = np.maximum(candidate / np.float32(levels), np.finfo(np.float32).tiny).astype(np.float32)
        error = ((_round(rows, scale, levels) * scale[:, np.newaxis] - rows) ** 2).sum(axis=1, dtype=np.float64)
        limit = np.where(error < best, candidate, limit)
        best = np.minimum(error, best)
    return limit.astype(np.float32)
