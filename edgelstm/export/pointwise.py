"""Layers that work on each step by itself."""

from __future__ import annotations

import numpy as np

from edgelstm.export.functions import add_function
from edgelstm.export.layout import Graph, Value, batch_first
from edgelstm.network import Activation, Embedding, Linear, Rescale, Standardize


def add_standardize(graph: Graph, value: Value, layer: Standardize, i: int) -> Value:
    """Scaling that does nothing makes no node."""
    if value.axes == "T2BH":  # the constants run over both directions
        value = batch_first(graph, value)
    name, offset, factor = value.name, graph.weights[layer.offset], graph.weights[layer.factor]
    if offset.any():
        name = graph.add("Sub", [name, graph.constant(layer.offset, offset)], f"centred{i}")
    if (factor != 1).any():
        name = graph.add("Mul", [name, graph.constant(layer.factor, factor)], f"scaled{i}")
    return Value(name, value.axes)


def add_rescale(graph: Graph, value: Value, layer: Rescale, i: int) -> Value:
    """Where there was no linear layer to fold it into."""
    value = batch_first(graph, value)
    repeats = graph.size // graph.weights[layer.scale].size
    scale, offset = (np.tile(graph.weights[name], repeats) for name in (layer.scale, layer.offset))
    name = graph.add("Mul", [value.name, graph.constant(layer.scale, scale)], f"rescaled{i}")
    return Value(graph.add("Add", [name, graph.constant(layer.offset, offset)], f"physical{i}"), value.axes)


def add_embedding(graph: Graph, value: Value, layer: Embedding, i: int) -> Value:
    """Look up tokens time-first: what is transposed then is one number for each."""
    tokens = graph.add("Transpose", [value.name], f"tokens{i}", perm=[1, 0])
    table = graph.constant(f"{layer.name}.weight", graph.weights[f"{layer.name}.weight"])
    return Value(graph.add("Gather", [table, tokens], f"embedded{i}", axis=0), "TBC")


def add_linear(graph: Graph, value: Value, layer: Linear, i: int) -> Value:
    """Multiply, as one node where there is one answer for a row."""
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


def add_activation(graph: Graph, value: Value, layer: Activation, i: int) -> Value:
    """Apply a function to each number, or softmax over the last axis."""
    if value.axes == "T2BH":  # softmax goes over the last axis, which is both directions
        value = batch_first(graph, value)
    return Value(add_function(graph.add, graph.constant, layer.function, value.name, f"activation{i}"), value.axes)
