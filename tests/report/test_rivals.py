"""Baselines that need no training part say what anyone can say who has the file and the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelstm.report.rivals import rivals_of
from tests.tiny_runs import contract_of, examples_of


def test_rivals_of_a_forecast_are_persistence_and_the_season():
    contract, windows = contract_of("forecast", "number"), examples_of("forecast", "number")
    found = rivals_of(contract, windows, 4)
    history, index = windows.history(), np.arange(len(windows))
    np.testing.assert_array_equal(found["persistence"](index), np.repeat(history[:, -1:], 2, axis=1))
    naive = history[:, 4:6] + history[:, -1:] - history[:, 3:4]
    np.testing.assert_allclose(found["seasonal naive with drift"](index), naive, atol=1e-6)
    assert set(rivals_of(contract, windows, 8)) == {"persistence"}  # a season as long as the window


def test_persistence_says_the_same_at_every_level():
    contract, windows = contract_of("forecast", "quantile"), examples_of("forecast", "quantile")
    y = rivals_of(contract, windows, None)["persistence, one value"](np.arange(3))
    assert y.shape == (3, 2, 3)
    assert (y == windows.history(np.arange(3))[:, -1:]).all()


def test_the_rival_of_classes_is_the_most_frequent_one_in_hindsight():
    for task in ("classify", "label"):
        contract, sequences = contract_of(task, "class"), examples_of(task, "class")
        (answerer,) = rivals_of(contract, sequences, None).values()
        y = answerer(np.array([2]))
        known = sequences.targets[sequences.targets >= 0]
        assert y.shape == ((31, 3) if task == "label" else (1, 3))
        np.testing.assert_allclose(y[0], [(known == c).mean() for c in range(3)], rtol=1e-6)


def test_the_rival_of_numbers_is_what_training_saw():
    contract, series = contract_of("label", "number", "carried"), examples_of("label", "number")
    assert (rivals_of(contract, series, None)["constant of training"](np.array([0])) == 0).all()
    unknown = replace(contract, outputs=tuple(channel._replace(statistics=None) for channel in contract.outputs))
    assert rivals_of(unknown, series, None) == {}
