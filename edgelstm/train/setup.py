"""Make the network of a recipe, or refuse what cannot be trained before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from edgelstm.data.baselines.scaled import Space
from edgelstm.data.scaling import Scaling, measure, measure_rows
from edgelstm.data.windows import Windows
from edgelstm.errors import DataError, RecipeError, TrainingError
from edgelstm.network import Weights
from edgelstm.recipe.recipe import Recipe
from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.run import Run, read_run
from edgelstm.train.imported import begun_with, layers_of
from edgelstm.train.label_start import LabelStart, start_weights
from edgelstm.train.losses import DEFAULTS
from edgelstm.train.networks.network import LstmNetwork, begin_orthogonal
from edgelstm.train.networks.plan import plan_for, plan_of
from edgelstm.train.problem import Problem
from edgelstm.train.starts import Chosen, Start, begin_with, choose_start

CONSTANTS = ("input_offset", "input_factor", "output_scale", "output_offset")


@dataclass(frozen=True)
class Made:
    """A network that is ready to be trained.

    Attributes:
        network: with its initial weights.
        start: the line that it starts from, for classes their log-odds; None without one.
        said: why there is no start, in a line for people; empty if there is one.
    """

    network: LstmNetwork
    start: Start | LabelStart | None
    said: str


def make_network(problem: Problem, recipe: Recipe) -> Made:
    """Make the network, with scaling measured on the training part, and a line as its start if possible.

    Args:
        problem: what to learn.
        recipe: complete, see `edgelstm.train.defaults`.

    Raises:
        RecipeError: settings contradict the data.
        DataError: a channel is constant, or the initial weights belong to other data.
        TrainingError: the arithmetic needs a GPU, and there is none; there is no silent fallback.
    """
    training, quantization = recipe.training, recipe.quantization
    _check(problem, training)
    begun = begun_with(recipe)
    if begun is not None:
        return Made(_trained_on(problem, recipe, begun), None, "")
    scaling = _scaling(problem, recipe.network.scaling)
    tuned = None if quantization is None or quantization.start is None else read_run(quantization.start)
    chosen = Chosen(None, "")
    if tuned is None and problem.traits.has_horizon:
        loss = training.loss or DEFAULTS[problem.answer]
        chosen = choose_start(problem, scaling, recipe.network, loss)
    of_label = None
    if tuned is None and problem.traits.every_step and recipe.network.start == "auto":
        of_label = start_weights(problem, scaling)
    torch.manual_seed(training.seed)
    highway = 1 if of_label is not None else _highway(problem, chosen, tuned)
    at_levels = _at_levels(scaling, problem)
    network = LstmNetwork(plan_of(problem, recipe, at_levels, highway), _constants(at_levels))
    if training.initialization == "orthogonal":
        begin_orthogonal(network)
    if chosen.start is not None:
        begin_with(network, problem, chosen.start, Space(scaling, recipe.network.shared))
    if of_label is not None:
        network.set_start(of_label.weight, of_label.bias)
    if tuned is not None:
        _load_start(network, problem, tuned)
    return Made(network, of_label or chosen.start, chosen.said)


def _trained_on(problem: Problem, recipe: Recipe, run: Run) -> LstmNetwork:
    """Make the network of a run, with its weights."""
    known, network = run.record.contract.provenance.data_sha256, layers_of(run)
    if recipe.quantization is not None and known not in (None, problem.data_sha256):
        raise DataError(f"{run.path}: was trained on other data; restore it, or give the table with --data")
    projected = any(lstm.proj_size for lstm in network.lstms)
    if recipe.quantization is not None and recipe.quantization.precision == "int8" and projected:
        raise RecipeError(f"quantization: {run.path} has projections, which the int8 simulation lacks; use int8w")
    made = LstmNetwork(plan_for(problem, recipe, network), run.weights)
    made.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in run.weights.items()})
    return made


def _check(problem: Problem, training: TrainingRecipe) -> None:
    if training.patience is not None and problem.validation is None:
        raise RecipeError("training.patience: early stopping needs validation data; add some, or remove it")
    if training.precision != "fp32" and not torch.cuda.is_available():
        raise TrainingError(
            f"training.precision: {training.precision} needs a GPU, and torch finds none here; use fp32"
        )


def _highway(problem: Problem, chosen: Chosen, tuned: Run | None) -> int:
    """Give the number of steps that a line past the LSTM reads; 0 without one."""
    if tuned is None:
        return 0 if chosen.start is None else problem.window
    highway = None if tuned.record.network is None else tuned.record.network.highway
    return 0 if highway is None else highway.steps


def _scaling(problem: Problem, kind: str) -> Scaling:
    """Measure the scaling on the training part, one scale per target; classes are not scaled."""
    inputs = tuple(channel.name for channel in problem.inputs)
    targets = tuple(dict.fromkeys(channel.source for channel in problem.outputs))
    training = problem.training
    if isinstance(training, Windows):
        return measure(kind, training, inputs, targets)
    cap = [channel.ceiling for channel in problem.outputs]
    numbers = None if problem.answer == "class" else np.minimum(training.targets, cap)
    return measure_rows(kind, training.x_rows, inputs, numbers, targets)


def _at_levels(scaling: Scaling, problem: Problem) -> Scaling:
    """Scale each quantile like its target."""
    levels = max(1, len(problem.levels))
    return replace(
        scaling,
        output_scale=np.repeat(scaling.output_scale, levels),
        output_offset=np.repeat(scaling.output_offset, levels),
        relative_inputs=tuple(np.repeat(scaling.relative_inputs, levels).astype(int).tolist()),
    )


def _constants(scaling: Scaling) -> Weights:
    """Name the constants like the layers of a plan."""
    return {name: getattr(scaling, name) for name in CONSTANTS}


def _load_start(network: LstmNetwork, problem: Problem, run: Run) -> None:
    """Load the weights of a run, and check that they belong to the same network and data."""
    if run.record.network != network.plan.network:
        raise RecipeError(f"quantization.start: {run.path} has a different network than the recipe; use its recipe")
    # In a network with a start, the residual of the start scales the answers; all else is scaled as measured.
    names = [name for name in CONSTANTS if name != "output_scale" or not network.plan.network.highway]
    scaling = {name: getattr(network, name).numpy() for name in names if name in run.weights}
    same_scaling = all(np.array_equal(run.weights[name], tensor) for name, tensor in scaling.items())
    if run.record.contract.provenance.data_sha256 != problem.data_sha256 or not same_scaling:
        raise DataError(f"quantization.start: {run.path} was trained on other data; restore it, or train again")
    network.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in run.weights.items()})
