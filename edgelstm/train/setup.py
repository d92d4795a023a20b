"""Make the network that a recipe asks for, or refuse what cannot be trained before anything is written."""

from __future__ import annotations

import numpy as np
import torch

from edgelstm.data.scaling import Scaling, measure, measure_rows
from edgelstm.data.windows import Windows
from edgelstm.errors import DataError, RecipeError, TrainingError
from edgelstm.run import read_run
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.networks.shape import EVERY, NetworkShape
from edgelstm.train.problem import Problem
from edgelstm.train.recipe import DataRecipe, NetworkRecipe, QuantizationRecipe, TrainingRecipe


def make_network(
    problem: Problem,
    options: NetworkRecipe,
    data: DataRecipe,
    training: TrainingRecipe,
    quantization: QuantizationRecipe | None,
) -> LstmNetwork:
    """Make the network, its scaling measured on the training part.

    Raises:
        RecipeError: settings that contradict the data.
        DataError: a channel is constant, or the weights to begin with are of other data.
        TrainingError: the arithmetic needs a GPU, and there is none: it is not done in another way.
    """
    if training.patience is not None and problem.validation is None:
        raise RecipeError("training.patience: early stopping needs validation data; give some or leave it out")
    if training.precision != "fp32" and not torch.cuda.is_available():
        raise TrainingError(
            f"training.precision: {training.precision} is for GPUs, and torch finds none here; leave it at fp32"
        )
    scaling = _scaling(problem, options.scaling)
    shape = NetworkShape(
        input_size=len(problem.inputs),
        hidden_size=options.hidden_size,
        num_layers=options.num_layers,
        horizon=problem.horizon,
        output_size=len(problem.outputs),
        relative_inputs=scaling.relative_inputs,
        bidirectional=options.bidirectional,
        pooling=EVERY if options.state == "carried" else options.pooling,
        segment=options.segment,
        shared=options.shared,
        layer_norm=options.layer_norm,
        embedding_size=options.embedding_size,
        head_size=options.head_size,
        calendar=data.calendar,
        levels=max(1, len(problem.levels)),
        classes=problem.answer == "class",
        dropout=options.dropout,
        input_dropout=options.input_dropout,
        input_noise=options.input_noise,
        drift=tuple(data.drift.get(channel.name, 0.0) for channel in problem.inputs) if data.drift else (),
    )
    torch.manual_seed(training.seed)
    network = LstmNetwork(shape, scaling, orthogonal=training.initialization == "orthogonal")
    if quantization is not None and quantization.start is not None:
        _load_start(network, problem, quantization.start)
    return network


def _scaling(problem: Problem, kind: str) -> Scaling:
    """Measure on the training part; classes are not scaled, quantiles as their target."""
    inputs = tuple(channel.name for channel in problem.inputs)
    targets = tuple(dict.fromkeys(channel.source for channel in problem.outputs))
    levels, training = max(1, len(problem.levels)), problem.training
    if isinstance(training, Windows):
        found = measure(kind, training, inputs, targets)
    else:
        cap = [channel.ceiling for channel in problem.outputs]
        numbers = None if problem.answer == "class" else np.minimum(training.targets, cap)
        found = measure_rows(kind, training.x_rows, inputs, numbers, targets)
    return Scaling(
        kind,
        found.input_offset,
        found.input_factor,
        np.repeat(found.output_scale, levels),
        np.repeat(found.output_offset, levels),
        tuple(np.repeat(found.relative_inputs, levels).astype(int).tolist()),
    )


def _load_start(network: LstmNetwork, problem: Problem, start: str) -> None:
    """Take the weights of a run, and see that they are of such a network, trained on this data."""
    run = read_run(start)
    if run.record.network != network.describe():
        raise RecipeError(f"quantization.start: {start} holds another network than the recipe asks for")
    scaling = {name: tensor.numpy() for name, tensor in network.named_buffers() if name in run.weights}
    same_scaling = all(np.array_equal(run.weights[name], tensor) for name, tensor in scaling.items())
    if run.record.contract.provenance.data_sha256 != problem.data_sha256 or not same_scaling:
        raise DataError(f"quantization.start: {start} was trained on other data; bring that back, or train anew")
    network.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in run.weights.items()})
