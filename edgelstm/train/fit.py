"""Fit: from windows to a run directory. The pipeline of this package, top to bottom."""

from __future__ import annotations

import copy
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
from edgelstm.contract import FORMAT_VERSION, Contract, Provenance, Task, traits_of
from edgelstm.data.scores.scorer import Scored
from edgelstm.errors import RecipeError, TrainingError
from edgelstm.network import carried_states
from edgelstm.recipe.file import check_recipe
from edgelstm.recipe.recipe import Recipe
from edgelstm.recipe.sections import NetworkRecipe, TrainingRecipe, nearest
from edgelstm.report import (
    Evaluation,
    History,
    Part,
    contract_metrics,
    evaluate_parts,
    report_files,
)
from edgelstm.run import RECIPE, RUN_FORMAT_VERSION, Run, RunRecord, golden_inputs, pack_weights, write_run
from edgelstm.train.answers import NETWORK, QUANTIZED, answer, answerers_of, network_of_line, scores_of
from edgelstm.train.begun import CHECKPOINTS, check_resumable, claim, first_difference, recorded_in
from edgelstm.train.defaults import chosen_words, settle
from edgelstm.train.devices import check_devices
from edgelstm.train.imported import begun_with, fitting, with_run
from edgelstm.train.label_start import LabelStart
from edgelstm.train.loop import Trained, run_loop, threads
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.networks.quantized import QuantizedNetwork
from edgelstm.train.problem import Problem
from edgelstm.train.ranks import writes
from edgelstm.train.setup import Made, make_network
from edgelstm.train.starts import Start
from edgelstm.train.tasks import TASKS, Arrays


@dataclass(frozen=True)
class Fitted:
    """A finished training.

    Attributes:
        run: as written to the run directory.
        evaluation: of the network and its baselines on each held-out part; after a fine-tuning also
            `"quantized"`, as its file will compute.
        problem: the training data.
        recipe: the settings, including those chosen by rules.
        start: the line that the network started from; None without one.
        trained: the result of the loop.
        before: scores before the fine-tuning of a run, by network and part; empty for any other training.
    """

    run: Run
    evaluation: Evaluation
    problem: Problem
    recipe: Recipe
    start: Start | LabelStart | None
    trained: Trained
    before: dict[str, dict[str, Scored]]

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it; the best weights so far are kept."""
        return self.trained.interrupted

    @property
    def seconds(self) -> float:
        """Time in the loop."""
        return self.trained.seconds

    @property
    def written(self) -> bool:
        """Whether the run was written here: with several nodes, the first one writes it."""
        return writes(self.recipe.training)


def fit(
    x: Any,
    y: Any,
    directory: str | Path,
    *,
    task: Task = "forecast",
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
        x: float32 [N, T, F] windows in physical units; to classify and to label also a list of series [T, F] of
            different lengths.
        y: to forecast, float32 [N, K, O] targets in physical units; [N, O] means K = 1; with `state="carried"` targets
            after every step: [N, T, K, O] or [N, T, O]. To classify, the class of each series, N integers or texts.
            To label, a value for every step of each series: [T] classes with `classes=True`, None if unknown; or
            numbers [T] or [T, O], NaN if unknown.
        task: `"forecast"`, `"classify"` or `"label"`.
        directory: of the new run.
        validation: a pair like (x, y), the fraction of the last windows to use, or None: then the weights of
            the last epoch are kept.
        test: a pair like (x, y) that is only scored; None for none.
        name: of the run and its model files.
        inputs: names of the input channels.
        outputs: names of the output channels; for classes, the classes in order. An input with the same name is the
            past of that output, which relative scaling and the baselines need.
        overwrite: replace an existing run.
        resume: resume the killed or interrupted training in `directory`, with the same arrays and options.
        progress: show progress on stderr.
        quantization: keys of a recipe's `[quantization]`, such as `{"precision": "int8"}`: fine-tune for such a file
            after the training. `{}` uses the defaults, None does not fine-tune.
        **options: any key of a recipe's `[network]` and `[training]`, such as `hidden_size=50`,
            `scaling="none"`, `epochs=100`; `quantiles` of a forecast; `classes` and `cap` of labels; `steps`, the
            length of a chunk of a series to label, or the largest length of a series to classify.

    Returns:
        The run and its scores.

    Raises:
        InputError: the arrays do not fit each other, or are not finite numbers.
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
    recipe = _options(name, task, options, quantization, _window_of(x))
    begun = begun_with(recipe)
    recipe = recipe if begun is None else with_run(recipe, begun)
    problem = TASKS[recipe.task].from_arrays(Arrays(x, y, validation, test, tuple(inputs), tuple(outputs)), recipe)
    problem = problem if begun is None else fitting(problem, begun)
    settled = settle(recipe, problem)
    record = settled.model_dump(mode="json", exclude={"data": {"path"}, "split": True})
    return _fit(
        _Asked(problem, settled, record, chosen_words(recipe, settled)),
        Path(directory),
        overwrite=overwrite,
        resume=resume,
        progress=progress,
    )


def fit_recipe(recipe: Recipe, directory: str | Path, *, overwrite: bool = False) -> Fitted:
    """Train a recipe and write a run directory.

    Args:
        recipe: from `load_recipe`.
        directory: of the new run.
        overwrite: replace an existing run.

    Raises:
        DataError: the data cannot be read, is too short, or has a constant channel.
        RecipeError: settings contradict the data.
        RunError: a run already exists there.
        TrainingError: the loss is no longer a number.
    """
    return _fit(_asked_by(recipe), Path(directory), overwrite=overwrite)


def resume_recipe(directory: str | Path, asked: Recipe | None = None) -> Fitted:
    """Resume a training that was interrupted or killed; at most the running epoch was lost.

    Args:
        directory: the run directory of that training.
        asked: the recipe to check against the stored one; None for no check.

    Raises:
        TrainingError: there is nothing to resume, or the recipe differs.
    """
    directory = Path(directory)
    recorded = recorded_in(directory)
    if "split" not in recorded:
        raise TrainingError(f"{directory}: was trained on arrays; resume it with edgelstm.train.fit(..., resume=True)")
    recipe = check_recipe(recorded, str(directory / RECIPE))
    if asked is not None and first_difference(recipe, asked):
        raise TrainingError(
            f"{directory}: was started with other settings ({first_difference(recipe, asked)}); give the same ones, or "
            "another --output"
        )
    return _fit(_asked_by(recipe), directory, resume=True)


@dataclass(frozen=True)
class _Asked:
    """The data, the recipe, the recipe as JSON values, and one line that says what was chosen by rules."""

    problem: Problem
    recipe: Recipe
    record: dict[str, Any]
    chosen: str


def _asked_by(recipe: Recipe) -> _Asked:
    begun = begun_with(recipe)
    recipe = recipe if begun is None else with_run(recipe, begun)
    problem = TASKS[recipe.task].read(recipe)
    problem = problem if begun is None else fitting(problem, begun)
    settled = settle(recipe, problem)
    return _Asked(problem, settled, settled.model_dump(mode="json"), chosen_words(recipe, settled))


def _fit(
    asked: _Asked, directory: Path, *, overwrite: bool = False, resume: bool = False, progress: bool = True
) -> Fitted:
    problem, recipe = asked.problem, asked.recipe
    made = make_network(problem, recipe)
    check_devices(problem, recipe.training, made.network.plan.every_step)
    if not writes(recipe.training):
        return _trained(asked, made, directory, progress=False)
    if resume:
        check_resumable(directory, asked.record)
    else:
        claim(directory, asked.record, overwrite)
    if progress:
        print("\n".join([*problem.report, *filter(None, (asked.chosen, _start_words(made, problem)))]), file=sys.stderr)
    for litter in directory.glob(".*.part"):  # from a kill during a write
        litter.unlink()
    fitted = _trained(asked, made, directory, progress)
    write_run(fitted.run, _for_people(fitted.evaluation, fitted.trained))
    if not fitted.interrupted:
        for name in CHECKPOINTS:
            (directory / name).unlink(missing_ok=True)
    return fitted


def _trained(asked: _Asked, made: Made, directory: Path, progress: bool) -> Fitted:
    """Train and evaluate, on every node; the first node writes the result."""
    network, recipe = made.network, asked.recipe
    of_a_run = recipe.network.run is not None or (recipe.quantization is not None and recipe.quantization.start)
    untuned = copy.deepcopy(network) if of_a_run else None
    trained = _train(network, asked, directory, progress)
    network.load_state_dict(trained.weights)
    # The windows of a report are answered one by one: a second thread waits for the first at each of their steps, and
    # for its turn if other processes are busy. That took half of the time of a small training.
    with threads(recipe.training.threads):
        evaluation = _evaluate(network, asked)
        before = {} if untuned is None else scores_of(asked.problem, _networks(untuned, recipe))
        run = _make_run(network, asked, evaluation, trained.best_epoch, directory)
    return Fitted(run, evaluation, asked.problem, recipe, made.start, trained, before)


def _start_words(made: Made, problem: Problem) -> str:
    """Say what the network starts from, or why it has no start."""
    if made.start is None:
        return made.said
    score = math.nan if isinstance(made.start, LabelStart) else made.start.scaled_rmse
    if math.isnan(score):
        return f"start: {made.start.words}"
    targets = problem.outputs[:: max(1, len(problem.levels))]
    if len(targets) > 1 or problem.many_series:
        return f"start: {made.start.words}, scaled validation RMSE {score:.4g}"
    return (
        f"start: {made.start.words}, validation RMSE {score * targets[0].spread:.4g} {targets[0].unit or ''}".rstrip()
    )


def _train(network: LstmNetwork, asked: _Asked, directory: Path, progress: bool) -> Trained:
    """Train, then fine-tune if asked to; both resume from their checkpoints, if there are any.

    A training that had ended before a kill ends at once: its last checkpoint holds the best weights.
    """
    problem, recipe, quantization = asked.problem, asked.recipe, asked.recipe.quantization
    before = None
    if quantization is None or quantization.start is None:
        begun = recipe.network.run is not None
        checkpoint = directory / CHECKPOINTS[0]
        before = run_loop(network, problem, recipe.training, checkpoint, progress, fine_tuning=begun)
        if quantization is None or before.interrupted:
            return before
        network.load_state_dict(before.weights)
    if progress:
        print(f"fine-tuning for {quantization.precision}: the losses are those of the simulated file", file=sys.stderr)
    simulated, gentler = QuantizedNetwork(network, quantization), quantization.training_of(recipe.training)
    tuned = run_loop(simulated, problem, gentler, directory / CHECKPOINTS[1], progress, fine_tuning=True)
    return tuned if before is None else _joined(before, tuned)


def _joined(before: Trained, tuned: Trained) -> Trained:
    """Number the epochs of the fine-tuning after those of the training."""
    epoch = len(before.history) + tuned.best_epoch if tuned.best_epoch else before.best_epoch
    return replace(
        tuned, history=before.history + tuned.history, best_epoch=epoch, seconds=before.seconds + tuned.seconds
    )


def _evaluate(network: LstmNetwork, asked: _Asked) -> Evaluation:
    """Evaluate the network, its simulated file if it was fine-tuned, and the baselines."""
    problem, networks = asked.problem, _networks(network, asked.recipe)
    line = network_of_line(network) if problem.traits.has_horizon and network.plan.network.highway else None
    contract = _draft(network, asked, "")
    parts = [
        Part(part, problem.held_out[part], *found, {}) for part, found in answerers_of(problem, networks, line).items()
    ]
    return evaluate_parts(contract, parts, data_sha256=problem.data_sha256, season=problem.season)


def _networks(network: LstmNetwork, recipe: Recipe) -> dict[str, LstmNetwork]:
    """Name a network, and its simulated file if it is fine-tuned for one."""
    quantized = {} if recipe.quantization is None else {QUANTIZED: QuantizedNetwork(network, recipe.quantization)}
    return {NETWORK: network, **quantized}


def _make_run(network: LstmNetwork, asked: _Asked, evaluation: Evaluation, best_epoch: int, directory: Path) -> Run:
    problem = asked.problem
    weights: dict[str, NDArray[Any]] = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    contract = _draft(network, asked, pack_weights(weights)[1])
    contract = replace(contract, metrics=contract_metrics(evaluation, NETWORK))
    record = RunRecord(RUN_FORMAT_VERSION, contract, network.plan.network, asked.record, best_epoch)
    golden = golden_inputs(problem.test or problem.validation or problem.training, contract)
    y = answer(network, golden.x, golden.lengths, golden.times, rows=1)
    y = y if problem.traits.has_horizon else y[..., 0, :]
    return Run(directory, record, weights, golden.x, y, problem.test, golden.lengths, golden_times=golden.times)


def _draft(network: LstmNetwork, asked: _Asked, weights_sha256: str) -> Contract:
    """Make the contract before anything is measured."""
    problem, options = asked.problem, asked.recipe.network
    return Contract(
        format_version=FORMAT_VERSION,
        name=problem.name,
        task=problem.task,
        precision="fp32",
        inputs=problem.inputs,
        outputs=problem.outputs,
        window=problem.window,
        horizon=problem.horizon,
        lengths=problem.traits.takes_lengths,
        state=options.state,
        trained_state=options.state,
        states=carried_states(network.plan.network) if options.state == "carried" else (),
        scaling=options.scaling,
        sample_period_s=problem.period_s,
        quantization=None,
        fidelity=None,
        metrics=(),
        provenance=Provenance(
            versions={"edgelstm": __version__, "torch": torch.__version__},
            data_sha256=problem.data_sha256,
            weights_sha256=weights_sha256,
            seed=asked.recipe.training.seed,
        ),
        answer=problem.answer,
        times=network.plan.network.times,
        reading=problem.reading,
        many_series=problem.many_series,
    )


def _for_people(evaluation: Evaluation, trained: Trained) -> dict[str, bytes]:
    """Make the files that edgelstm itself does not read."""
    history = History(trained.history, trained.best_epoch)
    return {"loss.csv": _loss_csv(trained), **report_files(evaluation, history)}


def _loss_csv(trained: Trained) -> bytes:
    rows = [
        f"{epoch},{training:.9g},{'' if math.isnan(validation) else format(validation, '.9g')}"
        for epoch, (training, validation) in enumerate(trained.history, start=1)
    ]
    return "\n".join(["epoch,training_loss,validation_loss", *rows, ""]).encode()


def _window_of(x: Any) -> int:
    """Give the steps of windows [N, T, F]; 1 if x is not an array of windows, which is refused later with a reason."""
    try:
        shape = np.shape(x)
    except ValueError:
        return 1
    return max(1, shape[1]) if len(shape) == 3 else 1


def _options(
    name: str, task: Task, options: dict[str, Any], quantization: Mapping[str, Any] | None, window: int
) -> Recipe:
    """Sort keyword arguments into the sections of a recipe, and check them."""
    places = {
        **dict.fromkeys(NetworkRecipe.model_fields, "network"),
        **dict.fromkeys(TrainingRecipe.model_fields, "training"),
        **dict.fromkeys(("classes", "cap"), "data"),
        **dict.fromkeys(("quantiles", "steps"), "window"),
    }
    # The data and windows are the caller's arrays.
    sections: dict[str, Any] = {"data": {"path": "", "targets": ("y",)}, "window": {}, "network": {}, "training": {}}
    for key, value in options.items():
        if key not in places:
            raise RecipeError(f"fit: {key}: unknown option; {nearest(key, list(places))}")
        sections[places[key]][key] = value
    if task in TASKS and traits_of(task).has_horizon:  # `check_recipe` refuses an unknown task
        if "steps" in options:
            raise RecipeError("fit: steps: forecast windows have the steps of x; remove it")
        sections["window"]["steps"] = window
    return check_recipe({"name": name, "task": task, "quantization": quantization, **sections}, "fit")
