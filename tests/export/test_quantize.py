"""int8 that gives the same answers on every processor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgelstm.contract import Quantization
from edgelstm.errors import ExportError
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.network import FINAL, Activation, Linear, Lstm, Network, Standardize, Take
from tests import oracles
from tests.export import drawn
from tests.export.test_parity import inputs, make_contract, make_network, predictors, weights_of


@pytest.fixture(scope="module")
def quantized():
    network = make_network(2, 16)
    return network, convert_graph(
        build_graph(network.plan.network, weights_of(network), make_contract(network, 5)), "int8"
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


@pytest.mark.parametrize("task", ["classify", "label"])
def test_padding_does_not_widen_the_range_of_a_row(task):
    """Zeros lie far from measurements around 1000, and a linear layer in front of the LSTM would range them too."""
    taken = (Take(FINAL),) if task == "classify" else ()
    lstm = Lstm("lstm", 5, 8, bidirectional=True)
    scaled = Standardize("input_offset", "input_factor")
    network = Network((scaled, Linear("in", 2, 5), Activation("relu"), lstm, *taken, Linear("head", 16, 3)))
    weights = drawn.make_weights(network, 0, inputs=2)
    weights |= {"input_offset": np.full(2, 1000, np.float32), "input_factor": np.ones(2, np.float32)}
    contract = drawn.make_contract(network, task, outputs=3, inputs=2, window=9, lengths=True)
    contract = replace(contract, precision="int8", quantization=Quantization())
    int8 = drawn.load_graph(convert_graph(build_graph(network, weights, contract), "int8"), contract)
    x, lengths = (1000 + np.random.default_rng(1).normal(size=(4, 9, 2))).astype(np.float32), np.array([9, 1, 4, 7])
    for row, end, y in zip(x, lengths, int8.predict(x, lengths), strict=True):
        padding = 9 - end if task == "label" else 0
        cut = np.pad(int8.predict(row[:end]), [(0, padding), (0, 0)][2 - y.ndim :], constant_values=np.nan)
        np.testing.assert_array_equal(y, cut)
        np.testing.assert_array_equal(int8.predict(row, end), y)


def test_the_given_model_is_left_as_it_was():
    network = make_network(1, 8)
    model = build_graph(network.plan.network, weights_of(network), make_contract(network, 5))
    before = model.SerializeToString(deterministic=True)
    convert_graph(model, "int8")
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("computed", ["W", "R", "B"])
def test_an_lstm_with_one_tensor_that_is_computed_has_nothing_to_convert(computed):
    network = make_network(1, 4)
    model = build_graph(network.plan.network, weights_of(network), make_contract(network, 5))
    (lstm,) = [node for node in model.graph.node if node.op_type == "LSTM"]
    place = "XWRB".index(computed)
    kept, lstm.input[place] = lstm.input[place], "computed"
    model.graph.node.insert(0, helper.make_node("Identity", [kept], ["computed"]))
    with pytest.raises(ExportError, match="int8: expected a network with an LSTM whose weights are constant, got none"):
        convert_graph(model, "int8")
