"""Threads, pickles and forks."""

import copy
import os
import pickle
import subprocess
import sys
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from edgelstm.errors import SharingError
from edgelstm.runtime.engine.sharing import _obstacle
from tests.conftest import ROOT


def some(seed, *shape):
    """Numbers like those the networks were trained on, in ppm."""
    return np.random.default_rng(seed).normal(330, 10, shape).astype(np.float32)


def bytes_of(snapshot):
    return {name: tensor.tobytes() for name, tensor in snapshot.items()}


USES = {
    "step": lambda stream: stream.step([331.0]),
    "run": lambda stream: stream.run([[331.0]]),
    "reset": lambda stream: stream.reset(),
    "state": lambda stream: stream.state,
}


@pytest.mark.parametrize("use", USES)
def test_a_second_thread_is_refused_while_a_step_runs_and_let_in_behind_it(predictor, use):
    stream, same = predictor.stream(), predictor.stream()
    inside, go_on = threading.Event(), threading.Event()
    for row in some(0, 25, 1):
        stream.step(row), same.step(row)

    def blocked(run):
        inside.set()
        assert go_on.wait(10)
        run()

    stream._runs = tuple(partial(blocked, run) for run in stream._runs)
    thread = threading.Thread(target=stream.step, args=([330.0],))
    thread.start()
    assert inside.wait(10)
    with pytest.raises(SharingError, match=r"another thread.*predictor\.stream\(\)"):
        USES[use](stream)
    go_on.set()
    thread.join()
    same.step([330.0])
    assert bytes_of(stream.state) == bytes_of(same.state)
    assert stream.step([331.0]).tobytes() == same.step([331.0]).tobytes()


def test_a_second_thread_is_refused_by_many_streams_too(carried):
    many = carried.streams(2)
    with many._token:
        for use in (lambda: many.step([[1.0]] * 2), many.join, many.reset, lambda: many.leave([0])):
            with pytest.raises(SharingError, match="another thread"):
                use()
        with pytest.raises(SharingError, match="another thread"):
            many.restore(0, many.snapshot(1))
    assert len(many) == 2


def test_of_threads_that_race_each_step_is_taken_whole_or_refused(carried):
    stream, taken = carried.stream(), []
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def hammer():
        for _ in range(300):
            try:
                stream.step([331.0])
                taken.append(1)
            except SharingError:
                pass

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(switch)
    same = carried.stream()
    same.run(np.full((len(taken), 1), 331.0))
    assert bytes_of(stream.state) == bytes_of(same.state)


def test_threads_with_a_stream_each_share_a_predictor(predictor):
    x = some(1, 8, 40, 1)
    answers = [None] * len(x)

    def work(i):
        answers[i] = predictor.stream().run(x[i]), predictor.predict(x[i, :24])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(x))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, (stepped, predicted) in enumerate(answers):
        assert stepped.tobytes() == predictor.stream().run(x[i]).tobytes()
        assert predicted.tobytes() == predictor.predict(x[i, :24]).tobytes()


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_step_that_breaks_off_leaves_the_stream_as_it_was(predictor, error):
    def broken(run):
        run()
        raise error

    stream, many = predictor.stream(), predictor.streams(2)
    for row in some(2, 30, 1):
        stream.step(row)
        many.step([row, row])
    before, runs = bytes_of(stream.state), stream._runs
    stream._runs = tuple(partial(broken, run) for run in runs)
    with pytest.raises(error):
        stream.step([331.0])
    if predictor.contract.precision == "int8" and predictor.contract.state == "carried":
        with pytest.raises(error):
            stream.run([[331.0], [332.0]])
    stream._runs = runs
    block = many._block(2)
    many._blocks[2] = block._replace(run=partial(broken, block.run))
    with pytest.raises(error):
        many.step([[331.0], [332.0]])
    assert bytes_of(stream.state) == bytes_of(many.snapshot(0)) == bytes_of(many.snapshot(1)) == before
    assert stream.step([331.0]).shape == (3, 1)


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_holds_a_session_is_neither_pickled_nor_copied(predictor, duplicate):
    with pytest.raises(SharingError, match=r"a Predictor cannot be pickled or copied.*the path of its file"):
        duplicate(predictor)
    for stream in (predictor.stream(), predictor.streams(1)):
        with pytest.raises(SharingError, match=r"a Streams? cannot be pickled or copied.*send its state"):
            duplicate(stream)


def test_the_state_of_a_stream_is_what_travels(carried):
    stream = carried.stream()
    stream.step([330.0])
    other = carried.stream()
    other.state = pickle.loads(pickle.dumps(stream.state))
    assert other.step([331.0]).tobytes() == stream.step([331.0]).tobytes()


FORK = """
import os, sys, threading
import numpy as np
from edgelstm import load
from edgelstm.errors import SharingError

predictor = load(sys.argv[1], threads=int(sys.argv[2]))
x = np.linspace(320, 340, 30, dtype=np.float32)[:, np.newaxis]
stream, many, expected = predictor.stream(), predictor.streams(2), predictor.stream().run(x)
stream.run(x[:25]), many.step(x[:2])
if sys.argv[3] == "inside":
    other, inside = predictor.stream(), threading.Event()
    other._runs = (lambda: (inside.set(), threading.Event().wait()),) * 2
    threading.Thread(target=other.step, args=(x[0],), daemon=True).start()
    inside.wait()
child = os.fork()
if child:
    _, status = os.waitpid(child, 0)
    assert stream.run(x[25:]).tobytes() == expected[25:].tobytes()
    os._exit(os.waitstatus_to_exitcode(status))
refused = 0
for use in (
    lambda: stream.step(x[0]), lambda: stream.state, lambda: many.step(x[:2]), predictor.stream, predictor.streams,
    lambda: predictor.predict(predictor.golden.x[0]),
):
    try:
        if sys.argv[3] != "right":
            use()
    except SharingError as error:
        assert "forked" in str(error) and "load the file again in this process" in str(error), error
        refused += 1
if sys.argv[3] == "right":
    assert stream.run(x[25:]).tobytes() == expected[25:].tobytes()
    assert predictor.stream().run(x).tobytes() == expected.tobytes()
elif refused != 6:
    os._exit(9)
again = load(sys.argv[1])
assert again.stream().run(x).tobytes() == expected.tobytes()
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(("threads", "what"), [(1, "right"), (2, "refused"), (1, "inside")])
def test_after_a_fork_the_childs_use_is_right_or_refused(carried_files, threads, what):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(carried_files.fp32), str(threads), what]
    process = subprocess.run(command, env=environment, timeout=60, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize(
    ("provider", "threads", "entered", "reason"),
    [
        ("CPUExecutionProvider", 1, False, ""),
        ("CUDAExecutionProvider", 1, False, "CUDAExecutionProvider does not work after a fork"),
        ("CPUExecutionProvider", 2, False, "the threads of the session stayed in its parent"),
        ("CPUExecutionProvider", 1, True, "while another thread was inside the session"),
    ],
)
def test_a_fork_is_survived_by_a_session_of_one_thread_on_the_cpu_alone(provider, threads, entered, reason):
    options = SimpleNamespace(intra_op_num_threads=threads)
    session = SimpleNamespace(get_providers=lambda: [provider], get_session_options=lambda: options)
    assert _obstacle(session, entered).endswith(reason)
    assert bool(_obstacle(session, entered)) == bool(reason)
