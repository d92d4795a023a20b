"""What a network is made of: a list of layers over named tensors, with nothing of torch or ONNX in it.

The trainer and the importers write it into a run directory beside the weights, the exporter builds the graph from
it. Tensors have the names, layouts and gate order (i f g o) of PyTorch: an `Lstm` called `"lstm"` owns
`lstm.weight_ih_l0`, `lstm.weight_hh_l0_reverse`, ..., a `Linear` called `"head"` owns `head.weight`, `head.bias`.

Notation: B batch, T steps, F input channels, H hidden size, D directions, K horizon, O outputs.
"""

from __future__ import annotations

from collections import Counter
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
    """x [..., C] becomes (x - offset) * factor; both float32 [C] or [1].

    Attributes:
        offset, factor: names of the tensors.
    """

    offset: str
    factor: str
    kind: str = "standardize"


class Rescale(NamedTuple):
    """The way back to physical units: y becomes y * scale + offset, float32 [O], the same at every horizon step.

    In front of it may be O values or K * O of them, row k * O + o being output o at step k.

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
            directions: at the last step the backward one has seen that step alone. `"final"` stands right behind
            its LSTM.
    """

    which: str
    kind: str = "take"


class Repeat(NamedTuple):
    """The same vector at every one of `steps` steps: [B, C] becomes [B, steps, C]."""

    steps: int
    kind: str = "repeat"


class Reverse(NamedTuple):
    """The steps in reverse order; not to be had together with lengths."""

    kind: str = "reverse"


class Mask(NamedTuple):
    """Steps at which all channels equal `value` are skipped by the LSTMs behind, wherever they lie (Keras' Masking).

    A row in which all steps are skipped leaves the state at zero. With an answer at every step, the last LSTM gives
    at a skipped step its output before it again, or zero if there is none; of two directions always zero.
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

    @property
    def tokens(self) -> bool:
        """Whether x holds tokens, int64 [B, T], and not measurements, float32 [B, T, F]."""
        return isinstance(self.layers[0], Embedding)

    @property
    def input_size(self) -> int:
        """F; 1 where x holds tokens."""
        return next((s.into for s in map(_sizes, self.layers) if s is not None), 1)

    @property
    def output_size(self) -> int:
        """Size of the last axis of what comes out."""
        return next((s.out for s in map(_sizes, reversed(self.layers)) if s is not None), 1)

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


class _Sizes(NamedTuple):
    into: int
    out: int


def _sizes(layer: Layer) -> _Sizes | None:
    """Sizes of the last axis in front of a layer and behind it; None: it takes any and leaves it as it is."""
    if isinstance(layer, Embedding):
        return _Sizes(1, layer.embedding_dim)
    if isinstance(layer, Lstm):
        return _Sizes(layer.input_size, layer.output_size)
    return _Sizes(layer.in_features, layer.out_features) if isinstance(layer, Linear) else None


def size_behind(layer: Layer, size: int) -> int:
    """Give the size of the last axis behind a layer, in front of which it is `size`.

    Example:
        >>> size_behind(Linear("head", 8, 2), 8), size_behind(Take("last"), 8)
        (2, 8)
    """
    sizes = _sizes(layer)
    return size if sizes is None else sizes.out


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

    Args:
        network: its layers.
        weights: their tensors, by name.

    Raises:
        NetworkError: names the layer or the tensor, what was expected and what came.

    Example:
        >>> network = Network((Lstm("lstm", input_size=3, hidden_size=8), Take("last")))
        >>> check_network(network, {})
        Traceback (most recent call last):
        edgelstm.errors.NetworkError: the weights lack 'lstm.bias_hh_l0', which the network needs
    """
    if not network.lstms:
        raise NetworkError("expected a network with at least one LSTM, got none among its layers")
    for layer in network.layers:
        _check_layer(layer)
    _check_order(network)
    _check_mask(network)
    _check_sizes(network)
    _check_weights(network, weights)
    _check_scaling(network, weights)


def _check_layer(layer: Layer) -> None:
    if isinstance(layer, Take) and layer.which not in (LAST, FINAL):
        raise NetworkError(f"take: expected {LAST} or {FINAL}, got {layer.which!r}")
    if isinstance(layer, Activation) and layer.function not in FUNCTIONS:
        raise NetworkError(f"activation: expected one of {', '.join(FUNCTIONS)}, got {layer.function!r}")
    if isinstance(layer, Repeat) and layer.steps < 1:
        raise NetworkError(f"repeat: expected at least 1 step, got {layer.steps}")
    if isinstance(layer, Mask) and not abs(layer.value) <= float(np.finfo(np.float32).max):
        raise NetworkError(f"mask: expected a finite float32 to look for, got {layer.value}")
    if isinstance(layer, Lstm):
        _check_lstm(layer)


def _check_lstm(lstm: Lstm) -> None:
    if not 1 <= lstm.num_layers <= 8:
        raise NetworkError(f"LSTM {lstm.name!r}: expected 1 to 8 layers, got {lstm.num_layers}")
    if lstm.hidden_size < 1 or not 0 <= lstm.proj_size < lstm.hidden_size:
        raise NetworkError(
            f"LSTM {lstm.name!r}: expected a hidden_size of at least 1 and a proj_size below it, got "
            f"{lstm.hidden_size} and {lstm.proj_size}"
        )
    if len(lstm.functions) != 3 or not set(lstm.functions) <= set(LSTM_FUNCTIONS):
        raise NetworkError(
            f"LSTM {lstm.name!r}: expected three functions of {', '.join(LSTM_FUNCTIONS)}, got {lstm.functions}"
        )


def _check_order(network: Network) -> None:
    """Follow whether there are steps."""
    steps = True
    for i, layer in enumerate(network.layers):
        place = f"layer {i + 1} ({layer.kind})"
        needs_steps = isinstance(layer, (Lstm, Take, Reverse, Mask, Embedding))
        if needs_steps != steps and (needs_steps or isinstance(layer, Repeat)):
            raise NetworkError(f"{place}: expected {'a sequence' if needs_steps else 'one vector'} in front of it")
        if isinstance(layer, Embedding) and i > 0:
            raise NetworkError(f"{place}: an embedding must come first, it takes the tokens themselves")
        if isinstance(layer, Take) and layer.which == FINAL and not (i and isinstance(network.layers[i - 1], Lstm)):
            raise NetworkError(f"{place}: the {FINAL} state is an LSTM's, expected one right in front of it")
        steps = isinstance(layer, Repeat) or (steps and not isinstance(layer, Take))


def _check_mask(network: Network) -> None:
    """What is skipped must be skipped by somebody, once, and must not be the step that all others are relative to."""
    masks = [i for i, layer in enumerate(network.layers) if isinstance(layer, Mask)]
    if not masks:
        return
    behind = next((layer for layer in network.layers[masks[0] :] if isinstance(layer, (Lstm, Take))), None)
    if not isinstance(behind, Lstm):
        raise NetworkError("mask: expected an LSTM behind it that skips the steps, got none")
    if len(masks) > 1:
        raise NetworkError(f"mask: expected one in a network, got {len(masks)}")
    if network.relative_inputs:
        raise NetworkError("mask: a step to skip cannot be told where all steps are relative to the last one")


def _check_sizes(network: Network) -> None:
    """Follow the size of the last axis."""
    size = network.input_size
    for i, layer in enumerate(network.layers):
        sizes = _sizes(layer)
        if sizes is None:
            continue
        place = f"layer {i + 1} ({layer.kind})"
        if min(sizes) < 1:
            raise NetworkError(
                f"{place}: expected sizes of at least 1, got {sizes.into} inputs and {sizes.out} outputs"
            )
        if sizes.into != size:
            raise NetworkError(f"{place}: expected {sizes.into} inputs, the layer in front gives {size}")
        size = sizes.out
    if not all(0 <= channel < network.input_size for channel in network.relative_inputs):
        raise NetworkError(
            f"relative_inputs: expected channels from 0 to {network.input_size - 1}, got {network.relative_inputs}"
        )
    if network.relative_inputs and network.tokens:
        raise NetworkError("relative_inputs: tokens have no last value to be relative to")


def _check_weights(network: Network, weights: Weights) -> None:
    named = list(network.tensors())
    expected = dict(named)
    twice = [name for name, count in Counter(name for name, _ in named).items() if count > 1]
    if twice:
        raise NetworkError(f"{twice[0]!r} belongs to two layers; give each layer a name of its own")
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


def _check_scaling(network: Network, weights: Weights) -> None:
    """Scaling constants are as long as what they scale, whose size follows from the layers in front."""
    size = network.input_size
    for layer in network.layers:
        size = size_behind(layer, size)
        if isinstance(layer, Standardize):
            for name in (layer.offset, layer.factor):
                if weights[name].shape not in ((1,), (size,)):
                    raise NetworkError(f"{name}: expected shape [{size}] or [1], got {list(weights[name].shape)}")
        if isinstance(layer, Rescale):
            scale, offset = weights[layer.scale], weights[layer.offset]
            if scale.ndim != 1 or scale.shape != offset.shape or not scale.size or size % scale.size:
                raise NetworkError(
                    f"{layer.scale} and {layer.offset}: expected one number for each output, {size} or a whole part "
                    f"of it, got {list(scale.shape)} and {list(offset.shape)}"
                )
