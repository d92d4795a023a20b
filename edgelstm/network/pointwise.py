"""Layers that work on each step by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np

from edgelstm.errors import NetworkError
from edgelstm.network.flow import Flow, Weights, wide
from edgelstm.network.functions import FORMULAS, FUNCTIONS
from edgelstm.network.kind import SEQUENCE, Kind, Place, Shape, Sizes, Tensor

__all__ = [
    "CYCLES",
    "LAYER_NORM_EPSILON",
    "Activation",
    "Calendar",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Rescale",
    "Standardize",
]

LAYER_NORM_EPSILON = 1e-5  # torch.nn.LayerNorm's
DAY_S = 86400


class Cycle(NamedTuple):
    """A cycle in time: the phase at `time_s` is (time_s + shift_s) mod period_s.

    Attributes:
        period_s: seconds; a multiple of 4, so that a quarter of it is a whole number.
        shift_s: seconds from the beginning of a cycle to the beginning of 1970.
    """

    period_s: int
    shift_s: int = 0


# 1970 began on a Thursday, a week begins on Monday. A year is the mean one of the Gregorian calendar, 365.2425 days:
# its phase stays within two days of the date.
CYCLES = {
    "hour": Cycle(DAY_S),
    "weekday": Cycle(7 * DAY_S, 3 * DAY_S),
    "yearday": Cycle(31_556_952),
}


@dataclass(frozen=True)
class Standardize(Kind):
    """x [..., C] becomes (x - offset) * factor; both float32 [C] or [1].

    Attributes:
        offset, factor: names of the tensors.
    """

    step_by_step: ClassVar[bool] = True
    affine: ClassVar[bool] = True
    words: ClassVar[str] = "scaling"

    offset: str
    factor: str
    kind: str = "standardize"

    def tensors(self) -> Iterator[Tensor]:
        yield from ((self.offset, ()), (self.factor, ()))

    def check_constants(self, weights: Weights, size: int) -> None:
        for name in (self.offset, self.factor):
            if weights[name].shape not in ((1,), (size,)):
                raise NetworkError(f"{name}: expected shape [{size}] or [1], got {list(weights[name].shape)}")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        value = (flow.value - wide(weights, self.offset)) * wide(weights, self.factor)
        return flow._replace(value=value, scaled=value if flow.scaled is None else flow.scaled)


@dataclass(frozen=True)
class Rescale(Kind):
    """Scale back to physical units: y becomes y * scale + offset, float32 [O], the same at every horizon step.

    Its input has O values or K * O of them, of which k * O + o is output o at step k.

    Attributes:
        scale, offset: names of the tensors.
    """

    step_by_step: ClassVar[bool] = True
    affine: ClassVar[bool] = True
    words: ClassVar[str] = "scaling"

    scale: str
    offset: str
    kind: str = "rescale"

    def tensors(self) -> Iterator[Tensor]:
        yield from ((self.scale, ()), (self.offset, ()))

    def check_constants(self, weights: Weights, size: int) -> None:
        scale, offset = weights[self.scale], weights[self.offset]
        if scale.ndim != 1 or scale.shape != offset.shape or not scale.size or size % scale.size:
            raise NetworkError(
                f"{self.scale} and {self.offset}: expected one number per output, {size} or a divisor of "
                f"it, got {list(scale.shape)} and {list(offset.shape)}"
            )

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        scale, offset = wide(weights, self.scale), wide(weights, self.offset)
        parts = flow.value.reshape(*flow.value.shape[:-1], -1, scale.size) * scale + offset
        return flow._replace(value=parts.reshape(flow.value.shape))


@dataclass(frozen=True)
class Embedding(Kind):
    """Tokens int64 [B, T] become rows of `NAME.weight` float32 [num_embeddings, embedding_dim]."""

    takes: ClassVar[str] = SEQUENCE

    name: str
    num_embeddings: int
    embedding_dim: int
    kind: str = "embedding"

    @property
    def sizes(self) -> Sizes:
        return Sizes(1, self.embedding_dim)

    @property
    def words(self) -> str:
        return f"embedding of {self.num_embeddings} tokens -> {self.embedding_dim}"

    def tensors(self) -> Iterator[Tensor]:
        yield f"{self.name}.weight", (self.num_embeddings, self.embedding_dim)

    def check_place(self, place: Place) -> None:
        if place.in_front:
            raise NetworkError(f"{place}: an embedding must be the first layer, since it takes tokens")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        return flow._replace(value=wide(weights, f"{self.name}.weight")[flow.value])


@dataclass(frozen=True)
class Linear(Kind):
    """[..., in_features] becomes [..., out_features]; `NAME.weight` [out, in] and, with bias, `NAME.bias` [out]."""

    step_by_step: ClassVar[bool] = True
    affine: ClassVar[bool] = True

    name: str
    in_features: int
    out_features: int
    bias: bool = True
    kind: str = "linear"

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.in_features, self.out_features)

    @property
    def words(self) -> str:
        return f"linear {self.in_features} -> {self.out_features}"

    def tensors(self) -> Iterator[Tensor]:
        yield f"{self.name}.weight", (self.out_features, self.in_features)
        if self.bias:
            yield f"{self.name}.bias", (self.out_features,)

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        bias = wide(weights, f"{self.name}.bias") if self.bias else 0.0
        return flow._replace(value=flow.value @ wide(weights, f"{self.name}.weight").T + bias, final=None)


@dataclass(frozen=True)
class LayerNorm(Kind):
    """As `torch.nn.LayerNorm` over the last axis: `NAME.weight`, `NAME.bias` [size], epsilon 1e-5.

    Source: Ba et al. 2016, "Layer Normalization", arXiv 1607.06450.
    """

    step_by_step: ClassVar[bool] = True

    name: str
    size: int
    kind: str = "layer_norm"

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.size, self.size)

    def tensors(self) -> Iterator[Tensor]:
        yield from ((f"{self.name}.{part}", (self.size,)) for part in ("weight", "bias"))

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        centred = flow.value - flow.value.mean(axis=-1, keepdims=True)
        normed = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + LAYER_NORM_EPSILON)
        scaled = normed * wide(weights, f"{self.name}.weight") + wide(weights, f"{self.name}.bias")
        return flow._replace(value=scaled, final=None)


@dataclass(frozen=True)
class Activation(Kind):
    """An element-wise function of `FUNCTIONS`, or softmax over the last axis."""

    step_by_step: ClassVar[bool] = True

    function: str
    kind: str = "activation"

    @property
    def words(self) -> str:
        return self.function

    def check(self) -> None:
        if self.function not in FUNCTIONS:
            raise NetworkError(f"activation: expected one of {', '.join(FUNCTIONS)}, got {self.function!r}")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        function = FORMULAS[self.function]
        final = None if flow.final is None else function(flow.final)
        return flow._replace(value=function(flow.value), final=final)


@dataclass(frozen=True)
class Calendar(Kind):
    """Append the phase of each step in the day, the week or the year, UTC: C channels become C + 2 * features.

    Each feature gives the sine of its phase, then the cosine, from the input `time_s` int64 [B, T] of the file.

    Attributes:
        features: names in `CYCLES`, each once.
    """

    takes: ClassVar[str] = SEQUENCE

    features: tuple[str, ...]
    kind: str = "calendar"

    def behind(self, shape: Shape) -> Shape:
        return shape._replace(size=shape.size + 2 * len(self.features))

    def size_in_front(self, size: int) -> int:
        return size - 2 * len(self.features)

    def check(self) -> None:
        if not (set(self.features) <= set(CYCLES) and 0 < len(self.features) == len(set(self.features))):
            raise NetworkError(f"calendar: expected some of {', '.join(CYCLES)}, each once, got {self.features}")

    def check_place(self, place: Place) -> None:
        if place.in_front and isinstance(place.in_front[0], Embedding):
            raise NetworkError(f"{place}: tokens have no times; remove the calendar")
        if not all(isinstance(layer, Standardize) for layer in place.in_front):
            raise NetworkError(f"{place}: expected it first, or directly after a leading standardize, as an input")

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        if flow.time_s is None:
            raise NetworkError("calendar: expected time_s, the moment of each sample, got none")
        features = [flow.value]
        for cycle in (CYCLES[name] for name in self.features):
            phase = 2 * np.pi * ((flow.time_s + cycle.shift_s) % cycle.period_s)[:, :, np.newaxis] / cycle.period_s
            features += [np.sin(phase), np.cos(phase)]
        return flow._replace(value=np.concatenate(features, axis=2))


Pointwise: TypeAlias = Standardize | Rescale | Embedding | Linear | LayerNorm | Activation | Calendar
