"""The permutation from PyTorch's gates to ONNX's, pinned."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator

from edgelstm.export.gates import lstm_tensors, permute_gates
from edgelstm.network import Lstm


def test_gates_i_f_g_o_become_i_o_f_c():
    torch_order = np.array([["i"], ["i"], ["f"], ["f"], ["g"], ["g"], ["o"], ["o"]])
    assert permute_gates(torch_order).ravel().tolist() == list("iiooffgg")


def test_onnx_own_reference_runs_the_permuted_tensors_as_torch_does():
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(3, 5)
    weights = {f"lstm.{name}": tensor.detach().numpy() for name, tensor in lstm.named_parameters()}
    tensors = lstm_tensors(Lstm("lstm", 3, 5), weights, 0)
    x = np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)

    node = onnx.helper.make_node("LSTM", ["x", "W", "R", "B"], ["Y"], hidden_size=5)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node], "lstm", [value(n, 1, None) for n in ("x", "W", "R", "B")], [value("Y", 1, None)]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    y = ReferenceEvaluator(model).run(None, {"x": x, **{name: getattr(tensors, name) for name in "WRB"}})[0]

    expected = lstm(torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(y[:, 0], expected, atol=1e-6)
