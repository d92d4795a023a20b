"""What labels start from: one channel where one decides, nothing where the most frequent class is as good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgelstm.contract import Channel
from edgelstm.data.scaling import measure_rows
from edgelstm.data.sequences import lay_out
from edgelstm.run import read_run
from edgelstm.train import fit, label_start
from edgelstm.train.label_start import settle_share, start_weights
from edgelstm.train.problem import Problem, channels_of, class_channels
from tests.train.shapes import network_of, planned

CLASSES = ("off", "on", "out")


def week(seed, truth, shift=0.0):
    """Two channels: light tells what there is; warmth follows it, in another week from another level."""
    rng = np.random.default_rng(seed)
    light = rng.normal(size=600)
    x = np.stack([light * 100 + 300, light + rng.normal(size=600) * 0.2 + shift], axis=1).astype(np.float32)
    return lay_out([x], [truth(light, x[:, 1] - shift, rng)], every_step=True)


def by_light(light, warmth, rng):
    noisy = light + 0.1 * rng.normal(size=len(light))
    return (noisy > 0.5).astype(np.int64) + (noisy > 1.5)


def by_both(light, warmth, rng):
    return (light - warmth > 0).astype(np.int64) + (light - warmth > 0.3)


def by_chance(light, warmth, rng):
    return (rng.random(len(light)) > 0.8).astype(np.int64)


def problem_of(truth, shift=0.0, **changes):
    training = week(0, truth)
    inputs = channels_of(("light", "warmth"), training.x_rows, {})
    outputs = class_channels(CLASSES, "state")
    problem = Problem("p", "label", "class", inputs, outputs, 10, 1, training, week(1, truth, shift), None)
    return replace(problem, **changes)


def scaling_of(problem):
    names = [tuple(channel.name for channel in some) for some in (problem.inputs, problem.outputs)]
    return measure_rows("standard", problem.training.x_rows, names[0], None, names[1])


def start_of(problem):
    return start_weights(problem, scaling_of(problem))


def started(problem, added=(0.0, 0.0, 0.0)):
    """A network at its start whose LSTM adds to the logits."""
    plan = planned(2, 4, 1, 1, 3, every_step=True, classes=True, highway=1)
    network, start = network_of(plan, scaling_of(problem)), start_of(problem)
    network.set_start(start.weight, start.bias)
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor(added))
    return network


def accuracy(network, part):
    with torch.no_grad():
        y = network(torch.from_numpy(part.x(0))[None])[0, :, 0].numpy()
    return (y.argmax(axis=1) == part.truth(0)).mean()


def test_where_the_others_mislead_in_another_week_one_channel_alone_is_taken():
    start = start_of(problem_of(by_light, shift=3.0))
    assert start.words == "a logistic regression on light alone"
    assert (start.weight[:, 1] == 0).all()
    assert (start.weight[:, 0] != 0).all()
    assert start.weight.dtype == start.bias.dtype == np.float32


def test_of_channels_that_are_as_accurate_the_one_that_is_surer_is_taken():
    """Both tell the classes apart without a mistake, the second by a wider gap; the third misleads in another week."""

    def part(seed, shift):
        rng = np.random.default_rng(seed)
        state = rng.integers(0, 2, 400)
        near, far = (2 * state - 1 + rng.uniform(-width, width, 400) for width in (0.9, 0.1))
        x = np.stack([near, far, state + 0.01 * rng.normal(size=400) + shift], axis=1).astype(np.float32)
        return lay_out([x], [state], every_step=True)

    training = part(0, 0.0)
    inputs = channels_of(("near", "far", "gone"), training.x_rows, {})
    outputs = class_channels(("off", "on"), "state")
    problem = Problem("p", "label", "class", inputs, outputs, 10, 1, training, part(1, 9.0), None)
    assert start_of(problem).words == "a logistic regression on far alone"


def test_a_network_answers_as_its_start_does_until_it_is_trained():
    problem = problem_of(by_light, shift=3.0)
    assert accuracy(started(problem), problem.validation) > 0.93


@pytest.mark.parametrize(
    "problem",
    [
        problem_of(by_chance),  # the most frequent class is as good
        problem_of(by_both),  # all channels say more
        problem_of(by_light, shift=3.0, validation=None),
        problem_of(by_light, shift=3.0, answer="number"),
        problem_of(by_light, shift=3.0, outputs=tuple(Channel(f"c{i}", None, "float32", None) for i in range(200))),
    ],
    ids=["chance", "both", "no validation", "numbers", "many classes"],
)
def test_nothing_is_started_from_where_nothing_says_that_it_helps(problem):
    assert start_of(problem) is None


@pytest.mark.parametrize(("limit", "begun"), [(9, True), (8, False)])
def test_a_system_of_too_many_unknowns_is_not_solved(monkeypatch, limit, begun):
    """Three classes of two channels and a bias each."""
    assert label_start.LARGEST_SYSTEM == 512
    monkeypatch.setattr(label_start, "LARGEST_SYSTEM", limit)
    assert (start_of(problem_of(by_light, shift=3.0)) is not None) == begun


@pytest.mark.parametrize("added", [(9.0, 0.0, 0.0), (0.0, 0.0, 0.0)], ids=["it spoils", "it says nothing"])
def test_what_validation_does_not_bear_out_is_left_out(added):
    problem = problem_of(by_light, shift=3.0)
    network = started(problem, added)
    assert settle_share(network, problem) == 0.0
    assert network.head.bias.abs().sum() == 0


def test_what_validation_bears_out_is_kept_and_no_more_of_it_than_that():
    problem = problem_of(by_light, shift=3.0)
    always = replace(problem.validation, targets=np.full_like(problem.validation.targets, 2))
    problem = replace(problem, validation=always)  # this week another class was there all along
    for added, kept in ((800.0, 0.25), (25.0, 1.0)):
        network = started(problem_of(by_light, shift=3.0), (0.0, 0.0, added))
        assert settle_share(network, problem) == kept
        assert network.head.bias[2].item() == added * kept


def test_without_validation_or_a_start_all_is_kept():
    problem = problem_of(by_light, shift=3.0)
    assert settle_share(started(problem, (0.0, 9.0, 0.0)), replace(problem, validation=None)) == 1.0
    plain = network_of(planned(2, 4, 1, 1, 3, every_step=True, classes=True), scaling_of(problem))
    assert settle_share(plain, problem) == 1.0


@pytest.mark.parametrize(("start", "begun"), [("auto", True), ("none", False)])
def test_a_training_begins_there_unless_it_is_told_not_to(start, begun, tmp_path):
    problem, series = problem_of(by_light, shift=3.0), []
    for part in (problem.training, problem.validation):
        series.append(([part.x(0)], [[CLASSES[k] for k in part.truth(0)]]))
    options = {"task": "label", "classes": True, "outputs": CLASSES, "hidden_size": 4, "epochs": 1, "threads": 1}
    fitted = fit(*series[0], tmp_path / "run", validation=series[1], progress=False, start=start, **options)
    assert (fitted.run.record.network.highway is not None) == begun
    assert ("highway.weight" in read_run(tmp_path / "run").weights) == begun
    if begun:
        (part,) = fitted.evaluation.parts
        own, linear = (
            some[name].score["accuracy"] for some, name in ((part.networks, "network"), (part.baselines, "linear"))
        )
        assert own >= 0.93 > linear


def test_a_training_of_which_nothing_is_kept_has_no_best_epoch(tmp_path):
    """The loss fell, but no label of validation is righter for it."""
    problem, series = problem_of(by_light, shift=3.0), []
    for part in (problem.training, problem.validation):
        series.append(([part.x(0)], [[CLASSES[k] for k in part.truth(0)]]))
    options = {"task": "label", "classes": True, "outputs": CLASSES, "hidden_size": 4, "epochs": 2, "threads": 1}
    fitted = fit(*series[0], tmp_path / "run", validation=series[1], progress=False, learning_rate=0.01, **options)
    assert (fitted.trained.gain, fitted.run.record.best_epoch) == (0.0, 0)
    assert not fitted.run.weights["head.weight"].any()
