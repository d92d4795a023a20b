"""The parts of a contract, and the values of its keys.

They are named tuples: importing a frozen dataclass takes 1.3 ms on a small machine, a named tuple 0.2 ms, and every
device imports them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, get_args

Task: TypeAlias = Literal["forecast", "classify", "label"]
Answer: TypeAlias = Literal["number", "quantile", "class"]
Precision: TypeAlias = Literal["fp32", "int8", "int8w", "fp16"]
State: TypeAlias = Literal["window", "carried"]

FORMAT_VERSION = 3
TASKS: tuple[Task, ...] = get_args(Task)
ANSWERS: tuple[Answer, ...] = get_args(Answer)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
STATES: tuple[State, ...] = get_args(State)
SCALINGS = ("standard", "minmax", "none", "relative", "instance")
CLIPS = ("none", "percentile", "mse")
HEADS = ("int8", "fp32")
QUANTILE_LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Statistics(NamedTuple):
    """Statistics of one channel in the training part, in the channel's unit.

    Attributes:
        mean, std, min, max: over all training samples that were not missing; std is that of the population.
        quantiles: at `QUANTILE_LEVELS`.
    """

    mean: float
    std: float
    min: float
    max: float
    quantiles: tuple[float, ...]

    def minus(self, origin: float) -> Statistics:
        """Give the statistics of the values minus an origin."""
        moved = (self.min - origin, self.max - origin, tuple(q - origin for q in self.quantiles))
        return Statistics(self.mean - origin, self.std, *moved)


class Channel(NamedTuple):
    """One input or output channel, in its physical unit.

    Attributes:
        name: as in the table it was trained on, `"co2"`.
        unit: `"ppm"`; None if unknown.
        dtype: the numpy name of the tensor's element type: `"float32"`, or `"int64"` for tokens.
        statistics: of the training part; None if there was nothing to measure.
        categories: the number of tokens of an int64 input, which are 0 to categories - 1; None for measurements.
        ahead: for an input that is known ahead (a plan, a holiday): how many samples after the sample it is given with
            its value applies; 0 for measured inputs.
        quantile: the level, for an output that is a quantile of `column`; 0.1 is the 10 % quantile. None for others.
        column: the column of the table, if that is not `name`.
        cap: for an output: training clipped larger values to it, so an answer near it means this value or more.
        category: the word for which an input is 1; it is 0 where `column` has another word.
        origin: what is subtracted in float64 before a sample becomes float32, and added to an answer: for values such
            as 1e9 + sin(t), whose changes are lost in float32. Statistics are those of the complete value.
    """

    name: str
    unit: str | None
    dtype: str
    statistics: Statistics | None
    categories: int | None = None
    ahead: int = 0
    quantile: float | None = None
    column: str | None = None
    cap: float | None = None
    category: str | None = None
    origin: float = 0.0

    @property
    def source(self) -> str:
        """The column of the table."""
        return self.column or self.name

    @property
    def ceiling(self) -> float:
        """The largest target in training; infinite without a cap."""
        return float("inf") if self.cap is None else self.cap

    @property
    def spread(self) -> float:
        """The training standard deviation, to divide by: 1 if it is 0 or unknown."""
        return (self.statistics.std if self.statistics else 0.0) or 1.0

    @property
    def bare(self) -> Channel:
        """The channel in the units of the graph: values and statistics minus the origin."""
        if self.origin == 0:
            return self
        found = self.statistics
        return self._replace(statistics=None if found is None else found.minus(self.origin), origin=0.0)


class StateTensor(NamedTuple):
    """A state tensor that a carried file takes and returns at every call.

    Attributes:
        input, output: its names in the graph.
        shape: sizes; `"B"` stands for the batch.
        dtype: the numpy name of its element type.
    """

    input: str
    output: str
    shape: tuple[int | str, ...]
    dtype: str


# Figures by name, over all scored answers. Numbers: `mse mae rmse` in physical units (squared for mse; across channels
# with different units only the scaled ones are meaningful), `scaled_mse scaled_mae` after division by each channel's
# training standard deviation. Quantiles: `pinball scaled_pinball`, `coverage` of the outermost interval, and those of
# numbers for the median. Classes: `accuracy macro_f1`, and `log_loss` in nats if there are probabilities.
Score: TypeAlias = dict[str, float]
HIGHER_IS_BETTER = frozenset(("accuracy", "macro_f1"))


class Metrics(NamedTuple):
    """The scores on one held-out part. All are deterministic: no timings.

    Attributes:
        part: `"test"` or `"validation"`.
        windows: the number of windows or sequences scored.
        network: the trained network in torch, run as its state says.
        file: this very file in onnxruntime, run as its state says: a carried state is kept over the whole part; None in
            a run directory.
        baselines: on the same windows, by name.
    """

    part: str
    windows: int
    network: Score
    file: Score | None
    baselines: dict[str, Score]


class Quantization(NamedTuple):
    """How the weights of an int8 or int8w file were made from float32.

    Attributes:
        per_channel: one scale for each gate row and each output of the head; otherwise one for each tensor.
        clip: how the range of a scale was chosen: `"none"` (the largest weight), `"percentile"` or `"mse"`.
        head: the precision of the products of the head and of an LSTM's projection, `"int8"` or `"fp32"`.
        highway: the precision of the linear layer that bypasses the LSTM, likewise; `"fp32"` if there is none.
    """

    per_channel: bool = True
    clip: str = "none"
    head: str = "int8"
    highway: str = "fp32"


class Fidelity(NamedTuple):
    """How closely the file follows its network and itself on the golden windows, per output in physical units.

    Attributes:
        network_error: the largest difference from the trained network.
        stream_difference: the largest difference between stepping with a carried state and the same window at once; 0
            for window files, whose stream runs whole windows.
        neighbour_difference: the largest difference between a row alone and the row in a batch, run by an ONNX client.
            edgelstm itself runs the rows of an int8 file one by one.
    """

    network_error: tuple[float, ...]
    stream_difference: tuple[float, ...]
    neighbour_difference: tuple[float, ...]


class Provenance(NamedTuple):
    """Where the weights come from. No timestamps: the same run exported twice gives the same bytes.

    Attributes:
        versions: of edgelstm and of each package that was involved, by name.
        data_sha256: of the training data; None for arrays without a file.
        weights_sha256: of `network.safetensors`.
        seed: of the training; None for an imported network.
    """

    versions: dict[str, str]
    data_sha256: str | None
    weights_sha256: str
    seed: int | None
