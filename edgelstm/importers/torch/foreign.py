"""Bring a foreign ONNX graph into the form of FORMAT.md: cleaned, renamed, with LSTM states as inputs and outputs."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgelstm.arrays import Array
from edgelstm.contract import StateTensor
from edgelstm.errors import NetworkError
from edgelstm.runtime.file.structure import OPERATORS

OPSET = 17
IR_VERSION = 8


class Shape(NamedTuple):
    """The inputs and outputs that a graph should have.

    Attributes:
        features: F; 0 for tokens.
        lengths: it takes lengths.
        every_step: it answers at every step.
        answer: the axes of y after B and T: [K, O] or [C].
        given: the axes of the exported graph.
    """

    features: int
    lengths: bool
    every_step: bool
    answer: tuple[int, ...]
    given: tuple[int, ...]


def clean_graph(content: bytes, shape: Shape) -> onnx.ModelProto:
    """Fold constants, remove unused computations of shapes, and name inputs, outputs and axes.

    onnxruntime's offline optimizer at its basic level folds constants; its result does not depend on the hardware
    (decision 0013). Initial states of zero are removed before that, with the computation of their sizes.

    Args:
        content: an ONNX model of opset 17, batch first, with the input `x` and the output `raw`.
        shape: the inputs and outputs that it should have.

    Raises:
        NetworkError: it contains control flow, or an operator that model files must not contain.
    """
    model = onnx.load_from_string(content)
    for _ in range(2):
        _drop_zero_states(model)
        _drop_dead(model)
        model = _fold(model)
    _plain_gemms(model)
    _plain_inverses(model)
    _add_answer(model, shape)
    _drop_dead(model)
    _describe(model, shape)
    check_operators(model)
    onnx.checker.check_model(model)
    return model


def check_operators(model: onnx.ModelProto) -> None:
    """Refuse control flow and operators that model files must not contain; name the layer."""
    for node in model.graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise NetworkError(f"{place(node)}: a model file must not contain control flow")
        if node.op_type not in OPERATORS.get(node.domain, ()):
            raise NetworkError(f"{place(node)}: this operator is not on the list of FORMAT.md")


def surface_states(model: onnx.ModelProto) -> tuple[StateTensor, ...]:
    """Make the state of each LSTM an input and an output, named h0, c0, h1, ... as in FORMAT.md.

    Args:
        model: from `clean_graph`; changed in place.

    Raises:
        NetworkError: there is no LSTM, or one that runs backwards, or starts from its own initial state.
    """
    lstms = [node for node in model.graph.node if node.op_type == "LSTM"]
    if not lstms:
        raise NetworkError("state: expected an LSTM whose state can be carried, found none in the graph")
    states: list[StateTensor] = []
    for i, node in enumerate(lstms):
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if attributes.get("direction", b"forward") != b"forward":
            raise NetworkError(f"{place(node)}: it runs backwards, so its state cannot be carried")
        inputs = [*node.input, *[""] * (7 - len(node.input))]
        if inputs[5] or inputs[6]:
            raise NetworkError(f"{place(node)}: it starts from its own initial state; a carried state starts from zero")
        outputs = [*node.output, *[""] * (3 - len(node.output))]
        inputs[5:7] = f"h{i}", f"c{i}"
        for k, name in ((1, f"h{i}_out"), (2, f"c{i}_out")):
            _rename(model, outputs[k], name)
            outputs[k] = name
            states.append(StateTensor(f"{name[0]}{i}", name, (1, "B", int(attributes["hidden_size"])), "float32"))
        _set(node.input, inputs)
        _set(node.output, outputs)
    for state in states:
        for values, name in ((model.graph.input, state.input), (model.graph.output, state.output)):
            values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, state.shape))
    onnx.checker.check_model(model)
    return tuple(states)


def across_steps(model: onnx.ModelProto) -> list[str]:
    """Name the nodes that may use other steps and are not LSTMs."""
    constant = {tensor.name for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        product = node.op_type in ("MatMul", "Einsum") and not constant & set(node.input)
        kernel = next((list(a.ints) for a in node.attribute if a.name == "kernel_shape"), [1])
        if product or node.op_type in _ACROSS or max(kernel) > 1:
            found.append(place(node))
    return list(dict.fromkeys(found))


_ACROSS = frozenset(
    """
    AveragePool CumSum GRU Gather GatherND GlobalAveragePool GlobalMaxPool MaxPool Pad RNN Range ReduceL1 ReduceL2
    ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Slice Softmax TopK
    """.split()  # noqa: SIM905  (a list of words reads better)
)


def place(node: onnx.NodeProto) -> str:
    """Name the layer of a node: `torch.onnx` names nodes after the modules that contain them."""
    name = node.name.removeprefix("/module").rpartition("/")[0].strip("/").replace("/", ".")
    return f"{name!r} ({node.op_type})" if name else f"the operator {node.op_type}"


def operators(model: onnx.ModelProto) -> dict[str, int]:
    """Count the nodes by operator, most frequent first."""
    return dict(Counter(node.op_type for node in model.graph.node).most_common())


def open_graph(model: onnx.ModelProto) -> Callable[[dict[str, Array]], dict[str, Array]]:
    """Make a function of a graph, run on the CPU without any optimization."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = _session(model.SerializeToString(), options)
    names = [output.name for output in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(names, feeds), strict=True))


def _session(content: bytes, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let onnxruntime save the optimizations that it applies on every machine when it loads a graph."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        _session(model.SerializeToString(), options)
        folded = onnx.load(options.optimized_model_filepath)
    del folded.opset_import[:]
    folded.opset_import.append(helper.make_opsetid("", OPSET))
    folded.ir_version = IR_VERSION
    return folded


def _drop_zero_states(model: onnx.ModelProto) -> None:
    """Remove initial states of zero: an LSTM, GRU or RNN without one starts from zeros."""
    made = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ("LSTM", "GRU", "RNN"):
            continue
        inputs = ["" if k in (5, 6) and _is_zero(name, made, constants) else name for k, name in enumerate(node.input)]
        while not inputs[-1]:
            inputs.pop()
        _set(node.input, inputs)


# Operators whose output is zero if their first input is zero.
_KEEP_ZEROS = frozenset("Cast Expand Gather Identity Reshape Slice Split Squeeze Tile Transpose Unsqueeze".split())  # noqa: SIM905


def _is_zero(name: str, made: dict[str, onnx.NodeProto], constants: dict[str, Array]) -> bool:
    """Whether a value is made of zeros, followed back to where it was created."""
    if name in constants:
        return not constants[name].any()
    node = made.get(name)
    if node is None:
        return False
    if node.op_type in ("ConstantOfShape", "Constant"):
        values = [numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"]
        return all(not value.any() for value in values) and (bool(values) or node.op_type == "ConstantOfShape")
    if node.op_type == "Concat":
        return all(_is_zero(part, made, constants) for part in node.input)
    return node.op_type in _KEEP_ZEROS and _is_zero(node.input[0], made, constants)


def _drop_dead(model: onnx.ModelProto) -> None:
    """Remove unused nodes, optional outputs and constants."""
    needed = {output.name for output in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            outputs = [name if name in needed else "" for name in node.output]
            if node.op_type in ("LSTM", "GRU", "RNN"):
                while not outputs[-1]:
                    outputs.pop()
                _set(node.output, outputs)
            kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
            needed |= set(filter(None, node.input))
    _set(model.graph.node, kept[::-1])
    _set(model.graph.initializer, [t for t in model.graph.initializer if t.name in needed])


def _plain_gemms(model: onnx.ModelProto) -> None:
    """Transpose the constant weights of linear layers once, so that each is [in, out], as quantization needs."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        flags = {a.name: a for a in node.attribute}
        turned = "transB" in flags and flags["transB"].i
        if node.op_type != "Gemm" or not turned or node.input[1] not in weights:
            continue
        name = f"{node.input[1]}.transposed"
        if name not in weights:
            matrix = np.ascontiguousarray(numpy_helper.to_array(weights[node.input[1]]).T)
            weights[name] = numpy_helper.from_array(matrix, name)
            model.graph.initializer.append(weights[name])
        node.input[1] = name
        node.attribute.remove(flags["transB"])


def _plain_inverses(model: onnx.ModelProto) -> None:
    """Invert a permutation of rows by sorting it; packed sequences scatter 0, 1, ... instead.

    The list of FORMAT.md has no operator that writes to positions given by data.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        counts = made.get(node.input[2]) if node.op_type == "ScatterElements" else None
        from_zero = [constants.get(name) for name in (counts.input[0], counts.input[2])] if counts is not None else []
        if counts is None or counts.op_type != "Range" or from_zero != [0, 1] or not _along_rows(node):
            nodes.append(node)
            continue
        order, inverse = node.input[1], node.output[0]
        size, values = f"{inverse}.size", f"{inverse}.values"
        nodes.append(helper.make_node("Shape", [order], [size], name=size))
        nodes.append(
            helper.make_node("TopK", [order, size], [values, inverse], name=node.name, axis=0, largest=0, sorted=1)
        )
    _set(model.graph.node, [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes])


def _along_rows(node: onnx.NodeProto) -> bool:
    return all(a.i in (0, -1) for a in node.attribute if a.name == "axis")


def _add_answer(model: onnx.ModelProto, shape: Shape) -> None:
    """Give the answer its name, and its axes after B and, at every step, T."""
    raw = model.graph.output[0].name
    if shape.given == shape.answer:
        _rename(model, raw, "y")
    else:
        leading = [0, 0] if shape.every_step else [-1]
        sizes = numpy_helper.from_array(np.array([*leading, *shape.answer], np.int64), "answer_sizes")
        model.graph.initializer.append(sizes)
        model.graph.node.append(helper.make_node("Reshape", [raw, sizes.name], ["y"], name="y"))
    _set(model.graph.output, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])


def _describe(model: onnx.ModelProto, shape: Shape) -> None:
    """Write names, types and axes, and nothing else."""
    x: list[int | str] = ["B", "T", *([shape.features] if shape.features else [])]
    kind = TensorProto.FLOAT if shape.features else TensorProto.INT64
    inputs = [helper.make_tensor_value_info("x", kind, x)]
    if shape.lengths:
        inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT64, ["B"]))
    leading = ["B", "T"] if shape.every_step else ["B"]
    _set(model.graph.input, inputs)
    _set(model.graph.output, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [*leading, *shape.answer])])
    del model.graph.value_info[:]
    del model.metadata_props[:]
    model.graph.name = "network"
    model.graph.doc_string = model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    """Rename a value everywhere."""
    if old:
        for node in model.graph.node:
            _set(node.input, [new if name == old else name for name in node.input])
            _set(node.output, [new if name == old else name for name in node.output])


def _set(field: Any, values: Any) -> None:
    """Replace the content of a repeated field."""
    kept = list(values)
    del field[:]
    field.extend(kept)
