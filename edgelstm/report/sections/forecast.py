"""Forecasts: over the whole part, by step ahead, by channel, and single windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.errors import counted
from edgelstm.report.blocks import Row, Section, Table
from edgelstm.report.chart import Chart, Curve, draw, number_text
from edgelstm.report.evaluation import Evaluation, Floats, PartEvaluation, WindowCase
from edgelstm.report.styles import styles_of
from edgelstm.report.words import (
    axis_words,
    best_baseline,
    channel_words,
    error_words,
    measure_words,
    moment_words,
    name_words,
)

MAX_CHANNELS = 4
DOTTED = 24  # with up to this many steps ahead each gets a dot


def overview(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw the forecast of each time, made K steps before, and the truth."""
    found, contract = part.overview, evaluation.contract
    if found is None or len(found.axis.at) < 2:
        return []
    steps = f"{contract.horizon} step{'s' if contract.horizon > 1 else ''}"
    charts = []
    for i, target in enumerate(contract.targets[:MAX_CHANNELS]):
        answer = found.answer.reshape(len(found.answer), len(contract.targets), -1)[:, i]
        curves = [
            Curve(f"forecast {steps} ahead", "answer", found.axis.at, middle(answer)),
            Curve("truth", "truth", found.axis.at, found.truth[:, i]),
            *bands(found.axis.at, answer, contract),
        ]
        time = found.axis.kind == "time"
        charts.append(draw("", curves, axis_words(found.axis), channel_words(target), time=time))
    left = len(contract.targets) - len(charts)
    notes = (f"{counted(left, 'more target')} not drawn.",) if left else ()
    words = (f"Series {found.name}, which contains the window with the median error.",) if found.name else ()
    return [Section("Forecast and truth", words, charts=tuple(charts), notes=notes)]


def by_step(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw how the error grows with the step ahead."""
    if evaluation.contract.horizon == 1 or not part.by_step:
        return []
    styles, steps = styles_of(part), np.arange(1, evaluation.contract.horizon + 1)
    curves = [Curve(name_words(name), styles[name], steps, errors) for name, errors in part.by_step.items()]
    chart = draw("", curves, "steps ahead", measure_words(evaluation))
    return [Section("How does the error grow with the horizon?", charts=(chart,))]


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
    return [Section("Which targets are difficult?", tables=(table,))]


def windows(part: PartEvaluation, evaluation: Evaluation) -> list[Section]:
    """Draw a typical window, and the worst ones."""
    cases = [case for case in (part.typical, *part.worst) if isinstance(case, WindowCase)]
    if not cases:
        return []
    best = best_baseline(part, evaluation.contract.metric)
    charts = [_window(case, evaluation, best, i == 0) for i, case in enumerate(cases)]
    words = [
        f"A window with the median error, then those with the largest {measure_words(evaluation)} that do not overlap."
    ]
    if len(evaluation.contract.targets) > 1:
        words.append("Each window shows the target with the largest error.")
    return [Section("Where is it worst?", tuple(words), small=tuple(charts))]


def bands(x: NDArray[Any], answer: Floats, contract: Contract) -> list[Curve]:
    """Fill between the lowest and the highest quantile, [n, L]; nothing for numbers."""
    if answer.shape[1] == 1:
        return []
    levels = [channel.quantile or 0.0 for channel in contract.outputs[: answer.shape[1]]]
    label = f"quantiles {levels[0]:g} to {levels[-1]:g}"
    return [Curve(label, "band", x, answer[:, -1], low=answer[:, 0])]


def middle(answer: Floats) -> Floats:
    """Give the middle of quantiles [n, L]; of numbers, the number."""
    return answer[:, answer.shape[1] // 2]


def _window(case: WindowCase, evaluation: Evaluation, best: str | None, typical: bool) -> Chart:
    contract = evaluation.contract
    target = contract.targets[case.target]
    ahead = np.arange(1, contract.horizon + 1)
    past = np.array([], np.float32) if case.history is None else case.history[:, case.target]
    before = np.arange(1 - len(past), 1)
    one, answer = contract.horizon == 1, case.answer[:, case.target]
    curves = [Curve("forecast", "answer", ahead, middle(answer), dots=one)]
    if contract.horizon <= DOTTED and not one:
        curves.insert(0, Curve("", "answer", ahead, middle(answer), dots=True))
    if best in case.others:
        curves.append(Curve(name_words(best), "other1", ahead, middle(case.others[best][:, case.target]), dots=one))
    curves += [
        Curve("truth", "truth", np.concatenate([before, ahead]), np.concatenate([past, case.truth[:, case.target]])),
        *bands(ahead, answer, contract),
    ]
    kind = "typical" if typical else "worst"
    where = f"{case.name} after" if case.name else "after"
    title = f"{kind}, {error_words(case.error, evaluation)}: {where} {moment_words(case.origin)}"
    return draw(title, curves, "steps from the last sample", channel_words(target), at=0.5 if len(past) else None)
