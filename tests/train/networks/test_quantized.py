"""The simulated network computes what the int8 file computes, and its gradient is as if nothing had been rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgelstm.contract import Quantization
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.network import Lstm
from edgelstm.recipe.sections import QuantizationRecipe
from edgelstm.runtime import Golden, ModelFile, Predictor
from edgelstm.train.networks.flow import Flow
from edgelstm.train.networks.quantized import QuantizedNetwork, Rounding, kinds_of, whole_activations
from tests import oracles
from tests.train.shapes import (
    CARRIED,
    SHAPES,
    STEPS,
    ask,
    contract_of,
    make_carried,
    make_network,
    sizes_of,
    weights_of,
)

FORMS = [
    Quantization(),
    Quantization(per_channel=False),
    Quantization(clip="mse"),
    Quantization(clip="percentile", head="fp32"),
]
ROWS = 12


def simulated(network, precision="int8", form=FORMS[0]):
    asked = {key: value for key, value in form._asdict().items() if key != "highway"}  # that is for export to judge
    return QuantizedNetwork(network, QuantizationRecipe(precision=precision, **asked)).eval()


def file_of(network, precision, form, lengths=False):
    contract = contract_of(network, lengths)
    graph = convert_graph(build_graph(network.plan.network, weights_of(network), contract), precision, form)
    nothing = Golden(*[np.zeros((1, 1, 1), np.float32)] * 3, {})
    contract = replace(contract, precision=precision, quantization=form)
    return Predictor(ModelFile(graph.SerializeToString(), contract, nothing, ""))


def assert_same_but_for_roundings(found, expected):
    """Nearly all within 1e-5 standard deviations; where a sum lies on the edge of a rounding, it may fall both ways."""
    errors = np.abs(found.reshape(expected.shape) - expected) / expected.std()
    assert np.quantile(errors, 0.9) < 1e-5
    assert errors.max() < 5e-3


@pytest.mark.parametrize("precision", ["int8", "int8w"])
@pytest.mark.parametrize("name", SHAPES)
def test_the_simulation_answers_as_the_file_does(name, precision):
    network, lengths = make_network(**SHAPES[name]), "lengths" in name
    given = ask(network, ROWS, lengths)
    with torch.inference_mode():
        found = simulated(network, precision)(*given.tensors()).numpy()
        trained = network(*given.tensors()).numpy()
    assert_same_but_for_roundings(found, file_of(network, precision, FORMS[0], lengths).predict(*given))
    assert np.abs(found - trained).max() / trained.std() > 3e-4  # what there is to simulate


@pytest.mark.parametrize("precision", ["int8", "int8w"])
@pytest.mark.parametrize("form", FORMS[1:], ids=str)
@pytest.mark.parametrize("name", ["mean of two directions", "shared channels", "shared channels of one scale"])
def test_the_simulation_answers_as_a_file_of_any_form_does(name, form, precision):
    network = make_network(**SHAPES[name])
    given = ask(network, ROWS)
    with torch.inference_mode():
        found = simulated(network, precision, form)(*given.tensors()).numpy()
    assert_same_but_for_roundings(found, file_of(network, precision, form).predict(*given))


@pytest.mark.parametrize("precision", ["int8", "int8w"])
@pytest.mark.parametrize("name", CARRIED)
def test_of_a_carried_network_the_simulation_answers_as_a_stream_does(name, precision):
    network = make_carried(**CARRIED[name])
    given = ask(network, 4)
    with torch.inference_mode():
        found = simulated(network, precision)(*given.tensors()).numpy()
    file, expected = file_of(network, precision, FORMS[0]), []
    for b, row in enumerate(given.x):
        stream, times = file.stream(), [] if given.time_s is None else given.time_s[b]
        expected += [stream.step(sample, *times[t : t + 1]) for t, sample in enumerate(row)]
    assert_same_but_for_roundings(found.reshape(-1, *expected[0].shape), np.stack(expected))


@pytest.mark.parametrize("precision", ["int8", "int8w"])
def test_a_series_in_chunks_is_simulated_as_a_whole_one(precision):
    network = simulated(make_carried(**CARRIED["labels"]), precision)
    x, state, found = ask(network, 3).tensors()[0], None, []
    with torch.inference_mode():
        whole, _, end = network.run(x)
        for chunk in x.split([1, 9, STEPS - 10], 1):
            z, _, state = network.run(chunk, state=state)
            found.append(z)
    assert_same_but_for_roundings(torch.cat(found, 1).numpy(), whole.numpy())
    for one, other in zip(state, end, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2)


def test_the_simulation_answers_as_the_numpy_oracle_does():
    network = make_network(hidden_size=16)
    given = ask(network, 8)
    with torch.inference_mode():
        found = simulated(network)(*given.tensors()).numpy()
    rows = [oracles.quantized_forecast(weights_of(network), sizes_of(network), row[np.newaxis])[0] for row in given.x]
    assert_same_but_for_roundings(found, np.stack(rows))


@pytest.mark.parametrize("name", ["two directions", "shared channels", "classes of lengths in both directions"])
def test_a_row_is_simulated_the_same_among_others(name):
    network = simulated(make_network(**SHAPES[name]))
    x, lengths, _ = ask(network, 5, "lengths" in name).tensors()
    x[3] *= 50
    alone = [network(x[i : i + 1], None if lengths is None else lengths[i : i + 1]) for i in range(5)]
    assert_same_but_for_roundings(network(x, lengths).detach().numpy(), torch.cat(alone).detach().numpy())


def test_padding_changes_nothing():
    network = simulated(make_network(**SHAPES["classes of lengths in both directions"]))
    x, lengths, _ = ask(network, 1, lengths=True).tensors()
    end = int(lengths[0])
    with torch.inference_mode():
        cut, padded = network(x[:, :end], lengths), network(x, lengths)
        x[:, end:] = 1e4
        torch.testing.assert_close(cut, padded)
        torch.testing.assert_close(cut, network(x, lengths))


def test_a_loud_channel_is_heard_in_the_others_that_share_its_network():
    """The kernel ranges all rows of a call at once, and the channels of a window are such rows."""
    network = make_network(**SHAPES["shared channels"])
    x = ask(network, 4).tensors()[0]
    loud = x.clone()
    loud[..., 0] *= 100
    with torch.inference_mode():
        assert torch.equal(network(x)[..., 1:], network(loud)[..., 1:])
        quantized = simulated(network)
        moved = (quantized(x) - quantized(loud))[..., 1:].abs().max()
    assert moved > 0.01 * network(x).std()


def test_mixed_precision_changes_nothing():
    """Sums of whole numbers would not be whole in bfloat16."""
    network = simulated(make_network(**SHAPES["linear layers"]))
    x = ask(network, 4).tensors()[0]
    with torch.inference_mode():
        plain = network.run(x).z
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(network.run(x).z, plain)


def test_activations_that_do_not_vary_stay_as_they_are():
    for value in (0.0, 3.0, -3.0):
        whole, scale = whole_activations(torch.full((2, 4), value), (1,))
        np.testing.assert_allclose((whole * scale).numpy(), value, rtol=1e-6)


def straight_through(value, rounded):
    return value + (rounded - value).detach()


def by_small_nodes(lstm, x, suffix, h, c):
    """One int8 layer as autograd sees it, one operation at a time; the oracle of the gradient that is written out."""
    names = (f"{part}_l0{suffix}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    w_ih, w_hh, b_ih, b_hh = (getattr(lstm, name) for name in names)
    x = x.flip(1) if suffix else x

    def weight(w):
        whole, scale = oracles.quantize_weight(w.detach().numpy())
        return straight_through(w, torch.from_numpy((whole * scale[:, None]).astype(np.float32)))

    def rounded(a, over):
        whole, scale = whole_activations(a.detach(), over)
        return straight_through(a, whole * scale)

    projected = rounded(x, (1, 2)) @ weight(w_ih).T + b_ih + b_hh
    steps = []
    for t in range(x.shape[1]):
        i, f, g, o = (projected[:, t] + rounded(h, (1,)) @ weight(w_hh).T).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        steps.append(h)
    return torch.stack(steps[::-1] if suffix else steps, 1)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("begun", [False, True])
def test_the_gradient_is_that_of_small_nodes(bidirectional, begun):
    network = simulated(make_network(hidden_size=7, bidirectional=bidirectional, pooling="mean"))
    suffixes = ("", "_reverse")[: 1 + bidirectional]
    rng = np.random.default_rng(3)
    h, c = (torch.from_numpy(rng.normal(size=(len(suffixes), 6, 7)).astype(np.float32) * begun) for _ in "hc")
    x = torch.from_numpy(rng.normal(size=(6, 9, 3)).astype(np.float32)).requires_grad_()
    wanted = torch.from_numpy(rng.normal(size=(6, 9, 7 * len(suffixes))).astype(np.float32))
    parts = [by_small_nodes(network.lstm, x, suffix, h[d], c[d]) for d, suffix in enumerate(suffixes)]
    (lstm,) = network.plan.network.lstms
    flow = Flow(x, network.get_buffer, before=((h, c),) if begun else None)
    own = kinds_of(Rounding(QuantizationRecipe(), False, {}))[Lstm].run(lstm, network.lstm, flow)
    answers = own.value, torch.cat(parts, -1)
    found, expected = (
        torch.autograd.grad((answer * wanted).sum(), [x, *network.lstm.parameters()]) for answer in answers
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


ALL = [*((make_network, name) for name in SHAPES), *((make_carried, name) for name in CARRIED)]


@pytest.mark.parametrize("precision", ["int8", "int8w"])
@pytest.mark.parametrize(("make", "name"), ALL, ids=lambda value: getattr(value, "__name__", value))
def test_every_weight_is_trained_and_a_step_lowers_the_loss(make, name, precision):
    network = simulated(make(**(SHAPES if make is make_network else CARRIED)[name]), precision).train()
    given = ask(network, 4, "lengths" in name).tensors()
    truth = torch.randn(network.run(*given).z.shape, generator=torch.Generator().manual_seed(0))
    before = (network.run(*given).z - truth).square().mean()
    before.backward()
    frozen = {f"highway.{part}" for part in ("weight", "bias")} if network.plan.network.highway else set()
    assert {name for name, parameter in network.named_parameters() if parameter.grad is None} == frozen
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters() if parameter.requires_grad)
    torch.optim.SGD(network.parameters(), 0.01).step()
    assert (network.run(*given).z - truth).square().mean() < before


def test_the_network_that_is_simulated_stays_as_it_is():
    network = make_network()
    copy = simulated(network)
    with torch.no_grad():
        copy.head.weight.zero_()
    assert network.head.weight.abs().sum() > 0
