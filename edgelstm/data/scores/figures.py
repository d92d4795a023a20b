"""The figures of a score that people see, with their names and number formats: the same in every table."""

from __future__ import annotations

import math
from typing import NamedTuple

from edgelstm.contract import Contract, Score
from edgelstm.data.scores.metric import figure_of
from edgelstm.data.scores.quantiles import MEDIAN
from edgelstm.errors import assert_never

FIGURES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "scaled_rmse": "scaled RMSE",
    "scaled_mae": "scaled MAE",
    "pinball": "pinball loss",
    "scaled_pinball": "scaled pinball loss",
    "coverage": "coverage",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
}
SHARES = frozenset(("accuracy", "coverage"))


class Figure(NamedTuple):
    """A column of a table of scores.

    Attributes:
        key: of the score, or `scaled_rmse`, the root of its `scaled_mse`.
        words: its name, with the unit if there is one target.
    """

    key: str
    words: str


def figures_of(contract: Contract) -> tuple[Figure, ...]:
    """Choose the figures for a kind of answer; the first one decides.

    For numbers RMSE and MAE; for quantiles pinball loss, coverage if there are several, and the MAE of the median if
    there is one; for classes accuracy, macro F1 and log loss. Errors of several targets or series are scaled.

    Example:
        >>> from edgelstm import load
        >>> [figure.words for figure in figures_of(load("models/co2/co2.fp32.onnx").contract)]
        ['RMSE (ppm)', 'MAE (ppm)']
    """
    targets, answer = contract.targets, contract.answer
    scaled = "scaled_" if contract.metric.startswith("scaled_") else ""
    unit = None if scaled else targets[0].unit
    match answer:
        case "class":
            return tuple(Figure(key, FIGURES[key]) for key in ("accuracy", "macro_f1", "log_loss"))
        case "number":
            return tuple(_in_unit(f"{scaled}{key}", unit) for key in ("rmse", "mae"))
        case "quantile":
            found = [_in_unit(f"{scaled}pinball", unit)]
            if len(contract.outputs) > len(targets):
                found.append(Figure("coverage", FIGURES["coverage"]))
            if any(channel.quantile == MEDIAN for channel in contract.outputs):
                found.append(_in_unit(f"{scaled}mae", unit, " of the median"))
            return tuple(found)
        case _:
            assert_never(answer)


def known_figure(score: Score, key: str) -> float | None:
    """Read a figure of a score; None if it has none, such as the log loss of answers without probabilities.

    Example:
        >>> known_figure({"scaled_mse": 0.25}, "scaled_rmse"), known_figure({"accuracy": 0.5}, "log_loss")
        (0.5, None)
    """
    return figure_of(score, key) if key in score or key == "scaled_rmse" else None


def figure_text(value: float | None, key: str) -> str:
    """Format a figure: shares in percent, others with four digits, None as a dash.

    Example:
        >>> figure_text(0.4853712, "rmse"), figure_text(0.97946, "accuracy"), figure_text(None, "log_loss")
        ('0.4854', '97.9 %', '-')
    """
    if key in SHARES:
        return percent_text(value)
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"


def percent_text(share: float | None) -> str:
    """Format a share as a percentage.

    Example:
        >>> percent_text(0.98765), percent_text(None)
        ('98.8 %', '-')
    """
    return "-" if share is None or math.isnan(share) else f"{100 * share:.1f} %"


def _in_unit(key: str, unit: str | None, more: str = "") -> Figure:
    return Figure(key, f"{FIGURES[key]}{more}{f' ({unit})' if unit else ''}")
