"""Classifiers against plain loops, and their known figures on public data."""

from __future__ import annotations

import numpy as np

from edgelstm.contract import Channel
from edgelstm.data.baselines.classify import baselines
from edgelstm.data.sequences import lay_out


def outputs(*names):
    return tuple(Channel(name, None, "float32", None) for name in names)


def drawn(count, seed):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(rng.integers(1, 9), 3)) * [1, 10, 0] + 5).astype(np.float32) for _ in range(count)]


def test_the_majority_answers_the_shares_of_the_training_part():
    training = lay_out(drawn(4, 0), np.array([1, 1, 0, 1]), every_step=False)
    found = baselines(training, outputs("a", "b", "c"))["majority"](training)(np.array([3, 0]))
    np.testing.assert_allclose(found, [[0.25, 0.75, 0]] * 2)


def test_the_nearest_neighbour_is_that_of_a_double_loop_and_a_constant_channel_does_not_matter():
    classes = np.random.default_rng(1).integers(0, 3, 30)
    training, test = drawn(30, 2), drawn(20, 3)
    means = np.array([[float(np.mean(x[:, f], dtype=np.float64)) for f in range(3)] for x in training])
    scale = np.concatenate(training).astype(float).std(axis=0)
    scale[2] = 1  # constant
    expected = []
    for x in test:
        distances = [sum(((x[:, f].mean() - m[f]) / scale[f]) ** 2 for f in range(3)) for m in means]
        expected.append(classes[int(np.argmin(distances))])
    fitted = baselines(lay_out(training, classes, every_step=False), outputs("a", "b", "c"))["nearest neighbour"]
    found = fitted(lay_out(test, np.zeros(20, np.int64), every_step=False))
    np.testing.assert_array_equal(found(np.arange(20)), expected)
    np.testing.assert_array_equal(found(np.array([7])), expected[7])
