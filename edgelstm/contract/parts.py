"""The parts of a contract, and the words it knows.

They are named tuples: a frozen dataclass costs 1.3 ms at import on a small machine, a named tuple 0.2, and every device
pays it.
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
    """What one channel looked like in the training part, in the channel's unit.

    Attributes:
        mean, std, min, max: over all training samples that were not missing; std is of the population.
        quantiles: at `QUANTILE_LEVELS`.
    """

    mean: float
    std: float
    min: float
    max: float
    quantiles: tuple[float, ...]

    def minus(self, origin: float) -> Statistics:
        """The same of values that are less by so much."""
        moved = (self.min - origin, self.max - origin, tuple(q - origin for q in self.quantiles))
        return Statistics(self.mean - origin, self.std, *moved)


class Channel(NamedTuple):
    """One input or output channel, in its physical unit.

    Attributes:
        name: as in the table it was trained on, `"co2"`.
        unit: `"ppm"`; None where nobody said.
        dtype: the numpy name of the tensor's element type: `"float32"`, or `"int64"` for tokens.
        statistics: of the training part; None where there was nothing to measure.
        categories: how many tokens an int64 input knows, 0 to categories - 1; None for measurements.
        ahead: of an input that is known ahead (a plan, a holiday): the value given with a sample is that of so many
            samples later; 0 for what is measured.
        quantile: of an output that is a quantile of `column`, 0.1 is the tenth percent; None for the others.
        column: of the table that it is about, where that is not `name`.
        cap: of an output: training knew no larger value, and an answer near it means at least so much.
        category: of an input that is 1 where `column` holds this word, and 0 where it holds another.
        origin: what is subtracted in float64 before a sample becomes float32, and added to an answer: of values such as
            1e9 + sin(t), whose changes float32 cannot tell apart. Statistics are those of the whole value.
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
        """The column of a table that it is about."""
        return self.column or self.name

    @property
    def ceiling(self) -> float:
        """The largest target that training knew; infinite without a cap."""
        return float("inf") if self.cap is None else self.cap

    @property
    def spread(self) -> float:
        """The training standard deviation, to divide by: 1 where it is 0 or unknown."""
        return (self.statistics.std if self.statistics else 0.0) or 1.0

    @property
    def bare(self) -> Channel:
        """The same in the units of the graph: values minus the origin, and so its statistics."""
        if self.origin == 0:
            return self
        found = self.statistics
        return self._replace(statistics=None if found is None else found.minus(self.origin), origin=0.0)


class StateTensor(NamedTuple):
    """One tensor that a carried file takes in and gives back at every call.

    Attributes:
        input, output: its names in the graph.
        shape: sizes; `"B"` stands for the batch.
        dtype: the numpy name of its element type.
    """

    input: str
    output: str
    shape: tuple[int | str, ...]
    dtype: str


# Figures by name, over all that was scored. Numbers: `mse mae rmse` in physical units (squared for mse; across channels
# of different units only the scaled ones have a meaning), `scaled_mse scaled_mae` after division by each channel's
# training standard deviation. Quantiles: `pinball scaled_pinball`, `coverage` of the outermost interval, and of the
# median those of numbers. Classes: `accuracy macro_f1`, and `log_loss` in nats where there are probabilities.
Score: TypeAlias = dict[str, float]
HIGHER_IS_BETTER = frozenset(("accuracy", "macro_f1"))


class Metrics(NamedTuple):
    """What was measured on one held-out part. Only what is deterministic: no timings.

    Attributes:
        part: `"test"` or `"validation"`.
        windows: how many windows or sequences were scored.
        network: the trained network, in torch, run as its state says.
        file: this very file, run by onnxruntime as its state says: a carried one goes on over the whole part; None in a
            run directory.
        baselines: what needs no such network gives on the same windows, by name.
    """

    part: str
    windows: int
    network: Score
    file: Score | None
    baselines: dict[str, Score]


class Quantization(NamedTuple):
    """How the weights of an int8 or int8w file were made from float32.

    Attributes:
        per_channel: one scale for each gate row and each output of the head; else one for each tensor.
        clip: how the range of a scale was chosen: `"none"` (its largest weight), `"percentile"` or `"mse"`.
        head: the precision of all other products, `"int8"` or `"fp32"`: of the head, and of an LSTM's projection.
        highway: the precision of the linear layer past the LSTM, likewise; `"fp32"` where there is none.
    """

    per_channel: bool = True
    clip: str = "none"
    head: str = "int8"
    highway: str = "fp32"


class Fidelity(NamedTuple):
    """How true the file is to its network and to itself, on the golden windows, per output in physical units.

    Attributes:
        network_error: the largest difference from the trained network.
        stream_difference: the largest difference between a carried state, stepped, and the same window at once; 0
            for window files, whose stream runs the window itself.
        neighbour_difference: how far a row moves when an ONNX client runs it in a batch with the others. edgelstm
            itself runs the rows of an int8 file one by one.
    """

    network_error: tuple[float, ...]
    stream_difference: tuple[float, ...]
    neighbour_difference: tuple[float, ...]


class Provenance(NamedTuple):
    """Where the weights come from. No timestamps: the same run exported twice gives the same bytes.

    Attributes:
        versions: of edgelstm and of each package that had a hand in it, by name.
        data_sha256: of the training data; None for arrays that came without a file.
        weights_sha256: of `network.safetensors`.
        seed: of the training; None for a network that came from elsewhere.
    """

    versions: dict[str, str]
    data_sha256: str | None
    weights_sha256: str
    seed: int | None
