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
LAST, FINAL, MEAN = "last", "final", "mean"
LAYER_NORM_EPSILON = 1e-5  # torch.nn.LayerNorm's
INSTANCE_EPSILON = 1e-5  # RevIN's
DAY_S = 86400


class Cycle(NamedTuple):
    """What comes again in time: the phase at `time_s` is (time_s + shift_s) mod period_s.

    Attributes:
        period_s: seconds; a multiple of 4, so that a quarter of it is whole.
        shift_s: seconds from where a cycle begins to the beginning of 1970.
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
            its LSTM. `"mean"`: the mean over the steps that count; 0 where none does.
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


class Segment(NamedTuple):
    """One step eats `steps` of them: [B, T, C] becomes [B, T / steps, steps * C], sample 0's channels first.

    T must be a multiple of `steps`. Source: Lin et al. 2023, "SegRNN", arXiv 2308.11200.

    Attributes:
        shared: all channels go through one network: [B * C, T / steps, steps], a row for each channel of each row,
            until a `Join`.
    """

    steps: int
    shared: bool
    kind: str = "segment"


class Join(NamedTuple):
    """The way back of a shared `Segment`: [B * channels, K * values] becomes [B, K, channels * values].

    In front of it number k * values + v of a row is value v of its channel at step k; behind it value v of channel c
    is number c * values + v of step k.

    Attributes:
        channels: as many as in front of the segment.
        values: how many a channel has at each step: 1, or the levels of a quantile forecast.
    """

    channels: int
    values: int = 1
    kind: str = "join"


class Highway(NamedTuple):
    """A linear layer past the LSTM: adds W s + b to what stands in front of it, s being what the `Standardize` gave.

    Stands where the numbers of the head are, in front of the way back: of the `Rescale`, of the `Join` of shared
    channels, or of the softmax of classes. s is the whole window, [B, steps * F], sample 0's channels first; behind a
    shared `Segment` that of one channel, [B * C, steps]; where there is an answer at every step, its own sample alone,
    [B, T, F], and then steps is 1. Owns `NAME.weight` [out_features, steps * in_features] and `NAME.bias`.

    Source: the highway of LSTNet, Lai et al. 2018, "Modeling Long- and Short-Term Temporal Patterns".

    Attributes:
        steps: T, of the window that it reads.
        in_features: F, without a calendar; of shared channels 1.
        out_features: as many as stand in front of it.
        alone: the answer is W s + b, nothing is added to what stands in front of it. A network without an LSTM: the
            `Standardize`, of shared channels a `Segment` of one step, of windows a `Take`, and this.
    """

    name: str
    steps: int
    in_features: int
    out_features: int
    alone: bool = False
    kind: str = "highway"


class LayerNorm(NamedTuple):
    """As `torch.nn.LayerNorm` over the last axis: `NAME.weight`, `NAME.bias` [size], epsilon 1e-5.

    Source: Ba et al. 2016, "Layer Normalization", arXiv 1607.06450.
    """

    name: str
    size: int
    kind: str = "layer_norm"


class Calendar(NamedTuple):
    """Append where in the day, the week or the year each step lies, UTC: C channels become C + 2 * features.

    Of each feature first the sine of its phase, then the cosine, from the input `time_s` int64 [B, T] of the file.

    Attributes:
        features: of `CYCLES`, each once.
    """

    features: tuple[str, ...]
    kind: str = "calendar"


class Activation(NamedTuple):
    """An element-wise function of `FUNCTIONS`, or softmax over the last axis."""

    function: str
    kind: str = "activation"


Layer: TypeAlias = (
    Standardize
    | Rescale
    | Embedding
    | Lstm
    | Take
    | Repeat
    | Reverse
    | Mask
    | Linear
    | Activation
    | Segment
    | Join
    | LayerNorm
    | Calendar
    | Highway
)


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
    if isinstance(layer, LayerNorm):
        return Sizes(layer.size, layer.size)
    if isinstance(layer, Highway):
        return Sizes(layer.in_features if layer.alone else layer.out_features, layer.out_features)
    return Sizes(layer.in_features, layer.out_features) if isinstance(layer, Linear) else None


def size_behind(layer: Layer, size: int) -> int:
    """Give the size of the last axis behind a layer, in front of which it is `size`.

    Example:
        >>> size_behind(Linear("head", 8, 2), 8), size_behind(Take("last"), 8)
        (2, 8)
    """
    if isinstance(layer, Segment):
        return layer.steps if layer.shared else layer.steps * size
    if isinstance(layer, Join):
        return layer.channels * layer.values
    if isinstance(layer, Calendar):
        return size + 2 * len(layer.features)
    sizes = sizes_of(layer)
    return size if sizes is None else sizes.out


def size_in_front(layer: Layer, size: int) -> int:
    """Give the size of the last axis in front of a layer that fixes none, behind which it is `size`."""
    if isinstance(layer, Segment):
        return size // layer.steps
    return size - 2 * len(layer.features) if isinstance(layer, Calendar) else size
