"""Make the network that a recipe asks for, or refuse what cannot be trained before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from edgelstm.data.scaling import Scaling, measure, measure_rows
from edgelstm.data.windows import Windows
from edgelstm.errors import DataError, RecipeError, TrainingError
from edgelstm.network import Highway
from edgelstm.recipe.recipe import Recipe
from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.run import Run, read_run
from edgelstm.train.label_start import LabelStart, start_weights
from edgelstm.train.losses import DEFAULTS
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.networks.shape import EVERY, NetworkShape
from edgelstm.train.problem import Problem
from edgelstm.train.starts import Chosen, Start, begin_with, choose_start


@dataclass(frozen=True)
class Made:
    """A network that is ready to be trained.

    Attributes:
        network: as it begins.
        start: the line that it begins with, of classes their log-odds; None without one.
        said: why there is none, in a line for people; empty where there is one.
    """

    network: LstmNetwork
    start: Start | LabelStart | None
    said: str


def make_network(problem: Problem, recipe: Recipe) -> Made:
    """Make the network, its scaling measured on the training part, and let it begin with a line where it may.

    Args:
        problem: what there is to learn.
        recipe: settled, see `edgelstm.train.defaults`.

    Raises:
        RecipeError: settings that contradict the data.
        DataError: a channel is constant, or the weights to begin with are of other data.
        TrainingError: the arithmetic needs a GPU, and there is none: it is not done in another way.
    """
    training, quantization = recipe.training, recipe.quantization
    _check(problem, training)
    scaling = _scaling(problem, recipe.network.scaling)
    tuned = None if quantization is None or quantization.start is None else read_run(quantization.start)
    chosen = Chosen(None, "")
    if tuned is None and problem.task == "forecast":
        loss = training.loss or DEFAULTS[problem.answer]
        chosen = choose_start(problem, scaling, recipe.network, loss)
    of_label = None
    if tuned is None and problem.task == "label" and recipe.network.start == "auto":
        of_label = start_weights(problem, scaling)
    torch.manual_seed(training.seed)
    highway = 1 if of_label is not None else _highway(problem, chosen, tuned)
    shape = _shape(problem, recipe, scaling, highway)
    network = LstmNetwork(shape, _at_levels(scaling, problem), orthogonal=training.initialization == "orthogonal")
    if chosen.start is not None:
        begin_with(network, problem, chosen.start)
    if of_label is not None:
        network.set_start(of_label.weight, of_label.bias)
    if tuned is not None:
        _load_start(network, problem, tuned)
    return Made(network, of_label or chosen.start, chosen.said)


def _check(problem: Problem, training: TrainingRecipe) -> None:
    if training.patience is not None and problem.validation is None:
        raise RecipeError("training.patience: early stopping needs validation data; give some or leave it out")
    if training.precision != "fp32" and not torch.cuda.is_available():
        raise TrainingError(
            f"training.precision: {training.precision} is for GPUs, and torch finds none here; leave it at fp32"
        )


def _highway(problem: Problem, chosen: Chosen, tuned: Run | None) -> int:
    """Steps that a line past the LSTM reads; 0 without one."""
    if tuned is None:
        return 0 if chosen.start is None else problem.window
    layers = () if tuned.record.network is None else tuned.record.network.layers
    return next((layer.steps for layer in layers if isinstance(layer, Highway)), 0)


def _shape(problem: Problem, recipe: Recipe, scaling: Scaling, highway: int) -> NetworkShape:
    options, data, levels = recipe.network, recipe.data, max(1, len(problem.levels))
    return NetworkShape(
        input_size=len(problem.inputs),
        hidden_size=options.hidden_size,
        num_layers=options.num_layers,
        horizon=problem.horizon,
        output_size=len(problem.outputs),
        relative_inputs=tuple(np.repeat(scaling.relative_inputs, levels).astype(int).tolist()),
        bidirectional=options.bidirectional,
        pooling=EVERY if options.state == "carried" else options.pooling,
        segment=options.segment,
        shared=options.shared,
        layer_norm=options.layer_norm,
        embedding_size=options.embedding_size,
        head_size=options.head_size,
        calendar=data.calendar,
        levels=levels,
        classes=problem.answer == "class",
        highway=highway,
        dropout=options.dropout,
        input_dropout=options.input_dropout,
        input_noise=options.input_noise,
        drift=tuple(data.drift.get(channel.name, 0.0) for channel in problem.inputs) if data.drift else (),
    )


def _scaling(problem: Problem, kind: str) -> Scaling:
    """Measure on the training part, of each target one scale; classes are not scaled."""
    inputs = tuple(channel.name for channel in problem.inputs)
    targets = tuple(dict.fromkeys(channel.source for channel in problem.outputs))
    training = problem.training
    if isinstance(training, Windows):
        return measure(kind, training, inputs, targets)
    cap = [channel.ceiling for channel in problem.outputs]
    numbers = None if problem.answer == "class" else np.minimum(training.targets, cap)
    return measure_rows(kind, training.x_rows, inputs, numbers, targets)


def _at_levels(scaling: Scaling, problem: Problem) -> Scaling:
    """Scale each quantile as its target."""
    levels = max(1, len(problem.levels))
    return replace(
        scaling,
        output_scale=np.repeat(scaling.output_scale, levels),
        output_offset=np.repeat(scaling.output_offset, levels),
        relative_inputs=tuple(np.repeat(scaling.relative_inputs, levels).astype(int).tolist()),
    )


def _load_start(network: LstmNetwork, problem: Problem, run: Run) -> None:
    """Take the weights of a run, and see that they are of such a network, trained on this data."""
    if run.record.network != network.describe():
        raise RecipeError(f"quantization.start: {run.path} holds another network than the recipe asks for")
    # How far a start was off scales the answers of a network that has one; its inputs are scaled as they were measured.
    names = ("input_offset", "input_factor") if network.shape.highway else dict(network.named_buffers())
    scaling = {name: getattr(network, name).numpy() for name in names if name in run.weights}
    same_scaling = all(np.array_equal(run.weights[name], tensor) for name, tensor in scaling.items())
    if run.record.contract.provenance.data_sha256 != problem.data_sha256 or not same_scaling:
        raise DataError(f"quantization.start: {run.path} was trained on other data; bring that back, or train anew")
    network.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in run.weights.items()})
