"""An evaluation: figures, and the few examples to show, as plain data.

Writing or drawing it needs neither the network nor the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract, Metrics, Score
from edgelstm.data.examples import Examples
from edgelstm.data.scores.score import Answerer
from edgelstm.data.scores.scorer import Scored

Floats = NDArray[np.floating[Any]]
CONTRACT_PARTS = ("validation", "test")


@dataclass(frozen=True)
class Part:
    """Examples to evaluate on, and the networks and baselines to run.

    Attributes:
        name: `"validation"`, `"test"`, or another name.
        examples: with their truth.
        networks: the networks to evaluate, by name; the first one is drawn.
        baselines: to compare with, by name.
        known: earlier scores of baselines on the same examples, by name.
    """

    name: str
    examples: Examples
    networks: dict[str, Answerer]
    baselines: dict[str, Answerer]
    known: dict[str, Score]


class History(NamedTuple):
    """How a training went.

    Attributes:
        losses: of training and validation, after each epoch; NaN without validation.
        best_epoch: the epoch whose weights were kept, from 1.
    """

    losses: tuple[tuple[float, float], ...]
    best_epoch: int


@dataclass(frozen=True)
class Axis:
    """The places of the points of a curve.

    Attributes:
        kind: `"time"`, seconds since 1970 UTC; `"row"` of the data, from 1; `"step"` of a series, from 1.
        at: int64 [n].
    """

    kind: str
    at: NDArray[np.int64]


@dataclass(frozen=True)
class OverTime:
    """The error along the data; each point is the mean of a stretch.

    Attributes:
        axis: [n], the middle of each stretch.
        errors: float64 [n] by name, in `Evaluation.measure`; NaN without known truth.
    """

    axis: Axis
    errors: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Overview:
    """The forecast of each time, made K steps before it.

    Attributes:
        axis: [n].
        truth: float32 [n, targets].
        answer: float32 [n, O].
        name: of the series of the typical window, if there are many series.
    """

    axis: Axis
    truth: Floats
    answer: Floats
    name: str = ""


@dataclass(frozen=True)
class WindowCase:
    """One forecast and its truth.

    Attributes:
        example: its number in the part, from 0.
        origin: the last sample seen; kind and at [1] as in `Axis`.
        error: of the whole window, in `Evaluation.measure`.
        target: the number of the target with the largest error.
        history: float32 [T', targets], the last samples before; None if the inputs do not contain past targets.
        truth: float32 [K, targets].
        answer: float32 [K, targets, L]: one number, or the quantiles of the target.
        others: the answers of each baseline, by name.
        name: of the series, if there are many.
    """

    example: int
    origin: Axis
    error: float
    target: int
    history: Floats | None
    truth: Floats
    answer: Floats
    others: dict[str, Floats]
    name: str = ""


@dataclass(frozen=True)
class SequenceCase:
    """One misclassified sequence.

    Attributes:
        example: its number in the part, from 0.
        name: of the sequence.
        truth, answer: classes.
        confidence: the probability of the answer.
        x: float32 [T, F], in training standard deviations from the mean of each channel.
    """

    example: int
    name: str
    truth: int
    answer: int
    confidence: float
    x: Floats


@dataclass(frozen=True)
class SeriesCase:
    """One series with an answer at every step.

    Attributes:
        example: its number in the part, from 0.
        name: of the series.
        error: over the steps with known truth, in `Evaluation.measure`.
        axis: [T].
        truth: int64 [T], -1 unknown; or float32 [T, targets], NaN unknown.
        answer: float32 [T, O].
    """

    example: int
    name: str
    error: float
    axis: Axis
    truth: NDArray[Any]
    answer: Floats


Case: TypeAlias = WindowCase | SequenceCase | SeriesCase


@dataclass(frozen=True)
class PartEvaluation:
    """The evaluation of one part.

    Attributes:
        name: of the part.
        examples: the number of windows, sequences or series that were scored.
        networks, baselines: scores with details, by name, in the given order.
        by_step: float64 [K] by name, the error at each step ahead in `Evaluation.measure`; empty except for forecasts.
        over_time: None for sequences with one answer each, which have no order in time.
        overview: for a forecast; else None.
        pairs: for numbers at every step, truth and answer of the first target at known steps spread over the part,
            float32 [n] both; else None.
        typical: an example with the median error; None to classify.
        worst: the examples with the largest error, the largest first. Forecasts of windows do not overlap; sequences
            are the misclassified ones, the most confident first.
    """

    name: str
    examples: int
    networks: dict[str, Scored]
    baselines: dict[str, Scored]
    by_step: dict[str, NDArray[np.float64]]
    over_time: OverTime | None
    overview: Overview | None
    pairs: tuple[Floats, Floats] | None
    typical: Case | None
    worst: tuple[Case, ...]

    @property
    def scored(self) -> dict[str, Scored]:
        """Networks first, then baselines."""
        return {**self.networks, **self.baselines}


@dataclass(frozen=True)
class Evaluation:
    """Networks and their baselines, on one or several parts.

    Attributes:
        contract: gives the outputs and their units.
        source: `"co2.int8.onnx"`, or `"network"` for a network in training.
        data_sha256: of the data; None if unknown.
        season: season length of the seasonal baseline, in samples; None for none.
        parts: in order of time.
    """

    contract: Contract
    source: str
    data_sha256: str | None
    season: int | None
    parts: tuple[PartEvaluation, ...]

    @property
    def measure(self) -> str:
        """The measure of errors over time and of single examples: `contract.metric`, or `"error_rate"` for classes."""
        return "error_rate" if self.contract.answer == "class" else self.contract.metric

    @property
    def unit(self) -> str | None:
        """The unit of the measure: that of the only target; None for several targets, for classes, and if unknown."""
        targets = self.contract.targets
        return targets[0].unit if len(targets) == 1 and self.contract.answer != "class" else None


def contract_metrics(evaluation: Evaluation, network: str) -> tuple[Metrics, ...]:
    """Convert the scores of the held-out parts to those of a contract.

    Args:
        evaluation: of a training.
        network: the name of the network to take; scores of other networks are dropped.
    """
    return tuple(
        Metrics(
            part.name,
            part.examples,
            part.networks[network].score,
            None,
            {name: scored.score for name, scored in part.baselines.items()},
        )
        for part in evaluation.parts
        if part.name in CONTRACT_PARTS
    )
