"""The graph: few nodes, free batch and time, old enough for devices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from edgelstm.errors import ExportError
from edgelstm.export.graph import build_graph
from edgelstm.network import (
    Activation,
    Embedding,
    Linear,
    Lstm,
    Mask,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Standardize,
    Take,
)
from tests import oracles
from tests.export import drawn
from tests.export.test_parity import inputs, make_contract, make_network, predictors, weights_of


def graph_of(network, steps=10):
    return build_graph(network.plan.network, weights_of(network), make_contract(network, steps))


def operators(model):
    return [node.op_type for node in model.graph.node]


def test_standard_scaling_takes_seven_nodes():
    expected = ["Sub", "Mul", "Transpose", "LSTM", "Squeeze", "Gemm", "Reshape"]
    assert operators(graph_of(make_network(1, 8))) == expected


def test_relative_scaling_takes_ten_nodes_and_one_more_where_some_inputs_are_no_outputs():
    several = graph_of(make_network(1, 8, scaling="relative", features=3, outputs=3))
    one = graph_of(make_network(1, 8, scaling="relative", features=1, outputs=1))
    beside = graph_of(make_network(1, 8, scaling="relative"))
    assert len(operators(several)) == 10
    assert len(operators(one)) == 9
    assert operators(beside)[:4] == ["Gather", "Where", "Sub", "Mul"]  # no Sub of an offset: the Where has it
    assert len(operators(beside)) == 11


def built(*layers, relative=(), seed=0, **said):
    """The graph of some layers over three inputs, its contract and its weights."""
    network = Network(layers, relative)
    outputs = said.pop("outputs", 2)
    weights = drawn.make_weights(network, seed, 3, outputs, spread=1)
    contract = drawn.make_contract(network, outputs=outputs, **{"inputs": 3, **said})
    return build_graph(network, weights, contract), contract, network, weights


def assert_computes(*layers, x, lengths=None, **options):
    model, contract, network, weights = built(*layers, window=x.shape[1], lengths=lengths is not None, **options)
    y = drawn.load_graph(model, contract).run_batch(x, lengths)
    oracle = oracles.evaluate(network, weights, x, contract, lengths)
    valid = ~np.isnan(oracle)
    np.testing.assert_allclose(y[valid], oracle[valid], rtol=0, atol=1e-6 * max(1, np.abs(oracle[valid]).max()))
    return y


LSTM, BOTH, HEAD = Lstm("lstm", 3, 8), Lstm("lstm", 3, 8, bidirectional=True), Linear("head", 8, 6)
SCALED = (Standardize("offset", "factor"), LSTM, Take("last"), HEAD, Rescale("scale", "shift"))


def test_lengths_take_one_node_more():
    model, *_ = built(*SCALED, lengths=True, horizon=3)
    assert operators(model) == ["Cast", "Sub", "Mul", "Transpose", "LSTM", "Squeeze", "Gemm", "Reshape"]


def test_each_thing_that_torch_can_describe_costs_the_nodes_that_it_needs():
    counts = {
        "two directions": len(operators(built(*SCALED[:1], BOTH, Take("final"), Linear("head", 16, 6), horizon=3)[0])),
        "a projection": len(operators(built(replace(LSTM, proj_size=4), Take("last"), Linear("head", 4, 2))[0])),
        "a second layer": len(operators(built(replace(LSTM, num_layers=2), Take("last"), Linear("head", 8, 2))[0])),
        "an embedding": len(operators(built(Embedding("words", 5, 3), *SCALED[1:4], horizon=3, inputs=1, tokens=5)[0])),
    }
    assert counts == {"two directions": 8, "a projection": 6, "a second layer": 7, "an embedding": 6}


def test_a_head_of_several_layers_runs_once_wherever_the_take_stands():
    mlp = (Linear("dense", 8, 8), Activation("gelu"), Linear("head", 8, 2))
    behind, *_ = built(LSTM, *mlp, Take("last"))
    in_front, *_ = built(LSTM, Take("last"), *mlp)
    assert operators(behind) == operators(in_front)


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


@pytest.fixture
def x():
    return inputs(4, 6)


def with_gaps(x):
    """Skipped steps in front, inside and at the end of rows, and one row that is skipped whole."""
    x = x.copy()
    x[0, :2] = x[0, 4:] = x[1, 2:4] = x[2] = -1
    return x


def test_a_take_behind_several_nodes_takes_the_output_of_its_lstm(x):
    for between in (
        (Activation("gelu"),),
        (Linear("in", 16, 16), Activation("softmax")),
        (Reverse(), Activation("gelu")),
    ):
        assert_computes(BOTH, *between, Take("last"), Linear("head", 16, 2), x=x)


def test_last_and_final_differ_in_two_directions(x):
    last = assert_computes(BOTH, Take("last"), x=x, outputs=16)
    final = assert_computes(BOTH, Take("final"), x=x, outputs=16)
    np.testing.assert_array_equal(last[..., :8], final[..., :8])
    assert (last[..., 8:] != final[..., 8:]).all()


@pytest.mark.parametrize("padding", [np.nan, 1e30, -np.inf])
@pytest.mark.parametrize("end", [(Take("last"),), (Take("final"),), ()])
@pytest.mark.parametrize("relative", [(), (2, 0)])
def test_what_lies_in_the_padding_changes_no_bit_in_either_direction(x, padding, end, relative):
    lengths = np.array([6, 1, 3, 5])
    task = {"task": "forecast" if end else "label", "outputs": 2, "relative": relative}
    layers = (replace(BOTH, num_layers=2), *end, Linear("head", 16, 2))
    answers = []
    for filled in (0.0, padding):
        padded = x.copy()
        padded[np.arange(6) >= lengths[:, np.newaxis]] = filled
        y = assert_computes(*layers, x=padded, lengths=lengths, **task)
        answers.append(y if end else np.concatenate([row[:n] for row, n in zip(y, lengths, strict=True)]))
    np.testing.assert_array_equal(answers[0], answers[1])


def test_rows_run_over_their_own_length_answer_as_alone(x):
    lengths = np.array([6, 1, 3, 5])
    model, contract, *_ = built(BOTH, Take("last"), Linear("head", 16, 2), lengths=True, window=6)
    predictor = drawn.load_graph(model, contract)
    together = predictor.run_batch(x, lengths)
    for row, length, y in zip(x, lengths, together, strict=True):
        alone = predictor.run_batch(row[np.newaxis, :length].copy(), np.array([length]))
        np.testing.assert_array_equal(alone[0], y)


@pytest.mark.parametrize("lstm", [LSTM, replace(LSTM, num_layers=3), BOTH, replace(BOTH, num_layers=2, proj_size=4)])
def test_a_mask_skips_steps_wherever_they_lie(x, lstm):
    x, size = with_gaps(x), lstm.output_size
    assert_computes(Mask(-1.0), lstm, Take("final"), Linear("head", size, 2), x=x)
    assert_computes(Mask(-1.0), lstm, Linear("head", size, 2), Take("last"), x=x)
    assert_computes(Mask(-1.0), Reverse(), lstm, Take("last"), Linear("head", size, 2), x=x)
    assert_computes(Mask(-1.0), lstm, Linear("head", size, 2), x=x, task="label")
    assert_computes(Mask(-1.0), lstm, Reverse(), Linear("head", size, 2), x=x, task="label")
    assert_computes(Mask(-1.0), Activation("tanh"), Reverse(), lstm, Linear("head", size, 2), x=x, task="label")


def test_a_skipped_step_repeats_the_answer_before_it_and_of_two_directions_gives_zero(x):
    x = with_gaps(x)
    one = assert_computes(Mask(-1.0), LSTM, x=x, task="label", outputs=8)
    np.testing.assert_array_equal(one[1, 2:4], one[1, [1, 1]])
    assert not one[0, :2].any()
    assert not one[2].any()
    both = assert_computes(Mask(-1.0), BOTH, x=x, task="label", outputs=16)
    assert not both[1, 2:4].any()
    assert both[1, 4:].all()


def test_an_encoder_hands_its_state_to_a_decoder_at_every_horizon_step(x):
    decoder = (Take("final"), Repeat(4), Lstm("decoder", 16, 5), Linear("head", 5, 2), Rescale("scale", "shift"))
    assert_computes(BOTH, *decoder, x=x, horizon=4)
    assert_computes(BOTH, *decoder, x=x, horizon=4, lengths=np.array([1, 6, 2, 3]), relative=(1, 1))


def test_a_decoder_may_end_in_a_take_of_its_own(x):
    decoder = (Take("final"), Repeat(4), Lstm("decoder", 16, 5), Take("last"), Linear("head", 5, 6))
    assert_computes(BOTH, *decoder, x=x, horizon=3)
    assert_computes(BOTH, *decoder, x=x, horizon=3, lengths=np.array([1, 6, 2, 3]))


def test_an_autoencoder_is_a_forecast_with_the_window_as_its_horizon(x):
    decoder = (Take("final"), Repeat(6), Lstm("decoder", 16, 5), Linear("head", 5, 3))
    assert_computes(BOTH, *decoder, x=x, horizon=6, outputs=3)
    with pytest.raises(ExportError, match=r"end in \[B, 6, 3\].*says \[B, T, 3\]"):
        built(BOTH, *decoder, task="label", outputs=3, window=6)


def test_rescaling_runs_over_horizon_steps_behind_any_layer(x):
    assert_computes(LSTM, Take("last"), HEAD, Activation("tanh"), Rescale("scale", "shift"), x=x, horizon=3)


@pytest.mark.parametrize(
    ("layers", "said", "match"),
    [
        ((LSTM, Take("last"), Linear("head", 8, 7)), {"horizon": 3}, r"end in \[B, 7\].*the contract says \[B, 3, 2\]"),
        ((LSTM, HEAD), {"horizon": 3}, r"end in \[B, T, 6\].*the contract says \[B, 3, 2\]"),
        ((LSTM, Linear("head", 8, 2)), {"horizon": 5, "window": 5}, r"end in \[B, T, 2\]"),
        ((LSTM, Take("last"), Linear("head", 8, 2)), {"task": "label"}, r"end in \[B, 2\].*says \[B, T, 2\]"),
        ((LSTM, Linear("head", 8, 2)), {"task": "classify"}, r"end in \[B, T, 2\].*says \[B, 2\]"),
        ((LSTM, Take("last"), Repeat(3), Linear("head", 8, 2)), {"task": "label"}, r"end in \[B, 3, 2\]"),
        ((LSTM, Take("last"), Linear("head", 8, 2)), {"inputs": 4}, "inputs: the layers take 3, the contract names 4"),
        (
            (LSTM, Take("last"), Linear("head", 8, 2)),
            {"inputs": 1, "tokens": 5},
            "not an embedding and takes measurements",
        ),
        (
            (Embedding("e", 5, 3), LSTM, Take("last"), Linear("head", 8, 2)),
            {"inputs": 1},
            "an embedding, which takes tokens",
        ),
        (
            (Embedding("e", 5, 3), LSTM, Take("last"), Linear("head", 8, 2)),
            {"inputs": 1, "tokens": 6},
            "knows 5 tokens",
        ),
        (
            (Mask(0.0), LSTM, Take("last"), Linear("head", 8, 2)),
            {"lengths": True},
            "lengths already say which steps count",
        ),
        (
            (Reverse(), LSTM, Take("last"), Linear("head", 8, 2)),
            {"lengths": True},
            "steps cannot be reversed with lengths",
        ),
        ((Mask(0.0), LSTM, Reverse(), Take("last"), Linear("head", 8, 2)), {}, "after an LSTM that skips steps"),
        (
            (LSTM, Take("last"), Linear("head", 8, 2)),
            {"task": "classify", "relative": (0, 1)},
            r"expected a forecast and one relative input per output \(2\), got the task classify and 2",
        ),
        (
            (LSTM, Take("last"), Linear("head", 8, 2)),
            {"relative": (0,)},
            r"one relative input per output \(2\), got the task forecast and 1",
        ),
        ((BOTH, Linear("head", 16, 2)), {"state": "carried"}, "both directions"),
        ((LSTM, Linear("head", 8, 2)), {"state": "carried", "relative": (0, 1)}, "relative scaling"),
        ((Reverse(), LSTM, Linear("head", 8, 2)), {"state": "carried"}, "reverse order"),
        ((Mask(0.0), LSTM, Linear("head", 8, 2)), {"state": "carried"}, "a mask"),
        ((LSTM, Take("last"), Repeat(1), Linear("head", 8, 2)), {"state": "carried"}, "repeat one vector"),
    ],
)
def test_layers_that_are_no_answer_to_the_contract_are_refused_in_one_line(layers, said, match):
    with pytest.raises(ExportError, match=match) as caught:
        built(*layers, **said)
    assert "\n" not in str(caught.value)


def test_a_contract_with_the_states_of_another_network_is_refused():
    network = Network((LSTM, Linear("head", 8, 2)))
    contract = drawn.make_contract(Network((replace(LSTM, hidden_size=9),)), inputs=3, outputs=2, state="carried")
    with pytest.raises(ExportError, match="expected the states"):
        build_graph(network, drawn.make_weights(network, 0), contract)


@pytest.mark.parametrize("name", ["x", "lstm0", "y"])
def test_a_tensor_that_is_called_like_a_value_of_the_graph_is_an_error_in_one_line(name):
    layers = (Standardize(name, "factor"), LSTM, Take("last"), Linear("head", 8, 2))
    with pytest.raises(ExportError, match="makes an invalid graph") as caught:
        built(*layers)
    assert "\n" not in str(caught.value)
