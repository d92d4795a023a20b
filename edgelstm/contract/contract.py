"""The contract as a whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgelstm.contract.checks import check_contract
from edgelstm.contract.older import check_version, with_later_keys
from edgelstm.contract.parts import (
    FORMAT_VERSION,
    Answer,
    Channel,
    Fidelity,
    Metrics,
    Precision,
    Provenance,
    Quantization,
    State,
    StateTensor,
    Task,
)
from edgelstm.contract.traits import Traits, traits_of
from edgelstm.errors import ContractError, assert_never
from edgelstm.reading import Reading
from edgelstm.strict_json import StrictJsonError, decode, dumps, parse


@dataclass(frozen=True)
class Contract:
    """Everything a device must know to run the file beside its graph.

    Attributes:
        format_version: `FORMAT_VERSION` of the writer.
        name: of the run, `"co2"`.
        task: one of `TASKS`.
        precision: one of `PRECISIONS`.
        inputs, outputs: the channels F and O, in the order of the last axis. For classes, one output for the
            probability of each; for quantiles, one for each target and level, the levels of a target adjacent.
        window: T, the steps of a training window; with `lengths`, the largest number of steps.
        horizon: K, the steps forecast at once; 1 for the other tasks.
        lengths: the file takes `lengths` int64 [B] beside x, the valid steps of each row.
        state: `"window"`: runs from a zero state over `window` steps, must not be stepped without end.
            `"carried"`: takes its state as input and returns it, can be stepped without end.
        trained_state: how it was trained. `"window"` with a carried `state`: the user asked for a file that carries
            its state although training started each window from zero; only a test shows how well that works.
        states: the tensors of a carried file; empty for a window file.
        scaling: one of `SCALINGS`, for people; the graph applies it.
        sample_period_s: seconds between two samples; None if the data had no time.
        quantization: how int8 weights were made; None for the other precisions.
        fidelity: measured on this very file; None in a run directory.
        metrics: on the held-out parts.
        provenance: where the weights come from.
        answer: one of `ANSWERS`: what the values of y are.
        times: the file takes `time_s` int64 [B, T] beside x, the time of each sample in seconds since 1970, UTC.
        reading: how the table was read, so that the next one needs no option; None for arrays, and for imported
            networks without a test table.
        many_series: a forecast that was trained on many series: its scaled scores are divided by the training spread
            of each series and averaged over the series, and these decide.

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
    task: Task
    precision: Precision
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    window: int
    horizon: int
    lengths: bool
    state: State
    trained_state: State
    states: tuple[StateTensor, ...]
    scaling: str
    sample_period_s: float | None
    quantization: Quantization | None
    fidelity: Fidelity | None
    metrics: tuple[Metrics, ...]
    provenance: Provenance
    answer: Answer = "number"
    times: bool = False
    reading: Reading | None = None
    many_series: bool = False

    def __post_init__(self) -> None:
        check_contract(self)

    @property
    def tokens(self) -> bool:
        """Whether x contains tokens, int64 [B, T], instead of measurements, float32 [B, T, F]."""
        return self.inputs[0].dtype == "int64"

    @property
    def bare(self) -> Contract:
        """The contract in the units of the graph, without origins; unchanged if there are none."""
        if not any(channel.origin for channel in (*self.inputs, *self.outputs)):
            return self
        inputs, outputs = (tuple(c.bare for c in channels) for channels in (self.inputs, self.outputs))
        return replace(self, inputs=inputs, outputs=outputs)

    @property
    def traits(self) -> Traits:
        """The traits of its task."""
        return traits_of(self.task)

    @property
    def every_step(self) -> bool:
        """Whether there is an answer at every step: y has the axis T after B."""
        return self.state == "carried" or self.traits.every_step

    @property
    def targets(self) -> tuple[Channel, ...]:
        """The targets: the first output of each column. For numbers these are the outputs themselves."""
        return tuple({channel.source: channel for channel in reversed(self.outputs)}.values())[::-1]

    @property
    def metric(self) -> str:
        """The one figure of a score that decides which of two files is better."""
        match self.answer:
            case "class":
                return "accuracy"
            case "quantile":
                name = "pinball"
            case "number":
                name = "rmse"
            case _:
                assert_never(self.answer)
        return name if len(self.targets) == 1 and not self.many_series else f"scaled_{name}"

    def answer_shape(self, *leading: int | str) -> tuple[int | str, ...]:
        """Give the shape of y after its axes B and, with an answer at every step, T.

        Example:
            >>> from edgelstm import load
            >>> load("models/co2/co2.fp32.onnx").contract.answer_shape("B")
            ('B', 12, 1)
        """
        horizon = (self.horizon,) if self.traits.has_horizon else ()
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
            ContractError: not JSON, an unknown or missing key, a wrong type, a newer format.
        """
        try:
            value = parse(text)
            check_version(value)
            return decode(cls, with_later_keys(value), "contract")
        except StrictJsonError as error:
            raise ContractError(f"{error}; the file is damaged or was not written by edgelstm") from error
