"""Read samples, print predictions: the loop of the systemd unit, and a start for your own.

    python loop.py MODEL.onnx [SOURCE]

SOURCE is a serial line, a named pipe or a file; the default is what systemd's socket unit opened, or stdin. Each line
is one sample: comma-separated numbers, in the order and units of the file's contract (`edgelstm inspect MODEL.onnx`).
Each gives a line of JSON: {"sample": 7, "ready": true, "y": {"co2": [421.3, ...]}}; a file that answers with classes
adds the most probable, "class": "on". A file that takes times gets the time at which the line was read. Bad lines are
logged and skipped, and do not change the stream's state. Logs go to stderr with the <N> prefixes of systemd, which adds
the time.

Under systemd it reports when it is ready, and feeds the watchdog in each turn of the loop: if a step hangs, the service
is started again. At a stop it saves the stream's state in $STATE_DIRECTORY, and resumes from it if it starts again
within RESUME_WITHIN_S seconds (0, the default: never) with the same file.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import socket
import stat
import sys
import termios
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgelstm import load
from edgelstm.errors import EdgeLstmError, InputError, counted
from edgelstm.files import write_whole
from edgelstm.runtime import Predictor, Stream

LINE_BYTES = 4096  # a longer line is noise: a wrong baud rate, a binary file
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6
BAD_INPUT = 2


def main(arguments: list[str]) -> int:
    """Run until the source ends, or SIGTERM or SIGINT comes; return the exit status."""
    if not 1 <= len(arguments) <= 2:
        log(ERROR, f"expected MODEL.onnx and at most one SOURCE, got {counted(len(arguments), 'argument')}")
        return BAD_INPUT
    try:
        predictor = load(arguments[0])
        source = open_source(arguments[1]) if len(arguments) > 1 else opened_before()
    except (EdgeLstmError, OSError) as error:
        log(ERROR, " ".join(str(error).split()))
        return BAD_INPUT
    stream = predictor.stream()
    taken = resume(stream, predictor)
    asked_to_stop = catch_signals()
    log(INFO, f"{predictor.contract.name}: columns {', '.join(names(predictor.contract.inputs))}")
    notify("READY=1")
    for sample in run(predictor, stream, source, taken, asked_to_stop):
        print(json.dumps(sample), flush=True)
    notify("STOPPING=1")
    keep(stream, predictor)
    return 0


def run(predictor: Predictor, stream: Stream, source: int, taken: int, asked_to_stop: int) -> Iterator[dict[str, Any]]:
    """Step through the lines of a source; each turn, with or without a sample, feeds the watchdog."""
    inputs, outputs = names(predictor.contract.inputs), names(predictor.contract.outputs)
    timed, classes = predictor.contract.times, predictor.contract.answer == "class"
    every_s = int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2e6  # half of what systemd waits
    for line in lines(source, every_s, asked_to_stop):
        notify("WATCHDOG=1")
        if line is None:
            continue
        try:
            answer = stream.step(parse(line, inputs), int(time.time()) if timed else None)
        except InputError as error:
            log(WARNING, f"skipped {line[:80]!r}: {error}")
            continue
        taken += 1
        # [K, O] of a forecast becomes K values for each output, [C] or [O] one value.
        y = dict(zip(outputs, answer.T.tolist(), strict=True)) if stream.ready else None
        likeliest = {"class": str(predictor.label(answer)) or None} if classes else {}
        yield {"sample": taken, "ready": stream.ready, "y": y, **likeliest}


def parse(line: bytes, inputs: list[str]) -> list[float]:
    """Read one sample; `Stream.step` checks its values.

    Raises:
        InputError: another number of columns, or not numbers.
    """
    fields = line.decode("ascii", "replace").split(",")
    if len(fields) != len(inputs):
        raise InputError(f"expected {counted(len(inputs), 'column')} ({', '.join(inputs)}), got {len(fields)}")
    try:
        return [float(field) for field in fields]
    except ValueError as error:
        raise InputError(f"expected numbers: {error}") from error


def lines(source: int, every_s: float, asked_to_stop: int) -> Iterator[bytes | None]:
    """Yield the lines of a source without their ends, and None after `every_s` seconds without a line.

    Stop at the end of the source, or when `asked_to_stop` is readable. A line that is too long is dropped completely.
    """
    waiting, noise = b"", False
    while True:
        readable, _, _ = select.select([source, asked_to_stop], [], [], every_s)
        if asked_to_stop in readable:
            return
        if not readable:
            yield None
            continue
        chunk = os.read(source, LINE_BYTES)
        *whole, waiting = (waiting + chunk).split(b"\n")
        for line in whole:
            if not noise and line.strip():
                yield line.strip()
            noise = False
        if len(waiting) > LINE_BYTES:
            if not noise:
                log(WARNING, f"skipped a line of more than {LINE_BYTES} bytes")
            waiting, noise = b"", True
        if not chunk:
            if waiting.strip() and not noise:
                yield waiting.strip()
            return


def opened_before() -> int:
    """Return what a socket unit opened, as sd_listen_fds(3) does, else stdin."""
    return 3 if os.environ.get("LISTEN_PID") == str(os.getpid()) else 0


def open_source(path: str) -> int:
    """Open a serial line in raw mode at $BAUD (115200), a named pipe so that it survives its writers, or a file."""
    named_pipe = stat.S_ISFIFO(os.stat(path).st_mode)
    source = os.open(path, (os.O_RDWR if named_pipe else os.O_RDONLY) | os.O_NOCTTY)
    if os.isatty(source):
        tty.setraw(source)
        settings = termios.tcgetattr(source)
        settings[4] = settings[5] = baud_rate(os.environ.get("BAUD", "115200"))
        termios.tcsetattr(source, termios.TCSANOW, settings)
    return source


def baud_rate(text: str) -> int:
    """Return the constant of termios for a baud rate.

    Raises:
        InputError: termios has no such rate.
    """
    rate = getattr(termios, f"B{text}", None)
    if not isinstance(rate, int):
        raise InputError(f"BAUD: expected a standard baud rate, such as 9600 or 115200, got {text!r}")
    return rate


def catch_signals() -> int:
    """Let SIGTERM and SIGINT end the loop between two samples; return a descriptor that becomes readable then."""
    heard, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(told)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return heard


def notify(state: str) -> None:
    """Notify systemd, as sd_notify(3) does: a datagram to $NOTIFY_SOCKET, where @ stands for the abstract namespace."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    gone = contextlib.suppress(ConnectionError, FileNotFoundError)  # systemd itself is being restarted
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender, gone:
        sender.sendto(state.encode(), address)


def keep(stream: Stream, predictor: Predictor) -> None:
    """Save the stream's state and the digest of its file, if systemd gave a folder for it."""
    if place := kept():
        content = io.BytesIO()
        np.savez(content, digest=predictor.digest, stopped=time.time(), **stream.state)
        write_whole(place, content.getvalue())


def resume(stream: Stream, predictor: Predictor) -> int:
    """Resume from a state of this very file that is recent enough; return how many samples it had seen.

    A state is used once: after a crash, that of the last clean stop would be too old.
    """
    within_s = float(os.environ.get("RESUME_WITHIN_S", "0"))
    place = kept()
    if place is None or not place.exists() or not within_s:
        return 0
    try:
        content = io.BytesIO(place.read_bytes())
        place.unlink()
        with np.load(content, allow_pickle=False) as stored:
            state = dict(stored)
            age_s = time.time() - float(state.pop("stopped"))
            if str(state.pop("digest")) != predictor.digest or not 0 <= age_s <= within_s:
                log(NOTICE, "the saved state is too old, or of another file: starting from zero")
                return 0
            stream.state = state
    except (OSError, ValueError, KeyError, EdgeLstmError) as error:
        log(WARNING, f"{place}: {error}: starting from zero")
        return 0
    log(INFO, f"resuming from the state of {age_s:.1f} s ago")
    return int(state["seen"][0])


def kept() -> Path | None:
    """Return the file of the saved state; None without a $STATE_DIRECTORY."""
    folder = os.environ.get("STATE_DIRECTORY")
    return Path(folder) / "stream.npz" if folder else None


def names(channels: tuple[Any, ...]) -> list[str]:
    """List the names of a contract's channels."""
    return [channel.name for channel in channels]


def log(level: int, message: str) -> None:
    """Write one line for the journal."""
    print(f"<{level}>{message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
