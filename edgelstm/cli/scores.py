"""Which figures of a score a table shows, for each kind of answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edgelstm.contract import Contract
    from edgelstm.data.scores.scorer import Scored

MAX_CHANNELS = 3  # beyond that a table says the scaled errors of all


class Column(NamedTuple):
    """A column of figures: its name, with the unit, and what it shows of a score."""

    name: str
    text: Callable[[Scored], str]


def columns_of(contract: Contract) -> tuple[Column, ...]:
    """Choose the columns of a kind of answer.

    Of numbers RMSE and MAE, of few channels the RMSE of each; of quantiles pinball loss and coverage; of classes
    accuracy and macro F1. Of many series the errors are in the training deviation of each, averaged over them.
    """
    targets = contract.targets
    scaled = "scaled_" if contract.metric.startswith("scaled_") else ""
    unit = f" ({targets[0].unit})" if not scaled and targets[0].unit else ""
    if contract.answer == "class":
        return _figure("accuracy", "accuracy"), _figure("macro F1", "macro_f1")
    if contract.answer == "quantile":
        pinball = _figure(f"{scaled.replace('_', ' ')}pinball loss{unit}", f"{scaled}pinball")
        return (pinball, _figure("coverage", "coverage")) if len(contract.outputs) > len(targets) else (pinball,)
    if contract.many_series:
        return _root("scaled RMSE", "scaled_mse"), _figure("scaled MAE", "scaled_mae")
    if len(targets) == 1:
        return _figure(f"RMSE{unit}", "rmse"), _figure(f"MAE{unit}", "mae")
    if len(targets) <= MAX_CHANNELS:
        return tuple(
            Column(f"RMSE {target.name}{f' ({target.unit})' if target.unit else ''}", _of_channel(i))
            for i, target in enumerate(targets)
        )
    return _figure("scaled MSE", "scaled_mse"), _figure("scaled MAE", "scaled_mae")


def _figure(name: str, key: str) -> Column:
    return Column(name, lambda scored: _text(scored.score.get(key)))


def _root(name: str, key: str) -> Column:
    return Column(name, lambda scored: _text(math.sqrt(scored.score[key])))


def _of_channel(i: int) -> Callable[[Scored], str]:
    return lambda scored: _text(scored.details["rmse_by_channel"][i])


def _text(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4g}"
