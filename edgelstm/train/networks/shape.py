"""What a network is made of: the sizes and the kinds of its layers."""

from __future__ import annotations

from dataclasses import dataclass

from edgelstm.network import FINAL, LAST

EVERY = "every"


@dataclass(frozen=True)
class NetworkShape:
    """What an `LstmNetwork` is made of.

    Attributes:
        input_size: F, without the calendar.
        hidden_size: H.
        num_layers: L, stacked as in `torch.nn.LSTM`.
        horizon: K; 1 for what forecasts nothing.
        output_size: O, in the order of the contract.
        relative_inputs: the input channel that each output starts from; empty unless the scaling looks at the window.
        bidirectional: the layers run backwards too.
        pooling: which step answers: `"last"`, of two directions the end of each; `"mean"` of all valid ones, or
            `"every"` one.
        segment: samples that one step eats.
        shared: the channels share one network, each is a sequence of its own.
        layer_norm: behind every layer.
        embedding_size: width of a linear layer with ReLU in front of the LSTM; 0 for none.
        head_size: width of a linear layer with ReLU in front of the head; 0 for none.
        calendar: features of the time of each sample, of `edgelstm.network.CYCLES`.
        levels: outputs of each target: of a quantile forecast more than 1.
        classes: the outputs are probabilities.
        highway: steps of the window that a linear layer reads past the LSTM: the window's, or 1 where there is an
            answer at every step; 0 for no such layer.
        dropout: between the layers and in front of the head, in training only.
        input_dropout: of whole input channels, in training only.
        input_noise: standard deviation of what is added to scaled inputs, in training only.
        drift: for each input by how much it is shifted as a whole, likewise; empty for none.
    """

    input_size: int
    hidden_size: int
    num_layers: int
    horizon: int
    output_size: int
    relative_inputs: tuple[int, ...] = ()
    bidirectional: bool = False
    pooling: str = LAST
    segment: int = 1
    shared: bool = False
    layer_norm: bool = False
    embedding_size: int = 0
    head_size: int = 0
    calendar: tuple[str, ...] = ()
    levels: int = 1
    classes: bool = False
    highway: int = 0
    dropout: float = 0.0
    input_dropout: float = 0.0
    input_noise: float = 0.0
    drift: tuple[float, ...] = ()

    @property
    def every_step(self) -> bool:
        """Whether there is an answer at every step."""
        return self.pooling == EVERY

    @property
    def take(self) -> str | None:
        """The layer `Take`; at its last step a backward direction has seen that step alone, so its end counts."""
        if self.every_step:
            return None
        return FINAL if self.bidirectional and self.pooling == LAST else self.pooling

    @property
    def channels(self) -> int:
        """F + G: those of x, and behind them sine and cosine of each calendar feature, which are not scaled."""
        return self.input_size + 2 * len(self.calendar)

    @property
    def step_size(self) -> int:
        """What one step of the first layer eats."""
        return self.segment * (1 if self.shared else self.channels)

    @property
    def lstm_sizes(self) -> tuple[tuple[int, int], ...]:
        """Input size and layers of each `torch.nn.LSTM`: one stack, or with layer_norm one for each layer."""
        first = self.embedding_size or self.step_size
        if not self.layer_norm:
            return ((first, self.num_layers),)
        return ((first, 1), *((self.lstm_output, 1) for _ in range(self.num_layers - 1)))

    @property
    def lstm_output(self) -> int:
        """H, or twice that of two directions."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    @property
    def highway_inputs(self) -> int:
        """Numbers that one answer of the highway reads: the scaled window; of shared channels that of one of them."""
        return self.highway * (1 if self.shared else self.input_size)

    @property
    def head_output(self) -> int:
        """Numbers that the head gives: of shared channels those of one channel."""
        return self.horizon * (self.levels if self.shared else self.output_size)
