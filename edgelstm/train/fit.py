"""Fit: from windows to a run directory. The story of this package, top to bottom."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgelstm import __version__
from edgelstm.contract import FORMAT_VERSION, Contract, Provenance
from edgelstm.errors import RecipeError, TrainingError
from edgelstm.network import carried_states
from edgelstm.report import Evaluation, evaluate_parts, run_files
from edgelstm.run import RECIPE, RUN_FORMAT_VERSION, Golden, Run, RunRecord, golden_inputs, pack_weights, write_run
from edgelstm.train.begun import CHECKPOINTS, check_resumable, claim, first_difference, recorded_in
from edgelstm.train.evaluate import NETWORK, QUANTIZED, PartScores, answer, answerers, contract_metrics, evaluate
from edgelstm.train.loop import Trained, run_loop
from edgelstm.train.network import LstmNetwork
from edgelstm.train.problem import Problem
from edgelstm.train.quantized import QuantizedNetwork
from edgelstm.train.recipe import DataRecipe, NetworkRecipe, Recipe, TrainingRecipe, WindowRecipe, nearest
from edgelstm.train.recipe_file import check_recipe
from edgelstm.train.setup import make_network
from edgelstm.train.tasks import TASKS, Arrays


@dataclass(frozen=True)
class Fitted:
    """A training that has ended.

    Attributes:
        run: as written to the run directory.
        scores: by part (`"validation"`, `"test"`) and forecaster (`"network"`, `"persistence"`, ...); after a
            fine-tuning also `"quantized"`, as its file will compute.
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
    resume: bool = False,
    progress: bool = True,
    quantization: Mapping[str, Any] | None = None,
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
        resume: go on with the killed or interrupted training in `directory`, on the same arrays and options.
        progress: tell on stderr how it goes.
        quantization: keys of a recipe's `[quantization]`, such as `{"precision": "int8"}`: fine-tune for such a file
            after the training. `{}` takes what is usual there, None leaves it out.
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
        >>> fitted.run.record.network.lstms[0].hidden_size
        4
    """
    recipe = _options(name, options, quantization)
    network, training = recipe.network, recipe.training
    every_step = network.state == "carried"
    problem = problem_from_arrays(x, y, validation, test, tuple(inputs), tuple(outputs), every_step, name)
    record = recipe.model_dump(mode="json", include={"name", "network", "training", "quantization"})
    asked = _Asked(problem, network, training, recipe.quantization, record)
    return _fit(asked, Path(directory), overwrite=overwrite, resume=resume, progress=progress)


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
    return _fit(_asked_by(recipe), Path(directory), overwrite=overwrite)


def resume_recipe(directory: str | Path, asked: Recipe | None = None) -> Fitted:
    """Go on with a training that was interrupted or killed; at most the running epoch was lost.

    Args:
        directory: the run directory of that training.
        asked: the recipe that somebody thinks it has; None to take the one that lies there.

    Raises:
        TrainingError: there is nothing to resume, or the recipe is another one.
    """
    directory = Path(directory)
    recorded = _recorded(directory)
    if "data" not in recorded:
        raise TrainingError(f"{directory}: was trained on arrays; edgelstm.train.fit(..., resume=True) goes on with it")
    recipe = check_recipe(recorded, str(directory / RECIPE))
    if asked is not None and asked != recipe:
        raise TrainingError(
            f"{directory}: was begun with other settings ({_first_difference(recipe, asked)}); give the same ones or "
            "train into another folder"
        )
    return _fit(_asked_by(recipe), directory, resume=True)


@dataclass(frozen=True)
class _Asked:
    """Everything one training is asked to do; `record` is the same as JSON values."""

    problem: Problem
    network: NetworkRecipe
    training: TrainingRecipe
    quantization: QuantizationRecipe | None
    record: dict[str, Any]


def _asked_by(recipe: Recipe) -> _Asked:
    record = recipe.model_dump(mode="json")
    return _Asked(problem_from_recipe(recipe), recipe.network, recipe.training, recipe.quantization, record)


def _fit(
    asked: _Asked, directory: Path, *, overwrite: bool = False, resume: bool = False, progress: bool = True
) -> Fitted:
    problem = asked.problem
    network = _make_network(asked)
    if resume:
        _check_resumable(directory, asked.record)
    else:
        _claim(directory, asked.record, overwrite)
    if progress:
        print("\n".join(problem.report), file=sys.stderr)
    for litter in directory.glob(".*.part"):  # of a kill in the middle of a write
        litter.unlink()
    trained = _train(network, asked, directory, progress)
    network.load_state_dict(trained.weights)
    quantized = None if asked.quantization is None else QuantizedNetwork(network, asked.quantization)
    scores = evaluate(network, problem, quantized)
    run = _make_run(network, asked, scores, trained.best_epoch, directory)
    write_run(run, _for_people(network, problem, scores, trained))
    if not trained.interrupted:
        for name in CHECKPOINTS:
            (directory / name).unlink(missing_ok=True)
    return Fitted(run, scores, problem, trained.interrupted, trained.seconds)


def _train(network: ForecastNetwork, asked: _Asked, directory: Path, progress: bool) -> Trained:
    """Train, and fine-tune what came out where that was asked for; either goes on from its checkpoint, if there is one.

    A training that had ended before a kill ends at once here: its last checkpoint holds the best weights.
    """
    problem, quantization = asked.problem, asked.quantization
    before = None
    if quantization is None or quantization.start is None:
        before = run_loop(network, problem, asked.training, directory / CHECKPOINTS[0], progress)
        if quantization is None or before.interrupted:
            return before
        network.load_state_dict(before.weights)
    if progress:
        print(f"fine-tuning for {quantization.precision}: losses are those of the simulated file", file=sys.stderr)
    simulated, gentler = QuantizedNetwork(network, quantization), quantization.training_of(asked.training)
    tuned = run_loop(simulated, problem, gentler, directory / CHECKPOINTS[1], progress, fine_tuning=True)
    return tuned if before is None else _joined(before, tuned)


def _joined(before: Trained, tuned: Trained) -> Trained:
    """Count the epochs of a fine-tuning on from those of the training."""
    epoch = len(before.history) + tuned.best_epoch if tuned.best_epoch else before.best_epoch
    return replace(
        tuned, history=before.history + tuned.history, best_epoch=epoch, seconds=before.seconds + tuned.seconds
    )


def _make_run(
    network: ForecastNetwork, asked: _Asked, scores: dict[str, PartScores], best_epoch: int, directory: Path
) -> Run:
    problem, options = asked.problem, asked.network
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
        lengths=False,
        trained_state=options.state,
        states=carried_states(network.describe()) if options.state == "carried" else (),
        scaling=options.scaling,
        sample_period_s=problem.period_s,
        quantization=None,
        fidelity=None,
        metrics=contract_metrics(scores, problem),
        provenance=Provenance(
            versions={"edgelstm": __version__, "torch": torch.__version__},
            data_sha256=problem.data_sha256,
            weights_sha256=pack_weights(weights)[1],
            seed=asked.training.seed,
        ),
    )
    record = RunRecord(RUN_FORMAT_VERSION, contract, network.describe(), asked.record, best_epoch)
    golden_x = spread_windows(problem.test or problem.validation or problem.training, contract)
    golden_y = np.concatenate([answer(network, row[np.newaxis]) for row in golden_x])
    return Run(directory, record, weights, golden_x, golden_y, problem.test)


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


def _options(name: str, options: dict[str, Any], quantization: Mapping[str, Any] | None) -> Recipe:
    """Sort keyword arguments into the sections of a recipe and check them there."""
    known = {**NetworkRecipe.model_fields, **TrainingRecipe.model_fields}
    for key in options.keys() - known:
        raise RecipeError(f"fit: {key}: there is no such option; {nearest(key, list(known))}")
    network = {key: value for key, value in options.items() if key in NetworkRecipe.model_fields}
    training = {key: value for key, value in options.items() if key in TrainingRecipe.model_fields}
    sections = {"network": network, "training": training, "quantization": quantization}
    # The data and windows are the caller's arrays.
    return check_recipe(
        {"name": name, "data": {"path": "", "targets": ("y",)}, "window": {"steps": 1}, **sections}, "fit"
    )


