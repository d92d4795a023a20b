"""Segments, joins, layer norm, means, instance scaling and calendars in the graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from edgelstm import reference
from edgelstm.errors import ExportError, NetworkError
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.network import (
    Activation,
    Calendar,
    Join,
    LayerNorm,
    Linear,
    Lstm,
    Mask,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Segment,
    Standardize,
    Take,
)
from edgelstm.runtime.file.structure import check_structure
from edgelstm.strict_json import decode, dumps, parse
from tests import oracles
from tests.export import drawn
from tests.export.test_graph import operators

LSTM, HEAD = Lstm("lstm", 3, 8), Linear("head", 8, 2)
IN, OUT = Standardize("offset", "factor"), Rescale("scale", "shift")
SHARED = (Segment(4, True), Lstm("lstm", 4, 8), Take("last"), Linear("head", 8, 5), Join(3))
FORECAST = {"outputs": 3, "horizon": 5, "window": 12}
HOURS = np.datetime64("1969-12-28T06:30:00", "s").astype(np.int64) + 3600 * np.arange(12)


def made(*layers, relative=(), instance=False, seed=0, weights=None, **said):
    """The graph of some layers over three inputs, with all that it came from."""
    network = Network(layers, relative, instance)
    said = {"inputs": 3, "outputs": 2, "window": 12, **said}
    weights = {**drawn.make_weights(network, seed, 3, said["outputs"], spread=1), **(weights or {})}
    contract = drawn.make_contract(network, **said)
    return build_graph(network, weights, contract), network, weights, contract


def windows(rows=4, steps=12, mean=0.0):
    return np.random.default_rng(1).normal(mean, 1, (rows, steps, 3)).astype(np.float32)


def assert_computes(*layers, x=None, lengths=None, time_s=None, **options):
    x = windows() if x is None else x
    model, network, weights, contract = made(*layers, lengths=lengths is not None, **options)
    assert not check_structure(model.SerializeToString())
    y = drawn.Bare(model, contract).run_batch(x, lengths, time_s)
    oracle = oracles.evaluate(network, weights, x, contract, lengths, time_s)
    valid = ~np.isnan(oracle)
    np.testing.assert_allclose(y[valid], oracle[valid], rtol=0, atol=1e-6 * max(1, np.abs(oracle[valid]).max()))
    return y


def test_segments_take_one_reshape_and_shared_ones_three_nodes_straight_to_time_first():
    cut = (IN, Segment(4, False), Lstm("lstm", 12, 8), Take("last"), Linear("head", 8, 10), OUT)
    plain, *_ = made(*cut, horizon=5)
    shared, *_ = made(IN, *SHARED, OUT, **FORECAST)
    front, middle = ["Sub", "Mul"], ["LSTM", "Squeeze", "Gemm", "Reshape"]
    assert operators(plain) == [*front, "Reshape", "Transpose", *middle]
    assert operators(shared) == [*front, "Reshape", "Transpose", "Reshape", *middle, "Transpose", "Mul", "Add"]


def test_relative_segments_of_shared_channels_take_thirteen_nodes():
    zeros = {"offset": np.zeros(3, np.float32), "shift": np.zeros(3, np.float32)}
    model, *_ = made(IN, *SHARED, OUT, relative=(0, 1, 2), weights=zeros, **FORECAST)
    assert len(operators(model)) == 13


def test_scaling_that_is_the_same_for_all_channels_goes_into_their_one_head():
    same = {"scale": np.full(3, 2.5, np.float32), "shift": np.full(3, -1, np.float32)}
    folded, *_ = made(IN, *SHARED, OUT, weights=same, **FORECAST)
    apart, *_ = made(IN, *SHARED, OUT, **FORECAST)
    assert operators(folded) == operators(apart)[:-2]
    assert_computes(IN, *SHARED, OUT, weights=same, **FORECAST)


def test_one_channel_takes_no_node_to_part_and_to_join():
    layers = (Linear("in", 3, 1), Segment(4, True), *SHARED[1:4], Join(1))
    model, *_ = made(*layers, outputs=1, horizon=5)
    assert operators(model)[2:] == ["Reshape", "Transpose", "LSTM", "Squeeze", "Gemm", "Reshape"]
    assert_computes(*layers, outputs=1, horizon=5)


@pytest.mark.parametrize("relative", [(), (2, 0, 1)])
@pytest.mark.parametrize("instance", [False, True])
def test_channels_that_share_a_network_answer_as_each_of_them_alone(relative, instance):
    weights = {"offset": np.zeros(3, np.float32)} if relative else {}
    options = {"relative": relative, "instance": instance and bool(relative), "weights": weights, **FORECAST}
    together = assert_computes(IN, *SHARED, OUT, **options)
    x = windows()
    other = x.copy()
    other[:, :, 1] += 5  # a channel that is another changes the others by no bit
    changed = assert_computes(IN, *SHARED, OUT, x=other, **options)
    kept = [k for k, source in enumerate(relative or (0, 1, 2)) if source != 1 and k != 1]
    np.testing.assert_array_equal(together[..., kept], changed[..., kept])


def test_a_channel_may_answer_with_several_values_at_each_step_such_as_quantiles():
    layers = (*SHARED[:3], Linear("head", 8, 10), Join(3, 2))
    y = assert_computes(*layers, outputs=6, horizon=5)
    assert y.shape == (4, 5, 6)


def test_segments_stand_behind_an_lstm_in_both_directions_and_in_front_of_a_decoder_too():
    both = Lstm("lstm", 3, 4, bidirectional=True)
    assert_computes(both, Segment(3, False), Lstm("b", 24, 5), Take("mean"), Linear("head", 5, 2))
    assert_computes(
        both, Reverse(), Segment(3, True), Lstm("b", 3, 5), Take("final"), Join(8), Linear("head", 8, 2), horizon=5
    )
    decoder = (Take("mean"), Repeat(6), Segment(2, False), Lstm("d", 16, 4), Linear("head", 4, 2))
    assert_computes(LSTM, *decoder, horizon=3)


@pytest.mark.parametrize("lstm", [LSTM, replace(LSTM, num_layers=2, bidirectional=True), replace(LSTM, proj_size=3)])
def test_layer_norm_and_mean_work_behind_any_lstm(lstm):
    size = lstm.output_size
    norm, head = LayerNorm("norm", size), Linear("head", size, 2)
    assert_computes(lstm, norm, Take("mean"), head)
    assert_computes(lstm, norm, Take("last"), head)
    assert_computes(lstm, norm, head, Activation("tanh"), Take("mean"))
    assert_computes(lstm, norm, head, task="label")
    assert_computes(LayerNorm("first", 3), lstm, Take("mean"), head)


def test_a_mean_alone_is_one_node_behind_its_lstm():
    assert operators(made(LSTM, Take("mean"), HEAD)[0]) == ["Transpose", "LSTM", "ReduceMean", "Gemm", "Reshape"]


@pytest.mark.parametrize("padding", [np.nan, 1e30, -np.inf])
@pytest.mark.parametrize("instance", [False, True])
def test_what_lies_in_the_padding_changes_no_bit_of_a_mean_or_of_instance_scaling(padding, instance):
    lengths = np.array([12, 1, 5, 7])
    options = {"relative": (2, 0), "instance": True, "weights": {"offset": np.zeros(3, np.float32)}} if instance else {}
    answers = []
    for filled in (0.0, padding):
        x = windows(mean=30.0)
        x[np.arange(12) >= lengths[:, np.newaxis]] = filled
        answers.append(assert_computes(IN, LSTM, Take("mean"), HEAD, x=x, lengths=lengths, **options))
    np.testing.assert_array_equal(*answers)


def test_a_mean_skips_what_a_mask_skips_and_is_zero_where_nothing_is_left():
    x = windows()
    x[0, :2] = x[0, 9:] = x[1, 4:8] = x[2] = -1
    assert_computes(Mask(-1.0), LSTM, HEAD, Take("mean"), x=x)
    y = assert_computes(Mask(-1.0), LSTM, Take("mean"), x=x, outputs=8)
    assert not y[2].any()


@pytest.mark.parametrize("steps", [1, 2, 12, 720])
def test_instance_scaling_holds_far_from_zero_in_flat_windows_and_in_long_ones(steps):
    x = windows(steps=steps, mean=300.0)
    x[1] = x[1, :1]
    x[2] = x[2, :1] + 1e-3 * x[2]
    zeros = {"offset": np.zeros(3, np.float32)}
    y = assert_computes(
        IN, LSTM, Take("last"), HEAD, OUT, x=x, relative=(0, 2), instance=True, weights=zeros, window=steps
    )
    assert np.abs(y - 300).max() < 20


@pytest.mark.parametrize(
    "layers", [(IN, *SHARED, OUT), (IN, LSTM, LayerNorm("norm", 8), Take("mean"), Linear("head", 8, 15), OUT)]
)
def test_rows_of_a_batch_equal_single_rows_bit_for_bit(layers):
    zeros = {"offset": np.zeros(3, np.float32)}
    model, *_, contract = made(*layers, relative=(0, 1, 2), instance=True, weights=zeros, **FORECAST)
    graph, x = drawn.Bare(model, contract), windows(300, mean=40.0)
    together = graph.run_batch(x)
    for i in (0, 1, 150, 299):
        np.testing.assert_array_equal(graph.run_batch(x[i : i + 1]), together[i : i + 1])


def features_of(time_s, features=("hour", "weekday", "yearday")):
    model, *_ = made(Calendar(features), Lstm("lstm", 3 + 2 * len(features), 2), Take("last"), window=time_s.shape[1])
    model.graph.output.append(onnx.ValueInfoProto(name="with_calendar0"))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.zeros((*time_s.shape, 3), np.float32)
    return session.run(["with_calendar0"], {"x": x, "time_s": time_s})[0][..., 3:]


def test_a_calendar_is_sine_and_cosine_of_the_phase_to_the_last_bit_of_float32():
    time_s = np.random.default_rng(0).integers(-(2**33), 2**33, (3, 1000))
    expected = np.stack([oracles.calendar(("hour", "weekday", "yearday"), row) for row in time_s])
    np.testing.assert_allclose(features_of(time_s), expected, rtol=0, atol=3e-8 + 1e-14)


def test_a_calendar_gives_the_same_bits_for_a_moment_wherever_it_stands():
    time_s = 900 * np.arange(2000)[np.newaxis]
    whole = features_of(time_s)
    for place in (0, 24, 48, 72, 96, 336, 337, 672, 1001, 1999):  # quarter turns of a day and a week, and others
        alone = features_of(time_s[:, place : place + 1])
        np.testing.assert_array_equal(alone, whole[:, place : place + 1])


def test_a_day_begins_at_midnight_a_week_on_monday_and_a_year_in_january():
    moments = ["2024-02-05T00:00", "2024-02-05T06:00", "2024-02-08T12:00", "2024-01-01T00:00"]  # Monday, ..., Thursday
    time_s = np.array([moments], "datetime64[s]").astype(np.int64)
    hour, week, year = np.split(features_of(time_s)[0], 3, axis=1)
    np.testing.assert_allclose(hour, [[0, 1], [1, 0], [0, -1], [0, 1]], atol=1e-7)
    np.testing.assert_allclose(week[[0, 2, 3]], [[0, 1], [0, -1], [0, 1]], atol=1e-7)
    assert np.abs(year[3] - [0, 1]).max() < 2 * 2 * np.pi / 365


def test_a_calendar_stands_behind_a_standardize_or_in_front_of_it():
    time_s = np.stack([HOURS + 86400 * k for k in range(4)])
    behind = assert_computes(IN, Calendar(("hour",)), Lstm("lstm", 5, 8), Take("last"), HEAD, time_s=time_s)
    front = assert_computes(Calendar(("hour",)), IN, Lstm("lstm", 5, 8), Take("last"), HEAD, time_s=time_s)
    np.testing.assert_array_equal(behind, front)
    options = {"relative": (0, 1), "instance": True, "weights": {"offset": np.zeros(3, np.float32)}}
    assert_computes(IN, Calendar(("yearday",)), Lstm("lstm", 5, 8), Take("last"), HEAD, time_s=time_s, **options)


@pytest.mark.parametrize("precision", ["fp32", "int8w", "fp16"])
def test_a_carried_state_with_calendar_and_layer_norm_steps_as_its_window_bit_for_bit(precision):
    layers = (
        IN,
        Calendar(("hour", "weekday", "yearday")),
        Lstm("lstm", 9, 7, 2),
        LayerNorm("norm", 7),
        Linear("head", 7, 2),
    )
    model, *_, contract = made(*layers, state="carried")
    graph = drawn.Bare(convert_graph(model, precision), contract, disable_quant_qdq="1")
    steps = 400
    x, time_s = windows(2, steps), np.array([[0], [10**9]]) + 977 * np.arange(steps)
    whole = graph.run_batch(x, None, time_s)
    np.testing.assert_array_equal(graph.stepped(x, time_s), whole)
    answers, states = [], None
    for place in np.split(np.arange(steps), [1, 2, 7, 64, 65, 333]):
        y, states = graph.run(x[:, place], None, time_s[:, place], states)
        answers.append(y)
    np.testing.assert_array_equal(np.concatenate(answers, axis=1), whole)


EVERYTHING = {
    "shared": (IN, Calendar(("hour",)), Linear("in", 5, 3), *SHARED[:2], LayerNorm("norm", 8), *SHARED[2:], OUT),
    "plain": (
        IN,
        Segment(3, False),
        Lstm("lstm", 9, 16),
        LayerNorm("norm", 16),
        Take("mean"),
        Linear("head", 16, 15),
        OUT,
    ),
}


@pytest.mark.parametrize("precision", ["int8", "int8w", "fp16"])
@pytest.mark.parametrize("name", EVERYTHING)
def test_every_precision_converts_every_layer_and_leaves_layer_norm_in_float32(name, precision):
    zeros = {"offset": np.zeros(3, np.float32)}
    options = {"relative": (0, 1, 2), "instance": name == "plain", "weights": zeros}
    model, network, weights, contract = made(*EVERYTHING[name], **options, **FORECAST)
    converted = convert_graph(model, precision)
    assert not check_structure(converted.SerializeToString())
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in converted.graph.initializer}
    assert stored["norm.weight"].dtype == stored["norm.bias"].dtype == np.float32
    x, time_s = windows(1), HOURS[np.newaxis] if network.times else None
    exact = oracles.evaluate(network, weights, x, contract, None, time_s)
    y = drawn.Bare(converted, contract, disable_quant_qdq="1").run_batch(x, None, time_s)
    assert 0 < np.abs(y - exact).max() < (0.02 if precision == "fp16" else 0.2) * np.abs(exact).max()


@pytest.mark.parametrize(
    ("layers", "said", "match"),
    [
        (
            (Segment(5, False), Lstm("lstm", 15, 8), Take("last"), HEAD),
            {},
            "window that is a multiple of 5 steps, got 12",
        ),
        (
            (Segment(2, False), Segment(4, False), Lstm("lstm", 24, 8), Take("last"), HEAD),
            {},
            "multiple of 8 steps, got 12",
        ),
        ((Segment(2, False), Lstm("lstm", 6, 8), Take("last"), HEAD), {"lengths": True}, "may end inside a segment"),
        ((Segment(2, False), Lstm("lstm", 6, 8), HEAD), {"task": "label"}, r"end in \[B, T/2, 2\].*says \[B, T, 2\]"),
        ((Segment(2, False), Lstm("lstm", 6, 8), HEAD), {"state": "carried"}, "segments .*cannot carry its state"),
        ((LSTM, Take("mean"), HEAD), {"state": "carried"}, "a mean over the steps of a window"),
        ((IN, LSTM, HEAD), {"state": "carried", "relative": (0, 1), "instance": True}, "instance scaling"),
        (
            (IN, LSTM, Take("last"), HEAD),
            {"task": "classify", "relative": (0, 1), "instance": True},
            "instance scaling",
        ),
        ((IN, *SHARED), {"outputs": 3, "horizon": 4}, r"end in \[B, 5, 3\].*says \[B, 4, 3\]"),
        ((IN, *SHARED), {"outputs": 2, "horizon": 5}, r"end in \[B, 5, 3\].*says \[B, 5, 2\]"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(layers, said, match):
    with pytest.raises(ExportError, match=match) as caught:
        made(*layers, weights={"offset": np.zeros(3, np.float32)} if IN in layers else {}, **said)
    assert "\n" not in str(caught.value)


def test_times_are_what_both_the_network_and_the_contract_speak_of():
    with_calendar = Network((Calendar(("hour",)), Lstm("lstm", 5, 8), Take("last"), HEAD))
    without = Network((LSTM, Take("last"), HEAD))
    for network, other, match in (
        (with_calendar, without, "a calendar and takes time_s, but the contract says that the file does not"),
        (without, with_calendar, "no calendar and takes no time_s, but the contract says that the file takes it"),
    ):
        contract = drawn.make_contract(other, inputs=3, outputs=2)
        with pytest.raises(ExportError, match=match):
            build_graph(network, drawn.make_weights(network, 0), contract)
    with pytest.raises(NetworkError, match="expected time_s, the moment of each sample, got none"):
        reference.compute(with_calendar, drawn.make_weights(with_calendar, 0), windows())


def test_a_window_that_is_no_whole_number_of_segments_is_an_error_of_onnxruntime_and_no_answer():
    model, *_, contract = made(*SHARED, **FORECAST)
    with pytest.raises(Exception, match="cannot be reshaped"):  # ONNXRuntimeError's own class is private
        drawn.Bare(model, contract).run_batch(windows(4, 10))


def test_the_layers_travel_through_json():
    network = Network(
        (IN, Calendar(("hour", "weekday")), LayerNorm("norm", 7), Segment(4, True), Join(7, 2)), (0,), True
    )
    assert decode(Network, parse(dumps(network)), "network") == network
