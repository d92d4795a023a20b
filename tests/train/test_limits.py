"""How long a training may take, how much of a table an epoch sees, and how much of what was learned is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgelstm.recipe.file import check_recipe
from edgelstm.recipe.sections import seconds_of
from edgelstm.train import fit, fit_recipe
from edgelstm.train.devices import fabric_of
from edgelstm.train.feeding.batches import Shuffled
from edgelstm.train.feeding.feed import feed_of
from edgelstm.train.loop import GAINS, run_loop, validate
from edgelstm.train.losses import losses_of
from edgelstm.train.setup import make_network
from edgelstm.train.tasks import TASKS
from tests.train import plain


def recipe(tmp_path, network=plain.NETWORK, **training):
    values = np.sin(np.arange(300) / 3) + 0.5 * np.random.default_rng(0).normal(size=300)
    (tmp_path / "t.csv").write_text("\n".join(["v", *map(str, values), ""]))
    content = {"data": {"path": str(tmp_path / "t.csv"), "targets": ["v"]}, "window": {"steps": 12, "horizon": 2}}
    content["split"] = {"overlap": True}
    content["network"] = {**network, "hidden_size": 8}
    return check_recipe({**content, "training": {**plain.TRAINING, "epochs": 4, **training}}, "test")


@pytest.mark.parametrize(("text", "seconds"), [("0.5s", 0.5), ("90s", 90), ("10m", 600), ("2h", 7200)])
def test_a_duration_is_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["10", "m", "10 minutes", "-3s", "1e3s", ""])
def test_what_is_no_duration_is_refused(tmp_path, text):
    with pytest.raises(Exception, match=r"training\.time_limit"):
        recipe(tmp_path, time_limit=text)


@pytest.mark.parametrize(("limit", "epochs", "stopped"), [("0.001s", 1, True), ("1h", 4, False), (None, 4, False)])
def test_a_training_stops_in_time_and_says_so(tmp_path, limit, epochs, stopped):
    fitted = fit_recipe(recipe(tmp_path, time_limit=limit), tmp_path / "run")
    assert (len(fitted.trained.history), fitted.trained.out_of_time) == (epochs, stopped)
    assert fitted.run.record.best_epoch >= 1


@pytest.mark.parametrize(("drawn", "batches"), [(None, 4), (10, 4), (6, 2), (99, 4)])
def test_an_epoch_draws_some_windows_and_others_in_the_next(drawn, batches):
    sampler = Shuffled(10, 3, 0, drawn)
    epochs = [torch.cat(list(sampler.of_epoch(epoch))).tolist() for epoch in range(40)]
    assert len(sampler) == len(list(sampler.of_epoch(0))) == batches
    assert all(len(set(epoch)) == len(epoch) == min(drawn or 10, 10) for epoch in epochs)
    assert set().union(*epochs) == set(range(10))


def test_an_epoch_of_a_training_sees_so_many_windows(tmp_path):
    asked = recipe(tmp_path, epoch_windows=50, batch_size=16)
    problem = TASKS["forecast"].read(asked)
    feed = feed_of(problem, asked.training, False)
    assert (feed.samples, feed.steps) == (50, 4 * 4)
    assert sum(len(batch.x) for batch in feed.training.of_epoch(0)) == 50


def test_no_other_gain_of_what_was_learned_is_better_on_validation(tmp_path):
    asked = recipe(
        tmp_path, {**plain.NETWORK, "scaling": "relative", "start": "persistence"}, learning_rate=0.02, epochs=3
    )
    problem = TASKS["forecast"].read(asked)
    network = make_network(problem, asked).network
    trained = run_loop(network, problem, asked.training, tmp_path / "a.ckpt", False)
    assert trained.best_epoch
    feed = feed_of(problem, asked.training, False)
    found = {}
    for gain in GAINS:
        scale = gain / trained.gain
        weights = {n: scale * t if n.startswith("head.") else t for n, t in trained.weights.items()}
        network.load_state_dict(weights)
        loss = losses_of(problem, asked.training, False, network.output_scale)[1]
        found[gain] = validate(fabric_of(asked.training), network, loss, feed.validation)
    assert min(found, key=found.get) == trained.gain


@pytest.mark.parametrize(("share", "gain"), [(1.0, 1.0), (0.75, 0.75), (0.6, 0.5)])
def test_as_much_of_what_was_learned_is_said_as_validation_asks_for(tmp_path, share, gain):
    """Its targets lie that far from the start, the last value, to what the whole LSTM would answer."""
    x = np.random.default_rng(0).normal(size=(40, 5, 1)).astype(np.float32).cumsum(1)
    y = (0.5 * x[:, -1:] + 1).astype(np.float32)
    options = {"inputs": ("a",), "outputs": ("a",), "progress": False, "hidden_size": 4, "epochs": 1, "batch_size": 4}
    options |= {**plain.OPTIONS, "start": "persistence", "learning_rate": 0.02}
    whole = fit(x, y, tmp_path / "whole", **options).run
    start = whole.golden_x[:, -1:]
    wanted = (whole.golden_x, start + np.float32(share) * (whole.golden_y - start))
    found = fit(x, y, tmp_path / "run", validation=wanted, **options)
    assert (found.trained.gain, found.run.record.best_epoch) == (gain, 1)
    np.testing.assert_allclose(found.run.weights["head.weight"], gain * whole.weights["head.weight"], rtol=1e-5)
