"""Train every recipe under models/, export it, and hold its test figures against the bars of the literature.

    EDGELSTM_DATA=... python benchmarks/acceptance.py [--seeds 0,1,2] [--only etth1-96,...] [--output runs/acceptance]

What a case gives is written as soon as it is there, and a second start goes on with what is missing: a result is of
one recipe, whose digest it holds. `--tables` writes the tables of all results into the cards models/*/README.md,
between their two marks.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, pstdev
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- figures: make acceptance -->", "<!-- /figures -->"
MAX_DROP = 0.01
WORKERS = 2


class Figure(NamedTuple):
    """A test figure, and the bar that the mean over seeds is held against; None where there is none."""

    name: str
    read: Callable[[dict[str, float], dict[str, Any]], float]
    bar: float | None = None
    higher: bool = False

    def holds(self, value: float) -> bool:
        return self.bar is None or (value >= self.bar if self.higher else value < self.bar)


class Case(NamedTuple):
    """A recipe, the options that win over it, and its figures: the first one decides."""

    recipe: str
    flags: dict[str, dict[str, Any]]
    figures: tuple[Figure, ...]


def named(key: str) -> Callable[[dict[str, float], dict[str, Any]], float]:
    return lambda score, details: score[key]


def detail(key: str) -> Callable[[dict[str, float], dict[str, Any]], float]:
    return lambda score, details: details[key]


def of_series(name: str) -> Callable[[dict[str, float], dict[str, Any]], float]:
    def read(score: dict[str, float], details: dict[str, Any]) -> float:
        return next(found["accuracy"] for found in details["by_series"] if found["name"] == name)

    return read


def etth1(horizon: int, dlinear: float) -> Case:
    figures = (Figure("MSE", named("scaled_mse"), dlinear), Figure("MAE", named("scaled_mae")))
    return Case("etth1", {"window": {"horizon": horizon}}, figures)


OFFICES = (
    Figure("datatest", of_series("datatest"), 0.985, higher=True),
    Figure("datatest2", of_series("datatest2"), 0.985, higher=True),
    Figure("both", named("accuracy")),
)
WITHOUT_LIGHT = {"data": {"features": ["Temperature", "Humidity", "CO2", "HumidityRatio"], "units": {}}}
LIGHT_ALONE = {"data": {"features": ["Light"], "units": {}, "drift": {}}}
CASES = {
    "co2": Case("co2", {}, (Figure("RMSE", named("rmse"), 0.506), Figure("MAE", named("mae")))),
    "etth1-96": etth1(96, 0.386),
    "etth1-192": etth1(192, 0.437),
    "etth1-336": etth1(336, 0.481),
    "etth1-720": etth1(720, 0.519),
    "cmapss": Case(
        "cmapss", {}, (Figure("RMSE", named("rmse"), 14.0), Figure("RMSE, uncapped truth", detail("uncapped_rmse")))
    ),
    "japanese-vowels": Case(
        "japanese-vowels",
        {},
        (Figure("accuracy", named("accuracy"), 0.98, higher=True), Figure("F1", named("macro_f1"))),
    ),
    "occupancy": Case("occupancy", {}, OFFICES),
    "occupancy-light-alone": Case("occupancy", LIGHT_ALONE, tuple(f._replace(bar=None) for f in OFFICES)),
    "occupancy-without-light": Case("occupancy", WITHOUT_LIGHT, tuple(f._replace(bar=None) for f in OFFICES)),
}


def main() -> int:
    arguments = parse_arguments()
    if arguments.tables:
        write_tables(arguments.output)
        return 0
    if not os.environ.get("EDGELSTM_DATA"):
        print("acceptance: EDGELSTM_DATA must name the folder with the data sets; their cards say where they come from")
        return 2
    wanted = [(name, seed) for seed in arguments.seeds for name in arguments.only or CASES]
    missing = [(name, seed) for name, seed in wanted if read_result(arguments.output, name, seed) is None]
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        runs = {pool.submit(run_case, name, seed, arguments.output): (name, seed) for name, seed in missing}
        for run, (name, seed) in runs.items():
            print(f"{name}, seed {seed}: {run.result():.0f} s", file=sys.stderr, flush=True)
    return report(arguments.output, arguments.only or list(CASES), arguments.seeds)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0])
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "acceptance")
    parser.add_argument("--tables", action="store_true")
    return parser.parse_args()


def run_case(name: str, seed: int, output: Path) -> float:
    """Train, export and score one case, and write what it gave."""
    from edgelstm.export import export_run
    from edgelstm.files import write_whole
    from edgelstm.train import fit_recipe, load_recipe

    start_s = time.perf_counter()
    folder = output / "runs" / f"{name}-{seed}"
    fitted = fit_recipe(load_recipe(ROOT / "models" / CASES[name].recipe / "recipe.toml", flags_of(name, seed)), folder,
                        overwrite=True)  # fmt: skip
    export = export_run(folder, precisions=["int8", "int8w"], max_metric_drop=MAX_DROP)
    result = {
        "case": name,
        "seed": seed,
        "recipe_sha256": recipe_digest(name, seed),
        "data_sha256": fitted.problem.data_sha256,
        "versions": fitted.run.record.contract.provenance.versions,
        "parameters": sum(tensor.size for tensor in fitted.run.weights.values()),
        "training_s": round(fitted.seconds, 1),
        "best_epoch": fitted.run.record.best_epoch,
        "validation": figures_of(name, fitted.evaluation.parts[0].scored) if len(fitted.evaluation.parts) > 1 else {},
        "test": figures_of(name, fitted.evaluation.parts[-1].scored),
        "files": files_of(name, export),
    }
    write_whole(output / f"{name}.{seed}.json", json.dumps(result, indent=1).encode() + b"\n")
    return time.perf_counter() - start_s


def flags_of(name: str, seed: int) -> dict[str, dict[str, Any]]:
    flags = {section: dict(values) for section, values in CASES[name].flags.items()}
    flags.setdefault("training", {})["seed"] = seed
    flags[""] = {"name": name}
    return flags


def recipe_digest(name: str, seed: int) -> str:
    """Hash what a result is of: the recipe file and the options over it."""
    recipe = (ROOT / "models" / CASES[name].recipe / "recipe.toml").read_bytes()
    return hashlib.sha256(recipe + json.dumps(flags_of(name, seed), sort_keys=True).encode()).hexdigest()


def figures_of(name: str, scored: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Read the figures of a case off the scores of the network and its baselines."""
    return {
        who: {figure.name: figure.read(found.score, found.details) for figure in CASES[name].figures}
        for who, found in scored.items()
    }


def files_of(name: str, export: Any) -> dict[str, Any]:
    """Score each file once more with its details, and say which int8 form is recommended."""
    from edgelstm.bench.answers import answerer_of
    from edgelstm.data.scores.score import score
    from edgelstm.runtime import load

    contract, heldout, judged = export.run.record.contract, export.run.heldout, export.judgement
    files = {}
    for file, found in zip(export.files, judged.files, strict=True):
        scored = score(answerer_of(load(file.path), heldout), heldout, contract.outputs, contract.answer)
        figures = {figure.name: figure.read(scored.score, scored.details) for figure in CASES[name].figures}
        files[found.precision] = {"bytes": file.size_bytes, "drop": found.drop, **figures}
    shipped = next(found.precision for found in judged.files if found.name == judged.ship)
    within = [form for form in ("int8", "int8w") if files[form]["drop"] <= MAX_DROP]
    recommended = shipped if shipped in within else min(within, key=lambda form: files[form]["bytes"], default=None)
    return {"recommended": recommended, **files}


def read_result(output: Path, name: str, seed: int) -> dict[str, Any] | None:
    """Read a result, if there is one of this very recipe."""
    try:
        result: dict[str, Any] = json.loads((output / f"{name}.{seed}.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return result if result.get("recipe_sha256") == recipe_digest(name, seed) else None


def report(output: Path, names: list[str], seeds: list[int]) -> int:
    """Say for each case whether the mean over the seeds holds its bars, and its int8 form the limit."""
    failed = 0
    for name in names:
        results = [read_result(output, name, seed) for seed in seeds]
        known = [result for result in results if result is not None]
        for figure in CASES[name].figures:
            values = [result["test"]["network"][figure.name] for result in known]
            held = figure.holds(mean(values))
            failed += not held
            bar = "" if figure.bar is None else f"  bar {'>=' if figure.higher else '<'} {figure.bar:g}"
            verdict = "" if figure.bar is None else "  holds" if held else "  NOT REACHED"
            spread = f" +- {pstdev(values):.4f}" if len(values) > 1 else ""
            print(f"{name:24} {figure.name:22} {mean(values):.4f}{spread}{bar}{verdict}")
        forms = [result["files"]["recommended"] for result in known]
        held = all(forms)
        failed += not held
        drops = ", ".join(f"{form} {result['files'][form]['drop']:+.2%}" if form else "none within 1 %"
                          for form, result in zip(forms, known, strict=True))  # fmt: skip
        print(f"{name:24} {'recommended int8 form':22} {drops}{'' if held else '  NOT REACHED'}")
    return 1 if failed else 0


def write_tables(output: Path) -> None:
    """Put the figures of every seed into the card of each recipe."""
    for recipe in sorted({case.recipe for case in CASES.values()}):
        card = ROOT / "models" / recipe / "README.md"
        tables = [table_of(output, name) for name, case in CASES.items() if case.recipe == recipe]
        text = re.sub(f"{BEGIN}.*?{END}", f"{BEGIN}\n\n" + "\n\n".join(filter(None, tables)) + f"\n\n{END}",
                      card.read_text(), flags=re.DOTALL)  # fmt: skip
        card.write_text(text)


def table_of(output: Path, name: str) -> str:
    """A table of one case: baselines, each seed, their mean, and the files of the first seed."""
    results = sorted((json.loads(path.read_text()) for path in output.glob(f"{name}.*.json")), key=lambda r: r["seed"])
    if not results:
        return ""
    figures = [figure.name for figure in CASES[name].figures]
    rows = [["", *figures], ["---"] * (len(figures) + 1)]
    for who, found in results[0]["test"].items():
        if who != "network":
            rows.append([who, *(text(found[figure]) for figure in figures)])
    for result in results:
        rows.append([f"LSTM, seed {result['seed']}", *(text(result["test"]["network"][figure]) for figure in figures)])
    values = {figure: [result["test"]["network"][figure] for result in results] for figure in figures}
    rows.append([f"**LSTM, mean of {len(results)} seeds**",
                 *(f"**{text(mean(values[f]))}** ± {text(pstdev(values[f]))}" for f in figures)])  # fmt: skip
    for form in ("fp32", "int8", "int8w"):
        found = [result["files"][form] for result in results]
        said = ", recommended" if [r["files"]["recommended"] for r in results].count(form) * 2 > len(results) else ""
        rows.append([f"{form} file{said}, {found[0]['bytes']:,} bytes",
                     *(text(mean(one[figure] for one in found)) for figure in figures)])  # fmt: skip
    seconds = ", ".join(f"{result['training_s']:.0f}" for result in results)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    parameters = f"{results[0]['parameters']:,} weights; training took {seconds} s on one thread of a shared machine."
    return "\n".join([f"**{name}**, test part:", "", *lines, "", parameters])


def text(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
