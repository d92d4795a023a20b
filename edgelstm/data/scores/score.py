"""Answer windows or sequences batch by batch, and score the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Answer, Channel
from edgelstm.data.examples import Examples
from edgelstm.data.scores.classes import Classes
from edgelstm.data.scores.fleet import Fleet
from edgelstm.data.scores.numbers import Numbers
from edgelstm.data.scores.quantiles import Quantiles
from edgelstm.data.scores.scorer import Scored, Scorer
from edgelstm.data.windows import Index, Windows
from edgelstm.errors import assert_never

Answerer = Callable[[Index], NDArray[Any]]
CHUNK = 1024


def scorer_of(
    answer: Answer, outputs: tuple[Channel, ...], spread_of_targets: NDArray[np.float64] | None = None
) -> Scorer:
    """Make the scorer of one kind of answer.

    Args:
        answer: `"number"`, `"quantile"` or `"class"`, as in a contract.
        outputs: the channels of the contract.
        spread_of_targets: float64 [targets], what scaled errors are divided by; None: the spread of the channels.
    """
    names = tuple(channel.name for channel in outputs)
    spread = np.array([channel.spread for channel in outputs])
    if spread_of_targets is not None:
        spread = np.repeat(spread_of_targets, len(outputs) // len(spread_of_targets))
    match answer:
        case "class":
            return Classes(names)
        case "quantile":
            columns = tuple(channel.source for channel in outputs)
            return Quantiles(spread, columns, tuple(channel.quantile or 0.0 for channel in outputs))
        case "number":
            return Numbers(spread, tuple(channel.cap for channel in outputs))
        case _:
            assert_never(answer)


def score(answerer: Answerer, examples: Examples, outputs: tuple[Channel, ...], answer: Answer) -> Scored:
    """Score an answerer on all examples.

    Args:
        answerer: gives answers to the examples of these numbers, int64 [n]: to windows float32 [n, K, O], to classify
            [n, C], to label [T, O], one series at a time. Classes without probabilities are int64, without the last
            axis.
        examples: with their truth.
        outputs: the channels of the contract.
        answer: `"number"`, `"quantile"` or `"class"`.

    Returns:
        The score and the details. To label, and for forecasts of many series, these include `by_series`: name, scored
        steps or windows, and score of each. The scaled figures of many series are the mean over the series, see
        `edgelstm.data.scores.fleet`.

    Raises:
        DataError: no truth is known.

    Example:
        >>> from edgelstm.data.sequences import lay_out
        >>> two = lay_out([np.zeros((3, 1), np.float32)] * 2, np.array([0, 1]), every_step=False)
        >>> outputs = tuple(Channel(name, None, "float32", None) for name in ("off", "on"))
        >>> found = score(lambda index: np.array([[0.75, 0.25]] * len(index)), two, outputs, "class")
        >>> found.score["accuracy"], found.details["confusion"]
        (0.5, [[1, 0], [1, 0]])
    """
    if isinstance(examples, Windows) and examples.spreads is not None:
        return _score_fleet(answerer, examples, outputs, answer)
    scorer = scorer_of(answer, outputs)
    if examples.every_step:
        return _score_series(answerer, examples, outputs, answer, scorer)
    for index in examples.batches(CHUNK):
        scorer.add(answerer(index), examples.truth_of(index))
    return scorer.result()


def _score_fleet(answerer: Answerer, windows: Windows, outputs: tuple[Channel, ...], answer: Answer) -> Scored:
    spreads = windows.spreads
    if spreads is None:
        raise TypeError("these windows are from one series, expected many")
    fleet = Fleet(windows.names, spreads, lambda spread: scorer_of(answer, outputs, spread))
    for index in windows.batches(CHUNK):
        fleet.add(answerer(index), windows.y(index), windows.series_of(index))
    return fleet.result()


def _score_series(
    answerer: Answerer, series: Examples, outputs: tuple[Channel, ...], answer: Answer, scorer: Scorer
) -> Scored:
    by_series = []
    for index, name in zip(series.batches(1), series.names, strict=True):
        truth = series.truth_of(index)
        known = int((truth >= 0).sum() if truth.dtype.kind == "i" else (~np.isnan(truth)).any(axis=-1).sum())
        if known:
            y, alone = answerer(index), scorer_of(answer, outputs)
            scorer.add(y, truth)
            alone.add(y, truth)
            by_series.append({"name": name, "steps": known, **alone.result().score})
    total = scorer.result()
    return Scored(total.score, {**total.details, "by_series": by_series})
