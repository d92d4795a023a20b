"""The LSTM cases that the `onnx` package generates for backends: through onnxruntime, our oracle and our graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.backend.test.case.node import lstm as onnx_cases

from edgelstm.export.graph import build_graph
from edgelstm.network import Lstm, Network, Reverse, Take
from tests import oracles
from tests.export.drawn import load_graph, make_contract


def collect():
    """Each case as (node, tensors by name, expected outputs by name), as the package's own exporters write them."""
    cases, original = {}, onnx_cases.expect

    def expect(node, inputs, outputs, name):
        named = [out for out in node.output if out]
        cases[name] = (node, dict(zip(node.input, inputs, strict=True)), dict(zip(named, outputs, strict=True)))

    onnx_cases.expect = expect
    try:
        for name in dir(onnx_cases.LSTM):
            if name.startswith("export"):
                getattr(onnx_cases.LSTM, name)()
    finally:
        onnx_cases.expect = original
    return cases


CASES = collect()
EXPRESSIBLE = sorted(CASES.keys() - {"test_lstm_with_peepholes"})  # torch has no peepholes, and neither have we


def is_batch_first(node):
    return any(a.name == "layout" and a.i == 1 for a in node.attribute)


def run_node(node, inputs, expected):
    """The node alone, in onnxruntime."""
    kinds = {np.dtype(np.float32): 1, np.dtype(np.int32): 6}
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "case",
        [value(name, kinds[tensor.dtype], tensor.shape) for name, tensor in inputs.items()],
        [value(name, 1, tensor.shape) for name, tensor in expected.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(expected, session.run(list(expected), inputs), strict=True))


def as_network(node, inputs):
    """The case in PyTorch's terms: gates i f g o where the node has i o f c, and x batch-first."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    x = inputs["X"] if is_batch_first(node) else inputs["X"].swapaxes(0, 1)
    direction = attributes.get("direction", b"forward")
    lstm = Lstm("lstm", x.shape[-1], attributes["hidden_size"], bidirectional=direction == b"bidirectional")
    lstm = replace(lstm, bias="B" in inputs)
    tensors = {"weight_ih": inputs["W"], "weight_hh": inputs["R"]}
    if lstm.bias:
        tensors["bias_ih"], tensors["bias_hh"] = np.split(inputs["B"], 2, axis=1)
    weights = {}
    for name, stacked in tensors.items():
        for suffix, tensor in zip(("", "_reverse"), stacked, strict=False):
            i, o, f, c = np.split(tensor, 4)
            weights[f"lstm.{name}_l0{suffix}"] = np.concatenate([i, f, c, o])
    backwards = (Reverse(),) if direction == b"reverse" else ()
    return Network((*backwards, lstm, Take("final"))), weights, np.ascontiguousarray(x)


def test_there_are_cases():
    assert len(CASES) >= 6
    assert {"test_lstm_defaults", "test_lstm_bidirectional", "test_lstm_reverse"} <= CASES.keys()


@pytest.mark.parametrize("name", sorted(CASES))
def test_onnxruntime_computes_what_onnx_expects(name):
    node, inputs, expected = CASES[name]
    if is_batch_first(node):
        with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail, match="layout"):
            run_node(node, inputs, expected)  # which is why our graphs are time-first inside
        return
    for output, value in run_node(node, inputs, expected).items():
        np.testing.assert_allclose(value, expected[output], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", EXPRESSIBLE)
def test_our_oracle_and_our_graph_compute_what_onnx_expects(name):
    node, inputs, expected = CASES[name]
    network, weights, x = as_network(node, inputs)
    size, batch = network.output_size, len(x)
    contract = make_contract(network, inputs=x.shape[-1], outputs=size, window=x.shape[1])
    states = expected["Y_h"] if is_batch_first(node) else expected["Y_h"].swapaxes(0, 1)  # [B, D, H]
    final = states.reshape(batch, size)  # both directions side by side
    oracle = oracles.evaluate(network, weights, x, contract)
    np.testing.assert_allclose(oracle[:, 0], final, rtol=0, atol=1e-6)
    y = load_graph(build_graph(network, weights, contract), contract).run_batch(x)
    np.testing.assert_allclose(y[:, 0], final, rtol=0, atol=1e-6)
