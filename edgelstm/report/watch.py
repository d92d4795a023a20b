"""Score an answerer, and keep the answer and the loss of each example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.answers.answerer import check_finite
from edgelstm.arrays import Array64
from edgelstm.contract import Contract
from edgelstm.data.examples import Examples
from edgelstm.data.scores.score import Answerer, score
from edgelstm.data.scores.scorer import Scored
from edgelstm.data.windows import Index
from edgelstm.report.losses import Loss, by_series, mean_known, measure


@dataclass(frozen=True)
class Watched:
    """The results of one answerer.

    Attributes:
        scored: the score.
        losses: float64 [N, targets], of each window, sequence or, with an answer at every step, row; NaN unknown.
        by_step: float64 [K], the measure at each step ahead.
        answers: [N, ...], one per example; for a forecast, that of the last step ahead.
    """

    scored: Scored
    losses: Array64
    by_step: Array64
    answers: NDArray[Any]


def watch(name: str, answerer: Answerer, examples: Examples, contract: Contract, loss: Loss) -> Watched:
    """Score an answerer, and keep the answer and the loss of each example.

    Raises:
        DataError: no truth is known.
        InputError: it answers NaN or infinity.
    """
    indices: list[Index] = []
    losses: list[Array64] = []
    answers: list[NDArray[Any]] = []
    sums: list[tuple[Array64, NDArray[np.int64]]] = []

    def watched(index: Index) -> NDArray[Any]:
        y = check_finite(name, answerer(index))
        found = by_series(loss(y, examples.truth_of(index)), examples.spreads_of(index), contract.answer)
        known = ~np.isnan(found)
        sums.append((np.where(known, found, 0.0).sum(axis=0), known.sum(axis=0)))
        indices.append(index)
        losses.append(mean_known(found, (1,)))
        answers.append(y[:, -1] if contract.traits.has_horizon else y)
        return y

    scored = score(watched, examples, contract.outputs, contract.answer)
    total, count = (np.sum(part, axis=0) for part in zip(*sums, strict=True))
    cells = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    rows = [examples.places(index) for index in indices]
    return Watched(
        scored,
        _in_place(rows, losses, examples.answered),
        measure(cells, contract.answer, (1,)),
        _in_place(rows, answers, examples.answered),
    )


def _in_place(rows: list[Index | slice], values: list[NDArray[Any]], count: int) -> NDArray[Any]:
    """Put all values into one array; a series without known truth was not answered, and stays empty."""
    first = values[0]
    whole = np.full((count, *first.shape[1:]), -1 if first.dtype.kind == "i" else np.nan, first.dtype)
    for place, value in zip(rows, values, strict=True):
        whole[place] = value
    return whole
