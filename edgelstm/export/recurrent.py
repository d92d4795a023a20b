"""An LSTM in the graph: one node per layer, followed by what the ONNX LSTM lacks."""

from __future__ import annotations

from typing import Any

from edgelstm.arrays import Array
from edgelstm.export.functions import LSTM_OPERATORS
from edgelstm.export.gates import LstmTensors, lstm_tensors
from edgelstm.export.layout import Graph, Nodes, Value, time_first
from edgelstm.network import FINAL, LAST, Lstm, Take


def add_lstm(graph: Graph, value: Value, lstm: Lstm, i: int) -> Value:
    """Add one node per layer; the last one gives its final state directly if a Take needs nothing else."""
    behind = graph.layers[i + 1 : i + 2]
    final = behind == [Take(FINAL)] or (behind == [Take(LAST)] and not lstm.bidirectional)
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
    """Take the node's own Y_h [D, B, H]; two directions side by side."""
    if value.axes == "1BH":
        return Value(graph.add("Squeeze", [value.name, graph.integers(0)], f"taken{i}"), "BC")
    beside = graph.add("Transpose", [value.name], f"beside{i}", perm=[1, 0, 2])
    return Value(graph.add("Reshape", [beside, graph.integers(0, -1)], f"taken{i}"), "BC")


def _projected(graph: Graph, value: Value, projection: Array, name: str) -> Value:
    """Multiply by one matrix for both directions.

    onnxruntime packs a constant matrix and runs one row like several rows. It does not pack a stack of matrices,
    [D, H, P]: a stream then differed from its window in the last bit.
    """
    if value.axes == "T2BH":
        value = time_first(graph, value)
    product = graph.add("MatMul", [value.name, graph.constant(name, projection)], f"{name}_out")
    return Value(product, value.axes)


def _lstm_functions(lstm: Lstm) -> dict[str, Any]:
    """Name the functions if they are not ONNX's defaults; alphas and betas in the order of functions that use one."""
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


NODES: Nodes = {Lstm: add_lstm}
