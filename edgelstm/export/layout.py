"""A graph under construction, and the axes of its values.

The API is batch-first and an LSTM node is time-first; the code here adds as few nodes as possible between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgelstm.arrays import Array
from edgelstm.contract import Contract
from edgelstm.network import Layer, Weights
from edgelstm.network.kind import Kind


class Value(NamedTuple):
    """A tensor in the graph.

    Attributes:
        name: of the output that holds it.
        axes: its axes: `"BTC"`, `"TBC"`, `"BC"`; the output of an LSTM at every step, `"T1BH"` for one direction and
            `"T2BH"` for two, and its final state, `"1BH"` and `"2BH"`; `"BT1C"`: batch first, with the axis of one
            direction; `"BT"`: tokens; `"answer"`: as the contract says.
    """

    name: str
    axes: str


_NOTHING = Value("", "")


@dataclass
class Graph:
    """Nodes and initializers, in the order in which they are added, and what all layers share."""

    contract: Contract
    weights: Weights
    layers: list[Layer]
    size: int  # of the last axis
    lstm_nodes: int = 0
    sequence_lens: str = ""
    mask: str = ""
    centre: str = ""  # the base of each row and channel, for relative scaling
    spread: str = ""
    scaled: Value = _NOTHING  # the output of the leading Standardize, for a highway
    last_index: str = ""
    lengths: str = ""
    valid: str = ""
    counts: str = ""
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def add(self, operator: str, inputs: list[str], outputs: str | list[str], **attributes: Any) -> str:
        """Add a node named after its first named output, and return that name."""
        names = [outputs] if isinstance(outputs, str) else outputs
        name = next(filter(None, names))
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, **attributes))
        return name

    def once(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node, unless it already exists."""
        there = any(node.name == output for node in self.nodes)
        return output if there else self.add(operator, inputs, output, **attributes)

    def constant(self, name: str, value: Array) -> str:
        """Add an initializer, once."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def integers(self, *values: int) -> str:
        """Add integers, int64 [n], for axes and shapes; equal ones share an initializer."""
        return self.constant("integers_" + "_".join(map(str, values)).replace("-", "minus"), np.array(values, np.int64))


# From a kind of layer to the function that adds its nodes: it takes the graph, the value before, the layer and its
# index among the layers, and gives the value after.
Nodes: TypeAlias = dict[type[Kind], Callable[[Graph, Value, Any, int], Value]]


def time_first(graph: Graph, value: Value) -> Value:
    """Bring any sequence to [T, B, C], the layout of an LSTM node."""
    if value.axes == "TBC":
        return value
    name = f"{value.name}_time_first"
    if value.axes == "BTC":
        return Value(graph.once("Transpose", [value.name], name, perm=[1, 0, 2]), "TBC")
    if value.axes == "T1BH":
        return Value(graph.once("Squeeze", [value.name, graph.integers(1)], name), "TBC")
    if value.axes == "BT1C":
        return time_first(graph, batch_first(graph, value))
    beside = graph.once("Transpose", [value.name], f"{name}_beside", perm=[0, 2, 1, 3])
    return Value(graph.once("Reshape", [beside, graph.integers(0, 0, -1)], name), "TBC")


def batch_first(graph: Graph, value: Value, keep_direction: bool = False) -> Value:
    """Bring any sequence to [B, T, C]; or keep the axis of one direction, which can become a horizon of 1."""
    name = f"{value.name}_batch_first"
    if value.axes in ("BC", "BTC"):
        return value
    if value.axes == "BT1C":
        if keep_direction:
            return value
        return Value(graph.once("Squeeze", [value.name, graph.integers(2)], name), "BTC")
    if value.axes == "TBC":
        return Value(graph.once("Transpose", [value.name], name, perm=[1, 0, 2]), "BTC")
    kept = graph.once("Transpose", [value.name], name, perm=[2, 0, 1, 3])
    if value.axes == "T1BH":
        return Value(kept, "BT1C") if keep_direction else batch_first(graph, Value(kept, "BT1C"))
    return Value(graph.once("Reshape", [kept, graph.integers(0, 0, -1)], f"{name}_beside"), "BTC")
