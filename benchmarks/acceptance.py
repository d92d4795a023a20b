"""Train every recipe under models/, export it, and hold its test figures against the bars of the literature.

    EDGELSTM_DATA=... python benchmarks/acceptance.py [--seeds 0,1,2] [--only etth1-96,...] [--output FOLDER]
    python benchmarks/acceptance.py --tables --output benchmarks/results/acceptance

What a case gives is written as soon as it is there, and a second start goes on with what is missing: a result is of
one recipe, whose digest it holds. A case that fails costs no other one. Runs and logs, which hold weights and data, go
to runs/acceptance. `--tables` writes the tables of all results into the cards models/*/README.md, between their marks.
"""

from __future__ import annotations

import argparse
import difflib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import mean, pstdev
from typing import Any, NamedTuple

from acceptance_cases import CASES, ROOT, read_result
from acceptance_tables import card_of, results_of, tables_of, with_tables

RUNS = ROOT / "runs" / "acceptance"
WORKER = Path(__file__).parent / "acceptance_worker.py"
WORKERS = 2
INTERRUPTED = 130


class Ended(NamedTuple):
    """How a case ended: what went wrong, or an empty text."""

    complaint: str
    seconds: float


def main(arguments: list[str] | None = None) -> int:
    asked = parse_arguments(arguments)
    if asked.tables:
        return write_tables(asked.output)
    if not os.environ.get("EDGELSTM_DATA"):
        print("acceptance: EDGELSTM_DATA must name the folder with the data sets; the cards under models/ say where "
              "they come from", file=sys.stderr)  # fmt: skip
        return 2
    wanted = [(name, seed) for seed in asked.seeds for name in asked.only]
    try:
        failed = run_all([case for case in wanted if read_result(asked.output, *case) is None], asked.output)
    except KeyboardInterrupt:
        print("acceptance: interrupted; a second start goes on with what is missing", file=sys.stderr)
        return INTERRUPTED
    reached = report(asked.output, asked.only, asked.seeds)
    return 0 if reached and not failed else 1


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0", help="such as 0,1,2 [0]")
    parser.add_argument("--only", default=",".join(CASES), help="cases, such as co2,etth1-96 [all]")
    parser.add_argument("--output", type=Path, default=RUNS, help="the folder of the results [runs/acceptance]")
    parser.add_argument("--tables", action="store_true", help="write the tables of all results into the cards")
    asked = parser.parse_args(arguments)
    try:
        asked.seeds, asked.only = seeds_of(asked.seeds), cases_of(asked.only)
    except ValueError as error:
        parser.exit(2, f"acceptance: {error}\n")
    return asked


def seeds_of(text: str) -> list[int]:
    """Read a list of seeds, each once.

    Raises:
        ValueError: it holds something else.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise ValueError(f"--seeds: expected whole numbers such as 0,1,2, got {text!r}")
    return list(dict.fromkeys(map(int, words)))


def cases_of(text: str) -> list[str]:
    """Read a list of cases, each once.

    Raises:
        ValueError: there is no such case; the nearest one is named.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in CASES:
            near = difflib.get_close_matches(name, CASES, 1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(CASES)}"
            raise ValueError(f"--only: there is no case {name!r}; {meant}")
    return list(dict.fromkeys(names))


def run_all(missing: list[tuple[str, int]], output: Path) -> int:
    """Run cases, two at a time, and say of each how it ended; count those that failed."""
    failed = 0
    pool = ThreadPoolExecutor(WORKERS)
    try:
        runs = {pool.submit(run_case, name, seed, output): f"{name}, seed {seed}" for name, seed in missing}
        for run in as_completed(runs):
            complaint, seconds = run.result()
            failed += bool(complaint)
            ended = f"failed: {complaint}" if complaint else f"{seconds:.0f} s"
            print(f"{runs[run]}: {ended}", file=sys.stderr, flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return failed


def run_case(name: str, seed: int, output: Path) -> Ended:
    """Run a case in a process of its own, whatever becomes of it; what it prints goes to a log beside its run."""
    run, log = RUNS / f"{name}-{seed}", RUNS / f"{name}-{seed}.log"
    start_s = time.perf_counter()
    for folder in (RUNS, output):
        folder.mkdir(parents=True, exist_ok=True)
    with log.open("w") as told:
        command = [sys.executable, WORKER, name, str(seed), run, output]
        status = subprocess.run(command, stdout=told, stderr=subprocess.STDOUT).returncode
    last = (log.read_text().splitlines() or [""])[-1]
    complaint = f"{last or f'exit status {status}'}; see {log}" if status else ""
    return Ended(complaint, time.perf_counter() - start_s)


def report(output: Path, names: list[str], seeds: list[int]) -> bool:
    """Say for each case whether the mean over the seeds holds its bars, and its int8 form the limit."""
    reached = True
    for name in names:
        results = [result for seed in seeds if (result := read_result(output, name, seed)) is not None]
        lines = [*figure_lines(name, results), form_line(results)] if results else [("", "no result", False)]
        for what, said, held in lines:
            print(f"{name:24} {what:22} {said}{'' if held else '  NOT REACHED'}")
            reached &= held
    return reached


def figure_lines(name: str, results: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    lines = []
    for figure in CASES[name].figures:
        values = [result["test"]["network"][figure.name] for result in results]
        spread = f" ± {pstdev(values):.4f}" if len(values) > 1 else ""
        bar = "" if figure.bar is None else f"  bar {'>=' if figure.higher else '<'} {figure.bar:g}"
        lines.append((figure.name, f"{mean(values):.4f}{spread}{bar}", figure.holds(mean(values))))
    return lines


def form_line(results: list[dict[str, Any]]) -> tuple[str, str, bool]:
    forms = [result["files"]["recommended"] for result in results]
    drops = [
        f"{form} {result['files'][form]['drop']:+.2%}" if form else "none within 1 %"
        for form, result in zip(forms, results, strict=True)
    ]
    return "recommended int8 form", ", ".join(drops), all(forms)


def write_tables(output: Path) -> int:
    """Put the figures of every seed into the card of each recipe."""
    for name in CASES:
        if None in results_of(output, name):
            print(f"{name}: a result in {output} is of an older recipe, it is left out", file=sys.stderr)
    for recipe in sorted({case.recipe for case in CASES.values()}):
        card = card_of(recipe)
        card.write_text(with_tables(card.read_text(), tables_of(recipe, output)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
