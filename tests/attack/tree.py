"""An ONNX file as a tree of raw protobuf fields that can be rearranged against all rules."""

from __future__ import annotations

# The fields that hold messages, by message: number -> message. From onnx/onnx.proto3.
MESSAGES = {
    "model": {7: "graph", 8: "opset", 14: "entry"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor"},
    "value": {2: "type"},
    "type": {1: "tensor_type"},
    "tensor_type": {2: "shape"},
    "shape": {1: "dim"},
}


class Field:
    """One field: a number (wire type 0), bytes (1, 2, 5), or a message of fields (2)."""

    def __init__(self, number, wire_type, value, message=None):
        self.number, self.wire_type, self.value, self.message = number, wire_type, value, message
        self.lie = 0  # added to the length that is written

    def __bytes__(self):
        held = int if self.wire_type == 0 else list if self.message else bytes
        if not isinstance(self.value, held):  # put there by a mutation, where an earlier one had left another field
            raise ValueError(f"expected {held.__name__} in field {self.number}, got {type(self.value).__name__}")
        tag = varint(self.number << 3 | self.wire_type)
        if self.wire_type == 0:
            return tag + varint(self.value)
        content = join(self.value) if self.message else self.value
        return tag + (varint(max(len(content) + self.lie, 0)) if self.wire_type == 2 else b"") + content

    def copy(self):
        """A deep copy."""
        value = [child.copy() for child in self.value] if self.message else self.value
        return Field(self.number, self.wire_type, value, self.message)

    def first(self, number):
        """The first field of a message with that number; None without one."""
        return next((child for child in self.value if child.number == number), None)


def parse(content, message="model"):
    """Read a message that is known to be good."""
    fields, position = [], 0
    while position < len(content):
        tag, position = _number(content, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _number(content, position)
            fields.append(Field(number, 0, value))
            continue
        size = {1: 8, 5: 4}.get(wire_type)
        if size is None:
            size, position = _number(content, position)
        value, position = content[position : position + size], position + size
        inner = MESSAGES.get(message, {}).get(number) if wire_type == 2 else None
        fields.append(Field(number, wire_type, parse(value, inner) if inner else value, inner))
    return fields


def join(fields):
    """Write fields one behind the other."""
    return b"".join(map(bytes, fields))


def messages(fields, message="model"):
    """All lists of fields in the tree, with the name of their message."""
    yield message, fields
    for field in fields:
        if field.message:
            yield from messages(field.value, field.message)


def varint(number):
    """A base-128 number, lowest seven bits first."""
    content = bytearray()
    while number >= 0x80:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*content, number])


def _number(content, position):
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
