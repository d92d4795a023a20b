"""Build the ONNX graph straight from named weights; nothing is traced, so batch and time stay free.

Window files take x [B, T, F] and give y [B, K, O]. Carried files take x and one h/c pair [1, B, H] for each
layer and give y [B, T, K, O] and the new pairs. The API is batch-first, the LSTM inside is time-first, because
onnxruntime refuses `layout=1`. Every node costs 0.2 to 0.5 us of a step that takes a handful, so there are few:
7 for a window network of one layer with standard scaling, 10 with relative scaling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgelstm import __version__
from edgelstm.contract import Contract
from edgelstm.export.gates import lstm_tensors
from edgelstm.run import NetworkShape

OPSET = 17
IR_VERSION = 8  # so that the old onnxruntimes of devices load it

Array = NDArray[Any]


@dataclass
class _Nodes:
    """Nodes and initializers, in the order in which they are added."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operator: str, inputs: list[str], outputs: str | list[str], **attributes: Any) -> str:
        """Add a node that is called like its first named output, which is returned."""
        names = [outputs] if isinstance(outputs, str) else outputs
        name = next(filter(None, names))
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, **attributes))
        return name

    def constant(self, name: str, value: Array) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def build_graph(shape: NetworkShape, weights: dict[str, Array], contract: Contract) -> onnx.ModelProto:
    """Build and check the fp32 graph of a trained network.

    Args:
        shape: the sizes.
        weights: the tensors of `edgelstm.train.network.ForecastNetwork`, by name.
        contract: tells the state tensors of a carried file; none makes a window file.

    Returns:
        An ONNX model without metadata, opset 17, that has passed `onnx.checker` with shape inference.
    """
    graph = _Nodes()
    h = _lstm_layers(graph, _scaled_input(graph, shape, weights), shape, weights, contract)
    if contract.states:
        _head_every_step(graph, h, shape, weights)
    else:
        _head_last_step(graph, h, shape, weights)
    model = _model(graph, shape, contract)
    onnx.checker.check_model(model, full_check=True)
    return model


def _scaled_input(graph: _Nodes, shape: NetworkShape, weights: dict[str, Array]) -> str:
    """X [B, T, F] in physical units to scaled [T, B, F]; scaling that does nothing makes no node."""
    x = "x"
    if shape.relative_inputs:
        last = graph.add("Gather", [x, graph.constant("last_step", np.array([-1], np.int64))], "last", axis=1)
        x = graph.add("Sub", [x, last], "centred")
    elif weights["input_offset"].any():
        x = graph.add("Sub", [x, graph.constant("input_offset", weights["input_offset"])], "centred")
    if (weights["input_factor"] != 1).any():
        x = graph.add("Mul", [x, graph.constant("input_factor", weights["input_factor"])], "scaled")
    return graph.add("Transpose", [x], "time_first", perm=[1, 0, 2])


def _lstm_layers(graph: _Nodes, x: str, shape: NetworkShape, weights: dict[str, Array], contract: Contract) -> str:
    """Stack the layers: gives Y [T, 1, B, H] of the last one if states are carried, else its Y_h [1, B, H]."""
    for layer in range(shape.num_layers):
        last = layer == shape.num_layers - 1
        tensors = lstm_tensors(weights, layer)
        inputs = [
            x,
            *(graph.constant(f"lstm.{name}{layer}", t) for name, t in zip("WRB", tensors, strict=True)),
        ]
        every, final, cell = f"lstm{layer}", "", ""
        if contract.states:
            h, c = contract.states[2 * layer : 2 * layer + 2]
            inputs += ["", h.input, c.input]
            final, cell = h.output, c.output
        elif last:
            every, final = "", f"lstm{layer}"
        graph.add("LSTM", inputs, [every, final, cell], hidden_size=shape.hidden_size)
        x = f"lstm{layer}"
        if not last:
            x = graph.add("Squeeze", [x, _one_axis(graph, layer)], f"between{layer}")
    return x


def _one_axis(graph: _Nodes, layer: int) -> str:
    """The direction axis of Y [T, 1, B, H]; one initializer serves all layers."""
    return graph.constant("direction_axis", np.array([1], np.int64)) if layer == 0 else "direction_axis"


def _head_last_step(graph: _Nodes, h: str, shape: NetworkShape, weights: dict[str, Array]) -> None:
    weight, bias = _folded_head(shape, weights)
    h = graph.add("Squeeze", [h, graph.constant("layer_axis", np.array([0], np.int64))], "h_last")
    flat = graph.add("Gemm", [h, graph.constant("head.W", weight), graph.constant("head.B", bias)], "flat")
    sizes = graph.constant("y_shape", np.array([-1, shape.horizon, shape.output_size], np.int64))
    relative = shape.relative_inputs
    graph.add("Reshape", [flat, sizes], "from_last" if relative else "y")
    if not relative:
        return
    base = "last"
    if relative != tuple(range(shape.input_size)):
        index = graph.constant("relative_inputs", np.array(relative, np.int64))
        base = graph.add("Gather", [base, index], "base", axis=2)
    graph.add("Add", ["from_last", base], "y")


def _head_every_step(graph: _Nodes, h: str, shape: NetworkShape, weights: dict[str, Array]) -> None:
    weight, bias = _folded_head(shape, weights)
    h = graph.add("Transpose", [h], "batch_first", perm=[2, 0, 1, 3])  # [B, T, 1, H]
    flat = graph.add("MatMul", [h, graph.constant("head.W", weight)], "head")
    one_step = shape.horizon == 1  # then [B, T, 1, O] is the answer already
    graph.add("Add", [flat, graph.constant("head.B", bias)], "y" if one_step else "flat")
    if not one_step:
        sizes = graph.constant("y_shape", np.array([0, 0, shape.horizon, shape.output_size], np.int64))
        graph.add("Reshape", ["flat", sizes], "y")


def _folded_head(shape: NetworkShape, weights: dict[str, Array]) -> tuple[Array, Array]:
    """Fold the way back to physical units into the head: W [H, K*O], B [K*O], float32, computed in float64.

    Row k*O + o of PyTorch's head belongs to step k of output o. A per-channel int8 scale absorbs the factor
    exactly, so nothing is lost by it, unlike in the LSTM's own weights.
    """
    scale = np.tile(weights["output_scale"].astype(np.float64), shape.horizon)
    offset = np.tile(weights["output_offset"].astype(np.float64), shape.horizon)
    weight = weights["head.weight"].astype(np.float64) * scale[:, np.newaxis]
    bias = weights["head.bias"].astype(np.float64) * scale + offset
    return weight.T.astype(np.float32), bias.astype(np.float32)


def _model(graph: _Nodes, shape: NetworkShape, contract: Contract) -> onnx.ModelProto:
    def tensor(name: str, *sizes: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)

    steps = ("T",) if contract.states else ()
    states = contract.states
    inputs = [tensor("x", "B", "T", shape.input_size), *(tensor(s.input, *s.shape) for s in states)]
    outputs = [tensor("y", "B", *steps, shape.horizon, shape.output_size)]
    outputs += [tensor(s.output, *s.shape) for s in states]
    return helper.make_model(
        helper.make_graph(graph.nodes, contract.name, inputs, outputs, graph.initializers),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="edgelstm",
        producer_version=__version__,
    )
