"""Build the ONNX graph directly from named weights; nothing is traced, so batch and time stay free.

Window files take x [B, T, F] (and, if the contract says so, lengths [B]), carried files x and one h/c pair
[D, B, H] for each layer; either may take time_s [B, T]. The API is batch-first, the LSTM inside is time-first, because
onnxruntime refuses `layout=1`. A step takes a few us and each node costs 0.2 to 0.5 us, so nodes are few: 7 for a
window network of one layer with standard scaling, 8 with lengths, 10 with relative scaling, and one more if some
inputs are not outputs.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from edgelstm import __version__
from edgelstm.contract import Contract
from edgelstm.errors import ExportError
from edgelstm.export import highway, pointwise, recurrent, steps
from edgelstm.export.layout import Graph, Nodes, Value, batch_first
from edgelstm.export.plan import check_contract
from edgelstm.export.relative import by_spread, with_base, without_base
from edgelstm.network import Network, Take, Weights, check_network, folded, reordered, size_behind

OPSET = 17
IR_VERSION = 8  # so that the old onnxruntimes of devices load it

NODES: Nodes = {**pointwise.NODES, **recurrent.NODES, **steps.NODES, **highway.NODES}


def build_graph(network: Network, weights: Weights, contract: Contract) -> onnx.ModelProto:
    """Build and check the fp32 graph of a network.

    Args:
        network: its layers.
        weights: their tensors, by name.
        contract: gives task, horizon, outputs, lengths, and the states of a carried file.

    Returns:
        An ONNX model without metadata, opset 17, that has passed `onnx.checker` with shape inference.

    Raises:
        NetworkError: the layers do not fit each other, or the weights do not fit the layers.
        ExportError: the network cannot be such a file: a bidirectional one with carried state, for instance.
    """
    check_network(network, weights)
    check_contract(network, contract)
    layers, weights = folded(reordered(network, bool(contract.states)), weights)
    graph = Graph(contract, weights, layers, network.input_size)
    value = Value("x", "BT" if contract.tokens else "BTC")
    if contract.lengths:
        graph.lengths = "lengths"
        graph.sequence_lens = graph.add("Cast", ["lengths"], "sequence_lens", to=TensorProto.INT32)
    if network.relative_inputs:
        value = without_base(graph, value, network)
    for i, layer in enumerate(layers):
        value = NODES[type(layer)](graph, value, layer, i)
        graph.size = size_behind(layer, graph.size)
        if i == 0 and network.instance:
            value = by_spread(graph, value, network)
        if i == 0:
            graph.scaled = value
        if graph.mask and layer == network.lstms[-1] and not any(isinstance(behind, Take) for behind in layers[i:]):
            value = steps.unmasked(graph, value, network.lstms[-1])
    value = _as_answer(graph, value)
    if network.relative_inputs:
        value = with_base(graph, value, network)
    _rename(graph, value.name, "y")
    return _checked(_model(graph))


def _as_answer(graph: Graph, value: Value) -> Value:
    """Reshape the last value, whose size fits, to the shape in the contract."""
    contract = graph.contract
    if contract.traits.has_horizon and (value.axes == "BC" or contract.every_step):
        value = batch_first(graph, value, keep_direction=True)
        if value.axes == "BT1C" and contract.horizon == 1:
            return value
        sizes = ([0, 0] if contract.every_step else [-1]) + [contract.horizon, len(contract.outputs)]
        return Value(graph.add("Reshape", [value.name, graph.integers(*sizes)], "shaped"), "answer")
    return batch_first(graph, value)


def _rename(graph: Graph, old: str, new: str) -> None:
    """Rename a value wherever it is used; a value that is also a state becomes two outputs."""
    if old in {state.output for state in graph.contract.states}:
        graph.add("Identity", [old], new)
        return
    for node in graph.nodes:
        for names in (node.input, node.output):
            for k, name in enumerate(names):
                names[k] = new if name == old else name
        node.name = new if node.name == old else node.name


def _model(graph: Graph) -> onnx.ModelProto:
    contract = graph.contract

    def tensor(name: str, *sizes: int | str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, sizes)

    x = (
        tensor("x", "B", "T", kind=TensorProto.INT64)
        if contract.tokens
        else tensor("x", "B", "T", len(contract.inputs))
    )
    inputs = [x, *(tensor(s.input, *s.shape) for s in contract.states)]
    if contract.lengths:
        inputs.append(tensor("lengths", "B", kind=TensorProto.INT64))
    if contract.times:
        inputs.append(tensor("time_s", "B", "T", kind=TensorProto.INT64))
    leading = ("B", "T") if contract.every_step else ("B",)
    outputs = [tensor("y", *contract.answer_shape(*leading)), *(tensor(s.output, *s.shape) for s in contract.states)]
    return helper.make_model(
        helper.make_graph(graph.nodes, contract.name, inputs, outputs, list(graph.initializers.values())),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="edgelstm",
        producer_version=__version__,
    )


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(f"this network makes an invalid graph: {reason}; rename its tensors, or report it") from error
    return model
