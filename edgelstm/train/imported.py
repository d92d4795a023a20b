"""Train further from the layers and weights of a run: what the run fixes in a recipe, and what data fits it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgelstm.contract import Channel
from edgelstm.data.examples import Examples
from edgelstm.data.sequences import Sequences
from edgelstm.errors import DataError, RecipeError, TrainingError
from edgelstm.network import Activation, Highway, Mask, Network, Repeat, Reverse, Segment, reordered
from edgelstm.recipe.file import check_recipe
from edgelstm.recipe.recipe import Recipe
from edgelstm.run import Run, read_run
from edgelstm.train.problem import Problem

SOFTMAX = Activation("softmax")


def begun_with(recipe: Recipe) -> Run | None:
    """Read the run whose layers and weights a recipe starts from; None: the recipe describes the layers itself.

    Raises:
        RunError: the run is missing, incomplete or damaged.
        TrainingError: it cannot be trained.
    """
    if recipe.network.run is None:
        return None
    tuned = recipe.quantization
    run = read_run(recipe.network.run if tuned is None or tuned.start is None else tuned.start)
    check_trainable(run)
    return run


def layers_of(run: Run) -> Network:
    """Give the layers to train: those of the run, in the order of the exported graph."""
    network = run.record.network
    if network is None:
        raise TrainingError(f"{run.path}: expected a run with a list of layers")
    layers = reordered(network, run.record.contract.state == "carried")
    return replace(network, layers=tuple(layers))


def with_run(recipe: Recipe, run: Run) -> Recipe:
    """Fill into a recipe what its run fixes: the task, the window, the sizes, and the columns that are not given.

    Raises:
        RecipeError: the recipe contradicts the run.
    """
    contract, content = run.record.contract, recipe.model_dump(mode="json", exclude_unset=True)
    for section, values in _said_by(run).items():
        place = content if section == "" else content.setdefault(section, {})
        for key, value in values.items():
            asked = place.get(key)
            if asked not in (None, value):
                name = ".".join(filter(None, (section, key)))
                raise RecipeError(f"{name}: expected {value!r} as in {run.path}, got {asked!r}; remove it")
            place[key] = value
    data = content["data"]
    numbers = contract.answer != "class"
    data["features"] = data.get("features") or [channel.name for channel in contract.inputs]
    data["targets"] = data.get("targets") or ([channel.name for channel in contract.outputs] if numbers else [])
    columns = (*data["features"], *(data["targets"] if numbers else ()))
    channels = (*contract.inputs, *(contract.outputs if numbers else ()))
    units = {column: channel.unit for column, channel in zip(columns, channels, strict=False) if channel.unit}
    data["units"] = {**units, **(data.get("units") or {})}
    return check_recipe(content, "options")


def fitting(problem: Problem, run: Run) -> Problem:
    """Check data against the channels of a run, and number its classes as the run does.

    Raises:
        DataError: inputs, outputs or classes that do not fit the run, or values too close together for float32.
    """
    contract = run.record.contract
    _check_channels(run, "input", "--feature", contract.inputs, problem.inputs)
    far = [c.name for c in (*problem.inputs, *problem.outputs) if c.origin]
    if far:
        raise DataError(
            f"column {far[0]!r}: its values are too close together for float32 at their level, which {run.path} does "
            "not subtract; subtract a constant in the table"
        )
    if problem.answer != "class":
        _check_channels(run, "output", "--target", contract.outputs, problem.outputs)
        return problem
    names = [channel.name for channel in contract.outputs]
    unknown = [channel.name for channel in problem.outputs if channel.name not in names]
    if unknown:
        raise DataError(
            f"{run.path} predicts {', '.join(names)}, but the data has the class {unknown[0]!r}; name the outputs in "
            "order when you import the network (--output-name)"
        )
    places = np.array([names.index(channel.name) for channel in problem.outputs])
    column = problem.outputs[0].column
    return replace(
        problem,
        outputs=tuple(Channel(name, None, "float32", None, column=column) for name in names),
        training=_numbered(problem.training, places),
        validation=None if problem.validation is None else _numbered(problem.validation, places),
        test=None if problem.test is None else _numbered(problem.test, places),
    )


def _said_by(run: Run) -> dict[str, dict[str, Any]]:
    contract, network = run.record.contract, layers_of(run)
    found: dict[str, dict[str, Any]] = {
        "": {"task": contract.task},
        "window": {"horizon": contract.horizon},
        "network": {
            "hidden_size": max(lstm.hidden_size for lstm in network.lstms),
            "segment": 1,
            "scaling": contract.scaling,
            "start": "none",
            "state": contract.state,
        },
    }
    if contract.traits.every_step:  # in chunks of any length
        found["data"] = {"classes": contract.answer == "class"}
    else:
        found["window"]["steps"] = contract.window
    return found


def check_trainable(run: Run) -> None:
    """Check that there are layers to train, and a loss for their answers.

    Raises:
        TrainingError: there are not.
    """
    contract, network = run.record.contract, run.record.network
    if network is None:
        raise TrainingError(
            f"{run.path}: is a graph from torch.onnx.export without layers, which cannot be trained here; train it in "
            "PyTorch and import it again"
        )
    recipe = run.record.recipe
    if isinstance(recipe, dict) and "training" in recipe and not recipe["network"].get("run"):
        raise TrainingError(f"{run.path}: was trained here, not imported; start a new training on the other table")
    if network.tokens:
        raise TrainingError(f"{run.path}: its inputs are tokens, which a table cannot hold; expected numeric inputs")
    if contract.traits.every_step and contract.state == "window":
        raise TrainingError(
            f"{run.path}: labels windows, but training labels whole series; expected a network with carried state"
        )
    if contract.answer == "class" and (len(contract.outputs) < 2 or network.layers[-1] != SOFTMAX):
        raise TrainingError(
            f"{run.path}: expected one output per class (at least 2) and a softmax as the last layer, got "
            f"{len(contract.outputs)} and {network.layers[-1].kind}"
        )
    _check_lengths(run, network)


def _check_lengths(run: Run, network: Network) -> None:
    if not run.record.contract.traits.takes_lengths:
        return
    for layer in network.layers:
        if isinstance(layer, (Mask, Segment, Reverse, Repeat, Highway)):
            raise TrainingError(
                f"{run.path}: has a {layer.kind}, which cannot process series of different lengths; expected a network "
                "without it"
            )


def _check_channels(run: Run, what: str, option: str, own: tuple[Channel, ...], found: tuple[Channel, ...]) -> None:
    if len(own) != len(found):
        names = [", ".join(channel.name for channel in channels) for channels in (own, found)]
        raise DataError(
            f"{run.path}: expected one column that changes in training per {what}, {len(own)} ({names[0]}), got "
            f"{len(found)} ({names[1]}); name them in order with {option}"
        )


def _numbered(examples: Examples, places: Any) -> Examples:
    if not isinstance(examples, Sequences):
        raise TypeError("expected sequences of classes")
    targets = examples.targets.astype(np.int64)
    return replace(examples, targets=np.where(targets >= 0, places[targets], targets))
