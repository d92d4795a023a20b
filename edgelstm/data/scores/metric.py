"""The one figure of a score that decides."""

from __future__ import annotations

import math

from edgelstm.contract import HIGHER_IS_BETTER, Score


def figure_of(score: Score, metric: str) -> float:
    """Read the figure that decides from a score.

    Args:
        score: of numbers, quantiles or classes.
        metric: as `Contract.metric` names it; `scaled_rmse` is the root of `scaled_mse`.

    Example:
        >>> figure_of({"scaled_mse": 0.25, "rmse": 3.0}, "scaled_rmse")
        0.5
    """
    return math.sqrt(score["scaled_mse"]) if metric == "scaled_rmse" else score[metric]


def drop_of(figure: float, first: float, metric: str) -> float:
    """Say how much worse a figure is than another: 0.01 is one percent of the other; negative is better.

    Args:
        figure: of the file in question.
        first: of the file it is compared with.
        metric: as `Contract.metric` names it; lower is better for an error, higher for `accuracy`.

    Example:
        >>> round(drop_of(0.505, 0.5, "rmse"), 4), round(drop_of(0.97, 0.98, "accuracy"), 4)
        (0.01, 0.0102)
    """
    change = figure / max(first, 1e-30) - 1
    return 0.0 - change if metric in HIGHER_IS_BETTER else change
