"""The example loop: lines in, predictions out, and what systemd hears of it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from edgelstm import load
from tests.attack.fresh import CLASSES, STEPS, model_file
from tests.conftest import CO2_FILES, ROOT
from tests.runtime.timed import MINUTE, make_timed

LOOP = ROOT / "deploy" / "service" / "loop.py"
CO2 = CO2_FILES / "co2.fp32.onnx"
CARRIED = ROOT / "tests" / "runtime" / "frozen" / "format1.carried.int8.onnx"
DEADLINE_S = 30


def feed(text, file=CO2, *arguments, **environment):
    """Run the loop over a text; its answers, and the lines of its log."""
    command = [sys.executable, LOOP, file, *arguments]
    content = text if isinstance(text, bytes) else text.encode()
    process = subprocess.run(
        command, input=content, capture_output=True, env={**os.environ, **environment}, timeout=DEADLINE_S
    )
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    return process.returncode, answers, process.stderr.decode().splitlines()


@pytest.fixture(scope="module")
def window():
    return load(CO2).golden.x[0]


def test_a_file_that_answers_with_classes_names_the_likeliest(tmp_path):
    path = tmp_path / "classes.onnx"
    path.write_bytes(model_file(kind="class"))
    status, answers, _ = feed("0.5,1\n" * STEPS, path)
    assert status == 0
    assert [answer["class"] for answer in answers[:-1]] == [None] * (STEPS - 1)
    shares = answers[-1]["y"]
    assert list(shares) == list(CLASSES)
    assert answers[-1]["class"] == max(shares, key=shares.get)


def test_a_file_that_takes_times_is_given_those_of_the_lines(tmp_path):
    path = tmp_path / "timed.onnx"
    path.write_bytes(make_timed("carried").content)
    earliest = int(time.time())
    status, answers, log = feed("1,0\n1,0\n", path)
    latest = int(time.time())
    assert (status, len(answers)) == (0, 2), log
    possible = {second % MINUTE for second in range(earliest, latest + 1)}
    assert answers[0]["y"]["total"][0] in possible


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A socket such as systemd's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


@pytest.fixture
def started(tmp_path):
    """Starts the loop over a named pipe; gives the process and where to write."""
    processes = []

    def start(**environment):
        pipe = tmp_path / "samples"
        if not pipe.exists():
            os.mkfifo(pipe)
        command = [sys.executable, LOOP, CARRIED, pipe]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": {**os.environ, **environment}}
        processes.append(subprocess.Popen(command, **options))
        return processes[-1], pipe

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def sample_line(number):
    channels = len(load(CARRIED).contract.inputs)
    return ",".join(str(number + 0.25 * i) for i in range(channels)) + "\n"


def test_a_window_of_lines_gives_what_predict_gives(window):
    text = "".join(f"{value}\n" for value in window[:, 0])
    status, answers, log = feed(text)
    assert status == 0
    assert log == ["<6>co2: columns co2"]
    assert [answer["sample"] for answer in answers] == list(range(1, len(window) + 1))
    assert [answer["ready"] for answer in answers] == [False] * (len(window) - 1) + [True]
    assert answers[0]["y"] is None
    np.testing.assert_array_equal(np.float32(answers[-1]["y"]["co2"]), load(CO2).predict(window)[:, 0])


def test_bad_lines_are_logged_and_leave_the_state_as_it_was(window):
    good = [f"{value}".encode() for value in window[:, 0]]
    bad = [b"", b"co2", b"1,2", b"nan", b"inf", b"-1e999", b"1e39", b"\xff\xfe", b"\0", b"9" * 9000, b"1 2", b"0x10"]
    lines = [line for pair in zip(good, (bad * len(good))[: len(good)], strict=True) for line in pair]
    status, answers, log = feed(b"\r\n".join(lines))
    assert status == 0
    np.testing.assert_array_equal(np.float32(answers[-1]["y"]["co2"]), load(CO2).predict(window)[:, 0])
    warnings = [line for line in log if line.startswith("<4>skipped")]
    assert len(warnings) == sum(line != b"" for line in lines) - len(answers)
    assert len(log) == 1 + len(warnings)
    assert max(map(len, log)) < 400
    assert len(answers) == len(good)


def test_lines_may_come_in_any_pieces_and_the_last_without_its_end(started):
    process, pipe = started()
    with open(pipe, "wb", buffering=0) as writer:
        for byte in (sample_line(1) + sample_line(2)).encode():
            writer.write(bytes([byte]))
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
    assert (first["sample"], second["sample"]) == (1, 2)
    status, answers, _ = feed(sample_line(1) + sample_line(2).strip(), CARRIED)
    assert status == 0
    assert answers == [first, second]


def test_a_line_without_end_is_dropped_and_what_follows_it_is_read(window):
    status, answers, log = feed(b"7" * 20_000 + b"\n340.5\n")
    assert status == 0
    assert [answer["sample"] for answer in answers] == [1]
    assert [line for line in log if "more than 4096 bytes" in line] == log[1:]
    assert len(log) == 2


def test_systemd_hears_ready_then_one_sign_of_life_for_each_sample_then_stopping(systemd):
    status, answers, _ = feed(sample_line(1) + "bad\n" + sample_line(2), CARRIED)
    assert status == 0
    assert len(answers) == 2
    heard = [systemd.recv(100).decode() for _ in range(5)]
    assert heard == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_an_address_with_an_at_sign_is_in_the_abstract_namespace():
    name = f"edgelstm-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(DEADLINE_S)
        feed("", CARRIED, NOTIFY_SOCKET="@" + name)
        assert [listener.recv(100), listener.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_systemd_that_is_gone_does_not_end_the_loop(tmp_path):
    status, answers, _ = feed(sample_line(1), CARRIED, NOTIFY_SOCKET=str(tmp_path / "nobody"))
    assert status == 0
    assert len(answers) == 1


def test_the_watchdog_is_fed_while_no_sample_comes_and_not_while_a_step_hangs(systemd, started):
    process, _ = started(WATCHDOG_USEC="200000")
    assert [systemd.recv(100) for _ in range(4)] == [b"READY=1"] + 3 * [b"WATCHDOG=1"]
    os.kill(process.pid, signal.SIGSTOP)  # as if it hung
    time.sleep(0.3)
    while select.select([systemd], [], [], 0)[0]:
        systemd.recv(100)
    assert not select.select([systemd], [], [], 0.5)[0]
    os.kill(process.pid, signal.SIGCONT)
    assert systemd.recv(100) == b"WATCHDOG=1"


def test_a_stopped_stream_goes_on_where_it_was_and_an_old_or_foreign_state_does_not(started, tmp_path):
    expected = feed("".join(sample_line(i) for i in range(4)), CARRIED)[1]
    kept = {"STATE_DIRECTORY": str(tmp_path), "RESUME_WITHIN_S": "1000"}

    def run(numbers, **environment):
        process, pipe = started(**environment)
        with open(pipe, "w") as writer:
            writer.writelines(map(sample_line, numbers))
            writer.flush()
            answers = [json.loads(process.stdout.readline()) for _ in numbers]
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 0
        return answers, process.stderr.read().decode()

    first, _ = run([0, 1], **kept)
    process, _ = started(**kept)
    process.stderr.readline()
    process.kill()  # as the watchdog does: what was kept is used up, and not gone back to
    assert process.wait(DEADLINE_S) == -signal.SIGKILL
    assert run([7], **kept)[0] == feed(sample_line(7), CARRIED)[1]

    run([0, 1], **{**kept, "RESUME_WITHIN_S": "0"})
    second, log = run([2, 3], **kept)
    assert first + second == expected
    assert "<6>resuming from the state" in log
    assert run([0], **{**kept, "RESUME_WITHIN_S": "1e-9"})[0] == expected[:1]
    run([5], **kept)
    (tmp_path / "stream.npz").write_bytes(b"PK damaged")
    answers, log = run([0], **kept)
    assert answers == expected[:1]
    assert "<4>" in log
    assert "starting from zero" in log
    status, answers, log = feed("340\n", CO2, **kept)
    assert status == 0
    assert answers[0]["sample"] == 1
    assert any("another file" in line for line in log)


def test_a_serial_line_is_read_raw():
    ours, theirs = os.openpty()
    command = [sys.executable, LOOP, CARRIED, os.ttyname(theirs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stderr.readline()
        os.write(ours, sample_line(1).replace("\n", "\r\n").encode())
        assert json.loads(process.stdout.readline())["sample"] == 1
        process.terminate()
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        ([], {}, "expected MODEL.onnx and at most one SOURCE"),
        (["a", "b", "c"], {}, "expected MODEL.onnx and at most one SOURCE"),
        (["nowhere.onnx"], {}, "nowhere.onnx"),
        ([str(LOOP)], {}, "loop.py"),
        ([str(CO2), "/nowhere"], {}, "No such file"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(arguments, environment, says):
    command = [sys.executable, LOOP, *arguments]
    process = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.startswith("<3>")
    assert says in process.stderr
    assert process.stderr.count("\n") == 1
