"""A linear layer past the LSTM in the graph: one product, added to the output of the head."""

from __future__ import annotations

from edgelstm.export.layout import Graph, Nodes, Value, batch_first
from edgelstm.network import Highway, Join

# The name of its weights in the graph, by which `quantize` finds the node.
WEIGHT = "highway_weight"


def add_highway(graph: Graph, value: Value, layer: Highway, i: int) -> Value:
    """Add W s + b to the value before it; if that is a linear layer, b is already in its bias."""
    bias = graph.weights[f"{layer.name}.bias"]
    added = [graph.constant(f"{layer.name}.B", bias)] if bias.any() else []
    if graph.contract.every_step:
        read = batch_first(graph, graph.scaled)
        product = graph.add("MatMul", [read.name, _matrix(graph, layer)], f"highway{i}")
        terms = added if layer.alone else [*added, batch_first(graph, value).name]
    else:
        in_gemm = added or ([] if layer.alone else [value.name])
        product = graph.add("Gemm", [windows(graph, layer), _matrix(graph, layer), *in_gemm], f"highway{i}")
        terms = [value.name] if added and not layer.alone else []
    for n, term in enumerate(terms):
        product = graph.add("Add", [product, term], f"highway_added{i}_{n}")
    return Value(product, "BTC" if graph.contract.every_step else "BC")


def _matrix(graph: Graph, layer: Highway) -> str:
    return graph.constant(WEIGHT, graph.weights[f"{layer.name}.weight"].T)


def windows(graph: Graph, layer: Highway) -> str:
    """Reshape each window to one row, sample 0 first: [B, T * F]; with shared channels one row each: [B * F, T]."""
    scaled, width = graph.scaled, layer.steps * layer.in_features
    shared = any(isinstance(behind, Join) for behind in graph.layers)
    if shared and len(graph.contract.inputs) > 1:
        perm = [1, 2, 0] if scaled.axes == "TBC" else [0, 2, 1]
        rows = graph.once("Transpose", [scaled.name], "windows_by_channel", perm=perm)
    else:
        rows = batch_first(graph, scaled).name
    return graph.once("Reshape", [rows, graph.integers(-1, width)], "windows")


NODES: Nodes = {Highway: add_highway}
