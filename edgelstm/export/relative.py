"""Scaling that is relative to the window: what is taken from x in front of the layers and added to y behind them."""

from __future__ import annotations

import numpy as np

from edgelstm.export.layout import Graph, Value
from edgelstm.export.steps import last_index
from edgelstm.network import Network


def without_last_value(graph: Graph, x: Value) -> Value:
    """Subtract the last valid value of each row from its every step."""
    if graph.contract.lengths:
        last = graph.add("GatherND", [x.name, last_index(graph)], "last_step", batch_dims=1)
        graph.last_value = graph.add("Unsqueeze", [last, graph.integers(1)], "last")
    else:
        graph.last_value = graph.add("Gather", [x.name, graph.integers(-1)], "last", axis=1)
    return Value(graph.add("Sub", [x.name, graph.last_value], "from_last"), "BTC")


def with_last_value(graph: Graph, value: Value, network: Network) -> Value:
    """Add to each output the last value of the input that it starts from."""
    base = graph.last_value
    if network.relative_inputs != tuple(range(len(graph.contract.inputs))):
        index = graph.constant("relative_inputs", np.array(network.relative_inputs, np.int64))
        base = graph.add("Gather", [base, index], "base", axis=2)
    return Value(graph.add("Add", [value.name, base], "with_last"), value.axes)
