"""Compare edgelstm with its alternatives: same weights, same input, one run, one core, in turns.

    make benchmarks

Each peer runs in its own process and, if needed, its own environment, all pinned to one core; the driver gives them
short turns round by round, so that a machine that slows down slows all of them. What counts is the ratio of our median
to a peer's within a round: its median and quartiles. Before that every peer must answer what edgelstm answers. Writes
results/peers.json, .md and .png. About ten minutes; making the environments (tensorflow, once, to write LiteRT files)
takes a quarter of an hour more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks import RESULTS
from benchmarks.peers import environments
from benchmarks.peers.models import CASES, Case, make_models
from benchmarks.peers.report import draw, report
from benchmarks.peers.start import measure_start
from benchmarks.peers.worker import PEERS

OURS = "edgelstm fp32"
TOLERANCE = 1e-4  # for fp32 peers; for int8 the error is reported
ROUNDS = 15
SLOW_ROUNDS = 7  # of windows of 1,000 streams: a round takes seconds
TURN_S = 0.012
MOST_CALLS = 400


class Worker:
    """A peer in its process."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        command = [environments.python_of(peer), environments.SCRIPTS / "worker.py", peer, environments.MODELS]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=environments.variables()
        )

    def ask(self, **request: Any) -> Any:
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"failed": f"its process ended with status {self.process.wait()}"}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"failed": f"its process ended with status {self.process.wait()}"}

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(case: Case, workers: list[Worker]) -> dict[str, Any]:
    """Open a case for every peer, compare the answers, and time those that agree, in turns."""
    answers = {worker.peer: worker.ask(open=[case.name, *case]) for worker in workers}
    ours = np.array(answers[OURS]["answer"])
    found: dict[str, Any] = {}
    for peer, answer in answers.items():
        if "failed" in answer:
            found[peer] = {"failed": answer["failed"]}
            continue
        error = float(np.abs(np.array(answer["answer"]) - ours).max())
        found[peer] = {"error": error}
        if not error <= TOLERANCE and "int8" not in peer:
            found[peer]["failed"] = f"answers otherwise, by {error:.2g}"
    timed = [worker for worker in workers if "failed" not in found[worker.peer]]
    rounds = time_in_turns(timed, SLOW_ROUNDS if case.what == "window" and case.streams > 1 else ROUNDS)
    for worker in timed:
        medians = rounds[worker.peer]
        ratios = rounds[OURS] / medians
        found[worker.peer]["us"] = quartiles(medians / 1e3)
        found[worker.peer]["ratio"] = quartiles(ratios)
    return found


def time_in_turns(workers: list[Worker], count: int) -> dict[str, Any]:
    """Return for each peer the median of each round, in ns; the order rotates."""
    calls = {}
    for worker in workers:
        once = float(np.median(worker.ask(time=2)["ns"]))
        calls[worker.peer] = int(np.clip(TURN_S * 1e9 / once, 1, MOST_CALLS))
    rounds: dict[str, list[float]] = {worker.peer: [] for worker in workers}
    for turn in range(count):
        first = turn % len(workers)
        for worker in workers[first:] + workers[:first]:
            rounds[worker.peer].append(float(np.median(worker.ask(time=calls[worker.peer])["ns"])))
    return {peer: np.array(medians) for peer, medians in rounds.items()}


def quartiles(values: Any) -> list[float]:
    """Return lower quartile, median, upper quartile."""
    return np.percentile(values, [25, 50, 75]).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="only write table and chart from the JSON")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--hidden", nargs="*", type=int, help="hidden sizes [all]")
    asked = parser.parse_args()
    place = RESULTS / "peers.json"
    if not asked.draw:
        missing = environments.make()
        make_models(environments.MODELS)
        missing |= environments.make_files(CASES)
        place.write_text(json.dumps(run(asked, missing), indent=1) + "\n")
    results = json.loads(place.read_text())
    (RESULTS / "peers.md").write_text(report(results))
    draw(results, RESULTS / "peers.png")
    print(report(results))


def run(asked: argparse.Namespace, missing: dict[str, str]) -> dict[str, Any]:
    """Measure everything."""
    begun = time.monotonic()
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})  # the driver sleeps while a peer has its turn; children inherit
    workers = [Worker(peer) for peer in dict.fromkeys([OURS, *asked.peers]) if peer not in missing]
    cases = {}
    for case in CASES:
        if not asked.hidden or case.hidden in asked.hidden:
            cases[case.name] = {**case._asdict(), "peers": measure(case, workers)}
            print(f"{time.monotonic() - begun:4.0f} s  {case.name}", file=sys.stderr)
    for worker in workers:
        worker.close()
    return {
        "machine": environments.describe(),
        "core": core,
        "rounds": ROUNDS,
        "cases": cases,
        "start": measure_start(),
        "installed_mb": environments.installed_mb(),
        "missing": missing,
        "seconds": round(time.monotonic() - begun),
    }


if __name__ == "__main__":
    main()
