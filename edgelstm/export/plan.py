"""Before the first node: check that layers and contract agree."""

from __future__ import annotations

from edgelstm.contract import Contract
from edgelstm.errors import ExportError
from edgelstm.network import Embedding, Network, Take, carried_states
from edgelstm.network.kind import SEQUENCE, Shape


def check_contract(network: Network, contract: Contract) -> None:
    """Check that this network can be what the contract says.

    Raises:
        ExportError: it cannot: the inputs, the answer or the state do not fit.
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
            f"{'instance' if network.instance else 'relative'} scaling: expected a forecast and one relative input per "
            f"output ({len(contract.outputs)}), got the task {contract.task} and {len(network.relative_inputs)}"
        )


def _check_highway(network: Network, contract: Contract) -> None:
    """Check that the highway reads the whole window of the contract."""
    if network.highway is None or contract.every_step:
        return
    if contract.lengths:
        raise ExportError("highway: reads whole windows; export without lengths, or without a highway")
    if network.highway.steps != contract.window:
        raise ExportError(
            f"highway: reads windows of {network.highway.steps} steps, but the contract says {contract.window}"
        )


def _check_inputs(network: Network, contract: Contract) -> None:
    if network.tokens != contract.tokens:
        first = "an embedding, which takes tokens" if network.tokens else "not an embedding and takes measurements"
        raise ExportError(f"the first layer is {first}, but the contract says that x is {contract.inputs[0].dtype}")
    if len(contract.inputs) != network.input_size:
        raise ExportError(f"inputs: the layers take {network.input_size}, the contract names {len(contract.inputs)}")
    if network.times != contract.times:
        takes = "a calendar and takes time_s" if network.times else "no calendar and takes no time_s"
        says = "takes it" if contract.times else "does not"
        raise ExportError(f"times: the network has {takes}, but the contract says that the file {says}")
    if contract.tokens:
        (known,) = (layer.num_embeddings for layer in network.of(Embedding))
        if (contract.inputs[0].categories or 0) > known:
            raise ExportError(f"the embedding knows {known} tokens, the contract has {contract.inputs[0].categories}")


def _check_answer(network: Network, contract: Contract) -> None:
    """Check that the output of the layers, its steps and the size of its last axis, is the answer of the task."""
    horizon, outputs = contract.horizon, len(contract.outputs)
    accepted: list[list[str | int]]
    if contract.every_step:
        accepted = [["T", horizon * outputs]]
    elif contract.traits.has_horizon:
        accepted = [[horizon * outputs], [horizon, outputs]]
    else:
        accepted = [[outputs]]
    shape = (network.at_every_step if contract.states else network).answer
    if contract.window % shape.cut:
        raise ExportError(
            f"segment: expected a window that is a multiple of {shape.cut} steps, got {contract.window}; change the "
            "window or the segment"
        )
    found = [*_steps(shape), shape.size]
    if found not in accepted:
        wanted = contract.answer_shape("B", *(("T",) if contract.every_step else ()))
        raise ExportError(
            f"the layers end in {_words('B', *found)}, which does not fit the task {contract.task}: the contract says "
            f"{_words(*wanted)}"
        )


def _steps(shape: Shape) -> list[str | int]:
    """The axis of steps: none, a fixed number, T or a fraction of T."""
    if shape.form != SEQUENCE:
        return []
    return [shape.steps or (f"T/{shape.cut}" if shape.cut > 1 else "T")]


def _words(*shape: str | int) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _check_carried(network: Network, contract: Contract) -> None:
    reasons = [lstm.no_state for lstm in network.lstms]
    if network.instance:
        reasons.append("instance scaling (by mean and deviation of a window)")
    elif network.relative_inputs:
        reasons.append("relative scaling (relative to the end of a window)")
    reasons += [layer.no_state for layer in network.layers]
    if network.highway is not None and network.of(Take):
        reasons.append("a highway over a window")
    reason = next(filter(None, reasons), "")
    if reason:
        raise ExportError(f"state: a network with {reason} cannot carry its state; export a window file")
    if contract.states != carried_states(network):
        raise ExportError(f"state: expected the states {carried_states(network)}, got {contract.states}")
