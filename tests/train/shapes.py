"""Networks of every shape that the trainer makes, with weights that say something, and windows for them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch

from edgelstm.contract import Channel
from edgelstm.data.scaling import Scaling
from edgelstm.recipe.file import check_recipe
from edgelstm.train.networks.network import LstmNetwork, begin_orthogonal
from edgelstm.train.networks.plan import plan_of
from edgelstm.train.problem import Problem
from edgelstm.train.setup import CONSTANTS
from tests.export.drawn import make_contract

torch.set_num_threads(1)  # these networks are small: a second thread only waits
STEPS = 24
BASE = {"input_size": 3, "hidden_size": 12, "num_layers": 1, "horizon": 4, "output_size": 2}
STACK = {"num_layers": 2, "layer_norm": True}
DENSE = {"embedding_size": 7, "head_size": 9}
CHANNELS = {"output_size": 3, "shared": True, "relative_inputs": (0, 1, 2)}
CLASSES = {"horizon": 1, "output_size": 5, "classes": True}
SHAPES: dict[str, dict[str, Any]] = {
    "one layer": {},
    "layers with normalization": STACK,
    "linear layers": DENSE,
    "two directions": {"num_layers": 2, "bidirectional": True},
    "mean of two directions": {**STACK, **DENSE, "bidirectional": True, "pooling": "mean"},
    "segments": {"segment": 4, "num_layers": 2},
    "relative": {"relative_inputs": (2, 0)},
    "instance": {"relative_inputs": (0, 1), "instance": True, "segment": 3},
    "shared channels": {**CHANNELS, **DENSE, "segment": 6},
    "shared channels of one scale": {**CHANNELS, "instance": True, "alike": True, "num_layers": 2, "segment": 2},
    "shared channels in both directions": {**CHANNELS, **STACK, "bidirectional": True, "pooling": "mean"},
    "quantiles": {"output_size": 6, "levels": 3, "relative_inputs": (0, 0, 0, 2, 2, 2)},
    "quantiles of shared channels": {
        **CHANNELS,
        "output_size": 6,
        "levels": 2,
        "relative_inputs": (0, 0, 1, 1, 2, 2),
        "segment": 8,
    },
    "calendar": {"calendar": ("hour", "weekday"), **DENSE},
    "calendar beside instance scaling": {"calendar": ("yearday",), "instance": True, "relative_inputs": (1, 1)},
    "classes": {**CLASSES, **STACK, "head_size": 6},
    "classes of lengths": {**CLASSES, "num_layers": 2, **DENSE},
    "classes of lengths in both directions": {**CLASSES, **STACK, **DENSE, "bidirectional": True},
    "mean of lengths in both directions": {**CLASSES, "num_layers": 2, "bidirectional": True, "pooling": "mean"},
}
# With a linear layer past the LSTM.
SHAPES |= {
    "a highway": {"highway": STEPS},
    "a highway and relative inputs": {"highway": STEPS, "relative_inputs": (2, 0), **DENSE},
    "a highway and instance scaling": {"highway": STEPS, "relative_inputs": (0, 1), "instance": True, "segment": 3},
    "a highway of shared channels": {**CHANNELS, "highway": STEPS, "segment": 6},
    "a highway of shared channels of one scale": {
        **CHANNELS,
        "highway": STEPS,
        "instance": True,
        "alike": True,
        "output_size": 6,
        "levels": 2,
        "relative_inputs": (0, 0, 1, 1, 2, 2),
    },
    "a highway beside a calendar": {"highway": STEPS, "calendar": ("hour",), "bidirectional": True},
    "a highway to classes": {**CLASSES, "highway": STEPS},
}
CARRIED: dict[str, dict[str, Any]] = {
    "a forecast": {"num_layers": 2},
    "labels": {**STACK, **DENSE, "horizon": 1},
    "classes": {**STACK, **CLASSES, "head_size": 5},
    "a calendar": {"calendar": ("hour", "weekday"), **DENSE},
    "a highway": {"highway": 1, "horizon": 2},
    "a highway to classes": {**CLASSES, "highway": 1, "calendar": ("hour",)},
}


class Given(NamedTuple):
    """What a network is asked; None where it takes no such thing."""

    x: Any
    lengths: Any
    time_s: Any

    def tensors(self):
        return [None if part is None else torch.from_numpy(part) for part in self]


def planned(
    input_size,
    hidden_size,
    num_layers,
    horizon,
    output_size,
    relative_inputs=(),
    *,
    instance=False,
    every_step=False,
    levels=1,
    classes=False,
    calendar=(),
    drift=(),
    highway=0,
    scaling=None,
    **options,
):
    """Plan what a recipe with these keys asks for, on data with so many channels; `scaling` gives the constants."""
    names = [f"x{i}" for i in range(input_size)]
    targets = [f"y{i}" for i in range(output_size // levels)]
    outputs = tuple(
        Channel(
            f"{name} {k}", None, "float32", None, quantile=(k + 1) / (levels + 1) if levels > 1 else None, column=name
        )
        for name in targets
        for k in range(levels)
    )
    state = "carried" if every_step else "window"
    content = {
        "task": ("label" if every_step else "classify") if classes else "forecast",
        "data": {"path": "", "features": names, "time": "t", "calendar": calendar, "classes": classes and every_step},
        "window": {"steps": STEPS},
        "network": {"hidden_size": hidden_size, "num_layers": num_layers, "state": state, **options},
    }
    content["data"]["targets"] = names if options.get("shared") else targets[: 1 if classes else None]
    content["data"]["drift"] = dict(zip(names, drift, strict=False))
    inputs = tuple(Channel(name, None, "float32", None) for name in names)
    answer = "class" if classes else "quantile" if levels > 1 else "number"
    problem = Problem("drawn", content["task"], answer, inputs, outputs, STEPS, horizon, None, None, None)
    kind = "instance" if instance else "relative" if relative_inputs else "standard"
    scaling = replace(scaling or unscaled(input_size, output_size), kind=kind, relative_inputs=tuple(relative_inputs))
    return plan_of(problem, check_recipe(content, "test"), scaling, highway)


def unscaled(inputs, outputs):
    """Constants that change nothing."""
    zeros, ones = (lambda n: np.zeros(n, np.float32)), (lambda n: np.ones(n, np.float32))
    return Scaling("none", zeros(inputs), ones(inputs), ones(outputs), zeros(outputs), ())


def network_of(plan, scaling, orthogonal=True):
    """Make the network of a plan as the trainer does."""
    network = LstmNetwork(plan, {name: getattr(scaling, name) for name in CONSTANTS})
    if orthogonal:
        begin_orthogonal(network)
    return network


def make_network(*, alike=False, seed=0, **shape):
    """Random weights and random scaling; `alike`: the same for all channels."""
    rng = np.random.default_rng(seed)
    shape = {**BASE, **shape}
    relative, levels = list(shape.get("relative_inputs", ())), shape.get("levels", 1)
    F, targets = shape["input_size"], shape["output_size"] // levels
    in_offset, out_offset = (rng.normal(size=n) * 20 for n in (F, targets))
    in_offset[relative] = 0
    out_offset *= not relative
    in_factor, out_scale = (np.full(n, 1.5) if alike else rng.uniform(0.5, 2, n) for n in (F, targets))
    constants = (in_offset, in_factor, np.repeat(out_scale, levels), np.repeat(out_offset, levels))
    scaling = Scaling("standard", *(part.astype(np.float32) for part in constants), ())
    torch.manual_seed(seed)
    network = network_of(planned(**shape, scaling=scaling), scaling)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, -1, 1) if parameter.ndim == 1 else torch.nn.init.xavier_uniform_(parameter)
    return network.eval()


def make_carried(**shape):
    """A network that answers at every step."""
    return make_network(every_step=True, **shape)


def weights_of(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def sizes_of(network):
    """What an oracle of plain stacks wants to know."""
    plan, (lstm,) = network.plan, network.plan.network.lstms
    relative = plan.network.relative_inputs
    return SimpleNamespace(
        num_layers=lstm.num_layers, horizon=plan.horizon, output_size=plan.outputs, relative_inputs=relative
    )


def contract_of(network, lengths=False):
    """The least that its file must say."""
    plan = network.plan
    forecast = not plan.classes and (plan.horizon > 1 or not plan.every_step)
    task = "forecast" if forecast else "label" if plan.every_step else "classify"
    return make_contract(
        plan.network,
        task,
        outputs=plan.outputs,
        inputs=plan.network.input_size,
        window=STEPS,
        horizon=plan.horizon,
        lengths=lengths,
        state="carried" if plan.every_step else "window",
    )


def ask(network, rows, lengths=False, seed=1):
    """Windows around where the scaling expects them, zeros behind the length of each row."""
    rng = np.random.default_rng(seed)
    offset, factor = network.input_offset.numpy(), network.input_factor.numpy()
    x = (rng.normal(size=(rows, STEPS, network.plan.network.input_size)) / factor + offset).astype(np.float32)
    valid = rng.integers(1, STEPS + 1, rows) if lengths else None
    if lengths:
        x[np.arange(STEPS) >= valid[:, np.newaxis]] = 0
    starts = rng.integers(0, 4 * 10**9, (rows, 1))
    return Given(x, valid, starts + 1800 * np.arange(STEPS) if network.plan.network.times else None)
