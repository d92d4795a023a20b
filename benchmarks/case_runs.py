"""Run the cases of a benchmark with several seeds, each in a separate process, and keep the results.

A result is a JSON file beside those of other cases. It holds a digest of its inputs, so that a second start continues
with what is missing or was changed.
"""

from __future__ import annotations

import argparse
import difflib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import ROOT

WORKERS = 2
INTERRUPTED = 130


class Bench(NamedTuple):
    """A benchmark of many cases.

    Attributes:
        name: for messages.
        cases: what `--only` may name.
        worker: the module that runs one: `python -m WORKER CASE SEED RUN OUTPUT`.
        runs: the folder of runs and logs, which hold weights and data.
    """

    name: str
    cases: tuple[str, ...]
    worker: str
    runs: Path


class Ended(NamedTuple):
    """How a case ended: what went wrong, or an empty text."""

    complaint: str
    seconds: float


def parser_of(bench: Bench, description: str, seeds: str, output: Path) -> argparse.ArgumentParser:
    """Add options for seeds, cases and the folder of the results; see `parse`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", default=seeds, help=f"such as 0,1,2 [{seeds}]")
    only = f"cases, such as {','.join(bench.cases[:2])} [all]"
    parser.add_argument("--only", default=",".join(bench.cases), help=only)
    where = f"the folder of the results [{output.relative_to(ROOT)}]"
    parser.add_argument("--output", type=Path, default=output, help=where)
    return parser


def parse(parser: argparse.ArgumentParser, bench: Bench, arguments: list[str] | None) -> argparse.Namespace:
    """Parse arguments, `--seeds` and `--only` as lists; an unknown one ends the program with status 2 and one line."""
    asked = parser.parse_args(arguments)
    try:
        asked.seeds, asked.only = seeds_of(asked.seeds), cases_of(asked.only, bench.cases)
    except ValueError as error:
        parser.exit(2, f"{bench.name}: {error}\n")
    return asked


def seeds_of(text: str) -> list[int]:
    """Read a list of seeds, without repetition.

    Raises:
        ValueError: it holds anything else.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError(f"--seeds: expected whole numbers such as 0,1,2, got {text!r}")
    return list(dict.fromkeys(map(int, words)))


def cases_of(text: str, known: Sequence[str]) -> list[str]:
    """Read a list of cases, without repetition.

    Raises:
        ValueError: there is no such case; the nearest one is named.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            raise ValueError(f"--only: there is no case {name!r}; {meant}")
    return list(dict.fromkeys(names))


def run_all(bench: Bench, missing: list[tuple[str, int]], output: Path) -> int:
    """Run cases, two at a time, and print how each ended; return the number of failures."""
    failed = 0
    pool = ThreadPoolExecutor(WORKERS)
    try:
        runs = {pool.submit(run_case, bench, name, seed, output): f"{name}, seed {seed}" for name, seed in missing}
        for run in as_completed(runs):
            complaint, seconds = run.result()
            failed += bool(complaint)
            ended = f"failed: {complaint}" if complaint else f"{seconds:.0f} s"
            print(f"{runs[run]}: {ended}", file=sys.stderr, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return failed


def run_case(bench: Bench, name: str, seed: int, output: Path) -> Ended:
    """Run a case in a separate process; its output goes to a log beside its run."""
    run, log = bench.runs / f"{name}-{seed}", bench.runs / f"{name}-{seed}.log"
    start_s = time.perf_counter()
    for folder in (bench.runs, output):
        folder.mkdir(parents=True, exist_ok=True)
    with log.open("w") as told:
        command = [sys.executable, "-m", bench.worker, name, str(seed), run, output]
        status = subprocess.run(command, stdout=told, stderr=subprocess.STDOUT).returncode
    last = (log.read_text().splitlines() or [""])[-1]
    complaint = f"{last or f'exit status {status}'}; see {log}" if status else ""
    return Ended(complaint, time.perf_counter() - start_s)


def result_path(output: Path, name: str, seed: int) -> Path:
    """The file of a result."""
    return output / f"{name}.{seed}.json"


def kept_result(path: Path, key: str, digest: str) -> dict[str, Any] | None:
    """Read a result, if there is one whose `key` is the digest."""
    try:
        result: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return result if result.get(key) == digest else None
