"""Dropout and noise by their number: what they add to the training loss is what the formula says.

Nothing moves in these trainings, so the training loss is the mean over many draws at weights that are known. The
targets are near what the network answers undisturbed, so that the loss is of the disturbance. Its expectation is summed
up over all masks, or over Gauss and Hermite's points.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from tests.train.by_hand import STILL, answer, first_weights, fit_plainly, losses, lstm, scaled

pytestmark = pytest.mark.usefixtures("no_report")

DRAWS = 50_000
X = np.array([[[1.6, -2.0], [-1.2, 3.0]]], np.float32)
POINTS = np.polynomial.hermite_e.hermegauss(24)


def still(folder, run, x=X, shift=0.0, **options):
    """The losses of many copies of a window at the weights that a training begins with, and what `run` expects.

    Args:
        folder: where the trainings go.
        run: takes weights, scaled windows and what disturbs them, and answers as the network should.
        x: the window.
        shift: of the targets, in standard deviations of what the disturbance does to the answers.
        options: of the training.

    Returns:
        The training loss, the validation loss and a function of (probability, disturbance) pairs: the expected loss.
    """
    settings = {"scaling": "none", "batch_size": DRAWS, **options}
    w = first_weights(folder / "start", x=np.repeat(x, 4, 0), y=np.zeros((4, 2, 1), np.float32), **settings)
    undisturbed = run(w, scaled(w, x), None)
    y = (undisturbed + shift).float().numpy()
    many = [np.repeat(part, DRAWS, axis=0) for part in (x, y)]
    fit_plainly(folder / "run", *many, validation=(x, y), **{**settings, "learning_rate": STILL})

    def expected(draws):
        found = [(p, run(w, scaled(w, x), disturbance)) for p, disturbance in draws]
        return sum(p * ((z - torch.from_numpy(y)) ** 2).mean().item() for p, z in found)

    trained, validated = losses(folder / "run")[0]
    assert validated == pytest.approx(shift**2, rel=1e-3, abs=1e-9)
    return trained, expected


def masks(keep, *sizes):
    """Every way to keep some of so many numbers: its probability, and what each group is multiplied by."""
    found = []
    for bits in product((0.0, 1.0), repeat=sum(sizes)):
        mask = torch.tensor(bits, dtype=torch.float64)
        found.append((float((keep**mask * (1 - keep) ** (1 - mask)).prod()), torch.split(mask / keep, sizes)))
    return found


def layer(w, h, name="head"):
    return h @ w[f"{name}.weight"].T + w[f"{name}.bias"]


@pytest.mark.parametrize("dropout", [0.2, 0.6])
@pytest.mark.parametrize("shift", [0.1, -0.1])
def test_dropout_hides_that_share_of_what_the_head_reads_and_scales_the_rest_up(tmp_path, dropout, shift):
    """Targets on both sides tell the share and the scale apart: one loss alone could hide one behind the other."""

    def run(w, x, mask):
        h = lstm(w, x)[:, -1]
        return layer(w, h if mask is None else h * mask[0])[..., None]

    trained, expected = still(tmp_path, run, shift=shift, dropout=dropout)
    assert trained == pytest.approx(expected(masks(1 - dropout, 2)), rel=0.04)


def test_dropout_is_also_between_layers_and_behind_the_hidden_layer(tmp_path):
    keep, x = 0.5, X[:, :1]

    def run(w, x, mask):
        between, before, behind = (1, 1, 1) if mask is None else mask
        h = lstm(w, lstm(w, x) * between, layer=1)[:, -1] * before
        return layer(w, torch.relu(layer(w, h, "hidden")) * behind)[..., None]

    trained, expected = still(tmp_path, run, x, dropout=1 - keep, num_layers=2, head_size=3, seed=4)
    draws = masks(keep, 2, 2, 3)
    assert trained == pytest.approx(expected(draws), rel=0.04)
    for place in range(3):  # each of the three tells
        without = expected([(p, [1 if i == place else part for i, part in enumerate(mask)]) for p, mask in draws])
        assert without < 0.9 * expected(draws), place


def test_dropout_is_between_layers_that_are_normalized_too(tmp_path):
    keep, x = 0.5, X[:, :1]

    def normed(w, h, name):
        return torch.nn.functional.layer_norm(h, (3,), w[f"{name}_norm.weight"], w[f"{name}_norm.bias"])

    def run(w, x, mask):
        between, before = (1, 1) if mask is None else mask
        h = normed(w, lstm(w, x, name="lstm0"), "lstm0") * between
        return layer(w, normed(w, lstm(w, h, name="lstm1")[:, -1], "lstm1") * before)[..., None]

    trained, expected = still(tmp_path, run, x, dropout=1 - keep, num_layers=2, layer_norm=True, hidden_size=3)
    draws = masks(keep, 3, 3)
    assert trained == pytest.approx(expected(draws), rel=0.04)
    for place in range(2):
        assert (
            expected([(p, [1 if i == place else part for i, part in enumerate(m)]) for p, m in draws]) < 0.9 * trained
        )


@pytest.mark.parametrize(("dropout", "shift"), [(0.3, -0.1), (0.7, 0.1), (0.7, -0.1)])
def test_input_dropout_hides_that_share_of_whole_channels_of_a_window(tmp_path, dropout, shift):
    def run(w, x, mask):
        return answer(w, x if mask is None else x * torch.stack(mask))

    trained, expected = still(tmp_path, run, shift=shift, input_dropout=dropout)
    whole = [(p, mask * 2) for p, mask in masks(1 - dropout, 2)]  # the same at both steps
    assert trained == pytest.approx(expected(whole), rel=0.04)
    assert abs(expected(masks(1 - dropout, 2, 2)) / expected(whole) - 1) > 0.08  # anew at each step is something else


@pytest.mark.parametrize("noise", [0.3, 2.0])
def test_input_noise_has_that_deviation_at_each_step(tmp_path, noise):
    def run(w, x, shift):
        return answer(w, x if shift is None else x + noise * torch.tensor(shift)[:, None])

    trained, expected = still(tmp_path, run, X[..., :1], input_noise=noise)
    points, weights = POINTS
    draws = [
        (a * b / weights.sum() ** 2, (x, y))
        for a, x in zip(weights, points, strict=True)
        for b, y in zip(weights, points, strict=True)
    ]
    assert trained == pytest.approx(expected(draws), rel=0.04)
    together = [(a / weights.sum(), (x, x)) for a, x in zip(weights, points, strict=True)]
    assert abs(expected(together) / expected(draws) - 1) > 0.08  # one shift for the whole window is something else
