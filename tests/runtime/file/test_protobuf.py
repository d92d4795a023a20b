import onnx
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.runtime.file.protobuf import BYTES, FIXED32, FIXED64, VARINT, DamagedProtobufError, fields, varint

GROUPS = {3, 4}
int64s = st.integers(-(2**63), 2**63 - 1)
tensors = st.builds(
    onnx.TensorProto,
    name=st.text(),
    dims=st.lists(int64s, max_size=3),
    raw_data=st.binary(),
    float_data=st.lists(st.floats(width=32), max_size=3),
    double_data=st.lists(st.floats(), max_size=3),
)
nodes = st.builds(onnx.NodeProto, op_type=st.text(), input=st.lists(st.text(), max_size=3), doc_string=st.text())
models = st.builds(
    onnx.ModelProto,
    ir_version=int64s,
    producer_name=st.text(),
    model_version=int64s,
    graph=st.builds(
        onnx.GraphProto, node=st.lists(nodes, max_size=2), initializer=st.lists(tensors, max_size=2), name=st.text()
    ),
    opset_import=st.lists(st.builds(onnx.OperatorSetIdProto, domain=st.text(), version=int64s), max_size=2),
    metadata_props=st.lists(st.builds(onnx.StringStringEntryProto, key=st.text(), value=st.text()), max_size=3),
)
numbers = st.integers(1, 2**29 - 1)
single_fields = st.one_of(
    st.builds(lambda number, value: encoded(number << 3) + encoded(value), numbers, st.integers(0, 2**64 - 1)),
    st.builds(lambda number, value: encoded(number << 3 | 2) + encoded(len(value)) + value, numbers, st.binary()),
    st.builds(lambda number, value: encoded(number << 3 | 1) + value, numbers, st.binary(min_size=8, max_size=8)),
    st.builds(lambda number, value: encoded(number << 3 | 5) + value, numbers, st.binary(min_size=4, max_size=4)),
)


def read_by_protobuf(content):
    """[(number, wire type, value or content)] by the real protobuf; None where it refuses."""
    try:
        message = Empty.FromString(content)
    except DecodeError:
        return None
    return [(field.field_number, field.wire_type, field.data) for field in UnknownFieldSet(message)]


def read_here(content, start=0, end=None):
    """The same by this package."""
    found = []
    try:
        for field in fields(content, start, len(content) if end is None else end):
            data = content[field.start : field.end]
            if field.wire_type == VARINT:
                data = field.value
            elif field.wire_type in (FIXED32, FIXED64):
                data = int.from_bytes(
                    content[field.end - (4 if field.wire_type == FIXED32 else 8) : field.end], "little"
                )
            found.append((field.number, field.wire_type, data))
    except DamagedProtobufError:
        return None
    return found


def encoded(number):
    """A base-128 number, lowest seven bits first."""
    content = bytearray()
    while number >= 0x80:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*content, number])


@given(models)
@settings(max_examples=60, deadline=None)
def test_a_model_is_read_as_protobuf_reads_it(model):
    content = model.SerializeToString()
    assert read_here(content) == read_by_protobuf(content)


@given(tensors)
@settings(max_examples=60, deadline=None)
def test_fixed_and_packed_numbers_are_read_as_protobuf_reads_them(tensor):
    content = tensor.SerializeToString()
    assert read_here(content) == read_by_protobuf(content)


@given(st.lists(single_fields, max_size=5).map(b"".join), st.binary(max_size=2))
@settings(max_examples=300, deadline=None)
def test_fields_of_any_number_and_type_are_read_as_protobuf_reads_them(content, tail):
    assert read_here(content) == read_by_protobuf(content)
    behind = read_by_protobuf(content + tail)
    if behind is not None and all(number > 0 and wire_type not in GROUPS for number, wire_type, _ in behind):
        assert read_here(content + tail) == behind


@given(models, st.data())
@settings(max_examples=40, deadline=None)
def test_a_model_cut_anywhere_is_refused_where_protobuf_refuses_it(model, data):
    content = model.SerializeToString()
    cut = content[: data.draw(st.integers(0, len(content)))]
    assert read_here(cut) == read_by_protobuf(cut)


def test_a_real_file_cut_at_every_byte_is_refused_where_protobuf_refuses_it(window_files):
    content = window_files.fp32.read_bytes()
    accepted = 0
    for length in range(len(content) + 1):
        here = read_here(content[:length])
        assert here == read_by_protobuf(content[:length]), length
        accepted += here is not None
    assert accepted < 20, "most cuts fall inside a field"


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_a_number_is_read_with_the_position_behind_it(number, before, after):
    content = before + encoded(number) + after
    assert varint(content, len(before), len(content)) == (number, len(content) - len(after))


@given(st.integers(0, 2**64 - 1), st.data())
def test_a_number_that_runs_out_of_its_message_is_refused_though_bytes_follow(number, data):
    content = encoded(number)
    end = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DamagedProtobufError, match=f"cut off at byte {end}"):
        varint(content, 0, end)


@pytest.mark.parametrize("extra", [0, 1, 1000])
def test_a_number_of_more_than_ten_bytes_is_refused(extra):
    with pytest.raises(DamagedProtobufError, match="more than 10 bytes"):
        varint(b"\xff" * (10 + extra) + b"\x01", 0, 11 + extra)
    assert read_here(b"\x08" + b"\x80" * (10 + extra) + b"\x01") is None


@pytest.mark.parametrize("length", [127, 128, 2**31, 2**63, 2**64 - 1])
@pytest.mark.parametrize("have", [0, 1, 126])
def test_a_length_past_the_end_is_refused(length, have):
    content = b"\x72" + encoded(length) + b"x" * have
    with pytest.raises(DamagedProtobufError, match=f"runs {length - have} bytes past its message"):
        list(fields(content, 0, len(content)))


def test_a_length_past_its_message_is_refused_though_the_file_goes_on():
    content = b"\x72\x05" + b"x" * 100
    assert read_here(content, 0, 7) == [(14, BYTES, b"x" * 5)]
    assert read_here(content, 0, 6) is None


@pytest.mark.parametrize("size", range(8))
def test_a_fixed_number_past_the_end_is_refused(size):
    assert read_here(b"\x09" + bytes(size)) is None
    assert (read_here(b"\x0d" + bytes(size)) is None) == (size != 4)


@pytest.mark.parametrize("wire_type", [3, 4, 6, 7])
def test_a_wire_type_that_onnx_never_writes_is_refused(wire_type):
    with pytest.raises(DamagedProtobufError, match=f"unknown wire type {wire_type}"):
        list(fields(bytes([8 | wire_type]) + bytes(20), 0, 21))


def test_a_field_without_a_number_is_refused():
    with pytest.raises(DamagedProtobufError, match="number 0"):
        list(fields(b"\x00\x00", 0, 2))
