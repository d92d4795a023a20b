"""What a guard before the state costs, and what drift costs in addition.

    python -m benchmarks.guard

A carried network of 8 inputs and 64 units, fp32, one thread. Blocks of 1,000 steps of a plain stream and of guarded
ones in turn, so that a machine that slows down slows all of them, in processor time of this thread; medians over the
rounds with their quartiles. Writes results/guard.json and .md; a minute on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace

import numpy as np

from benchmarks import RESULTS
from edgelstm.bench.machine import describe_machine
from edgelstm.export import export_run
from edgelstm.runtime import Guard, GuardedStream, Predictor, read_model_file
from edgelstm.train import fit

INPUTS, HIDDEN, STEPS, SECONDS = 8, 64, 1000, 45.0
TRAINING = {"hidden_size": HIDDEN, "state": "carried", "epochs": 1, "threads": 1, "progress": False}
PLAIN, GUARDED, TIMED = "plain stream", "guard without drift", "guard without drift, with times"
ASKED = "guard, drift asked once in 1,000 steps"
COUNTED = "plain stream, ten bins counted at every step instead"
OVER = ((GUARDED, PLAIN), (TIMED, PLAIN), (ASKED, PLAIN), (ASKED, GUARDED), (COUNTED, PLAIN))


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    figures = measure()
    (RESULTS / "guard.json").write_text(json.dumps(figures, indent=1) + "\n")
    text = report(figures)
    (RESULTS / "guard.md").write_text(text)
    print(text)


def measure() -> dict:
    """Measure a step of each kind, and what one kind adds to another in the same round: quartiles, in microseconds."""
    predictor = trained()
    rows = list(np.random.default_rng(0).uniform(-1, 1, (STEPS, INPUTS)).astype(np.float32))
    took = time_blocks(kinds(predictor, rows))
    drift = took.pop("drift()") * STEPS
    over = {f"{a} - {b}": (took[a] - took[b], (took[a] / took[b] - 1) * 100) for a, b in OVER}
    return {
        "machine": asdict(describe_machine()),
        "rounds": len(drift),
        "step_us": {name: quartiles(each) for name, each in took.items()},
        "drift_call_us": quartiles(drift),
        "over_us": {name: quartiles(us) for name, (us, _) in over.items()},
        "over_percent": {name: quartiles(percent) for name, (_, percent) in over.items()},
    }


def trained() -> Predictor:
    """Make a file that was trained for one epoch on noise, one sample a second."""
    x = np.random.default_rng(1).uniform(-1, 1, (40, 50, INPUTS)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        fit(x, x[..., :1], f"{folder}/run", name="guard", **TRAINING)
        export_run(f"{folder}/run", folder)
        file = read_model_file(f"{folder}/guard.fp32.onnx")
    return Predictor(file._replace(contract=replace(file.contract, sample_period_s=1.0)))


def time_blocks(blocks: dict[str, Callable[[], object]]) -> dict[str, np.ndarray]:
    """Return the microseconds per step of each block, round by round; the first three rounds warm up."""
    rounds, end = [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        rounds.append([seconds(block) for block in blocks.values()])
    return dict(zip(blocks, np.array(rounds[3:]).T / STEPS * 1e6, strict=True))


def seconds(block: Callable[[], object]) -> float:
    start = time.thread_time()
    block()
    return time.thread_time() - start


def quartiles(values: np.ndarray) -> list[float]:
    return [round(float(q), 3) for q in np.percentile(values, [25, 50, 75])]


def kinds(predictor: Predictor, rows: list[np.ndarray]) -> dict[str, Callable[[], object]]:
    """Make blocks of steps, each on its own stream."""
    plain, other = predictor.stream(), predictor.stream()
    bare, timed = (GuardedStream(predictor, Guard(drift_window=0)) for _ in range(2))
    watched = GuardedStream(predictor, Guard(drift_window=STEPS))
    clock = itertools.count()
    edges = np.array([channel.statistics.quantiles[1:-1] for channel in predictor.contract.inputs], np.float32)
    counts, channels = np.zeros((INPUTS, 10), np.int64), np.arange(INPUTS)

    def untimed(stream: object) -> None:
        for row in rows:
            stream.step(row, copy=False)

    def with_times() -> None:
        for row in rows:
            timed.step(row, next(clock), copy=False)

    def with_drift() -> None:
        untimed(watched)
        watched.drift()

    def counting() -> None:
        for row in rows:
            counts[channels, (edges < row[:, np.newaxis]).sum(axis=1)] += 1
            other.step(row, copy=False)

    return {
        PLAIN: lambda: untimed(plain),
        GUARDED: lambda: untimed(bare),
        TIMED: with_times,
        ASKED: with_drift,
        COUNTED: counting,
        "drift()": watched.drift,
    }


def report(figures: dict) -> str:
    """The tables, in Markdown."""
    machine = figures["machine"]
    lines = [
        "# What a guard costs",
        "",
        f"Made by `python -m benchmarks.guard`: {INPUTS} inputs, {HIDDEN} units, carried, fp32, one thread, clean "
        f"samples, `copy=False`. {figures['rounds']} rounds of blocks of {STEPS:,} steps, all kinds in turn, processor "
        "time of the thread; medians with their quartiles.",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, "
        f"numpy {machine['versions']['numpy']}, onnxruntime {machine['versions']['onnxruntime']}.",
        "",
        "| | us a step |",
        "|---|--:|",
        *(f"| {name} | {spread(each, 2)} |" for name, each in figures["step_us"].items()),
        "",
        "| in the same round | us a step | % of the second |",
        "|---|--:|--:|",
    ]
    for name, us in figures["over_us"].items():
        lines.append(f"| {name} | {spread(us, 2)} | {spread(figures['over_percent'][name], 1)} |")
    call = figures["drift_call_us"]
    share = call[1] / STEPS / figures["step_us"][PLAIN][1]
    lines += [
        "",
        f"One call of `drift()` over {STEPS:,} samples of {INPUTS} channels: {spread(call, 0)} us; once in as many "
        f"steps that is {share:.1%} of a plain step.",
    ]
    return "\n".join(lines) + "\n"


def spread(values: Iterable[float], digits: int) -> str:
    low, middle, high = values
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
