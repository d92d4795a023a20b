"""Before the first node: hold layers and contract against each other, and put the layers in the order of the graph."""

from __future__ import annotations

import numpy as np

from edgelstm.contract import Contract
from edgelstm.errors import ExportError
from edgelstm.network import (
    Activation,
    Embedding,
    Layer,
    Linear,
    Mask,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Standardize,
    Take,
    Weights,
    carried_states,
)

# Layers that work on each step by itself.
_STEP_BY_STEP = (Linear, Activation, Standardize, Rescale)


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
    if network.relative_inputs and (
        contract.task == "classify" or len(network.relative_inputs) != len(contract.outputs)
    ):
        raise ExportError(
            f"relative scaling: expected {len(contract.outputs)} outputs of a forecast, one for each input that an "
            f"output starts from, got {len(network.relative_inputs)} such inputs and the task {contract.task}"
        )


def _check_inputs(network: Network, contract: Contract) -> None:
    if network.tokens != contract.tokens:
        first = "an embedding, which takes tokens" if network.tokens else "no embedding, it takes measurements"
        raise ExportError(f"the first layer is {first}; the contract says that x is {contract.inputs[0].dtype}")
    if len(contract.inputs) != network.input_size:
        raise ExportError(f"the layers take {network.input_size} input(s), the contract names {len(contract.inputs)}")
    if contract.tokens:
        (known,) = (layer.num_embeddings for layer in network.layers if isinstance(layer, Embedding))
        if (contract.inputs[0].categories or 0) > known:
            raise ExportError(f"the embedding knows {known} tokens, the contract has {contract.inputs[0].categories}")


def _check_answer(network: Network, contract: Contract) -> None:
    """Hold what the layers end in, its steps and the size of its last axis, against the answer of the task."""
    steps: list[str | int] = ["T"]
    for layer in network.layers:
        if isinstance(layer, Take) and not contract.states:
            steps = []
        elif isinstance(layer, Repeat):
            steps = [layer.steps]
    horizon, outputs = contract.horizon, len(contract.outputs)
    accepted: list[list[str | int]]
    if contract.every_step:
        accepted = [["T", horizon * outputs]]
    elif contract.task == "forecast":
        accepted = [[horizon * outputs], [horizon, outputs]]
    else:
        accepted = [[outputs]]
    found = [*steps, network.output_size]
    if found not in accepted:
        wanted = contract.answer_shape("B", *(("T",) if contract.every_step else ()))
        raise ExportError(
            f"the layers end in {_words('B', *found)}, which is no answer to {contract.task}: the contract says "
            f"{_words(*wanted)}"
        )


def _words(*shape: str | int) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _check_carried(network: Network, contract: Contract) -> None:
    reasons = {
        "both directions (the backward one begins at the end)": any(lstm.bidirectional for lstm in network.lstms),
        "relative scaling (relative to the end of a window)": bool(network.relative_inputs),
        "steps in reverse order": any(isinstance(layer, Reverse) for layer in network.layers),
        "steps that repeat one vector": any(isinstance(layer, Repeat) for layer in network.layers),
        "a mask": any(isinstance(layer, Mask) for layer in network.layers),
    }
    for reason, holds in reasons.items():
        if holds:
            raise ExportError(f"state: a network with {reason} cannot carry a state on; export a window file")
    if contract.states != carried_states(network):
        raise ExportError(f"state: expected the states {carried_states(network)}, got {contract.states}")


def reordered(network: Network, contract: Contract) -> list[Layer]:
    """Put a Take in front of what works step by step: it gives the same there at a fraction of the cost.

    An LSTM with a Take right behind it gives its final state at once. A carried file answers at every step: nothing
    is taken. A Reverse goes in front of a Mask too, which changes the order of the steps.
    """
    layers: list[Layer] = []
    for layer in network.layers:
        if isinstance(layer, Take) and contract.states:
            continue
        passes = _STEP_BY_STEP if isinstance(layer, Take) else (*_STEP_BY_STEP, Mask)
        place = len(layers)
        while isinstance(layer, (Take, Reverse)) and place and isinstance(layers[place - 1], passes):
            place -= 1
        layers.insert(place, layer)
    return layers


def folded(layers: list[Layer], weights: Weights) -> tuple[list[Layer], Weights]:
    """Fold the way back to physical units into a linear layer in front of it, computed in float64.

    Row k*O + o of the layer belongs to step k of output o. A per-channel int8 scale absorbs the factor exactly,
    so nothing is lost by it, unlike in the LSTM's own weights.
    """
    if len(layers) < 2 or not isinstance(layers[-1], Rescale) or not isinstance(layers[-2], Linear):
        return layers, weights
    *layers, linear, rescale = layers
    assert isinstance(linear, Linear) and isinstance(rescale, Rescale)  # noqa: S101, PT018  (for the type checker)
    size = weights[rescale.scale].size
    scale, offset = (
        np.tile(weights[name].astype(np.float64), linear.out_features // size)
        for name in (rescale.scale, rescale.offset)
    )
    bias = weights[f"{linear.name}.bias"].astype(np.float64) if linear.bias else 0.0
    replaced = {
        f"{linear.name}.weight": (weights[f"{linear.name}.weight"] * scale[:, np.newaxis]).astype(np.float32),
        f"{linear.name}.bias": (bias * scale + offset).astype(np.float32),
    }
    return [*layers, linear._replace(bias=True)], {**weights, **replaced}
