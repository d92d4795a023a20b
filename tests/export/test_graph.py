"""The graph: few nodes, free batch and time, old enough for devices."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgelstm.export.graph import build_graph
from tests.export.test_parity import inputs, make_contract, make_network, predictors, weights_of


def graph_of(network, steps=10):
    return build_graph(network.describe(), weights_of(network), make_contract(network, steps))


def operators(model):
    return [node.op_type for node in model.graph.node]


def test_standard_scaling_takes_seven_nodes():
    expected = ["Sub", "Mul", "Transpose", "LSTM", "Squeeze", "Gemm", "Reshape"]
    assert operators(graph_of(make_network(1, 8))) == expected


def test_relative_scaling_takes_ten_nodes_at_most():
    several = graph_of(make_network(1, 8, scaling="relative"))
    one = graph_of(make_network(1, 8, scaling="relative", features=1, outputs=1))
    assert len(operators(several)) == 10
    assert len(operators(one)) == 9


def test_scaling_that_does_nothing_makes_no_node():
    network = make_network(1, 8)
    network.input_offset.zero_()
    network.input_factor.fill_(1)
    assert operators(graph_of(network)) == ["Transpose", "LSTM", "Squeeze", "Gemm", "Reshape"]


def test_a_carried_graph_with_one_step_ahead_needs_no_reshape():
    network = make_network(1, 8, state="carried", horizon=1)
    assert operators(graph_of(network)) == ["Sub", "Mul", "Transpose", "LSTM", "Transpose", "MatMul", "Add"]


def test_opset_17_and_ir_8_for_the_old_onnxruntimes_of_devices():
    model = graph_of(make_network(1, 8))
    assert model.ir_version == 8
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]


def test_batch_and_time_are_free():
    model = graph_of(make_network(2, 8))
    x, y = model.graph.input[0], model.graph.output[0]
    assert [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] == ["B", "T", 3]
    assert [d.dim_param or d.dim_value for d in y.type.tensor_type.shape.dim] == ["B", 4, 2]


def test_a_carried_graph_names_one_state_pair_for_each_layer():
    model = graph_of(make_network(2, 8, state="carried"))
    assert [i.name for i in model.graph.input] == ["x", "h0", "c0", "h1", "c1"]
    assert [o.name for o in model.graph.output] == ["y", "h0_out", "c0_out", "h1_out", "c1_out"]


@pytest.mark.parametrize("batch", [2, 17, 1000])
def test_rows_of_an_fp32_batch_equal_single_rows_bit_for_bit(batch):
    fp32, _ = predictors(make_network(1, 16), 12)
    x = inputs(batch, 12)
    np.testing.assert_array_equal(fp32.predict(x), np.stack([fp32.predict(row) for row in x]))


def test_the_checker_of_onnx_is_content_with_shape_inference():
    onnx.checker.check_model(graph_of(make_network(3, 7, state="carried")), full_check=True)
