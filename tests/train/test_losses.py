"""Losses against numpy: what is unknown does not count, whatever stands there."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.train.losses import balanced, channel_weights, class_loss, losses_of, number_loss, pinball_loss

RNG = np.random.default_rng(5)
Z = RNG.normal(size=(3, 7, 2, 4))  # [B, T, K, O]
TRUTH = RNG.normal(size=Z.shape)
UNKNOWN = RNG.random(Z.shape) < 0.3
LEVELS = (0.1, 0.5, 0.9)
CLASSES = RNG.integers(-1, 4, (3, 7))  # below 0 where nobody knows
LOGITS = RNG.normal(size=(3, 7, 4))
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.5])


def huber(error):
    return np.where(np.abs(error) < 1, error**2 / 2, np.abs(error) - 0.5)


def given(values):
    return torch.from_numpy(np.asarray(values))


def check(loss, z, truth, expected):
    """The loss is this number, and has a finite gradient."""
    z = given(z).requires_grad_()
    found = loss(z, given(truth))
    assert found.item() == pytest.approx(expected, rel=1e-7)
    found.backward()
    assert z.grad.isfinite().all()
    return z.grad.numpy()


@pytest.mark.parametrize(("name", "of"), [("mse", np.square), ("mae", np.abs), ("huber", huber)])
def test_numbers_that_nobody_knows_are_left_out_of_the_mean(name, of):
    error = of(Z - TRUTH)
    check(number_loss(name, masked=False), Z, TRUTH, error.mean())
    gradient = check(number_loss(name, masked=True), Z, np.where(UNKNOWN, np.nan, TRUTH), error[~UNKNOWN].mean())
    assert (gradient[UNKNOWN] == 0).all()


@pytest.mark.parametrize("targets", [1, 2])
def test_the_pinball_loss_weighs_what_is_above_by_the_level_and_what_is_below_by_the_rest(targets):
    truth = TRUTH[..., :targets]
    answers = np.random.default_rng(6).normal(size=(*truth.shape, len(LEVELS)))
    error = truth[..., np.newaxis] - answers
    expected = np.where(error > 0, error * np.array(LEVELS), error * (np.array(LEVELS) - 1))
    z = answers.reshape(*truth.shape[:-1], -1)  # the levels of the first target, then those of the next
    loss = pinball_loss(LEVELS)
    check(loss, z, truth, expected.mean())
    unknown = UNKNOWN[..., :targets]
    check(loss, z, np.where(unknown, np.nan, truth), expected[~unknown].mean())


def test_the_pinball_loss_is_least_at_the_quantile():
    truth = given(np.arange(1.0, 100)[:, np.newaxis])
    places = [pinball_loss((0.9,))(given(np.full((99, 1), place)), truth).item() for place in np.arange(50.0, 100)]
    assert 50 + int(np.argmin(places)) == 90


def cross_entropy(logits, classes, weights, smoothing):
    """Source: the documentation of torch.nn.CrossEntropyLoss, mean reduction."""
    log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    total, weight = 0.0, 0.0
    for row, label in zip(log.reshape(-1, 4), classes.ravel(), strict=True):
        if label >= 0:
            total -= (1 - smoothing) * weights[label] * row[label] + smoothing / 4 * (weights * row).sum()
            weight += weights[label]
    return total / weight


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [np.ones(4), WEIGHTS])
def test_classes_weigh_what_they_are_given_and_steps_that_nobody_knows_nothing(weights, smoothing):
    loss = class_loss(given(weights), smoothing)
    check(loss, LOGITS, CLASSES, cross_entropy(LOGITS, CLASSES, weights, smoothing))
    if (weights == 1).all():
        check(class_loss(None, smoothing), LOGITS, CLASSES, cross_entropy(LOGITS, CLASSES, weights, smoothing))


@pytest.mark.parametrize(
    ("loss", "z", "truth"),
    [
        (number_loss("mse", masked=True), Z, np.full_like(TRUTH, np.nan)),
        (pinball_loss(LEVELS), np.tile(Z, 3), np.full_like(TRUTH, np.nan)),
        (class_loss(None, 0.1), LOGITS, np.full_like(CLASSES, -1)),
    ],
)
def test_a_batch_of_which_nothing_is_known_moves_nothing(loss, z, truth):
    assert (check(loss, z, truth, 0) == 0).all()


def test_balanced_weights_make_every_class_count_alike():
    classes = torch.tensor([0] * 6 + [1] * 3 + [3] * 1 + [-1] * 50)
    weights = balanced(classes, 4)
    assert weights.tolist() == pytest.approx([10 / 24, 10 / 12, 0, 10 / 4])
    assert (weights * torch.tensor([6, 3, 0, 1])).tolist() == pytest.approx([2.5, 2.5, 0, 2.5])


def problem(answer, targets=(), levels=()):
    training = SimpleNamespace(targets=np.array(targets))
    return SimpleNamespace(answer=answer, training=training, outputs=("a", "b"), levels=levels, many_series=False)


@pytest.mark.parametrize(
    ("answer", "expected"), [("number", "mse"), ("quantile", "pinball"), ("class", "cross-entropy")]
)
def test_each_kind_of_answer_has_a_loss_of_its_own(answer, expected):
    z, truth = torch.tensor([[0.3, -0.2]]), torch.tensor([[1.0]])
    if answer == "class":
        truth = torch.tensor([1])
    found = losses_of(problem(answer, [0, 1], (0.1, 0.9)), TrainingRecipe(), every_step=False)
    if expected == "mse":
        truth = torch.tensor([[1.0, 2.0]])
    by_hand = {
        "mse": (0.7**2 + 2.2**2) / 2,
        "pinball": (0.1 * 0.7 + 0.9 * 1.2) / 2,
        "cross-entropy": math.log(1 + math.exp(0.5)),
    }[expected]
    assert [loss(z, truth).item() for loss in found] == pytest.approx([by_hand] * 2)


@pytest.mark.parametrize("levels", [(), (0.1, 0.9)])
def test_channels_weigh_as_in_the_scaled_metrics(levels):
    """A channel that hardly moves within a window is not worth as much as one that does."""
    scale, spread = np.array([2.0, 0.5, 3.0]), np.array([10.0, 4.0, 3.0])
    count = max(1, len(levels))
    asked = problem("quantile" if levels else "number", levels=levels)
    asked.outputs = tuple(SimpleNamespace(spread=value) for value in np.repeat(spread, count))
    output_scale = torch.from_numpy(np.repeat(scale, count))
    rng = np.random.default_rng(7)
    y, truth = rng.normal(size=(5, 4, 3 * count)), rng.normal(size=(5, 4, 3))  # in physical units
    learnt, looked_at = losses_of(asked, TrainingRecipe(), False, output_scale)
    found = learnt(given(y) / output_scale, given(truth / scale))
    error = (truth[..., np.newaxis] - y.reshape(5, 4, 3, count)) / spread[:, np.newaxis] / (scale / spread).mean()
    if levels:
        expected = np.maximum(np.array(levels) * error, (np.array(levels) - 1) * error).mean()
    else:
        expected = (error**2).mean()
    assert found.item() == pytest.approx(expected, rel=1e-6)
    assert looked_at(given(y) / output_scale, given(truth / scale)).item() == pytest.approx(expected, rel=1e-6)


def test_channels_weigh_alike_where_their_scales_are_their_spreads_or_nothing_is_scaled():
    asked = problem("number")
    asked.outputs = tuple(SimpleNamespace(spread=value) for value in (10.0, 4.0))
    assert channel_weights(asked, torch.tensor([10.0, 4.0])) is None
    assert channel_weights(asked, torch.tensor([1.0, 1.0])) is None
    assert channel_weights(asked, torch.tensor([10.0, 2.0])).tolist() == pytest.approx([4 / 3, 2 / 3])


def test_validation_smooths_no_labels_but_weighs_classes_as_training_does():
    training = TrainingRecipe(class_weights="balanced", label_smoothing=0.3)
    learnt, looked_at = losses_of(problem("class", [0, 0, 0, 1]), training, every_step=False)
    z, truth = torch.tensor([[0.3, -0.2], [0.1, 0.4]]), torch.tensor([0, 1])
    log = torch.log_softmax(z, -1)
    expected = -(2 / 3 * log[0, 0] + 2 * log[1, 1]) / (2 / 3 + 2)
    assert looked_at(z, truth).item() == pytest.approx(expected.item())
    assert learnt(z, truth).item() != pytest.approx(expected.item())
