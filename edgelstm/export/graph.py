"""Build the ONNX graph straight from named weights; nothing is traced, so batch and time stay free.

Window files take x [B, T, F] (and, if the contract says so, lengths [B]), carried files x and one h/c pair
[D, B, H] for each layer. The API is batch-first, the LSTM inside is time-first, because onnxruntime refuses
`layout=1`. Every node costs 0.2 to 0.5 us of a step that takes a handful, so there are few: 7 for a window network
of one layer with standard scaling, 8 with lengths, 10 with relative scaling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgelstm import __version__
from edgelstm.contract import Contract
from edgelstm.errors import ExportError
from edgelstm.export.functions import LSTM_OPERATORS, add_function
from edgelstm.export.gates import LstmTensors, lstm_tensors
from edgelstm.network import (
    FINAL,
    Activation,
    Embedding,
    Layer,
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
    carried_states,
    check_network,
    size_behind,
)

OPSET = 17
IR_VERSION = 8  # so that the old onnxruntimes of devices load it

Array = NDArray[Any]


class Value(NamedTuple):
    """A tensor on its way through the graph.

    Attributes:
        name: of the output that holds it.
        axes: what its axes are: `"BTC"`, `"TBC"`, `"BC"`; as an LSTM gives them at every step, of one direction
            `"T1BH"`, of two `"T2BH"`, and as its final state `"1BH"`, `"2BH"`; `"BT1C"`: batch first, the axis of
            one direction left in; `"BT"`: tokens; `"answer"`: as the contract says.
    """

    name: str
    axes: str


@dataclass
class Graph:
    """Nodes and initializers, in the order in which they are added, and what all layers need to know."""

    contract: Contract
    weights: Weights
    layers: list[Layer]
    size: int  # of the last axis
    lstm_nodes: int = 0
    sequence_lens: str = ""
    mask: str = ""
    last_value: str = ""
    last_index: str = ""
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def add(self, operator: str, inputs: list[str], outputs: str | list[str], **attributes: Any) -> str:
        """Add a node that is called like its first named output, which is returned."""
        names = [outputs] if isinstance(outputs, str) else outputs
        name = next(filter(None, names))
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, **attributes))
        return name

    def constant(self, name: str, value: Array) -> str:
        """Add an initializer, once."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def integers(self, *values: int) -> str:
        """Add whole numbers, int64 [n], as axes and shapes take them; equal ones share an initializer."""
        return self.constant("integers_" + "_".join(map(str, values)).replace("-", "minus"), np.array(values, np.int64))


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
    _check_contract(network, contract)
    layers, weights = _folded(_reordered(network, contract), weights)
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
    model = _model(graph)
    onnx.checker.check_model(model, full_check=True)
    return model


def _check_contract(network: Network, contract: Contract) -> None:
    """See that this network can be what the contract says."""
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
    steps: str | int = "T"
    for layer in network.layers:
        if isinstance(layer, Take) and not contract.states:
            steps = 1
        elif isinstance(layer, Repeat):
            steps = layer.steps
    decoded = isinstance(steps, int) and any(isinstance(layer, Repeat) for layer in network.layers)
    horizon, outputs = contract.horizon, len(contract.outputs)
    if contract.every_step:
        fits = steps == "T" or (decoded and steps == contract.window and not contract.lengths)
        size = horizon * outputs
    else:
        fits = steps == (horizon if decoded else 1) and (contract.task == "forecast" or not decoded)
        size = outputs if decoded else horizon * outputs
    if not fits or network.output_size != size:
        shape = ["B", *((steps,) if decoded or steps == "T" else ()), network.output_size]
        wanted = list(contract.answer_shape("B", *(("T",) if contract.every_step else ())))
        raise ExportError(
            f"the layers end in {_words(shape)}, which is no answer to {contract.task}: the contract says "
            f"{_words(wanted)}"
        )


def _words(shape: list[Any]) -> str:
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


def _reordered(network: Network, contract: Contract) -> list[Layer]:
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


def _folded(layers: list[Layer], weights: Weights) -> tuple[list[Layer], Weights]:
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
    folded = {
        f"{linear.name}.weight": (weights[f"{linear.name}.weight"] * scale[:, np.newaxis]).astype(np.float32),
        f"{linear.name}.bias": (bias * scale + offset).astype(np.float32),
    }
    return [*layers, linear._replace(bias=True)], {**weights, **folded}


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
        value = _batch_first(graph, value)
    name, offset, factor = value.name, graph.weights[layer.offset], graph.weights[layer.factor]
    if offset.any():
        name = graph.add("Sub", [name, graph.constant(layer.offset, offset)], f"centred{i}")
    if (factor != 1).any():
        name = graph.add("Mul", [name, graph.constant(layer.factor, factor)], f"scaled{i}")
    return Value(name, value.axes)


def _rescale(graph: Graph, value: Value, layer: Rescale, i: int) -> Value:
    """Where there was no linear layer to fold it into."""
    value = _batch_first(graph, value)
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
        value = _lstm_node(graph, _time_first(graph, value), lstm, layer, tensors, only_final)
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
        value = _time_first(graph, value)
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
    sequence = _batch_first(graph, value)
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
    value = _time_first(graph, value)
    first, end = graph.integers(-1), graph.integers(-(2**31))
    inputs = [value.name, first, end, graph.integers(0), first]
    return Value(graph.add("Slice", inputs, f"reversed{i}"), "TBC")


def _mask(graph: Graph, value: Value, layer: Mask, i: int) -> Value:
    """Bring the steps that count to the front, in their order, and tell the LSTMs how many there are.

    A step that is skipped leaves the state as it is, so a sequence without it gives the same state. TopK keeps
    equal values in their order (ONNX, operator TopK).
    """
    value = _batch_first(graph, value)
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
    value = _batch_first(graph, value)
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
        value = _batch_first(graph, value, keep_direction=graph.contract.task == "forecast")
    name = graph.add("MatMul", [value.name, W], f"product{i}")
    if bias is not None:
        name = graph.add("Add", [name, graph.constant(f"{layer.name}.B", bias)], f"linear{i}")
    return Value(name, value.axes)


def _activation(graph: Graph, value: Value, layer: Activation, i: int) -> Value:
    if value.axes == "T2BH":  # softmax goes over the last axis, which is both directions
        value = _batch_first(graph, value)
    return Value(add_function(graph.add, graph.constant, layer.function, value.name, f"activation{i}"), value.axes)


def _time_first(graph: Graph, value: Value) -> Value:
    """Bring any sequence to [T, B, C], as an LSTM node takes it."""
    if value.axes == "TBC":
        return value
    name = f"{value.name}_time_first"
    if value.axes == "BTC":
        return Value(graph.add("Transpose", [value.name], name, perm=[1, 0, 2]), "TBC")
    if value.axes == "T1BH":
        return Value(graph.add("Squeeze", [value.name, graph.integers(1)], name), "TBC")
    if value.axes == "BT1C":
        return _time_first(graph, _batch_first(graph, value))
    beside = graph.add("Transpose", [value.name], f"{name}_beside", perm=[0, 2, 1, 3])
    return Value(graph.add("Reshape", [beside, graph.integers(0, 0, -1)], name), "TBC")


def _batch_first(graph: Graph, value: Value, keep_direction: bool = False) -> Value:
    """Bring any sequence to [B, T, C]; or leave the axis of one direction in, which a horizon of 1 may become."""
    name = f"{value.name}_batch_first"
    if value.axes in ("BC", "BTC"):
        return value
    if value.axes == "BT1C":
        if keep_direction:
            return value
        return Value(graph.add("Squeeze", [value.name, graph.integers(2)], name), "BTC")
    if value.axes == "TBC":
        return Value(graph.add("Transpose", [value.name], name, perm=[1, 0, 2]), "BTC")
    kept = graph.add("Transpose", [value.name], name, perm=[2, 0, 1, 3])
    if value.axes == "T1BH":
        return Value(kept, "BT1C") if keep_direction else _batch_first(graph, Value(kept, "BT1C"))
    return Value(graph.add("Reshape", [kept, graph.integers(0, 0, -1)], f"{name}_beside"), "BTC")


def _as_answer(graph: Graph, value: Value) -> Value:
    """Give the last value, whose size fits, the shape that the contract says."""
    contract = graph.contract
    if contract.task == "forecast" and (value.axes == "BC" or contract.every_step):
        value = _batch_first(graph, value, keep_direction=True)
        if value.axes == "BT1C" and contract.horizon == 1:
            return value
        sizes = ([0, 0] if contract.every_step else [-1]) + [contract.horizon, len(contract.outputs)]
        return Value(graph.add("Reshape", [value.name, graph.integers(*sizes)], "shaped"), "answer")
    return _batch_first(graph, value)


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

# Layers that work on each step by itself.
_STEP_BY_STEP = (Linear, Activation, Standardize, Rescale)
