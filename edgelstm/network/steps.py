"""Layers that change the steps: their number, their order, and which of them are valid.

Notation: B batch, T steps, C size of the last axis, K horizon, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from edgelstm.errors import NetworkError
from edgelstm.network.flow import Flow, Weights, last_step, mean_of_steps
from edgelstm.network.kind import SEQUENCE, VECTOR, Kind, Place, Shape
from edgelstm.network.recurrent import Lstm

__all__ = ["FINAL", "LAST", "MEAN", "Join", "Mask", "Repeat", "Reverse", "Segment", "Take"]

LAST, FINAL, MEAN = "last", "final", "mean"


@dataclass(frozen=True)
class Take(Kind):
    """One answer for the whole sequence: [B, T, C] becomes [B, C].

    Attributes:
        which: `"last"`: the output at the last valid step, `output[:, -1]`. `"final"`: the state after the last
            step of each direction, `h_n`, forward and backward side by side. They differ with two directions: at the
            last step the backward one has seen that step alone. `"final"` must directly follow its LSTM. `"mean"`:
            the mean over the valid steps; 0 if there are none.
    """

    takes: ClassVar[str] = SEQUENCE

    which: str
    kind: str = "take"

    @property
    def words(self) -> str:
        return {LAST: "last step", FINAL: "last step of each direction", MEAN: "mean over the steps"}[self.which]

    @property
    def no_state(self) -> str:
        return "a mean over the steps of a window" if self.which == MEAN else ""

    def behind(self, shape: Shape) -> Shape:
        return shape._replace(form=VECTOR, steps=0)

    def moves_before(self, layer: Kind, masked: bool) -> bool:
        """Allow it before layers that work step by step; a mean before affine layers, unless steps may be masked."""
        return layer.step_by_step if self.which != MEAN else layer.affine and not masked

    def check(self) -> None:
        if self.which not in (LAST, FINAL, MEAN):
            raise NetworkError(f"take: expected {LAST}, {FINAL} or {MEAN}, got {self.which!r}")

    def check_place(self, place: Place) -> None:
        if self.which == FINAL and not (place.in_front and isinstance(place.in_front[-1], Lstm)):
            raise NetworkError(f"{place}: expected an LSTM directly before it, whose {FINAL} state it takes")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        if self.which == MEAN:
            return flow._replace(value=mean_of_steps(flow.value, flow.valid))
        if self.which == LAST:
            return flow._replace(value=last_step(flow.value, flow.valid)[:, 0])
        if flow.final is None:
            raise NetworkError("take: expected an LSTM before it, whose final state it takes, got none")
        return flow._replace(value=flow.final)


@dataclass(frozen=True)
class Repeat(Kind):
    """Repeat a vector at each of `steps` steps: [B, C] becomes [B, steps, C]."""

    takes: ClassVar[str] = VECTOR

    steps: int
    kind: str = "repeat"

    @property
    def words(self) -> str:
        return f"repeat {self.steps} times"

    @property
    def no_state(self) -> str:
        return "steps that repeat one vector"

    def behind(self, shape: Shape) -> Shape:
        return shape._replace(form=SEQUENCE, steps=self.steps)

    def check(self) -> None:
        if self.steps < 1:
            raise NetworkError(f"repeat: expected at least 1 step, got {self.steps}")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        return flow.with_steps(np.repeat(flow.value[:, np.newaxis], self.steps, axis=1))


@dataclass(frozen=True)
class Reverse(Kind):
    """Reverse the order of the steps; cannot be used with lengths."""

    takes: ClassVar[str] = SEQUENCE

    kind: str = "reverse"

    @property
    def words(self) -> str:
        return "steps in reverse"

    @property
    def no_state(self) -> str:
        return "steps in reverse order"

    def moves_before(self, layer: Kind, masked: bool) -> bool:
        """Allow it before a mask, which marks the same steps in either order."""
        return layer.step_by_step or isinstance(layer, Mask)

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        return flow._replace(value=flow.value[:, ::-1], valid=flow.valid[:, ::-1], final=None)


@dataclass(frozen=True)
class Mask(Kind):
    """Mark steps at which all channels equal `value`: the LSTMs after it skip them, wherever they are (Keras' Masking).

    If all steps of a row are skipped, its state stays zero. With an answer at every step, the last LSTM repeats its
    previous output at a skipped step, or gives zero if there is none; with two directions always zero.
    """

    takes: ClassVar[str] = SEQUENCE

    value: float
    kind: str = "mask"

    @property
    def words(self) -> str:
        return f"skip steps of {self.value:g}"

    @property
    def no_state(self) -> str:
        return "a mask"

    @property
    def no_lengths(self) -> str:
        return "mask: lengths already say which steps count; export without lengths, or without a mask"

    def check(self) -> None:
        if not abs(self.value) <= float(np.finfo(np.float32).max):
            raise NetworkError(f"mask: expected a finite float32 as the value to skip, got {self.value}")

    def check_place(self, place: Place) -> None:
        """Check that an LSTM after it skips the steps, that it is the only mask, and that there are no segments."""
        reader = next((layer for layer in place.behind if isinstance(layer, (Lstm, Take))), None)
        if not isinstance(reader, Lstm):
            raise NetworkError("mask: expected an LSTM after it that skips the steps, got none")
        others = [layer.kind for layer in (*place.in_front, *place.behind)]
        if self.kind in others:
            raise NetworkError(f"mask: expected one in a network, got {1 + others.count(self.kind)}")
        if any(isinstance(layer, Segment) for layer in (*place.in_front, *place.behind)):
            raise NetworkError(
                "mask: a segment may contain skipped steps; fill the gaps instead, or remove the segments"
            )

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        return flow._replace(valid=flow.valid & (flow.value != np.float64(np.float32(self.value))).any(axis=2))


@dataclass(frozen=True)
class Segment(Kind):
    """Read `steps` samples in one step: [B, T, C] becomes [B, T / steps, steps * C], sample 0's channels first.

    T must be a multiple of `steps`. Source: Lin et al. 2023, "SegRNN", arXiv 2308.11200.

    Attributes:
        shared: all channels go through one network: [B * C, T / steps, steps], one row per channel of each row,
            until a `Join`.
    """

    takes: ClassVar[str] = SEQUENCE

    steps: int
    shared: bool
    kind: str = "segment"

    @property
    def no_state(self) -> str:
        return "segments (of several samples)"

    @property
    def no_lengths(self) -> str:
        return "segment: a row may end inside a segment; export without lengths, or without segments"

    def behind(self, shape: Shape) -> Shape:
        shape = shape._replace(
            size=self.steps if self.shared else self.steps * shape.size,
            apart=shape.size if self.shared else shape.apart,
        )
        if shape.steps:
            return shape._replace(steps=shape.steps // self.steps)
        return shape._replace(cut=shape.cut * self.steps)

    def size_in_front(self, size: int) -> int:
        return size // self.steps

    def fixed_size(self, behind: Sequence[Kind]) -> int | None:
        """Give the number of channels of a shared segment, which its `Join` fixes."""
        joined = (layer.channels for layer in behind if isinstance(layer, Join))
        return next(joined, None) if self.shared else None

    def check(self) -> None:
        if self.steps < 1:
            raise NetworkError(f"segment: expected at least 1 step, got {self.steps}")

    def check_place(self, place: Place) -> None:
        steps = place.shape.steps
        if place.shape.apart and self.shared:
            raise NetworkError(f"{place}: the channels are already separated; expected a join before it")
        if steps % self.steps:
            raise NetworkError(f"{place}: expected a multiple of {self.steps} steps before it, got {steps}")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        value = flow.value
        if self.shared:  # one row per channel, one channel in each
            value = value.transpose(0, 2, 1).reshape(-1, value.shape[1], 1)
        rows, steps, channels = value.shape
        return flow.with_steps(value.reshape(rows, steps // self.steps, self.steps * channels))


@dataclass(frozen=True)
class Join(Kind):
    """Bring the channels of a shared `Segment` together: [B * channels, K * values] becomes [B, K, channels * values].

    Element k * values + v of an input row is value v of its channel at step k; in the output, value v of channel c is
    element c * values + v of step k.

    Attributes:
        channels: as many as before the segment.
        values: per channel and step: 1, or the levels of a quantile forecast.
    """

    takes: ClassVar[str] = VECTOR

    channels: int
    values: int = 1
    kind: str = "join"

    def behind(self, shape: Shape) -> Shape:
        steps = shape.size // self.values
        return shape._replace(size=self.channels * self.values, form=SEQUENCE, steps=steps, apart=0)

    def check(self) -> None:
        if min(self.channels, self.values) < 1:
            raise NetworkError(f"join: expected at least 1 channel and 1 value, got {self.channels} and {self.values}")

    def check_place(self, place: Place) -> None:
        size, apart = place.shape.size, place.shape.apart
        if not apart:
            raise NetworkError(f"{place}: expected a shared segment before it, whose channels it joins")
        if self.channels != apart:
            raise NetworkError(
                f"{place}: expected {apart} channels, as many as before the segment, got {self.channels}"
            )
        if size % self.values:
            raise NetworkError(f"{place}: expected {self.values} values at each step before it, got {size} in total")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        parts = flow.value.reshape(-1, self.channels, flow.value.shape[1] // self.values, self.values)
        return flow.with_steps(parts.transpose(0, 2, 1, 3).reshape(len(parts), -1, self.channels * self.values))


Steps: TypeAlias = Take | Repeat | Reverse | Mask | Segment | Join
