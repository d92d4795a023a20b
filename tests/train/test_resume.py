"""A training that was killed or interrupted goes on, and ends where an uninterrupted one ends."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from edgelstm.errors import OutputError, RecipeError, RunError, TrainingError
from edgelstm.export import export_run
from edgelstm.recipe.file import check_recipe
from edgelstm.run import read_run
from edgelstm.train import loop, resume_recipe
from edgelstm.train.defaults import settle
from edgelstm.train.tasks import TASKS
from tests.conftest import ROOT, small_recipe, train_small

# Up to 19 epochs, each one tells a line, so that a test knows how far a training had come.
SETTINGS = {
    "window__stride": 8,
    "network__num_layers": 2,
    "network__dropout": 0.2,
    "training__epochs": 12,
    "training__patience": 9,
    "training__batch_size": 8,  # 25 batches in an epoch
    "training__schedule": "one-cycle",
}
LINE = re.compile(r"^epoch (\d+)/12 ", re.MULTILINE)

# Imports once, then forks one training after the other: `kill` says when it dies by SIGKILL.
FORKS = textwrap.dedent("""
    import os, pathlib, signal, sys, time
    import pytest, torch
    import edgelstm.train.fit, edgelstm.train.loop
    from tests.conftest import leave_out_what_nobody_looks_at, train_small
    from tests.train.test_resume import SETTINGS

    leave_out_what_nobody_looks_at(pytest.MonkeyPatch())

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def when(place, attribute, calls, is_it):
        real = getattr(place, attribute)
        seen = []
        def replaced(*arguments, **options):
            seen.extend([1] * is_it(*arguments))
            return die() if len(seen) == calls else real(*arguments, **options)
        setattr(place, attribute, replaced)

    def half_written(content, file):
        file.write(b"PK half a checkpoint")
        file.flush()
        file.seek(0)
        return True

    def prepare(kill):
        if kill == "in the first epoch":
            when(edgelstm.train.loop, "step", 20, lambda *_: True)
        elif kill == "with half a checkpoint":
            when(torch, "save", 4, half_written)
        elif kill == "between two files of the run":
            when(os, "replace", 1, lambda _, target: str(target).endswith("loss.csv"))
        elif kill == "before the checkpoint is removed":
            when(pathlib.Path, "unlink", 1, lambda path, *_: path.name.endswith(".ckpt"))

    for folder, kill in zip(sys.argv[1::2], sys.argv[2::2]):
        folder, started = pathlib.Path(folder), time.perf_counter()
        child = os.fork()
        if child == 0:
            sys.stderr.flush()
            os.dup2(os.open(f"{folder}.err", os.O_WRONLY | os.O_CREAT), 2)
            prepare(kill)
            train_small(folder, **SETTINGS)
            os._exit(0)
        if kill.startswith("after "):
            while not (folder / "recipe.json").exists():
                time.sleep(0.001)
            time.sleep(float(kill.removeprefix("after ")) * whole_s)
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if kill == "never":
            whole_s = time.perf_counter() - started
        print(os.waitstatus_to_exitcode(status))
""")

MOMENTS = [
    "in the first epoch",
    "with half a checkpoint",
    "between two files of the run",
    "before the checkpoint is removed",
    *(f"after {0.8 * random.random():.3f}" for _ in range(2)),
]


def named(moment):
    return "at a random moment" if moment.startswith("after ") else moment


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Trainings by the moment of their death, beside one that nothing disturbed."""
    base = tmp_path_factory.mktemp("killed")
    folders = {moment: base / str(n) for n, moment in enumerate(["never", *MOMENTS])}
    arguments = [str(word) for moment, folder in folders.items() for word in (folder, moment)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", FORKS, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    codes = dict(zip(folders, map(int, done.stdout.split()), strict=True))
    assert codes.pop("never") == 0
    for moment, code in codes.items():
        # Of the random moments, some may come when all is done.
        assert code == -signal.SIGKILL or (code == 0 and moment.startswith("after ")), (moment, code)
    return folders


@pytest.fixture(scope="module")
def undisturbed(killed):
    return read_run(killed["never"])


def assert_same_run(one, other):
    for name, tensor in one.weights.items():
        np.testing.assert_array_equal(tensor, other.weights[name], err_msg=name)
    assert one.record == other.record
    assert (one.path / "loss.csv").read_text() == (other.path / "loss.csv").read_text()


def is_finished(folder):
    return (folder / "run.json").exists() and not (folder / "resume.ckpt").exists()


@pytest.mark.parametrize("moment", [pytest.param(moment, id=named(moment)) for moment in MOMENTS])
def test_a_killed_training_goes_on_and_ends_like_an_uninterrupted_one(killed, undisturbed, moment, capsys, tmp_path):
    folder = killed[moment]
    told = LINE.findall((folder.parent / f"{folder.name}.err").read_text())
    if is_finished(folder):
        with pytest.raises(TrainingError, match="finished"):
            resume_recipe(folder)
    else:
        resume_recipe(folder)
    goes_on = LINE.findall(capsys.readouterr().err)
    # An epoch is told when it has ended; only the one that was running, or being saved, may be lost.
    if goes_on:
        assert int(goes_on[0]) >= len(told)
    else:
        assert len(told) == 12
    run = read_run(folder)
    assert_same_run(run, undisturbed)
    assert not list(folder.glob("resume.*"))
    export_run(folder, tmp_path)
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["small.fp32.onnx"]


def press_ctrl_c(monkeypatch, epoch, batch, times=1):
    """Let SIGINT arrive while some batch of some epoch is being trained on, both from 1."""
    real, learnt = {name: getattr(loop, name) for name in ("learn", "step")}, []

    def learn(*arguments):
        learnt.append(0)
        return real["learn"](*arguments)

    def step(*arguments):
        learnt[-1] += 1
        if (len(learnt), learnt[-1]) == (epoch, batch):
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return real["step"](*arguments)

    monkeypatch.setattr(loop, "learn", learn)
    monkeypatch.setattr(loop, "step", step)


def test_ctrl_c_keeps_the_best_weights_and_the_training_can_go_on(undisturbed, tmp_path, monkeypatch, capsys):
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, epoch=5, batch=3)  # of 25
        stopped = train_small(tmp_path / "run", **SETTINGS)
    assert "stopping soon" in capsys.readouterr().err
    assert stopped.interrupted
    assert signal.getsignal(signal.SIGINT) is handler
    rows = (tmp_path / "run" / "loss.csv").read_text().splitlines()[1:]
    validation = [float(row.split(",")[2]) for row in rows]
    assert read_run(tmp_path / "run").record.best_epoch == 1 + validation.index(min(validation))
    export_run(tmp_path / "run", tmp_path / "files")
    assert not resume_recipe(tmp_path / "run").interrupted
    assert_same_run(read_run(tmp_path / "run"), undisturbed)


def test_ctrl_c_twice_gives_up_at_once_and_loses_the_running_epoch_alone(undisturbed, tmp_path, monkeypatch, capsys):
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, epoch=5, batch=3, times=2)
        with pytest.raises(KeyboardInterrupt):
            train_small(tmp_path / "run", **SETTINGS)
    assert signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(RunError, match="--resume"):
        read_run(tmp_path / "run")
    capsys.readouterr()
    resume_recipe(tmp_path / "run")
    assert LINE.findall(capsys.readouterr().err)[0] == "5"
    assert_same_run(read_run(tmp_path / "run"), undisturbed)


@pytest.fixture
def begun(tmp_path):
    """A training of which only the recipe was written before it was killed."""
    recipe = check_recipe(small_recipe(), "test")
    settled = settle(recipe, TASKS[recipe.task].read(recipe))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text(settled.model_dump_json())
    return tmp_path / "run", recipe


def test_a_recipe_that_is_given_again_must_be_the_same(begun):
    folder, recipe = begun
    other = check_recipe(small_recipe(training__epochs=3), "test")
    with pytest.raises(TrainingError, match=r"started with other settings \(training\.epochs 2, not 3\)"):
        resume_recipe(folder, other)
    assert resume_recipe(folder, recipe).run.record.best_epoch == 2


def test_a_training_does_not_go_on_with_other_data(tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    values = np.cumsum(np.random.default_rng(0).normal(size=300))
    table.write_text("\n".join(["a", *map(str, values)]))
    data = {"data__path": str(table), "data__time": None, "data__targets": ["a"], "data__units": {}}
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, epoch=2, batch=1)
        train_small(tmp_path / "run", **data)
    table.write_text("\n".join(["a", *map(str, values * 3 + 100)]))
    with pytest.raises(TrainingError, match="data"):
        resume_recipe(tmp_path / "run")


@pytest.mark.parametrize(
    ("epoch", "told"), [(1, "no epoch was saved"), (2, "--resume continues after the last saved epoch")]
)
def test_a_full_disk_is_one_clear_error_and_leaves_what_was_whole(tmp_path, monkeypatch, epoch, told):
    saved, real = [], torch.save

    def save(content, file):
        saved.append(file)
        if len(saved) == epoch:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(content, file)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save)
        with pytest.raises(OutputError, match=rf"^cannot write .*resume\.ckpt: No space left on device; {told}$"):
            train_small(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"recipe.json", *["resume.ckpt"][: epoch - 1]}
    assert resume_recipe(tmp_path / "run").run.record.best_epoch


def test_there_must_be_something_to_resume(tmp_path):
    with pytest.raises(TrainingError, match="there is no training to resume; omit --resume"):
        resume_recipe(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_finished_training_is_not_trained_again(undisturbed):
    before = {path.name: path.read_bytes() for path in undisturbed.path.iterdir()}
    with pytest.raises(TrainingError, match="finished"):
        resume_recipe(undisturbed.path)
    assert {path.name: path.read_bytes() for path in undisturbed.path.iterdir()} == before


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 half a checkpoint"])
def test_a_damaged_checkpoint_is_one_clear_error(begun, content):
    folder, _ = begun
    (folder / "resume.ckpt").write_bytes(content)
    with pytest.raises(
        TrainingError, match=r"resume\.ckpt: is damaged, the training cannot resume; start again with --overwrite"
    ) as caught:
        resume_recipe(folder)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_lightning_s_trainer_is_one_clear_error(begun):
    """As versions before 0.3 wrote it."""
    folder, _ = begun
    torch.save({"pytorch-lightning_version": "2.6.6", "state_dict": {}, "epoch": 3}, folder / "resume.ckpt")
    with pytest.raises(TrainingError, match=r"^.*resume\.ckpt: was written by an older edgelstm; .* --overwrite$"):
        resume_recipe(folder)


def test_a_training_of_before_there_were_some_options_goes_on(begun):
    """Its record lacks them, and they are as they are by default."""
    folder, _ = begun
    recorded = json.loads((folder / "recipe.json").read_text())
    for key in ("devices", "nodes", "strategy"):
        del recorded["training"][key]
    (folder / "recipe.json").write_text(json.dumps(recorded))
    assert resume_recipe(folder).run.record.best_epoch == 2


@pytest.mark.parametrize("content", ["{", "[]", "3", "{}"])
def test_a_damaged_recipe_is_one_clear_error(begun, content):
    folder, _ = begun
    (folder / "recipe.json").write_text(content)
    with pytest.raises((TrainingError, RecipeError)):
        resume_recipe(folder)
