"""The pictures of a run as PNG, where a page cannot be shown. matplotlib is imported when one is drawn."""

from __future__ import annotations

from edgelstm.errors import require
from edgelstm.report.evaluation import Evaluation, History
from edgelstm.report.plots.forecast import plot_forecast
from edgelstm.report.plots.loss import plot_loss

__all__ = ["pictures"]


def pictures(evaluation: Evaluation, history: History | None = None) -> dict[str, bytes]:
    """Draw the forecasts of the last part and the losses of a training; everything else is on the page.

    Returns:
        PNGs by file name: `forecast.png` for a forecast, `loss.png` for a training.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib", "report")
    drawn: dict[str, bytes | None] = {}
    if evaluation.parts:
        drawn["forecast.png"] = plot_forecast(evaluation.parts[-1], evaluation)
    if history is not None and history.losses:
        drawn["loss.png"] = plot_loss(history, evaluation.contract.answer)
    return {name: content for name, content in drawn.items() if content is not None}
