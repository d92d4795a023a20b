"""int8 that gives the same answers on every processor."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from tests import oracles
from tests.export.test_parity import inputs, make_contract, make_network, predictors, weights_of


@pytest.fixture(scope="module")
def quantized():
    network = make_network(2, 16)
    return network, convert_graph(
        build_graph(network.describe(), weights_of(network), make_contract(network, 5)), "int8"
    )


def initializers(model):
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def test_lstm_and_head_become_their_int8_forms(quantized):
    operators = [node.op_type for node in quantized[1].graph.node]
    assert operators.count("DynamicQuantizeLSTM") == 2
    assert operators.count("DynamicQuantizeMatMul") == 1
    assert not {"LSTM", "Gemm", "MatMul"} & set(operators)


def test_weights_take_seven_bits_so_that_sums_of_pairs_fit_sixteen(quantized):
    weights = [t for t in initializers(quantized[1]).values() if t.dtype == np.int8 and t.size > 1 and t.any()]
    assert len(weights) == 5
    for tensor in weights:
        assert np.abs(tensor.astype(int)).max() == 64
        assert 2 * 255 * 64 < 2**15  # two products of a full activation, as x86 without VNNI adds them


def test_each_row_of_the_weights_has_its_own_scale(quantized):
    network, model = quantized
    scales = initializers(model)
    found = scales["lstm.W0.scale"].ravel()
    _, expected = oracles.quantize_weight(weights_of(network)["lstm.weight_ih_l0"])
    assert found.shape == (64,)
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-6)


def test_a_batch_given_to_an_int8_file_is_run_row_by_row():
    _, int8 = predictors(make_network(1, 16), 12)
    x = inputs(6, 12)
    x[3] *= 50  # in one call this row would spread the range of all others
    np.testing.assert_array_equal(int8.predict(x), np.stack([int8.predict(row) for row in x]))


def test_the_given_model_is_left_as_it_was():
    network = make_network(1, 8)
    model = build_graph(network.describe(), weights_of(network), make_contract(network, 5))
    before = model.SerializeToString(deterministic=True)
    convert_graph(model, "int8")
    assert model.SerializeToString(deterministic=True) == before
