"""The network in torch against a plain float64 computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.scaling import Scaling
from edgelstm.train.network import ForecastNetwork, NetworkShape
from tests import oracles


def make(shape, every_step=False, dropout=0.0, seed=0):
    """A network with random weights and random scaling."""
    rng = np.random.default_rng(seed)
    F, O = shape.input_size, shape.output_size  # noqa: E741 (O is a shape letter)
    constants = [rng.normal(size=n).astype(np.float32) for n in (F, F, O, O)]
    in_offset, in_factor, out_scale, out_offset = constants
    relative = bool(shape.relative_inputs)
    scaling = Scaling(
        "relative" if relative else "standard",
        in_offset * (not relative),
        np.abs(in_factor) + np.float32(0.1),
        np.abs(out_scale) + np.float32(0.1),
        out_offset * (not relative),
        shape.relative_inputs,
    )
    torch.manual_seed(seed)
    network = ForecastNetwork(shape, scaling, dropout, every_step)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.4)
    return network.eval()


def weights_of(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def samples(B, T, F, seed=1):
    return np.random.default_rng(seed).normal(size=(B, T, F)) * 3


@settings(max_examples=60, deadline=None)
@given(
    layers=st.integers(1, 2),
    sizes=st.tuples(*[st.integers(1, 4)] * 4),
    batch=st.integers(1, 3),
    steps=st.integers(1, 6),
    kind=st.sampled_from(["affine", "relative", "every step"]),
    seed=st.integers(0, 1000),
)
def test_forward_equals_the_plain_computation_in_float64(layers, sizes, batch, steps, kind, seed):
    F, H, K, O = sizes  # noqa: E741 (O is a shape letter)
    relative = tuple((seed + o) % F for o in range(O)) if kind == "relative" else ()
    shape = NetworkShape(F, H, layers, K, O, relative)
    network = make(shape, kind == "every step", seed=seed).double()
    x = samples(batch, steps, F, seed)
    with torch.no_grad():
        found = network(torch.from_numpy(x)).numpy()
    expected = oracles.forecast(weights_of(network), shape, x, kind == "every step")
    assert found.shape == ((batch, steps, K, O) if kind == "every step" else (batch, K, O))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("every_step", [False, True])
def test_forward_in_float32_is_as_close_as_float32_can_be(every_step):
    shape = NetworkShape(3, 32, 2, 4, 2, ())
    network, x = make(shape, every_step), samples(5, 50, 3).astype(np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(x)).numpy()
    assert found.dtype == np.float32
    expected = oracles.forecast(weights_of(network), shape, x, every_step)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("relative", [(), (1, 0)])
def test_scaled_targets_are_where_the_scaled_answer_is(relative):
    network = make(NetworkShape(2, 5, 1, 3, 2, relative)).double()
    x = torch.from_numpy(samples(4, 6, 2))
    with torch.no_grad():
        np.testing.assert_allclose(network.scale_targets(x, network(x)), network.scaled(x), atol=1e-12)


def test_relative_answers_follow_the_level_of_the_window():
    network = make(NetworkShape(1, 5, 1, 3, 1, (0,))).double()
    x = torch.from_numpy(samples(2, 6, 1))
    with torch.no_grad():
        np.testing.assert_allclose(network(x + 100), network(x) + 100, atol=1e-9)


def test_an_untrained_network_says_what_its_scaling_says():
    scaling = Scaling("relative", np.zeros(2, "f4"), np.ones(2, "f4"), np.ones(1, "f4"), np.zeros(1, "f4"), (1,))
    network = ForecastNetwork(NetworkShape(2, 8, 2, 3, 1, (1,)), scaling)
    x = torch.randn(4, 6, 2)
    with torch.no_grad():
        assert torch.equal(network(x), x[:, -1:, 1:].expand(4, 3, 1))


@pytest.mark.parametrize("layers", [1, 2])
def test_a_new_network_has_open_forget_gates_and_orthogonal_recurrence(layers):
    scaling = Scaling("none", *[np.ones(1, np.float32)] * 4, ())
    lstm = ForecastNetwork(NetworkShape(1, 6, layers, 1, 1, ()), scaling).lstm
    for n in range(layers):
        bias = (getattr(lstm, f"bias_ih_l{n}") + getattr(lstm, f"bias_hh_l{n}")).detach().numpy()
        np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 6))
        for gate in np.split(getattr(lstm, f"weight_hh_l{n}").detach().numpy(), 4):
            np.testing.assert_allclose(gate @ gate.T, np.eye(6), atol=1e-5)


def test_dropout_acts_in_training_alone():
    network = make(NetworkShape(1, 16, 2, 2, 1, ()), dropout=0.5)
    x = torch.randn(3, 5, 1)
    with torch.no_grad():
        assert torch.equal(network(x), network(x))
        network.train()
        assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("every_step", [False, True])
def test_an_answer_at_every_step_ends_with_the_answer_of_the_window(every_step):
    shape = NetworkShape(2, 5, 1, 3, 1, ())
    x = torch.from_numpy(samples(2, 7, 2)).float()
    network = make(shape, every_step=True)
    single = make(shape, every_step=False)
    with torch.no_grad():
        torch.testing.assert_close(network(x)[:, -1], single(x))
        torch.testing.assert_close(network(x[:, :4])[:, -1], single(x[:, :4]))
