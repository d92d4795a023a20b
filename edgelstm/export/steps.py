"""Layers that change the steps: their number, their order, and which of them are valid."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from edgelstm.errors import ExportError
from edgelstm.export.highway import windows
from edgelstm.export.layout import Graph, Nodes, Value, batch_first, time_first
from edgelstm.network import MEAN, Highway, Join, Lstm, Mask, Repeat, Reverse, Segment, Take


def add_take(graph: Graph, value: Value, layer: Take, i: int) -> Value:
    """Take the output at the last valid step, or the mean, unless the LSTM already gave its final state."""
    if value.axes == "BC":
        return _without_skipped(graph, value)
    if layer.which == MEAN:
        return _without_skipped(graph, mean_of_steps(graph, value, f"taken{i}"))
    sequence = batch_first(graph, value)
    if graph.sequence_lens:
        name = graph.add("GatherND", [sequence.name, last_index(graph)], f"taken{i}", batch_dims=1)
    else:
        last = graph.add("Gather", [sequence.name, graph.integers(-1)], f"last{i}", axis=1)
        name = graph.add("Squeeze", [last, graph.integers(1)], f"taken{i}")
    return _without_skipped(graph, Value(name, "BC"))


def _without_skipped(graph: Graph, value: Value) -> Value:
    """Let a row whose steps were all skipped answer from a zero state."""
    if not graph.mask:
        return value
    any_step = graph.add("ReduceMax", [graph.mask], "any_step", axes=[1], keepdims=1)
    return Value(graph.add("Mul", [value.name, any_step], "taken_or_zero"), "BC")


def mean_of_steps(graph: Graph, value: Value, name: str) -> Value:
    """Average over the valid steps: [B, C].

    Always over the first of two axes, [T, B * C]: over an inner axis onnxruntime 1.32 adds in another order if there is
    one row, and a row alone would differ from the row in a batch. With three axes it moves a Transpose after the sum,
    which makes the axis an inner one.
    """
    if value.axes == "T1BH" and not graph.sequence_lens:
        return Value(graph.add("ReduceMean", [value.name], name, axes=[0, 1], keepdims=0), "BC")
    each = time_first(graph, value).name
    if graph.sequence_lens:
        zero = graph.constant("zero", np.array(0, np.float32))
        each = graph.add("Where", [_valid_steps(graph), each, zero], f"{name}_kept")
    flat = graph.add("Reshape", [each, graph.integers(0, -1)], f"{name}_flat")
    if not graph.sequence_lens:
        mean = graph.add("ReduceMean", [flat], f"{name}_mean", axes=[0], keepdims=0)
        return Value(graph.add("Reshape", [mean, graph.integers(-1, graph.size)], name), "BC")
    total = graph.add("ReduceSum", [flat, graph.integers(0)], f"{name}_total", keepdims=0)
    rows = graph.add("Reshape", [total, graph.integers(-1, graph.size)], f"{name}_rows")
    return Value(graph.add("Div", [rows, _counts(graph)], name), "BC")


def _valid_steps(graph: Graph) -> str:
    """Which steps are valid, bool [T, B, 1]; after a mask they come first."""
    if not graph.valid:
        zero, one = (graph.constant(f"whole_{n}", np.array(n, np.int64)) for n in (0, 1))
        steps = graph.add("Gather", [graph.add("Shape", ["x"], "sizes_of_x"), one], "steps_of_x", axis=0)
        places = graph.add("Unsqueeze", [graph.add("Range", [zero, steps, one], "places"), graph.integers(1)], "column")
        inside = graph.add("Less", [places, _lengths(graph)], "inside")
        graph.valid = graph.add("Unsqueeze", [inside, graph.integers(2)], "valid")
    return graph.valid


def _counts(graph: Graph) -> str:
    """The number of valid steps, float32 [B, 1]."""
    if not graph.counts:
        number = graph.add("Cast", [_lengths(graph)], "counts_of_rows", to=TensorProto.FLOAT)
        graph.counts = graph.add("Unsqueeze", [number, graph.integers(1)], "counts")
    return graph.counts


def _lengths(graph: Graph) -> str:
    """The valid steps of each row, int64 [B]."""
    if not graph.lengths:
        graph.lengths = graph.add("Cast", [graph.sequence_lens], "lengths_of_mask", to=TensorProto.INT64)
    return graph.lengths


def last_index(graph: Graph) -> str:
    """Where each row ends: int64 [B, 1]."""
    if not graph.last_index:
        index = graph.add("Sub", [_lengths(graph), graph.integers(1)], "last_row")
        graph.last_index = graph.add("Unsqueeze", [index, graph.integers(1)], "last_index")
    return graph.last_index


def add_repeat(graph: Graph, value: Value, layer: Repeat, i: int) -> Value:
    """Repeat [B, C] to [steps, B, C], the layout of the next LSTM; lengths and masks end here."""
    graph.sequence_lens = graph.mask = ""  # and nothing asks for values derived from them
    row = graph.add("Unsqueeze", [value.name, graph.integers(0)], f"row{i}")
    return Value(graph.add("Expand", [row, graph.integers(layer.steps, 1, 1)], f"repeated{i}"), "TBC")


def add_reverse(graph: Graph, value: Value, layer: Reverse, i: int) -> Value:
    """Reverse the order of all steps."""
    if graph.sequence_lens:
        reason = "after an LSTM that skips steps" if graph.mask else "with lengths"
        raise ExportError(f"reverse: steps cannot be reversed {reason}")
    value = time_first(graph, value)
    first, end = graph.integers(-1), graph.integers(-(2**31))
    inputs = [value.name, first, end, graph.integers(0), first]
    return Value(graph.add("Slice", inputs, f"reversed{i}"), "TBC")


def add_mask(graph: Graph, value: Value, layer: Mask, i: int) -> Value:
    """Move the valid steps to the front, in their order, and give the LSTMs their number.

    A skipped step does not change the state, so a sequence without it gives the same state. TopK keeps equal values in
    their order (ONNX, operator TopK).
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


def unmasked(graph: Graph, value: Value, lstm: Lstm) -> Value:
    """Undo the order of `_mask`; a skipped step repeats the answer before it, or gives zero if there is none.

    With two directions it is always zero, as in Keras, whose Bidirectional has no answer to repeat.
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


def add_segment(graph: Graph, value: Value, layer: Segment, i: int) -> Value:
    """Cut into segments: one Reshape; or, with one row per channel, three nodes directly to the layout of an LSTM.

    A highway needs the channels as rows too: then two more nodes cut what it reads.
    """
    highway = next((layer for layer in graph.layers if isinstance(layer, Highway)), None)
    if highway is not None and layer.shared and value == graph.scaled:
        sizes = graph.integers(0, -1, layer.steps)
        return Value(graph.add("Reshape", [windows(graph, highway), sizes], f"segments{i}"), "BTC")
    value = batch_first(graph, value)
    if not layer.shared or graph.size == 1:
        sizes = graph.integers(0, -1, layer.steps * graph.size)
        return Value(graph.add("Reshape", [value.name, sizes], f"segments{i}"), "BTC")
    sizes = graph.integers(0, -1, layer.steps, graph.size)
    cut = graph.add("Reshape", [value.name, sizes], f"cut{i}")
    apart = graph.add("Transpose", [cut], f"apart{i}", perm=[1, 0, 3, 2])
    return Value(graph.add("Reshape", [apart, graph.integers(0, -1, layer.steps)], f"segments{i}"), "TBC")


def add_join(graph: Graph, value: Value, layer: Join, i: int) -> Value:
    """Bring [B * C, K * V] to [B, K, C * V]."""
    channels, values, steps = layer.channels, layer.values, graph.size // layer.values
    if channels == 1:
        return Value(graph.add("Reshape", [value.name, graph.integers(-1, steps, values)], f"joined{i}"), "BTC")
    sizes, perm = ([-1, channels, steps], [0, 2, 1]) if values == 1 else ([-1, channels, steps, values], [0, 2, 1, 3])
    apart = graph.add("Reshape", [value.name, graph.integers(*sizes)], f"by_channel{i}")
    beside = graph.add("Transpose", [apart], f"by_step{i}", perm=perm)
    if values == 1:
        return Value(beside, "BTC")
    return Value(graph.add("Reshape", [beside, graph.integers(0, 0, channels * values)], f"joined{i}"), "BTC")


NODES: Nodes = {
    Take: add_take,
    Repeat: add_repeat,
    Reverse: add_reverse,
    Mask: add_mask,
    Segment: add_segment,
    Join: add_join,
}
