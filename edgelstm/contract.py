"""The contract: what a model file says about itself. FORMAT.md beside this file is its specification.

The trainer drafts it, the exporter completes it for each file, and the runtime obeys it. Its parts are named tuples:
a frozen dataclass costs 1.3 ms at import on a small machine, a named tuple 0.2, and every device pays it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from edgelstm.errors import ContractError
from edgelstm.strict_json import StrictJsonError, decode, dumps, parse

FORMAT_VERSION = 1
TASKS = ("forecast", "classify", "label")
PRECISIONS = ("fp32", "int8", "int8w", "fp16")
STATES = ("window", "carried")
SCALINGS = ("standard", "minmax", "none", "relative")
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


class Channel(NamedTuple):
    """One input or output channel, in its physical unit.

    Attributes:
        name: as in the table it was trained on, `"co2"`.
        unit: `"ppm"`; None where nobody said.
        dtype: the numpy name of the tensor's element type: `"float32"`, or `"int64"` for tokens.
        statistics: of the training part; None where there was nothing to measure.
        categories: how many tokens an int64 input knows, 0 to categories - 1; None for measurements.
    """

    name: str
    unit: str | None
    dtype: str
    statistics: Statistics | None
    categories: int | None = None

    @property
    def spread(self) -> float:
        """The training standard deviation, to divide by: 1 where it is 0 or unknown."""
        return (self.statistics.std if self.statistics else 0.0) or 1.0


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


class Score(NamedTuple):
    """How far forecasts are from the truth, over all windows, horizon steps and output channels.

    Attributes:
        mse, mae, rmse: in physical units (squared for mse). Across channels of different units only the
            scaled figures have a meaning.
        scaled_mse, scaled_mae: after dividing by each channel's training standard deviation.
    """

    mse: float
    mae: float
    rmse: float
    scaled_mse: float
    scaled_mae: float


class Metrics(NamedTuple):
    """What was measured on one held-out part. Only what is deterministic: no timings.

    Attributes:
        part: `"test"` or `"validation"`.
        windows: how many windows were scored.
        network: the trained network, in torch, each window from zero.
        file: this very file, run by onnxruntime as its state says: a carried one goes on over the whole part; None in a
            run directory.
        baselines: what a forecaster without training gives on the same windows, by name.
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
    """

    per_channel: bool = True
    clip: str = "none"
    head: str = "int8"


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


@dataclass(frozen=True)
class Contract:
    """Everything a device must know to run the file beside its graph.

    Attributes:
        format_version: `FORMAT_VERSION` of the writer, an int of its own.
        name: of the run, `"co2"`.
        task: one of `TASKS`.
        precision: one of `PRECISIONS`.
        inputs, outputs: the channels F and O, in the order of the last axis; to classify, one output for each
            class, its probability.
        window: T, the steps one training window had; with `lengths`, the most it had.
        horizon: K, the steps forecast at once; 1 for the other tasks.
        lengths: the file takes `lengths` int64 [B] beside x, the valid steps of each row.
        state: `"window"`: runs from a zero state over `window` steps, must not be stepped for ever.
            `"carried"`: takes its state in and gives it back, may be stepped on.
        trained_state: how it was trained. `"window"` beside a carried `state`: somebody asked for a file that
            goes on where training always began anew; nothing but a test says how far that carries.
        states: the tensors of a carried file; empty for a window file.
        scaling: one of `SCALINGS`, for people; the graph does it.
        sample_period_s: seconds between two samples; None where the data had no time.
        quantization: how int8 weights were made; None for the other precisions.
        fidelity: measured on this very file; None in a run directory.
        metrics: on the held-out parts.
        provenance: where the weights come from.

    Raises:
        ContractError: on construction, if the fields contradict each other.

    Example:
        >>> Contract.from_json('{"format_version": 2}')
        Traceback (most recent call last):
        edgelstm.errors.ContractError: contract: this file has format 2, this edgelstm reads up to 1; \
upgrade edgelstm on this device or export again with the older version
    """

    format_version: int
    name: str
    task: str
    precision: str
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    window: int
    horizon: int
    lengths: bool
    state: str
    trained_state: str
    states: tuple[StateTensor, ...]
    scaling: str
    sample_period_s: float | None
    quantization: Quantization | None
    fidelity: Fidelity | None
    metrics: tuple[Metrics, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        _one_of("task", self.task, TASKS)
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("state", self.state, STATES)
        _one_of("trained_state", self.trained_state, STATES)
        _one_of("scaling", self.scaling, SCALINGS)
        _require(1 <= self.format_version <= FORMAT_VERSION, f"format_version {self.format_version} is unknown")
        _require(self.window >= 1 and self.horizon >= 1, "window and horizon must be at least 1")
        _require(bool(self.inputs) and bool(self.outputs), "there must be at least one input and one output")
        _require(
            self.sample_period_s is None or self.sample_period_s > 0,
            "sample_period_s must be positive or null",
        )
        _require(
            bool(self.states) == (self.state == "carried"),
            f"state is {self.state!r} but {len(self.states)} state tensors are listed",
        )
        _require(
            (self.quantization is not None) == (self.precision in ("int8", "int8w")),
            f"precision {self.precision} and quantization {self.quantization} contradict each other",
        )
        if self.quantization is not None:
            _one_of("quantization.clip", self.quantization.clip, CLIPS)
            _one_of("quantization.head", self.quantization.head, HEADS)
        _require(self.trained_state == "window" or bool(self.states), "trained to carry its state, but has none")
        _require(not (self.states and self.lengths), "a carried file takes no lengths, it is stepped")
        _require(self.task == "forecast" or self.horizon == 1, f"a task to {self.task} has a horizon of 1")
        _check_channels(self.inputs, self.outputs)
        _check_states(self.states)

    @property
    def tokens(self) -> bool:
        """Whether x holds tokens, int64 [B, T], and not measurements, float32 [B, T, F]."""
        return self.inputs[0].dtype == "int64"

    @property
    def every_step(self) -> bool:
        """Whether there is an answer at every step: y has the axis T behind B."""
        return self.state == "carried" or self.task == "label"

    def answer_shape(self, *leading: int | str) -> tuple[int | str, ...]:
        """Give the shape of y behind its axes B and, with an answer at every step, T.

        Example:
            >>> from edgelstm import load
            >>> load("models/co2/co2.fp32.onnx").contract.answer_shape("B")
            ('B', 12, 1)
        """
        horizon = (self.horizon,) if self.task == "forecast" else ()
        return (*leading, *horizon, len(self.outputs))

    def to_json(self) -> str:
        """Write canonical JSON: the same contract always gives the same text.

        Raises:
            ContractError: a number is NaN or infinite.
        """
        try:
            return dumps(self)
        except StrictJsonError as error:
            raise ContractError(f"contract: {error}") from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Contract:
        """Read what `to_json` wrote.

        Raises:
            ContractError: no JSON, an unknown or missing key, a wrong type, a newer format.
        """
        try:
            value = parse(text)
            _check_version(value)
            return decode(cls, value, "contract")
        except StrictJsonError as error:
            raise ContractError(f"{error}; the file is damaged or was not written by edgelstm") from error


def _check_version(value: Any) -> None:
    """Look at the version before anything else: a newer format may have other keys."""
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is int and version > FORMAT_VERSION:
        raise ContractError(
            f"contract: this file has format {version}, this edgelstm reads up to {FORMAT_VERSION}; "
            "upgrade edgelstm on this device or export again with the older version"
        )


def _check_channels(inputs: tuple[Channel, ...], outputs: tuple[Channel, ...]) -> None:
    tokens = len(inputs) == 1 and inputs[0].dtype == "int64"
    for channel in inputs + outputs:
        expected = "int64" if tokens and channel is inputs[0] else "float32"
        _require(channel.dtype == expected, f"channel {channel.name!r} has dtype {channel.dtype!r}, not {expected!r}")
        known = channel.categories is not None and channel.categories >= 1
        _require(
            known if expected == "int64" else channel.categories is None,
            f"channel {channel.name!r} has {channel.categories} categories",
        )
        if channel.statistics is not None:
            count = len(channel.statistics.quantiles)
            _require(
                count == len(QUANTILE_LEVELS),
                f"channel {channel.name!r} has {count} quantiles, expected eleven",
            )


def _check_states(states: tuple[StateTensor, ...]) -> None:
    for state in states:
        sizes = [size for size in state.shape if size != "B"]
        whole = all(isinstance(size, int) and 1 <= size <= 2**20 for size in sizes)
        _require(whole and state.shape.count("B") == 1, f"state {state.input!r} has the shape {state.shape}")
        _require(state.dtype == "float32", f"state {state.input!r} has dtype {state.dtype!r}, not 'float32'")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    _require(value in known, f"{key} is {value!r}, expected one of {', '.join(known)}")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ContractError(f"contract: {message}")
