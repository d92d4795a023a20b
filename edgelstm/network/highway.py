"""A linear layer past the LSTM.

Notation: B batch, T steps, F input channels, C channels that share a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgelstm.errors import NetworkError
from edgelstm.network.flow import Flow, Weights, wide
from edgelstm.network.kind import SEQUENCE, Kind, Place, Sizes, Tensor, input_size
from edgelstm.network.pointwise import Activation, Rescale, Standardize
from edgelstm.network.steps import LAST, Join, Mask, Repeat, Reverse, Segment, Take

__all__ = ["Highway"]


@dataclass(frozen=True)
class Highway(Kind):
    """A linear layer past the LSTM: adds W s + b to the value before it, where s is the output of the `Standardize`.

    It stands after the head, before the `Rescale`, the `Join` of shared channels, or the softmax of classes. s is the
    whole window, [B, steps * F], sample 0's channels first; after a shared `Segment`, the window of one channel,
    [B * C, steps]; with an answer at every step, the sample of that step alone, [B, T, F], and then steps is 1. Owns
    `NAME.weight` [out_features, steps * in_features] and `NAME.bias`.

    Source: the highway of LSTNet, Lai et al. 2018, "Modeling Long- and Short-Term Temporal Patterns".

    Attributes:
        steps: T, of the window that it reads.
        in_features: F, without a calendar; 1 for shared channels.
        out_features: size of the value before it.
        alone: the answer is W s + b, not added to anything. Such a network has no LSTM: only the `Standardize`, for
            shared channels a `Segment` of one step, for windows a `Take`, and this layer.
    """

    name: str
    steps: int
    in_features: int
    out_features: int
    alone: bool = False
    kind: str = "highway"

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.in_features if self.alone else self.out_features, self.out_features)

    def tensors(self) -> Iterator[Tensor]:
        yield f"{self.name}.weight", (self.out_features, self.steps * self.in_features)
        yield f"{self.name}.bias", (self.out_features,)

    def check(self) -> None:
        if self.steps < 1:
            raise NetworkError(f"highway: expected at least 1 step, got {self.steps}")

    def check_place(self, place: Place) -> None:
        """Check that it follows a leading standardize, and adds to the last values before they are scaled back."""
        in_front, behind = place.in_front, place.behind[:1]
        count = 1 + sum(isinstance(layer, Highway) for layer in (*in_front, *place.behind))
        if count > 1:
            raise NetworkError(f"highway: expected one in a network, got {count}")
        if not (in_front and isinstance(in_front[0], Standardize)):
            raise NetworkError(f"{place}: expected a standardize as the first layer, whose output it reads")
        if behind and not isinstance(behind[0], (Rescale, Join)) and behind[0] != Activation("softmax"):
            raise NetworkError(
                f"{place}: expected a rescale, a join, the softmax of classes or nothing after it, got {behind[0].kind}"
            )
        foreign = next((layer.kind for layer in in_front if isinstance(layer, (Mask, Repeat, Reverse, Join))), None)
        if foreign is not None:
            raise NetworkError(f"{place}: reads the samples in their order; expected no {foreign} before it")
        if self.alone:
            _check_alone(place)
        self._check_reach(place)

    def _check_reach(self, place: Place) -> None:
        """Check that it reads what each answer belongs to: whole windows, single channels of them, or samples."""
        segments = [layer for layer in place.in_front if isinstance(layer, Segment)]
        apart, inputs = place.shape.apart > 0, input_size((*place.in_front, self, *place.behind))
        if place.shape.form == SEQUENCE and (self.steps > 1 or segments):
            raise NetworkError(
                f"{place}: with an answer at every step it reads one sample at a time: expected 1 step and no "
                f"segment, got {self.steps} and {', '.join(layer.kind for layer in place.in_front)} before it"
            )
        expected = 1 if apart else inputs
        if self.in_features != expected:
            wanted = "1 input, each channel by itself" if apart else f"as many inputs as measured channels ({inputs})"
            raise NetworkError(f"{place}: expected {wanted}, got {self.in_features}")
        join = next((layer for layer in place.behind if isinstance(layer, Join)), None)
        if apart and (join is None or join.channels != inputs):
            raise NetworkError(f"{place}: with shared channels it reads those of x: expected a join of {inputs}")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        read: Any = flow.scaled
        if flow.value.ndim == 2:  # the whole window; with shared channels one row per channel, in order
            read = read.transpose(0, 2, 1) if self.in_features == 1 else read
            read = read.reshape(-1, self.steps * self.in_features)
        past = read @ wide(weights, f"{self.name}.weight").T + wide(weights, f"{self.name}.bias")
        return flow._replace(value=past if self.alone else flow.value + past, final=None)


def _check_alone(place: Place) -> None:
    """Check that before a layer alone there are only layers that say which samples it reads."""
    ways: tuple[Sequence[Kind], ...] = ((), (Take(LAST),), (Segment(1, True), Take(LAST)))
    between = tuple(place.in_front[1:])
    if between not in ways:
        raise NetworkError(
            f"{place}: alone, expected nothing between the standardize and it, or a take of the last step, or that "
            f"take after a shared segment of 1 step; got {', '.join(layer.kind for layer in between)}"
        )
