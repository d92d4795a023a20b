"""Score quantiles: forecasts with their uncertainty."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.scores.scorer import Mean, Scored, by_step, plain

MEDIAN = 0.5


class Quantiles:
    """Pinball loss, coverage and calibration.

    The score has `pinball`, the mean over targets, levels and steps of max(q e, (q - 1) e) with e = truth - answer
    (Koenker and Bassett 1978, "Regression Quantiles"), `scaled_pinball` after division by the spread of each target,
    `coverage`, the share of the truth between the lowest and the highest level, and `mae`, `rmse` and `scaled_mae` of
    the median. With one level there is no `coverage`, without a median there are no errors of it. The details have
    `interval`, the ideal `coverage`, `calibration`, for each target and level the share of the truth at or below it,
    `pinball_by_step` [K], and `crossing`, the share of forecasts in which a lower level is above the next.
    """

    def __init__(self, spread: NDArray[np.floating], columns: tuple[str, ...], levels: tuple[float, ...]) -> None:
        """Prepare.

        Args:
            spread: [O], the training standard deviation of the target of each output.
            columns: [O], the target of each output; the outputs of one target are adjacent.
            levels: [O], the quantile of each output, ascending within a target.
        """
        self._spread, self._levels, self._columns = np.asarray(spread, np.float64), np.array(levels), columns
        self._groups = [list(group) for _, group in groupby(range(len(columns)), key=lambda i: columns[i])]
        self._target = np.array([target for target, group in enumerate(self._groups) for _ in group])
        self._pinball, self._below, self._covered, self._crossed = Mean(), Mean(), Mean(), Mean()
        self._absolute, self._square = Mean(), Mean()
        self._medians = np.flatnonzero(self._levels == MEDIAN)
        self._pairs = np.flatnonzero(np.diff(self._target) == 0)

    def add(self, y: NDArray[np.floating], truth: NDArray[np.floating]) -> None:
        """Take answers float32 [n, K, O] and the truth of each target, float32 [n, K, targets], NaN where unknown."""
        y = by_step(y, len(self._levels)).astype(np.float64)
        each = by_step(truth, len(self._groups))
        truth = each[..., self._target]
        known, error = ~np.isnan(truth), truth - y
        self._pinball.add(np.maximum(self._levels * error, (self._levels - 1) * error), known)
        self._below.add((truth <= y).astype(np.float64), known)
        low, high = (y[..., [group[end] for group in self._groups]] for end in (0, -1))
        self._covered.add(((low <= each) & (each <= high)).astype(np.float64), ~np.isnan(each))
        if len(self._pairs):
            crossed = np.stack([(np.diff(y[..., group]) < 0).any(axis=-1) for group in self._groups], axis=-1)
            self._crossed.add(crossed.astype(np.float64), ~np.isnan(each))
        self._absolute.add(np.abs(error[..., self._medians]), known[..., self._medians])
        self._square.add(error[..., self._medians] ** 2, known[..., self._medians])

    def result(self) -> Scored:
        """Give the score of all quantiles."""
        pinball = self._pinball.cells()
        score = {"pinball": float(pinball.over()), "scaled_pinball": float(pinball.by(self._spread).over())}
        if len(self._pairs):
            score["coverage"] = float(self._covered.cells().over())
        if len(self._medians):
            absolute = self._absolute.cells()
            score["mae"] = float(absolute.over())
            score["rmse"] = float(np.sqrt(self._square.cells().over()))
            score["scaled_mae"] = float(absolute.by(self._spread[self._medians]).over())
        below = plain(self._below.cells().over(axis=0))
        details: dict[str, Any] = {
            "interval": float(self._levels[-1] - self._levels[0]),
            "calibration": [
                {"column": column, "quantile": float(level), "below": share}
                for column, level, share in zip(self._columns, self._levels, below, strict=True)
            ],
            "pinball_by_step": plain(pinball.over(axis=1)),
        }
        if len(self._pairs):
            details["crossing"] = float(self._crossed.cells().over())
        return Scored(score, details)
