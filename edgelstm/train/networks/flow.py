"""The value between two layers in torch, and functions that several kinds of layers use.

Notation: B batch, T steps, C size of the last axis, H hidden size, D directions, L layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]
State = tuple[Pair, ...]


class Flow(NamedTuple):
    """A value between two layers, and what belongs to it.

    Attributes:
        value: float32 [B, T, C] or [B, C]; between a shared `Segment` and its `Join`, each channel is a row. Tokens
            int64 [B, T] before an `Embedding`.
        constant: gives a scaling constant by its name.
        training: whether dropout and disturbances are active.
        lengths: int64 [B], the number of valid steps of each row; None: all are valid.
        valid: bool [B, T], the valid steps if a `Mask` skips some, anywhere in a row; it includes the lengths.
        time_s: int64 [B, T], seconds since 1970; None without times.
        before: initial h and c of each LSTM; None: zeros.
        after: h and c [D * L, B, H] after the last step of each LSTM so far, detached.
        scaled: the output of the first `Standardize`.
        directions: D of the LSTM directly before.
        together: number of rows from one row of the input: the channels of a shared `Segment`.
    """

    value: Tensor
    constant: Callable[[str], Tensor]
    training: bool = False
    lengths: Tensor | None = None
    valid: Tensor | None = None
    time_s: Tensor | None = None
    before: State | None = None
    after: State = ()
    scaled: Tensor | None = None
    directions: int = 1
    together: int = 1

    def with_steps(self, value: Tensor) -> Flow:
        """Replace the value by other steps, all of which are valid."""
        return self._replace(value=value, lengths=None, valid=None)


def inside(steps: int, lengths: Tensor) -> Tensor:
    """Mark the steps within the length of their row: bool [B, T]."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def last_step(h: Tensor, lengths: Tensor | None, valid: Tensor | None = None) -> Tensor:
    """Take the last valid step of each row: [B, T, C] to [B, C]; without valid steps, the very last step."""
    if valid is not None:
        lengths = h.shape[1] - valid.flip(1).to(torch.uint8).argmax(1)
    return h[:, -1] if lengths is None else h[torch.arange(len(h), device=h.device), lengths - 1]


def mean_of_steps(h: Tensor, lengths: Tensor | None, valid: Tensor | None = None) -> Tensor:
    """Average over the valid steps: [B, T, C] to [B, C]; 0 if there are none."""
    if valid is not None:
        lengths = valid.sum(1).clamp(min=1)
    if lengths is None:
        return h.mean(1)
    counts = inside(h.shape[1], lengths) if valid is None else valid
    return (h * counts[..., None]).sum(1) / lengths[:, None]


def without_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Set the steps after the length of each row to zero: [B, T, C]."""
    return x if lengths is None else x * inside(x.shape[1], lengths)[..., None]


def in_reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse the valid steps of each row; the others stay after them: [B, T, C]."""
    if lengths is None:
        return x.flip(1)
    steps, ends = torch.arange(x.shape[1], device=x.device), lengths[:, None]
    places = torch.where(steps < ends, ends - 1 - steps, steps)
    return x.gather(1, places[..., None].expand_as(x))
