"""What travels from layer to layer in torch, and what several kinds of layers do to it.

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
        value: float32 [B, T, C] or [B, C]; between a shared `Segment` and its `Join` each channel is a row. Tokens
            int64 [B, T] in front of an `Embedding`.
        constant: gives a scaling constant by its name.
        training: dropout and disturbances act.
        lengths: int64 [B], so many steps of each row count; None: all do.
        valid: bool [B, T], the steps that count where a `Mask` skips some, wherever they lie; lengths are then in it.
        time_s: int64 [B, T], seconds since 1970; None without.
        before: h and c of each LSTM to begin with; None: zeros.
        after: h and c [D * L, B, H] behind the last step of each LSTM so far, detached.
        scaled: what the first `Standardize` gave.
        directions: D of the LSTM right in front.
        together: rows that are one row of the input: the channels of a shared `Segment`.
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
        """Go on with other steps, all of which count."""
        return self._replace(value=value, lengths=None, valid=None)


def inside(steps: int, lengths: Tensor) -> Tensor:
    """Tell which steps lie in front of the length of their row: bool [B, T]."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def last_step(h: Tensor, lengths: Tensor | None, valid: Tensor | None = None) -> Tensor:
    """Give the last step that counts, of each row its own: [B, T, C] to [B, C]; where none does, the last of all."""
    if valid is not None:
        lengths = h.shape[1] - valid.flip(1).to(torch.uint8).argmax(1)
    return h[:, -1] if lengths is None else h[torch.arange(len(h), device=h.device), lengths - 1]


def mean_of_steps(h: Tensor, lengths: Tensor | None, valid: Tensor | None = None) -> Tensor:
    """Average over the steps that count: [B, T, C] to [B, C]; 0 where none does."""
    if valid is not None:
        lengths = valid.sum(1).clamp(min=1)
    if lengths is None:
        return h.mean(1)
    counts = inside(h.shape[1], lengths) if valid is None else valid
    return (h * counts[..., None]).sum(1) / lengths[:, None]


def without_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Put zeros behind the length of each row: [B, T, C]."""
    return x if lengths is None else x * inside(x.shape[1], lengths)[..., None]


def in_reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Put the valid steps of each row in reverse order; the others stay behind them: [B, T, C]."""
    if lengths is None:
        return x.flip(1)
    steps, ends = torch.arange(x.shape[1], device=x.device), lengths[:, None]
    places = torch.where(steps < ends, ends - 1 - steps, steps)
    return x.gather(1, places[..., None].expand_as(x))
