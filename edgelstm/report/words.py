"""The texts of a report: names of figures, axes and channels, and the verdict."""

from __future__ import annotations

import numpy as np

from edgelstm.contract import HIGHER_IS_BETTER, Channel, Contract
from edgelstm.data.baselines.linear import LINE_ALONE
from edgelstm.data.scores.figures import FIGURES, SHARES, known_figure, percent_text
from edgelstm.data.scores.metric import figure_of
from edgelstm.data.scores.scorer import Scored
from edgelstm.errors import assert_never, counted
from edgelstm.report.chart import number_text
from edgelstm.report.evaluation import Axis, Evaluation, PartEvaluation

RIDGE = "ridge"
AS_GOOD = 1.005  # times the error of the network: a line within half a percent is as good
NETWORKS = {"network": "LSTM", "quantized": "LSTM, quantized"}


def name_words(name: str) -> str:
    """Write the name of a network or baseline for people."""
    return NETWORKS.get(name, name)


def in_unit(words: str, unit: str | None) -> str:
    """Append a unit, if there is one.

    Example:
        >>> in_unit("RMSE", "ppm"), in_unit("RMSE", None)
        ('RMSE (ppm)', 'RMSE')
    """
    return f"{words} ({unit})" if unit else words


def measure_words(evaluation: Evaluation) -> str:
    """Name the measure of single errors, with its unit."""
    return in_unit(_metric_words(evaluation.measure), unit_words(evaluation))


def unit_words(evaluation: Evaluation) -> str | None:
    """Give the unit of the measure; std (training standard deviations) for several targets or series."""
    return "std" if evaluation.measure.startswith("scaled_") else evaluation.unit


def error_words(error: float, evaluation: Evaluation) -> str:
    """Write the error of a single example."""
    if evaluation.measure == "error_rate":
        return f"{percent_text(error)} wrong"
    return f"{number_text(error, 3)} {unit_words(evaluation) or ''}".rstrip()


def channel_words(channel: Channel) -> str:
    """Name a target with its unit."""
    return in_unit(channel.source, channel.unit)


def count_words(count: int, contract: Contract) -> str:
    """Count examples.

    Example:
        >>> from edgelstm import load
        >>> count_words(1, load("models/co2/co2.fp32.onnx").contract)
        '1 window'
    """
    return counted(count, *contract.traits.nouns)


def duration_words(seconds: float) -> str:
    """Write a duration in days, hours, minutes or seconds.

    Example:
        >>> duration_words(604800.0), duration_words(900.0), duration_words(0.02)
        ('7 days', '15 minutes', '0.02 seconds')
    """
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            count = seconds / size
            return noun if count == 1 else f"{count:.4g} {noun}s"
    raise AssertionError


def axis_words(axis: Axis) -> str:
    """Name an axis."""
    return {"time": "time (UTC)", "row": "row", "step": "step"}[axis.kind]


def series_words(name: str, contract: Contract) -> str:
    """Name a series or a sequence; a bare number gets its noun.

    Example:
        >>> from edgelstm import load
        >>> contract = load("models/co2/co2.fp32.onnx").contract
        >>> series_words("41", contract), series_words("pump", contract)
        ('window 41', 'pump')
    """
    return f"{contract.traits.nouns[0]} {name}" if name.isdecimal() else name


def moment_words(axis: Axis) -> str:
    """Write the place of the first point of an axis."""
    at = int(axis.at[0])
    if axis.kind != "time":
        return f"{axis.kind} {at}"
    text = str(np.datetime64(at, "s"))
    return text.removesuffix("T00:00:00").removesuffix(":00").replace("T", " ")


def task_words(evaluation: Evaluation) -> str:
    """Describe inputs and outputs in one sentence."""
    contract = evaluation.contract
    inputs, steps = contract.inputs, f"{contract.window} sample{'s' if contract.window > 1 else ''}"
    seen = ", ".join(channel.name for channel in inputs[:4]) if len(inputs) <= 4 else f"{len(inputs)} channels"
    every = f", one every {duration_words(contract.sample_period_s)}" if contract.sample_period_s else ""
    targets = ", ".join(channel_words(channel) for channel in contract.targets[:4])
    targets += f" and {len(contract.targets) - 4} more" if len(contract.targets) > 4 else ""
    classes = f"one of {len(contract.outputs)} classes"
    match contract.task:
        case "classify":
            return f"Classifies up to {steps} of {seen} as {classes}{every}."
        case "label":
            return f"Labels every step with {classes if contract.answer == 'class' else targets}, from {seen}{every}."
        case "forecast":
            ahead = f"{contract.horizon} step{'s' if contract.horizon > 1 else ''} ahead,"
            what = "quantiles of " if contract.answer == "quantile" else ""
            return f"Forecasts {what}{targets}, {ahead} from {steps} of {seen}{every}."
        case _:
            assert_never(contract.task)


def verdict_words(part: PartEvaluation, evaluation: Evaluation) -> str:
    """Write a sentence about the score of the network, and whether a baseline is better."""
    contract, metric = evaluation.contract, evaluation.contract.metric
    name, scored = next(iter(part.networks.items()))
    own = figure_of(scored.score, metric)
    unit = unit_words(evaluation)
    where = f"on {count_words(part.examples, contract)} ({part.name})"
    said = f"{name_words(name)}: {_metric_words(metric)} {_figure(own, metric, unit)} {where}."
    best = best_baseline(part, metric)
    if best is None:
        return said
    other = figure_of(part.baselines[best].score, metric)
    ahead = own > other if metric in HIGHER_IS_BETTER else own < other
    figures = [_figure(figure, metric, unit) for figure in (own, other)]
    verdict = "which is as good" if figures[0] == figures[1] else "which it beats" if ahead else "which is better"
    found = f"{said} The best baseline is {best} with {figures[1]}, {verdict}."
    return f"{found} {line_words(part, metric)}".rstrip()


def line_words(part: PartEvaluation, metric: str) -> str:
    """Write a sentence if a straight line is as good as the network; else nothing.

    The line that training started from can be shipped; without one, ridge shows what a line can do.
    """
    lines = [name for name in (LINE_ALONE, RIDGE) if name in part.baselines]
    if not lines or metric in HIGHER_IS_BETTER:
        return ""
    own = figure_of(next(iter(part.networks.values())).score, metric)
    if figure_of(part.baselines[lines[0]].score, metric) > AS_GOOD * own:
        return ""
    # A network that was imported has no start: the advice is to train one, not to repeat what was just done.
    new = "edgelstm train --start ridge trains a network that can ship it"
    ship = "edgelstm export RUN --line ships it" if lines[0] == LINE_ALONE else new
    return f"A straight line is as good as the LSTM here: {ship}."


def best_baseline(part: PartEvaluation, metric: str) -> str | None:
    """Name the best baseline; None for none."""
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    return min(part.baselines, key=lambda name: sign * figure_of(part.baselines[name].score, metric), default=None)


def score_text(scored: Scored, key: str) -> str:
    """Write one figure of a score; shares in percent, a dash for none."""
    value = known_figure(scored.score, key)
    value = scored.details.get(key) if value is None else value
    return percent_text(value) if key in SHARES else number_text(value)


def _metric_words(metric: str) -> str:
    """Name a measure without "scaled", which its unit says."""
    return "error rate" if metric == "error_rate" else FIGURES[metric].removeprefix("scaled ")


def _figure(value: float, metric: str, unit: str | None) -> str:
    return percent_text(value) if metric == "accuracy" else f"{number_text(value)} {unit or ''}".rstrip()
