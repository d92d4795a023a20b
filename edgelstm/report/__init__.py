"""Compare a network with its baselines: figures for programs, a page and pictures for people."""

from __future__ import annotations

from edgelstm.report.evaluate import evaluate_parts
from edgelstm.report.evaluation import Evaluation, History, Part, PartEvaluation, contract_metrics
from edgelstm.report.files import report_files
from edgelstm.report.metrics import metrics_json
from edgelstm.report.page import report_html
from edgelstm.report.plots import pictures

__all__ = [
    "Evaluation",
    "History",
    "Part",
    "PartEvaluation",
    "contract_metrics",
    "evaluate_parts",
    "metrics_json",
    "pictures",
    "report_files",
    "report_html",
]
