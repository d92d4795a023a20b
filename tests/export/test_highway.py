"""A linear layer past the LSTM: in every form what float64 computes, in few nodes, in int8 on request, alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm import reference
from edgelstm.contract import Quantization
from edgelstm.errors import ExportError
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.network import (
    Activation,
    Calendar,
    Highway,
    Join,
    Linear,
    Lstm,
    Network,
    Rescale,
    Segment,
    Standardize,
    Take,
)
from tests import oracles
from tests.export import drawn

WINDOW = 6
SCALE, LSTM, BACK = Standardize("input_offset", "input_factor"), Lstm("lstm", 3, 8), Rescale("output_scale", "back")
LAST, HEAD, PAST = Take("last"), Linear("head", 8, 4), Highway("highway", WINDOW, 3, 4)
CHANNELS = (Linear("head", 8, 2), Highway("highway", WINDOW, 1, 2), Join(3), BACK)
SHARED = (SCALE, Segment(2, True), Lstm("lstm", 2, 8), LAST, *CHANNELS)
RELATIVE = {"relative": (0, 2)}
FORMS = {
    "window": ((SCALE, LSTM, LAST, HEAD, PAST, BACK), {}),
    "relative": ((SCALE, LSTM, LAST, HEAD, PAST, BACK), RELATIVE),
    "instance": ((SCALE, LSTM, LAST, HEAD, PAST, BACK), {**RELATIVE, "instance": True}),
    "without a way back": ((SCALE, LSTM, LAST, HEAD, PAST), {}),
    "two directions in segments": (
        (SCALE, Segment(2, False), Lstm("lstm", 6, 4, 1, True), Take("final"), HEAD, PAST, BACK),
        {},
    ),
    "behind a function": ((SCALE, LSTM, LAST, HEAD, Activation("tanh"), PAST, BACK), {}),
    "beside a calendar": ((SCALE, Calendar(("hour",)), Lstm("lstm", 5, 8), LAST, HEAD, PAST, BACK), RELATIVE),
    "shared": (SHARED, {"relative": (0, 1, 2), "outputs": 3}),
    "shared, of one scale": (SHARED, {"relative": (0, 1, 2), "outputs": 3, "alike": True}),
    "shared instance": (SHARED, {"relative": (0, 1, 2), "outputs": 3, "instance": True}),
    "every step": ((SCALE, LSTM, Linear("head", 8, 2), Highway("highway", 1, 3, 2)), {"task": "label", "horizon": 1}),
    "classes at every step": (
        (SCALE, LSTM, Linear("head", 8, 2), Highway("highway", 1, 3, 2), Activation("softmax")),
        {"task": "label", "horizon": 1},
    ),
    "carried": (
        (SCALE, LSTM, Linear("head", 8, 2), Highway("highway", 1, 3, 2), BACK),
        {"horizon": 1, "state": "carried"},
    ),
    "alone": ((SCALE, LAST, replace(PAST, alone=True), BACK), RELATIVE),
    "alone, instance": ((SCALE, LAST, replace(PAST, alone=True), BACK), {**RELATIVE, "instance": True}),
    "alone, shared": (
        (SCALE, Segment(1, True), LAST, replace(CHANNELS[1], alone=True), Join(3), BACK),
        {"relative": (0, 1, 2), "outputs": 3},
    ),
    "alone at every step": (
        (SCALE, Highway("highway", 1, 3, 2, True), Activation("softmax")),
        {"task": "label", "horizon": 1},
    ),
}


def made(
    layers, *, outputs=2, horizon=2, relative=(), instance=False, alike=False, window=WINDOW, task="forecast", **how
):
    """The graph of a form, its case and its answers."""
    network = Network(layers, relative, instance)
    weights = drawn.make_weights(network, 0, 3, outputs, spread=3)
    if alike:
        weights |= {"output_scale": np.full(3, 1.5, np.float32), "back": np.full(3, 0.5, np.float32)}
    contract = drawn.make_contract(network, task, outputs=outputs, inputs=3, window=window, horizon=horizon, **how)
    x = drawn._windows(np.random.default_rng(1), contract, weights, 5)
    times = 3600 * np.arange(5 * window).reshape(5, window) if network.times else None
    return build_graph(network, weights, contract), drawn.Case(network, weights, contract, x, None, times)


def answers(model, case):
    return drawn.Bare(model, case.contract).run_batch(case.x, None, case.time_s)


def operators(model):
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_computes_what_float64_computes_row_by_row_with_the_same_bits(form):
    layers, how = FORMS[form]
    model, case = made(layers, **how)
    y = answers(model, case)
    oracle = oracles.evaluate(case.network, case.weights, case.x, case.contract, None, case.time_s)
    limit = 1e-6 * max(1, np.abs(oracle).max())
    np.testing.assert_allclose(y, oracle, rtol=0, atol=limit)
    found = reference.compute(case.network, case.weights, case.x, None, case.time_s)
    np.testing.assert_allclose(found.reshape(oracle.shape), oracle, rtol=1e-12, atol=1e-12 * np.abs(oracle).max())
    for i, row in enumerate(case.x):
        times = None if case.time_s is None else case.time_s[i : i + 1]
        np.testing.assert_array_equal(drawn.Bare(model, case.contract).run_batch(row[np.newaxis], None, times)[0], y[i])


@pytest.mark.parametrize("form", FORMS)
def test_the_window_is_felt_through_the_linear_layer(form):
    layers, how = FORMS[form]
    model, case = made(layers, **how)
    weights = {**case.weights, "highway.weight": 0 * case.weights["highway.weight"]}
    without = build_graph(case.network, weights, case.contract)
    assert np.abs(answers(without, case) - answers(model, case)).max() > 0.01


@pytest.mark.parametrize(
    ("form", "more"), [("window", 2), ("shared, of one scale", 2), ("every step", 2), ("instance", 3)]
)
def test_it_costs_two_nodes_and_one_more_where_the_window_lies_time_first(form, more):
    layers, how = FORMS[form]
    without = tuple(layer for layer in layers if layer.kind != "highway")
    assert len(operators(made(layers, **how)[0])) == len(operators(made(without, **how)[0])) + more


def test_alone_it_is_one_product_behind_the_scaling():
    layers, how = FORMS["alone"]
    nodes = operators(made(layers, **how)[0])
    assert nodes == ["Gather", "Where", "Sub", "Mul", "Reshape", "Gemm", "Reshape", "Gather", "Add"]


def test_biases_and_the_way_back_are_folded_so_that_no_node_adds_them():
    nodes = operators(made(FORMS["window"][0])[0])
    assert nodes == ["Sub", "Mul", "Transpose", "LSTM", "Squeeze", "Gemm", "Reshape", "Gemm", "Reshape"]


def test_a_window_of_another_length_is_an_error_of_onnxruntime_and_no_answer():
    model, case = made(FORMS["window"][0])
    with pytest.raises(Exception, match=r"(?i)cannot be reshaped|Gemm"):  # ONNXRuntimeError's own class is private
        answers(model, case._replace(x=case.x[:, 1:]))


@pytest.mark.parametrize(
    ("form", "how", "match"),
    [
        ("window", {"window": 7}, "reads windows of 6 steps, but the contract says 7"),
        ("window", {"lengths": True}, "reads whole windows; export without lengths"),
        ("window", {"state": "carried"}, "a highway over a window"),
    ],
)
def test_what_the_contract_says_must_suit_it(form, how, match):
    layers, said = FORMS[form]
    with pytest.raises(ExportError, match=match) as caught:
        made(layers, **said, **how)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["window", "shared", "every step", "relative"])
@pytest.mark.parametrize("precision", ["int8", "int8w"])
def test_its_weights_become_int8_only_where_that_is_asked_for(form, precision):
    layers, how = FORMS[form]
    model, case = made(layers, **how)
    fp32 = answers(model, case)
    kept = convert_graph(model, precision)
    asked = convert_graph(model, precision, Quantization(highway="int8"))

    names = [{tensor.name for tensor in converted.graph.initializer} for converted in (kept, asked)]
    assert ["highway_weight" in found for found in names] == [True, False]
    assert ["highway_weight.int8" in found for found in names] == [False, True]
    for converted in (kept, asked):
        errors = np.abs(answers(converted, case) - fp32).max(axis=tuple(range(fp32.ndim - 1)))
        assert (errors > 0).any()
        assert (errors < 0.1 * fp32.std()).all()


def test_fp16_leaves_it_in_float32():
    model, case = made(FORMS["relative"][0], **RELATIVE)
    converted = convert_graph(model, "fp16")
    assert {t.name: t.data_type for t in converted.graph.initializer}["highway_weight"] == 1
    np.testing.assert_allclose(answers(converted, case), answers(model, case), atol=0.05)
