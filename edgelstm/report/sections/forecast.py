"""Forecasts: over the whole part, by step ahead, by channel, and single windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.report.blocks import Row, Section, Table
from edgelstm.report.chart import Chart, Curve, axis_words, draw, number_text
from edgelstm.report.evaluation import Evaluation, Floats, PartEvaluation, WindowCase
from edgelstm.report.styles import styles_of
from edgelstm.report.words import (
    best_baseline,
    channel_words,
    in_unit,
    measure_words,
    moment_words,
    name_words,
    unit_words,
)

MAX_CHANNELS = 4


def overview(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw what was said of each moment K steps before, beside what came."""
    found, contract = part.overview, evaluation.contract
    if found is None or len(found.axis.at) < 2:
        return []
    steps = f"{contract.horizon} step{'s' if contract.horizon > 1 else ''}"
    charts = []
    for i, target in enumerate(contract.targets[:MAX_CHANNELS]):
        answer = found.answer.reshape(len(found.answer), len(contract.targets), -1)[:, i]
        curves = [
            *bands(found.axis.at, answer, contract),
            Curve("truth", "truth", found.axis.at, found.truth[:, i]),
            Curve(f"forecast {steps} ahead", "answer", found.axis.at, middle(answer)),
        ]
        time = found.axis.kind == "time"
        charts.append(draw("", curves, axis_words(found.axis), channel_words(target), time=time))
    left = len(contract.targets) - len(charts)
    notes = (f"{left} more target(s) are not drawn.",) if left else ()
    return [Section("What it said, and what came", charts=tuple(charts), notes=notes)]


def by_step(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw how the error grows with the step ahead."""
    key = "pinball_by_step" if evaluation.contract.answer == "quantile" else "rmse_by_step"
    styles = styles_of(part)
    found = {name: scored.details[key] for name, scored in part.scored.items() if key in scored.details}
    if evaluation.contract.horizon == 1 or not found:
        return []
    steps = np.arange(1, evaluation.contract.horizon + 1)
    several = len(evaluation.contract.targets) > 1
    label = "over all targets, each in its unit" if several else evaluation.unit
    curves = [Curve(name_words(n), styles[n], steps, np.array(v, np.float64)) for n, v in found.items()]
    words = "RMSE" if key == "rmse_by_step" else "pinball loss"
    return [
        Section(
            "How far ahead can it see?",
            charts=(draw("", curves[::-1], "steps ahead", in_unit(words, label)),),
        )
    ]


def by_channel(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Lay out the error of each target in its own unit."""
    contract = evaluation.contract
    key = "rmse_by_channel"
    found = {name: scored.details[key] for name, scored in part.scored.items() if key in scored.details}
    if len(contract.targets) == 1 or not found:
        return []
    rows = [
        Row((channel_words(channel), *(number_text(values[i]) for values in found.values())))
        for i, channel in enumerate(contract.targets)
    ]
    table = Table(("RMSE", *map(name_words, found)), tuple(rows))
    return [Section("Which targets are hard?", tables=(table,))]


def windows(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw a typical window, and the worst ones."""
    cases = [case for case in (part.typical, *part.worst) if isinstance(case, WindowCase)]
    if not cases:
        return []
    best = best_baseline(part, evaluation.contract.metric)
    charts = [_window(case, evaluation, best, i == 0) for i, case in enumerate(cases)]
    words = (
        f"A window of the median error, then those with the largest {measure_words(evaluation)} that do not overlap; "
        "of several targets the one that is furthest off.",
    )
    return [Section("Where is it worst?", words, small=tuple(charts))]


def bands(x: NDArray[Any], answer: Floats, contract: Contract) -> list[Curve]:
    """Fill from the lowest quantile to the highest, [n, L]; nothing of numbers."""
    if answer.shape[1] == 1:
        return []
    levels = [channel.quantile or 0.0 for channel in contract.outputs[: answer.shape[1]]]
    label = f"quantiles {levels[0]:g} to {levels[-1]:g}"
    return [Curve(label, "band", x, answer[:, -1], low=answer[:, 0])]


def middle(answer: Floats) -> Floats:
    """Of quantiles [n, L] the one in the middle; of numbers the number itself."""
    return answer[:, answer.shape[1] // 2]


def _window(case: WindowCase, evaluation: Evaluation, best: str | None, typical: bool) -> Chart:
    contract = evaluation.contract
    target = contract.targets[case.target]
    ahead = np.arange(1, contract.horizon + 1)
    few = contract.horizon <= 24
    past = np.array([], np.float32) if case.history is None else case.history
    before = np.arange(1 - len(past), 1)
    curves = [
        *bands(ahead, case.answer, contract),
        Curve("truth", "truth", np.concatenate([before, ahead]), np.concatenate([past, case.truth])),
    ]
    if best in case.others:
        curves.append(Curve(name_words(best), "other1", ahead, middle(case.others[best]), dots=contract.horizon == 1))
    curves.append(Curve("forecast", "answer", ahead, middle(case.answer), dots=contract.horizon == 1))
    if few and contract.horizon > 1:
        curves.append(Curve("", "answer", ahead, middle(case.answer), dots=True))
    kind = "typical" if typical else "worst"
    figure = f"{number_text(case.error, 3)} {unit_words(evaluation) or ''}".rstrip()
    title = f"{kind}, {figure}: after {moment_words(case.origin)}"
    return draw(title, curves, "steps from the last sample", channel_words(target), at=0.5 if len(past) else None)
