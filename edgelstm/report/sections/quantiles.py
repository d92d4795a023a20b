"""Calibration: the share of the truth below each quantile against its level."""

from __future__ import annotations

import numpy as np

from edgelstm.data.scores.figures import percent_text
from edgelstm.report.blocks import Row, Section, Table
from edgelstm.report.chart import Curve, draw
from edgelstm.report.evaluation import Evaluation, PartEvaluation
from edgelstm.report.styles import styles_of
from edgelstm.report.words import name_words


def calibration(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Compare the share of the truth below each quantile with its level, for each target."""
    if evaluation.contract.answer != "quantile":
        return []
    found = {name: scored.details for name, scored in part.scored.items() if "calibration" in scored.details}
    styles = styles_of(part)
    tables, charts = [], []
    diagonal = Curve("ideal", "ideal", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    for target in evaluation.contract.targets:
        shares = {
            name: [(e["quantile"], e["below"]) for e in details["calibration"] if e["column"] == target.source]
            for name, details in found.items()
        }
        levels = [level for level, _ in next(iter(shares.values()))]
        rows = [
            Row((f"{100 * level:g} %", *(percent_text(found[i][1]) for found in shares.values())))
            for i, level in enumerate(levels)
        ]
        tables.append(Table((f"{target.source}: nominal", *map(name_words, shares)), tuple(rows)))
        curves = []
        for name, pairs in shares.items():
            level, below = np.array([level for level, _ in pairs]), np.array([share for _, share in pairs], np.float64)
            curves += [Curve(name_words(name), styles[name], level, below)]
            curves += [Curve("", styles[name], level, below, dots=True)]
        charts.append(draw(target.source, [*curves, diagonal], "nominal", "observed", x_range=(0, 1), y_range=(0, 1)))
    own = next(iter(found.values()))
    words = ["The share of the truth at or below each quantile; a calibrated forecast has the nominal share."]
    if own.get("crossing"):
        words.append(f"Quantiles cross in {percent_text(own['crossing'])} of the forecasts.")
    return [Section("Are its quantiles calibrated?", tuple(words), tuple(tables), small=tuple(charts))]
