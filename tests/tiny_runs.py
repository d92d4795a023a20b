"""Runs of every task made by hand: networks with drawn weights, whose golden answers come from the oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelstm.contract import Channel, Metrics, Statistics
from edgelstm.data.sequences import lay_out
from edgelstm.data.windows import end_to_end, from_rows
from edgelstm.network import Activation, Calendar, Highway, Linear, Lstm, Network, Rescale, Standardize, Take
from edgelstm.run import RUN_FORMAT_VERSION, Run, RunRecord, golden_inputs, pack_weights, write_run
from tests import oracles
from tests.export.drawn import make_contract, make_weights

WINDOW = 8
LEVELS = (0.1, 0.5, 0.9)
LENGTHS = {"classify": (3, 8, 5, 1, 8, 6, 2, 7), "label": (20, 9, 31)}


def channel_of(name, std=2.0, **more):
    return Channel(name, None, "float32", Statistics(0.0, std, -5.0, 5.0, (0.0,) * 11), **more)


def outputs_of(answer):
    """Classes, three quantiles of one column, or two numbers."""
    if answer == "class":
        return tuple(Channel(name, None, "float32", None) for name in ("a", "b", "c"))
    if answer == "quantile":
        return tuple(channel_of(f"co2 q{level}", column="co2", quantile=level) for level in LEVELS)
    return channel_of("u", 1.5), channel_of("v", 3.0)


def examples_of(task, answer, seed=0, times=False):
    """Noise, long enough for a few windows, or a few series of different lengths."""
    rng = np.random.default_rng(seed)
    if task == "forecast":
        x, y = (rng.normal(size=(60, n)).astype(np.float32) for n in (2, 1 if answer == "quantile" else 2))
        windows = from_rows(x, y, 0, WINDOW, 2, 3)
        return replace(windows, times=np.arange(60) * 3600 if times else None)
    lengths = LENGTHS[task]
    series = [rng.normal(size=(n, 2)).astype(np.float32) for n in lengths]
    if task == "classify":
        targets = np.arange(len(lengths)) % 3
    elif answer == "class":
        targets = [rng.integers(-1, 3, n) for n in lengths]
    else:
        targets = [np.where(rng.random((n, 2)) < 0.1, np.nan, rng.normal(size=(n, 2))).astype("f4") for n in lengths]
    stamps = [10**9 + np.arange(n) * 60 for n in lengths] if times else None
    return lay_out(series, targets, every_step=task == "label", times=stamps)


def fleet_of(answer, times=False, sizes=(1.0, 10.0, 100.0)):
    """Windows of three series of different length and size, each measured by a spread of its size."""
    outputs = 1 if answer == "quantile" else 2
    cut = []
    for size, rows in zip(sizes, (60, 40, 25), strict=True):
        rng = np.random.default_rng(rows)
        x, y = (size * rng.normal(size=(rows, n)).astype(np.float32) for n in (2, outputs))
        stamps = 10**9 + np.arange(rows) * 3600 if times else None
        cut.append(replace(from_rows(x, y, 0, WINDOW, 2, 3), times=stamps))
    return end_to_end(cut, ("north", "south", "west"), np.array([[size] * outputs for size in sizes]))


def network_of(task, answer, state, times=False, start=False):
    outputs = {"class": 3, "quantile": 3, "number": 2}[answer] * (2 if task == "forecast" else 1)
    take = (Take("last"),) if state == "window" and task != "label" else ()
    last = (Activation("softmax"),) if answer == "class" else ()
    front = (Calendar(("hour",)), Lstm("lstm", 4, 6)) if times else (Lstm("lstm", 2, 6),)
    if start:  # a linear layer past the LSTM
        reach = 1 if task == "label" else WINDOW
        last = (Highway("highway", reach, 2, outputs), *(last or (Rescale("output_scale", "output_offset"),)))
        front = (Standardize("input_offset", "input_factor"), *front)
    return Network((*front, *take, Linear("head", 6, outputs), *last))


def contract_of(task, answer, state="window", *, lengths=False, times=False, start=False):
    outputs = outputs_of(answer)
    drawn = make_contract(
        network_of(task, answer, state, times, start),
        task,
        outputs=len(outputs),
        inputs=2,
        window=WINDOW,
        horizon=2 if task == "forecast" else 1,
        state=state,
        lengths=lengths,
    )
    inputs = (channel_of("p"), channel_of("q"))
    return replace(drawn, inputs=inputs, outputs=outputs, answer=answer, times=times, name=task)


def write_tiny(folder, task, answer, state="window", *, lengths=False, times=False, start=False, seed=0, weights=None):
    """Write a run directory with a test part, whose network is the oracle."""
    network = network_of(task, answer, state, times, start)
    contract = contract_of(task, answer, state, lengths=lengths, times=times, start=start)
    weights = weights or make_weights(network, seed, 2, len(contract.outputs), spread=1, factors=(0.5, 2))
    examples = examples_of(task, answer, seed, times)
    x, valid, moments = golden_inputs(examples, contract)
    y = oracles.evaluate(network, weights, x, contract, valid, moments).astype(np.float32)
    provenance = contract.provenance._replace(weights_sha256=pack_weights(weights)[1])
    metrics = (Metrics("test", len(examples), {}, None, {}),)
    record = RunRecord(RUN_FORMAT_VERSION, replace(contract, provenance=provenance, metrics=metrics), network, {}, 0)
    run = Run(folder, record, weights, x, y, examples, valid, golden_times=moments)
    write_run(run, {})
    return run
