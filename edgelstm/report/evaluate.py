"""From answerers and examples to an `Evaluation`. Every answerer runs once on every example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.contract import Answer, Contract
from edgelstm.data.examples import Examples
from edgelstm.data.scores.scorer import Scored
from edgelstm.data.windows import Windows
from edgelstm.report.axes import origins_of, steps_of, targets_of
from edgelstm.report.cases import pick_cases
from edgelstm.report.evaluation import (
    Axis,
    Case,
    Evaluation,
    Floats,
    OverTime,
    Overview,
    Part,
    PartEvaluation,
    WindowCase,
)
from edgelstm.report.losses import loss_of, measure
from edgelstm.report.watch import watch
from edgelstm.runtime.samples import to_origins

PAIRS = 400  # dots in the chart of answers against truth
STRETCHES = 48  # points of the curve of errors over time


def evaluate_parts(
    contract: Contract,
    parts: Sequence[Part],
    *,
    source: str = "network",
    data_sha256: str | None = None,
    season: int | None = None,
) -> Evaluation:
    """Score networks and baselines on every part, and pick the examples to show.

    Args:
        contract: of the network; its metrics are not used, so that a training can draft it without them.
        parts: in order of time.
        source: the evaluated network, for people: `"network"` or the name of a file.
        data_sha256: of the data, if known.
        season: season length of the seasonal baseline, in samples.

    Raises:
        DataError: no truth is known in a part.
        InputError: a network or baseline gives NaN or infinity.

    Example:
        >>> from edgelstm import load
        >>> from edgelstm.data.readers.asking import Asking
        >>> from edgelstm.data.readers.read import read
        >>> from edgelstm.data.windows import from_rows
        >>> rows = read("builtin:co2", Asking(("co2",))).series[0].values[-300:].astype(np.float32)
        >>> predictor = load("models/co2/co2.fp32.onnx")
        >>> windows = from_rows(rows, rows, 0, 104, 12, 1)
        >>> part = Part("data", windows, {"file": lambda index: predictor.predict(windows.x(index))}, {}, {})
        >>> found = evaluate_parts(predictor.contract, [part])
        >>> found.parts[0].networks["file"].score["rmse"] < 1
        True
    """
    found = tuple(_evaluate(part, contract) for part in parts)
    return Evaluation(contract, source, data_sha256, season, found)


def _evaluate(part: Part, contract: Contract) -> PartEvaluation:
    loss, examples = loss_of(contract), part.examples
    answerers = {**part.networks, **part.baselines}
    watched = {name: watch(name, answerer, examples, contract, loss) for name, answerer in answerers.items()}
    first = next(iter(part.networks))
    axis = _axis(part)
    asked = {first: part.networks[first], **part.baselines}
    typical, worst = pick_cases(examples, asked, watched[first].losses, watched[first].answers, contract)
    known = {name: Scored(score, {}) for name, score in part.known.items() if name not in watched}
    losses = {name: found.losses for name, found in watched.items()}
    return PartEvaluation(
        part.name,
        len(examples),
        {name: watched[name].scored for name in part.networks},
        {**{name: watched[name].scored for name in part.baselines}, **known},
        {name: found.by_step for name, found in watched.items()} if contract.traits.has_horizon else {},
        None if axis is None else _over_time(axis, losses, contract.answer),
        _overview(examples, watched[first].answers, typical, contract) if isinstance(examples, Windows) else None,
        _pairs(examples, watched[first].answers, contract),
        typical,
        worst,
    )


def _axis(part: Part) -> Axis | None:
    """Give the place of each loss: its time, or for many series the step from the start of each."""
    examples = part.examples
    if isinstance(examples, Windows):
        return origins_of(examples, np.arange(len(examples)))
    if not examples.every_step:
        return None
    if len(examples) == 1:
        return steps_of(examples, 0)
    return Axis("step", np.arange(len(examples.x_rows)) - np.repeat(examples.starts, examples.lengths) + 1)


def _overview(windows: Windows, last: NDArray[Any], typical: Case | None, contract: Contract) -> Overview:
    """Give the overview; of many series, that of the series of the typical window."""
    index, name = np.arange(len(windows)), ""
    if isinstance(typical, WindowCase) and windows.names:
        series = windows.series
        index, name = np.flatnonzero(series == series[typical.example]), typical.name
    truth, answer = windows.y_rows[windows.y_starts[index] + windows.horizon - 1], last[index]
    return Overview(
        targets_of(windows, index), to_origins(truth, contract.targets), to_origins(answer, contract.outputs), name
    )


def _pairs(examples: Examples, answers: NDArray[Any], contract: Contract) -> tuple[Floats, Floats] | None:
    """Give truth and answer of the first target at known steps; for quantiles, the middle level."""
    if isinstance(examples, Windows) or contract.answer == "class":
        return None
    truth = examples.targets[:, 0]
    known = np.flatnonzero(~np.isnan(truth))
    if len(known) > PAIRS:
        known = known[np.linspace(0, len(known) - 1, PAIRS).astype(np.int64)]
    levels = len(contract.outputs) // len(contract.targets)
    first = contract.targets[:1]
    truth, answer = truth[known, np.newaxis], answers[known, levels // 2, np.newaxis]
    return to_origins(truth, first)[:, 0], to_origins(answer, first)[:, 0]


def _over_time(axis: Axis, losses: dict[str, Array64], answer: Answer) -> OverTime:
    """Average the losses over equally long stretches of the axis."""
    low, high = int(axis.at.min()), int(axis.at.max())
    count = min(STRETCHES, high - low + 1)
    stretch = np.minimum((axis.at - low) * count // (high - low + 1), count - 1)
    edges = low + (np.arange(count) + 0.5) * (high - low + 1) / count
    order = np.argsort(stretch, kind="stable")
    borders = np.searchsorted(stretch[order], np.arange(1, count))
    errors = {
        name: np.array([measure(some, answer, (0, 1)) for some in np.split(values[order], borders)])
        for name, values in losses.items()
    }
    return OverTime(Axis(axis.kind, edges.astype(np.int64)), errors)
