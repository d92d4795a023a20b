"""Every function of a network, inside an LSTM and between layers, against its formula in float64."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.export.functions import LSTM_OPERATORS
from edgelstm.export.graph import build_graph
from edgelstm.network import FUNCTIONS, LSTM_FUNCTIONS, Activation, Lstm, Network, Take
from tests import oracles
from tests.export.drawn import load_graph, make_contract, make_weights

TORCH = ("sigmoid", "tanh", "tanh")


def outcome(network, x, weights):
    contract = make_contract(network, inputs=x.shape[-1], outputs=network.output_size, window=x.shape[1])
    y = load_graph(build_graph(network, weights, contract), contract).run_batch(x)
    return y, oracles.evaluate(network, weights, x, contract)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("function", LSTM_FUNCTIONS)
def test_any_function_of_gates_candidate_or_output_is_computed_as_float64_computes_it(function, place, bidirectional):
    """Four steps: an unbounded gate lets a state grow without end, and with it what float32 rounds away."""
    functions = tuple(function if i == place else name for i, name in enumerate(TORCH))
    network = Network((Lstm("lstm", 3, 6, bidirectional=bidirectional, functions=functions), Take("final")))
    x = np.random.default_rng(1).normal(size=(3, 4, 3)).astype(np.float32)
    y, oracle = outcome(network, x, make_weights(network, 2))
    np.testing.assert_allclose(y, oracle, rtol=0, atol=1e-6 * max(1, np.abs(oracle).max()))


@pytest.mark.parametrize("functions", [("hard_sigmoid", "elu", "linear"), ("elu", "linear", "hard_sigmoid_keras2")])
def test_alpha_and_beta_reach_the_functions_that_take_them(functions):
    """The node has one list of alphas for all functions of both directions; a function without one takes none."""
    assert len({LSTM_OPERATORS[name][1:] for name in functions}) == 3
    network = Network((Lstm("lstm", 3, 6, bidirectional=True, functions=functions), Take("final")))
    x = np.random.default_rng(1).normal(size=(3, 4, 3)).astype(np.float32)
    y, oracle = outcome(network, x, make_weights(network, 2))
    np.testing.assert_allclose(y, oracle, rtol=0, atol=1e-6 * max(1, np.abs(oracle).max()))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_any_function_between_layers_is_computed_as_float64_computes_it(function):
    """The LSTM in front is linear and hands x on, so that the function sees -9 to 9."""
    lstm = Lstm("lstm", 37, 37, functions=("linear", "linear", "linear"))
    network = Network((lstm, Take("last"), Activation(function)))
    gates = np.zeros((4, 37, 37), np.float32)
    gates[2] = np.eye(37)  # i f g o: the candidate is x
    ones = np.repeat(np.array([1, 0, 0, 1], np.float32), 37)  # input and output gate are open
    weights = {"lstm.weight_ih_l0": gates.reshape(-1, 37), "lstm.weight_hh_l0": np.zeros((148, 37), np.float32)}
    weights |= {"lstm.bias_ih_l0": ones, "lstm.bias_hh_l0": np.zeros(148, np.float32)}
    x = np.linspace(-9, 9, 74, dtype=np.float32).reshape(2, 1, 37)
    y, oracle = outcome(network, x, weights)
    np.testing.assert_allclose(oracle[:, 0], oracles.FUNCTIONS[function](x[:, 0].astype(float)), rtol=1e-12)
    np.testing.assert_allclose(y, oracle, rtol=0, atol=1e-6 * max(1, np.abs(oracle).max()))


def test_the_list_of_functions_is_the_same_everywhere():
    assert LSTM_OPERATORS.keys() == set(LSTM_FUNCTIONS)
    assert set(FUNCTIONS) | set(LSTM_FUNCTIONS) <= oracles.FUNCTIONS.keys()
