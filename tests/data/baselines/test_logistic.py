"""Logistic regression against torch's optimizer on the same loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgelstm.data.baselines.logistic import PENALTY, fit_logistic, probabilities


def by_torch(x, classes, count):
    """The same minimum, found by L-BFGS from gradients that torch computes: the probabilities."""
    x, truth = torch.from_numpy(x), torch.from_numpy(classes)
    w = torch.zeros(count, x.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros(count, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w, b], max_iter=2000, tolerance_grad=1e-12, tolerance_change=1e-14, history_size=50)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ w.T + b, truth)
        loss = loss + PENALTY / 2 * (w**2).sum()
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    return torch.softmax(x @ w.T + b, -1).detach().numpy()


@pytest.mark.parametrize(("count", "channels"), [(2, 1), (2, 3), (4, 2)])
@pytest.mark.parametrize("apart", [1.0, 4.0])
def test_it_finds_the_minimum_that_torch_finds(count, channels, apart):
    rng = np.random.default_rng(0)
    centres = apart * rng.normal(size=(count, channels))
    classes = rng.integers(0, count, 300)
    x = centres[classes] + rng.normal(size=(300, channels))
    weights, biases = fit_logistic(x, classes, count)
    np.testing.assert_allclose(probabilities(x @ weights.T + biases), by_torch(x, classes, count), atol=1e-4)
    np.testing.assert_allclose([*weights.sum(axis=0), biases.sum()], 0, atol=1e-9)


@pytest.mark.parametrize("shift", [0.0, 30.0])
def test_classes_that_part_cleanly_leave_weights_finite_and_nobody_wrong(shift):
    x = np.linspace(-1, 1, 41)[:, np.newaxis] + shift
    classes = (x[:, 0] > shift + 0.025).astype(np.int64)
    weights, biases = fit_logistic(x, classes, 2)
    assert np.abs(weights).max() < 1e3
    np.testing.assert_array_equal((x @ weights.T + biases).argmax(axis=1), classes)


def zero_of(function, low=0.0, high=50.0):
    """Where a falling function is nothing, by halves."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return low


def test_weights_of_classes_that_part_cleanly_are_held_by_a_ten_thousandth():
    """Of x = -1 and 1 the weights are -a and a: log(1 + exp(-2 a)) + 1e-4 a^2 is smallest."""
    x = np.array([[-1.0], [1.0]] * 3)
    weights, biases = fit_logistic(x, (x[:, 0] > 0).astype(np.int64), 2)
    a = zero_of(lambda a: 1 / (1 + np.exp(2 * a)) - 1e-4 * a)
    np.testing.assert_allclose(weights, [[-a], [a]], rtol=1e-6)
    np.testing.assert_allclose(biases, 0, atol=1e-9)


def test_a_bias_is_held_by_a_billionth():
    weights, biases = fit_logistic(np.zeros((4, 1)), np.zeros(4, np.int64), 2)
    b = zero_of(lambda b: 1 / (1 + np.exp(2 * b)) - 1e-9 * b)
    np.testing.assert_allclose(biases, [b, -b], rtol=1e-6)
    assert not weights.any()


def test_a_class_that_nobody_saw_is_unlikely():
    x = np.random.default_rng(0).normal(size=(50, 2))
    weights, biases = fit_logistic(x, np.zeros(50, np.int64), 3)
    assert (probabilities(x @ weights.T + biases)[:, 1:] < 0.01).all()
