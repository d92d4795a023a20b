"""The scores of network and baselines on every part."""

from __future__ import annotations

import numpy as np

from edgelstm.data.scores.figures import Figure, figures_of
from edgelstm.report.blocks import Row, Section, Table
from edgelstm.report.chart import Curve, draw
from edgelstm.report.evaluation import Evaluation, PartEvaluation
from edgelstm.report.styles import styles_of
from edgelstm.report.words import axis_words, count_words, measure_words, name_words, score_text


def scores(evaluation: Evaluation) -> list[Section]:
    """Lay out a table for each part, the last part first."""
    tables = tuple(_table(part, evaluation) for part in reversed(evaluation.parts))
    return [Section("How good is it?", tables=tables)] if tables else []


def over_time(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw the error over the data."""
    found = part.over_time
    if found is None or len(found.axis.at) < 2:
        return []
    styles = styles_of(part)
    known = ~np.isnan(next(iter(found.errors.values())))  # truth unknown for one is unknown for all
    curves = [
        Curve(name_words(name), styles[name], found.axis.at[known], errors[known])
        for name, errors in found.errors.items()
    ]
    chart = draw("", curves, axis_words(found.axis), measure_words(evaluation), time=found.axis.kind == "time")
    return [Section("How does the error change over time?", ("Each point is the mean of a period.",), charts=(chart,))]


def _table(part: PartEvaluation, evaluation: Evaluation) -> Table:
    columns = list(figures_of(evaluation.contract))
    if any("uncapped_rmse" in scored.details for scored in part.scored.values()):
        columns.append(Figure("uncapped_rmse", "RMSE, uncapped truth"))
    rows = [
        Row((name_words(name), *(score_text(scored, key) for key, _ in columns)), own=name in part.networks)
        for name, scored in part.scored.items()
    ]
    title = f"{part.name}: {count_words(part.examples, evaluation.contract)}"
    return Table(("", *(words for _, words in columns)), tuple(rows), title)
