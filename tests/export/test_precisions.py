"""int8, int8w and fp16: each against an independent statement of what it is."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgelstm.contract import CLIPS, Quantization
from edgelstm.errors import ExportError
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.network import FINAL, LAST, Linear, Lstm, Network, Rescale, Standardize, Take
from edgelstm.quantization import LEVELS, quantize_rows
from edgelstm.runtime import Golden, ModelFile, Predictor
from tests.export.test_parity import make_contract, make_network, weights_of

STEPS = 20
OPTIONS = [Quantization(*o) for o in itertools.product((True, False), CLIPS, ("int8", "fp32"))]


def drawn(network, seed=0):
    rng = np.random.default_rng(seed)
    weights = {name: rng.uniform(-0.5, 0.5, shape).astype(np.float32) for name, shape in network.tensors() if shape}
    constants = {"input_offset": (3,), "input_factor": (3,), "output_scale": (2,), "output_offset": (2,)}
    weights |= {name: rng.uniform(0.5, 2, size).astype(np.float32) for name, size in constants.items()}
    return weights


def network_with(take=LAST, **options):
    lstm = Lstm("lstm", 3, 16, **options)
    scaled = Standardize("input_offset", "input_factor")
    head = Linear("head", lstm.output_size, 8)
    taken = () if take is None else (Take(take),)
    return Network((scaled, lstm, *taken, head, Rescale("output_scale", "output_offset")))


def contract_for(network):
    state = "carried" if not any(isinstance(layer, Take) for layer in network.layers) else "window"
    lstm = network.lstms[0]
    return make_contract(make_network(lstm.num_layers, lstm.hidden_size, state=state), STEPS)


def predictor_of(model, contract, precision="fp32", quantization=None):
    if precision.startswith("int8"):
        quantization = quantization or Quantization()
    contract = replace(contract, precision=precision, quantization=quantization)
    nothing = Golden(*[np.zeros((1, 1, 1), np.float32)] * 3, {})
    return Predictor(ModelFile(model.SerializeToString(), contract, nothing, ""))


def initializers(model):
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def windows(count=6):
    return np.random.default_rng(1).normal(size=(count, STEPS, 3)).astype(np.float32)


def rounded(network, weights, options, levels):
    """The weights as they come back from int8, by the rule of `tests/test_quantization.py`: LSTM, then head."""
    found = dict(weights)
    for name, tensor in weights.items():
        if name.startswith("lstm.weight_") and "_hr_" not in name:
            whole, scale = quantize_rows(tensor, levels, options.per_channel, options.clip)
            found[name] = (whole * scale[:, np.newaxis]).astype(np.float32)
    if options.head == "int8":
        factor = np.tile(weights["output_scale"].astype(np.float64), 4)[:, np.newaxis]
        folded = (weights["head.weight"] * factor).astype(np.float32)
        whole, scale = quantize_rows(folded, levels, options.per_channel, options.clip)
        found["head.weight"] = ((whole * scale[:, np.newaxis]) / factor).astype(np.float32)
    return found


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [{}, {"bidirectional": True, "take": FINAL}], ids=["one direction", "two directions"])
def test_an_int8w_file_computes_in_float32_with_weights_that_were_rounded(options, shape):
    """A tensor of two directions is rounded direction by direction, so the oracle rounds PyTorch's own tensors."""
    network = network_with(**shape)
    weights, contract = drawn(network), contract_for(network)
    weights |= {name: tensor / 2 for name, tensor in weights.items() if name.endswith("_reverse")}
    converted = convert_graph(build_graph(network, weights, contract), "int8w", options)
    oracle = build_graph(network, rounded(network, weights, options, LEVELS["int8w"]), contract)
    y = predictor_of(converted, contract, "int8w", options).predict(windows())
    exact = predictor_of(build_graph(network, weights, contract), contract).predict(windows())
    assert 0 < np.abs(y - exact).max() < 0.05
    np.testing.assert_allclose(y, predictor_of(oracle, contract).predict(windows()), atol=2e-6)


def test_int8w_stores_each_weight_in_a_byte_and_nothing_else_twice():
    network = network_with(num_layers=2)
    model = build_graph(network, drawn(network), contract_for(network))
    converted = convert_graph(model, "int8w")
    whole = {name: t for name, t in initializers(converted).items() if t.dtype == np.int8}
    assert {name.removesuffix(".int8") for name in whole} == {"lstm.W0", "lstm.R0", "lstm.W1", "lstm.R1", "head.W"}
    assert max(np.abs(t.astype(int)).max() for t in whole.values()) == 127
    assert not {name.removesuffix(".int8") for name in whole} & initializers(converted).keys()
    stored = sum(t.nbytes for t in initializers(converted).values())
    assert stored < 0.4 * sum(t.nbytes for t in initializers(model).values())  # scales and biases stay float32


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [{}, {"bidirectional": True, "take": FINAL}, {"take": None}], ids=["1", "2", "all"])
def test_a_client_that_knows_nothing_of_the_option_gets_the_same_answers_from_int8w(options, shape):
    """onnxruntime 1.32 would make MatMulNBits of the head, and up to 1.24 misread a scale without zero point."""
    network = network_with(**shape)
    contract = contract_for(network)
    converted = convert_graph(build_graph(network, drawn(network), contract), "int8w", options)
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    zeros = {s.input: np.zeros((1, 6, 16), np.float32) for s in contract.states}
    plain = session.run(["y"], {"x": windows(), **zeros})[0]
    np.testing.assert_allclose(plain, predictor_of(converted, contract, "int8w", options).predict(windows()), atol=1e-5)
    scales = {n.input[1]: len(n.input) for n in converted.graph.node if n.op_type == "DequantizeLinear"}
    stored = initializers(converted)
    assert all(count == (2 if stored[name].ndim else 3) for name, count in scales.items())
    assert options.per_channel or stored["lstm.W0.scale"].size in (1, 128)  # of two directions each has its own


def test_the_runtime_folds_int8w_weights_at_load(tmp_path):
    """Seen in the graph that onnxruntime would run: no DequantizeLinear is left in it."""
    network = network_with()
    converted = convert_graph(build_graph(network, drawn(network), contract_for(network)), "int8w")
    left = {}
    for folded in ("0", "1"):
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / f"{folded}.onnx")
        options.log_severity_level = 3
        options.add_session_config_entry("session.disable_quant_qdq", folded)
        onnxruntime.InferenceSession(converted.SerializeToString(), options, providers=["CPUExecutionProvider"])
        operators = [node.op_type for node in onnx.load(tmp_path / f"{folded}.onnx").graph.node]
        left[folded] = operators.count("DequantizeLinear")
    assert left["0"] > 0
    assert left["1"] == 0


@pytest.mark.parametrize("precision", ["int8w", "fp16"])
def test_a_stream_of_an_int8w_or_fp16_file_equals_its_window_bit_for_bit(precision):
    network = network_with(take=None, num_layers=2)
    contract = contract_for(network)
    predictor = predictor_of(
        convert_graph(build_graph(network, drawn(network), contract), precision), contract, precision
    )
    for window in windows(3):
        stream = predictor.stream()
        stepped = np.stack([stream.step(sample) for sample in window])
        np.testing.assert_array_equal(stepped, predictor.predict(window))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    "shape", [{}, {"bidirectional": True, "take": FINAL}, {"proj_size": 6}], ids=["one", "two", "projected"]
)
def test_every_choice_in_quantizing_gives_an_int8_file_near_its_network(options, shape):
    network = network_with(**shape)
    weights, contract = drawn(network), contract_for(network)
    model = build_graph(network, weights, contract)
    converted = convert_graph(model, "int8", options)
    exact = predictor_of(model, contract).predict(windows())
    error = np.abs(predictor_of(converted, contract, "int8", options).predict(windows()) - exact).max()
    assert 0 < error < 0.1
    operators = [node.op_type for node in converted.graph.node]
    assert operators.count("DynamicQuantizeLSTM") == 1
    products = 2 if "proj_size" in shape else 1  # the head, and a projection
    assert operators.count("DynamicQuantizeMatMul") == (products if options.head == "int8" else 0)
    assert operators.count("Gemm") + operators.count("MatMul") == (0 if options.head == "int8" else products)


@pytest.mark.parametrize("per_channel", [True, False])
def test_per_tensor_means_one_scale_for_each_direction(per_channel):
    network = network_with(bidirectional=True, take=FINAL)
    model = build_graph(network, drawn(network), contract_for(network))
    scales = initializers(convert_graph(model, "int8", Quantization(per_channel)))
    assert scales["lstm.W0.scale"].shape == ((2, 64) if per_channel else (2,))
    assert scales["head.W.scale"].shape == ((8,) if per_channel else (1,))


def test_fp16_holds_the_lstm_in_half_the_bytes_and_leaves_physical_units_in_float32():
    network = network_with()
    weights, contract = drawn(network), contract_for(network)
    converted = convert_graph(build_graph(network, weights, contract), "fp16")
    stored = initializers(converted)
    halves = {name for name, tensor in stored.items() if tensor.dtype == np.float16}
    assert halves == {"lstm.W0.half", "lstm.R0.half", "lstm.B0.half"}
    assert stored["head.W"].dtype == stored["input_offset"].dtype == np.float32
    half = {n: t.astype(np.float16).astype(np.float32) if n.startswith("lstm.") else t for n, t in weights.items()}
    oracle = predictor_of(build_graph(network, half, contract), contract).predict(windows())
    # On a CPU the arithmetic is float32; what goes into the LSTM and out of it is rounded to float16.
    np.testing.assert_allclose(predictor_of(converted, contract, "fp16").predict(windows()), oracle, atol=0.01)


def test_weights_beyond_the_range_of_float16_are_refused():
    network = network_with()
    weights = drawn(network)
    weights["lstm.weight_ih_l0"][0, 0] = 70000
    model = build_graph(network, weights, contract_for(network))
    with pytest.raises(ExportError, match=r"lstm\.W0 holds 70000, the largest float16 is 65504"):
        convert_graph(model, "fp16")


@pytest.mark.parametrize("precision", ["int8", "int8w", "fp16"])
def test_a_graph_without_an_lstm_is_refused(precision):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", "T", 1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "none", [x], [y])
    with pytest.raises(ExportError, match="an LSTM whose weights are constant, got none"):
        convert_graph(helper.make_model(graph), precision)


def test_a_converted_network_has_the_nodes_of_fp32_and_what_its_precision_needs():
    network = make_network(1, 8)
    model = build_graph(network.plan.network, weights_of(network), make_contract(network, STEPS))
    counts = {p: len(convert_graph(model, p).graph.node) for p in ("fp32", "int8", "int8w", "fp16")}
    assert counts == {"fp32": 7, "int8": 7, "int8w": 11, "fp16": 9}
