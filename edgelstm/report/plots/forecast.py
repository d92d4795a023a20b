"""Forecasts: the last step ahead over the whole part, and one complete window."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgelstm.contract import Contract
from edgelstm.data.scores.figures import figures_of
from edgelstm.report.evaluation import Evaluation, Overview, PartEvaluation, WindowCase
from edgelstm.report.plots.paper import (
    ANSWER,
    OTHER,
    TRUTH,
    as_png,
    fill_levels,
    finish,
    new_figure,
    places,
    plain_text,
)
from edgelstm.report.sections.forecast import DOTTED, MAX_CHANNELS, middle
from edgelstm.report.words import axis_words, best_baseline, channel_words, score_text


def plot_forecast(part: PartEvaluation, evaluation: Evaluation) -> bytes | None:
    """Draw for each target the last step of every forecast over the part, and a window with the median error.

    Returns:
        A PNG; None except for forecasts.
    """
    contract, found = evaluation.contract, part.overview
    if found is None or not isinstance(part.typical, WindowCase):
        return None
    targets = contract.targets[:MAX_CHANNELS]
    figure = new_figure(12, 1 + 3.4 * len(targets))
    grid = figure.subplots(len(targets), 2, squeeze=False, width_ratios=[2, 1])
    key, words = figures_of(contract)[0]
    score = score_text(next(iter(part.networks.values())), key)
    title = f"{contract.name}: forecasts on the {part.name} part, {words} {score}; right: the window of median error"
    figure.suptitle(plain_text(title))
    best = best_baseline(part, contract.metric)
    for target in range(len(targets)):
        _draw_all(grid[target, 0], found, target, contract)
        _draw_one(grid[target, 1], part.typical, target, contract, best)
    return as_png(figure)


def _draw_all(axes: Any, found: Overview, target: int, contract: Contract) -> None:
    """Draw the truth, and its forecast from K steps before."""
    x = places(axes, found.axis)
    answer = found.answer.reshape(len(x), len(contract.targets), -1)[:, target]
    fill_levels(axes, x, answer)
    axes.plot(x, found.truth[:, target], color=TRUTH, linewidth=1.2, label="truth")
    label = f"forecast {contract.horizon} step{'s' if contract.horizon > 1 else ''} ahead"
    axes.plot(x, middle(answer), color=ANSWER, linewidth=1.2, label=label)
    axes.set(xlabel=axis_words(found.axis), ylabel=plain_text(channel_words(contract.targets[target])))
    finish(axes)


def _draw_one(axes: Any, case: WindowCase, target: int, contract: Contract, best: str | None) -> None:
    """Draw one window: its last samples, its forecast, the truth and the best baseline."""
    ahead = np.arange(1, contract.horizon + 1)
    truth, answer = case.truth[:, target], case.answer[:, target]
    marker = "o" if contract.horizon <= DOTTED else ""
    if case.history is not None:
        past = case.history[:, target]
        axes.plot(np.arange(1 - len(past), 2), [*past, truth[0]], color=TRUTH, linewidth=1.2)
    fill_levels(axes, ahead, answer)
    axes.plot(ahead, truth, color=TRUTH, marker=marker, markersize=3, label="truth")
    if best in case.others:
        other = middle(case.others[best][:, target])
        axes.plot(ahead, other, color=OTHER, linestyle="--", linewidth=1.2, label=best)
    axes.plot(ahead, middle(answer), color=ANSWER, marker=marker, markersize=3, label="forecast")
    axes.axvline(0.5, color="#bbbbbb", linewidth=1)
    words = plain_text(channel_words(contract.targets[target]))
    axes.set(xlabel="steps from the last sample", ylabel=words)
    finish(axes)
