"""Each kind of layer in torch against the plain computation in float64, in any network that can be written down."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from edgelstm import reference
from edgelstm.errors import TrainingError
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.network import (
    FUNCTIONS,
    LSTM_FUNCTIONS,
    Activation,
    Embedding,
    Layer,
    Linear,
    Lstm,
    Mask,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Standardize,
    Take,
    reordered,
)
from edgelstm.recipe.sections import QuantizationRecipe
from edgelstm.train.networks.functions import FUNCTIONS as IN_TORCH_FUNCTIONS
from edgelstm.train.networks.kinds import IN_TORCH
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.networks.plan import Plan
from edgelstm.train.networks.quantized import QuantizedNetwork
from tests.export.drawn import MASKED, cases, load_graph, make_contract, make_weights

torch.set_num_threads(1)


def in_torch(network, weights, **plan):
    """The network in torch with these weights, in float64."""
    plan = {"horizon": 1, "outputs": network.output_size, **plan}
    made = LstmNetwork(Plan(network, **plan), weights)
    made.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in weights.items()})
    return made.double().eval()


def answers_of_both(network, weights, x, lengths=None, time_s=None, **plan):
    """What torch answers and what is expected, flat."""
    x = x if x.dtype.kind == "i" else x.astype(np.float64)
    expected = reference.compute(network, weights, x, lengths, time_s)
    known = np.where(np.isnan(x), 0, x) if x.dtype.kind == "f" else x
    given = [None if part is None else torch.from_numpy(np.asarray(part)) for part in (known, lengths, time_s)]
    with torch.no_grad():
        found = in_torch(network, weights, **plan)(*given).numpy()
    return found.reshape(expected.shape), expected


def assert_same(found, expected, lengths=None):
    if lengths is not None and expected.ndim == 3:  # what lies behind a length means nothing
        behind = np.arange(expected.shape[1]) >= lengths[:, np.newaxis]
        found[behind] = expected[behind] = 0
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(expected).max()))


def test_every_kind_has_its_place_in_the_table():
    assert set(IN_TORCH) == set(Layer.__args__)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases())
def test_any_network_answers_as_the_plain_computation_does(case):
    network, contract = case.network, case.contract
    if contract.states:
        network = Network(tuple(reordered(network, True)), network.relative_inputs, network.instance)
    plan = {
        "horizon": contract.horizon,
        "outputs": len(contract.outputs),
        "every_step": contract.every_step,
        "classes": network.layers[-1] == Activation("softmax") and not network.relative_inputs,
    }
    found, expected = answers_of_both(network, case.weights, case.x, case.lengths, case.time_s, **plan)
    assert_same(found, expected, case.lengths)


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *LSTM_FUNCTIONS}))
def test_a_function_is_that_of_the_plain_computation(name):
    x = np.concatenate([np.linspace(-60, 60, 241), [-3.0, 0.0, 3.0, 2.5]]).reshape(5, 49)
    found = IN_TORCH_FUNCTIONS[name](torch.from_numpy(x)).numpy()
    layers = (Linear("in", 49, 49, bias=False), Activation(name))
    weights = {"in.weight": np.eye(49)}
    expected = reference.compute(Network((*layers, Take("last"))), weights, x[:, np.newaxis]) if name != "linear" else x
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


LSTM = Lstm("lstm", 2, 5, 2, True, 3, False)
SKIPPED = (Mask(MASKED), Lstm("first", 2, 4, 2), Lstm("lstm", 4, 5, bidirectional=True))
OTHER = ("hard_sigmoid_keras2", "softsign", "elu")
NETWORKS = {
    "projections without biases": (LSTM, Take("final"), Linear("head", 6, 2)),
    "other functions": (Lstm("lstm", 2, 5, 2, True, 0, True, OTHER), Take("final"), Linear("head", 10, 2)),
    "other functions and a projection": (Lstm("lstm", 2, 5, 2, True, 3, True, OTHER), Take("mean")),
    "skipped steps": (*SKIPPED, Take("final")),
    "skipped steps and the last": (*SKIPPED, Take("last"), Linear("head", 10, 1)),
    "skipped steps and the mean": (*SKIPPED, Take("mean")),
    "skipped steps at every step": SKIPPED,
    "skipped steps at every step one way": (Mask(MASKED), Lstm("lstm", 2, 4, 2), Linear("head", 4, 3)),
    "skipped steps in reverse order": (Mask(MASKED), Reverse(), Lstm("lstm", 2, 4, functions=OTHER), Take("last")),
    "an encoder and a decoder": (LSTM, Take("final"), Repeat(3), Lstm("decoder", 6, 4), Linear("head", 4, 2)),
    "tokens": (Embedding("words", 7, 3), Lstm("lstm", 3, 4), Reverse(), Lstm("second", 4, 3), Take("last")),
    "scaling of every number": (Standardize("a", "b"), LSTM, Take("final"), Rescale("c", "d")),
    "names with dots": (Linear("encoder.in", 2, 2), Lstm("encoder.lstm", 2, 4), Take("last"), Linear("head.0", 4, 1)),
}


def windows(network, seed=0):
    rng = np.random.default_rng(seed)
    if network.tokens:
        return rng.integers(0, 7, (6, 9))
    x = rng.normal(size=(6, 9, 2))
    if isinstance(network.layers[0], Mask):
        x[rng.random((6, 9)) < 0.5] = MASKED
        x[0], x[1, 4:], x[2, :4] = MASKED, MASKED, MASKED  # all of a row, its end, its beginning
    return x


def sizes(network):
    every_step = not any(isinstance(layer, (Take, Repeat)) for layer in network.layers)
    horizon = next((layer.steps for layer in network.layers if isinstance(layer, Repeat)), 1)
    return {"every_step": every_step, "horizon": horizon}


def drawn_weights(network):
    return make_weights(network, 3, 2, 2, spread=1, factors=(0.5, 1.5))


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_that_no_recipe_makes_answer_as_the_plain_computation_does(name):
    network = Network(NETWORKS[name])
    found, expected = answers_of_both(network, drawn_weights(network), windows(network), **sizes(network))
    assert_same(found, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_tensors_keep_their_names_and_all_of_them_learn(name):
    network = Network(NETWORKS[name])
    weights = drawn_weights(network)
    made = in_torch(network, weights, **sizes(network)).train()
    assert {key: tuple(tensor.shape) for key, tensor in made.state_dict().items()} == {
        key: tensor.shape for key, tensor in weights.items()
    }
    made.run(torch.from_numpy(windows(network))).z.square().sum().backward()
    silent = {key for key, parameter in made.named_parameters() if parameter.grad.abs().sum() == 0}
    # At the last step, the backward direction has had none before it.
    assert silent == ({"lstm.weight_hh_l0_reverse"} if name == "skipped steps and the last" else set())


@pytest.mark.parametrize("name", ["tokens", "an encoder and a decoder", "names with dots"])
def test_a_copy_answers_with_its_own_weights(name):
    """The weights that are averaged are those of a copy."""
    network = Network(NETWORKS[name])
    made = in_torch(network, drawn_weights(network), **sizes(network))
    other, x = copy.deepcopy(made), torch.from_numpy(windows(network))
    with torch.no_grad():
        before = made(x)
        for parameter in other.parameters():
            parameter.zero_()
        assert torch.equal(made(x), before)
        assert not torch.equal(other(x), before)


ENCODER = (Lstm("lstm", 2, 5, 2), Take("last"), Repeat(3), Lstm("decoder", 5, 4), Linear("head", 4, 2))
ROUNDED = {  # what answers at every step is simulated as a stream
    name: layers
    for name, layers in NETWORKS.items()
    if "at every step" not in name and not any(lstm.proj_size for lstm in Network(layers).lstms)
}


@pytest.mark.parametrize("precision", ["int8", "int8w"])
@pytest.mark.parametrize("name", [*ROUNDED, "an encoder and a decoder"])
def test_layers_that_no_recipe_makes_are_simulated_as_their_file_answers(name, precision):
    network = Network({**ROUNDED, "an encoder and a decoder": ENCODER}[name])
    network = Network(tuple(reordered(network, False)))
    weights, told = drawn_weights(network), sizes(network)
    tokens = 7 if network.tokens else None
    asked = {"outputs": network.output_size, "inputs": network.input_size, "tokens": tokens, "window": 9}
    contract = make_contract(network, "forecast", horizon=told["horizon"], **asked)
    graph = convert_graph(build_graph(network, weights, contract), precision)
    x = windows(network).astype(np.int64 if tokens else np.float32)
    expected = np.concatenate([load_graph(graph, contract).predict(row[np.newaxis]) for row in x])
    simulated = QuantizedNetwork(in_torch(network, weights, **told).float(), QuantizationRecipe(precision=precision))
    with torch.inference_mode():
        found = simulated.eval()(torch.from_numpy(x)).numpy().reshape(expected.shape)
    errors = np.abs(found - expected) / expected.std()
    assert np.quantile(errors, 0.9) < 1e-5
    assert errors.max() < 5e-3  # where a sum lies on the edge of a rounding


@pytest.mark.parametrize("name", ["run", "forward", "plan", "train.lstm"])
def test_a_name_that_torch_cannot_hold_is_refused(name):
    network = Network((Lstm(name, 2, 4), Take("last")))
    with pytest.raises(
        TrainingError, match=f"{name.split('.')[0]}: torch does not accept this tensor name; rename the tensor"
    ):
        in_torch(network, drawn_weights(network))


def test_dropout_stands_in_front_of_what_is_behind_the_first_lstm():
    layers = (Linear("in", 2, 3), Lstm("lstm", 3, 4), Lstm("second", 4, 4), Take("last"), Linear("head", 4, 1))
    network = Network(layers)
    made, seen = in_torch(network, drawn_weights(network), dropout=0.5).train(), {}
    for layer in ("in", "lstm", "second", "head"):
        made.get_submodule(layer).register_forward_pre_hook(
            lambda _, given, layer=layer: seen.update({layer: given[0]})
        )
    made.run(torch.from_numpy(windows(network)))
    assert {name: bool((value == 0).any()) for name, value in seen.items()} == {
        "in": False,
        "lstm": False,
        "second": True,
        "head": True,
    }
