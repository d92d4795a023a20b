"""Processes that train together end where one with the doubled batch ends, and end together."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from edgelstm.errors import OutputError, RecipeError, TrainingError
from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.run import read_run
from edgelstm.train import fit
from edgelstm.train.devices import check_devices
from edgelstm.train.ranks import in_ranks, node_rank, writes
from tests.conftest import ROOT
from tests.train import plain
from tests.train.acting import ends
from tests.train.test_loop import problem_of

TWO = TrainingRecipe(devices=2, threads=1)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
RNG = np.random.default_rng(3)
X = RNG.normal(size=(61, 8, 2)).astype(np.float32)  # 12 batches of 5 and one row over: a process goes without
Y = X[:, -3:, :1] + 0.1 * RNG.normal(size=(61, 3, 1)).astype(np.float32)
SERIES = [RNG.normal(size=(n, 2)).astype(np.float32).cumsum(0) for n in (90, 52, 65, 27, 80, 48)]
STATES = [np.where(one[:, 0] > 0, "up", "down").tolist() for one in SERIES]
KINDS = {
    "windows": ((X, Y), {**plain.OPTIONS, "average": 0.9, "schedule": "one-cycle", "batch_size": 5}),
    "labels": ((SERIES, STATES), {**plain.OPTIONS, "task": "label", "classes": True, "steps": 16, "batch_size": 3}),
}
for _, options in KINDS.values():
    options |= {"hidden_size": 6, "epochs": 4, "learning_rate": 0.02}

# Without a main guard: whatever imports it again trains again.
SCRIPT = textwrap.dedent("""
    import sys
    from edgelstm.train import fit
    from tests.train.test_ranks import KINDS
    print("begins")
    for name, ((x, y), options) in KINDS.items():
        fitted = fit(x, y, f"{sys.argv[1]}/{name}", validation=(x, y), devices=2, **options)
        assert len(fitted.trained.history) == 4, fitted
        print(repr(fitted.trained.history))
""")


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """A script that trained each kind in two processes: its folder, its output."""
    folder = tmp_path_factory.mktemp("two")
    done = subprocess.run([sys.executable, "-c", SCRIPT, folder], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.parametrize(("number", "kind"), list(enumerate(KINDS)))
def test_two_processes_learn_what_one_learns_of_the_doubled_batch(by_two, number, kind, tmp_path):
    (x, y), options = KINDS[kind]
    one = fit(x, y, tmp_path / "run", validation=(x, y), **{**options, "batch_size": 2 * options["batch_size"]})
    folder, done = by_two
    np.testing.assert_allclose(eval(done.stdout.splitlines()[1 + number]), one.trained.history, atol=1e-6)
    run = read_run(folder / kind)
    assert run.record.best_epoch == one.run.record.best_epoch
    for name, tensor in one.run.weights.items():
        np.testing.assert_allclose(run.weights[name], tensor, atol=1e-5, err_msg=name)


def test_the_caller_s_script_runs_once_and_one_process_tells(by_two):
    _, done = by_two
    assert [line for line in done.stdout.splitlines() if line == "begins"] == ["begins"]
    told = re.findall(r"^epoch (\d)/4  loss", done.stderr, re.MULTILINE)
    assert told == list("1234" * len(KINDS))


def test_the_first_gives_back_and_each_has_its_threads():
    assert in_ranks(ends, "both say who they are", TWO) == (0, 1)


def test_a_job_may_be_large():
    """Larger than a pipe holds."""
    assert in_ranks(bytes.upper, 5_000_000 * b"x", TWO) == 5_000_000 * b"X"


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        (
            "the second is killed",
            TrainingError,
            r"process 1 was killed by SIGKILL, and the others were stopped; --resume continues",
        ),
        ("the second meets a bug", TrainingError, r"process 1 failed, .*: ZeroDivisionError: by zero$"),
        ("the first has an error of ours", OutputError, r"^cannot write: No space left on device$"),
    ],
)
def test_a_process_that_fails_ends_all_and_its_reason_is_told_in_a_line(what, kind, message):
    start_s = time.perf_counter()
    with pytest.raises(kind, match=message) as caught:
        in_ranks(ends, what, TWO)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start_s < 300  # nobody sleeps to the end


def train_co2(folder, *more, **variables):
    command = [sys.executable, "-m", "edgelstm", "train", *more, "--output", str(folder)]
    return subprocess.Popen(
        command,
        env={**ENVIRONMENT, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores Ctrl-C
    )


# At ten times this rate, another order of the rows in a batch alone moves the first losses by 0.01.
CO2 = [
    "builtin:co2",
    "--time=date",
    "--target=co2",
    "--missing=interpolate",
    "--window=24",
    "--horizon=3",
    "--start=none",
]
CO2 += ["--hidden-size=8", "--segment=1", "--dropout=0", "--scaling=standard", "--epochs=10", "--learning-rate=0.001"]
CO2 += ["--schedule=constant", "--average=0", "--threads=1"]


def wait_for(process, line):
    told = ""
    while line not in told:
        told = process.stderr.readline()
        assert told, "it has ended"


def children_of(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def are_gone(pids):
    """Dead, or waiting for somebody to ask how they died."""
    states = [
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] for pid in pids if Path(f"/proc/{pid}").exists()
    ]
    return set(states) <= {"Z", "X"}


def all_end(pids, seconds=120):
    limit_s = time.perf_counter() + seconds
    while not are_gone(pids) and time.perf_counter() < limit_s:
        time.sleep(0.05)
    return are_gone(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
def test_whatever_ends_it_a_training_of_two_goes_on_and_ends_like_one_of_the_doubled_batch(tmp_path):
    """Ctrl-C, then a process that is killed, then a caller that is killed, each behind some epochs."""
    begun = train_co2(tmp_path, *CO2, "--batch-size=8", "--devices=2", "--overwrite")
    wait_for(begun, "epoch 2/10")
    pids = children_of(begun)
    assert len(pids) == 2
    begun.send_signal(signal.SIGINT)
    out, err = begun.communicate(timeout=900)
    assert begun.returncode == 130
    assert err.splitlines()[-1].startswith(
        "interrupted; the best weights so far are kept; resume with `edgelstm train --resume"
    )
    assert "Traceback" not in err
    assert "kept epoch" in out
    assert all_end(pids)
    assert read_run(tmp_path).record.best_epoch >= 1

    resumed = train_co2(tmp_path, "--resume")
    wait_for(resumed, "epoch 4/10")
    pids = children_of(resumed)
    os.kill(pids[1], signal.SIGKILL)
    _, err = resumed.communicate(timeout=900)
    assert resumed.returncode == 2
    assert "process 1 was killed by SIGKILL, and the others were stopped; --resume continues" in err.splitlines()[-1]
    assert all_end(pids)

    resumed = train_co2(tmp_path, "--resume")
    wait_for(resumed, "epoch 7/10")
    pids = children_of(resumed)
    resumed.kill()
    resumed.communicate(timeout=900)
    assert all_end(pids)

    resumed = train_co2(tmp_path, "--resume")
    _, err = resumed.communicate(timeout=900)
    assert resumed.returncode == 0, err
    (tmp_path / "one").mkdir()
    one = train_co2(tmp_path / "one", *CO2, "--batch-size=16")
    _, err = one.communicate(timeout=900)
    assert one.returncode == 0, err
    rows = [np.genfromtxt(folder / "loss.csv", delimiter=",")[1:] for folder in (tmp_path, tmp_path / "one")]
    np.testing.assert_allclose(*rows, atol=1e-5)


def test_two_nodes_train_together_and_the_first_alone_writes_and_tells(tmp_path):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    nodes = []
    for rank in range(2):
        (tmp_path / str(rank)).mkdir()
        place = {"NODE_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        nodes.append(train_co2(tmp_path / str(rank), *CO2, "--epochs=2", "--batch-size=8", "--nodes=2", **place))
    (out, err), (silent, nothing) = (node.communicate(timeout=900) for node in nodes)
    assert [node.returncode for node in nodes] == [0, 0], (err, nothing)
    assert "wrote" in out
    assert (silent, nothing) == ("", "")
    assert list((tmp_path / "1").iterdir()) == []
    assert json.loads((tmp_path / "0" / "recipe.json").read_text())["training"]["nodes"] == 2


@pytest.mark.parametrize(
    ("asked", "variables", "kind", "message"),
    [
        (
            {"devices": 14},
            {},
            RecipeError,
            "expected at most 13, the number of batches in an epoch, got 14: lower --devices",
        ),
        ({"strategy": "ddp"}, {}, RecipeError, r"training\.strategy: ddp needs several devices, .*--devices"),
        ({"devices": 2}, {"LOCAL_RANK": "0"}, TrainingError, "without torchrun"),
        ({"nodes": 2}, {}, TrainingError, "set NODE_RANK, MASTER_ADDR, MASTER_PORT: NODE_RANK from 0 to 1"),
        ({"nodes": 2}, {"NODE_RANK": "1", "MASTER_ADDR": "a"}, TrainingError, "set MASTER_PORT: "),
        *(
            (
                {"nodes": 2},
                {"NODE_RANK": rank, "MASTER_ADDR": "a", "MASTER_PORT": "1"},
                TrainingError,
                "expected 0 to 1 on",
            )
            for rank in ("2", "-1", "first")
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(monkeypatch, asked, variables, kind, message):
    for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    problem, network, training = problem_of("windows", **asked)
    with pytest.raises(kind, match=message) as caught:
        check_devices(problem, training, network.plan.every_step)
    assert "\n" not in str(caught.value)


def test_as_many_devices_as_batches_are_taken():
    for kind, most in (("windows", 13), ("numbers at every step", 6)):
        problem, network, training = problem_of(kind, devices=most)
        check_devices(problem, training, network.plan.every_step)


def test_more_gpus_than_there_are_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    problem, _, training = problem_of("windows", devices=2)
    with pytest.raises(TrainingError, match=r"training\.devices: expected at most the 1 GPUs of this machine, got 2"):
        check_devices(problem, training, False)


def test_what_is_refused_leaves_no_folder(tmp_path):
    with pytest.raises(RecipeError, match="the number of batches in an epoch"):
        fit(X, Y, tmp_path / "run", **{**plain.OPTIONS, "hidden_size": 2, "devices": 99})
    assert not (tmp_path / "run").exists()


def test_of_several_nodes_the_first_writes(monkeypatch):
    assert writes(TrainingRecipe())
    for rank in (0, 1):
        for name, value in {"NODE_RANK": str(rank), "MASTER_ADDR": "a", "MASTER_PORT": "1"}.items():
            monkeypatch.setenv(name, value)
        assert node_rank(TrainingRecipe(nodes=2)) == rank
        assert writes(TrainingRecipe(nodes=2)) == (rank == 0)
        assert writes(TrainingRecipe())
