"""Hostile graphs: each is refused before onnxruntime sees a byte, though its digest is right."""

from __future__ import annotations

import re
from contextlib import suppress

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgelstm.errors import ExportError, ModelFileError
from edgelstm.export.pack import pack
from edgelstm.runtime import parse_model_file
from edgelstm.runtime.file import schema
from edgelstm.runtime.file.structure import ELEMENT_BYTES, OPERATORS, OPSETS, check_structure
from tests.attack.fresh import all_kinds, model_file
from tests.conftest import CO2_FILES, ROOT
from tests.resealed import resealed

# Data comes packed into one field: that there is exactly one is what makes it countable.
REPEATED_FIELDS_PACKED_INTO_ONE = {
    ("TensorProto", name) for name in ("float_data", "int32_data", "int64_data", "double_data")
}


@pytest.fixture(scope="module")
def content():
    return model_file()


@pytest.fixture
def model(content):
    return onnx.ModelProto.FromString(content)


def refused(model, reason):
    """See that a model with a right digest is refused, whether it is called unverified or not."""
    for unverified in (False, True):
        with pytest.raises(ModelFileError, match=reason):
            parse_model_file(resealed(model), unverified=unverified)


def node(model, operator):
    return next(node for node in model.graph.node if node.op_type == operator)


def with_varint(number, value):
    """A field of a message that the onnx package does not know how to write."""
    content = bytearray()
    for rest in (number << 3, value):
        while rest >= 0x80:
            content.append(rest & 0x7F | 0x80)
            rest >>= 7
        content.append(rest)
    return bytes(content)


@pytest.mark.parametrize("name", all_kinds())
def test_every_kind_of_file_that_is_written_passes(name):
    assert check_structure(all_kinds()[name]) == ()


@pytest.mark.parametrize("path", sorted(CO2_FILES.glob("*.onnx")), ids=lambda path: path.name)
def test_the_files_that_ship_pass(path):
    assert check_structure(path.read_bytes()) == ()


def test_format_md_names_the_same_operators():
    text = (ROOT / "edgelstm" / "FORMAT.md").read_text()
    for domain, operators in OPERATORS.items():
        listed = re.search(rf"^`{re.escape(domain or 'ai.onnx')}` {OPSETS[domain]}: ([\w ,\n]+)\.", text, re.MULTILINE)
        assert set(re.split(r",\s+", listed[1])) == operators, domain


MESSAGES = {
    "ModelProto": schema.MODEL,
    "OperatorSetIdProto": schema.OPSET,
    "StringStringEntryProto": schema.ENTRY,
    "GraphProto": schema.GRAPH,
    "NodeProto": schema.NODE,
    "AttributeProto": schema.ATTRIBUTE,
    "TensorProto": schema.TENSOR,
    "ValueInfoProto": schema.VALUE,
    "TypeProto": schema.TYPE,
    "TypeProto.Tensor": schema.TENSOR_TYPE,
    "TensorShapeProto": schema.SHAPE,
    "TensorShapeProto.Dimension": schema.DIM,
}


@pytest.mark.parametrize("name", MESSAGES)
def test_format_md_and_onnx_know_the_same_fields(name):
    text = (ROOT / "edgelstm" / "FORMAT.md").read_text()
    row = re.search(rf"^\| `{re.escape(name)}` \| (.*) \|$", text, re.MULTILINE)[1]
    taken = MESSAGES[name].fields
    assert row == ", ".join(f"`{field}`" for field, _, _ in taken.values())
    message = onnx
    for part in name.split("."):
        message = getattr(message, part)
    described = {field.number: field for field in message.DESCRIPTOR.fields}
    for number, (field, _, most) in taken.items():
        assert described[number].name == field
        assert (most > 1) == described[number].is_repeated or (name, field) in REPEATED_FIELDS_PACKED_INTO_ONE
    assert described.keys() - taken.keys() <= MESSAGES[name].refused.keys(), "each refusal has its reason"


def test_every_operator_on_the_list_is_one_of_onnx_or_known_by_name():
    for operator in OPERATORS[""]:
        onnx.defs.get_schema(operator, OPSETS[""])


def test_no_operator_on_the_list_holds_a_graph_or_is_random():
    for operator in OPERATORS[""]:
        attributes = onnx.defs.get_schema(operator, OPSETS[""]).attributes
        assert not {"body", "then_branch", "else_branch", "seed"} & attributes.keys(), operator
        assert all(a.type not in (onnx.defs.OpSchema.AttrType.GRAPH,) for a in attributes.values())


def test_the_sizes_of_elements_are_those_of_numpy():
    for data_type, size in ELEMENT_BYTES.items():
        assert helper.tensor_dtype_to_np_dtype(data_type).itemsize == size


# What a tensor brings.


@pytest.mark.parametrize("location", [TensorProto.EXTERNAL, TensorProto.DEFAULT])
def test_external_data_of_an_initializer(model, location):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="../canary")
    tensor.data_location = location
    refused(model, "external data")


def test_external_data_beside_data_of_its_own(model):
    model.graph.initializer[0].external_data.add(key="location", value="../canary")
    refused(model, "external data")


def test_a_location_outside_without_a_path(model):
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    refused(model, "external data")


def test_external_data_of_a_constant(model):
    tensor = TensorProto(name="c", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
    refused(model, "external data")


def test_two_data_fields(model):
    model.graph.initializer[0].float_data.append(1.0)
    refused(model, "2 data fields")


def test_no_data_field(model):
    model.graph.initializer[0].ClearField("raw_data")
    refused(model, "0 data fields")


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: b"", lambda raw: raw * 2]
)
def test_data_that_does_not_fit_its_shape(model, change):
    tensor = model.graph.initializer[0]
    tensor.raw_data = change(tensor.raw_data)
    refused(model, "but data for")


@pytest.mark.parametrize("dims", [[2**31], [2**62, 4], [-1], [-2, -1], [2**32, 2**32], [2**63 - 1] * 2, [0, 2**40]])
def test_a_shape_that_no_memory_holds(model, dims):
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    refused(model, "has the shape")


@pytest.mark.parametrize("dims", [[2**31 - 1] * 8, [1], [1, 1, 1], []])
def test_a_shape_that_the_data_does_not_fill(model, dims):
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    refused(model, "elements, but data for")


@pytest.mark.parametrize("dims", [[0], [0, 2], [2, 0]])
def test_weights_without_an_element_which_recurrent_kernels_die_of(model, dims):
    model.graph.initializer.append(TensorProto(name="none", data_type=TensorProto.FLOAT, dims=dims, raw_data=b""))
    refused(model, "without elements")


def test_more_axes_than_eight(model):
    tensor = model.graph.initializer[0]
    tensor.dims.extend([1] * 8)
    refused(model, "axes|more than 8")


@pytest.mark.parametrize("data_type", [0, 8, 12, 13, 14, 15, 16, 17, 21, 99, -1])
def test_a_data_type_that_is_not_taken(model, data_type):
    model.graph.initializer[0].data_type = data_type
    refused(model, "data type")


def test_strings_in_a_tensor(model):
    model.graph.initializer.append(helper.make_tensor("s", TensorProto.STRING, [1], ["text"]))
    refused(model, "strings")


def test_a_data_type_that_wraps_around_to_strings(content):
    tensor = with_varint(2, 2**32 + 8) + b"\x42\x01s"  # protobuf keeps the low 32 bits: 8, strings
    with pytest.raises(ModelFileError, match="data type 4294967304"):
        check_structure(spliced(content, initializer=tensor))


@pytest.mark.parametrize(
    "made",
    [
        helper.make_tensor("t", TensorProto.FLOAT, [2], [1.0, 2.0]),
        helper.make_tensor("t", TensorProto.DOUBLE, [2], [1.0, 2.0]),
        helper.make_tensor("t", TensorProto.INT64, [3], [1, -1, 2**62]),
        helper.make_tensor("t", TensorProto.INT32, [2], [-5, 300]),
        helper.make_tensor("t", TensorProto.INT8, [2], [-5, 3]),
        helper.make_tensor("t", TensorProto.BOOL, [2], [True, False]),
        helper.make_tensor("t", TensorProto.FLOAT16, [1], [1.5]),
        numpy_helper.from_array(np.zeros((0,), np.int64), "t"),
        numpy_helper.from_array(np.array(3, np.int64), "t"),
    ],
    ids=lambda tensor: f"{tensor.data_type}{list(tensor.dims)}",
)
def test_typed_data_is_counted_as_it_is_written(model, made):
    model.graph.initializer.append(made)
    assert parse_model_file(resealed(model)).let_pass == ()
    model.graph.initializer[-1].dims.insert(0, 7)
    if 0 not in made.dims:
        refused(model, "but data for")


@pytest.mark.parametrize("data", [b"\x01\x80", b"\x80\x81", b"\x01\x02\xff\x80"])
def test_typed_data_whose_last_number_is_cut_off(content, data):
    """Counting that number as a whole one would have the tensor fit its shape."""
    ends = sum(byte < 0x80 for byte in data)
    tensor = b"\x08" + bytes([ends + 1]) + b"\x10\x07" + b"\x3a" + bytes([len(data)]) + data + b"\x42\x01t"
    with pytest.raises(ModelFileError, match=rf"but data for {ends}\.5$"):
        check_structure(spliced(content, initializer=tensor))


def test_data_in_the_field_of_another_type(model):
    model.graph.initializer.append(TensorProto(name="t", data_type=TensorProto.INT64, dims=[1], int32_data=[1]))
    refused(model, "data of type 7 in int32_data")


def test_a_bool_that_is_neither_true_nor_false(model):
    model.graph.initializer.append(TensorProto(name="t", data_type=TensorProto.BOOL, dims=[1], raw_data=b"\2"))
    refused(model, "values other than 0 and 1")


def test_segments(model):
    model.graph.initializer[0].segment.begin = 0
    refused(model, "segments")


def test_sparse_initializers(model):
    sparse = model.graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]))
    refused(model, "sparse initializers")


# What a node brings.


def test_control_flow(model):
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["b"])], "branch", [], [])
    model.graph.node.insert(0, helper.make_node("If", ["x"], ["c"], then_branch=branch, else_branch=branch))
    refused(model, "control flow")


def test_a_graph_hidden_in_an_ordinary_node(model):
    attribute = node(model, "LSTM").attribute.add(name="body", type=onnx.AttributeProto.GRAPH)
    attribute.g.name = "hidden"
    refused(model, "control flow")


def test_a_list_of_graphs(model):
    attribute = node(model, "LSTM").attribute.add(name="bodies", type=onnx.AttributeProto.GRAPHS)
    attribute.graphs.add(name="hidden")
    refused(model, "control flow")


@pytest.mark.parametrize("field", ["t", "s", "f", "ints"])
def test_an_attribute_that_holds_two_values(model, field):
    attribute = next(a for a in node(model, "LSTM").attribute if a.name == "hidden_size")
    {
        "t": lambda: attribute.t.SetInParent(),
        "s": lambda: setattr(attribute, "s", b"x"),
        "f": lambda: setattr(attribute, "f", 1.0),
        "ints": lambda: attribute.ints.append(1),
    }[field]()
    refused(model, "at once")


@pytest.mark.parametrize("value", [2**31, -(2**31), 2**62, -(2**63)])
def test_an_attribute_beyond_what_any_shape_needs(model, value):
    model.graph.node.append(helper.make_node("Softmax", ["x"], ["s"], axis=value))
    refused(model, "is beyond 2147483647")
    model.graph.node.pop()
    model.graph.node.append(helper.make_node("Transpose", ["x"], ["s"], perm=[0, 1, value]))
    refused(model, "is beyond 2147483647")


@pytest.mark.parametrize("value", [-1, -4, 9, [0, 9], [-1, 8]])
def test_batch_dims_that_no_tensor_has(model, value):
    model.graph.node.append(helper.make_node("GatherND", ["x", "y"], ["s"], batch_dims=value))
    refused(model, "must be from 0 to 8")


@pytest.mark.parametrize("name", ["batch_dims", "group", "strides", "to", "axis", "value"])
def test_an_attribute_without_a_value_raises_nothing_of_its_own(model, name):
    made = helper.make_node("Identity", ["x"], ["s"])
    made.attribute.add(name=name, type=onnx.AttributeProto.INT)
    model.graph.node.append(made)
    with suppress(ModelFileError):
        parse_model_file(resealed(model))


@pytest.mark.parametrize("name", ["strides", "dilations", "kernel_shape", "group", "hidden_size"])
@pytest.mark.parametrize("value", [0, -1])
def test_an_attribute_that_kernels_divide_by(model, name, value):
    value = value if name in ("group", "hidden_size") else [1, value]
    model.graph.node.append(helper.make_node("Conv", ["x", "x"], ["s"], **{name: value}))
    refused(model, "must be at least 1: less kills the process")


@pytest.mark.parametrize("axes", [1, 2, 4])
@pytest.mark.parametrize("way", [[], ["Cast"], ["DequantizeLinear"], ["Identity", "Cast"]])
@pytest.mark.parametrize("place", [1, 2])
def test_weights_of_other_axes_which_recurrent_kernels_do_not_look_at(model, axes, way, place):
    model.graph.initializer.append(numpy_helper.from_array(np.ones([1] * axes, np.float32), "w0"))
    for k, operator in enumerate(way):
        attributes = {"to": TensorProto.FLOAT} if operator == "Cast" else {}
        model.graph.node.insert(k, helper.make_node(operator, [f"w{k}"], [f"w{k + 1}"], **attributes))
    node(model, "LSTM").input[place] = f"w{len(way)}"
    refused(model, "weights without 3 axes")


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("axes", [0, 1, 2])
def test_a_convolution_with_weights_of_too_few_axes(model, operator, axes):
    model.graph.initializer.append(numpy_helper.from_array(np.ones([1] * axes, np.float32), "w"))
    model.graph.node.append(helper.make_node(operator, ["x", "w"], ["s"]))
    refused(model, "weights of fewer than 3 axes")


@pytest.mark.parametrize("inputs", [["x"], ["x", ""]])
def test_a_squeeze_that_would_take_a_batch_of_one(model, inputs):
    model.graph.node.append(helper.make_node("Squeeze", inputs, ["s"]))
    refused(model, "has no axes")


def divided(model, divisor, number=5):
    """Divide whole numbers; the smallest by -1 is a signal that kills the process."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([number], np.int64), "number"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(divisor, np.int64), "by"))


@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize("divisor", [[-1], [0], [3, -1], list(range(1, 100))])
def test_a_division_of_whole_numbers_that_may_end_the_process(model, operator, divisor):
    divided(model, divisor)
    model.graph.node.append(helper.make_node(operator, ["number", "by"], ["q"]))
    refused(model, "that kills the process")


@pytest.mark.parametrize(
    "way",
    [
        helper.make_node("Identity", ["by"], ["b"]),
        helper.make_node("Neg", ["by"], ["b"]),
        helper.make_node("Cast", ["x"], ["b"], to=TensorProto.INT32),
        helper.make_node("Shape", ["x"], ["b"]),
        helper.make_node("ArgMax", ["x"], ["b"]),
        helper.make_node("Where", ["x", "by", "by"], ["b"]),
        helper.make_node("ConstantOfShape", ["by"], ["b"], value=numpy_helper.from_array(np.array([-1], np.int64))),
        helper.make_node("Constant", [], ["b"], value_int=-1),
        helper.make_node("Constant", [], ["b"], value=numpy_helper.from_array(np.array([-1], np.int64))),
        helper.make_node("TopK", ["x", "by"], ["t", "b"]),
        helper.make_node("Gather", ["by", "by"], ["b"]),
    ],
    ids=lambda node: node.op_type,
)
def test_a_divisor_that_is_computed(model, way):
    divided(model, [2])
    model.graph.node.extend([way, helper.make_node("Div", ["number", "b"], ["q"])])
    refused(model, "that kills the process")


def test_divisions_that_networks_need(model):
    divided(model, [2, -3])
    two = numpy_helper.from_array(np.array(2, np.int64))
    model.graph.node.extend(
        [
            helper.make_node("Div", ["number", "by"], ["whole"]),
            helper.make_node("Constant", [], ["two"], value=two),
            helper.make_node("Div", ["number", "two"], ["half"]),
            helper.make_node("Gather", ["x", "number"], ["taken"]),
            helper.make_node("Div", ["x", "taken"], ["real"]),
            helper.make_node("Cast", ["number"], ["cast"], to=TensorProto.FLOAT),
            helper.make_node("Mod", ["cast", "cast"], ["rest"], fmod=1),
        ]
    )
    assert parse_model_file(resealed(model)).let_pass == ()


@pytest.mark.parametrize("kind", [0, 5, 9, 10, 11, 12, 13, 14])
def test_an_attribute_of_a_type_that_is_not_taken(model, kind):
    node(model, "LSTM").attribute[0].type = kind
    refused(model, f"the unsupported type {kind}")


def test_an_attribute_given_twice(model):
    node(model, "LSTM").attribute.append(node(model, "LSTM").attribute[0])
    refused(model, "occurs twice")


def test_a_reference_to_the_attribute_of_a_function(model):
    node(model, "LSTM").attribute[0].ref_attr_name = "hidden"
    refused(model, "only functions have")


def test_a_cast_to_strings(model):
    model.graph.node.append(helper.make_node("Cast", ["x"], ["text"], to=TensorProto.STRING))
    refused(model, "data type 8")


def test_a_constant_string(model):
    model.graph.node.append(helper.make_node("Constant", [], ["text"], value_string=b"text"))
    refused(model, "is a string")


def test_an_input_that_nothing_gives(model):
    node(model, "LSTM").input[0] = "nowhere"
    refused(model, "uses 'nowhere', which nothing before it defines")


def test_nodes_out_of_order(model):
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    refused(model, "which nothing before it defines")


def test_a_circle(model):
    first = model.graph.node[0]
    first.input[0] = model.graph.node[-1].output[0]
    refused(model, "which nothing before it defines")


def test_a_value_given_twice(model):
    model.graph.node.append(helper.make_node("Identity", ["x"], ["y"]))
    refused(model, "'y' is defined twice")


def test_a_node_that_overwrites_a_weight(model):
    model.graph.node.append(helper.make_node("Identity", ["x"], [model.graph.initializer[0].name]))
    refused(model, "is defined twice")


def test_a_weight_that_a_caller_could_replace(model):
    first = model.graph.initializer[0]
    model.graph.input.append(helper.make_tensor_value_info(first.name, first.data_type, first.dims))
    refused(model, "is defined twice")


def test_an_output_that_nothing_gives(model):
    model.graph.output[0].name = "nothing"
    refused(model, "nothing defines the output 'nothing'")


def test_a_node_without_outputs(model):
    model.graph.node.append(helper.make_node("Identity", ["x"], []))
    refused(model, "has no output")


@pytest.mark.parametrize("kind", ["sequence_type", "map_type", "sparse_tensor_type", "optional_type"])
def test_an_input_that_is_no_tensor(model, kind):
    getattr(model.graph.input[0].type, kind).SetInParent()
    refused(model, "a type has a|value 'x' has a")


def test_an_input_of_strings(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    refused(model, "data type 8")


# What a model brings.


def test_functions_of_its_own(model):
    model.functions.add(name="Gemm", domain="")
    refused(model, "functions of its own")


def test_training_information(model):
    model.training_info.add()
    refused(model, "training information")


def test_an_overload(model):
    node(model, "LSTM").overload = "other"
    refused(model, "overload")


@pytest.mark.parametrize("number", [9, 13, 21, 100, 2**29 - 1])
def test_a_field_that_nobody_knows(content, number):
    with pytest.raises(ModelFileError, match=f"unknown field {number}"):
        check_structure(content + with_varint(number, 1))


def test_a_field_of_a_node_that_nobody_knows(content):
    with pytest.raises(ModelFileError, match="unknown field 11"):
        check_structure(spliced(content, node=with_varint(11, 1)))


def test_a_field_given_twice(content):
    with pytest.raises(ModelFileError, match=r"more than 1 field op_type"):
        check_structure(spliced(content, node=b"\x22\x02If\x22\x04Gemm"))


def test_a_field_of_another_wire_type(content):
    with pytest.raises(ModelFileError, match="wire type 0"):
        check_structure(spliced(content, node=with_varint(4, 1)))


def test_more_nodes_than_the_bound(content):
    with pytest.raises(ModelFileError, match=r"more than 4,096 fields node"):
        check_structure(spliced(content, *[b"\x0a\x00"] * 4096))


def test_a_name_longer_than_the_bound(model):
    node(model, "LSTM").name = "n" * 1025
    refused(model, "longer than 1024 bytes")


def test_a_name_that_is_no_text(content):
    with pytest.raises(ModelFileError, match="the graph is damaged"):
        check_structure(spliced(content, node=b"\x1a\x02\xff\xfe"))


def test_an_opset_given_twice(model):
    model.opset_import.append(helper.make_opsetid("", 17))
    refused(model, "occurs twice")


def test_no_opset(model):
    del model.opset_import[:]
    refused(model, "the opset of ai.onnx is missing")


# What only an unverified file may have.


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda model: setattr(node(model, "Erf"), "op_type", "RandomNormalLike"),
            "operator 'RandomNormalLike' of ai.onnx",
        ),
        (lambda model: setattr(node(model, "Erf"), "domain", "com.microsoft"), "operator 'Erf' of com.microsoft"),
        (lambda model: setattr(node(model, "Erf"), "domain", "my.own"), "operator 'Erf' of my.own"),
        (lambda model: model.opset_import.append(helper.make_opsetid("my.own", 1)), "opset of my.own 1"),
        (lambda model: setattr(model.opset_import[0], "version", 18), "opset of ai.onnx 18"),
        (lambda model: setattr(model, "ir_version", 9), "IR 9"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_foreign_is_refused_unless_it_is_asked_for(model, change, reason):
    change(model)
    with pytest.raises(ModelFileError, match=reason):
        parse_model_file(resealed(model))
    (found,) = parse_model_file(resealed(model), unverified=True).let_pass
    assert reason in found


def test_the_exporter_writes_nothing_that_the_reader_refuses(model, content):
    node(model, "Erf").op_type = "RandomNormalLike"
    file = parse_model_file(content)
    with pytest.raises(ExportError, match="RandomNormalLike"):
        pack(model, file.contract, file.golden)


def spliced(content, *extra, node=b"", initializer=b""):
    """A file whose graph has more fields behind its own; protobuf writers may put them there."""
    graph = onnx.ModelProto.FromString(content).graph.SerializeToString()
    for number, message in ((1, node), (5, initializer)):
        if message:
            graph += bytes([number << 3 | 2]) + with_varint(0, len(message))[1:] + message
    graph += b"".join(extra)
    rest = onnx.ModelProto.FromString(content)
    rest.ClearField("graph")
    return rest.SerializeToString() + b"\x3a" + with_varint(0, len(graph))[1:] + graph
