"""The parts of one step: onnxruntime's kernels, its call, and our share; and the gain of many streams in one call.

    python -m benchmarks.step

Carried networks of 8 channels, one thread, random weights. All cases of a size are timed in turn, in rounds of many
calls, in processor time of the thread, so that other work of the machine is not counted (it would burden the long
calls); figures are medians over rounds, shares are medians of the differences within a round, which a slow moment of
the machine affects equally. Writes results/step.json and results/step.md; about two minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnxruntime

from benchmarks import RESULTS
from edgelstm.bench.machine import describe_machine
from edgelstm.contract import FORMAT_VERSION, Channel, Contract, Provenance
from edgelstm.export.graph import build_graph
from edgelstm.network import Linear, Lstm, Network, Rescale, Standardize, carried_states
from edgelstm.runtime import Golden, ModelFile, Predictor
from edgelstm.runtime.engine.binding import bind
from edgelstm.runtime.streams.room import zero_states, zero_y
from edgelstm.strict_json import plain

HIDDEN, F, STREAMS, LONG = (16, 64, 128, 256), 8, 1000, 257
NOTHING = Golden(*[np.zeros((1, 1, 1), np.float32)] * 3, {})

Cases = dict[str, tuple[Callable[[int], object], int]]  # what to call, and how many times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    rounds = parser.parse_args().rounds
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    found = {str(hidden): measure(hidden, rounds) for hidden in HIDDEN}
    found["pieces"] = pieces(rounds)
    found["machine"] = plain(describe_machine())
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "step.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "step.md").write_text(report(found))
    print(report(found))


def make_predictor(hidden: int) -> Predictor:
    """Make a carried network with initial weights."""
    layers = (
        Standardize("offset", "factor"),
        Lstm("lstm", F, hidden),
        Linear("head", hidden, 1),
        Rescale("scale", "back"),
    )
    network, rng = Network(layers), np.random.default_rng(0)
    weights = {
        name: rng.uniform(-1, 1, shape or (1,)).astype(np.float32) * hidden**-0.5 for name, shape in network.tensors()
    }
    x = tuple(Channel(f"x{i}", None, "float32", None) for i in range(F))
    y = (Channel("y", None, "float32", None),)
    states = carried_states(network)
    what = (FORMAT_VERSION, "step", "forecast", "fp32", x, y, 64, 1, False, "carried", "carried", states, "standard")
    contract = Contract(*what, None, None, None, (), Provenance({}, None, "", None))
    return Predictor(ModelFile(build_graph(network, weights, contract).SerializeToString(), contract, NOTHING, ""))


def measure(hidden: int, rounds: int) -> dict[str, Any]:
    """Time all kinds of steps, for one size."""
    predictor = make_predictor(hidden)
    stream, copying, session = predictor.stream(), predictor.stream(), predictor._session
    x = np.random.default_rng(1).normal(size=(STREAMS, F)).astype(np.float32)
    sample = x[0]
    many, some = predictor.streams(STREAMS), np.random.default_rng(2).permutation(STREAMS)[: STREAMS // 2]
    names = ["y", *(state.output for state in predictor.contract.states)]
    feeds = {"x": sample[np.newaxis, np.newaxis], **zero_states(predictor.contract, 1)}
    calls = max(20, 6000 // hidden)

    def step(n: int) -> None:
        for _ in range(n):
            stream.step(sample, copy=False)

    def step_copy(n: int) -> None:
        for _ in range(n):
            copying.step(sample)

    cases: Cases = {
        "bound": (again(bound(predictor, 1)), calls),
        "bound_long": (again(bound(predictor, LONG)), max(1, calls // LONG)),
        "step": (step, calls),
        "step_copy": (step_copy, calls),
        "plain": (again(lambda: session.run(names, feeds)), calls),
        "many": (again(lambda: many.step(x)), 1),
        "half": (again(lambda: many.step(x[: STREAMS // 2], at=some)), 1),
    }
    times = time_rounds(cases, rounds)
    kernel = (times["bound_long"] - times["bound"]) / (LONG - 1)
    shares = {"kernel": kernel, "call": times["bound"] - kernel, "ours": times["step"] - times["bound"]}
    shares["copy"] = times["step_copy"] - times["step"]
    ratios = {"many": STREAMS * times["step"] / times["many"], "half": STREAMS / 2 * times["step"] / times["half"]}
    return {
        "us": {name: quartiles(value) for name, value in times.items()},
        "shares_us": {name: quartiles(value) for name, value in shares.items()},
        "ratios": {name: quartiles(value) for name, value in ratios.items()},
    }


def bound(predictor: Predictor, steps: int) -> Callable[[], None]:
    """Bind the call of one step, or of a series of steps, to its own buffers: without any code of ours."""
    contract = predictor.contract
    x = np.random.default_rng(3).normal(size=(1, steps, F)).astype(np.float32)
    old, new, y = zero_states(contract, 1), zero_states(contract, 1), zero_y(contract, 1, steps)
    run = bind(predictor._session, {"x": x, **old}, {"y": y} | {s.output: new[s.input] for s in contract.states})
    run.buffers = x, old, new, y  # their memory is bound and must stay alive
    return run


def again(call: Callable[[], object]) -> Callable[[int], object]:
    """Repeat a call without a list of results: hundreds of floats kept alive cost 1 us of each call."""

    def run(n: int) -> None:
        for _ in range(n):
            call()

    return run


def pieces(rounds: int) -> dict[str, Any]:
    """Time the alternatives, in nanoseconds, including the loop around them (about 20)."""
    predictor = make_predictor(16)
    session, binding = predictor._session, predictor._session.io_binding()
    kept = zero_states(predictor.contract, 1)
    x, y = np.ones((1, 1, F), np.float32), zero_y(predictor.contract, 1, 1)
    for name, buffer in {"x": x, **kept}.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(buffer))
    binding.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(y))
    native, options = session._sess.run_with_iobinding, onnxruntime.RunOptions()
    unsynchronized = onnxruntime.RunOptions()
    unsynchronized.add_run_config_entry("disable_synchronize_execution_providers", "1")
    lock, free, row, numbers = threading.Lock(), [None], x[0, 0], memoryview(x[0, 0])
    sample, wide, mask = np.ones(F, np.float32), np.ones(64, np.float32), np.empty(64, bool)

    def token(n: int) -> None:
        for _ in range(n):
            free.pop()
            free.append(None)

    def locked(n: int) -> None:
        for _ in range(n):
            lock.acquire(blocking=False)
            lock.release()

    everything = slice(None)

    def written(n: int) -> None:
        for _ in range(n):
            numbers[everything] = sample

    def private(*options: object) -> Callable[[int], object]:
        return again(partial(native, binding._iobinding, *options))

    cases: Cases = {
        "token: list.pop and append": (token, 200),
        "token: threading.Lock": (locked, 200),
        "copy: into a memoryview, which looks at dtype and shape": (written, 200),
        "finite: sum of a memoryview, F = 8": (again(partial(sum, numbers)), 200),
        "finite: x.dot(x), F = 8": (again(partial(row.dot, row)), 200),
        "finite: np.isfinite into a mask, F = 64": (again(lambda: b"\0" not in np.isfinite(wide, mask).tobytes()), 200),
        "finite: np.isfinite(x).all(), F = 8": (again(lambda: np.isfinite(row).all()), 200),
        "call: public, no options": (again(partial(session.run_with_iobinding, binding)), 50),
        "call: public, empty options": (again(partial(session.run_with_iobinding, binding, options)), 50),
        "call: private, no options": (private(None), 50),
        "call: private, empty options": (private(options), 50),
        "call: private, not synchronized": (private(unsynchronized), 50),
    }
    times = time_rounds(cases, rounds)
    return {name: quartiles(times[name] * 1e3) for name in cases}


def time_rounds(cases: Cases, rounds: int) -> dict[str, np.ndarray]:
    """Time all cases in turn, [rounds] microseconds per call each."""
    clock = time.thread_time_ns
    times = {name: np.empty(rounds) for name in cases}
    for turn in range(-10, rounds):  # the first ten do not count
        for name, (call, calls) in cases.items():
            call(1 + calls // 10)  # the previous case has filled the caches
            start = clock()
            call(calls)
            if turn >= 0:
                times[name][turn] = (clock() - start) / calls / 1e3
    return times


def quartiles(values: np.ndarray) -> list[float]:
    return [round(float(value), 3) for value in np.percentile(values, [25, 50, 75])]


def report(found: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    machine = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    sizes = [str(hidden) for hidden in HIDDEN]

    def row(title: str, group: str, key: str, form: str = ".2f") -> str:
        cells = (found[size][group][key] for size in sizes)
        return f"| {title} | " + " | ".join(f"{m:{form}} ({lo:{form}} to {hi:{form}})" for lo, m, hi in cells) + " |"

    lines = [
        "# What a step is made of",
        "",
        f"`python -m benchmarks.step` on {machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python "
        f"{machine['python']}, {versions}. Carried networks of {F} channels, fp32, one thread, microseconds of "
        "processor time: medians over interleaved rounds, quartiles in brackets; shares are medians of the differences "
        "within a round.",
        "",
        "| hidden size | " + " | ".join(sizes) + " |",
        "|---|" + "--:|" * len(sizes),
        row("`Stream.step(sample, copy=False)`", "us", "step"),
        row(f"of it: onnxruntime's kernels (the slope of a series of {LONG} steps)", "shares_us", "kernel"),
        row("of it: onnxruntime's call (what a bound call takes beyond that)", "shares_us", "call"),
        row("of it: ours (checks, copy into the buffer, turn, token)", "shares_us", "ours"),
        row("`copy=True` adds", "shares_us", "copy"),
        row("`session.run` with numpy arrays instead", "us", "plain"),
        row(f"`Streams.step` of {STREAMS:,}, a call", "us", "many", ".0f"),
        row(f"{STREAMS:,} single steps by one such call", "ratios", "many", ".1f"),
        row(f"{STREAMS // 2} single steps by one call for any {STREAMS // 2} of {STREAMS:,}", "ratios", "half", ".1f"),
        "",
        "What there was to choose from, nanoseconds:",
        "",
        "| piece | median (quartiles) |",
        "|---|--:|",
        *(f"| {name} | {m:.0f} ({lo:.0f} to {hi:.0f}) |" for name, (lo, m, hi) in found["pieces"].items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
