"""The layers, and the sizes in front of and behind each.

Notation: B batch, T steps, F input channels, H hidden size, D directions, K horizon, O outputs.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

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


class Sizes(NamedTuple):
    """Of the last axis, in front of a layer and behind it."""

    into: int
    out: int


def sizes_of(layer: Layer) -> Sizes | None:
    """Give the sizes that a layer fixes; None: it takes any and leaves it as it is."""
    if isinstance(layer, Embedding):
        return Sizes(1, layer.embedding_dim)
    if isinstance(layer, Lstm):
        return Sizes(layer.input_size, layer.output_size)
    return Sizes(layer.in_features, layer.out_features) if isinstance(layer, Linear) else None


def size_behind(layer: Layer, size: int) -> int:
    """Give the size of the last axis behind a layer, in front of which it is `size`.

    Example:
        >>> size_behind(Linear("head", 8, 2), 8), size_behind(Take("last"), 8)
        (2, 8)
    """
    sizes = sizes_of(layer)
    return size if sizes is None else sizes.out
