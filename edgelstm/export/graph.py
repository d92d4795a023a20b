"""Build the ONNX graph straight from named weights; nothing is traced, so batch and time stay free.

Window files take x [B, T, F] (and, if the contract says so, lengths [B]), carried files x and one h/c pair
[D, B, H] for each layer. The API is batch-first, the LSTM inside is time-first, because onnxruntime refuses
`layout=1`. Every node costs 0.2 to 0.5 us of a step that takes a handful, so there are few: 7 for a window network
of one layer with standard scaling, 8 with lengths, 10 with relative scaling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgelstm import __version__
from edgelstm.contract import Contract
from edgelstm.errors import ExportError
from edgelstm.export.functions import LSTM_OPERATORS, add_function
from edgelstm.export.gates import LstmTensors, lstm_tensors
from edgelstm.export.layout import Array, Graph, Value, batch_first, time_first
from edgelstm.export.plan import check_contract, folded, reordered
from edgelstm.network import (
    FINAL,
    Activation,
    Embedding,
    Linear,
    Lstm,
    Mask,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Standardize,
    Take,
    Weights,
    check_network,
    size_behind,
)

OPSET = 17
IR_VERSION = 8  # so that the old onnxruntimes of devices load it


def build_graph(network: Network, weights: Weights, contract: Contract) -> onnx.ModelProto:
    """Build and check the fp32 graph of a network.

    Args:
        network: its layers.
        weights: their tensors, by name.
        contract: tells task, horizon, outputs, lengths, and the states of a carried file.

    Returns:
        An ONNX model without metadata, opset 17, that has passed `onnx.checker` with shape inference.

    Raises:
        NetworkError: the layers do not fit each other, or the weights are not theirs.
        ExportError: this network has no such file: a bidirectional one with a carried state, for instance.
    """
    check_network(network, weights)
    check_contract(network, contract)
    layers, weights = folded(reordered(network, contract), weights)
    graph = Graph(contract, weights, layers, network.input_size)
    value = Value("x", "BT" if contract.tokens else "BTC")
    if contract.lengths:
        graph.sequence_lens = graph.add("Cast", ["lengths"], "sequence_lens", to=TensorProto.INT32)
    if network.relative_inputs:
        value = _without_last_value(graph, value)
    last_lstm = max(i for i, layer in enumerate(layers) if isinstance(layer, Lstm))
    for i, layer in enumerate(layers):
        value = _LAYERS[type(layer)](graph, value, layer, i)
        graph.size = size_behind(layer, graph.size)
        if i == last_lstm and graph.mask and not any(isinstance(behind, Take) for behind in layers[i:]):
            value = _unmasked(graph, value, network.lstms[-1])
    value = _as_answer(graph, value)
    if network.relative_inputs:
        value = _with_last_value(graph, value, network)
    _rename(graph, value.name, "y")
    return _checked(_model(graph))


def _without_last_value(graph: Graph, x: Value) -> Value:
    """Subtract the last valid value of each row from its every step."""
    if graph.contract.lengths:
        last = graph.add("GatherND", [x.name, _last_index(graph)], "last_step", batch_dims=1)
        graph.last_value = graph.add("Unsqueeze", [last, graph.integers(1)], "last")
    else:
        graph.last_value = graph.add("Gather", [x.name, graph.integers(-1)], "last", axis=1)
    return Value(graph.add("Sub", [x.name, graph.last_value], "from_last"), "BTC")


def _with_last_value(graph: Graph, value: Value, network: Network) -> Value:
    base = graph.last_value
    if network.relative_inputs != tuple(range(len(graph.contract.inputs))):
        index = graph.constant("relative_inputs", np.array(network.relative_inputs, np.int64))
        base = graph.add("Gather", [base, index], "base", axis=2)
    return Value(graph.add("Add", [value.name, base], "with_last"), value.axes)


def _standardize(graph: Graph, value: Value, layer: Standardize, i: int) -> Value:
    """Scaling that does nothing makes no node."""
    if value.axes == "T2BH":  # the constants run over both directions
        value = batch_first(graph, value)
    name, offset, factor = value.name, graph.weights[layer.offset], graph.weights[layer.factor]
    if offset.any():
        name = graph.add("Sub", [name, graph.constant(layer.offset, offset)], f"centred{i}")
    if (factor != 1).any():
        name = graph.add("Mul", [name, graph.constant(layer.factor, factor)], f"scaled{i}")
    return Value(name, value.axes)


def _rescale(graph: Graph, value: Value, layer: Rescale, i: int) -> Value:
    """Where there was no linear layer to fold it into."""
    value = batch_first(graph, value)
    repeats = graph.size // graph.weights[layer.scale].size
    scale, offset = (np.tile(graph.weights[name], repeats) for name in (layer.scale, layer.offset))
    name = graph.add("Mul", [value.name, graph.constant(layer.scale, scale)], f"rescaled{i}")
    return Value(graph.add("Add", [name, graph.constant(layer.offset, offset)], f"physical{i}"), value.axes)


def _embedding(graph: Graph, value: Value, layer: Embedding, i: int) -> Value:
    """Look up tokens time-first: what is transposed then is one number for each."""
    tokens = graph.add("Transpose", [value.name], f"tokens{i}", perm=[1, 0])
    table = graph.constant(f"{layer.name}.weight", graph.weights[f"{layer.name}.weight"])
    return Value(graph.add("Gather", [table, tokens], f"embedded{i}", axis=0), "TBC")


def _lstm(graph: Graph, value: Value, lstm: Lstm, i: int) -> Value:
    """One node for each layer; the last one gives its final state at once where a Take wants nothing else."""
    behind = graph.layers[i + 1] if i + 1 < len(graph.layers) else None
    final = isinstance(behind, Take) and (behind.which == FINAL or not lstm.bidirectional)
    for layer in range(lstm.num_layers):
        tensors = lstm_tensors(lstm, graph.weights, layer)
        only_final = final and layer == lstm.num_layers - 1
        value = _lstm_node(graph, time_first(graph, value), lstm, layer, tensors, only_final)
        if only_final:
            value = _final_state(graph, value, i + 1)
        if tensors.projection is not None:
            value = _projected(graph, value, tensors.projection, f"{lstm.name}.projection{layer}")
    return value


def _lstm_node(graph: Graph, x: Value, lstm: Lstm, layer: int, tensors: LstmTensors, final: bool) -> Value:
    number = graph.lstm_nodes
    graph.lstm_nodes += 1
    inputs = [x.name, graph.constant(f"{lstm.name}.W{layer}", tensors.W)]
    inputs.append(graph.constant(f"{lstm.name}.R{layer}", tensors.R))
    inputs.append(graph.constant(f"{lstm.name}.B{layer}", tensors.B) if tensors.B is not None else "")
    inputs.append(graph.sequence_lens)
    name = f"lstm{number}"
    outputs = ["", name] if final else [name, "", ""]
    if graph.contract.states:
        h, c = graph.contract.states[2 * number : 2 * number + 2]
        inputs += [h.input, c.input]
        outputs[1:] = [h.output, c.output]
    while not inputs[-1]:
        inputs.pop()
    attributes: dict[str, Any] = {"hidden_size": lstm.hidden_size}
    if lstm.bidirectional:
        attributes["direction"] = "bidirectional"
    graph.add("LSTM", inputs, outputs, **attributes, **_lstm_functions(lstm))
    axes = "BH" if final else "TBH"
    return Value(name, axes[:-2] + ("2" if lstm.bidirectional else "1") + axes[-2:])


def _final_state(graph: Graph, value: Value, i: int) -> Value:
    """The node's own Y_h [D, B, H]: of two directions side by side."""
    if value.axes == "1BH":
        return Value(graph.add("Squeeze", [value.name, graph.integers(0)], f"taken{i}"), "BC")
    beside = graph.add("Transpose", [value.name], f"beside{i}", perm=[1, 0, 2])
    return Value(graph.add("Reshape", [beside, graph.integers(0, -1)], f"taken{i}"), "BC")


def _projected(graph: Graph, value: Value, projection: Array, name: str) -> Value:
    """Multiply by one matrix for both directions.

    onnxruntime packs a constant matrix and runs one row as it runs several. A stack of matrices, [D, H, P], it does
    not: a stream then differed from its window in the last bit.
    """
    if value.axes == "T2BH":
        value = time_first(graph, value)
    product = graph.add("MatMul", [value.name, graph.constant(name, projection)], f"{name}_out")
    return Value(product, value.axes)


def _lstm_functions(lstm: Lstm) -> dict[str, Any]:
    """Name the functions where they are not ONNX's defaults; alphas and betas in the order of those that take one."""
    if lstm.functions == ("sigmoid", "tanh", "tanh"):
        return {}
    chosen = [LSTM_OPERATORS[name] for name in lstm.functions] * lstm.directions
    attributes: dict[str, Any] = {"activations": [operator for operator, _, _ in chosen]}
    for key, values in (
        ("activation_alpha", [a for _, a, _ in chosen]),
        ("activation_beta", [b for _, _, b in chosen]),
    ):
        if any(value is not None for value in values):
            attributes[key] = [float(value) for value in values if value is not None]
    return attributes


def _take(graph: Graph, value: Value, layer: Take, i: int) -> Value:
    """The output at the last valid step, unless the LSTM gave its final state already."""
    if value.axes == "BC":
        return _without_skipped(graph, value)
    sequence = batch_first(graph, value)
    if graph.sequence_lens:
        name = graph.add("GatherND", [sequence.name, _last_index(graph)], f"taken{i}", batch_dims=1)
    else:
        last = graph.add("Gather", [sequence.name, graph.integers(-1)], f"last{i}", axis=1)
        name = graph.add("Squeeze", [last, graph.integers(1)], f"taken{i}")
    return _without_skipped(graph, Value(name, "BC"))


def _without_skipped(graph: Graph, value: Value) -> Value:
    """A row of which every step was skipped answers from a zero state."""
    if not graph.mask:
        return value
    any_step = graph.add("ReduceMax", [graph.mask], "any_step", axes=[1], keepdims=1)
    return Value(graph.add("Mul", [value.name, any_step], "taken_or_zero"), "BC")


def _last_index(graph: Graph) -> str:
    """Where each row ends: int64 [B, 1]."""
    if not graph.last_index:
        lengths = "lengths"
        if not graph.contract.lengths:
            lengths = graph.add("Cast", [graph.sequence_lens], "lengths_of_mask", to=TensorProto.INT64)
        index = graph.add("Sub", [lengths, graph.integers(1)], "last_row")
        graph.last_index = graph.add("Unsqueeze", [index, graph.integers(1)], "last_index")
    return graph.last_index


def _repeat(graph: Graph, value: Value, layer: Repeat, i: int) -> Value:
    """[B, C] to [steps, B, C], as the next LSTM wants it; lengths and masks end here."""
    graph.sequence_lens = graph.mask = graph.last_index = ""
    row = graph.add("Unsqueeze", [value.name, graph.integers(0)], f"row{i}")
    return Value(graph.add("Expand", [row, graph.integers(layer.steps, 1, 1)], f"repeated{i}"), "TBC")


def _reverse(graph: Graph, value: Value, layer: Reverse, i: int) -> Value:
    if graph.sequence_lens:
        reason = "behind an LSTM that skips steps" if graph.mask else "with lengths"
        raise ExportError(f"reverse: steps cannot be put in reverse order {reason}")
    value = time_first(graph, value)
    first, end = graph.integers(-1), graph.integers(-(2**31))
    inputs = [value.name, first, end, graph.integers(0), first]
    return Value(graph.add("Slice", inputs, f"reversed{i}"), "TBC")


def _mask(graph: Graph, value: Value, layer: Mask, i: int) -> Value:
    """Bring the steps that count to the front, in their order, and tell the LSTMs how many there are.

    A step that is skipped leaves the state as it is, so a sequence without it gives the same state. TopK keeps
    equal values in their order (ONNX, operator TopK).
    """
    value = batch_first(graph, value)
    blank = graph.constant(f"mask_value{i}", np.array(layer.value, np.float32))
    equal = graph.add("Equal", [value.name, blank], f"equal{i}")
    counts = graph.add("Cast", [graph.add("Not", [equal], f"differs{i}")], f"differs_float{i}", to=TensorProto.FLOAT)
    graph.mask = graph.add("ReduceMax", [counts], f"mask{i}", axes=[2], keepdims=0)
    total = graph.add("ReduceSum", [graph.mask, graph.integers(1)], f"steps{i}", keepdims=0)
    at_least_one = graph.add("Max", [total, graph.constant("one", np.array(1, np.float32))], f"at_least_one{i}")
    graph.sequence_lens = graph.add("Cast", [at_least_one], "sequence_lens", to=TensorProto.INT32)
    steps = graph.add("Gather", [graph.add("Shape", [value.name], f"sizes{i}"), graph.integers(1)], f"T{i}", axis=0)
    graph.add("TopK", [graph.mask, steps], [f"sorted{i}", f"order{i}"], axis=1)
    index = graph.add("Unsqueeze", [f"order{i}", graph.integers(2)], f"index{i}")
    return Value(graph.add("GatherND", [value.name, index], f"front{i}", batch_dims=1), "BTC")


def _unmasked(graph: Graph, value: Value, lstm: Lstm) -> Value:
    """Undo the order of `_mask`; a step that was skipped repeats the answer before it, or zero if there is none.

    Of two directions it is always zero, as in Keras, whose Bidirectional has no answer to repeat.
    """
    value = batch_first(graph, value)
    seen = graph.add("CumSum", [graph.mask, graph.constant("axis_1", np.array(1, np.int64))], "seen")
    begun = graph.add("Min", [seen, graph.constant("one", np.array(1, np.float32))], "begun")
    place = graph.add("Cast", [graph.add("Sub", [seen, begun], "place_float")], "place", to=TensorProto.INT64)
    index = graph.add("Unsqueeze", [place, graph.integers(2)], "place_index")
    gathered = graph.add("GatherND", [value.name, index], "in_place", batch_dims=1)
    answered = graph.mask if lstm.bidirectional else begun
    graph.mask = graph.sequence_lens = ""
    once = graph.add("Unsqueeze", [answered, graph.integers(2)], "answered_steps")
    return Value(graph.add("Mul", [gathered, once], "in_place_or_zero"), "BTC")


def _linear(graph: Graph, value: Value, layer: Linear, i: int) -> Value:
    weight, bias = graph.weights[f"{layer.name}.weight"].T, graph.weights.get(f"{layer.name}.bias")
    W = graph.constant(f"{layer.name}.W", weight)
    if value.axes == "BC":
        inputs = [value.name, W] + ([graph.constant(f"{layer.name}.B", bias)] if bias is not None else [])
        return Value(graph.add("Gemm", inputs, f"linear{i}"), "BC")
    if value.axes not in ("TBC", "BTC", "BT1C"):
        value = batch_first(graph, value, keep_direction=graph.contract.task == "forecast")
    name = graph.add("MatMul", [value.name, W], f"product{i}")
    if bias is not None:
        name = graph.add("Add", [name, graph.constant(f"{layer.name}.B", bias)], f"linear{i}")
    return Value(name, value.axes)


def _activation(graph: Graph, value: Value, layer: Activation, i: int) -> Value:
    if value.axes == "T2BH":  # softmax goes over the last axis, which is both directions
        value = batch_first(graph, value)
    return Value(add_function(graph.add, graph.constant, layer.function, value.name, f"activation{i}"), value.axes)


def _as_answer(graph: Graph, value: Value) -> Value:
    """Give the last value, whose size fits, the shape that the contract says."""
    contract = graph.contract
    if contract.task == "forecast" and (value.axes == "BC" or contract.every_step):
        value = batch_first(graph, value, keep_direction=True)
        if value.axes == "BT1C" and contract.horizon == 1:
            return value
        sizes = ([0, 0] if contract.every_step else [-1]) + [contract.horizon, len(contract.outputs)]
        return Value(graph.add("Reshape", [value.name, graph.integers(*sizes)], "shaped"), "answer")
    return batch_first(graph, value)


def _rename(graph: Graph, old: str, new: str) -> None:
    """Call a value differently, wherever it is used; a value that is also a state is given twice."""
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
        raise ExportError(f"this network gives no valid graph: {reason}; rename its tensors, or report it") from error
    return model


_LAYERS: dict[type, Any] = {
    Standardize: _standardize,
    Rescale: _rescale,
    Embedding: _embedding,
    Lstm: _lstm,
    Take: _take,
    Repeat: _repeat,
    Reverse: _reverse,
    Mask: _mask,
    Linear: _linear,
    Activation: _activation,
}
