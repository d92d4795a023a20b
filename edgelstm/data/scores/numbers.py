"""Score numbers: how far they are from the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.scores.scorer import Mean, Scored, by_step, plain


class Numbers:
    """Squared and absolute errors; each step and channel has the same weight.

    The score has `mse`, `mae` and `rmse` in physical units, and `scaled_mse` and `scaled_mae` after division by the
    spread of each channel; across channels with different units only the scaled ones are meaningful. The details have
    `rmse_by_channel` [O], `rmse_by_step` [K] and, if the truth is clipped at a cap, `uncapped_rmse` against the
    unclipped truth.
    """

    def __init__(self, spread: NDArray[np.floating], cap: tuple[float | None, ...] = ()) -> None:
        """Prepare.

        Args:
            spread: [O], the training standard deviation of each output channel.
            cap: for each output the value at which its truth is clipped; None if it is not.
        """
        self._spread = np.asarray(spread, np.float64)
        self._capped = any(limit is not None for limit in cap)
        self._cap = np.array([np.inf if limit is None else limit for limit in cap] or [np.inf])
        self._square, self._absolute, self._uncapped = Mean(), Mean(), Mean()

    def add(self, y: NDArray[np.floating], truth: NDArray[np.floating]) -> None:
        """Take answers and truth, float32 [n, K, O] or [T, O], NaN where the truth is unknown."""
        y, truth = by_step(y, len(self._spread)).astype(np.float64), by_step(truth, len(self._spread))
        known = ~np.isnan(truth)
        error = y - np.minimum(truth, self._cap)
        self._square.add(error**2, known)
        self._absolute.add(np.abs(error), known)
        if self._capped:
            self._uncapped.add((y - truth) ** 2, known)

    def result(self) -> Scored:
        """Give the errors of all answers."""
        square, absolute = self._square.cells(), self._absolute.cells()
        mse = float(square.over())
        score = {
            "mse": mse,
            "mae": float(absolute.over()),
            "rmse": float(np.sqrt(mse)),
            "scaled_mse": float(square.by(np.square(self._spread)).over()),
            "scaled_mae": float(absolute.by(self._spread).over()),
        }
        by_channel, by_horizon = np.sqrt(square.over(axis=0)), np.sqrt(square.over(axis=1))
        details: dict[str, Any] = {"rmse_by_channel": plain(by_channel), "rmse_by_step": plain(by_horizon)}
        if self._capped:
            details["uncapped_rmse"] = float(np.sqrt(self._uncapped.cells().over()))
        return Scored(score, details)
