"""The width from which a second thread pays: step, window and batch with one and with two threads, interleaved.

    python -m benchmarks.threads

One LSTM layer with 8 inputs and random weights; carried, so that one file runs both steps and windows. The 10th
percentiles are compared, because other work on the machine slows a second thread most; the quartiles of the ratios
round by round show how much. Writes results/threads.json and .md; five minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import RESULTS
from edgelstm.bench import time_interleaved
from edgelstm.bench.machine import describe_machine
from edgelstm.export import export_run, from_torch
from edgelstm.runtime import Predictor, load
from edgelstm.strict_json import plain

HIDDEN = (32, 64, 128, 256, 512, 768, 1024, 1280)
INPUTS, WINDOW, ROWS = 8, 64, 32


class Network(torch.nn.Module):
    """One layer and a head."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(INPUTS, hidden_size, batch_first=True)
        self.head = torch.nn.Linear(hidden_size, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hidden", type=int, nargs="*", default=HIDDEN)
    parser.add_argument("--seconds", type=float, default=1.5, help="seconds for each comparison")
    asked = parser.parse_args()
    found = [row for size in asked.hidden for row in measure(size, asked.seconds)]
    result = {"machine": plain(describe_machine()), "load_average": os.getloadavg()[0], "rows": found}
    (RESULTS / "threads.json").write_text(json.dumps(result, indent=1) + "\n")
    text = report(result)
    (RESULTS / "threads.md").write_text(text)
    print(text)


def measure(hidden_size: int, seconds: float) -> list[dict]:
    """Export one size and compare one thread with two, for each precision."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        found = from_torch(Network(hidden_size), folder, window=WINDOW, name="threads", state="carried")
        files = export_run(found.run.path, precisions=["int8"]).files
        rows = []
        for file in files:
            ways = [ways_to_run(load(file.path, threads=threads)) for threads in (1, 2)]
            precision = file.path.name.split(".")[1]
            rows += [compare(hidden_size, precision, way, [each[way] for each in ways], seconds) for way in ways[0]]
    return rows


def ways_to_run(predictor: Predictor) -> dict[str, Callable[[], object]]:
    """List the calls to time: a step of one stream, one window, a step of many streams, many windows."""
    x = np.random.default_rng(0).normal(size=(ROWS, WINDOW, INPUTS)).astype(np.float32)
    one, many = predictor.stream(), predictor.stream(ROWS)
    return {
        "step": lambda: one.step(x[0, 0], copy=False),
        "window": lambda: predictor.predict(x[0]),
        f"step of {ROWS}": lambda: many.step(x[:, 0], copy=False),
        f"{ROWS} windows": lambda: predictor.predict(x),
    }


def compare(hidden_size: int, precision: str, way: str, calls: list, seconds: float) -> dict:
    """Time the same call with one and with two threads, in turn."""
    one, two = time_interleaved(calls, seconds)
    low, middle, high = np.percentile(one / two, [25, 50, 75])
    best = [float(np.percentile(times, 10) / 1e3) for times in (one, two)]
    row = {"hidden": hidden_size, "precision": precision, "way": way, "rounds": len(one)}
    row |= {"one_us": best[0], "two_us": best[1], "times_as_fast": best[0] / best[1]}
    print(row, file=sys.stderr)
    return row | {"by_round": [float(low), float(middle), float(high)]}


def busy(result: dict) -> str:
    """Warn if the machine had other work."""
    if result["load_average"] <= result["machine"]["cores"] + 1:
        return ""
    return ": other work ran meanwhile, which slows a second thread most. Measure again on a quiet machine"


def report(result: dict) -> str:
    """The table, in Markdown."""
    machine = result["machine"]
    lines = [
        "# One thread or two, by hidden size",
        "",
        "Made by `python -m benchmarks.threads`: one LSTM layer, 8 inputs, random weights, carried state, windows of "
        f"{WINDOW} steps; spinning off, both in turn. Times are 10th percentiles; above 1.00 two threads are faster. "
        "In brackets the quartiles of the ratio round by round.",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, onnxruntime "
        f"{machine['versions']['onnxruntime']}; load average at the end {result['load_average']:.1f}{busy(result)}.",
        "",
        "| hidden | precision | way | one thread | two threads | times as fast | by round |",
        "|--:|---|---|--:|--:|--:|---|",
    ]
    for row in result["rows"]:
        low, middle, high = row["by_round"]
        cells = [row["hidden"], row["precision"], row["way"], f"{row['one_us']:,.1f} us", f"{row['two_us']:,.1f} us"]
        cells += [f"{row['times_as_fast']:.2f}", f"{middle:.2f} ({low:.2f} to {high:.2f})"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
