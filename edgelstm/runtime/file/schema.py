"""The messages of an ONNX file that a reader accepts: which fields, of what kind, how often and how long.

Protobuf merges a field that occurs twice and skips unknown ones; a reader that did the same would not see what
onnxruntime sees. Field numbers from onnx/onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from edgelstm.errors import ModelFileError, counted
from edgelstm.runtime.file.protobuf import BYTES, FIXED32, VARINT, DamagedProtobufError, Field, fields, varint

MAX_NODES = 4096
MAX_TENSORS = 4096
MAX_NODE_VALUES = 256  # inputs, or outputs
MAX_GRAPH_VALUES = 256
MAX_ATTRIBUTES = 32
MAX_NUMBERS = 4096  # in one attribute
MAX_RANK = 8
MAX_DIM = 2**31 - 1
MAX_NAME_BYTES = 1024
MAX_TEXT_BYTES = 65536
MAX_ENTRIES = 256


class Kind(NamedTuple):
    """What a field holds: its wire types, and the largest number of bytes if it has a length."""

    wire_types: tuple[int, ...]
    most_bytes: int = 2**31


_NUMBER = Kind((VARINT,))
_NUMBERS = Kind((VARINT, BYTES), 10 * MAX_NUMBERS)
_REAL = Kind((FIXED32,))
_REALS = Kind((FIXED32, BYTES), 4 * MAX_NUMBERS)
_NAME = Kind((BYTES,), MAX_NAME_BYTES)
_TEXT = Kind((BYTES,), MAX_TEXT_BYTES)
_MESSAGE = Kind((BYTES,))


class Schema(NamedTuple):
    """The fields of a message that a reader accepts, and what some refused ones are.

    Attributes:
        name: name of the message, for people.
        fields: by number: name, kind, and how often it may occur.
        refused: by number: what it would add.
    """

    name: str
    fields: dict[int, tuple[str, Kind, int]]
    refused: dict[int, str]


ENTRY = Schema("metadata entry", {1: ("key", _NAME, 1), 2: ("value", _MESSAGE, 1)}, {})
OPSET = Schema("opset", {1: ("domain", _NAME, 1), 2: ("version", _NUMBER, 1)}, {})
MODEL = Schema(
    "model",
    {
        1: ("ir_version", _NUMBER, 1),
        2: ("producer_name", _TEXT, 1),
        3: ("producer_version", _TEXT, 1),
        4: ("domain", _TEXT, 1),
        5: ("model_version", _NUMBER, 1),
        6: ("doc_string", _TEXT, 1),
        7: ("graph", _MESSAGE, 1),
        8: ("opset_import", _MESSAGE, 16),
        14: ("metadata_props", _MESSAGE, MAX_ENTRIES),
    },
    {20: "training information", 25: "functions of its own", 26: "device configurations"},
)
GRAPH = Schema(
    "graph",
    {
        1: ("node", _MESSAGE, MAX_NODES),
        2: ("name", _NAME, 1),
        5: ("initializer", _MESSAGE, MAX_TENSORS),
        10: ("doc_string", _TEXT, 1),
        11: ("input", _MESSAGE, MAX_GRAPH_VALUES),
        12: ("output", _MESSAGE, MAX_GRAPH_VALUES),
        13: ("value_info", _MESSAGE, MAX_NODES),
        16: ("metadata_props", _MESSAGE, MAX_ENTRIES),
    },
    {14: "quantization annotations", 15: "sparse initializers"},
)
NODE = Schema(
    "node",
    {
        1: ("input", _NAME, MAX_NODE_VALUES),
        2: ("output", _NAME, MAX_NODE_VALUES),
        3: ("name", _NAME, 1),
        4: ("op_type", _NAME, 1),
        5: ("attribute", _MESSAGE, MAX_ATTRIBUTES),
        6: ("doc_string", _TEXT, 1),
        7: ("domain", _NAME, 1),
        9: ("metadata_props", _MESSAGE, MAX_ENTRIES),
    },
    {8: "an overload, which only functions have", 10: "device configurations"},
)
ATTRIBUTE = Schema(
    "attribute",
    {
        1: ("name", _NAME, 1),
        2: ("f", _REAL, 1),
        3: ("i", _NUMBER, 1),
        4: ("s", _NAME, 1),
        5: ("t", _MESSAGE, 1),
        7: ("floats", _REALS, MAX_NUMBERS),
        8: ("ints", _NUMBERS, MAX_NUMBERS),
        9: ("strings", _NAME, MAX_ATTRIBUTES),
        13: ("doc_string", _TEXT, 1),
        20: ("type", _NUMBER, 1),
    },
    {
        6: "a graph: control flow",
        10: "a list of tensors",
        11: "graphs: control flow",
        14: "a type",
        15: "types",
        21: "a reference, which only functions have",
        22: "a sparse tensor",
        23: "sparse tensors",
    },
)
TENSOR = Schema(
    "tensor",
    {
        1: ("dims", _NUMBERS, MAX_RANK),
        2: ("data_type", _NUMBER, 1),
        4: ("float_data", _MESSAGE, 1),
        5: ("int32_data", _MESSAGE, 1),
        7: ("int64_data", _MESSAGE, 1),
        8: ("name", _NAME, 1),
        9: ("raw_data", _MESSAGE, 1),
        10: ("double_data", _MESSAGE, 1),
        12: ("doc_string", _TEXT, 1),
        14: ("data_location", _NUMBER, 1),
        16: ("metadata_props", _MESSAGE, MAX_ENTRIES),
    },
    {3: "segments", 6: "strings", 11: "uint64 data", 13: "external data: all data must be inside the file"},
)
VALUE = Schema(
    "value",
    {1: ("name", _NAME, 1), 2: ("type", _MESSAGE, 1), 3: ("doc_string", _TEXT, 1), 4: ("metadata_props", _MESSAGE, 16)},
    {},
)
TYPE = Schema(
    "type",
    {1: ("tensor_type", _MESSAGE, 1), 6: ("denotation", _NAME, 1)},
    {4: "a sequence", 5: "a map", 7: "an opaque type", 8: "a sparse tensor", 9: "an optional"},
)
TENSOR_TYPE = Schema("tensor type", {1: ("elem_type", _NUMBER, 1), 2: ("shape", _MESSAGE, 1)}, {})
SHAPE = Schema("shape", {1: ("dim", _MESSAGE, MAX_RANK)}, {})
DIM = Schema("dim", {1: ("dim_value", _NUMBER, 1), 2: ("dim_param", _NAME, 1), 3: ("denotation", _NAME, 1)}, {})

Message = dict[str, list[Field]]


def whole(content: bytes) -> Field:
    """Return the field that spans a whole file, as if it were a message inside another."""
    return Field(0, BYTES, 0, 0, len(content))


def named_fields(content: bytes, span: Field, schema: Schema) -> Iterator[tuple[str, Field]]:
    """Walk the fields of a message, unchecked, with their names in its schema; empty for a field outside it."""
    for field in fields(content, span.start, span.end):
        known = schema.fields.get(field.number)
        yield known[0] if known else "", field


def read_message(content: bytes, span: Field, schema: Schema, place: str = "") -> Message:
    """Read the fields of a message by its schema; check that each is known, of its type, and not too frequent."""
    message: Message = {}
    for name, field in named_fields(content, span, schema):
        if not name:
            what = schema.refused.get(field.number, f"an unknown field {field.number}")
            raise ModelFileError(f"{place or 'a ' + schema.name} has {what}; such files are refused")
        _, kind, most = schema.fields[field.number]
        if field.wire_type not in kind.wire_types:
            raise DamagedProtobufError(f"{name} of a {schema.name} has the wire type {field.wire_type}")
        if field.end - field.start > kind.most_bytes:
            raise ModelFileError(f"{name} of a {schema.name} is longer than {kind.most_bytes} bytes")
        found = message.setdefault(name, [])
        found.append(field)
        if len(found) > most:
            raise ModelFileError(f"{place or 'a ' + schema.name} has more than {counted(most, 'field')} {name}")
    return message


def number(message: Message, name: str) -> int:
    """Return a number; 0 if it is absent, as in protobuf."""
    return message[name][0].value if name in message else 0


def numbers(content: bytes, message: Message, name: str) -> list[int]:
    """Return repeated numbers; protobuf writers may pack them into one field."""
    found: list[int] = []
    for field in message.get(name, ()):
        if field.wire_type == VARINT:
            found.append(field.value)
            continue
        position = field.start
        while position < field.end:
            value, position = varint(content, position, field.end)
            found.append(value)
    return found


def text(content: bytes, message: Message, name: str) -> str:
    """Return a text; empty if it is absent."""
    field = message[name][0] if name in message else None
    return content[field.start : field.end].decode() if field else ""


def texts(content: bytes, message: Message, name: str) -> list[str]:
    """Return repeated texts."""
    return [content[field.start : field.end].decode() for field in message.get(name, ())]
