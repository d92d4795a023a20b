"""Series with an answer at every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgelstm.report.evaluation import Evaluation, PartEvaluation, SeriesCase
from edgelstm.report.plots.paper import (
    ANSWER,
    TRUTH,
    WRONG,
    as_png,
    fill_levels,
    finish,
    new_figure,
    places,
    plain_text,
)
from edgelstm.report.sections.forecast import middle
from edgelstm.report.sections.series import FEW, MAX_NAMES
from edgelstm.report.words import axis_words, channel_words, error_words, series_words


def plot_series(part: PartEvaluation, evaluation: Evaluation) -> bytes | None:
    """Draw a series of the median error, and the worst ones.

    Returns:
        A PNG; None for what has no answer at every step.
    """
    cases = [case for case in (part.typical, *part.worst) if isinstance(case, SeriesCase)]
    if not cases:
        return None
    columns = 1 if len(cases) == 1 else 2
    rows = -(-len(cases) // columns)
    figure = new_figure(12, 0.6 + 3.2 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle(plain_text(f"{evaluation.contract.name}: {part.name} part, a typical series and the worst"))
    for axes in grid.flat[len(cases) :]:
        axes.remove()
    for axes, case in zip(grid.flat, cases, strict=False):
        draw = _classes if evaluation.contract.answer == "class" else _numbers
        draw(axes, case, evaluation)
        title = f"{series_words(case.name, evaluation.contract)}: {error_words(case.error, evaluation)}"
        axes.set_title(plain_text(title), loc="right", fontsize=9)
        axes.set_xlabel(axis_words(case.axis))
        finish(axes)
    return as_png(figure)


def _classes(axes: Any, case: SeriesCase, evaluation: Evaluation) -> None:
    x, answer = places(axes, case.axis), case.answer.argmax(axis=-1)
    known = case.truth >= 0
    wrong = known & (answer != case.truth)
    axes.plot(x, np.where(known, case.truth, np.nan), color=TRUTH, linewidth=1.2, label="truth")
    axes.plot(x[wrong], answer[wrong], ".", color=WRONG, markersize=4, label="wrong answers")
    names = [plain_text(channel.name) for channel in evaluation.contract.outputs]
    if len(names) <= MAX_NAMES:
        axes.set_yticks(range(len(names)), names)


def _numbers(axes: Any, case: SeriesCase, evaluation: Evaluation) -> None:
    """Draw the first target."""
    x, target = places(axes, case.axis), evaluation.contract.targets[0]
    answer = case.answer.reshape(len(x), len(evaluation.contract.targets), -1)[:, 0]
    fill_levels(axes, x, answer)
    few = int((~np.isnan(case.truth[:, 0])).sum()) <= FEW
    axes.plot(x, case.truth[:, 0], "o" if few else "-", color=TRUTH, linewidth=1.2, label="truth")
    axes.plot(x, middle(answer), color=ANSWER, linewidth=1.2, label="answer")
    axes.set_ylabel(plain_text(channel_words(target)))
