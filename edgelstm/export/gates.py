"""The one place that knows how PyTorch's LSTM tensors become ONNX's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Blocks of a PyTorch tensor (i f g o; torch.nn.LSTM) in the order of ONNX (i o f c; operator LSTM).
_ONNX_ORDER = (0, 3, 1, 2)


class LstmTensors(NamedTuple):
    """Inputs of an ONNX LSTM node with one direction: W [1, 4H, I], R [1, 4H, H], B [1, 8H], all float32."""

    W: Array
    R: Array
    B: Array


def permute_gates(tensor: Array) -> Array:
    """Reorder the four gate blocks along axis 0 from PyTorch's order to ONNX's.

    Example:
        >>> permute_gates(np.array([1, 2, 3, 4], np.float32))  # i f g o
        array([1., 4., 2., 3.], dtype=float32)
    """
    blocks = np.split(tensor, 4, axis=0)
    return np.concatenate([blocks[i] for i in _ONNX_ORDER])


def lstm_tensors(weights: dict[str, Array], layer: int) -> LstmTensors:
    """Take one layer of a `torch.nn.LSTM` called `lstm` out of named tensors."""
    w_ih, w_hh, b_ih, b_hh = (
        permute_gates(weights[f"lstm.{name}_l{layer}"]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return LstmTensors(w_ih[np.newaxis], w_hh[np.newaxis], np.concatenate([b_ih, b_hh])[np.newaxis])
