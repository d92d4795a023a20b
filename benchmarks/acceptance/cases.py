"""What is trained, and the figures to compare with the bars of the literature."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import ROOT
from benchmarks.case_runs import kept_result, result_path

MODELS = ROOT / "models"
MAX_DROP = 0.01  # of the recommended int8 form


class Figure(NamedTuple):
    """A figure, and the bar for its test mean over the seeds; None if there is none."""

    name: str
    read: Callable[[Any], float | None]
    bar: float | None = None
    higher: bool = False

    def holds(self, value: float) -> bool:
        return self.bar is None or (value >= self.bar if self.higher else value < self.bar)


class Case(NamedTuple):
    """A recipe, the options that override it, and its figures."""

    recipe: str
    flags: dict[str, dict[str, Any]]
    figures: tuple[Figure, ...]


def named(key: str) -> Callable[[Any], float | None]:
    return lambda scored: scored.score.get(key)


def detail(key: str) -> Callable[[Any], float | None]:
    return lambda scored: scored.details.get(key)


def of_series(name: str) -> Callable[[Any], float | None]:
    def read(scored: Any) -> float | None:
        found = [one["accuracy"] for one in scored.details["by_series"] if one["name"] == name]
        return found[0] if found else None

    return read


def etth1(horizon: int, dlinear: float) -> Case:
    figures = (Figure("MSE", named("scaled_mse"), dlinear), Figure("MAE", named("scaled_mae")))
    return Case("etth1", {"window": {"horizon": horizon}}, figures)


# The accuracy of the best threshold on light (362 lux). The first goal was 98.5 % of datatest, which none of about
# thirty configurations reached: nine in ten of the errors that light leaves there are short absences with the light on.
OFFICES = (
    Figure("accuracy", named("accuracy")),
    Figure("datatest", of_series("datatest"), 2608 / 2665, higher=True),
    Figure("datatest2", of_series("datatest2"), 9684 / 9752, higher=True),
)
OFFICES_UNBARRED = tuple(figure._replace(bar=None) for figure in OFFICES)
LIGHT_ALONE = {"data": {"features": ["Light"], "units": {}, "drift": {}}}
WITHOUT_LIGHT = {"data": {"features": ["Temperature", "Humidity", "CO2", "HumidityRatio"], "units": {}, "drift": {}}}
ENGINES = (Figure("RMSE", named("rmse"), 14.0), Figure("RMSE, uncapped truth", detail("uncapped_rmse")))
SPEAKERS = (Figure("accuracy", named("accuracy"), 0.98, higher=True), Figure("F1", named("macro_f1")))
CASES = {
    "co2": Case("co2", {}, (Figure("RMSE", named("rmse"), 0.506), Figure("MAE", named("mae")))),
    "etth1-96": etth1(96, 0.386),
    "etth1-192": etth1(192, 0.437),
    "etth1-336": etth1(336, 0.481),
    "etth1-720": etth1(720, 0.519),
    "cmapss": Case("cmapss", {}, ENGINES),
    "japanese-vowels": Case("japanese-vowels", {}, SPEAKERS),
    "occupancy": Case("occupancy", {}, OFFICES),
    "occupancy-light-alone": Case("occupancy", LIGHT_ALONE, OFFICES_UNBARRED),
    "occupancy-without-light": Case("occupancy", WITHOUT_LIGHT, OFFICES_UNBARRED),
}


def flags_of(name: str, seed: int) -> dict[str, dict[str, Any]]:
    flags = {section: dict(values) for section, values in CASES[name].flags.items()}
    flags.setdefault("training", {})["seed"] = seed
    flags[""] = {"name": name}
    return flags


def recipe_of(name: str) -> Path:
    return MODELS / CASES[name].recipe / "recipe.toml"


def recipe_digest(name: str, seed: int) -> str:
    """Hash what a result belongs to: the recipe file and the options over it."""
    flags = json.dumps(flags_of(name, seed), sort_keys=True).encode()
    return hashlib.sha256(recipe_of(name).read_bytes() + flags).hexdigest()


def figures_of(name: str, scored: Any) -> dict[str, float]:
    """Read the figures of a case from a score, without those that this part does not have."""
    found = {figure.name: figure.read(scored) for figure in CASES[name].figures}
    return {figure: value for figure, value in found.items() if value is not None}


def read_result(output: Path, name: str, seed: int) -> dict[str, Any] | None:
    """Read a result, if there is one for exactly this recipe."""
    return kept_result(result_path(output, name, seed), "recipe_sha256", recipe_digest(name, seed))
