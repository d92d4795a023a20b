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
from edgelstm.data.scaling import measure
from edgelstm.errors import DataError, RecipeError, RunError, TrainingError
from edgelstm.files import write_whole
from edgelstm.network import carried_states
from edgelstm.run import (
    METRICS,
    RECIPE,
    RECORD,
    RUN_FORMAT_VERSION,
    Run,
    RunRecord,
    golden_inputs,
    pack_weights,
    read_run,
    write_run,
)
from edgelstm.train.evaluate import PartScores, answer, contract_metrics, evaluate, metrics_json
from edgelstm.train.loop import Trained, run_loop
from edgelstm.train.network import ForecastNetwork, NetworkShape
from edgelstm.train.plots import plot_forecast, plot_loss
from edgelstm.train.problem import Problem, problem_from_arrays, problem_from_recipe
from edgelstm.train.quantized import QuantizedNetwork
from edgelstm.train.recipe import NetworkRecipe, QuantizationRecipe, Recipe, TrainingRecipe, check_recipe, nearest

CHECKPOINTS = ("resume.ckpt", "finetune.ckpt")


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


def _load_start(network: ForecastNetwork, problem: Problem, start: str) -> None:
    """Take the weights of a run, and see that they are of such a network, trained on this data."""
    run = read_run(start)
    if run.record.network != network.describe():
        raise RecipeError(f"quantization.start: {start} holds another network than the recipe asks for")
    same_scaling = all(np.array_equal(run.weights[name], tensor.numpy()) for name, tensor in network.named_buffers())
    if run.record.contract.provenance.data_sha256 != problem.data_sha256 or not same_scaling:
        raise DataError(f"quantization.start: {start} was trained on other data; bring that back, or train anew")
    network.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in run.weights.items()})


def _make_network(asked: _Asked) -> ForecastNetwork:
    """Make the network, and refuse what cannot be trained before anything is written."""
    problem, options = asked.problem, asked.network
    if asked.training.patience is not None and problem.validation is None:
        raise RecipeError("training.patience: early stopping needs validation data; give some or leave it out")
    inputs = tuple(channel.name for channel in problem.inputs)
    outputs = tuple(channel.name for channel in problem.outputs)
    scaling = measure(options.scaling, problem.training, inputs, outputs)
    horizon = problem.training.horizon
    shape = NetworkShape(
        len(inputs), options.hidden_size, options.num_layers, horizon, len(outputs), scaling.relative_inputs
    )
    torch.manual_seed(asked.training.seed)
    network = ForecastNetwork(shape, scaling, options.dropout, every_step=options.state == "carried")
    if asked.quantization is not None and asked.quantization.start is not None:
        _load_start(network, problem, asked.quantization.start)
    return network


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
    golden_x = golden_inputs(problem.test or problem.validation or problem.training, contract).x
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


def _claim(directory: Path, record: dict[str, Any], overwrite: bool) -> None:
    """Begin a run: remove what an older one left, and keep the recipe where a resume will look."""
    old = [path for path in (directory / name for name in (RECORD, *CHECKPOINTS)) if path.exists()]
    if old and not overwrite:
        unfinished = old[-1].name in CHECKPOINTS
        raise RunError(
            f"{directory}: a {'run' if old[0].name == RECORD else 'begun training'} lies there already; give another "
            f"--output, or --overwrite{', or `edgelstm train --resume` to go on with it' if unfinished else ''}"
        )
    for path in (*old, *(directory.glob("*.onnx") if overwrite else ())):  # files of the old weights go with them
        path.unlink()
    write_whole(directory / RECIPE, json.dumps(record, indent=1, sort_keys=True).encode() + b"\n")


def _check_resumable(directory: Path, record: dict[str, Any]) -> None:
    """See that an unfinished training with the same settings lies there."""
    if _recorded(directory) != json.loads(json.dumps(record)):
        raise TrainingError(f"{directory}: was begun with other settings; give the same ones or train elsewhere")
    if (directory / RECORD).exists() and not any((directory / name).exists() for name in CHECKPOINTS):
        raise TrainingError(
            f"{directory}: this training is finished; leave out --resume, or begin anew with --overwrite"
        )


def _recorded(directory: Path) -> dict[str, Any]:
    try:
        recorded: dict[str, Any] = json.loads((directory / RECIPE).read_text())
    except FileNotFoundError as error:
        raise TrainingError(f"{directory}: there is no training to resume; leave out --resume") from error
    except ValueError as error:
        raise TrainingError(f"{directory / RECIPE}: damaged: {error}; train from the start") from error
    if not isinstance(recorded, dict):
        raise TrainingError(f"{directory / RECIPE}: damaged: expected a recipe, got {recorded!r}; train from the start")
    return recorded


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


def _first_difference(a: Recipe, b: Recipe) -> str:
    for section, values in a.model_dump(mode="json").items():
        other = b.model_dump(mode="json")[section]
        if not (isinstance(values, dict) and isinstance(other, dict)):
            values, other = {"": values}, {"": other}
        for key, value in values.items():
            if value != other[key]:
                return f"{section}.{key} {value!r}, not {other[key]!r}".replace(". ", " ")
    return "none"
