"""All files of a report."""

from __future__ import annotations

from edgelstm.report.evaluation import Evaluation, History
from edgelstm.report.metrics import metrics_json
from edgelstm.report.page import report_html
from edgelstm.report.plots import pictures

METRICS, PAGE = "metrics.json", "report.html"


def report_files(evaluation: Evaluation, history: History | None = None) -> dict[str, bytes]:
    """Make all files of a report: `metrics.json` for programs, `report.html` and pictures for people.

    Args:
        evaluation: from `evaluate_parts`.
        history: of the training, if there was one here.

    Returns:
        Their contents by name; the same arguments give the same bytes.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    page = {METRICS: metrics_json(evaluation), PAGE: report_html(evaluation, history)}
    return page | pictures(evaluation, history)
