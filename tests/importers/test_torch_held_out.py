"""A module to classify or to label is judged on arrays that it never saw, and arrays that do not fit are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from edgelstm.errors import InputError, NetworkError
from edgelstm.export import from_torch
from tests.importers.torch_modules import WINDOW, draw, exported_run, forecaster

ROWS = 40
X = draw(ROWS)
LENGTHS = np.random.default_rng(2).integers(1, WINDOW + 1, ROWS)


def classifier():
    return forecaster(lambda m, x: m.head(m.lstm(x)[0][:, -1]).softmax(-1), outputs=3)


def labeller(probabilities):
    return forecaster(lambda m, x: m.head(m.lstm(x)[0]).softmax(-1) if probabilities else m.head(m.lstm(x)[0]))


def packed(m, x, lengths):
    out, _ = m.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    padded, _ = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
    return m.head(padded[torch.arange(len(x)), lengths - 1]).softmax(-1)


def answers(module, *arrays):
    with torch.no_grad():
        return module(*(torch.from_numpy(array) for array in arrays)).numpy()


def scores(folder, found):
    """The score of the network, and that of the fp32 file."""
    (network,) = found.run.record.contract.metrics
    (file,) = exported_run(folder, precisions=["int8"]).contract.metrics
    return network, file.file


def test_a_classifier_is_judged_by_the_share_of_rows_it_gets_right(tmp_path):
    y = np.random.default_rng(1).integers(0, 3, ROWS)
    found = from_torch(classifier(), tmp_path / "run", window=WINDOW, task="classify", test=(X, y))
    network, file = scores(tmp_path, found)
    expected = np.mean(answers(classifier(), X).argmax(-1) == y)
    assert network.network["accuracy"] == file["accuracy"] == expected
    assert network.windows == ROWS
    assert file.keys() == {"accuracy", "macro_f1", "log_loss"}


def test_rows_of_their_own_lengths_are_judged_by_those(tmp_path):
    module = forecaster(packed, outputs=3)
    y = answers(module, X, LENGTHS).argmax(-1)
    y[:4] = (y[:4] + 1) % 3
    x = X.copy()
    x[np.arange(WINDOW) >= LENGTHS[:, np.newaxis]] = np.nan  # padding may hold anything
    found = from_torch(module, tmp_path / "run", window=WINDOW, task="classify", lengths=True, test=(x, y, LENGTHS))
    network, file = scores(tmp_path, found)
    assert network.network["accuracy"] == file["accuracy"] == 0.9
    assert set(found.run.golden_lengths) <= set(LENGTHS)
    assert found.run.golden_lengths.min() == LENGTHS.min()


@pytest.mark.parametrize("state", ["window", "carried"])
def test_a_labeller_of_classes_is_judged_at_every_step_that_is_known(tmp_path, state):
    y = np.random.default_rng(1).integers(-1, 2, (ROWS, WINDOW))
    found = from_torch(labeller(True), tmp_path / "run", window=WINDOW, task="label", state=state, test=(X, y))
    network, file = scores(tmp_path, found)
    expected = np.mean((answers(labeller(True), X).argmax(-1) == y)[y >= 0])
    assert found.run.record.contract.answer == "class"
    assert network.network["accuracy"] == pytest.approx(expected)
    assert file["accuracy"] == pytest.approx(expected)


def test_a_labeller_of_numbers_is_judged_by_how_far_it_is_off(tmp_path):
    y = np.random.default_rng(1).normal(size=(ROWS, WINDOW, 2)).astype(np.float32)
    y[3, 2] = np.nan
    found = from_torch(labeller(False), tmp_path / "run", window=WINDOW, task="label", test=(X, y))
    network, file = scores(tmp_path, found)
    expected = np.nanmean((answers(labeller(False), X).astype(np.float64) - y) ** 2)
    assert network.network["mse"] == pytest.approx(expected, rel=1e-6)
    assert file["mse"] == pytest.approx(expected, rel=1e-5)
    assert found.run.record.contract.outputs[0].statistics.mean == pytest.approx(np.nanmean(y[..., 0]), abs=1e-6)


CLASSES = np.zeros(ROWS, np.int64)
REFUSED = {
    "targets that are no whole numbers": ((X, CLASSES + 0.5), False, r"expected y \[40\], the classes"),
    "targets of another number": ((X, CLASSES[1:]), False, r"expected y \[40\], the classes"),
    "a class that the network does not answer": ((X, CLASSES + 3), False, "the network's classes 0 to 2.*got 3"),
    "rows of another length": ((X[:, 1:], CLASSES), False, r"expected x \[N, 6, F\], got \[40, 5, 3\]"),
    "no rows": ((X[:0], CLASSES[:0]), False, "expected x"),
    "NaN": ((np.full_like(X, np.nan), CLASSES), False, "NaN or infinity"),
    "lengths that nobody takes": ((X, CLASSES, LENGTHS), False, "expected x and y, got 3 arrays"),
    "no lengths": ((X, CLASSES), True, "expected x, y and lengths"),
    "a length of nothing": ((X, CLASSES, LENGTHS * 0), True, r"lengths \[40\], whole numbers from 1 to 6"),
    "a length of nothing among others": (
        (X, CLASSES, np.arange(ROWS) % 7),
        True,
        r"lengths \[40\], whole numbers from 1 to 6",
    ),
    "a length of more than the window": (
        (X, CLASSES, 1 + np.arange(ROWS) % 7),
        True,
        r"lengths \[40\], whole numbers from 1 to 6",
    ),
    "lengths that are no whole numbers": (
        (X, CLASSES, LENGTHS / 2),
        True,
        r"lengths \[40\], whole numbers from 1 to 6",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_arrays_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path, what):
    arrays, lengths, reason = REFUSED[what]
    module = forecaster(packed, outputs=3) if lengths else classifier()
    with pytest.raises(InputError, match=f"test: .*{reason}"):
        from_torch(module, tmp_path / "run", window=WINDOW, task="classify", lengths=lengths, test=arrays)
    assert not (tmp_path / "run").exists()


def test_labels_of_other_axes_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"test: expected y \[40, 6\]"):
        from_torch(labeller(True), tmp_path / "run", window=WINDOW, task="label", test=(X, CLASSES))
    other = np.zeros((ROWS, WINDOW, 5), np.float32)
    with pytest.raises(InputError, match=r"test: expected y \[N, T, 2\]"):
        from_torch(labeller(False), tmp_path / "run", window=WINDOW, task="label", test=(X, other))


def test_logits_are_no_classes(tmp_path):
    module = nn.Sequential(labeller(False))
    y = np.zeros((ROWS, WINDOW), np.int64)
    with pytest.raises(NetworkError, match="expected probabilities"):
        from_torch(module, tmp_path / "run", window=WINDOW, task="label", test=(X, y))
