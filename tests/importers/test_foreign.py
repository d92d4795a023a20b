"""Torch modules that are no list of layers: through torch.onnx.export, cleaned, and still the module's own answers."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from edgelstm import load
from edgelstm.errors import ExportError, NetworkError
from edgelstm.export import export_run, from_torch
from edgelstm.importers.torch.foreign import Shape, clean_graph, operators, place
from tests.importers.torch_modules import WINDOW, Network, answer, assert_same, draw, exported, forecaster, kinds, lstm


def attention(m, x):
    out, _ = m.lstm(x)
    weights = torch.softmax(m.score(out), dim=1)
    return m.head((out * weights).sum(1))


def convolved(m, x):
    return m.lstm(torch.relu(m.conv(x.transpose(1, 2))).transpose(1, 2))[0]


def features(m, x):
    return m.head(m.lstm(m.features(x.transpose(1, 2)).transpose(1, 2))[0][:, -1])


def normalized(m, x):
    return m.head(m.second(m.norm(m.lstm(x)[0]))[0])


def decoded(m, x):
    state, y, steps = m.lstm(x)[1], x[:, -1:, :1], []
    for _ in range(3):
        y, state = m.decoder(y, state)
        y = m.out(y)
        steps.append(y)
    return m.head(torch.cat(steps, dim=1)[..., 0])


def make(case):
    """Each module with the operators that its cleaned graph holds, in number."""
    torch.manual_seed(0)
    return {
        "a convolution in front": lambda: Network(
            lambda m, x: m.head(convolved(m, x)[:, -1]),
            conv=nn.Conv1d(3, 4, 3, padding=1),
            lstm=lstm(4, 5),
            head=nn.Linear(5, 2),
        ),
        "attention over time": lambda: Network(
            attention, lstm=lstm(3, 6, bidirectional=True), score=nn.Linear(12, 1), head=nn.Linear(12, 2)
        ),
        "multi-head attention": lambda: Network(
            lambda m, x: m.head(m.encoder(m.lstm(x)[0])[:, -1]),
            lstm=lstm(3, 8),
            encoder=nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
            head=nn.Linear(8, 2),
        ),
        "the mean over time": lambda: forecaster(lambda m, x: m.head(m.lstm(x)[0].mean(1)), num_layers=2),
        "a CNN and batch norm": lambda: Network(
            features,
            features=nn.Sequential(nn.Conv1d(3, 6, 3, padding=2, dilation=2), nn.BatchNorm1d(6), nn.ReLU()),
            lstm=lstm(6, 5),
            head=nn.Sequential(nn.Linear(5, 4), nn.ReLU6(), nn.Linear(4, 2)),
        ),
        "layer norm between": lambda: Network(
            lambda m, x: normalized(m, x)[:, -1],
            lstm=lstm(3, 4),
            norm=nn.LayerNorm(4),
            second=lstm(4, 5),
            head=nn.Linear(5, 2),
        ),
        "a decoder unrolled over its horizon": lambda: Network(
            decoded, lstm=lstm(3, 5), decoder=lstm(1, 5), out=nn.Linear(5, 1), head=nn.Linear(3, 2)
        ),
        "a normalization of its own": lambda: forecaster(lambda m, x: m.head(m.lstm((x - 3) / 2)[0][:, -1]) * 10 + 20),
    }[case]()


CASES = {
    "a convolution in front": {"Conv": 1, "LSTM": 1, "Gemm": 1, "Shape": 0},
    "attention over time": {"LSTM": 1, "Softmax": 1, "Gemm": 1, "Shape": 0},
    "multi-head attention": {"LSTM": 1, "Softmax": 1, "LayerNormalization": 2},
    "the mean over time": {"LSTM": 2, "ReduceMean": 1, "Gemm": 1, "Shape": 0, "Slice": 0},
    "a CNN and batch norm": {"Conv": 1, "BatchNormalization": 0, "LSTM": 1, "Shape": 0},
    "layer norm between": {"LSTM": 2, "LayerNormalization": 1, "Shape": 0},
    "a decoder unrolled over its horizon": {"LSTM": 4, "Shape": 0},
    "a normalization of its own": {"LSTM": 1, "Shape": 0},
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_the_file_answers_as_the_module_and_quantizes(case, tmp_path):
    module = make(case)
    module.train()
    found, file = exported(module, tmp_path, precisions=["int8", "int8w", "fp16"])
    assert kinds(found) is None
    assert_same(file, module)
    graph = onnx.load(tmp_path / "run" / "network.onnx")
    counts = operators(graph)
    assert {name: counts.get(name, 0) for name in CASES[case]} == CASES[case]
    assert f"{sum(counts.values())} after cleaning" in found.notes[-1]
    files = {path.name.split(".")[1]: path for path in (tmp_path / "files").glob("*.onnx")}
    assert {load(path).contract.precision for path in files.values()} == {"fp32", "int8", "int8w", "fp16"}
    assert "LSTM" not in operators(onnx.load(files["int8"]))
    assert files["int8w"].stat().st_size < files["fp32"].stat().st_size + 8192


def test_batch_and_time_are_free_in_the_graph(tmp_path):
    module = make("attention over time").eval()
    from_torch(module, tmp_path, window=WINDOW)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    for rows, steps in ((1, 1), (2, WINDOW), (9, 31)):
        x = draw(rows, steps)
        np.testing.assert_allclose(session.run(None, {"x": x})[0][:, 0], answer(module, x), atol=1e-6)


def masked_mean(m, x, lengths):
    rows = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    out, _ = nn.utils.rnn.pad_packed_sequence(m.lstm(rows)[0], batch_first=True)
    return m.head(out.sum(1) / lengths[:, None])


def masked_attention(m, x, lengths):
    out, _ = m.lstm(x)
    valid = torch.arange(x.size(1)) < lengths[:, None]
    weights = torch.softmax(m.score(out)[..., 0].masked_fill(~valid, -1e9), dim=1)
    return m.head((out * weights[..., None]).sum(1))


@pytest.mark.parametrize("forward", [masked_mean, masked_attention])
def test_lengths_of_a_foreign_module_are_its_own(forward, tmp_path):
    torch.manual_seed(0)
    module = Network(forward, lstm=lstm(3, 5), score=nn.Linear(5, 1), head=nn.Linear(5, 2))
    found, file = exported(module, tmp_path, lengths=True)
    x, lengths = draw(4), np.array([2, WINDOW, 1, 5])
    np.testing.assert_allclose(file.predict(x, lengths)[:, 0], answer(module, x, lengths), atol=1e-6)
    assert kinds(found) is None


def test_rows_of_a_packed_sequence_are_put_back_by_sorting(tmp_path):
    """Nothing writes into places that the data tells: one TopK orders the rows, another inverts that order."""
    exported(Network(masked_mean, lstm=lstm(3, 5), head=nn.Linear(5, 2)), tmp_path, lengths=True)
    counts = operators(onnx.load(tmp_path / "run" / "network.onnx"))
    assert counts["TopK"] == 2
    assert not {"ScatterElements", "Range"} & set(counts)


def test_tokens_reach_a_foreign_module(tmp_path):
    module = Network(
        lambda m, x: m.head(m.lstm(m.table(x))[0].mean(1)),
        table=nn.Embedding(7, 3),
        lstm=lstm(3, 5),
        head=nn.Linear(5, 2),
    )
    _, file = exported(module, tmp_path)
    x = np.random.default_rng(0).integers(0, 7, (3, WINDOW))
    np.testing.assert_allclose(file.predict(x)[:, 0], answer(module, x), atol=1e-6)


def test_states_surface_where_every_path_over_time_is_an_lstm(tmp_path):
    torch.manual_seed(0)
    module = Network(
        normalized, lstm=lstm(3, 4), norm=nn.LayerNorm(4), second=lstm(4, 5, num_layers=2), head=nn.Linear(5, 2)
    )
    _, file = exported(module, tmp_path, state="carried", precisions=["int8w"])
    assert [(s.input, s.output, s.shape) for s in file.contract.states] == [
        (f"{name}{i}", f"{name}{i}_out", (1, "B", size)) for i, size in enumerate((4, 5, 5)) for name in "hc"
    ]
    x = draw(1, 50)
    stream = file.stream()
    stepped = np.stack([stream.step(sample) for sample in x[0]])
    np.testing.assert_allclose(stepped[:, 0], answer(module, x)[0], atol=1e-6)
    np.testing.assert_array_equal(stepped, file.predict(x[0]))


def test_a_convolution_over_one_step_alone_may_be_carried(tmp_path):
    module = Network(
        lambda m, x: m.head(convolved(m, x)), conv=nn.Conv1d(3, 4, 1), lstm=lstm(4, 5), head=nn.Linear(5, 2)
    )
    _, file = exported(module, tmp_path, state="carried")
    assert len(file.contract.states) == 2


def sandwich(m, x):
    return m.head(m.middle(m.lstm(x)[0])[0])


CARRIED = {
    "a convolution": (
        lambda: (lambda m, x: m.head(convolved(m, x)), {"conv": nn.Conv1d(3, 4, 3, padding=1), "lstm": lstm(4, 5)}),
        "'conv' (Conv) uses other steps",
    ),
    "a causal convolution": (
        lambda: (
            lambda m, x: m.head(m.lstm(m.conv(nn.functional.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2))[0]),
            {"conv": nn.Conv1d(3, 4, 3), "lstm": lstm(4, 5)},
        ),
        "uses other steps",
    ),
    "a GRU": (
        lambda: (sandwich, {"lstm": lstm(3, 4), "middle": nn.GRU(4, 5, batch_first=True)}),
        "'middle' (GRU) uses other steps",
    ),
    "no LSTM": (
        lambda: (lambda m, x: m.head(m.lstm(x)[0]), {"lstm": nn.GRU(3, 5, batch_first=True)}),
        "expected an LSTM",
    ),
    "a mean": (
        lambda: (lambda m, x: m.head(m.lstm(x)[0] - x.mean((1, 2), keepdim=True)), {"lstm": lstm(3, 5)}),
        "the operator ReduceMean uses other steps",
    ),
    "a running sum": (
        lambda: (lambda m, x: m.head(m.lstm(x.cumsum(1))[0]), {"lstm": lstm(3, 5)}),
        "CumSum uses other steps",
    ),
    "both directions": (
        lambda: (
            lambda m, x: m.head(m.norm(m.lstm(x)[0])),
            {"lstm": lstm(3, 3, bidirectional=True), "norm": nn.LayerNorm(6), "head": nn.Linear(6, 2)},
        ),
        "'lstm' (LSTM): it runs backwards",
    ),
    "both directions of known layers": (
        lambda: (lambda m, x: m.head(m.lstm(x)[0]), {"lstm": lstm(3, 3, bidirectional=True), "head": nn.Linear(6, 2)}),
        "'lstm' (LSTM) is bidirectional",
    ),
    "a state it learned": (
        lambda: (
            lambda m, x: m.head(m.lstm(x, (m.h.expand(1, x.size(0), 5).contiguous(), torch.zeros(1, x.size(0), 5)))[0]),
            {"lstm": lstm(3, 5), "h": nn.Parameter(torch.ones(1, 1, 5))},
        ),
        "starts from its own initial state",
    ),
}


@pytest.mark.parametrize("case", CARRIED, ids=lambda case: case.replace(" ", "-"))
def test_what_cannot_be_carried_is_refused_by_the_name_of_its_layer(case, tmp_path):
    forward, layers = CARRIED[case][0]()
    module = Network(forward, **{"head": nn.Linear(5, 2), **layers})
    with pytest.raises(NetworkError) as caught:
        from_torch(module, tmp_path / "run", window=WINDOW, state="carried")
    assert CARRIED[case][1] in str(caught.value)
    assert not (tmp_path / "run").exists()


def by_cells(m, x):
    h = c = torch.zeros(x.size(0), 5)
    for t in range(x.size(1)):
        h, c = m.cell(x[:, t], (h, c))
    return m.head(h)


def kept(m, x):
    out, m.state = m.lstm(x, getattr(m, "state", None))
    return m.head(out[:, -1])


REFUSED = {
    "cells in a Python loop": (by_cells, {"cell": nn.LSTMCell(3, 5)}, "'cell' (LSTMCell) is called in a Python loop"),
    "a baked batch": (
        lambda m, x: m.head(m.lstm(x, (torch.ones(1, len(x), 5),) * 2)[0][:, -1]),
        {},
        "1 row of 6 steps in 'lstm' (LSTM): the trace has a fixed size",
    ),
    "steps laid flat": (
        lambda m, x: m.wide(m.lstm(x)[0].flatten(1)),
        {"wide": nn.Linear(30, 2)},
        "but not with 9",
    ),
    "a decision": (
        lambda m, x: m.head(m.lstm(x)[0][:, -1]) if x.max() < 99 else m.head(m.lstm(-x)[0][:, -1]),
        {},
        "__bool__ in Network: its forward branches on the values",
    ),
    "a number taken out": (
        lambda m, x: m.head(m.lstm(x)[0][:, -1]) * x.max().item(),
        {},
        "answer to a row depends on the other rows",
    ),
    "a batch that knows itself": (
        lambda m, x: torch.softmax(m.head(m.lstm(x)[0][:, -1]), 0),
        {},
        "answer to a row depends on the other rows",
    ),
    "batch_first forgotten": (
        lambda m, x: m.head(m.lstm(x)[0][:, -1]),
        {"lstm": nn.LSTM(3, 5)},
        "'lstm' takes the steps first: is batch_first=True missing?",
    ),
    "a state it keeps": (kept, {}, "the module gives different answers to the same window"),
    "dropout that stays on": (
        lambda m, x: nn.functional.dropout(m.head(m.lstm(x)[0][:, -1])),
        {},
        "the module gives different answers to the same window",
    ),
    "two inputs": (lambda m, x, z: m.head(m.lstm(x)[0][:, -1] + z), {}, "fails on x [B, T, 3]"),
    "two answers": (
        lambda m, x: (m.head(m.lstm(x)[0][:, -1]), m.lstm(x)[0]),
        {},
        "returns 1 tensor after its answer",
    ),
    "a dict": (lambda m, x: {"y": m.head(m.lstm(x)[0][:, -1])}, {}, "got dict"),
    "a class number": (lambda m, x: m.head(m.lstm(x)[0][:, -1]).argmax(-1), {}, "got torch.int64"),
    "an operator without an ONNX form": (
        lambda m, x: m.head(torch.special.i0e(m.lstm(x)[0][:, -1])),
        {},
        "'aten::special_i0e' to ONNX opset version 17 is not supported",
    ),
    "an answer at every step": (lambda m, x: m.head(m.lstm(x)[0]), {}, "answers at every step"),
    "NaN": (lambda m, x: m.head(m.lstm(x)[0][:, -1]) / 0 * 0, {}, "NaN or infinity"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_what_cannot_be_done_is_refused_with_the_reason_and_nothing_is_written(case, tmp_path, capfd):
    forward, layers, expected = REFUSED[case]
    module = Network(forward, **{"lstm": lstm(3, 5), "head": nn.Linear(5, 2), **layers})
    with pytest.raises(NetworkError) as caught:
        from_torch(module, tmp_path / "run", window=WINDOW)
    assert expected in str(caught.value)
    assert not (tmp_path / "run").exists()
    assert capfd.readouterr().out == ""  # torch prints its whole graph when it fails


def test_a_quantized_module_is_refused_by_its_layer(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that this will go
        module = torch.ao.quantization.quantize_dynamic(forecaster(), {nn.LSTM})
    with pytest.raises(NetworkError, match=r"'lstm' \(LSTM\): already quantized"):
        from_torch(module, tmp_path / "run", window=WINDOW)


def test_weights_that_have_no_shape_yet_are_refused(tmp_path):
    module = nn.Sequential(lstm(3, 5), nn.LazyLinear(2))
    with pytest.raises(NetworkError, match=r"'1' \(LazyLinear\): its weights have no shape yet"):
        from_torch(module, tmp_path / "run", window=WINDOW)


def test_a_network_without_an_lstm_is_not_quantized(tmp_path):
    module = Network(lambda m, x: m.head(m.gru(x)[0][:, -1]), gru=nn.GRU(3, 5, batch_first=True), head=nn.Linear(5, 2))
    _, file = exported(module, tmp_path)
    assert_same(file, module)
    with pytest.raises(ExportError, match="int8: expected a network with an LSTM"):
        export_run(tmp_path / "run", tmp_path / "quantized", precisions=["int8"])
    assert not (tmp_path / "quantized").exists()


def test_a_graph_is_not_given_another_state_at_export(tmp_path):
    from_torch(make("the mean over time"), tmp_path, window=WINDOW)
    with pytest.raises(ExportError, match="import it again with state carried"):
        export_run(tmp_path, state="carried")


def test_control_flow_is_refused_by_its_node():
    branch = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["inner"])], "b", [], [_value("inner")])
    nodes = [
        onnx.helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        onnx.helper.make_node("Cast", ["sum"], ["yes"], to=onnx.TensorProto.BOOL),
        onnx.helper.make_node("If", ["yes"], ["raw"], name="/module/head/If", then_branch=branch, else_branch=branch),
    ]
    graph = onnx.helper.make_graph(nodes, "g", [_value("x")], [_value("raw")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(NetworkError, match=r"'head' \(If\): a model file must not contain control flow"):
        clean_graph(model.SerializeToString(), Shape(3, False, True, (3,), (3,)))


def test_operators_that_no_model_file_holds_are_refused_by_their_layer(tmp_path):
    module = forecaster(lambda m, x: m.head(torch.det(m.lstm(x)[0][:, -1, None] * torch.eye(5))[:, None].expand(-1, 5)))
    with pytest.raises(NetworkError, match=r"the operator Det: this operator is not on the list of FORMAT\.md"):
        from_torch(module, tmp_path / "run", window=WINDOW)


def _value(name):
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["B", "T", 3])


def test_a_node_is_named_after_its_layer():
    assert place(onnx.NodeProto(op_type="Conv", name="/module/encoder/conv.0/Conv")) == "'encoder.conv.0' (Conv)"
    assert place(onnx.NodeProto(op_type="Add", name="/module/Add")) == "the operator Add"
