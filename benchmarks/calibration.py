"""What the choices in quantizing an LSTM cost: per channel or per tensor, clipped range, head in fp32.

    python -m benchmarks.calibration

Trains small networks (three seeds each) on data of three kinds, converts each in every way, and compares the test
metric with that of fp32, in the mode of the contract. Writes results/calibration.json and .md. Figures are
deterministic; about fifteen minutes on two cores. With EDGELSTM_DATA, a folder that holds ett/ETTh1.csv, there is a
fourth network; without it that one is skipped, and the table says so.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import RESULTS, ROOT, lorenz
from edgelstm.bench import Candidate, judge
from edgelstm.contract import CLIPS, HEADS, Quantization
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.run import Run, read_run
from edgelstm.runtime import Golden, ModelFile, Predictor

SEEDS = (0, 1, 2)
CHOICES = [Quantization(*choice) for choice in itertools.product((True, False), CLIPS, HEADS)]


def lorenz_of(hidden_size: int) -> Callable[[Path, int], None]:
    """A carried network on the Lorenz system."""

    def train(folder: Path, seed: int) -> None:
        from edgelstm.train import fit

        data = lorenz.parts()
        options = {"hidden_size": hidden_size, "epochs": 40, "learning_rate": 5e-3, "schedule": "one-cycle"}
        held_out = {"validation": data["validation"], "test": data["test"]}
        fit(*data["training"], folder, **held_out, state="carried", seed=seed, threads=1, progress=False, **options)

    return train


def co2(folder: Path, seed: int) -> None:
    """The recipe of models/co2: a window network with relative scaling."""
    from edgelstm.train import fit_recipe, load_recipe

    fit_recipe(load_recipe(ROOT / "models" / "co2" / "recipe.toml", {"training": {"seed": seed}}), folder)


def etth1(folder: Path, seed: int) -> None:
    """Seven channels, hourly, a day ahead from four days; borders as in the literature."""
    from edgelstm.train import fit_recipe, load_recipe

    channels = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    path = str(Path(os.environ["EDGELSTM_DATA"]).resolve() / "ett" / "ETTh1.csv")
    training = {"epochs": 5, "learning_rate": 2e-3, "seed": seed, "threads": 1, "batch_size": 64}
    flags = {
        "data": {"path": path, "time": "date", "targets": channels},
        "split": {"borders": (8640, 11520, 14400), "overlap": True},
        "window": {"steps": 96, "horizon": 24},
        "network": {"hidden_size": 64},
        "training": training,
    }
    fit_recipe(load_recipe(None, flags), folder)


NETWORKS = {"Lorenz, hidden 16": lorenz_of(16), "Lorenz, hidden 64": lorenz_of(64), "CO2, hidden 64": co2}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    networks = dict(NETWORKS)
    if os.environ.get("EDGELSTM_DATA"):
        networks["ETTh1, hidden 64"] = etth1
    figures = {}
    for name, train in networks.items():
        found = [measure(name, train, seed) for seed in SEEDS]
        figures[name] = {key: [seed[key] for seed in found] for key in found[0]}
    (RESULTS / "calibration.json").write_text(json.dumps(figures, indent=1) + "\n")
    text = report(figures)
    (RESULTS / "calibration.md").write_text(text)
    print(text)


def measure(name: str, train: Callable[[Path, int], None], seed: int) -> dict[str, float]:
    """Train once; return the drop of the test metric for every way to quantize, and for fp16."""
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder) / "run", seed)
        run = read_run(Path(folder) / "run")
    first = candidate(run, "fp32", None)
    drops = {}
    for precision, choice in [("fp16", None), *itertools.product(("int8", "int8w"), CHOICES)]:
        other = candidate(run, precision, choice)
        drops[key_of(precision, choice)] = judge([first, other], run.heldout, seconds=0.01).files[1].drop
    print(f"{name}, seed {seed}: {drops}", file=sys.stderr)
    return drops


def candidate(run: Run, precision: str, choice: Quantization | None) -> Candidate:
    """One file of a run, in memory."""
    contract = run.record.contract
    graph = convert_graph(build_graph(run.record.network, run.weights, contract), precision, choice)
    content = graph.SerializeToString()
    golden = Golden(run.golden_x, run.golden_y, run.golden_y, {})
    contract = replace(contract, precision=precision, quantization=choice)
    return Candidate(precision, len(content), 0.0, Predictor(ModelFile(content, contract, golden, "")))


def key_of(precision: str, choice: Quantization | None) -> str:
    if choice is None:
        return precision
    scale = "per channel" if choice.per_channel else "per tensor"
    return f"{precision}, {scale}, clip {choice.clip}, head {choice.head}"


def report(figures: dict[str, dict[str, list[float]]]) -> str:
    """The drops as mean and standard deviation over seeds, the best of each precision in bold."""
    lines = [
        "# Choices in quantizing an LSTM",
        "",
        "Made by `python -m benchmarks.calibration`. How much worse the test metric is than fp32's, in percent: mean "
        f"and standard deviation over {len(SEEDS)} trainings. Below 0 is better than fp32.",
        "",
        "| | " + " | ".join(figures) + " | mean |",
        "|---|" + "--:|" * (len(figures) + 1),
    ]
    for key in next(iter(figures.values())):
        columns = [np.array(drops[key]) * 100 for drops in figures.values()]
        cells = [f"{c.mean():+.2f} ± {c.std():.2f}" for c in columns]
        lines.append(f"| {key} | " + " | ".join(cells) + f" | {np.mean(columns):+.3f} |")
    if len(figures) == len(NETWORKS):
        lines += ["", "ETTh1 was left out: EDGELSTM_DATA is not set."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
