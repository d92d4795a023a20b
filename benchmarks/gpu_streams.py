"""How many streams make a GPU pay: steps and windows per second of 1 to 4,096 streams, on CUDA and on the CPU.

    python -m benchmarks.gpu_streams

One LSTM layer with 8 inputs and random weights, fp32, carried. Both devices in turn, in one process; the CPU with as
many threads as are chosen for the width. Writes results/gpu_streams.json and .md; on a machine without CUDA it writes
nothing and says "not measured" and why.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile

import numpy as np
import torch

from benchmarks import RESULTS
from benchmarks.threads import INPUTS, WINDOW, Network
from edgelstm.bench import time_interleaved
from edgelstm.bench.machine import describe_machine
from edgelstm.errors import ProviderError
from edgelstm.export import export_run, from_torch
from edgelstm.runtime import load
from edgelstm.strict_json import plain

DEVICES = ("cpu", "cuda")
HIDDEN = (64, 256, 1024)
STREAMS = (1, 4, 16, 64, 256, 1024, 4096)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hidden", type=int, nargs="*", default=HIDDEN)
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds for each comparison")
    asked = parser.parse_args()
    try:
        rows = [row for size in asked.hidden for row in measure(size, asked.seconds)]
    except ProviderError as error:
        print(f"not measured: {error}")
        return
    result = {"machine": plain(describe_machine()), "rows": rows}
    (RESULTS / "gpu_streams.json").write_text(json.dumps(result, indent=1) + "\n")
    text = report(result)
    (RESULTS / "gpu_streams.md").write_text(text)
    print(text)


def measure(hidden_size: int, seconds: float) -> list[dict]:
    """Export one size and compare the devices for every number of streams."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        found = from_torch(Network(hidden_size), folder, window=WINDOW, name="streams", state="carried")
        file = export_run(found.run.path).files[0]
        predictors = [load(file.path, device=device) for device in DEVICES]
    return [row for count in STREAMS for row in compare(predictors, hidden_size, count, seconds)]


def compare(predictors: list, hidden_size: int, count: int, seconds: float) -> list[dict]:
    """Time steps and windows of a number of streams on both devices, in turn."""
    x = np.random.default_rng(0).normal(size=(count, WINDOW, INPUTS)).astype(np.float32)
    streams = [predictor.stream(count) for predictor in predictors]
    ways = {
        "step": [lambda stream=stream: stream.step(x[:, 0], copy=False) for stream in streams],
        "window": [lambda predictor=predictor: predictor.predict(x) for predictor in predictors],
    }
    rows = []
    for way, calls in ways.items():
        cpu, cuda = time_interleaved(calls, seconds)
        low, middle, high = map(float, np.percentile(cpu / cuda, [25, 50, 75]))
        per_second = [count / (float(np.median(times)) / 1e9) for times in (cpu, cuda)]
        row = {"hidden": hidden_size, "streams": count, "way": way, "rounds": len(cpu)}
        row |= dict(zip(("cpu_per_s", "cuda_per_s"), per_second, strict=True)) | {"times_as_fast": [low, middle, high]}
        print(row, file=sys.stderr)
        rows.append(row)
    return rows


def report(result: dict) -> str:
    """The table, in Markdown."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "# Streams on a GPU and on the CPU",
        "",
        "Made by `python -m benchmarks.gpu_streams`: one LSTM layer, 8 inputs, random weights, fp32, windows of "
        f"{WINDOW} steps. Per second: streams that took a step, or windows; times as fast: the median of the ratio "
        "round by round, and its quartiles.",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; {versions}.",
        "",
        "| hidden | streams | way | CPU per second | CUDA per second | times as fast |",
        "|--:|--:|---|--:|--:|---|",
    ]
    for row in result["rows"]:
        low, middle, high = row["times_as_fast"]
        cells = [row["hidden"], f"{row['streams']:,}", row["way"], f"{row['cpu_per_s']:,.0f}"]
        cells += [f"{row['cuda_per_s']:,.0f}", f"{middle:.2f} ({low:.2f} to {high:.2f})"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
