"""The confusion matrix."""

from __future__ import annotations

import numpy as np

from edgelstm.data.scores.figures import percent_text
from edgelstm.report.evaluation import Evaluation, PartEvaluation
from edgelstm.report.plots.paper import as_png, new_figure, plain_text

MAX_LETTERS = 24  # of the name of a class
MAX_COUNTED = 20  # classes up to which there is room for a number in each cell


def plot_confusion(part: PartEvaluation, evaluation: Evaluation) -> bytes | None:
    """Draw which classes are taken for which.

    Returns:
        A PNG; None for what is no class.
    """
    scored = next(iter(part.networks.values()))
    if "confusion" not in scored.details:
        return None
    counts, classes = (
        np.array(scored.details["confusion"]),
        [plain_text(_short(name)) for name in scored.details["classes"]],
    )
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(5 + 0.35 * len(classes), 14)
    figure = new_figure(size + 1, size)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= MAX_COUNTED:
        for row, column in np.ndindex(counts.shape):
            color = "white" if share[row, column] > 0.5 else "#333333"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="answer", ylabel="truth")
    accuracy = percent_text(scored.score["accuracy"])
    axes.set_title(plain_text(f"{evaluation.contract.name}: {part.name} part, accuracy {accuracy}"))
    return as_png(figure)


def _short(name: str) -> str:
    return name if len(name) <= MAX_LETTERS else f"{name[: MAX_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
