"""The network in torch against a plain float64 computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm import reference
from edgelstm.export.graph import build_graph
from edgelstm.network import Linear, Lstm, Network, Take
from edgelstm.train.networks.network import Frame, LstmNetwork, disturbed
from edgelstm.train.networks.plan import Plan
from tests import oracles
from tests.export.drawn import load_graph
from tests.train.shapes import (
    CARRIED,
    SHAPES,
    Given,
    ask,
    contract_of,
    make_carried,
    make_network,
    network_of,
    planned,
    sizes_of,
    unscaled,
    weights_of,
)

WIDTHS = st.sampled_from([0, 2, 5])


def samples(B, T, F, seed=1):
    return np.random.default_rng(seed).normal(size=(B, T, F)) * 3


@st.composite
def shapes(draw):
    """What a recipe can ask for, and how many steps a window then has."""
    kind = draw(st.sampled_from(["window", "every step", "classes", "classes at every step"]))
    every, classes = kind.endswith("every step"), kind.startswith("classes")
    shared = not every and not classes and draw(st.booleans())
    inputs, levels = draw(st.integers(1, 3)), 1 if classes else draw(st.integers(1, 3))
    outputs = (inputs if shared else draw(st.integers(1, 2))) * levels + classes
    window = not every and not classes
    relative = window and draw(st.booleans())
    pairs = range(inputs) if shared else draw(st.permutations(range(inputs))) * 2
    segment = draw(st.integers(1, 3)) if window else 1
    steps = segment * draw(st.integers(2, 4))
    return {
        "input_size": inputs,
        "hidden_size": draw(st.integers(1, 4)),
        "num_layers": draw(st.integers(1, 3)),
        "horizon": 1 if classes else draw(st.integers(1, 3)),
        "output_size": outputs,
        "relative_inputs": tuple(pairs[i // levels] for i in range(outputs)) if relative else (),
        "instance": relative and draw(st.booleans()),
        "bidirectional": not every and draw(st.booleans()),
        "every_step": every,
        "pooling": "last" if every else draw(st.sampled_from(["last", "mean"])),
        "segment": segment,
        "shared": shared,
        "layer_norm": draw(st.booleans()),
        "embedding_size": draw(WIDTHS),
        "head_size": draw(WIDTHS),
        "calendar": () if shared else draw(st.sampled_from([(), ("hour",), ("weekday", "yearday")])),
        "levels": levels,
        "classes": classes,
        "highway": draw(st.booleans()) and (1 if every else steps),
    }, steps


def given_to(network, rows, steps, lengths, seed):
    """The first steps of what `ask` draws."""
    x, valid, times = ask(network, rows, lengths, seed)
    valid = None if valid is None else np.minimum(valid, steps)
    return Given(x[:, :steps].astype(np.float64), valid, None if times is None else times[:, :steps])


@settings(max_examples=150, deadline=None)
@given(drawn=shapes(), batch=st.integers(1, 3), seed=st.integers(0, 1000))
def test_forward_equals_the_plain_computation_in_float64(drawn, batch, seed):
    shape, steps = drawn
    network = make_network(**shape, seed=seed).double()
    lengths = shape["classes"] and not shape["every_step"] and not shape["highway"]
    asked = given_to(network, batch, steps, lengths, seed)
    with torch.no_grad():
        found = network(*asked.tensors()).numpy()
    expected = reference.compute(network.plan.network, weights_of(network), *asked)
    axes = (batch, steps) if network.plan.every_step else (batch,)
    assert found.shape == (*axes, network.plan.horizon, network.plan.outputs)
    near = 1e-6 if network.plan.network.times else 1e-10  # the features of a calendar are float32
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=near, atol=near)


@pytest.mark.parametrize("name", SHAPES)
def test_forward_in_float32_is_as_close_as_float32_can_be(name):
    network = make_network(**SHAPES[name])
    asked = ask(network, 5, "lengths" in name)
    with torch.no_grad():
        found = network(*asked.tensors()).numpy()
    assert found.dtype == np.float32
    expected = reference.compute(network.plan.network, weights_of(network), *asked)
    assert np.abs(found.reshape(expected.shape) - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("relative", [(), (1, 0)])
def test_an_oracle_that_knows_no_layers_agrees(layers, relative):
    """`reference` reads what the network says of itself; this one knows from its weights alone what it computes."""
    network = make_network(num_layers=layers, input_size=2, relative_inputs=relative)
    x = samples(4, 9, 2).astype(np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, oracles.forecast(weights_of(network), sizes_of(network), x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in SHAPES if "classes" not in SHAPES[name]])
def test_scaled_targets_are_where_the_scaled_answer_is(name):
    """A network that answers what is true has no loss, whatever its scaling."""
    network = make_network(**SHAPES[name]).double()
    x, valid, times = ask(network, 4).tensors()
    with torch.no_grad():
        z, frame, _ = network.run(x.double(), valid, times)
        levels = network.plan.levels
        truth = network(x.double(), valid, times)[..., ::levels]  # the first level of each target
        np.testing.assert_allclose(network.scale_targets(truth, frame), z[..., ::levels], atol=1e-12)


def test_a_plan_of_sizes_alone_answers_numbers_once_and_disturbs_nothing():
    layers = (Lstm("lstm", 2, 3, 2), Take("last"), Linear("head", 3, 2))
    scaled = LstmNetwork(Plan(Network(layers), horizon=1, outputs=2), {}).train()
    x = torch.from_numpy(samples(3, 5, 2)).float()
    z = scaled.run(x).z
    assert z.shape == (3, 1, 2)
    assert torch.equal(z, scaled(x))  # no classes
    assert torch.equal(z, scaled(x))  # no dropout, no noise
    y = torch.tensor([[[1.0, -2.0]]])
    assert scaled.scale_targets(y, Frame(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 2.0]))).tolist() == [[[0, -1]]]


@pytest.mark.parametrize("instance", [False, True])
def test_answers_that_start_from_the_window_follow_its_level(instance):
    network = make_network(input_size=1, output_size=1, relative_inputs=(0,), instance=instance).double()
    x = torch.from_numpy(samples(2, 6, 1))
    with torch.no_grad():
        np.testing.assert_allclose(network(x + 100), network(x) + 100, atol=1e-9)


def test_instance_scaling_follows_the_spread_of_the_window_too():
    network = make_network(input_size=1, output_size=1, relative_inputs=(0,), instance=True).double()
    x = torch.from_numpy(samples(2, 6, 1) * 100)
    with torch.no_grad():
        np.testing.assert_allclose(network(x * 7), network(x) * 7, rtol=1e-5)


@pytest.mark.parametrize("level", [0.0, 0.1, 316.1, -1e6])
def test_instance_scaling_of_a_window_that_stands_still_goes_on_with_its_level(level):
    network = make_network(input_size=2, output_size=1, relative_inputs=(0,), instance=True)
    x = ask(network, 1).tensors()[0]
    x[..., 0] = level
    contract = contract_of(network)
    file = load_graph(build_graph(network.plan.network, weights_of(network), contract), contract)
    with torch.no_grad():
        z, frame, _ = network.run(x)
        y = network(x).numpy()
    assert frame.base.item() == np.float32(level)
    assert frame.scale.item() == pytest.approx(1e-5**0.5 * network.output_scale.item(), rel=1e-5)
    np.testing.assert_allclose(y, level + z.numpy() * frame.scale.item(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(file.predict(x.numpy()), y, rtol=1e-6, atol=1e-6)


def untrained(*sizes, **options):
    return network_of(planned(*sizes, **options), unscaled(sizes[0], sizes[4]))


def test_an_untrained_network_says_what_its_scaling_says():
    x = torch.randn(4, 6, 2)
    with torch.no_grad():
        relative = untrained(2, 8, 2, 3, 1, (1,))
        assert torch.equal(relative(x), x[:, -1:, 1:].expand(4, 3, 1))
        instance = untrained(2, 8, 2, 3, 1, (1,), instance=True)
        torch.testing.assert_close(instance(x), x[..., 1:].mean(1, keepdim=True).expand(4, 3, 1))
        classes = untrained(2, 8, 2, 1, 4, classes=True)
        assert torch.equal(classes(x), torch.full((4, 1, 4), 0.25))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_a_new_network_has_open_forget_gates_and_orthogonal_recurrence(layers, layer_norm):
    network = untrained(1, 6, layers, 1, 1, layer_norm=layer_norm, bidirectional=True)
    seen = 0
    for name in (lstm.name for lstm in network.plan.network.lstms):
        for weight, recurrence in getattr(network, name).named_parameters():
            if not weight.startswith("weight_hh"):
                continue
            where = weight.removeprefix("weight_hh")
            bias = sum(getattr(getattr(network, name), f"bias_{part}{where}").detach() for part in ("ih", "hh"))
            np.testing.assert_array_equal(bias.numpy(), np.repeat([0, 1, 0, 0], 6))
            for gate in np.split(recurrence.detach().numpy(), 4):
                np.testing.assert_allclose(gate @ gate.T, np.eye(6), atol=1e-5)
            seen += 1
    assert seen == 2 * layers


def test_input_dropout_hides_whole_channels_of_a_row():
    network = make_network(input_dropout=0.5).train()
    torch.manual_seed(0)
    found = disturbed(network.plan, torch.ones(200, 6, 3))
    assert torch.equal(found, found[:, :1].expand_as(found))  # a channel is there at every step, or at none
    assert set(found.unique().tolist()) == {0.0, 2.0}
    assert 0.4 < float((found == 0).float().mean()) < 0.6


def test_a_drift_shifts_whole_channels_of_a_row_and_no_calendar():
    network = make_network(drift=(0.0, 2.0, 0.5), calendar=("hour",)).train()
    torch.manual_seed(0)
    found = disturbed(network.plan, torch.zeros(2000, 6, 5))
    assert torch.equal(found, found[:, :1].expand_as(found))  # the same at every step
    assert (found[..., [0, 3, 4]] == 0).all()
    np.testing.assert_allclose(found[:, 0, 1:3].std(0), [2.0, 0.5], rtol=0.1)


def test_uniform_initialization_begins_as_torch_does():
    torch.manual_seed(3)
    network = network_of(planned(1, 6, 2, 3, 1), unscaled(1, 1), orthogonal=False)
    torch.manual_seed(3)
    lstm, head = torch.nn.LSTM(1, 6, 2), torch.nn.Linear(6, 3)
    for name, tensor in [*lstm.named_parameters("lstm"), *head.named_parameters("head")]:
        assert torch.equal(network.get_parameter(name), tensor), name


@pytest.mark.parametrize("name", [name for name in SHAPES if "lengths" in name])
def test_what_lies_behind_a_length_changes_nothing(name):
    network = make_network(**SHAPES[name])
    x, lengths, _ = ask(network, 6, lengths=True).tensors()
    behind = torch.arange(x.shape[1]) >= lengths[:, None]
    with torch.no_grad():
        torch.testing.assert_close(network(x.masked_fill(behind[..., None], 7e3), lengths), network(x, lengths))
        for row, length in enumerate(lengths):
            alone = network(x[row : row + 1, :length], lengths[row : row + 1])
            torch.testing.assert_close(alone[0], network(x, lengths)[row])


@pytest.mark.parametrize("layer_norm", [False, True])
def test_an_answer_at_every_step_ends_with_the_answer_of_the_window(layer_norm):
    shape = {"num_layers": 2, "layer_norm": layer_norm}
    network, single = make_carried(**shape), make_network(**shape)
    x = ask(network, 2).tensors()[0]
    with torch.no_grad():
        torch.testing.assert_close(network(x)[:, -1], single(x))
        torch.testing.assert_close(network(x[:, :4])[:, -1], single(x[:, :4]))


@pytest.mark.parametrize("name", CARRIED)
def test_a_state_that_is_carried_over_a_cut_gives_the_answers_of_the_whole(name):
    network = make_carried(**CARRIED[name])
    x, _, times = ask(network, 3).tensors()
    whole, state, found = network.run(x, None, times), None, []
    for part in (slice(0, 1), slice(1, 9), slice(9, 24)):
        answer = network.run(x[:, part], None, None if times is None else times[:, part], state)
        found.append(answer.z)
        state = answer.state
    torch.testing.assert_close(torch.cat(found, 1), whole.z)
    for (h, c), (whole_h, whole_c) in zip(state, whole.state, strict=True):
        torch.testing.assert_close(h, whole_h)
        torch.testing.assert_close(c, whole_c)
        assert not h.requires_grad  # the gradient ends where a chunk begins


def test_a_calendar_needs_the_times():
    network = make_network(calendar=("hour",))
    with pytest.raises(ValueError, match="needs the time of each sample"):
        network(ask(network, 1).tensors()[0])
