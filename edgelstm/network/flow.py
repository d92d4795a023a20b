"""The value between two layers of the reference, in float64 numpy.

Notation: B batch, T steps, F input channels, H hidden size, D directions, C size of the last axis.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64

Weights = dict[str, NDArray[Any]]
Valid = NDArray[np.bool_]


class Flow(NamedTuple):
    """A value between two layers.

    Attributes:
        value: [B, T, C] or [B, C]; between a shared `Segment` and its `Join`, each channel is a row.
        valid: bool [B, T], the steps that count.
        final: [B, D * H], the state of each direction after its last step, directly after an LSTM; else None.
        time_s: int64 [B, T], or None.
        scaled: [B, T, F], the output of the first `Standardize`; None before it.
    """

    value: Any
    valid: Valid
    final: Array64 | None = None
    time_s: NDArray[np.int64] | None = None
    scaled: Array64 | None = None

    def with_steps(self, value: Array64) -> Flow:
        """Replace the value by other steps, all of which are valid."""
        return self._replace(value=value, valid=np.ones(value.shape[:2], bool), final=None)


def last_step(value: Array64, valid: Valid) -> Array64:
    """Take the last valid step, [B, 1, C]; in a row without valid steps, the very last step."""
    places = valid.shape[1] - 1 - np.argmax(valid[:, ::-1], axis=1)
    return np.take_along_axis(value, places[:, np.newaxis, np.newaxis], axis=1)


def mean_of_steps(value: Array64, valid: Valid) -> Array64:
    """Average over the valid steps, [B, C]; 0 in a row without valid steps."""
    total = np.where(valid[:, :, np.newaxis], value, 0).sum(axis=1)
    return np.asarray(total / np.maximum(valid.sum(axis=1), 1)[:, np.newaxis])


def wide(weights: Weights, name: str) -> Array64:
    """Give a tensor in float64."""
    return np.asarray(weights[name], np.float64)
