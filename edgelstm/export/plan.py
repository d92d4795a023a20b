"""Before the first node: hold layers and contract against each other, and put the layers in the order of the graph."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from edgelstm.contract import Contract
from edgelstm.errors import ExportError
from edgelstm.network import (
    Embedding,
    Highway,
    Join,
    Layer,
    Linear,
    Mask,
    Network,
    Rescale,
    Segment,
    Take,
    Weights,
    carried_states,
)
from edgelstm.network.kind import SEQUENCE, Shape


def check_contract(network: Network, contract: Contract) -> None:
    """See that this network can be what the contract says.

    Raises:
        ExportError: it cannot: another input or answer, a state that means nothing.
    """
    if contract.states:
        _check_carried(network, contract)
    _check_inputs(network, contract)
    _check_answer(network, contract)
    reason = next((layer.no_lengths for layer in network.layers if layer.no_lengths), "")
    if contract.lengths and reason:
        raise ExportError(reason)
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
        (known,) = (layer.num_embeddings for layer in network.of(Embedding))
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
    shape = (network.at_every_step if contract.states else network).answer
    if contract.window % shape.cut:
        raise ExportError(
            f"segment: expected a window of a multiple of {shape.cut} steps, got {contract.window}; choose another "
            "window or other segments"
        )
    found = [*_steps(shape), shape.size]
    if found not in accepted:
        wanted = contract.answer_shape("B", *(("T",) if contract.every_step else ()))
        raise ExportError(
            f"the layers end in {_words('B', *found)}, which is no answer to {contract.task}: the contract says "
            f"{_words(*wanted)}"
        )


def _steps(shape: Shape) -> list[str | int]:
    """The axis of steps: none, a number of its own, T or a part of T."""
    if shape.form != SEQUENCE:
        return []
    return [shape.steps or (f"T/{shape.cut}" if shape.cut > 1 else "T")]


def _words(*shape: str | int) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _check_carried(network: Network, contract: Contract) -> None:
    reasons = [layer.no_state for layer in network.layers if layer.no_state]
    if network.instance:
        reasons.append("instance scaling (by mean and deviation of a window)")
    elif network.relative_inputs:
        reasons.append("relative scaling (relative to the end of a window)")
    if network.highway is not None and network.of(Take):
        reasons.append("a highway over a window")
    if reasons:
        raise ExportError(f"state: a network with {reasons[0]} cannot carry a state on; export a window file")
    if contract.states != carried_states(network):
        raise ExportError(f"state: expected the states {carried_states(network)}, got {contract.states}")


def reordered(network: Network, contract: Contract) -> list[Layer]:
    """Put a Take in front of what works step by step: it gives the same there at a fraction of the cost.

    An LSTM with a Take right behind it gives its final state at once. A mean goes through what is linear alone, and
    not where a mask may leave nothing to average. A carried file answers at every step: nothing is taken. A Reverse
    goes in front of a Mask too, which changes the order of the steps. Instance scaling begins with its Standardize.
    """
    if not network.lstms:  # a highway alone: what tells it which samples it reads makes no node
        return [layer for layer in network.at_every_step.layers if not isinstance(layer, Segment)]
    layers: list[Layer] = []
    masked, first = bool(network.of(Mask)), int(network.instance)
    for layer in (network.at_every_step if contract.states else network).layers:
        place = len(layers)
        while place > first and layer.moves_before(layers[place - 1], masked):
            place -= 1
        layers.insert(place, layer)
    return layers


def folded(layers: list[Layer], weights: Weights) -> tuple[list[Layer], Weights]:
    """Fold each way back to physical units into the linear layer in front of it, and a highway's bias into the head."""
    done: list[Layer] = []
    for layer in _through_joins(layers, weights):
        summands = _summands(done) if isinstance(layer, Rescale) else []
        if isinstance(layer, Rescale) and summands:
            weights = _folded(summands, layer, weights)
            done[-1] = _with_bias(done[-1])
        else:
            done.append(layer)
    for i, pair in enumerate(pairwise(done)):
        match pair:
            case Linear() as head, Highway() as highway:
                weights = _with_one_bias(head, highway, weights)
                done[i] = _with_bias(head)
    return done, weights


def _summands(done: list[Layer]) -> list[Linear | Highway]:
    """The layers at the end whose sum is answered, where each can answer in other units; else none."""
    match done:
        case [*_, Linear() as head, Highway(alone=False) as highway]:
            return [head, highway]
        case [*_, Linear() as last] | [*_, Highway(alone=True) as last]:
            return [last]
    return []


def _with_bias(layer: Layer) -> Layer:
    return replace(layer, bias=True) if isinstance(layer, Linear) else layer


def _through_joins(layers: list[Layer], weights: Weights) -> list[Layer]:
    """Put a way back that is the same for all channels in front of the Join, where one head answers for all of them."""
    layers = list(layers)
    for i in range(len(layers) - 2):
        match layers[i : i + 3]:
            case [Linear() | Highway(), Join() as join, Rescale() as rescale]:
                same = all((weights[name] == weights[name][0]).all() for name in (rescale.scale, rescale.offset))
                layers[i + 1 : i + 3] = (rescale, join) if same else (join, rescale)
    return layers


def _folded(summands: list[Linear | Highway], rescale: Rescale, weights: Weights) -> Weights:
    """Fold in float64: row k*O + o of a layer belongs to step k of output o. The offset goes into the last one.

    A per-channel int8 scale absorbs the factor exactly, so nothing is lost by it, unlike in the LSTM's own weights.
    """
    for layer in summands:
        weights = _scaled(layer, rescale, weights, offset=layer is summands[-1])
    return weights


def _scaled(layer: Linear | Highway, rescale: Rescale, weights: Weights, *, offset: bool) -> Weights:
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
