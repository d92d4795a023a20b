"""Check the whole structure of a model file before onnxruntime sees a byte of it.

FORMAT.md, "What a reader refuses", is the specification. onnxruntime below 1.24 follows the paths of a tensor out of
the model's folder, runs any operator it knows, and loads many damaged graphs; anything that is not on a list here is
refused.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from edgelstm.errors import ModelFileError
from edgelstm.runtime.file import schema
from edgelstm.runtime.file.protobuf import DamagedProtobufError, Field
from edgelstm.runtime.file.schema import MAX_DIM, MAX_RANK, Message, number, numbers, read_message, text, texts, whole

IR_VERSION = 8
OPSETS = {"": 17, "com.microsoft": 1}

# Pure functions of their inputs: none is random, keeps a state, uses strings or sequences, holds a graph, or opens a
# file. FORMAT.md has the same list.
_AI_ONNX = """
Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant ConstantOfShape Conv
ConvTranspose Cos CumSum DequantizeLinear Div DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand Flatten Floor GRU
Gather GatherElements GatherND Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish
Identity InstanceNormalization LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul MatMulInteger
Max MaxPool Mean Min Mod Mul Neg Not Or PRelu Pad Pow QuantizeLinear RNN Range Reciprocal ReduceL1 ReduceL2
ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round ScatterElements
Selu Shape Sigmoid Sign Sin Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile TopK
Transpose Trilu Unsqueeze Where Xor
"""
_MICROSOFT = "DynamicQuantizeLSTM DynamicQuantizeMatMul"
OPERATORS = {"": frozenset(_AI_ONNX.split()), "com.microsoft": frozenset(_MICROSOFT.split())}

# By TensorProto.DataType: float32, uint8, int8, uint16, int16, int32, int64, bool, float16, float64.
ELEMENT_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8}
_FLOAT, _INT64, _BOOL, _HALF, _DOUBLE = 1, 7, 9, 10, 11

# What the elements of a value may be: real numbers; whole numbers; known whole numbers other than 0 and -1.
_REAL, _WHOLE, _DIVISOR = "real", "whole", "divisor"
_WHOLE_GIVERS = {"Shape", "ArgMax", "ArgMin", "MatMulInteger", "QuantizeLinear", "DynamicQuantizeLinear"}
_WHOLE_BESIDE = {"TopK", "MaxPool", "DynamicQuantizeLinear"}  # their outputs after the first are whole
_MAX_DIVISORS = 64
_KEEPS_AXES = {"Cast", "DequantizeLinear", "Identity"}
_RECURRENT = {"LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"}
_AT_LEAST_ONE = {"strides", "dilations", "kernel_shape", "group", "hidden_size"}
_MAX_ATTRIBUTE = 2**31 - 1

_DATA = ("raw_data", "float_data", "int32_data", "int64_data", "double_data")
_ATTRIBUTE_FIELD = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}  # by AttributeProto.type


class _Value(NamedTuple):
    """What is known of a value: the kind of its elements, and its number of axes; None if that is computed."""

    kind: str
    axes: int | None = None


def check_structure(content: bytes) -> tuple[str, ...]:
    """Check every message of an ONNX file, down to the last tensor.

    Args:
        content: the whole file.

    Returns:
        What makes the file foreign, one sentence each: operators that are not on the list, other domains, another opset
        or IR version. Empty for files of `edgelstm export`.

    Raises:
        ModelFileError: a damaged message, an unknown or repeated field, data outside of the file, control flow,
            functions, a tensor whose bytes do not fit its shape, a value that no earlier node gives, or a count beyond
            its bound.

    Example:
        >>> from pathlib import Path
        >>> check_structure(Path("models/co2/co2.fp32.onnx").read_bytes())
        ()
    """
    try:
        return tuple(_check_model(content))
    except (DamagedProtobufError, UnicodeDecodeError) as error:
        raise ModelFileError(f"the graph is damaged: {error}") from error


def _check_model(content: bytes) -> list[str]:
    model = read_message(content, whole(content), schema.MODEL)
    _check_entries(content, model)
    foreign = _foreign_versions(content, model)
    for graph in model.get("graph", ()):
        foreign += _check_graph(content, read_message(content, graph, schema.GRAPH))
    return foreign


def _foreign_versions(content: bytes, model: Message) -> list[str]:
    found = {} if number(model, "ir_version") == IR_VERSION else {"IR": number(model, "ir_version")}
    domains: set[str] = set()
    for field in model.get("opset_import", ()):
        opset = read_message(content, field, schema.OPSET)
        domain, version = text(content, opset, "domain"), number(opset, "version")
        _expect(domain not in domains, f"the opset of {_domain(domain)} occurs twice")
        domains.add(domain)
        if OPSETS.get(domain) != version:
            found[f"opset of {_domain(domain)}"] = version
    _expect("" in domains, "the opset of ai.onnx is missing")
    known = ", ".join(f"{_domain(domain)} {version}" for domain, version in OPSETS.items())
    return [f"{what} {version} is unknown; expected IR {IR_VERSION}, {known}" for what, version in found.items()]


def _check_graph(content: bytes, graph: Message) -> list[str]:
    """Walk the graph in the order of a run: each value must exist before a node uses it."""
    _check_entries(content, graph)
    text(content, graph, "name")
    known: dict[str, _Value] = {}
    for field in graph.get("input", ()):
        _define(known, *_check_value(content, field))
    for field in graph.get("initializer", ()):
        _define(known, *_check_tensor(content, field))
    foreign: dict[str, None] = {}
    for field in graph.get("node", ()):
        domain, operator = _check_node(content, field, known)
        if operator not in OPERATORS.get(domain, ()):
            foreign[f"the operator {operator!r} of {_domain(domain)} is not on the list of FORMAT.md"] = None
    given: dict[str, _Value] = {}
    for field in graph.get("output", ()):
        name, value = _check_value(content, field)
        _expect(name in known, f"nothing defines the output {name!r}")
        _define(given, name, value)
    for field in graph.get("value_info", ()):
        _check_value(content, field)
    return list(foreign)


def _check_node(content: bytes, field: Field, known: dict[str, _Value]) -> tuple[str, str]:
    """Check one node and add its outputs to the known values; return its domain and operator."""
    node = read_message(content, field, schema.NODE)
    _check_entries(content, node)
    operator, domain = text(content, node, "op_type"), text(content, node, "domain")
    place = f"node {text(content, node, 'name')!r} ({operator!r})"
    inputs = texts(content, node, "input")
    for name in inputs:
        _expect(not name or name in known, f"{place} uses {name!r}, which nothing before it defines")
    attributes: dict[str, _Value] = {}
    for attribute in node.get("attribute", ()):
        name, value = _check_attribute(content, attribute, place)
        _expect(name not in attributes, f"{place}: the attribute {name!r} occurs twice")
        attributes[name] = value
    values = [known.get(name, _Value(_REAL)) for name in inputs]
    _check_fatal(operator, values, place)
    outputs = texts(content, node, "output")
    _expect(any(outputs), f"{place} has no output")
    given = _given(operator, values, attributes)
    for i, name in enumerate(outputs):
        if name:
            _define(known, name, _Value(_WHOLE) if i and operator in _WHOLE_BESIDE else given)
    return domain, operator


def _check_fatal(operator: str, values: list[_Value], place: str) -> None:
    """Refuse what kills the process in onnxruntime 1.23.2 or 1.32.0 (tested): SIGFPE, SIGSEGV or SIGABRT."""
    if operator in ("Div", "Mod") and len(values) > 1:
        _expect(
            values[1].kind != _WHOLE, f"{place} divides by whole numbers that may be 0 or -1: that kills the process"
        )
    if operator == "Squeeze":
        _expect(
            values[1:2] != [] and values[1].kind != _REAL, f"{place} has no axes: it would remove a batch of one too"
        )
    if operator in _RECURRENT:
        _expect(all(value.axes in (3, None) for value in values[1:3]), f"{place} has weights without 3 axes")
    if operator in ("Conv", "ConvTranspose"):
        _expect(
            all(value.axes is None or value.axes >= 3 for value in values[1:2]),
            f"{place} has weights of fewer than 3 axes",
        )


def _given(operator: str, values: list[_Value], attributes: dict[str, _Value]) -> _Value:
    """Infer the outputs of an operator: numbers of the kind of its first input, with a few exceptions."""
    if operator in _WHOLE_GIVERS:
        return _Value(_WHOLE)
    if operator == "Constant" and len(attributes) == 1:
        return next(iter(attributes.values()))
    if operator == "Cast":
        kind = attributes.get("to", _Value(_WHOLE)).kind
    elif operator == "ConstantOfShape":
        kind = attributes.get("value", _Value(_REAL)).kind
    elif operator == "DequantizeLinear":
        kind = _REAL
    else:
        kind = next((value.kind for value in (values[1:2] if operator == "Where" else values)), _WHOLE)
    axes = values[0].axes if values and operator in _KEEPS_AXES else None
    return _Value(_REAL if kind == _REAL else _WHOLE, axes)


def _check_attribute(content: bytes, field: Field, place: str) -> tuple[str, _Value]:
    """Check that an attribute holds the field of its type and no other; return its name and value."""
    attribute = read_message(content, field, schema.ATTRIBUTE, place)
    name = text(content, attribute, "name")
    place = f"{place}: the attribute {name!r}"
    kind = _ATTRIBUTE_FIELD.get(number(attribute, "type"))
    _expect(kind is not None, f"{place} has the unsupported type {number(attribute, 'type')}")
    beside = [value for value in _ATTRIBUTE_FIELD.values() if value != kind and value in attribute]
    _expect(not beside, f"{place} holds {kind} and {', '.join(beside)} at once")
    _expect(name not in ("value_string", "value_strings"), f"{place} is a string")
    whole = [
        value if value < 2**63 else value - 2**64 for key in ("i", "ints") for value in numbers(content, attribute, key)
    ]
    _expect(all(abs(value) <= _MAX_ATTRIBUTE for value in whole), f"{place} is beyond {_MAX_ATTRIBUTE}")
    fits = name != "batch_dims" or all(0 <= value <= MAX_RANK for value in whole)
    _expect(fits, f"{place} must be from 0 to {MAX_RANK}")
    fatal = name in _AT_LEAST_ONE and min(whole, default=1) < 1
    _expect(not fatal, f"{place} must be at least 1: less kills the process")
    texts(content, attribute, "strings")
    if name in ("to", "dtype", "output_datatype"):
        return name, _Value(_check_data_type(number(attribute, "i"), place))
    for tensor in attribute.get("t", ()):
        return name, _check_tensor(content, tensor, place)[1]
    return name, _Value(_REAL if kind in ("f", "floats") else _WHOLE)


def _check_tensor(content: bytes, field: Field, place: str = "") -> tuple[str, _Value]:
    """Check that a tensor has one data field of the size of its shape and type; return its name and value."""
    tensor = read_message(content, field, schema.TENSOR, place)
    _check_entries(content, tensor)
    name = text(content, tensor, "name")
    place = place or f"tensor {name!r}"
    _expect(number(tensor, "data_location") == 0, f"{place} has external data: all data must be inside the file")
    data_type, dims = number(tensor, "data_type"), numbers(content, tensor, "dims")
    kind = _check_data_type(data_type, place)
    _check_dims(dims, place)
    elements = math.prod(dims)
    _expect(
        bool(elements) or (data_type == _INT64 and len(dims) == 1), f"{place} has the shape {dims}, without elements"
    )
    found = [(key, tensor[key][0]) for key in _DATA if key in tensor]
    _expect(len(found) == 1 or not (found or elements), f"{place} has {len(found)} data fields, expected one")
    for key, data in found:
        got = _count(content, data, key, data_type, place)
        _expect(got == elements, f"{place} has the shape {dims}, {elements} elements, but data for {got:g}")
    if kind == _WHOLE and "raw_data" in tensor and 0 < elements <= _MAX_DIVISORS:
        kind = _whole_kind(content, tensor["raw_data"][0], ELEMENT_BYTES[data_type])
    return name, _Value(kind, len(dims))


def _whole_kind(content: bytes, data: Field, size: int) -> str:
    places = range(data.start, data.end, size)
    values = {int.from_bytes(content[k : k + size], "little", signed=True) for k in places}
    return _WHOLE if values & {0, -1} else _DIVISOR


def _count(content: bytes, data: Field, key: str, data_type: int, place: str) -> float:
    """Count the elements of a data field; a fraction if the last one is cut off."""
    length = data.end - data.start
    span = content[data.start : data.end] if data_type == _BOOL or key in ("int32_data", "int64_data") else b""
    _expect(
        data_type != _BOOL or not span.translate(None, b"\0\1"),
        f"{place} is bool and holds values other than 0 and 1",
    )
    if key == "raw_data":
        return length / ELEMENT_BYTES[data_type]
    fits = {"float_data": data_type == _FLOAT, "double_data": data_type == _DOUBLE, "int64_data": data_type == _INT64}
    _expect(fits.get(key, data_type not in (_FLOAT, _DOUBLE, _INT64)), f"{place} has data of type {data_type} in {key}")
    if key in ("float_data", "double_data"):
        return length / ELEMENT_BYTES[data_type]
    ends = len(span.translate(None, bytes(range(128, 256))))  # the last byte of each number is below 128
    return ends if span[-1:] < b"\x80" else ends + 0.5


def _check_value(content: bytes, field: Field) -> tuple[str, _Value]:
    """Check the name, type and shape of a value; return its name and value."""
    value = read_message(content, field, schema.VALUE)
    _check_entries(content, value)
    name, kind = text(content, value, "name"), _WHOLE
    place = f"value {name!r}"
    for field in value.get("type", ()):
        for tensor in read_message(content, field, schema.TYPE, place).get("tensor_type", ()):
            tensor_type = read_message(content, tensor, schema.TENSOR_TYPE, place)
            kind = _check_data_type(number(tensor_type, "elem_type"), place)
            for shape in tensor_type.get("shape", ()):
                _check_shape(content, shape, place)
    return name, _Value(kind)


def _check_shape(content: bytes, shape: Field, place: str) -> None:
    dims = read_message(content, shape, schema.SHAPE, place).get("dim", ())
    found = [read_message(content, dim, schema.DIM, place) for dim in dims]
    _check_dims([number(dim, "dim_value") for dim in found], place)
    for dim in found:
        text(content, dim, "dim_param")


def _check_entries(content: bytes, message: Message) -> None:
    for entry in message.get("metadata_props", ()):
        read_message(content, entry, schema.ENTRY)


def _check_data_type(data_type: int, place: str) -> str:
    _expect(data_type in ELEMENT_BYTES, f"{place} has the unsupported data type {data_type}")
    return _REAL if data_type in (_FLOAT, _HALF, _DOUBLE) else _WHOLE


def _check_dims(dims: list[int], place: str) -> None:
    fits = len(dims) <= MAX_RANK and all(dim <= MAX_DIM for dim in dims)
    _expect(fits, f"{place} has the shape {dims[: MAX_RANK + 1]}, expected at most {MAX_RANK} axes of 0 to {MAX_DIM}")


def _define(known: dict[str, _Value], name: str, value: _Value) -> None:
    _expect(bool(name), "a value has no name")
    _expect(name not in known, f"the value {name!r} is defined twice")
    known[name] = value


def _domain(domain: str) -> str:
    return domain or "ai.onnx"


def _expect(holds: bool, problem: str) -> None:
    if not holds:
        raise ModelFileError(f"the graph: {problem}")
