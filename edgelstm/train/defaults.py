"""Defaults: settings that are not given are chosen by rules from the data; flags and recipes override them.

The measurements behind the rules, on twelve public tables: decisions/0031.
"""

from __future__ import annotations

import math
from typing import Any

from edgelstm.data.parts import Rows64
from edgelstm.data.windows import Windows
from edgelstm.recipe.file import check_recipe
from edgelstm.recipe.recipe import Recipe
from edgelstm.recipe.sections import TIME_LIMIT
from edgelstm.train.problem import Problem

# For labels, for classes, for a carried state, and if there is no validation data to choose on.
USUAL: dict[str, dict[str, Any]] = {
    "network": {"hidden_size": 64, "segment": 1, "dropout": 0.0, "scaling": "standard"},
    "training": {"epochs": 60, "batch_size": 32, "learning_rate": 1e-3, "schedule": "constant", "average": 0.0},
}
# For fine-tuning the weights of a run: gentle enough to keep what they learned.
TRAINED_ON: dict[str, dict[str, Any]] = {
    "network": {"dropout": 0.0},
    "training": {"epochs": 20, "learning_rate": 1e-3, "schedule": "cosine", "average": 0.0},
}
LEAST_WINDOW, SEASONS = 48, 3  # samples in a window; seasons in it, if up to 48 samples long, fewer longer ones
STEPS = 7  # best number of LSTM steps in a window, each of one segment
FEWEST_STEPS, MOST_STEPS = 4, 12
LARGE = 20_000  # windows, from which a larger LSTM pays off
LONG_EPOCHS = 10
SHORT_TRAINING = 250  # optimizer steps for a small table
SECONDS = 200.0  # estimated limit of all epochs, so that the time limit is never reached
MULTIPLICATIONS = 8e9  # per second, by one thread of a laptop
STEP_S = 1.5e-3  # per optimizer step, for any network
THREADED = 2**25  # multiplications per batch and step, from which more than one thread pays off
SIZES_DIFFER = 3.0  # the largest spread of a series over the smallest


def window_steps(season: int | None, horizon: int, rows: int) -> int:
    """Choose the window of a forecaster: a few seasons, but at most a quarter of the training rows.

    Args:
        season: samples in a season; None without one.
        horizon: samples to forecast.
        rows: number of training rows.

    Example:
        >>> window_steps(24, 24, 10_000), window_steps(12, 12, 101), window_steps(None, 3, 25)
        (72, 24, 6)
    """
    most = max(2, rows // 4)
    if season is None or season >= most:
        return min(max(LEAST_WINDOW, horizon), most)
    seasons = SEASONS if season <= LEAST_WINDOW else 2 if season <= 256 else 1
    seasons = max(seasons, math.ceil(LEAST_WINDOW / season), math.ceil(horizon / season))
    return season * max(1, min(seasons, most // season))


def overlaps(recipe: Recipe) -> bool:
    """Whether held-out windows reach back: for forecasts, unless the part is a separate file that may not follow on."""
    split = recipe.split
    return recipe.traits.has_horizon and not (split.validation_path or split.test_path)


def settle(recipe: Recipe, problem: Problem) -> Recipe:
    """Fill in every key that was not given, so that the run records what it was trained with.

    Args:
        recipe: as given.
        problem: read from its data.

    Raises:
        RecipeError: the recipe contradicts the data.
    """
    chosen: dict[str, dict[str, Any]] = {
        "data": {"season": problem.season},
        "split": {"overlap": overlaps(recipe)},
        "window": {"steps": problem.window},
        **_by_task(recipe, problem),
    }
    content = recipe.model_dump(mode="json")
    for section, values in chosen.items():
        for key, value in values.items():
            if content[section][key] is None:
                content[section][key] = value
    _settle_threads(content, problem)
    return check_recipe(content, "options")


def chosen_words(asked: Recipe, settled: Recipe) -> str:
    """Say in one line what was chosen by rules; empty if everything was given.

    Example:
        >>> from edgelstm.recipe.file import load_recipe
        >>> asked = load_recipe(None, {"data": {"path": "x.csv", "targets": ("y",)}})
        >>> chosen_words(asked, asked.model_copy(update={"network": asked.network.model_copy(update={"segment": 6})}))
        'chosen: segments of 6'
    """
    words = {
        ("network", "hidden_size"): "hidden size {}",
        ("network", "segment"): "segments of {}",
        ("network", "scaling"): "scaling {}",
        ("network", "dropout"): "dropout {}",
        ("training", "epochs"): "{} epochs",
        ("training", "epoch_windows"): "of {} windows each",
        ("training", "batch_size"): "batches of {}",
        ("training", "learning_rate"): "learning rate {}",
        ("training", "schedule"): "schedule {}",
        ("training", "average"): "weights averaged with {}",
        ("training", "threads"): "threads {}",
        ("training", "time_limit"): "time limit {}",
    }
    quantization, told = settled.quantization, []
    if quantization is not None and quantization.start is not None:  # fine-tuning has its own epochs and schedule
        words = {place: word for place, word in words.items() if place[1] not in ("epochs", "schedule", "average")}
    for (section, key), word in words.items():
        before, after = (getattr(getattr(recipe, section), key) for recipe in (asked, settled))
        if (
            before is None
            and after is not None
            and (key, after) not in (("segment", 1), ("dropout", 0), ("average", 0))
        ):
            told.append(word.format(after))
    return f"chosen: {', '.join(told)}" if told else ""


def _by_task(recipe: Recipe, problem: Problem) -> dict[str, dict[str, Any]]:
    if recipe.network.run is not None:
        training = {**TRAINED_ON["training"], "batch_size": _batch(len(problem.training))}
        return {"network": TRAINED_ON["network"], "training": training}
    return _for_forecasts(recipe, problem) if _by_windows(recipe, problem) else _usual(recipe, problem)


def _by_windows(recipe: Recipe, problem: Problem) -> bool:
    return recipe.traits.has_horizon and recipe.network.state == "window" and problem.validation is not None


def _usual(recipe: Recipe, problem: Problem) -> dict[str, dict[str, Any]]:
    scaling = _scaling(problem) if recipe.traits.has_horizon and recipe.network.state == "window" else "standard"
    return {**USUAL, "network": {**USUAL["network"], "scaling": scaling}}


def _for_forecasts(recipe: Recipe, problem: Problem) -> dict[str, dict[str, Any]]:
    count = len(problem.training)
    batch = recipe.training.batch_size or _batch(count)
    segment = recipe.network.segment or segment_of(problem.window, problem.season)
    hidden = recipe.network.hidden_size or (64 if count >= LARGE else 32)
    by_rule = recipe.training.epochs is None
    epochs = recipe.training.epochs or max(LONG_EPOCHS, math.ceil(SHORT_TRAINING / math.ceil(count / batch)))
    drawn = _drawn(count, batch, epochs, _window_work(recipe, problem, hidden, segment)) if by_rule else count
    return {
        "network": {"hidden_size": hidden, "segment": segment, "dropout": 0.3, "scaling": _scaling(problem)},
        "training": {
            "epochs": epochs,
            "epoch_windows": drawn if drawn < count else None,
            "time_limit": TIME_LIMIT if by_rule else None,
            "batch_size": batch,
            "learning_rate": 3e-3,
            "schedule": "one-cycle",
            "average": 0.98,
        },
    }


def _batch(count: int) -> int:
    """Choose the batch size: larger for more windows, as a few thousand optimizer steps are enough for any table.

    Example:
        >>> [_batch(count) for count in (60, 600, 3_000, 12_000, 100_000)]
        [16, 32, 64, 128, 256]
    """
    return next((size for most, size in ((300, 16), (1_500, 32), (8_000, 64), (25_000, 128)) if count < most), 256)


def segment_of(steps: int, season: int | None) -> int:
    """Choose how many samples the LSTM reads in one step: about a seventh of the window, aligned with the season.

    Example:
        >>> segment_of(168, 24), segment_of(72, 24), segment_of(60, 7), segment_of(13, None)
        (24, 12, 10, 1)
    """
    fitting = [size for size in range(2, steps) if steps % size == 0 and FEWEST_STEPS <= steps // size <= MOST_STEPS]
    in_step = [size for size in fitting if season and (season % size == 0 or size % season == 0)]
    found = in_step or fitting
    return min(found, key=lambda size: abs(math.log(steps / size / STEPS))) if found else 1


def _scaling(problem: Problem) -> str:
    """Choose relative scaling if the past of the targets is among the inputs, and instance if series differ in size."""
    training = problem.training
    if not problem.own or not isinstance(training, Windows) or training.steps < 2:
        return "standard"
    return "instance" if training.spreads is not None and _differ(training.spreads) else "relative"


def _differ(spreads: Rows64) -> bool:
    return bool((spreads.max(axis=0) > SIZES_DIFFER * spreads.min(axis=0)).any())


def _window_work(recipe: Recipe, problem: Problem, hidden: int, segment: int) -> float:
    """Estimate the multiplications of one window, forward and backward."""
    network, inputs = recipe.network, len(problem.inputs)
    sequences, width = (inputs, segment) if network.shared else (1, segment * inputs)
    steps, directions = problem.window / segment, 1 + network.bidirectional
    lstm = steps * directions * 4 * hidden * (width + hidden + (network.num_layers - 1) * (1 + directions) * hidden)
    line = problem.window * inputs * problem.horizon * len(problem.outputs) / (sequences**2)
    return 3 * sequences * (lstm + line)


def _drawn(count: int, batch: int, epochs: int, work: float) -> int:
    """Choose how many windows an epoch draws: all of them, unless the table would take hours."""
    most = SECONDS / (epochs * (work / MULTIPLICATIONS + STEP_S / batch))
    if count <= most:
        return count
    digits: int = 10 ** max(0, int(math.log10(most)) - 1)
    return max(batch, int(most / digits) * digits)


def _settle_threads(content: dict[str, Any], problem: Problem) -> None:
    """Use one thread for a small network: several threads wait for each other and for other processes.

    Next to busy processes, 471 windows took 62.6 to 139 s with torch's default, and 1.9 to 14 s with one thread.
    """
    network, training = content["network"], content["training"]
    width = (network["segment"] or 1) * len(problem.inputs)
    work = training["batch_size"] * 4 * network["hidden_size"] * (width + network["hidden_size"])
    if training["threads"] is None and work < THREADED:
        training["threads"] = 1
