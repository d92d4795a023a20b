"""The bounds of a reader: those of FORMAT.md, and each from both sides."""

import re

import onnx
import pytest
from onnx import helper

from edgelstm.errors import ModelFileError
from edgelstm.runtime.file import model_file, schema, structure
from edgelstm.runtime.file.structure import check_structure
from tests.attack.tree import varint
from tests.conftest import CO2_FILES, ROOT

FORMAT = " ".join((ROOT / "edgelstm" / "FORMAT.md").read_text().split())


@pytest.fixture
def model():
    return onnx.load(CO2_FILES / "co2.fp32.onnx")


def bound(what):
    """The number beside it in FORMAT.md's table of limits."""
    return int(re.search(rf"\| {what} \| (\d+)", FORMAT)[1])


def test_the_bounds_are_those_of_format_md():
    assert bound("nodes; initializers; numbers in an attribute") == 4096
    assert schema.MAX_NODES == schema.MAX_TENSORS == schema.MAX_NUMBERS == 4096
    assert bound("inputs or outputs of a node or of the graph") == 256
    assert schema.MAX_GRAPH_VALUES == schema.MAX_NODE_VALUES == 256
    assert bound("attributes of a node") == schema.MAX_ATTRIBUTES
    assert bound("axes") == schema.MAX_RANK
    assert bound("bytes of a name") == schema.MAX_NAME_BYTES
    assert bound("bytes of a text") == schema.MAX_TEXT_BYTES
    assert "| length of an axis | 2^31 - 1 |" in FORMAT
    assert schema.MAX_DIM == 2**31 - 1
    assert "There are at most 256 entries, and a value has at most 32 MiB of UTF-8" in FORMAT
    assert (model_file.MAX_METADATA_BYTES, schema.MAX_ENTRIES) == (32 * 2**20, 256)
    assert model_file.MAX_FILE_BYTES == 2**31 - 1


def extra(model, operator="Identity", inputs=("x",), outputs=("made",), **attributes):
    model.graph.node.append(helper.make_node(operator, inputs, outputs, **attributes))
    return model.graph.node[-1]


def named(model, count):
    extra(model).name = "n" * count


def described(model, count):
    extra(model).doc_string = "n" * count


def with_attributes(model, count):
    node = extra(model)
    node.attribute.extend(helper.make_attribute(f"a{i}", 1) for i in range(count))


def with_numbers(model, count):
    extra(model, "Constant", (), value_ints=[1] * count)


def with_inputs(model, count):
    extra(model, "Sum", ["x"] * count)


def with_outputs(model, count):
    extra(model, "Split", outputs=[f"made{i}" for i in range(count)])


def with_axes(model, count):
    model.graph.initializer.append(helper.make_tensor("made", onnx.TensorProto.FLOAT, [1] * count, [1.0]))


def with_metadata(model, count):
    node = extra(model)
    for i in range(count):
        node.metadata_props.add(key=str(i), value="")


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (named, 1024),
        (described, 65536),
        (with_attributes, 32),
        (with_numbers, 4096),
        (with_inputs, 256),
        (with_outputs, 256),
        (with_axes, 8),
        (with_metadata, 256),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_bound_is_what_is_just_taken(change, most):
    for count, fits in ((most, True), (most + 1, False)):
        model = onnx.load(CO2_FILES / "co2.fp32.onnx")
        change(model, count)
        if fits:
            assert check_structure(model.SerializeToString()) == ()
        else:
            with pytest.raises(ModelFileError):
                check_structure(model.SerializeToString())


@pytest.mark.parametrize("bytes_", [32 * 2**20, 32 * 2**20 + 1])
def test_a_value_of_metadata_has_at_most_32_mib(model, bytes_):
    model.metadata_props.add(key="note", value="n" * bytes_)
    if bytes_ == 32 * 2**20:
        assert model_file._metadata_spans(model.SerializeToString(), "file").keys() >= {"note"}
    else:
        with pytest.raises(ModelFileError, match="the metadata 'note' is longer than 33554432 bytes"):
            model_file._metadata_spans(model.SerializeToString(), "file")


@pytest.mark.parametrize(
    ("message", "number", "most"),
    [(schema.ATTRIBUTE, 8, 10 * 4096), (schema.ATTRIBUTE, 7, 4 * 4096), (schema.ATTRIBUTE, 9, 1024)],
    ids=["packed whole numbers", "packed reals", "a text"],
)
def test_a_field_has_so_many_bytes_at_most(message, number, most):
    for size, fits in ((most, True), (most + 1, False)):
        content = varint(number << 3 | 2) + varint(size) + bytes(size)
        if fits:
            assert len(schema.read_message(content, schema.whole(content), message)) == 1
        else:
            with pytest.raises(ModelFileError, match=f"is longer than {most} bytes"):
                schema.read_message(content, schema.whole(content), message)


@pytest.mark.parametrize(("axes", "fits"), [(8, True), (9, False)])
def test_a_shape_that_is_packed_into_one_field_has_as_few_axes_as_any(axes, fits):
    content = b"\x0a" + varint(axes) + b"\1" * axes + b"\x10\1" + b"\x4a\4" + bytes(4)  # dims, data_type, raw_data
    if fits:
        assert structure._check_tensor(content, schema.whole(content))[1].axes == axes
    else:
        with pytest.raises(ModelFileError, match="expected at most 8 axes"):
            structure._check_tensor(content, schema.whole(content))
