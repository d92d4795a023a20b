"""The pictures of a run for places that show no page, as PNG. matplotlib is imported when one is drawn."""

from __future__ import annotations

from edgelstm.errors import require
from edgelstm.report.evaluation import Evaluation, History
from edgelstm.report.plots.classes import plot_confusion
from edgelstm.report.plots.forecast import plot_forecast
from edgelstm.report.plots.loss import plot_loss
from edgelstm.report.plots.series import plot_series

__all__ = ["pictures"]

_OF_A_PART = {"forecast.png": plot_forecast, "confusion.png": plot_confusion, "series.png": plot_series}


def pictures(evaluation: Evaluation, history: History | None = None) -> dict[str, bytes]:
    """Draw what there is to draw of the last part, and the losses of a training.

    Returns:
        PNGs by file name: `forecast.png`, `confusion.png`, `series.png` (of an answer at every step), `loss.png`.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib", "report")
    drawn: dict[str, bytes | None] = {}
    if evaluation.parts:
        drawn = {name: plot(evaluation.parts[-1], evaluation) for name, plot in _OF_A_PART.items()}
    if history is not None and history.losses:
        drawn["loss.png"] = plot_loss(history, evaluation.contract.answer)
    return {name: content for name, content in drawn.items() if content is not None}
