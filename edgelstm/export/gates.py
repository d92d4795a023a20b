"""The one place that knows how PyTorch's LSTM tensors become ONNX's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edgelstm.arrays import Array32
from edgelstm.network import Lstm

# Blocks of a PyTorch tensor (i f g o; torch.nn.LSTM) in the order of ONNX (i o f c; operator LSTM).
_ONNX_ORDER = (0, 3, 1, 2)


class LstmTensors(NamedTuple):
    """Inputs of an ONNX LSTM node, float32: W [D, 4H, I], R [D, 4H, H], B [D, 8H] or None without bias.

    `projection`, [D * H, D * P], is applied after the node, both directions in one matrix: the ONNX LSTM has no
    projection. None without `proj_size`.
    """

    W: Array32
    R: Array32
    B: Array32 | None
    projection: Array32 | None


def permute_gates(tensor: Array32) -> Array32:
    """Reorder the four gate blocks along axis 0 from PyTorch's order to ONNX's.

    Example:
        >>> permute_gates(np.array([1, 2, 3, 4], np.float32))  # i f g o
        array([1., 4., 2., 3.], dtype=float32)
    """
    blocks = np.split(tensor, 4, axis=0)
    return np.concatenate([blocks[i] for i in _ONNX_ORDER])


def lstm_tensors(lstm: Lstm, weights: dict[str, Array32], layer: int) -> LstmTensors:
    """Collect the tensors of one layer of a `torch.nn.LSTM`, its directions stacked.

    A projection folds exactly: torch computes W_hh (W_hr h), so the node uses R = W_hh W_hr on the state h before the
    projection, and W_hr is applied after the node. R is then [4H, H], while W_hh was [4H, P].
    """
    suffixes = ("", "_reverse")[: lstm.directions]
    found = [_direction(lstm, weights, f"l{layer}{suffix}") for suffix in suffixes]
    stacked = [None if parts[0] is None else np.stack(parts) for parts in zip(*found, strict=True)]
    W, R, B, projection = stacked
    return LstmTensors(W, R, B, None if projection is None else _block_diagonal(projection))  # type: ignore[arg-type]


def _block_diagonal(matrices: Array32) -> Array32:
    """Put [D, H, P] into one block-diagonal matrix [D * H, D * P], zero outside the blocks."""
    directions, rows, columns = matrices.shape
    whole = np.zeros((directions, rows, directions, columns), np.float32)
    for d, matrix in enumerate(matrices):
        whole[d, :, d] = matrix
    return whole.reshape(directions * rows, directions * columns)


def _direction(lstm: Lstm, weights: dict[str, Array32], suffix: str) -> LstmTensors:
    w, r = (permute_gates(weights[f"{lstm.name}.{name}_{suffix}"]) for name in ("weight_ih", "weight_hh"))
    bias = projection = None
    if lstm.bias:
        bias = np.concatenate([permute_gates(weights[f"{lstm.name}.{b}_{suffix}"]) for b in ("bias_ih", "bias_hh")])
    if lstm.proj_size:
        projection = weights[f"{lstm.name}.weight_hr_{suffix}"]
        r = (r.astype(np.float64) @ projection.astype(np.float64)).astype(np.float32)
        projection = projection.T
    return LstmTensors(w, r, bias, projection)
