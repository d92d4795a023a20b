"""A network: its layers, first to last, and the tensors that they own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgelstm.contract import StateTensor
from edgelstm.network.layers import (
    Calendar,
    Embedding,
    Highway,
    Join,
    Layer,
    LayerNorm,
    Linear,
    Lstm,
    Rescale,
    Segment,
    Standardize,
    size_behind,
    size_in_front,
    sizes_of,
)

Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Network:
    """The layers, first to last.

    Attributes:
        layers: what happens to x.
        relative_inputs: for each output the input channel whose last value is added to it, the last value of each
            such input having been subtracted from its every step; empty unless the scaling is relative or instance.
            Inputs that are not among them stay where they stand.
        instance: in the place of the last value stands the mean of the window, and these inputs are divided by their
            standard deviation over it: sqrt(var + 1e-5) of what comes out of the leading `Standardize`. Outputs are
            multiplied by that of their input, then its mean is added. RevIN without an affine part: Kim et al. 2022,
            "Reversible Instance Normalization".

    Example:
        >>> from edgelstm.network import Take
        >>> lstm = Lstm("lstm", input_size=3, hidden_size=8)
        >>> network = Network((lstm, Take("last"), Linear("head", 8, 2)))
        >>> [name for name, shape in network.tensors()][:2]
        ['lstm.weight_ih_l0', 'lstm.weight_hh_l0']
    """

    layers: tuple[Layer, ...]
    relative_inputs: tuple[int, ...] = ()
    instance: bool = False

    @property
    def lstms(self) -> tuple[Lstm, ...]:
        """The LSTM stacks among the layers."""
        return tuple(layer for layer in self.layers if isinstance(layer, Lstm))

    @property
    def highway(self) -> Highway | None:
        """The linear layer past the LSTM; None: there is none."""
        return next((layer for layer in self.layers if isinstance(layer, Highway)), None)

    @property
    def centred(self) -> tuple[bool, ...]:
        """Of each input, whether its steps are relative to something in the window."""
        return tuple(channel in self.relative_inputs for channel in range(self.input_size))

    @property
    def tokens(self) -> bool:
        """Whether x holds tokens, int64 [B, T], and not measurements, float32 [B, T, F]."""
        return isinstance(self.layers[0], Embedding)

    @property
    def times(self) -> bool:
        """Whether it takes the moment of each sample, `time_s` int64 [B, T], beside x."""
        return any(isinstance(layer, Calendar) for layer in self.layers)

    @property
    def input_size(self) -> int:
        """F; 1 where x holds tokens."""
        in_front: list[Layer] = []
        for i, layer in enumerate(self.layers):
            fixed = sizes_of(layer)
            size = fixed.into if fixed else _channels(self.layers[i:])
            if size is not None:
                for passed in reversed(in_front):
                    size = size_in_front(passed, size)
                return size
            in_front.append(layer)
        return 1

    @property
    def output_size(self) -> int:
        """Size of the last axis of what comes out."""
        size = self.input_size
        for layer in self.layers:
            size = size_behind(layer, size)
        return size

    def tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """List the names and shapes of the weights; a scaling constant, whose size is not in the layer, has `()`."""
        for layer in self.layers:
            if isinstance(layer, Lstm):
                yield from _lstm_tensors(layer)
            elif isinstance(layer, Embedding):
                yield f"{layer.name}.weight", (layer.num_embeddings, layer.embedding_dim)
            elif isinstance(layer, Linear):
                yield f"{layer.name}.weight", (layer.out_features, layer.in_features)
                if layer.bias:
                    yield f"{layer.name}.bias", (layer.out_features,)
            elif isinstance(layer, Highway):
                yield f"{layer.name}.weight", (layer.out_features, layer.steps * layer.in_features)
                yield f"{layer.name}.bias", (layer.out_features,)
            elif isinstance(layer, LayerNorm):
                yield from ((f"{layer.name}.{part}", (layer.size,)) for part in ("weight", "bias"))
            elif isinstance(layer, Standardize):
                yield from ((layer.offset, ()), (layer.factor, ()))
            elif isinstance(layer, Rescale):
                yield from ((layer.scale, ()), (layer.offset, ()))


def _channels(layers: tuple[Layer, ...]) -> int | None:
    """Give the channels in front of a shared segment, which the way back names; None: here is no such segment."""
    if not (isinstance(layers[0], Segment) and layers[0].shared):
        return None
    return next((layer.channels for layer in layers if isinstance(layer, Join)), None)


def _lstm_tensors(lstm: Lstm) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes as `torch.nn.LSTM` documents them."""
    gates, state = 4 * lstm.hidden_size, lstm.proj_size or lstm.hidden_size
    for layer in range(lstm.num_layers):
        size = lstm.input_size if layer == 0 else lstm.output_size
        for suffix in ("", "_reverse")[: lstm.directions]:
            yield f"{lstm.name}.weight_ih_l{layer}{suffix}", (gates, size)
            yield f"{lstm.name}.weight_hh_l{layer}{suffix}", (gates, state)
            if lstm.bias:
                yield f"{lstm.name}.bias_ih_l{layer}{suffix}", (gates,)
                yield f"{lstm.name}.bias_hh_l{layer}{suffix}", (gates,)
            if lstm.proj_size:
                yield f"{lstm.name}.weight_hr_l{layer}{suffix}", (lstm.proj_size, lstm.hidden_size)


def carried_states(network: Network) -> tuple[StateTensor, ...]:
    """List the state tensors of a carried file: one h and one c [D, B, H] for each layer of each LSTM.

    With a projection, h is the state before it: [D, B, hidden_size].
    """
    sizes = [(lstm.directions, "B", lstm.hidden_size) for lstm in network.lstms for _ in range(lstm.num_layers)]
    return tuple(
        StateTensor(f"{name}{i}", f"{name}{i}_out", size, "float32") for i, size in enumerate(sizes) for name in "hc"
    )
