"""What an evaluation is: figures, and the few examples worth a look, as plain data.

Whoever draws or writes it needs neither the network nor the data any more.
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
    """Something to evaluate on, and who shall answer.

    Attributes:
        name: `"validation"`, `"test"`, or what else it is.
        examples: with their truth.
        networks: that are judged, by name: the one that is drawn first.
        baselines: that stand beside them, by name.
        known: the scores of baselines that somebody measured earlier on these very examples, by name.
    """

    name: str
    examples: Examples
    networks: dict[str, Answerer]
    baselines: dict[str, Answerer]
    known: dict[str, Score]


class History(NamedTuple):
    """How a training went.

    Attributes:
        losses: of training and validation, after each epoch; NaN where there was no validation.
        best_epoch: the epoch whose weights were kept, from 1.
    """

    losses: tuple[tuple[float, float], ...]
    best_epoch: int


@dataclass(frozen=True)
class Axis:
    """Where the points of a curve lie.

    Attributes:
        kind: `"time"`, seconds since 1970 UTC; `"row"` of the data, from 1; `"step"` of a series, from 1.
        at: int64 [n].
    """

    kind: str
    at: NDArray[np.int64]


@dataclass(frozen=True)
class OverTime:
    """How the error went along the data, each point the mean of a stretch.

    Attributes:
        axis: [n], the middle of each stretch.
        errors: float64 [n] by name, in the measure of `Evaluation.measure`; NaN where nothing was known.
    """

    axis: Axis
    errors: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Overview:
    """What a forecast said of each moment K steps before it.

    Attributes:
        axis: [n].
        truth: float32 [n, targets].
        answer: float32 [n, O].
        name: of the series, where there are many: that of the typical window.
    """

    axis: Axis
    truth: Floats
    answer: Floats
    name: str = ""


@dataclass(frozen=True)
class WindowCase:
    """One forecast beside what came.

    Attributes:
        example: its number in the part, from 0.
        origin: the last sample that was seen; kind and at [1] as in `Axis`.
        error: of the whole window, in `Evaluation.measure`.
        target: the target with the largest error: its number.
        history: float32 [T', targets], the last samples before; None where the inputs do not hold their past.
        truth: float32 [K, targets].
        answer: float32 [K, targets, L]: one number, or the quantiles of the target.
        others: the same of each baseline, by name.
        name: of the series, where there are many.
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
    """One sequence that was taken for another class.

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
        error: over its known steps, in `Evaluation.measure`.
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
    """What was found on one part.

    Attributes:
        name: of the part.
        examples: how many windows, sequences or series were scored.
        networks, baselines: scores with details, by name, the best known first as they were given.
        by_step: float64 [K] by name, the error at each step ahead in `Evaluation.measure`; empty but for forecasts.
        over_time: None for sequences with one answer each, which have no order in time.
        overview: of a forecast; else None.
        pairs: of numbers at every step, truth and answer of the first target at known steps spread over the part,
            float32 [n] both; else None.
        typical: an example of the median error; None to classify.
        worst: the examples with the largest error, the largest first. Windows do not overlap in what they forecast;
            sequences are those that are wrong, the most confident first.
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
        """Networks first, baselines behind them."""
        return {**self.networks, **self.baselines}


@dataclass(frozen=True)
class Evaluation:
    """Networks beside their baselines, on one part or several.

    Attributes:
        contract: says what is answered, and in which units.
        source: what was run, `"co2.int8.onnx"`, or `"network"` for a network in training.
        data_sha256: of what was evaluated on; None where that is not known.
        season: samples in a season, as the seasonal baseline took it; None for none.
        parts: in the order of time.
    """

    contract: Contract
    source: str
    data_sha256: str | None
    season: int | None
    parts: tuple[PartEvaluation, ...]

    @property
    def measure(self) -> str:
        """What errors over time and of single examples are: `contract.metric`, or to say classes, `"error_rate"`."""
        return "error_rate" if self.contract.answer == "class" else self.contract.metric

    @property
    def unit(self) -> str | None:
        """Of the measure: that of the one target; None for several, for classes, and where nobody said."""
        targets = self.contract.targets
        return targets[0].unit if len(targets) == 1 and self.contract.answer != "class" else None


def contract_metrics(evaluation: Evaluation, network: str) -> tuple[Metrics, ...]:
    """Say the scores in the words of the contract: held-out parts alone.

    Args:
        evaluation: of a training.
        network: whose scores those of the network are; others that were judged are left out.
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
