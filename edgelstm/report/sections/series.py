"""Series with an answer at every step: figures by series, and single series."""

from __future__ import annotations

import numpy as np

from edgelstm.data.scores.figures import figures_of
from edgelstm.data.scores.metric import figure_of
from edgelstm.data.scores.scorer import Scored
from edgelstm.report.blocks import Row, Section, Table
from edgelstm.report.chart import Chart, Curve, draw
from edgelstm.report.evaluation import Evaluation, PartEvaluation, SeriesCase
from edgelstm.report.sections.forecast import bands, middle
from edgelstm.report.words import (
    axis_words,
    channel_words,
    error_words,
    measure_words,
    score_text,
    series_words,
)

MAX_ROWS = 12
FEW = 3  # up to this many known steps are dots, not a line
MAX_NAMES = 8  # most class names that fit beside an axis


def by_series(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Lay out the figures of the worst series."""
    found = next(iter(part.networks.values())).details.get("by_series", [])
    if len(found) < 2 or evaluation.contract.traits.has_horizon:
        return []
    columns = figures_of(evaluation.contract)
    key, better = columns[0].key, -1 if evaluation.contract.answer == "class" else 1
    worst = sorted(found, key=lambda entry: -better * figure_of(entry, key))[:MAX_ROWS]
    rows = [
        Row((entry["name"], f"{entry['steps']:,}", *(score_text(Scored(entry, {}), key) for key, _ in columns)))
        for entry in worst
    ]
    words = (f"The {len(worst)} worst of {len(found)} series.",) if len(worst) < len(found) else ()
    table = Table(("series", "steps", *(label for _, label in columns)), tuple(rows))
    return [Section("Which series are difficult?", words, (table,))]


def against_truth(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw answers against truth for the first target, at known steps, or as many as fit."""
    if part.pairs is None:
        return []
    truth, answer = part.pairs
    target = evaluation.contract.targets[0]
    ends = np.array([np.nanmin(part.pairs), np.nanmax(part.pairs)])
    curves = [
        Curve("a known step", "answer", truth, answer, dots=True),
        Curve("ideal", "ideal", ends, ends),
    ]
    chart = draw("", curves, f"truth: {channel_words(target)}", "answer")
    return [Section("Predicted against true", charts=(chart,))]


def single_series(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw a typical series and the worst ones."""
    worst = [case for case in part.worst if isinstance(case, SeriesCase)]
    if not worst:
        return []
    if not isinstance(part.typical, SeriesCase):
        return [Section("Answers and truth", charts=tuple(_series(case, evaluation, "") for case in worst))]
    charts = [_series(part.typical, evaluation, "typical"), *(_series(case, evaluation, "worst") for case in worst)]
    words = (f"A series with the median error, then those with the largest {measure_words(evaluation)}.",)
    return [Section("Where is it worst?", words, small=tuple(charts))]


def _series(case: SeriesCase, evaluation: Evaluation, kind: str) -> Chart:
    figure = error_words(case.error, evaluation)
    name = series_words(case.name, evaluation.contract)
    title = f"{kind}, {figure}: {name}" if kind else f"{name}: {figure}"
    draw_one = _classes if evaluation.contract.answer == "class" else _numbers
    return draw_one(case, evaluation, title)


def _classes(case: SeriesCase, evaluation: Evaluation, title: str) -> Chart:
    names = [channel.name for channel in evaluation.contract.outputs]
    at = case.axis.at
    known, answer = case.truth >= 0, case.answer.argmax(axis=-1)
    wrong = np.where(known & (answer != case.truth), answer, np.nan)
    curves = [
        Curve("wrong answers", "wrong", at, wrong, dots=True),
        Curve("truth", "truth", at, np.where(known, case.truth, np.nan)),
    ]
    room = 0.15 * len(names)
    return draw(
        title,
        curves,
        axis_words(case.axis),
        "class",
        time=case.axis.kind == "time",
        y_range=(-room, len(names) - 1 + room),
        y_names=names if len(names) <= MAX_NAMES else (),
    )


def _numbers(case: SeriesCase, evaluation: Evaluation, title: str) -> Chart:
    """Draw the first target."""
    contract, at = evaluation.contract, case.axis.at
    answer = case.answer.reshape(len(at), len(contract.targets), -1)[:, 0]
    curves = [
        Curve("answer", "answer", at, middle(answer)),
        Curve("truth", "truth", at, case.truth[:, 0], dots=int((~np.isnan(case.truth[:, 0])).sum()) <= FEW),
        *bands(at, answer, contract),
    ]
    words = channel_words(contract.targets[0])
    return draw(title, curves, axis_words(case.axis), words, time=case.axis.kind == "time")
