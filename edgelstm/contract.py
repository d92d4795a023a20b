"""The contract: what a model file says about itself. FORMAT.md beside this file is its specification.

The trainer drafts it, the exporter completes it for each file, and the runtime obeys it. Its parts are named tuples:
a frozen dataclass costs 1.3 ms at import on a small machine, a named tuple 0.2, and every device pays it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from edgelstm.errors import ContractError
from edgelstm.reading import DUPLICATES, GAPS, UNITS, Reading
from edgelstm.strict_json import StrictJsonError, decode, dumps, parse

FORMAT_VERSION = 3
TASKS = ("forecast", "classify", "label")
ANSWERS = ("number", "quantile", "class")
PRECISIONS = ("fp32", "int8", "int8w", "fp16")
STATES = ("window", "carried")
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
        inputs, outputs: the channels F and O, in the order of the last axis; of classes one output for each, its
            probability; of quantiles one output for each target and level, the levels of a target side by side.
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
        answer: one of `ANSWERS`: what the values of y are.
        times: the file takes `time_s` int64 [B, T] beside x, the moment of each sample in seconds since 1970, UTC.
        reading: how the table was read, so that the next one needs no option; None for arrays and imported networks.

    Raises:
        ContractError: on construction, if the fields contradict each other.

    Example:
        >>> Contract.from_json('{"format_version": 4}')
        Traceback (most recent call last):
        edgelstm.errors.ContractError: contract: this file has format 4, this edgelstm reads up to 3; \
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
    answer: str = "number"
    times: bool = False
    reading: Reading | None = None

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
        _one_of("answer", self.answer, ANSWERS)
        _require(self.task != "classify" or self.answer == "class", "a task to classify answers with classes")
        _require(self.task != "forecast" or self.answer != "class", "a forecast answers with numbers or quantiles")
        _check_channels(self.inputs, self.outputs)
        _check_answer(self)
        _check_states(self.states)
        if self.reading is not None:
            _check_reading(self.reading)

    @property
    def tokens(self) -> bool:
        """Whether x holds tokens, int64 [B, T], and not measurements, float32 [B, T, F]."""
        return self.inputs[0].dtype == "int64"

    @property
    def bare(self) -> Contract:
        """The same in the units of the graph, without origins; itself where there are none."""
        if not any(channel.origin for channel in (*self.inputs, *self.outputs)):
            return self
        inputs, outputs = (tuple(c.bare for c in channels) for channels in (self.inputs, self.outputs))
        return replace(self, inputs=inputs, outputs=outputs)

    @property
    def every_step(self) -> bool:
        """Whether there is an answer at every step: y has the axis T behind B."""
        return self.state == "carried" or self.task == "label"

    @property
    def targets(self) -> tuple[Channel, ...]:
        """What the outputs are about: the first output of each column. Of numbers these are the outputs themselves."""
        return tuple({channel.source: channel for channel in reversed(self.outputs)}.values())[::-1]

    @property
    def metric(self) -> str:
        """The one figure of a score that decides which of two files is better."""
        if self.answer == "class":
            return "accuracy"
        name = "pinball" if self.answer == "quantile" else "rmse"
        return name if len(self.targets) == 1 else f"scaled_{name}"

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
            return dumps(replace(self, format_version=FORMAT_VERSION))
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
            return decode(cls, _with_later_keys(value), "contract")
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


# What later formats say of a channel and of a contract, with the values that were meant before: the format that brought
# the keys, then the keys.
_LATER_OF_CHANNELS: tuple[tuple[int, dict[str, Any]], ...] = (
    (2, {"ahead": 0, "quantile": None, "column": None, "cap": None}),
    (3, {"category": None, "origin": 0.0}),
)
_LATER: tuple[tuple[int, dict[str, Any]], ...] = ((2, {"answer": "number", "times": False}), (3, {"reading": None}))


def _with_later_keys(value: Any) -> Any:
    """Add to the contract of an older file what later formats say, with the values that were meant then."""
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is not int or not 1 <= version < FORMAT_VERSION:
        return value
    value = dict(value)
    for key in ("inputs", "outputs"):
        channels = value.get(key)
        if isinstance(channels, list):
            more = _later_than(version, _LATER_OF_CHANNELS)
            value[key] = [_merged(one, more, f"contract.{key}[{i}]", version) for i, one in enumerate(channels)]
    later = _later_than(version, _LATER)
    if "answer" in later and value.get("task") == "classify":
        later["answer"] = "class"
    return _merged(value, later, "contract", version)


def _later_than(version: int, keys: tuple[tuple[int, dict[str, Any]], ...]) -> dict[str, Any]:
    return {key: value for since, some in keys if since > version for key, value in some.items()}


def _merged(value: Any, later: dict[str, Any], place: str, version: int) -> Any:
    if not isinstance(value, dict):
        return value
    early = sorted(value.keys() & later.keys())
    if early:
        raise StrictJsonError(f"{place}: unknown key {early[0]!r} in a file of format {version}")
    return {**value, **later}


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
        _require(channel.ahead >= 0, f"channel {channel.name!r} is {channel.ahead} steps ahead")
        _require(expected == "float32" or channel.origin == 0, f"channel {channel.name!r} holds tokens, with an origin")
        if channel.statistics is not None:
            count = len(channel.statistics.quantiles)
            _require(
                count == len(QUANTILE_LEVELS),
                f"channel {channel.name!r} has {count} quantiles, expected eleven",
            )


def _check_answer(contract: Contract) -> None:
    """Levels stand where there are quantiles, inside 0 to 1 and growing, the same ones for every target."""
    outputs, inputs = contract.outputs, contract.inputs
    _require(all(c.quantile is None and c.cap is None for c in inputs), "an input has no quantile and no cap")
    _require(all(c.ahead == 0 for c in outputs), "an output is not known ahead")
    _require(not contract.times or inputs[0].dtype == "float32", "tokens have no times")
    plain = all(c.origin == 0 or (contract.answer != "class" and c.cap is None) for c in outputs)
    _require(plain, "a probability, or what has a cap, has no origin")
    levels: dict[str, list[float | None]] = {}
    for channel in outputs:
        levels.setdefault(channel.source, []).append(channel.quantile)
    if contract.answer != "quantile":
        _require(all(c.quantile is None for c in outputs), f"an answer of the kind {contract.answer} has no quantiles")
        return
    first = next(iter(levels.values()))
    known = [level for level in first if level is not None and 0 < level < 1]
    _require(len(known) == len(first) and known == sorted(set(known)), f"the quantiles are {first}")
    _require(all(found == first for found in levels.values()), "every target has the same quantiles")
    order = [name for name in levels for _ in first]
    _require([c.source for c in outputs] == order, "the quantiles of a target stand side by side")


def _check_reading(reading: Reading) -> None:
    _one_of("reading.duplicates", reading.duplicates, DUPLICATES)
    _one_of("reading.gaps", reading.gaps, GAPS)
    _require(reading.max_gap is None or reading.max_gap >= 0, f"reading.max_gap is {reading.max_gap}")
    rhythm, time = reading.rhythm, reading.time
    if rhythm is not None:
        _one_of("reading.rhythm.unit", rhythm.unit, tuple(UNITS))
        whole = rhythm.unit == "second" or rhythm.count == int(rhythm.count)
        _require(rhythm.count > 0 and whole, f"reading.rhythm.count is {rhythm.count} {rhythm.unit}s")
        monthly = rhythm.unit == "month"
        _require((rhythm.day is not None) == monthly, "reading.rhythm.day belongs to months")
        _require(rhythm.day is None or 1 <= rhythm.day <= 31, f"reading.rhythm.day is {rhythm.day}")
    _require(time is None or bool(time.columns), "reading.time names no column")


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
