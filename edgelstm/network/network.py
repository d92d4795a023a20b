"""A network: its layers, first to last, and the tensors that they own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from edgelstm.contract import StateTensor
from edgelstm.network.highway import Highway
from edgelstm.network.kind import Kind, Shape, Tensor, input_size
from edgelstm.network.pointwise import Calendar, Embedding, Pointwise, Standardize
from edgelstm.network.recurrent import Lstm
from edgelstm.network.steps import Steps, Take

INSTANCE_EPSILON = 1e-5  # RevIN's

Layer: TypeAlias = Pointwise | Lstm | Steps | Highway
OneKind = TypeVar("OneKind", bound=Kind)


@dataclass(frozen=True)
class Network:
    """The layers, first to last.

    Attributes:
        layers: applied to x in this order.
        relative_inputs: for each output, its input channel: the last value of that channel is subtracted from each of
            its steps, and added to the output; empty unless the scaling is relative or instance. Other inputs are not
            changed.
        instance: use the mean of the window instead of the last value, and divide these inputs by their standard
            deviation over the window: sqrt(var + 1e-5) of the output of the leading `Standardize`. Outputs are
            multiplied by that of their input, then its mean is added. RevIN without an affine part: Kim et al. 2022,
            "Reversible Instance Normalization".

    Example:
        >>> from edgelstm.network import Linear, Take
        >>> lstm = Lstm("lstm", input_size=3, hidden_size=8)
        >>> network = Network((lstm, Take("last"), Linear("head", 8, 2)))
        >>> [name for name, shape in network.tensors()][:2]
        ['lstm.weight_ih_l0', 'lstm.weight_hh_l0']
    """

    layers: tuple[Layer, ...]
    relative_inputs: tuple[int, ...] = ()
    instance: bool = False

    def of(self, kind: type[OneKind]) -> tuple[OneKind, ...]:
        """The layers of a kind, in their order.

        Example:
            >>> Network((Lstm("lstm", 3, 8), Take("last"))).of(Take)
            (Take(which='last', kind='take'),)
        """
        return tuple(layer for layer in self.layers if isinstance(layer, kind))

    @property
    def lstms(self) -> tuple[Lstm, ...]:
        """The LSTM stacks among the layers."""
        return self.of(Lstm)

    @property
    def highway(self) -> Highway | None:
        """The linear layer past the LSTM; None: there is none."""
        return next(iter(self.of(Highway)), None)

    @property
    def scaling(self) -> Standardize | None:
        """The leading scaling of x; None: there is none."""
        first = self.layers[0]
        return first if isinstance(first, Standardize) else None

    @property
    def centred(self) -> tuple[bool, ...]:
        """For each input, whether its steps are relative to a value of the window."""
        return tuple(channel in self.relative_inputs for channel in range(self.input_size))

    @property
    def tokens(self) -> bool:
        """Whether x holds tokens, int64 [B, T], and not measurements, float32 [B, T, F]."""
        return isinstance(self.layers[0], Embedding)

    @property
    def times(self) -> bool:
        """Whether it takes the time of each sample, `time_s` int64 [B, T], besides x."""
        return bool(self.of(Calendar))

    @property
    def at_every_step(self) -> Network:
        """The network without the layers that reduce steps to one answer: what a file with carried state computes."""
        return replace(self, layers=tuple(layer for layer in self.layers if not isinstance(layer, Take)))

    @property
    def input_size(self) -> int:
        """F; 1 if x holds tokens."""
        return input_size(self.layers)

    @property
    def answer(self) -> Shape:
        """The shape of the output."""
        shape = Shape(self.input_size)
        for layer in self.layers:
            shape = layer.behind(shape)
        return shape

    @property
    def output_size(self) -> int:
        """Size of the last axis of the output."""
        return self.answer.size

    def tensors(self) -> Iterator[Tensor]:
        """List the names and shapes of the weights; a scaling constant, whose size is not in the layer, has `()`."""
        for layer in self.layers:
            yield from layer.tensors()


def carried_states(network: Network) -> tuple[StateTensor, ...]:
    """List the state tensors of a carried file: one h and one c [D, B, H] for each layer of each LSTM.

    With a projection, h is the state before it: [D, B, hidden_size].
    """
    sizes = [(lstm.directions, "B", lstm.hidden_size) for lstm in network.lstms for _ in range(lstm.num_layers)]
    return tuple(
        StateTensor(f"{name}{i}", f"{name}{i}_out", size, "float32") for i, size in enumerate(sizes) for name in "hc"
    )
