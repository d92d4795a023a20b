"""Forecasts of many series: which are hard, and where a baseline is better."""

from __future__ import annotations

from typing import Any

from edgelstm.data.scores.metric import figure_of
from edgelstm.report.blocks import Row, Section, Table
from edgelstm.report.chart import number_text
from edgelstm.report.evaluation import Evaluation, PartEvaluation
from edgelstm.report.words import measure_words, name_words

WORST, BEST = 8, 4  # series that are shown


def each_series(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Lay out the worst series and the best, beside the baseline that is best on each."""
    if evaluation.contract.task != "forecast":
        return []
    metric = evaluation.contract.metric
    name, scored = next(iter(part.networks.items()))
    own = _figures(scored.details, metric)
    if len(own) < 2:
        return []
    baselines = {who: _figures(found.details, metric) for who, found in part.baselines.items()}
    order = sorted(own, key=lambda series: -own[series][1])
    shown = order if len(order) <= WORST + BEST else [*order[:WORST], *order[-BEST:]]
    best = {series: _best(baselines, series) for series in order}
    rows = [
        Row(
            (series, f"{own[series][0]:,}", number_text(own[series][1], 3), *_cells(best[series])),
            own=_ahead(own[series][1], best[series]),
        )
        for series in shown
    ]
    ahead = sum(_ahead(own[series][1], best[series]) for series in order)
    words = [f"{measure_words(evaluation)} of each series in its own training deviation, so that all weigh alike."]
    if baselines:
        words.append(f"The {name_words(name)} is ahead of the best baseline on {ahead} of {len(order)} series.")
    if len(shown) < len(order):
        words.append(f"Shown are the {WORST} worst and the {BEST} best.")
    headers = ("series", "windows", name_words(name), "best baseline", "its error")
    return [Section("Which series are hard?", tuple(words), (Table(headers, tuple(rows)),))]


def _figures(details: dict[str, Any], metric: str) -> dict[str, tuple[int, float]]:
    """Windows and figure of each series, by name."""
    return {one["name"]: (one["windows"], figure_of(one, metric)) for one in details.get("by_series", [])}


def _best(baselines: dict[str, dict[str, tuple[int, float]]], series: str) -> tuple[str, float] | None:
    """The baseline that is best on a series."""
    found = [(who, figures[series][1]) for who, figures in baselines.items() if series in figures]
    return min(found, key=lambda pair: pair[1], default=None)


def _cells(best: tuple[str, float] | None) -> tuple[str, str]:
    return ("-", "-") if best is None else (name_words(best[0]), number_text(best[1], 3))


def _ahead(own: float, best: tuple[str, float] | None) -> bool:
    return best is not None and own < best[1]
