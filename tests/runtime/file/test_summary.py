"""What a graph is made of, against the onnx package."""

import math
from collections import Counter

import onnx
import pytest
from onnx import helper

from edgelstm.errors import ModelFileError
from edgelstm.runtime.file.summary import summarize_graph


def test_the_summary_counts_what_the_onnx_package_counts(path):
    model = onnx.load(path)
    summary = summarize_graph(path.read_bytes())
    assert summary.ir_version == model.ir_version
    assert summary.opsets == {opset.domain: opset.version for opset in model.opset_import}
    assert summary.nodes == Counter(node.op_type for node in model.graph.node)
    assert list(summary.nodes.values()) == sorted(summary.nodes.values(), reverse=True)
    assert summary.parameters == sum(math.prod(tensor.dims) for tensor in model.graph.initializer)


def test_the_summary_understands_packed_and_absent_dims():
    scalar = helper.make_tensor("scalar", onnx.TensorProto.FLOAT, [], [1.0])
    packed = b"\x0a\x03\x05\xac\x02" + b"\x10\x01"  # dims 5, 300 in one field, then data_type 1
    initializers = [scalar.SerializeToString(), packed]
    graph = b"".join(b"\x2a" + bytes([len(tensor)]) + tensor for tensor in initializers)
    assert summarize_graph(b"\x08\x08" + b"\x3a" + bytes([len(graph)]) + graph).parameters == 1 + 5 * 300


def test_a_damaged_graph_has_no_summary():
    with pytest.raises(ModelFileError, match="the graph is damaged"):
        summarize_graph(b"\x08\x08\x3a\x02\x0a\x7f")
