"""Before the first node: hold layers and contract against each other, and put the layers in the order of the graph."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from edgelstm.contract import Contract
from edgelstm.errors import ExportError
from edgelstm.network import (
    MEAN,
    Activation,
    Embedding,
    Highway,
    Join,
    Layer,
    LayerNorm,
    Linear,
    Mask,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Segment,
    Standardize,
    Take,
    Weights,
    carried_states,
    size_behind,
)

# Layers that work on each step by itself.
_AFFINE = (Linear, Standardize, Rescale)
_STEP_BY_STEP = (*_AFFINE, Activation, LayerNorm)


def check_contract(network: Network, contract: Contract) -> None:
    """See that this network can be what the contract says.

    Raises:
        ExportError: it cannot: another input or answer, a state that means nothing.
    """
    if contract.states:
        _check_carried(network, contract)
    _check_inputs(network, contract)
    _check_answer(network, contract)
    if contract.lengths and any(isinstance(layer, Mask) for layer in network.layers):
        raise ExportError("mask: the lengths tell already which steps count; export without lengths, or without a mask")
    if contract.lengths and any(isinstance(layer, Segment) for layer in network.layers):
        raise ExportError("segment: a row may end inside a segment; export without lengths, or without segments")
    _check_highway(network, contract)
    if network.relative_inputs and (
        contract.answer == "class" or len(network.relative_inputs) != len(contract.outputs)
    ):
        raise ExportError(
            f"{'instance' if network.instance else 'relative'} scaling: expected {len(contract.outputs)} outputs of a "
            f"forecast, one for each input that an output starts from, got {len(network.relative_inputs)} such inputs "
            f"and the task {contract.task}"
        )


def _check_highway(network: Network, contract: Contract) -> None:
    """A linear layer reads the window that it was made for, and all of it."""
    if network.highway is None or contract.every_step:
        return
    if contract.lengths:
        raise ExportError("highway: it reads whole windows; export without lengths, or without a highway")
    if network.highway.steps != contract.window:
        raise ExportError(
            f"highway: it reads windows of {network.highway.steps} steps, the contract says {contract.window}"
        )


def _check_inputs(network: Network, contract: Contract) -> None:
    if network.tokens != contract.tokens:
        first = "an embedding, which takes tokens" if network.tokens else "no embedding, it takes measurements"
        raise ExportError(f"the first layer is {first}; the contract says that x is {contract.inputs[0].dtype}")
    if len(contract.inputs) != network.input_size:
        raise ExportError(f"the layers take {network.input_size} input(s), the contract names {len(contract.inputs)}")
    if network.times != contract.times:
        takes = "a calendar, which takes time_s" if network.times else "no calendar, which time_s would be for"
        says = "takes them" if contract.times else "does not"
        raise ExportError(f"times: the network has {takes}; the contract says that the file {says}")
    if contract.tokens:
        (known,) = (layer.num_embeddings for layer in network.layers if isinstance(layer, Embedding))
        if (contract.inputs[0].categories or 0) > known:
            raise ExportError(f"the embedding knows {known} tokens, the contract has {contract.inputs[0].categories}")


def _check_answer(network: Network, contract: Contract) -> None:
    """Hold what the layers end in, its steps and the size of its last axis, against the answer of the task."""
    horizon, outputs = contract.horizon, len(contract.outputs)
    accepted: list[list[str | int]]
    if contract.every_step:
        accepted = [["T", horizon * outputs]]
    elif contract.task == "forecast":
        accepted = [[horizon * outputs], [horizon, outputs]]
    else:
        accepted = [[outputs]]
    found = [*_steps_at_the_end(network, contract), network.output_size]
    if found not in accepted:
        wanted = contract.answer_shape("B", *(("T",) if contract.every_step else ()))
        raise ExportError(
            f"the layers end in {_words('B', *found)}, which is no answer to {contract.task}: the contract says "
            f"{_words(*wanted)}"
        )


def _steps_at_the_end(network: Network, contract: Contract) -> list[str | int]:
    """The axis of steps behind the last layer: none, T, a part of T, or a number of its own."""
    steps: list[str | int] = ["T"]
    size, cut = network.input_size, 1
    for layer in network.layers:
        if isinstance(layer, Take) and not contract.states:
            steps = []
        elif isinstance(layer, Repeat):
            steps = [layer.steps]
        elif isinstance(layer, Join):
            steps = [size // layer.values]
        elif isinstance(layer, Segment) and isinstance(steps[0], int):
            steps = [steps[0] // layer.steps]
        elif isinstance(layer, Segment):
            cut *= layer.steps
            steps = [f"T/{cut}" if cut > 1 else "T"]
        size = size_behind(layer, size)
    if contract.window % cut:
        raise ExportError(
            f"segment: expected a window of a multiple of {cut} steps, got {contract.window}; choose another "
            "window or other segments"
        )
    return steps


def _words(*shape: str | int) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _check_carried(network: Network, contract: Contract) -> None:
    reasons = {
        "both directions (the backward one begins at the end)": any(lstm.bidirectional for lstm in network.lstms),
        "relative scaling (relative to the end of a window)": bool(network.relative_inputs) and not network.instance,
        "instance scaling (by mean and deviation of a window)": network.instance,
        "segments (of several samples)": any(isinstance(layer, Segment) for layer in network.layers),
        "a mean over the steps of a window": Take(MEAN) in network.layers,
        "steps in reverse order": any(isinstance(layer, Reverse) for layer in network.layers),
        "steps that repeat one vector": any(isinstance(layer, Repeat) for layer in network.layers),
        "a highway over a window": network.highway is not None and any(isinstance(x, Take) for x in network.layers),
        "a mask": any(isinstance(layer, Mask) for layer in network.layers),
    }
    for reason, holds in reasons.items():
        if holds:
            raise ExportError(f"state: a network with {reason} cannot carry a state on; export a window file")
    if contract.states != carried_states(network):
        raise ExportError(f"state: expected the states {carried_states(network)}, got {contract.states}")


def reordered(network: Network, contract: Contract) -> list[Layer]:
    """Put a Take in front of what works step by step: it gives the same there at a fraction of the cost.

    An LSTM with a Take right behind it gives its final state at once. A mean goes through what is linear alone, and
    not where a mask may leave nothing to average. A carried file answers at every step: nothing is taken. A Reverse
    goes in front of a Mask too, which changes the order of the steps. Instance scaling begins with its Standardize.
    """
    if not network.lstms:  # a highway alone: what tells it which samples it reads makes no node
        return [layer for layer in network.layers if not isinstance(layer, (Segment, Take))]
    layers: list[Layer] = []
    masked = any(isinstance(layer, Mask) for layer in network.layers)
    for layer in network.layers:
        passes: tuple[type, ...] = ()
        if isinstance(layer, Take):
            if contract.states:
                continue
            passes = _STEP_BY_STEP if layer.which != MEAN else () if masked else _AFFINE
        elif isinstance(layer, Reverse):
            passes = (*_STEP_BY_STEP, Mask)
        place, first = len(layers), int(network.instance)
        while place > first and isinstance(layers[place - 1], passes):
            place -= 1
        layers.insert(place, layer)
    return layers


def folded(layers: list[Layer], weights: Weights) -> tuple[list[Layer], Weights]:
    """Fold each way back to physical units into the linear layer in front of it, and a highway's bias into the head."""
    done: list[Layer] = []
    for layer in _through_joins(layers, weights):
        if isinstance(layer, Rescale) and _takes_scale(done):
            weights = _folded(done, layer, weights)
        else:
            done.append(layer)
    for linear, highway in pairwise(done):
        if isinstance(linear, Linear) and isinstance(highway, Highway):
            weights = _with_one_bias(linear, highway, weights)
            done[done.index(linear)] = replace(linear, bias=True)
    return done, weights


def _takes_scale(done: list[Layer]) -> bool:
    """Whether what stands last can answer in other units: a linear layer, or a highway alone or behind one."""
    if done and isinstance(done[-1], Highway):
        return done[-1].alone or isinstance(done[-2], Linear)
    return bool(done) and isinstance(done[-1], Linear)


def _through_joins(layers: list[Layer], weights: Weights) -> list[Layer]:
    """Put a way back that is the same for all channels in front of the Join, where one head answers for all of them."""
    layers = list(layers)
    for i in range(len(layers) - 2):
        linear, join, rescale = layers[i : i + 3]
        if isinstance(linear, (Linear, Highway)) and isinstance(join, Join) and isinstance(rescale, Rescale):
            same = all((weights[name] == weights[name][0]).all() for name in (rescale.scale, rescale.offset))
            layers[i + 1 : i + 3] = (rescale, join) if same else (join, rescale)
    return layers


def _folded(done: list[Layer], rescale: Rescale, weights: Weights) -> Weights:
    """Fold in float64: row k*O + o of a layer belongs to step k of output o. The offset goes into the last one.

    A per-channel int8 scale absorbs the factor exactly, so nothing is lost by it, unlike in the LSTM's own weights.
    """
    last = done[-1]
    if isinstance(last, Linear):
        done[-1] = replace(last, bias=True)
    elif not (isinstance(last, Highway) and last.alone):
        weights = _scaled(done[-2], rescale, weights, offset=False)
    return _scaled(last, rescale, weights, offset=True)


def _scaled(layer: Layer, rescale: Rescale, weights: Weights, *, offset: bool) -> Weights:
    if not isinstance(layer, (Linear, Highway)):
        raise TypeError(layer.kind)
    parts = weights[rescale.scale], weights[rescale.offset]
    scale, moved = (np.resize(part.astype(np.float64), layer.out_features) for part in parts)
    bias = weights.get(f"{layer.name}.bias", np.zeros(layer.out_features)).astype(np.float64) * scale
    replaced = {
        f"{layer.name}.weight": (weights[f"{layer.name}.weight"] * scale[:, np.newaxis]).astype(np.float32),
        f"{layer.name}.bias": (bias + moved * offset).astype(np.float32),
    }
    return {**weights, **replaced}


def _with_one_bias(linear: Linear, highway: Highway, weights: Weights) -> Weights:
    """Let the head alone have a bias: the product of the highway is then added to it in one node."""
    names = [f"{linear.name}.bias", f"{highway.name}.bias"]
    both = sum(weights[name].astype(np.float64) for name in names if name in weights)
    return {**weights, names[0]: np.asarray(both, np.float32), names[1]: np.zeros(highway.out_features, np.float32)}
