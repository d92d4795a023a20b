"""The simulated network computes what the int8 file computes, and its gradient is as if nothing had been rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgelstm.contract import Quantization
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.runtime import Golden, ModelFile, Predictor
from edgelstm.train.quantized import QuantizedNetwork, whole_activations
from edgelstm.train.recipe import QuantizationRecipe
from tests import oracles
from tests.export.test_parity import inputs, make_contract, make_network, weights_of

STEPS = 24
FORMS = [
    Quantization(),
    Quantization(per_channel=False),
    Quantization(clip="mse"),
    Quantization(clip="percentile", head="fp32"),
]


def simulated(network, precision="int8", form=FORMS[0]):
    return QuantizedNetwork(network, QuantizationRecipe(precision=precision, **form._asdict())).eval()


def file_of(network, precision, form):
    contract = make_contract(network, STEPS)
    graph = convert_graph(build_graph(network.describe(), weights_of(network), contract), precision, form)
    nothing = Golden(*[np.zeros((1, 1, 1), np.float32)] * 3, {})
    contract = replace(contract, precision=precision, quantization=form)
    return Predictor(ModelFile(graph.SerializeToString(), contract, nothing, ""))


def assert_same_but_for_roundings(found, expected):
    """Nearly all within 1e-5 standard deviations; where a sum lies on the edge of a rounding, it may fall both ways."""
    errors = np.abs(found - expected) / expected.std()
    assert np.quantile(errors, 0.9) < 1e-5
    assert errors.max() < 5e-3


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("precision", ["int8", "int8w"])
@pytest.mark.parametrize(("layers", "scaling"), [(1, "standard"), (2, "relative")])
def test_the_simulation_answers_as_the_file_does(layers, scaling, precision, form):
    network = make_network(layers, 16, scaling=scaling)
    x = inputs(16, STEPS)
    with torch.inference_mode():
        found = simulated(network, precision, form)(torch.from_numpy(x)).numpy()
        trained = network(torch.from_numpy(x)).numpy()
    expected = file_of(network, precision, form).predict(x)
    assert_same_but_for_roundings(found, expected)
    assert np.abs(found - trained).max() / trained.std() > 3e-4  # what there is to simulate


@pytest.mark.parametrize("precision", ["int8", "int8w"])
def test_of_a_carried_network_the_simulation_answers_as_a_stream_does(precision):
    network = make_network(2, 16, state="carried")
    x = inputs(4, STEPS)
    with torch.inference_mode():
        found = simulated(network, precision)(torch.from_numpy(x)).numpy()
    file = file_of(network, precision, FORMS[0])
    for row, answers in zip(x, found, strict=True):
        stream = file.stream()
        assert_same_but_for_roundings(answers, np.stack([stream.step(sample) for sample in row]))


def test_the_simulation_answers_as_the_numpy_oracle_does():
    network = make_network(1, 16)
    x = inputs(8, STEPS)
    with torch.inference_mode():
        found = simulated(network)(torch.from_numpy(x)).numpy()
    rows = [oracles.quantized_forecast(weights_of(network), network.shape, row[np.newaxis])[0] for row in x]
    assert_same_but_for_roundings(found, np.stack(rows))


def test_a_row_is_simulated_the_same_among_others():
    network = simulated(make_network(1, 16))
    x = torch.from_numpy(inputs(5, STEPS))
    x[3] *= 50
    with torch.inference_mode():
        together, alone = network(x), torch.cat([network(row[None]) for row in x])
    assert_same_but_for_roundings(together.numpy(), alone.numpy())


def test_activations_that_do_not_vary_stay_as_they_are():
    for value in (0.0, 3.0, -3.0):
        whole, scale = whole_activations(torch.full((2, 4), value), (1,))
        np.testing.assert_allclose((whole * scale).numpy(), value, rtol=1e-6)


def straight_through(value, rounded):
    return value + (rounded - value).detach()


def by_small_nodes(network, x):
    """One int8 layer as autograd sees it, one operation at a time; the oracle of the gradient that is written out."""
    hidden, (w_ih, w_hh, b_ih, b_hh) = network.shape.hidden_size, network.lstm.parameters()

    def weight(w):
        whole, scale = oracles.quantize_weight(w.detach().numpy())
        return straight_through(w, torch.from_numpy((whole * scale[:, None]).astype(np.float32)))

    def rounded(a, over):
        whole, scale = whole_activations(a.detach(), over)
        return straight_through(a, whole * scale)

    z = (x - network.input_offset) * network.input_factor
    projected = rounded(z, (1, 2)) @ weight(w_ih).T + b_ih + b_hh
    h = c = x.new_zeros(len(x), hidden)
    steps = []
    for t in range(x.shape[1]):
        i, f, g, o = (projected[:, t] + rounded(h, (1,)) @ weight(w_hh).T).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        steps.append(h)
    return torch.stack(steps, 1)


def test_the_gradient_is_that_of_small_nodes():
    network = simulated(make_network(1, 7))
    x = torch.from_numpy(inputs(6, 9))
    wanted = torch.from_numpy(np.random.default_rng(3).normal(size=(6, 9, 7)).astype(np.float32))
    parameters = list(network.lstm.parameters())
    z = (x - network.input_offset) * network.input_factor
    found = torch.autograd.grad((network.run_lstm(z) * wanted).sum(), parameters)
    expected = torch.autograd.grad((by_small_nodes(network, x) * wanted).sum(), parameters)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["int8", "int8w"])
@pytest.mark.parametrize("state", ["window", "carried"])
def test_every_weight_is_trained(precision, state):
    network = simulated(make_network(2, 8, state=state), precision)
    network.scaled(torch.from_numpy(inputs(4, STEPS))).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_the_network_that_is_simulated_stays_as_it_is():
    network = make_network(1, 8)
    copy = simulated(network)
    with torch.no_grad():
        copy.head.weight.zero_()
    assert network.head.weight.abs().sum() > 0
