"""The judge's figures, and which file to ship."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgelstm.bench.machine import Machine
from edgelstm.bench.timer import Latency

NOTABLY_FASTER = 1.05  # a median ratio below this does not justify another file


@dataclass(frozen=True)
class Judged:
    """What was measured on one file.

    Attributes:
        name, precision, size_bytes, load_ms: those of the file.
        step, window: latency of one sample through a stream, and of one window.
        step_speed, window_speed: median over rounds of the first file's time divided by this one's: 2 is twice as fast.
        metric: on the held-out data, or None without data. See `Judgement.metric`.
        drop: how much worse than the first file's metric, 0.01 is one percent; None without held-out data.
        max_error: largest difference from the first file's answers, in standard deviations of the output.
        stream_difference: largest difference between steps and the same samples at once, in the same unit.
        neighbour_difference: how much a row changes when an ONNX client runs it in a batch, in the same unit.
    """

    name: str
    precision: str
    size_bytes: int
    load_ms: float
    step: Latency
    window: Latency
    step_speed: float
    window_speed: float
    metric: float | None
    drop: float | None
    max_error: float
    stream_difference: float
    neighbour_difference: float


@dataclass(frozen=True)
class Judgement:
    """All files, and which one to ship.

    Attributes:
        files: in the given order; the others are compared with the first.
        state: the mode: `"window"`, or `"carried"` over `steps` steps.
        steps: total steps of a carried state; 0 for windows.
        series: how often it started from zero, once for each series; 0 for windows.
        metric: the name of `Judged.metric`, as in `Contract.metric`: `"rmse"` in the unit of the one output,
            `"accuracy"`.
        max_metric_drop: the worst drop allowed.
        ship: name of the file to ship.
        sentences: why, and the objections to the others.
        machine: where it was measured.
    """

    files: tuple[Judged, ...]
    state: str
    steps: int
    series: int
    metric: str
    max_metric_drop: float
    ship: str
    sentences: tuple[str, ...]
    machine: Machine


def verdict(files: Sequence[Judged], state: str, limit: float) -> tuple[str, tuple[str, ...]]:
    """Choose among smaller files within the drop: the fastest if notably faster, else the smallest that is as fast.

    Args:
        files: the figures; the others are compared with the first.
        state: the state in which they run, `"window"` or `"carried"`.
        limit: the worst drop allowed.

    Returns:
        The name of the file to ship, and why in sentences.
    """
    first = files[0]
    what = "step" if state == "carried" else "window"
    against = [_objection(file, first, what, limit) for file in files[1:]]
    good = [file for file, objection in zip(files[1:], against, strict=True) if not objection]
    sentences = [objection for objection in against if objection]
    if not good:
        why = "nothing else was given" if len(files) == 1 else "no other file is worth it"
        return first.name, (f"ship {first.name}: {why}", *sentences)
    fastest = max(good, key=lambda file: _speed(file, what))
    as_fast = [file for file in good if _speed(file, what) > 1 / NOTABLY_FASTER]
    small = min(as_fast or good, key=lambda file: file.size_bytes)
    chosen = fastest if _speed(fastest, what) >= NOTABLY_FASTER else small
    return chosen.name, (f"ship {chosen.name}: {_praise(chosen, first, what)}", *sentences)


def _speed(file: Judged, what: str) -> float:
    return file.step_speed if what == "step" else file.window_speed


def _objection(file: Judged, first: Judged, what: str, limit: float) -> str:
    """Say why a file is not recommended; empty if it may be."""
    speed = _speed(file, what)
    pace = f"{speed:.2f} times as fast" if speed >= NOTABLY_FASTER else "not faster"
    if file.drop is None:
        return f"{file.name} is not recommended: without test data its accuracy is unknown"
    if not file.drop <= limit:
        return (
            f"{file.name} is not recommended: its metric is {_percent(file.drop)} worse, {_percent(limit)} is allowed "
            f"({pace} for a {what})"
        )
    if file.size_bytes >= first.size_bytes:
        return f"{file.name} is not recommended: it is not smaller than {first.name} and {pace} for a {what}"
    return ""


def _praise(file: Judged, first: Judged, what: str) -> str:
    size = f"{1 - file.size_bytes / first.size_bytes:.0%} smaller than {first.name}"
    speed = _speed(file, what)
    if speed >= NOTABLY_FASTER:
        pace = f"{speed:.2f} times as fast for a {what}"
    elif speed > 1 / NOTABLY_FASTER:
        pace = f"as fast for a {what}"
    else:
        pace = f"but a {what} takes {1 / speed:.2f} times as long"
    drop = file.drop or 0.0
    metric = "its metric is no worse" if drop <= 0 else f"its metric is {_percent(drop)} worse"
    return f"{size}, {pace}, {metric}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
