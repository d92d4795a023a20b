"""Compare torch's own exporters with edgelstm on the same networks, each against a float64 oracle.

    python -m benchmarks.exporters

Exports each network three ways (edgelstm; torch.onnx.export by tracing, `dynamo=False`; and by torch.export,
`dynamo=True`, which needs onnxscript), asks for a free batch and a free time axis, runs the file in onnxruntime at
the sizes it was exported with, at another batch and at another number of steps, and writes results/exporters.json
and .md. Some minutes. Needs the dependency group `benchmarks`.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import multiprocessing
import re
import sys
import warnings
from dataclasses import replace
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch

from benchmarks import RESULTS
from edgelstm.export.graph import build_graph
from edgelstm.network import (
    Activation,
    Embedding,
    Linear,
    Lstm,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Standardize,
    Take,
)
from tests import oracles
from tests.eager import Eager
from tests.export.drawn import make_contract, make_weights

FEATURES, HIDDEN, OUTPUTS, HORIZON, TOKENS = 3, 16, 2, 4, 11
SIZES = {"as exported": (2, 12), "batch": (5, 12), "time": (2, 7)}
LIMIT = 1e-6  # of max(1, max |y|)

LSTM = Lstm("lstm", FEATURES, HIDDEN)
BOTH = replace(LSTM, bidirectional=True)
WORDS = Embedding("words", TOKENS, FEATURES)
BEFORE, BEHIND = Standardize("input_offset", "input_factor"), Rescale("output_scale", "output_offset")


class Case(NamedTuple):
    """A network to export, and how many times in one process; the last file counts."""

    title: str
    layers: tuple[Any, ...]
    task: str = "forecast"
    relative: tuple[int, ...] = ()
    lengths: bool = False
    times: int = 1


def forecaster(lstm: Lstm, which: str = "last") -> tuple[Any, ...]:
    return (BEFORE, lstm, Take(which), Linear("head", lstm.output_size, HORIZON * OUTPUTS), BEHIND)


def every_step(lstm: Lstm) -> tuple[Any, ...]:
    return (BEFORE, lstm, Linear("head", lstm.output_size, OUTPUTS))


MLP = (Linear("dense", HIDDEN, 8), Activation("gelu"), Linear("head", 8, HORIZON * OUTPUTS))
CLASSES = (Linear("head", HIDDEN, OUTPUTS), Activation("softmax"))
DECODER = (Take("final"), Repeat(HORIZON), Lstm("decoder", HIDDEN, HIDDEN), Linear("head", HIDDEN, OUTPUTS), BEHIND)
CASES = (
    Case("1 layer", forecaster(LSTM)),
    Case("1 layer, exported a second time in one process", forecaster(LSTM), times=2),
    Case("2 layers", forecaster(replace(LSTM, num_layers=2))),
    Case("8 layers", forecaster(replace(LSTM, num_layers=8))),
    Case("1 layer, no bias", forecaster(replace(LSTM, bias=False))),
    Case("2 directions, last step", forecaster(BOTH)),
    Case("2 directions, final states", forecaster(BOTH, "final")),
    Case("2 directions, 8 layers", forecaster(replace(BOTH, num_layers=8))),
    Case("proj_size", forecaster(replace(LSTM, proj_size=5))),
    Case("proj_size, 2 directions, 2 layers", forecaster(replace(BOTH, proj_size=5, num_layers=2))),
    Case("relative scaling", forecaster(LSTM), relative=(2, 0)),
    Case("MLP head with GELU", (BEFORE, LSTM, Take("last"), *MLP, BEHIND)),
    Case("classes, softmax", (BEFORE, LSTM, Take("last"), *CLASSES), "classify"),
    Case("every step", every_step(LSTM), "label"),
    Case("every step, 2 directions", every_step(BOTH), "label"),
    Case("embedding", (WORDS, *forecaster(LSTM)[1:])),
    Case("embedding, lengths, classes", (WORDS, LSTM, Take("last"), *CLASSES), "classify", lengths=True),
    Case("lengths", forecaster(LSTM), lengths=True),
    Case("lengths, 2 layers", forecaster(replace(LSTM, num_layers=2)), lengths=True),
    Case("lengths, 2 directions, final states", forecaster(BOTH, "final"), lengths=True),
    Case("lengths, every step", every_step(LSTM), "label", lengths=True),
    Case("lengths, relative scaling", forecaster(LSTM), relative=(2, 0), lengths=True),
    Case("steps in reverse order", (BEFORE, Reverse(), *forecaster(LSTM)[1:])),
    Case("encoder and decoder", (BEFORE, LSTM, *DECODER)),
)  # fmt: skip


class Prepared(NamedTuple):
    """A case with its weights and contract."""

    network: Network
    weights: dict[str, Any]
    contract: Any


def prepare(case: Case) -> Prepared:
    network = Network(case.layers, case.relative)
    horizon = HORIZON if case.task == "forecast" else 1
    tokens = TOKENS if network.tokens else None
    said = {"inputs": network.input_size, "tokens": tokens, "window": SIZES["as exported"][1], "lengths": case.lengths}
    contract = make_contract(network, case.task, outputs=OUTPUTS, horizon=horizon, **said)
    weights = make_weights(network, 0, FEATURES, OUTPUTS, spread=1, factors=(0.5, 2))
    return Prepared(network, weights, contract)


def feeds(prepared: Prepared, batch: int, steps: int) -> dict[str, Any]:
    """Make the inputs of a file, with rows of every length."""
    rng = np.random.default_rng(batch * steps)
    if prepared.contract.tokens:
        x = rng.integers(0, TOKENS, (batch, steps))
    else:
        x = rng.normal(size=(batch, steps, FEATURES)).astype(np.float32)
    lengths = {"lengths": np.linspace(steps, 1, batch).astype(np.int64)} if prepared.contract.lengths else {}
    return {"x": x, **lengths}


def export_edgelstm(prepared: Prepared) -> onnx.ModelProto:
    return build_graph(*prepared)


def export_torch(prepared: Prepared, dynamo: bool) -> onnx.ModelProto:
    """Ask for free batch and time as the documentation says."""
    given = feeds(prepared, *SIZES["as exported"])
    free = {name: {0: "B", 1: "T"} if name == "x" else {0: "B"} for name in given}
    dims = {"B": torch.export.Dim("B"), "T": torch.export.Dim("T")}
    shapes = {name: {axis: dims[letter] for axis, letter in axes.items()} for name, axes in free.items()}
    how = (
        {"dynamic_shapes": shapes, "verbose": False}
        if dynamo
        else {"dynamic_axes": {**free, "y": {0: "B"}}, "opset_version": 17}
    )
    content = io.BytesIO()
    tensors = tuple(torch.from_numpy(value) for value in given.values())
    names = {"input_names": list(given), "output_names": ["y"]}
    torch.onnx.export(Eager(*prepared), tensors, content, dynamo=dynamo, **names, **how)
    return onnx.ModelProto.FromString(content.getvalue())


EXPORTERS = {
    "edgelstm": export_edgelstm,
    "tracing": lambda prepared: export_torch(prepared, dynamo=False),
    "dynamo": lambda prepared: export_torch(prepared, dynamo=True),
}


def measure(case: Case) -> dict[str, Any]:
    """Export one network in every way and run the files at every size, each exporter in a separate process."""
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        return {name: pool.apply(measure_one, (case, name)) for name in EXPORTERS}


def measure_one(case: Case, exporter: str) -> dict[str, Any]:
    prepared = prepare(case)
    try:
        for _ in range(case.times):
            model = EXPORTERS[exporter](prepared)
    except Exception as error:
        return {"failed": reason(error)}
    nodes = len(model.graph.node) + sum(len(function.node) for function in model.functions)
    return {"nodes": nodes, **{what: run(model, prepared, *sizes) for what, sizes in SIZES.items()}}


def run(model: onnx.ModelProto, prepared: Prepared, batch: int, steps: int) -> float | str:
    """Return the error against the oracle, over max(1, max |y|), or the reason why there is none."""
    given = feeds(prepared, batch, steps)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # everything it logs is also raised
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        y = session.run(["y"], given)[0]
    except Exception as error:
        return reason(error)
    oracle = oracles.evaluate(prepared.network, prepared.weights, given["x"], prepared.contract, given.get("lengths"))
    if y.shape != oracle.shape:
        return f"answers {list(y.shape)}, not {list(oracle.shape)}"
    valid = ~np.isnan(oracle)
    error = float(np.abs(y[valid] - oracle[valid]).max() / max(1, np.abs(oracle[valid]).max()))
    return error if error <= LIMIT else f"wrong by {error:.1g}"


def reason(error: BaseException) -> str:
    """Extract the sentence with the cause from pages of output."""
    text = str(error)
    summary = re.search(r"## Exception summary\s+<class '(\w+)'>: (.+)", text)  # torch.export
    name, text = summary.groups() if summary else (type(error).__name__, text)
    baked = re.search(
        r"Got invalid dimensions for input: (\w+).*?index: (\d) Got: \d+ Expected: (\d+)", text, re.DOTALL
    )
    if baked:
        return f"baked: axis {baked[2]} of {baked[1]} must be {baked[3]}"
    for noise in (
        r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
        r"Non-zero status code.*Status Message: ",
        r"\. Please feel free.*",
    ):
        text = re.sub(noise, "", text, flags=re.DOTALL)
    return f"{name}: {text.strip().splitlines()[0]}"


def report(results: dict[str, Any]) -> str:
    """Lay out the table, in Markdown, with reasons below it."""
    notes: list[str] = []
    rows = []
    for title, found in results["networks"].items():
        ours = found["edgelstm"]
        cells = [title, str(ours["nodes"]), f"{worst(ours):.0e}"]
        for name in ("tracing", "dynamo"):
            cells += exporter_cells(found[name], notes)
        rows.append("| " + " | ".join(cells) + " |")
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        "# What torch's own exporters make of the same networks",
        "",
        "Made by `python -m benchmarks.exporters`. Each network is exported three ways with a free batch and a free "
        f"time axis, each in a process of its own, at {list(SIZES['as exported'])} [B, T], and run in onnxruntime at "
        f"that size, at batch {SIZES['batch'][0]} and at {SIZES['time'][1]} steps. `tracing` is "
        "`torch.onnx.export(..., dynamo=False)` with opset 17, `dynamo` is `dynamo=True`. Error: the worst against "
        "float64 numpy, over max(1, max \\|y\\|). Networks have hidden size 16 and scaling inside; nodes are those of "
        "the file, constants included.",
        "",
        versions + ".",
        "",
        "| network | edgelstm nodes | error | tracing | nodes | batch | time | error | dynamo | nodes | batch | time "
        "| error |",
        "|---|--:|--:|---|--:|---|---|--:|---|--:|---|---|--:|",
        *rows,
        "",
        *(f"{i}. {note}" for i, note in enumerate(notes, 1)),
        "",
        *(f"- {name}: {tally(results['networks'], name)}" for name in EXPORTERS),
    ]
    return "\n".join(lines) + "\n"


def exporter_cells(found: dict[str, Any], notes: list[str]) -> list[str]:
    """Lay out the cells of one exporter: exported, nodes, batch, time, error."""
    if "failed" in found:
        return [noted(found["failed"], notes), "", "", "", ""]
    runs = [noted(found[what], notes) for what in SIZES]
    error = worst(found)
    return [runs[0], str(found["nodes"]), *runs[1:], "" if error is None else f"{error:.0e}"]


def noted(outcome: float | str, notes: list[str]) -> str:
    if isinstance(outcome, float):
        return "yes"
    if outcome not in notes:
        notes.append(outcome)
    return f"no ({notes.index(outcome) + 1})"


def worst(found: dict[str, Any]) -> float | None:
    return max((found[what] for what in SIZES if isinstance(found.get(what), float)), default=None)


def tally(networks: dict[str, Any], name: str) -> str:
    """Count what works, and where."""
    found = [network[name] for network in networks.values()]
    exported = [f for f in found if "failed" not in f]
    runs = [f for f in exported if isinstance(f["as exported"], float)]
    free = [f for f in runs if all(isinstance(f[what], float) for what in SIZES)]
    return f"{len(exported)} of {len(found)} exported, {len(runs)} run as exported, {len(free)} at any batch and time"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    warnings.simplefilter("ignore")  # deprecations of the exporters themselves, and their advice on shapes
    logging.disable(logging.WARNING)  # likewise
    torch.set_num_threads(1)
    networks = {}
    for case in CASES:
        networks[case.title] = measure(case)
        print(case.title, file=sys.stderr)
    versions = {name: metadata.version(name) for name in ("torch", "onnxscript", "onnx", "onnxruntime")}
    results = {"versions": versions, "networks": networks}
    (RESULTS / "exporters.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "exporters.md").write_text(report(results))
    print(report(results))


if __name__ == "__main__":
    main()
