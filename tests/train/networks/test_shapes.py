"""A network of any shape is the graph that it describes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgelstm.export.graph import build_graph
from tests.export.drawn import load_graph
from tests.train.shapes import CARRIED, SHAPES, ask, contract_of, make_carried, make_network, weights_of


def answers_of_both(network, lengths=False):
    given, contract = ask(network, 5, lengths), contract_of(network, lengths)
    file = load_graph(build_graph(network.plan.network, weights_of(network), contract), contract)
    with torch.inference_mode():
        return network(*given.tensors()).numpy().reshape(-1), file.predict(*given).reshape(-1)


@pytest.mark.parametrize("name", SHAPES)
def test_a_network_answers_as_its_graph_does(name):
    found, expected = answers_of_both(make_network(**SHAPES[name]), "lengths" in name)
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.std())


@pytest.mark.parametrize("name", CARRIED)
def test_a_carried_network_answers_at_every_step_as_its_graph_does(name):
    found, expected = answers_of_both(make_carried(**CARRIED[name]))
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.std())


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_of_a_network_is_there_in_vain(name):
    """Each weight is felt: at its last step, a backward direction would not need its recurrence."""
    network = make_network(**SHAPES[name]).requires_grad_(True)  # a highway is frozen, and felt all the same
    network.run(*ask(network, 4, "lengths" in name).tensors()).z.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())
