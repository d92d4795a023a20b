"""Evaluations of every task, with names that would like to be markup."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm.report import History, Part, evaluate_parts
from tests.tiny_runs import contract_of, examples_of, fleet_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "日本語 $x_1$ \\alpha & 'q' {{ 7 * 7 }} {% raw %}",
)
TASKS = {
    "numbers": ("forecast", "number"),
    "quantiles": ("forecast", "quantile"),
    "classes": ("classify", "class"),
    "labels": ("label", "class"),
    "numbers at every step": ("label", "number"),
}
HISTORY = History(((1.0, 1.2), (0.5, 0.7), (0.4, 0.8)), 2)


def hostile(contract):
    """Give every name of a contract something to break out with."""
    outputs = [
        channel._replace(name=f"{HOSTILE[i % 3]} {i}", column=channel.column and HOSTILE[0], unit="<b>°C</b>")
        for i, channel in enumerate(contract.outputs)
    ]
    inputs = [channel._replace(name=f"{HOSTILE[i % 3]} {i}") for i, channel in enumerate(contract.inputs)]
    return replace(contract, name=HOSTILE[0], inputs=tuple(inputs), outputs=tuple(outputs))


def answerer(contract, examples, seed):
    """Answer with noise, probabilities for classes, the same for the same example."""
    rng, outputs = np.random.default_rng(seed), len(contract.outputs)
    every_step = contract.task == "label"
    shape = (len(examples), 2, outputs) if contract.task == "forecast" else (len(examples), outputs)
    shape = (len(examples.x_rows), outputs) if every_step else shape
    y = rng.normal(size=shape).astype(np.float32)
    y = np.sort(y, axis=-1) if contract.answer == "quantile" else y
    y = np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True) if contract.answer == "class" else y
    return (lambda index: y[examples.rows(int(index[0]))]) if every_step else lambda index: y[index]


def evaluation_of(name, *, times=False):
    task, answer = TASKS[name]
    contract = hostile(contract_of(task, answer, "carried" if task == "label" else "window"))
    examples = examples_of(task, answer, times=times)
    if task != "forecast":
        examples = replace(examples, names=tuple(f"{HOSTILE[i % 3]} {i}" for i in range(len(examples))))
    networks, baselines = ({HOSTILE[i]: answerer(contract, examples, i)} for i in (1, 2))
    parts = [Part(part, examples, networks, baselines, {}) for part in ("validation", "test")]
    return evaluate_parts(contract, parts, source=HOSTILE[1], data_sha256="a" * 64, season=7)


def fleet_evaluation():
    """Of forecasts of many series."""
    windows, contract = fleet_of("number", times=True), replace(contract_of("forecast", "number"), many_series=True)
    windows = replace(windows, names=tuple(f"{HOSTILE[i % 3]} {i}" for i in range(3)))
    networks, baselines = ({name: answerer(contract, windows, i)} for i, name in enumerate(("network", "persistence")))
    return evaluate_parts(contract, [Part("test", windows, networks, baselines, {})], source="network")


@pytest.fixture(scope="session", params=TASKS)
def evaluation(request):
    """One for each task."""
    return evaluation_of(request.param, times=True)
