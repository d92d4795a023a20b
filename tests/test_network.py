"""What a network may be made of, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from edgelstm.errors import NetworkError
from edgelstm.export.graph import NODES
from edgelstm.network import (
    Activation,
    Calendar,
    Embedding,
    Highway,
    Join,
    Layer,
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
    carried_states,
    check_network,
    size_behind,
)
from edgelstm.network.kind import SEQUENCE, VECTOR, Kind, Shape
from edgelstm.reference import compute

LSTM, HEAD = Lstm("lstm", 3, 8), Linear("head", 8, 2)
SHARED = (Lstm("b", 2, 4), Take("last"))
APART = (Segment(3, True), LSTM, Take("last"))
SCALED = (Standardize("offset", "factor"), LSTM, Take("last"), HEAD, Rescale("scale", "shift"))


def weights_of(network, **changes):
    """Ones of the right shape; scaling constants fit three inputs and two outputs."""
    sizes = {"offset": (3,), "factor": (3,), "scale": (2,), "shift": (2,)}
    weights = {name: np.ones(np.maximum(shape or sizes[name], 0), np.float32) for name, shape in network.tensors()}
    return {**weights, **changes}


def refuse(*layers, relative=(), match):
    network = Network(layers, relative)
    with pytest.raises(NetworkError, match=match) as caught:
        check_network(network, weights_of(network))
    assert "\n" not in str(caught.value)


def test_tensors_are_called_and_shaped_as_torch_has_them():
    torch = pytest.importorskip("torch")
    for options in (
        {},
        {"num_layers": 3, "bidirectional": True},
        {"proj_size": 2, "bidirectional": True, "bias": False},
    ):
        lstm = torch.nn.LSTM(3, 8, **options)
        expected = {f"lstm.{name}": tuple(tensor.shape) for name, tensor in lstm.named_parameters()}
        assert dict(Network((Lstm("lstm", 3, 8, **options),)).tensors()) == expected


def test_a_fitting_network_passes():
    network = Network(SCALED)
    check_network(network, weights_of(network))
    assert (network.input_size, network.output_size, network.tokens) == (3, 2, False)


def test_an_embedding_takes_tokens():
    network = Network((Embedding("words", 10, 3), LSTM))
    check_network(network, weights_of(network))
    assert (network.input_size, network.output_size, network.tokens) == (1, 8, True)


def test_size_behind_follows_both_directions_and_the_projection():
    assert size_behind(Lstm("lstm", 3, 8, bidirectional=True, proj_size=5), 3) == 10
    assert size_behind(Repeat(4), 6) == 6


@pytest.mark.parametrize(
    ("layers", "inputs", "outputs"),
    [
        ((Segment(4, False), Lstm("lstm", 12, 8)), 3, 8),
        ((Segment(4, True), Lstm("lstm", 4, 8), Take("last"), Linear("head", 8, 6), Join(5, 2)), 5, 10),
        ((Calendar(("hour", "yearday")), Lstm("lstm", 7, 8)), 3, 8),
        ((Calendar(("hour",)), Segment(2, False), Lstm("lstm", 10, 8), LayerNorm("norm", 8)), 3, 8),
        ((LayerNorm("norm", 3), LSTM), 3, 8),
        ((Segment(2, False), Segment(3, True), Lstm("lstm", 3, 8), Take("mean"), Join(4)), 2, 4),
    ],
)
def test_the_inputs_follow_from_the_layers_behind_segments_and_calendars(layers, inputs, outputs):
    network = Network(layers)
    check_network(network, weights_of(network))
    assert (network.input_size, network.output_size) == (inputs, outputs)


def test_instance_scaling_needs_a_way_back_and_the_training_deviation_in_front():
    for changes, match in (
        ({"relative_inputs": ()}, "expected relative_inputs.*got none"),
        ({"layers": SCALED[1:]}, "expected a standardize with the training deviations as the first layer.*got lstm"),
        ({}, "offset: expected zeros"),
    ):
        network = replace(Network(SCALED, (0, 2), instance=True), **changes)
        with pytest.raises(NetworkError, match=match):
            check_network(network, weights_of(network))
    network = Network(SCALED, (0, 2), instance=True)
    check_network(network, weights_of(network, offset=np.zeros(3, np.float32)))


def test_a_state_pair_for_each_layer_is_as_large_as_what_is_in_front_of_the_projection():
    states = carried_states(Network((Lstm("a", 3, 8, 2, proj_size=5), Lstm("b", 5, 4))))
    assert [(s.input, s.output, s.shape) for s in states[:2]] == [
        ("h0", "h0_out", (1, "B", 8)),
        ("c0", "c0_out", (1, "B", 8)),
    ]
    assert [s.input for s in states] == ["h0", "c0", "h1", "c1", "h2", "c2"]
    assert states[-1].shape == (1, "B", 4)


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ((), "at least one LSTM"),
        ((HEAD,), "at least one LSTM"),
        ((Lstm("lstm", 3, 8, num_layers=9),), "expected 1 to 8 layers, got 9"),
        ((Lstm("lstm", 3, 8, num_layers=0),), "expected 1 to 8 layers, got 0"),
        ((Lstm("lstm", 3, 8, proj_size=8),), "proj_size below it, got 8 and 8"),
        ((Lstm("lstm", 3, 8, proj_size=-1),), "proj_size below it, got 8 and -1"),
        ((Lstm("lstm", 3, 0),), "hidden_size of at least 1"),
        ((Lstm("lstm", 0, 8),), "sizes of at least 1"),
        ((Lstm("lstm", 3, 8, functions=("sigmoid", "tanh")),), "expected three functions"),
        ((Lstm("lstm", 3, 8, functions=("sigmoid", "tanh", "gelu")),), "expected three functions of sigmoid.*gelu"),
        ((LSTM, Take("first")), "expected last, final or mean, got 'first'"),
        ((LSTM, Activation("swish")), "expected one of relu.*got 'swish'"),
        ((LSTM, Take("last"), Repeat(0)), "at least 1 step, got 0"),
        ((Mask(float("nan")), LSTM), "finite"),
        ((Mask(1e39), LSTM), "finite"),
        ((LSTM, Take("last"), Lstm("second", 8, 4)), r"layer 3 \(lstm\): expected a sequence before it"),
        ((LSTM, Take("last"), Take("last")), "expected a sequence before it"),
        ((LSTM, Take("last"), Reverse()), "expected a sequence before it"),
        ((LSTM, Repeat(3)), "expected one vector before it"),
        ((LSTM, Embedding("words", 10, 3)), "an embedding must be the first layer"),
        ((LSTM, HEAD, Take("final")), "expected an LSTM directly before it, whose final state it takes"),
        ((Take("final"), Repeat(2), LSTM), "expected an LSTM directly before it, whose final state it takes"),
        ((Segment(0, False), LSTM), "segment: expected at least 1 step, got 0"),
        ((Segment(2, False), LSTM), r"layer 2 \(lstm\): expected 3 inputs, the layer before gives 2"),
        ((LSTM, Take("last"), Segment(2, False)), "expected a sequence before it"),
        ((Segment(3, True), LSTM, Take("last")), "expected a join after it, to bring together the channels"),
        ((Segment(3, True), LSTM, Join(2)), "expected one vector before it"),
        ((LSTM, Take("last"), Join(8)), "expected a shared segment before it"),
        ((Segment(1, False), LSTM, Take("last"), Join(3)), "expected a shared segment before it"),
        ((LSTM, Segment(2, True), *SHARED, Join(7)), "expected 8 channels, as many as before the segment, got 7"),
        ((Segment(2, True), Segment(3, True), LSTM, Take("last"), Join(2)), "the channels are already separated"),
        ((*APART, Join(2, 0)), "at least 1 channel and 1 value, got 2 and 0"),
        ((*APART, Join(2, 3)), "expected 3 values at each step before it, got 8 in total"),
        ((LSTM, Take("last"), Repeat(3), Segment(2, False), Lstm("b", 16, 2)), "a multiple of 2 steps .* got 3"),
        ((Mask(0.0), Segment(1, False), LSTM), "a segment may contain skipped steps; fill the gaps"),
        ((LSTM, LayerNorm("norm", 7)), r"\(layer_norm\): expected 7 inputs, the layer before gives 8"),
        ((LSTM, LayerNorm("head", 8), HEAD), "'head.weight' belongs to two layers"),
        ((Calendar(()), LSTM), "some of hour, weekday, yearday, each once"),
        ((Calendar(("hour", "hour")), LSTM), "each once"),
        ((Calendar(("minute",)), LSTM), r"some of hour, weekday, yearday, each once, got \('minute',\)"),
        ((Calendar(("hour", "weekday")), LSTM), "at least 1 input besides the calendar features, got -1"),
        ((Linear("in", 1, 1), Calendar(("hour",)), LSTM), "expected it first, or directly after a leading standardize"),
        ((Calendar(("hour",)), Calendar(("hour",)), LSTM), "expected it first"),
        ((Embedding("words", 10, 1), Calendar(("hour",)), LSTM), "tokens have no times"),
        ((LSTM, Mask(0.0)), "an LSTM after it that skips the steps"),
        ((LSTM, Mask(0.0), Take("last")), "an LSTM after it that skips the steps"),
        ((Mask(0.0), Mask(1.0), LSTM), "expected one in a network, got 2"),
        ((LSTM, Linear("head", 7, 2)), r"layer 2 \(linear\): expected 7 inputs, the layer before gives 8"),
        ((Linear("in", 3, 2), LSTM), r"layer 2 \(lstm\): expected 3 inputs, the layer before gives 2"),
        ((LSTM, Linear("head", 8, 0)), "sizes of at least 1"),
        ((LSTM, Linear("lstm", 8, 2), Linear("lstm", 2, 2)), "'lstm.weight' belongs to two layers"),
        ((LSTM, replace(LSTM, input_size=8)), "belongs to two layers"),
        ((LSTM, Rescale("offset", "offset")), "'offset' belongs to two layers"),
    ],
)
def test_layers_that_do_not_fit_are_refused_in_one_line(layers, match):
    refuse(*layers, match=match)


IN, PAST = Standardize("offset", "factor"), Highway("past", 4, 3, 2)


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ((LSTM, Take("last"), HEAD, PAST), "expected a standardize as the first layer, whose output it reads"),
        ((replace(PAST, alone=True),), "expected a standardize as the first layer"),
        ((IN, LSTM, Take("last"), PAST, HEAD), "the softmax of classes or nothing after it, got linear"),
        ((IN, LSTM, Take("last"), HEAD, PAST, Activation("sigmoid")), "or nothing after it, got activation"),
        ((IN, LSTM, Take("last"), HEAD, PAST, replace(PAST, name="b")), "one in a network, got 2"),
        ((IN, LSTM, Take("last"), HEAD, replace(PAST, steps=0)), "expected at least 1 step, got 0"),
        ((IN, Mask(0.0), LSTM, Take("last"), HEAD, PAST), "in their order; expected no mask"),
        ((IN, Reverse(), LSTM, Take("last"), HEAD, PAST), "expected no reverse"),
        ((IN, LSTM, Take("last"), Repeat(3), Lstm("b", 8, 2), PAST), "expected no repeat"),
        ((IN, LSTM, HEAD, PAST), "expected 1 step and no segment, got 4"),
        ((IN, Segment(2, False), Lstm("b", 6, 2), replace(PAST, steps=1)), "expected 1 step and no segment"),
        (
            (IN, LSTM, Take("last"), HEAD, replace(PAST, in_features=2)),
            r"expected as many inputs as measured channels \(3\), got 2",
        ),
        ((IN, Segment(3, True), LSTM, Take("last"), HEAD, PAST, Join(3)), "1 input, each channel by itself, got 3"),
        (
            (
                IN,
                Calendar(("hour",)),
                Segment(3, True),
                LSTM,
                Take("last"),
                HEAD,
                replace(PAST, in_features=1),
                Join(5),
            ),
            "reads those of x: expected a join of 3",
        ),
        ((IN, Segment(3, True), LSTM, Take("last"), HEAD, Join(3), PAST), "expected no join before it"),
        (
            (IN, LSTM, Take("last"), HEAD, replace(PAST, out_features=3)),
            "expected 3 inputs, the layer before gives 2",
        ),
        (
            (IN, LSTM, Take("last"), replace(PAST, alone=True)),
            "alone, expected nothing between the standardize and it.* got lstm, take",
        ),
        ((IN, Take("mean"), replace(PAST, alone=True)), "alone, expected nothing between the standardize and it"),
        (
            (IN, Segment(2, True), Take("last"), replace(PAST, alone=True, in_features=1), Join(3)),
            "shared segment of 1",
        ),
    ],
)
def test_a_highway_that_leads_nowhere_is_refused_in_one_line(layers, match):
    refuse(*layers, match=match)


def test_a_highway_owns_a_matrix_over_the_window_and_needs_no_lstm_alone():
    network = Network((IN, Take("last"), replace(PAST, alone=True), Rescale("scale", "shift")))
    check_network(network, weights_of(network))
    assert dict(network.tensors())["past.weight"] == (2, 12)
    assert (network.input_size, network.output_size, network.lstms) == (3, 2, ())
    shared = (IN, Segment(1, True), Take("last"), Highway("past", 4, 1, 2, True), Join(5, 2))
    assert (Network(shared).input_size, Network(shared).output_size) == (5, 10)


@pytest.mark.parametrize(
    ("layers", "relative", "match"),
    [
        ((LSTM,), (3,), "expected channels from 0 to 2"),
        ((LSTM,), (-1,), "expected channels from 0 to 2"),
        ((Embedding("words", 10, 3), LSTM), (0,), "tokens cannot be relative to a last value"),
        ((Mask(0.0), LSTM), (0,), "relative scaling hides which steps to skip"),
    ],
)
def test_what_is_relative_to_no_value_is_refused(layers, relative, match):
    refuse(*layers, relative=relative, match=match)


@pytest.mark.parametrize(
    ("name", "tensor", "match"),
    [
        ("head.bias", None, "the weights lack 'head.bias'"),
        ("tail.bias", np.ones(2, np.float32), "hold 'tail.bias', which no layer"),
        ("head.weight", np.ones((8, 2), np.float32), r"head.weight: expected shape \[2, 8\], got \[8, 2\]"),
        ("head.weight", np.ones((2, 8)), "expected float32, got float64"),
        ("head.weight", np.ones((2, 8), np.int8), "expected float32, got int8"),
        ("lstm.weight_hh_l0", np.full((32, 8), np.nan, np.float32), "lstm.weight_hh_l0: holds NaN or infinity"),
        ("factor", np.full(3, np.inf, np.float32), "factor: holds NaN or infinity"),
        ("offset", np.ones(2, np.float32), r"offset: expected shape \[3\] or \[1\], got \[2\]"),
        ("offset", np.ones((1, 3), np.float32), r"offset: expected shape \[3\] or \[1\]"),
        ("scale", np.ones(1, np.float32), r"one number per output, 2 or a divisor of it, got \[1\] and \[2\]"),
        ("shift", np.ones((), np.float32), "one number per output"),
    ],
)
def test_weights_that_are_not_the_networks_are_refused(name, tensor, match):
    network = Network(SCALED)
    weights = weights_of(network)
    weights.pop(name, None)
    if tensor is not None:
        weights[name] = tensor
    with pytest.raises(NetworkError, match=match):
        check_network(network, weights)


@pytest.mark.parametrize("count", [0, 3, 4])
def test_rescaling_runs_over_whole_horizon_steps(count):
    network = Network(SCALED)
    constants = np.ones(count, np.float32)
    with pytest.raises(NetworkError, match="a divisor"):
        check_network(network, weights_of(network, scale=constants, shift=constants))


KINDS = get_args(Layer)
POINTWISE = (
    Linear("a", 3, 3),
    Standardize("offset", "factor"),
    Rescale("scale", "shift"),
    LayerNorm("norm", 3),
    Activation("relu"),
)


def test_every_kind_has_a_name_of_its_own_a_formula_and_nodes():
    assert len({kind.kind for kind in KINDS}) == len(KINDS)
    assert all(kind.compute is not Kind.compute for kind in KINDS)
    assert set(NODES) == set(KINDS)


def computed(*layers):
    """On eight steps of three channels, of which the first and the last are zeros."""
    rng = np.random.default_rng(0)
    network = Network(layers)
    weights = {name: rng.normal(size=shape or 3).astype(np.float32) for name, shape in network.tensors()}
    x = rng.normal(size=(4, 8, 3)).astype(np.float32)
    x[:, [0, -1]] = 0
    return compute(network, weights, x)


@pytest.mark.parametrize("mover", [Take("last"), Take("mean"), Reverse()], ids=str)
@pytest.mark.parametrize("layer", [*POINTWISE, Mask(0.0)], ids=str)
def test_a_layer_moves_in_front_of_another_exactly_where_nothing_changes(mover, layer):
    end = (Take("last"),) if isinstance(mover, Reverse) else ()
    behind = computed(layer, mover, *end)
    if mover.moves_before(layer, masked=False):
        np.testing.assert_allclose(computed(mover, layer, *end), behind, rtol=1e-12, atol=1e-14)
    elif layer.kind != "mask":
        assert np.abs(computed(mover, layer, *end) - behind).max() > 1e-3


def test_a_mean_moves_in_front_of_nothing_where_it_may_be_one_of_no_steps():
    assert not any(Take("mean").moves_before(layer, masked=True) for layer in POINTWISE)
    assert all(Take("last").moves_before(layer, masked=True) for layer in POINTWISE)


def test_what_comes_out_follows_from_layer_to_layer():
    apart = (Segment(4, False), Segment(2, True), Lstm("lstm", 2, 8))
    joined = Network((*apart, Take("last"), Linear("head", 8, 6), Join(12, 2)))
    assert joined.answer == Shape(24, SEQUENCE, steps=3, cut=8)
    assert apart[1].behind(Shape(12, SEQUENCE, cut=4)) == Shape(2, SEQUENCE, cut=8, apart=12)
    assert Network((LSTM, Take("last"))).answer == Shape(8, VECTOR)
    assert Network((LSTM, Take("last"), Repeat(6), Segment(2, False))).answer == Shape(16, SEQUENCE, steps=3)


def test_a_network_at_every_step_is_the_same_without_what_takes_one():
    network = Network(SCALED, (0, 2), instance=True)
    assert network.at_every_step == Network((*SCALED[:2], *SCALED[3:]), (0, 2), instance=True)
    assert network.of(Take) == (Take("last"),)
    assert network.at_every_step.of(Take) == ()


def test_what_cannot_carry_a_state_says_why():
    both = replace(LSTM, bidirectional=True)
    able = (LSTM, Take("last"), Take("final"), *POINTWISE, Calendar(("hour",)), Embedding("words", 5, 3), PAST)
    unable = (both, Take("mean"), Repeat(2), Reverse(), Mask(0.0), Segment(2, False))
    assert not any(layer.no_state for layer in able)
    assert all(layer.no_state for layer in unable)
    assert [layer.kind for layer in (*able, *unable) if layer.no_lengths] == ["mask", "segment"]


def test_layers_are_told_in_a_few_words():
    layers = (
        replace(LSTM, bidirectional=True),
        HEAD,
        Activation("relu"),
        Take("final"),
        Take("mean"),
        LayerNorm("n", 2),
    )
    assert [layer.words for layer in layers] == [
        "LSTM 3 -> 16, both directions",
        "linear 8 -> 2",
        "relu",
        "last step of each direction",
        "mean over the steps",
        "layer norm",
    ]


def test_a_kind_must_say_what_it_computes():
    class Mute(Kind):
        kind = "mute"

    with pytest.raises(TypeError, match="abstract"):
        Mute()
