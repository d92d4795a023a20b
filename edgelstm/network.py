"""What a network is made of: a list of layers over named tensors, with nothing of torch or ONNX in it.

The trainer and the importers write it into a run directory beside the weights, the exporter builds the graph from
it. Tensors have the names, layouts and gate order (i f g o) of PyTorch: an `Lstm` called `"lstm"` owns
`lstm.weight_ih_l0`, `lstm.weight_hh_l0_reverse`, ..., a `Linear` called `"head"` owns `head.weight`, `head.bias`.

Notation: B batch, T steps, F input channels, H hidden size, D directions, K horizon, O outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import StateTensor
from edgelstm.errors import NetworkError

# What an LSTM's gates, cell candidate and output may go through, and what may stand between layers.
LSTM_FUNCTIONS = (
    "sigmoid",
    "tanh",
    "relu",
    "hard_sigmoid",
    "hard_sigmoid_keras2",
    "linear",
    "softsign",
    "softplus",
    "elu",
)
FUNCTIONS = (
    "relu",
    "gelu",
    "gelu_tanh",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "hard_sigmoid_keras2",
    "softmax",
    "elu",
    "selu",
    "leaky_relu",
    "leaky_relu_02",
    "leaky_relu_03",
    "softplus",
    "softsign",
)
LAST, FINAL = "last", "final"


class Standardize(NamedTuple):
    """x [B, T, F] becomes (x - offset) * factor; both float32 [F] or [1].

    Attributes:
        offset, factor: names of the tensors.
    """

    offset: str
    factor: str
    kind: str = "standardize"


class Rescale(NamedTuple):
    """The way back to physical units: y becomes y * scale + offset, float32 [O], the same at every horizon step.

    Attributes:
        scale, offset: names of the tensors.
    """

    scale: str
    offset: str
    kind: str = "rescale"


class Embedding(NamedTuple):
    """Tokens int64 [B, T] become rows of `NAME.weight` float32 [num_embeddings, embedding_dim]."""

    name: str
    num_embeddings: int
    embedding_dim: int
    kind: str = "embedding"


class Lstm(NamedTuple):
    """A stack as `torch.nn.LSTM` describes it: [B, T, input_size] becomes [B, T, D * (proj_size or hidden_size)].

    Attributes:
        name: prefix of its tensors.
        input_size, hidden_size, num_layers, bidirectional, proj_size, bias: as in `torch.nn.LSTM`; proj_size 0 is none.
        functions: of the gates, of the cell candidate, of the output; each of `LSTM_FUNCTIONS`. PyTorch's are
            sigmoid, tanh, tanh.
    """

    name: str
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    proj_size: int = 0
    bias: bool = True
    functions: tuple[str, ...] = ("sigmoid", "tanh", "tanh")
    kind: str = "lstm"

    @property
    def directions(self) -> int:
        """D."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Size of the last axis of what comes out."""
        return self.directions * (self.proj_size or self.hidden_size)


class Take(NamedTuple):
    """One answer for the whole sequence: [B, T, C] becomes [B, C].

    Attributes:
        which: `"last"`: the output at the last valid step, `output[:, -1]`. `"final"`: the state after the last
            step of each direction, `h_n`, forward and backward side by side. They differ where there are two
            directions: at the last step the backward one has seen that step alone.
    """

    which: str
    kind: str = "take"


class Repeat(NamedTuple):
    """The same vector at every one of `steps` steps: [B, C] becomes [B, steps, C]."""

    steps: int
    kind: str = "repeat"


class Reverse(NamedTuple):
    """The steps in reverse order."""

    kind: str = "reverse"


class Mask(NamedTuple):
    """Steps at which all channels equal `value` are skipped by the LSTMs behind, wherever they lie (Keras' Masking).

    A row in which all steps are skipped leaves the state at zero.
    """

    value: float
    kind: str = "mask"


class Linear(NamedTuple):
    """[..., in_features] becomes [..., out_features]; `NAME.weight` [out, in] and, with bias, `NAME.bias` [out]."""

    name: str
    in_features: int
    out_features: int
    bias: bool = True
    kind: str = "linear"


class Activation(NamedTuple):
    """An element-wise function of `FUNCTIONS`, or softmax over the last axis."""

    function: str
    kind: str = "activation"


Layer: TypeAlias = (
    Standardize | Rescale | Embedding | Lstm | Take | Repeat | Reverse | Mask | Linear | Activation
)  # fmt: skip
Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Network:
    """The layers, first to last.

    Attributes:
        layers: what happens to x.
        relative_inputs: the input channel whose last value is subtracted from every input and added to each
            output; empty unless the scaling is relative.

    Example:
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


def check_network(network: Network, weights: Weights) -> None:
    """See that the layers fit each other and that the weights are theirs: every one, of its shape, finite.

    Raises:
        NetworkError: names the layer or the tensor, what was expected and what came.
    """
    if not network.lstms:
        raise NetworkError("expected a network with at least one LSTM, got none among its layers")
    for layer in network.layers:
        _check_layer(layer)
    _check_sizes(network)
    expected = dict(network.tensors())
    unknown, missing = sorted(weights.keys() - expected.keys()), sorted(expected.keys() - weights.keys())
    if missing:
        raise NetworkError(f"the weights lack {missing[0]!r}, which the network needs")
    if unknown:
        raise NetworkError(f"the weights hold {unknown[0]!r}, which no layer of the network has")
    for name, shape in expected.items():
        tensor = weights[name]
        if shape and tensor.shape != shape:
            raise NetworkError(f"{name}: expected shape {list(shape)}, got {list(tensor.shape)}")
        if tensor.dtype != np.float32:
            raise NetworkError(f"{name}: expected float32, got {tensor.dtype}")
        if not np.isfinite(tensor).all():
            raise NetworkError(f"{name}: holds NaN or infinity; these weights cannot be run")


def _check_layer(layer: Layer) -> None:
    if isinstance(layer, Take) and layer.which not in (LAST, FINAL):
        raise NetworkError(f"take: expected {LAST} or {FINAL}, got {layer.which!r}")
    if isinstance(layer, Activation) and layer.function not in FUNCTIONS:
        raise NetworkError(f"activation: expected one of {', '.join(FUNCTIONS)}, got {layer.function!r}")
    if isinstance(layer, Lstm):
        if not 1 <= layer.num_layers <= 8:
            raise NetworkError(f"LSTM {layer.name!r}: expected 1 to 8 layers, got {layer.num_layers}")
        if not 0 <= layer.proj_size < layer.hidden_size:
            raise NetworkError(f"LSTM {layer.name!r}: expected a proj_size below {layer.hidden_size}")
        unknown = [name for name in layer.functions if name not in LSTM_FUNCTIONS]
        if unknown or len(layer.functions) != 3:
            raise NetworkError(
                f"LSTM {layer.name!r}: expected three functions of {', '.join(LSTM_FUNCTIONS)}, got {layer.functions}"
            )


def _check_sizes(network: Network) -> None:
    """Follow the size of the last axis and whether there are steps."""
    size: int | None = None
    steps = True
    for i, layer in enumerate(network.layers):
        place = f"layer {i + 1} ({layer.kind})"
        needs_steps = isinstance(layer, (Lstm, Take, Reverse, Mask, Embedding))
        if needs_steps != steps and (needs_steps or isinstance(layer, Repeat)):
            raise NetworkError(f"{place}: expected {'a sequence' if needs_steps else 'one vector'} in front of it")
        if isinstance(layer, Embedding) and i > 0:
            raise NetworkError(f"{place}: an embedding must come first, it takes the tokens themselves")
        if isinstance(layer, (Lstm, Linear)):
            wanted = layer.input_size if isinstance(layer, Lstm) else layer.in_features
            if size is not None and wanted != size:
                raise NetworkError(f"{place} {layer.name!r}: expected {wanted} inputs, the layer in front gives {size}")
            size = layer.output_size if isinstance(layer, Lstm) else layer.out_features
        elif isinstance(layer, Embedding):
            size = layer.embedding_dim
        steps = isinstance(layer, Repeat) or (steps and not isinstance(layer, Take))
