"""Forecasts of many series: which are difficult, and where a baseline is better."""

from __future__ import annotations

from typing import Any

from edgelstm.data.scores.metric import figure_of
from edgelstm.report.blocks import Row, Section, Table
from edgelstm.report.chart import number_text
from edgelstm.report.evaluation import Evaluation, PartEvaluation
from edgelstm.report.words import measure_words, name_words

WORST, BEST = 8, 4  # number of series shown


def each_series(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Lay out the worst and the best series, each with its best baseline."""
    if not evaluation.contract.traits.has_horizon:
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
    words = [f"{measure_words(evaluation)} of each series, in its own training deviation, so that all weigh the same."]
    if baselines:
        words.append(f"The {name_words(name)} is better than the best baseline on {ahead} of {len(order)} series.")
    if len(shown) < len(order):
        words.append(f"The {WORST} worst and the {BEST} best are shown.")
    headers = ("series", "windows", name_words(name), "best baseline", "its error")
    return [Section("Which series are difficult?", tuple(words), (Table(headers, tuple(rows)),))]


def _figures(details: dict[str, Any], metric: str) -> dict[str, tuple[int, float]]:
    """Give the windows and the figure of each series, by name."""
    return {one["name"]: (one["windows"], figure_of(one, metric)) for one in details.get("by_series", [])}


def _best(baselines: dict[str, dict[str, tuple[int, float]]], series: str) -> tuple[str, float] | None:
    """Give the best baseline of a series."""
    found = [(who, figures[series][1]) for who, figures in baselines.items() if series in figures]
    return min(found, key=lambda pair: pair[1], default=None)


def _cells(best: tuple[str, float] | None) -> tuple[str, str]:
    return ("-", "-") if best is None else (name_words(best[0]), number_text(best[1], 3))


def _ahead(own: float, best: tuple[str, float] | None) -> bool:
    return best is not None and own < best[1]
