"""A bounded reader of the protobuf wire format, enough to check an ONNX file before onnxruntime reads it.

Every length is checked against the bytes left before it is used, and only requested data is copied.
Source: protobuf.dev, "Encoding"; field numbers from onnx/onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MAX_VARINT_BYTES = 10
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class DamagedProtobufError(ValueError):
    """The bytes do not follow the wire format."""


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: the field number of the message's schema.
        wire_type: `VARINT`, `FIXED64`, `BYTES` or `FIXED32`.
        value: the number of a varint, else 0.
        start, end: the span of the content of a `BYTES` field.
    """

    number: int
    wire_type: int
    value: int
    start: int
    end: int


def fields(data: bytes | memoryview, start: int, end: int) -> Iterator[Field]:
    """Walk the fields of the message that lies at `data[start:end]`.

    Raises:
        DamagedProtobufError: a varint or a length runs past the message, or a wire type is unknown.
    """
    position = start
    while position < end:
        tag, position = varint(data, position, end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise DamagedProtobufError(f"a field with the number 0 at byte {position}")
        value, content = 0, position
        if wire_type == VARINT:
            value, position = varint(data, position, end)
        elif wire_type == BYTES:
            length, content = varint(data, position, end)
            position = content + length
        elif wire_type in (FIXED64, FIXED32):
            position += 8 if wire_type == FIXED64 else 4
        else:
            raise DamagedProtobufError(f"unknown wire type {wire_type} at byte {position}")
        if position > end:
            raise DamagedProtobufError(f"a field runs {position - end} bytes past its message at byte {content}")
        yield Field(number, wire_type, value, content, position)


def varint(data: bytes | memoryview, position: int, end: int) -> tuple[int, int]:
    """Read one base-128 number; return it and the position after it.

    Raises:
        DamagedProtobufError: it is cut off, or longer than ten bytes.
    """
    value = shift = 0
    for _ in range(MAX_VARINT_BYTES):
        if position >= end:
            raise DamagedProtobufError(f"a number is cut off at byte {position}")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise DamagedProtobufError(f"a number of more than {MAX_VARINT_BYTES} bytes at byte {position}")
