"""Scaling relative to the window: a base is subtracted from x before the layers, and added back after them.

It applies to the inputs that are forecast. The constant offset of the other inputs takes the same path through the
graph: a Where chooses what is subtracted, with no further nodes.
"""

from __future__ import annotations

import numpy as np

from edgelstm.arrays import Array
from edgelstm.export.layout import Graph, Value, time_first
from edgelstm.export.steps import last_index, mean_of_steps
from edgelstm.network import INSTANCE_EPSILON, Network, Standardize


def without_base(graph: Graph, x: Value, network: Network) -> Value:
    """Subtract the base from every step of each row, and keep the base."""
    return _without_mean(graph, x, network) if network.instance else _without_last_value(graph, x, network)


def _without_last_value(graph: Graph, x: Value, network: Network) -> Value:
    """Subtract the last valid value: [B, 1, F]."""
    if graph.contract.lengths:
        last = graph.add("GatherND", [x.name, last_index(graph)], "last_step", batch_dims=1)
        graph.centre = graph.add("Unsqueeze", [last, graph.integers(1)], "last")
    else:
        graph.centre = graph.add("Gather", [x.name, graph.integers(-1)], "last", axis=1)
    origin = _where_centred(graph, network, graph.centre, _taken_offset(graph, network), "origin")
    return Value(graph.add("Sub", [x.name, origin], "from_last"), "BTC")


def _without_mean(graph: Graph, x: Value, network: Network) -> Value:
    """Subtract the mean of the window: [B, F].

    It is computed from the differences from the first value: their mean is exact enough, while that of 720 values
    around 300 is off by 2e-4 in float32.
    """
    x = time_first(graph, x)
    first = graph.add("Gather", [x.name, graph.constant("whole_0", np.array(0, np.int64))], "first", axis=0)
    first = _where_centred(graph, network, first, _taken_offset(graph, network), "origin")
    differences = Value(graph.add("Sub", [x.name, first], "from_first"), "TBC")
    mean = mean_of_steps(graph, differences, "mean_from_first").name
    graph.centre = graph.add("Add", [first, mean], "mean")
    mean = _where_centred(graph, network, mean, np.zeros(network.input_size, np.float32), "shift")
    return Value(graph.add("Sub", [differences.name, mean], "from_mean"), "TBC")


def by_spread(graph: Graph, value: Value, network: Network) -> Value:
    """Divide by the standard deviation of the window, [B, F]; the values are already centred on 0."""
    square = Value(graph.add("Mul", [value.name, value.name], "square"), value.axes)
    variance = mean_of_steps(graph, square, "variance")
    epsilon = graph.constant("instance_epsilon", np.array(INSTANCE_EPSILON, np.float32))
    graph.spread = graph.add("Sqrt", [graph.add("Add", [variance.name, epsilon], "above_zero")], "spread")
    by = _where_centred(graph, network, graph.spread, np.ones(network.input_size, np.float32), "divisor")
    return Value(graph.add("Div", [value.name, by], "by_spread"), value.axes)


def _where_centred(graph: Graph, network: Network, value: str, beside: Array, name: str) -> str:
    """Use a value for channels that are relative to the window, `beside` [F] for the others, if there are any."""
    if all(network.centred):
        return value
    chosen = graph.constant("centred_inputs", np.array(network.centred))
    return graph.add("Where", [chosen, value, graph.constant(f"beside_{name}", beside)], name)


def _taken_offset(graph: Graph, network: Network) -> Array:
    """Move the offsets of channels that are not relative out of the leading Standardize; zeros without one."""
    first, centred = graph.layers[0], np.array(network.centred)
    if not isinstance(first, Standardize):
        return np.zeros(network.input_size, np.float32)
    offset = np.resize(graph.weights[first.offset], network.input_size)
    graph.weights = {**graph.weights, first.offset: np.where(centred, offset, np.float32(0))}
    return np.where(centred, np.float32(0), offset)


def with_base(graph: Graph, value: Value, network: Network) -> Value:
    """Add back to each output the base of its input."""
    if network.instance:
        index = graph.constant("relative_inputs", np.array([network.relative_inputs], np.int64))
        spread, centre = (
            graph.add("Gather", [name, index], f"{name}_of_outputs", axis=1) for name in (graph.spread, graph.centre)
        )
        wide = graph.add("Mul", [value.name, spread], "spread_out")
        return Value(graph.add("Add", [wide, centre], "with_mean"), value.axes)
    base = graph.centre
    if network.relative_inputs != tuple(range(len(graph.contract.inputs))):
        index = graph.constant("relative_inputs", np.array(network.relative_inputs, np.int64))
        base = graph.add("Gather", [base, index], "base", axis=2)
    return Value(graph.add("Add", [value.name, base], "with_last"), value.axes)
