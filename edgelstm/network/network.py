"""A network: its layers, first to last, and the tensors that they own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgelstm.contract import StateTensor
from edgelstm.network.layers import Embedding, Layer, Linear, Lstm, Rescale, Standardize, sizes_of

Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Network:
    """The layers, first to last.

    Attributes:
        layers: what happens to x.
        relative_inputs: the input channel whose last value is subtracted from every input and added to each
            output; empty unless the scaling is relative.

    Example:
        >>> from edgelstm.network import Take
        >>> lstm = Lstm("lstm", input_size=3, hidden_size=8)
        >>> network = Network((lstm, Take("last"), Linear("head", 8, 2)))
        >>> [name for name, shape in network.tensors()][:2]
        ['lstm.weight_ih_l0', 'lstm.weight_hh_l0']
    """

    layers: tuple[Layer, ...]
    relative_inputs: tuple[int, ...] = ()

    @property
    def lstms(self) -> tuple[Lstm, ...]:
        """The LSTM stacks among the layers."""
        return tuple(layer for layer in self.layers if isinstance(layer, Lstm))

    @property
    def tokens(self) -> bool:
        """Whether x holds tokens, int64 [B, T], and not measurements, float32 [B, T, F]."""
        return isinstance(self.layers[0], Embedding)

    @property
    def input_size(self) -> int:
        """F; 1 where x holds tokens."""
        return next((s.into for s in map(sizes_of, self.layers) if s is not None), 1)

    @property
    def output_size(self) -> int:
        """Size of the last axis of what comes out."""
        return next((s.out for s in map(sizes_of, reversed(self.layers)) if s is not None), 1)

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
            elif isinstance(layer, Standardize):
                yield from ((layer.offset, ()), (layer.factor, ()))
            elif isinstance(layer, Rescale):
                yield from ((layer.scale, ()), (layer.offset, ()))


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
