"""What a training keeps, goes on with, refuses to go on with, removes, and when it ends."""

from __future__ import annotations

import contextlib
import csv
import time

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from edgelstm.errors import TrainingError
from edgelstm.recipe.file import check_recipe
from edgelstm.train import fit, fit_recipe, resume_recipe
from tests.train import plain
from tests.train.by_hand import STILL, X, Y, error, fit_plainly, losses, steps_of, weights_of

pytestmark = pytest.mark.usefixtures("no_report")


class KilledError(Exception):
    """Somebody pulled the plug."""


@contextlib.contextmanager
def in_front_of_each_step(act):
    """Call `act(optimizer)` whenever any optimizer is about to take a step."""
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: act(optimizer))
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def killed_at(step):
    """Let a training die in front of that step, from 1, whatever runs it."""
    steps = []

    def act(_):
        steps.append(1)
        if len(steps) == step:
            raise KilledError

    with in_front_of_each_step(act), pytest.raises(KilledError):
        yield


SGD = {"optimizer": "sgd", "learning_rate": 0.05, "gradient_clip": 0, "batch_size": 5}


def on_the_way(start, step):
    """The weights behind a step of a training of `SGD`, and validation targets that they answer exactly."""
    w = list(steps_of(start, [0.05] * step, [0.9] * step, optimizer="sgd", clip=0))[-1][0]
    return w, Y + (error(w) * w["output_scale"]).numpy().astype(np.float32)


@pytest.mark.parametrize("killed", [4, 5])
def test_a_resume_behind_the_best_epoch_still_has_its_weights(start, tmp_path, killed):
    best, wanted = on_the_way(start, 3)
    options = {**SGD, "epochs": 6, "validation": (X, wanted)}
    with killed_at(killed):
        fit_plainly(tmp_path / "run", **options)
    fitted = fit_plainly(tmp_path / "run", resume=True, **options)
    assert fitted.run.record.best_epoch == 3
    assert len(losses(tmp_path / "run")) == 6
    for name, tensor in best.items():
        np.testing.assert_allclose(weights_of(fitted)[name], tensor, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("killed", [3, 5])
def test_patience_goes_on_counting_in_a_resume(start, tmp_path, killed):
    _, wanted = on_the_way(start, 2)
    options = {**SGD, "epochs": 20, "patience": 4, "validation": (X, wanted)}
    with killed_at(killed):
        fit_plainly(tmp_path / "run", **options)
    fitted = fit_plainly(tmp_path / "run", resume=True, **options)
    assert (fitted.run.record.best_epoch, len(losses(tmp_path / "run"))) == (2, 6)


def test_a_start_that_no_epoch_is_better_than_is_kept_through_a_resume(tmp_path):
    """The LSTM can only do harm where the line that it begins with leaves nothing."""
    x = np.random.default_rng(0).normal(size=(40, 4, 1)).astype(np.float32).cumsum(1)
    x[:, -1] += np.arange(40)[:, np.newaxis] / 10
    y = x[:, -1:] + np.float32(0.01) * np.sin(np.arange(40, dtype=np.float32))[:, None, None]
    named = {"inputs": ("a",), "outputs": ("a",), "scaling": "relative", "start": "persistence"}
    options = {**named, **SGD, "learning_rate": 0.5, "epochs": 4, "validation": (x, x[:, -1:])}
    with killed_at(20):
        fit_plainly(tmp_path / "run", x, y, **options)
    run = fit_plainly(tmp_path / "run", x, y, resume=True, **options).run
    assert run.record.best_epoch == 0
    assert not run.weights["head.weight"].any()


RNG = np.random.default_rng(1)
SERIES = [RNG.normal(size=(n, 2)).astype(np.float32) for n in (3, 5, 4, 6)]
ROWS = np.concatenate(SERIES)
LABELS = [one[:, 0] > 0 for one in SERIES]
WINDOWS, AHEAD = RNG.normal(size=(6, 4, 2)).astype(np.float32), RNG.normal(size=(6, 2, 1)).astype(np.float32)
EVERY = RNG.normal(size=(6, 4, 1, 1)).astype(np.float32)


def with_one_changed(parts, number=-1):
    """Copy arrays, or a list of them, and change the last number of one of them by a little."""
    copies = [np.array(part) for part in parts]
    flat = copies[number].reshape(-1)
    flat[-1] = not flat[-1] if flat.dtype == bool else flat[-1] + np.float32(1e-3)
    return copies if isinstance(parts, list) else np.stack(copies)


def divided(lengths):
    return list(np.split(ROWS, np.cumsum(lengths)[:-1]))


BEGUN = {
    "forecast": (
        {"task": "forecast"},
        (WINDOWS, AHEAD),
        {"x": (with_one_changed(WINDOWS), AHEAD), "y": (WINDOWS, with_one_changed(AHEAD))},
    ),
    "carried": (
        {"task": "forecast", "state": "carried"},
        (WINDOWS, EVERY),
        {"x": (with_one_changed(WINDOWS), EVERY), "y": (WINDOWS, with_one_changed(EVERY))},
    ),
    "classify": (
        {"task": "classify", "steps": 6},
        (SERIES, ["a", "b", "a", "b"]),
        {
            "x": (with_one_changed(SERIES), ["a", "b", "a", "b"]),
            "y": (SERIES, ["a", "b", "b", "a"]),
            "lengths": (divided([5, 3, 4, 6]), ["a", "b", "a", "b"]),
        },
    ),
    "classes": (
        {"task": "label", "classes": True, "steps": 4, "outputs": ("False", "True")},
        (SERIES, LABELS),
        {"x": (with_one_changed(SERIES), LABELS), "y": (SERIES, with_one_changed(LABELS))},
    ),
    "numbers": (
        {"task": "label", "steps": 4},
        (SERIES, SERIES),
        {"x": (with_one_changed(SERIES, 1), SERIES), "y": (SERIES, with_one_changed(SERIES, 0))},
    ),
}


@pytest.mark.parametrize("kind", BEGUN)
def test_a_resume_refuses_other_inputs_targets_or_lengths_in_either_part(tmp_path, kind):
    asked, whole, changes = BEGUN[kind]
    settings = {**plain.OPTIONS, "hidden_size": 2, "epochs": 3, "batch_size": 99, "progress": False, **asked}
    with killed_at(2):
        fit(*whole, tmp_path / "run", validation=whole, **settings)
    for changed in changes.values():
        for training, validation in ((changed, whole), (whole, changed)):
            with pytest.raises(TrainingError, match="started on other data"):
                fit(*training, tmp_path / "run", validation=validation, resume=True, **settings)
    fit(*whole, tmp_path / "run", validation=whole, resume=True, **settings)


def test_a_resume_refuses_other_times_where_the_network_reads_them(tmp_path):
    def write(day):
        rows = [f"2024-01-{day:02} {hour:02}:00,{np.sin(hour)}" for hour in range(24)]
        (tmp_path / "t.csv").write_text("\n".join(["time,v", *rows, ""]))

    content = {
        "data": {"path": str(tmp_path / "t.csv"), "time": "time", "targets": ["v"], "calendar": ["hour", "weekday"]},
        "window": {"steps": 3},
        "split": {"overlap": True, "validation": 0.2, "test": 0.0},
        "network": {**plain.NETWORK, "hidden_size": 2},
        "training": {**plain.TRAINING, "epochs": 3, "batch_size": 99},
    }
    write(1)
    with killed_at(2):
        fit_recipe(check_recipe(content, "test"), tmp_path / "run")
    write(2)
    with pytest.raises(TrainingError, match="started on other data"):
        resume_recipe(tmp_path / "run")
    write(1)
    resume_recipe(tmp_path / "run")


def test_overwriting_removes_the_files_of_the_old_weights_and_nothing_else(tmp_path):
    folder = tmp_path / "run"
    fit_plainly(folder)
    for name in ("lstm.fp32.onnx", "other.int8.onnx", "finetune.ckpt", "resume.ckpt", "notes.txt", "lstm.onnx.sig"):
        (folder / name).write_text("old")
    fit_plainly(folder, overwrite=True)
    left = {path.name for path in folder.iterdir()}
    assert not left & {"lstm.fp32.onnx", "other.int8.onnx", "finetune.ckpt", "resume.ckpt"}
    assert {"notes.txt", "lstm.onnx.sig", "run.json"} <= left


def test_a_begun_folder_without_a_run_keeps_its_model_files(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.onnx").write_text("mine")
    fit_plainly(tmp_path / "run")
    assert (tmp_path / "run" / "mine.onnx").read_text() == "mine"


@pytest.mark.parametrize(
    ("limit", "epochs"),
    [("9.9s", 1), ("10s", 1), ("19.9s", 1), ("20s", 2), ("35s", 3), ("0.5m", 3), ("59s", 5), (None, 6)],
)
def test_no_epoch_begins_that_would_end_behind_the_limit(tmp_path, monkeypatch, limit, epochs):
    """On a clock on which each epoch, one step, takes ten seconds."""
    taken = []
    with monkeypatch.context() as patch, in_front_of_each_step(taken.append):
        patch.setattr(time, "perf_counter", lambda: 10.0 * len(taken))
        fitted = fit_plainly(tmp_path / "run", epochs=6, batch_size=5, time_limit=limit)
    assert len(losses(tmp_path / "run")) == epochs
    assert fitted.trained.out_of_time == (epochs < 6)


def test_the_seconds_of_a_training_are_those_of_both_loops(tmp_path, monkeypatch):
    """On the same clock: three epochs, and two of fine-tuning."""
    taken = []
    with monkeypatch.context() as patch, in_front_of_each_step(taken.append):
        patch.setattr(time, "perf_counter", lambda: 10.0 * len(taken))
        fitted = fit_plainly(tmp_path / "run", epochs=3, batch_size=5, quantization={"epochs": 2})
    assert fitted.seconds == 50


@pytest.mark.parametrize(("asked", "before"), [(1, 2), (2, 1), (3, 1), (None, 1)])
def test_a_training_has_so_many_threads_and_gives_them_back(tmp_path, asked, before):
    seen, outside = set(), torch.get_num_threads()
    torch.set_num_threads(before)
    try:
        with in_front_of_each_step(lambda _: seen.add(torch.get_num_threads())):
            fit_plainly(tmp_path / "run", threads=asked)
        assert seen == {asked or before}
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(outside)


MANY = 7


def windows_seen(folder, **options):
    """The number of the window that each step of a training looks at, told by the gradient of the head's bias."""
    x = np.tile(X[:1], (MANY, 1, 1))
    y = np.tile(np.float32(100) * np.arange(MANY, dtype=np.float32)[:, None, None], (1, 2, 1))
    found = []

    def act(optimizer):
        (bias,) = (p.grad for group in optimizer.param_groups for p in group["params"] if p.shape == (2,))
        found.append(round(-bias[0].item() / 100))

    settings = {"batch_size": 1, "learning_rate": STILL, "scaling": "none", "gradient_clip": 0, **options}
    with in_front_of_each_step(act):
        fit_plainly(folder, x, y, **settings)
    return found


def test_windows_come_in_an_order_of_seed_and_epoch(tmp_path):
    orders = []
    for seed in range(3):
        found = np.array(windows_seen(tmp_path / str(seed), seed=seed, epochs=3)).reshape(3, MANY)
        assert (np.sort(found, axis=1) == np.arange(MANY)).all()
        orders += [tuple(order) for order in found.tolist()]
    assert len(set(orders)) == 9


def test_an_epoch_draws_so_many_windows_and_others_in_the_next(tmp_path):
    found = np.array(windows_seen(tmp_path / "run", epochs=6, epoch_windows=3)).reshape(6, 3)
    assert all(len(set(epoch)) == 3 for epoch in found.tolist())
    assert set(found.ravel()) == set(range(MANY))


def test_a_seed_draws_the_first_weights_and_is_kept_with_the_run(start, tmp_path):
    fitted = fit_plainly(tmp_path / "run", seed=7, learning_rate=STILL)
    assert fitted.run.record.contract.provenance.seed == 7
    for name, tensor in weights_of(fitted).items():
        if name.startswith(("lstm", "head")):
            assert not np.isclose(tensor, start[name]).any(), name


def test_dropout_is_drawn_by_seed_and_epoch(tmp_path):
    """One unit and one window: each epoch tells whether the unit was kept."""
    found = []
    for seed in range(3):
        options = {"hidden_size": 1, "dropout": 0.5, "scaling": "none", "learning_rate": STILL, "seed": seed}
        w = weights_of(fit_plainly(tmp_path / str(seed), X[:1], Y[:1], epochs=16, **options))
        hidden = ((w["head.bias"].numpy() - Y[0, :, 0]) ** 2).mean()
        told = np.array([loss for loss, _ in losses(tmp_path / str(seed))])
        assert len(set(told)) == 2
        found.append(tuple(np.isclose(told, hidden, rtol=1e-5)))
        assert 2 < sum(found[-1]) < 14
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("epochs", "told"), [(5, [1, 2, 3, 4, 5]), (20, [1, *range(2, 21, 2)]), (25, [1, *range(2, 25, 2), 25])]
)
def test_about_ten_lines_tell_how_far_a_training_has_come(tmp_path, capsys, epochs, told):
    fit_plainly(tmp_path / "run", epochs=epochs, batch_size=5, progress=True)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == [f"{epoch}/{epochs}" for epoch in told]


def test_a_training_is_silent_where_nobody_wants_to_know(tmp_path, capsys):
    fit_plainly(tmp_path / "run")
    assert capsys.readouterr() == ("", "")


def test_the_table_of_losses_counts_epochs_from_one(tmp_path):
    fit_plainly(tmp_path / "run", epochs=3)
    with open(tmp_path / "run" / "loss.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]
