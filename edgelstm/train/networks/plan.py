"""From a recipe and its data to the layers to train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgelstm.contract import Answer
from edgelstm.data.scaling import Scaling
from edgelstm.errors import assert_never
from edgelstm.network import (
    FINAL,
    LAST,
    Activation,
    Calendar,
    Highway,
    Join,
    Layer,
    LayerNorm,
    Linear,
    Lstm,
    Network,
    Rescale,
    Segment,
    Standardize,
    Take,
    size_behind,
)
from edgelstm.recipe.recipe import Recipe
from edgelstm.recipe.sections import NetworkRecipe
from edgelstm.train.problem import Problem


@dataclass(frozen=True)
class Plan:
    """The layers to train, and how training disturbs them.

    Attributes:
        network: the layers.
        horizon: K; 1 without a forecast.
        outputs: O, in the order of the contract.
        every_step: there is an answer at every step.
        levels: outputs of each target; more than 1 for quantiles.
        classes: the outputs are the probabilities of classes, and the last layer is their softmax.
        dropout: before each LSTM and linear layer after the first LSTM, in training only.
        input_dropout: of whole input channels, in training only.
        input_noise: standard deviation of noise on scaled inputs, in training only.
        drift: standard deviation of a random shift of each input, in training only; empty for none.
    """

    network: Network
    horizon: int
    outputs: int
    every_step: bool = False
    levels: int = 1
    classes: bool = False
    dropout: float = 0.0
    input_dropout: float = 0.0
    input_noise: float = 0.0
    drift: tuple[float, ...] = ()


def plan_of(problem: Problem, recipe: Recipe, scaling: Scaling, highway: int = 0) -> Plan:
    """Plan the network of a recipe.

    Args:
        problem: what to learn.
        recipe: complete, see `edgelstm.train.defaults`.
        scaling: measured on the training part, one entry per output.
        highway: samples that a linear layer past the LSTM reads: the window, or 1 with an answer at every step; 0 for
            no such layer.
    """
    relative = scaling.relative_inputs
    return plan_for(
        problem, recipe, Network(tuple(_layers(problem, recipe, highway)), relative, scaling.kind == "instance")
    )


def plan_for(problem: Problem, recipe: Recipe, network: Network) -> Plan:
    """Plan to train these layers."""
    options, drift = recipe.network, recipe.data.drift
    return Plan(
        network=network,
        horizon=problem.horizon,
        outputs=len(problem.outputs),
        every_step=options.state == "carried",
        levels=max(1, len(problem.levels)),
        classes=problem.answer == "class",
        dropout=options.dropout or 0.0,
        input_dropout=options.input_dropout,
        input_noise=options.input_noise,
        drift=tuple(drift.get(channel.name, 0.0) for channel in problem.inputs) if drift else (),
    )


def _layers(problem: Problem, recipe: Recipe, highway: int) -> Iterator[Layer]:
    options, calendar, size = recipe.network, recipe.data.calendar, len(problem.inputs)
    outputs = max(1, len(problem.levels)) if options.shared else len(problem.outputs)
    numbers = problem.horizon * outputs
    yield Standardize("input_offset", "input_factor")
    if calendar:
        yield Calendar(calendar)
        size = size_behind(Calendar(calendar), size)
    if (options.segment or 1) > 1 or options.shared:
        segment = Segment(options.segment or 1, options.shared)
        yield segment
        size = size_behind(segment, size)
    if options.embedding_size:
        yield from (Linear("embedding", size, options.embedding_size), Activation("relu"))
        size = options.embedding_size
    take = _take(options)
    lstms = _lstms(options, size)
    for lstm in lstms:
        yield lstm
        size = lstm.output_size
        if take == Take(FINAL) and lstm == lstms[-1]:
            yield take
        if options.layer_norm:
            yield LayerNorm(f"{lstm.name}_norm", size)
    if take is not None and take != Take(FINAL):
        yield take
    if options.head_size:
        yield from (Linear("hidden", size, options.head_size), Activation("relu"))
        size = options.head_size
    yield Linear("head", size, numbers)
    if highway:
        yield Highway("highway", highway, 1 if options.shared else len(problem.inputs), numbers)
    if options.shared:
        yield Join(len(problem.inputs), outputs)
    yield _end(problem.answer)


def _end(answer: Answer) -> Layer:
    """Give the layer that turns the last numbers into answers."""
    match answer:
        case "class":
            return Activation("softmax")
        case "number" | "quantile":
            return Rescale("output_scale", "output_offset")
        case _:
            assert_never(answer)


def _lstms(options: NetworkRecipe, size: int) -> list[Lstm]:
    """Give one stack, or one LSTM per layer if there is layer normalization between them."""
    hidden, layers, both = options.hidden_size, options.num_layers, options.bidirectional
    if not options.layer_norm or layers == 1:
        return [Lstm("lstm", size, hidden, layers, both)]
    first = Lstm("lstm0", size, hidden, 1, both)
    return [first, *(Lstm(f"lstm{i}", first.output_size, hidden, 1, both) for i in range(1, layers))]


def _take(options: NetworkRecipe) -> Take | None:
    """Choose the Take: at the last step a backward direction has seen that step alone, so its final state is used."""
    if options.state == "carried":
        return None
    return Take(FINAL if options.bidirectional and options.pooling == LAST else options.pooling)
