"""What fine-tuning for an int8 file gains over the network as trained, and over training longer without it.

    python -m benchmarks.quantization_aware [NETWORK ...]

Three seeds of each network. From the same trained weights: (1) the int8 file at once; (2) the int8 file after further
epochs of ordinary training, the control; (3) the int8 file after as many epochs with its arithmetic simulated. All with
the same learning rate and batches; (2) keeps the best epoch of the network, (3) that of the simulated file, and both
may keep their starting weights. Metrics are of files run by onnxruntime on the test part, in the mode of the contract.
Writes results/quantization_aware.json and .md; names on the command line measure those networks again and keep the
rest. Deterministic; about fifteen minutes on two idle cores. With EDGELSTM_DATA, a folder that holds ett/ETTh1.csv,
ETTh1 is among the networks: in the default form only, because its epochs are long.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import RESULTS, calibration, lorenz
from edgelstm.bench import judge
from edgelstm.contract import Quantization
from edgelstm.recipe.file import check_recipe
from edgelstm.recipe.recipe import Recipe
from edgelstm.recipe.sections import QuantizationRecipe
from edgelstm.run import Run, read_run
from edgelstm.train import fit, fit_recipe, load_recipe
from edgelstm.train.loop import run_loop
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.networks.quantized import QuantizedNetwork
from edgelstm.train.problem import Problem
from edgelstm.train.setup import make_network
from edgelstm.train.tasks import TASKS, Arrays

SEEDS = (0, 1, 2)
FORMS = {
    "int8": QuantizationRecipe(),
    "int8, per tensor": QuantizationRecipe(per_channel=False),
    "int8w": QuantizationRecipe(precision="int8w"),
}
ETTH1 = "ETTh1, hidden 64"
ETTH1_EPOCHS = 3  # of fine-tuning: it overfits


def mackey_glass(samples: int = 6000) -> np.ndarray:
    """float32 [samples, 1], one for each unit of time, delay 17. Source: Mackey and Glass 1977, Science 197, 287."""
    delay, per_unit, lead = 170, 10, 5000
    x = np.full(samples * per_unit + lead + delay, 1.2)
    for t in range(delay, len(x) - 1):
        x[t + 1] = x[t] + (0.2 * x[t - delay] / (1 + x[t - delay] ** 10) - 0.1 * x[t]) / per_unit
    return x[lead + delay :: per_unit, np.newaxis].astype(np.float32)


def mackey_glass_parts() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Windows of 64 steps and the six values that follow; training, validation, test in the order of time."""
    rows, steps, horizon = mackey_glass(), 64, 6
    parts = {}
    for name, first, end in (("training", 0, 4200), ("validation", 4200, 5100), ("test", 5100, 6000)):
        starts = np.arange(first, end - steps - horizon + 1)[:, np.newaxis]
        parts[name] = (rows[starts + np.arange(steps)], rows[starts + steps + np.arange(horizon)])
    return parts


def train_mackey_glass(folder: Path, seed: int) -> None:
    """A window network of 16 units."""
    data = mackey_glass_parts()
    held_out = {"validation": data["validation"], "test": data["test"]}
    options = {"hidden_size": 16, "epochs": 40, "batch_size": 64, "learning_rate": 1e-2, "schedule": "one-cycle"}
    fit(*data["training"], folder, **held_out, seed=seed, threads=1, progress=False, **options)


def train_lorenz_long(folder: Path, seed: int) -> None:
    """Train the network of 64 units six times as long: further epochs without quantization then gain less."""
    data = lorenz.parts()
    held_out = {"validation": data["validation"], "test": data["test"]}
    options = {"hidden_size": 64, "epochs": 240, "learning_rate": 5e-3, "schedule": "one-cycle", "state": "carried"}
    fit(*data["training"], folder, **held_out, seed=seed, threads=1, progress=False, **options)


def train_etth1(folder: Path, seed: int) -> None:
    """Seven channels, a day ahead from four days, every other window; borders as in the literature."""
    channels = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    path = str(Path(os.environ["EDGELSTM_DATA"]).resolve() / "ett" / "ETTh1.csv")
    training = {"epochs": 6, "batch_size": 64, "learning_rate": 3e-3, "schedule": "one-cycle", "seed": seed}
    flags = {
        "data": {"path": path, "time": "date", "targets": channels},
        "split": {"borders": (8640, 11520, 14400), "overlap": True},
        "window": {"steps": 96, "horizon": 24, "stride": 2},
        "network": {"hidden_size": 64, "scaling": "relative"},
        "training": {**training, "weight_decay": 1e-2, "threads": 1},
    }
    fit_recipe(load_recipe(None, flags), folder)


NETWORKS: dict[str, tuple[Callable[[Path, int], None], Callable[[], dict] | None]] = {
    "Mackey-Glass, hidden 16": (train_mackey_glass, mackey_glass_parts),
    "Lorenz, hidden 16": (calibration.lorenz_of(16), lorenz.parts),
    "Lorenz, hidden 64": (calibration.lorenz_of(64), lorenz.parts),
    "Lorenz, hidden 64, 240 epochs": (train_lorenz_long, lorenz.parts),
    ETTH1: (train_etth1, None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", nargs="*", help=f"of {', '.join(NETWORKS)} [all]")
    asked = parser.parse_args().network
    if unknown := set(asked) - set(NETWORKS):
        parser.error(f"there is no network {min(unknown)!r}; expected one of {', '.join(NETWORKS)}")
    networks = {name: value for name, value in NETWORKS.items() if name in asked or not asked}
    if not os.environ.get("EDGELSTM_DATA"):
        networks.pop(ETTH1, None)
    results = RESULTS / "quantization_aware.json"
    for name, (train, parts) in networks.items():
        found = [measure(name, train, parts, seed) for seed in SEEDS]
        figures = json.loads(results.read_text()) if results.exists() else {}
        figures[name] = {key: [seed[key] for seed in found] for key in found[0]}
        results.write_text(json.dumps(figures, indent=1) + "\n")
        text = report(figures)
        (RESULTS / "quantization_aware.md").write_text(text)
    print(text)


def measure(name: str, train: Callable, parts: Callable | None, seed: int) -> dict[str, float]:
    """Train once, then further in every way; return the test RMSE of each file, in training standard deviations."""
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder) / "run", seed)
        run = read_run(Path(folder) / "run")
        problem, recipe = begun(run, parts)
        epochs = ETTH1_EPOCHS if name == ETTH1 else QuantizationRecipe().epochs
        forms = {form: asked for form, asked in FORMS.items() if name != ETTH1 or form == "int8"}
        network = network_of(run, problem, recipe)
        tuned = {"control": network, **{form: QuantizedNetwork(network, asked) for form, asked in forms.items()}}
        weights = {"plain": run.weights}
        for kind, simulated in tuned.items():
            gentler = QuantizationRecipe(epochs=epochs).training_of(recipe.training)
            trained = run_loop(simulated, problem, gentler, Path(folder) / "checkpoint", False, fine_tuning=True)
            (Path(folder) / "checkpoint").unlink()
            weights[kind] = {name: tensor.numpy() for name, tensor in trained.weights.items()}
            network.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in run.weights.items()})
            print(f"{name}, seed {seed}, {kind}: kept epoch {trained.best_epoch}", file=sys.stderr, flush=True)
    found = {"fp32": metric(run, weights["plain"], None), "control": metric(run, weights["control"], None)}
    for form, asked in forms.items():
        found[f"{form}: at once"] = metric(run, weights["plain"], asked)
        found[f"{form}: control"] = metric(run, weights["control"], asked)
        found[f"{form}: tuned"] = metric(run, weights[form], asked)
        found[f"{form}: tuned, fp32 file"] = metric(run, weights[form], None)
    print(f"{name}, seed {seed}: {found}", file=sys.stderr, flush=True)
    return found


def begun(run: Run, parts: Callable | None) -> tuple[Problem, Recipe]:
    """Return the data and settings that a run was trained with."""
    if parts is None:
        recipe = check_recipe(run.record.recipe, "recorded")
        return TASKS[recipe.task].read(recipe), recipe
    recorded, data = run.record.recipe, parts()
    recipe = check_recipe({**recorded, "data": {**recorded["data"], "path": ""}}, "recorded")
    arrays = Arrays(*data["training"], data["validation"], data["test"], (), ())
    return TASKS[recipe.task].from_arrays(arrays, recipe), recipe


def network_of(run: Run, problem: Problem, recipe: Recipe) -> LstmNetwork:
    """The trained network in torch."""
    network = make_network(problem, recipe).network
    network.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in run.weights.items()})
    return network


def metric(run: Run, weights: dict, asked: QuantizationRecipe | None) -> float:
    """The test RMSE of one file with these weights."""
    tuned = replace(run, weights=weights)
    if asked is None:
        file = calibration.candidate(tuned, "fp32", None)
    else:
        choice = Quantization(asked.per_channel, asked.clip, asked.head)
        file = calibration.candidate(tuned, asked.precision, choice)
    first = calibration.candidate(tuned, "fp32", None)
    return judge([first, file], run.heldout, seconds=0.01).files[1].metric


def report(figures: dict) -> str:
    """Lay out means and standard deviations over the seeds."""
    lines = [
        "# Fine-tuning for an int8 file",
        "",
        "Made by `python -m benchmarks.quantization_aware`. RMSE on the test part of files run by onnxruntime, mean "
        f"and standard deviation over {len(SEEDS)} trainings. *At once*: the int8 file of the network as trained. "
        "*Control*: after further epochs of ordinary training. *Tuned*: after as many epochs with the int8 file "
        "simulated. All three begin with the same weights. *Won*: how much less the tuned file errs than the "
        "control's, seed by seed. The last column is the fp32 file of the tuned weights.",
        "",
        "| network | fp32 | control fp32 | form | at once | control | tuned | won | tuned, fp32 |",
        "|---|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    for name in [name for name in NETWORKS if name in figures]:
        found = {key: np.array(values) for key, values in figures[name].items()}
        for form in [form for form in FORMS if f"{form}: tuned" in found]:
            ways = [found[f"{form}: {way}"] for way in ("at once", "control", "tuned")]
            won = 100 * (1 - ways[2] / ways[1])
            cells = [spread(v) for v in (found["fp32"], found["control"])]
            cells += [form, *map(spread, ways), f"{won.mean():+.1f} ± {won.std(ddof=1):.1f} %"]
            lines.append(f"| {name} | " + " | ".join([*cells, spread(found[f"{form}: tuned, fp32 file"])]) + " |")
    return "\n".join(lines) + "\n"


def spread(values: np.ndarray) -> str:
    """Mean and standard deviation; four digits of the smallest figures there are."""
    digits = 5 if values.mean() < 0.01 else 4
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"


if __name__ == "__main__":
    main()
