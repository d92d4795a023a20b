"""Before the first node: hold layers and contract against each other."""

from __future__ import annotations

from edgelstm.contract import Contract
from edgelstm.errors import ExportError
from edgelstm.network import (
    MEAN,
    Embedding,
    Join,
    Mask,
    Network,
    Repeat,
    Reverse,
    Segment,
    Take,
    carried_states,
    size_behind,
)


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
