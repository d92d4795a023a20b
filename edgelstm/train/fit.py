"""Fit: from windows to a run directory. The story of this package, top to bottom."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgelstm import __version__
from edgelstm.contract import FORMAT_VERSION, Contract, Provenance
from edgelstm.data.scaling import measure
from edgelstm.data.windows import Windows
from edgelstm.errors import RecipeError, RunError, TrainingError
from edgelstm.files import write_whole
from edgelstm.run import (
    METRICS,
    RECORD,
    RUN_FORMAT_VERSION,
    NetworkShape,
    Run,
    RunRecord,
    carried_states,
    pack_weights,
    write_run,
)
from edgelstm.train.evaluate import PartScores, answer, contract_metrics, evaluate, metrics_json
from edgelstm.train.loop import Trained, run_loop
from edgelstm.train.network import ForecastNetwork
from edgelstm.train.plots import plot_forecast, plot_loss
from edgelstm.train.problem import Problem, problem_from_arrays, problem_from_recipe
from edgelstm.train.recipe import NetworkRecipe, Recipe, TrainingRecipe, check_recipe, recipe_json

RECIPE = "recipe.json"
CHECKPOINT = "resume.ckpt"
GOLDEN_ROWS = 5
GOLDEN_BYTES = 256 * 2**10  # the vectors travel in every model file


@dataclass(frozen=True)
class Fitted:
    """A training that has ended.

    Attributes:
        run: as written to the run directory.
        scores: by part (`"validation"`, `"test"`) and forecaster (`"network"`, `"persistence"`, ...).
        problem: what was learned from.
        interrupted: Ctrl-C ended it; the best weights until then were kept.
        seconds: spent in the loop.
    """

    run: Run
    scores: dict[str, PartScores]
    problem: Problem
    interrupted: bool
    seconds: float


def fit(
    x: Any,
    y: Any,
    directory: str | Path,
    *,
    validation: tuple[Any, Any] | float | None = None,
    test: tuple[Any, Any] | None = None,
    name: str = "lstm",
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    overwrite: bool = False,
    **options: Any,
) -> Fitted:
    """Train on your own arrays and write a run directory.

    Args:
        x: float32 [N, T, F] windows in physical units.
        y: float32 [N, K, O] targets in physical units; [N, O] means K = 1. With `state="carried"`, targets
            behind every step: [N, T, K, O] or [N, T, O].
        directory: where the run goes.
        validation: a pair like (x, y), the fraction of the last windows to take, or None: then the weights of
            the last epoch are kept.
        test: a pair like (x, y) that is only scored; None for none.
        name: of the run and its model files.
        inputs: names of the input channels.
        outputs: names of the output channels. Where one is named like an input, that input is its past, which
            relative scaling and the baselines need.
        overwrite: replace a run that lies there.
        **options: any key of a recipe's `[network]` and `[training]`, such as `hidden_size=50`,
            `scaling="none"`, `epochs=100`.

    Returns:
        The run and its scores.

    Raises:
        InputError: arrays that do not fit each other, or that are not finite numbers.
        RecipeError: an unknown option or value.
        DataError: a constant channel.
        TrainingError: the loss is no longer a number.

    Example:
        >>> import numpy as np, tempfile
        >>> wave = np.sin(np.arange(200) / 5).astype(np.float32)
        >>> x = np.stack([wave[i : i + 20, None] for i in range(170)])
        >>> y = np.stack([wave[i + 20 : i + 21] for i in range(170)])
        >>> fitted = fit(x, y, tempfile.mkdtemp() + "/wave", hidden_size=4, epochs=1, validation=0.2)
        >>> fitted.run.record.network.hidden_size
        4
    """
    network, training = _options(options)
    every_step = network.state == "carried"
    problem = problem_from_arrays(x, y, validation, test, tuple(inputs), tuple(outputs), every_step, name)
    record = {
        "name": name,
        "network": network.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
    }
    directory = Path(directory)
    _claim(directory, json.dumps(record, indent=1, sort_keys=True) + "\n", overwrite)
    return _fit_problem(problem, network, training, record, directory)


def fit_recipe(recipe: Recipe, directory: str | Path, *, overwrite: bool = False) -> Fitted:
    """Train what a recipe asks for and write a run directory.

    Args:
        recipe: from `load_recipe`.
        directory: where the run goes.
        overwrite: replace a run that lies there.

    Raises:
        DataError: the data cannot be read, is too short, or has a constant channel.
        RecipeError: settings that contradict the data.
        RunError: a run lies there already.
        TrainingError: the loss is no longer a number.
    """
    problem = problem_from_recipe(recipe)
    directory = Path(directory)
    _claim(directory, recipe_json(recipe), overwrite)
    return _fit_problem(problem, recipe.network, recipe.training, recipe.model_dump(mode="json"), directory)


def resume_recipe(directory: str | Path, asked: Recipe | None = None) -> Fitted:
    """Go on with a training that was interrupted or killed; at most the running epoch was lost.

    Args:
        directory: the run directory of that training.
        asked: the recipe that somebody thinks it has; None to take the one that lies there.

    Raises:
        TrainingError: there is nothing to resume, or the recipe is another one.
    """
    directory = Path(directory)
    try:
        recipe = check_recipe(json.loads((directory / RECIPE).read_text()), str(directory / RECIPE))
    except FileNotFoundError as error:
        raise TrainingError(f"{directory}: there is no training to resume; leave out --resume") from error
    if asked is not None and asked != recipe:
        raise TrainingError(
            f"{directory}: was begun with other settings ({_first_difference(recipe, asked)}); give the same ones or "
            "train into another folder"
        )
    problem = problem_from_recipe(recipe)
    return _fit_problem(problem, recipe.network, recipe.training, recipe.model_dump(mode="json"), directory)


def _fit_problem(
    problem: Problem, options: NetworkRecipe, training: TrainingRecipe, recipe: Any, directory: Path
) -> Fitted:
    if training.patience is not None and problem.validation is None:
        raise RecipeError("training.patience: early stopping needs validation data; give some or leave it out")
    network = _make_network(problem, options, training.seed)
    trained = run_loop(network, problem, training, directory / CHECKPOINT)
    network.load_state_dict(trained.weights)
    scores = evaluate(network, problem)
    run = _make_run(network, problem, options, training, recipe, scores, trained.best_epoch, directory)
    write_run(run, _for_people(network, problem, scores, trained))
    if not trained.interrupted:
        (directory / CHECKPOINT).unlink(missing_ok=True)
    return Fitted(run, scores, problem, trained.interrupted, trained.seconds)


def _make_network(problem: Problem, options: NetworkRecipe, seed: int) -> ForecastNetwork:
    inputs = tuple(channel.name for channel in problem.inputs)
    outputs = tuple(channel.name for channel in problem.outputs)
    scaling = measure(options.scaling, problem.training, inputs, outputs)
    shape = NetworkShape(
        len(inputs),
        options.hidden_size,
        options.num_layers,
        problem.training.horizon,
        len(outputs),
        scaling.relative_inputs,
    )
    torch.manual_seed(seed)
    return ForecastNetwork(shape, scaling, options.dropout, every_step=options.state == "carried")


def _make_run(
    network: ForecastNetwork,
    problem: Problem,
    options: NetworkRecipe,
    training: TrainingRecipe,
    recipe: Any,
    scores: dict[str, PartScores],
    best_epoch: int,
    directory: Path,
) -> Run:
    weights: dict[str, NDArray[Any]] = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    contract = Contract(
        format_version=FORMAT_VERSION,
        name=problem.name,
        task="forecast",
        precision="fp32",
        inputs=problem.inputs,
        outputs=problem.outputs,
        window=problem.training.steps,
        horizon=problem.training.horizon,
        state=options.state,
        states=carried_states(network.shape) if options.state == "carried" else (),
        scaling=options.scaling,
        sample_period_s=problem.period_s,
        metrics=contract_metrics(scores, problem),
        provenance=Provenance(
            versions={"edgelstm": __version__, "torch": torch.__version__},
            data_sha256=problem.data_sha256,
            weights_sha256=pack_weights(weights)[1],
            seed=training.seed,
        ),
    )
    record = RunRecord(RUN_FORMAT_VERSION, contract, network.shape, recipe, best_epoch)
    golden_x = _golden_windows(problem.test or problem.validation or problem.training)
    golden_y = np.concatenate([answer(network, row[np.newaxis]) for row in golden_x])
    return Run(directory, record, weights, golden_x, golden_y, problem.test)


def _golden_windows(windows: Windows) -> NDArray[np.float32]:
    """Take a few windows, spread over the part; fewer of long ones."""
    window_bytes = 4 * windows.steps * windows.x_rows.shape[1]
    rows = max(1, min(GOLDEN_ROWS, len(windows), GOLDEN_BYTES // window_bytes))
    return windows.x(np.linspace(0, len(windows) - 1, rows).astype(np.int64))


def _for_people(
    network: ForecastNetwork, problem: Problem, scores: dict[str, PartScores], trained: Trained
) -> dict[str, bytes]:
    """Make the files that nobody but people (and their spreadsheets) reads."""
    rows = [
        f"{epoch},{training:.9g},{'' if math.isnan(validation) else format(validation, '.9g')}"
        for epoch, (training, validation) in enumerate(trained.history, start=1)
    ]
    return {
        METRICS: metrics_json(scores, problem),
        "loss.csv": "\n".join(["epoch,training_loss,validation_loss", *rows, ""]).encode(),
        "loss.png": plot_loss(trained.history, trained.best_epoch),
        "forecast.png": plot_forecast(network, problem, scores),
    }


def _claim(directory: Path, recipe: str, overwrite: bool) -> None:
    """Begin a run: keep its recipe where a resume will look, and remove what an older run left."""
    old = [path for path in (directory / RECORD, directory / CHECKPOINT) if path.exists()]
    if old and not overwrite:
        raise RunError(
            f"{directory}: a {'run' if old[0].name == RECORD else 'begun training'} lies there already; give another "
            "--output, or --overwrite, or --resume to go on with it"
        )
    for path in old:
        path.unlink()
    write_whole(directory / RECIPE, recipe.encode())


def _options(options: dict[str, Any]) -> tuple[NetworkRecipe, TrainingRecipe]:
    """Sort keyword arguments into the sections of a recipe and check them there."""
    network = {key: value for key, value in options.items() if key in NetworkRecipe.model_fields}
    training = {key: value for key, value in options.items() if key not in network}
    recipe = check_recipe(
        {
            "data": {"path": "arrays", "targets": ("y",)},
            "window": {"steps": 1},
            "network": network,
            "training": training,
        },
        "fit",
    )
    return recipe.network, recipe.training


def _first_difference(a: Recipe, b: Recipe) -> str:
    for section, values in a.model_dump(mode="json").items():
        other = b.model_dump(mode="json")[section]
        if not isinstance(values, dict):
            values, other = {"": values}, {"": other}
        for key, value in values.items():
            if value != other[key]:
                return f"{section}.{key} {value!r}, not {other[key]!r}".replace(". ", " ")
    return "none"
