"""Train every recipe under models/, export it, and compare its test figures with the bars of the literature.

    EDGELSTM_DATA=... python -m benchmarks.acceptance [--seeds 0,1,2] [--only etth1-96,...] [--output FOLDER]
    python -m benchmarks.acceptance --tables --output benchmarks/results/acceptance

Each result is written as soon as it is ready, and a second start continues with the missing ones: a result belongs to
one recipe, whose digest it holds. A case that fails does not stop the others. Runs and logs, which hold weights and
data, go to runs/acceptance. `--tables` writes the tables of all results into the cards models/*/README.md, between
their marks.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from benchmarks import ROOT
from benchmarks.acceptance.cases import CASES, read_result
from benchmarks.acceptance.tables import card_of, results_of, tables_of, with_tables
from benchmarks.case_runs import INTERRUPTED, Bench, parse, parser_of, run_all

BENCH = Bench("acceptance", tuple(CASES), "benchmarks.acceptance.worker", ROOT / "runs" / "acceptance")


def main(arguments: list[str] | None = None) -> int:
    asked = parse_arguments(arguments)
    if asked.tables:
        return write_tables(asked.output)
    if not os.environ.get("EDGELSTM_DATA"):
        print("acceptance: EDGELSTM_DATA must name the folder with the data sets; the cards under models/ say where "
              "they come from", file=sys.stderr)  # fmt: skip
        return 2
    wanted = [(name, seed) for seed in asked.seeds for name in asked.only]
    missing = [case for case in wanted if read_result(asked.output, *case) is None]
    try:
        failed = run_all(BENCH, missing, asked.output)
    except KeyboardInterrupt:
        print("acceptance: interrupted; a second start continues with what is missing", file=sys.stderr)
        return INTERRUPTED
    reached = report(asked.output, asked.only, asked.seeds)
    return 0 if reached and not failed else 1


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = parser_of(BENCH, __doc__.splitlines()[0], "0", BENCH.runs)
    parser.add_argument("--tables", action="store_true", help="write the tables of all results into the cards")
    return parse(parser, BENCH, arguments)


def report(output: Path, names: list[str], seeds: list[int]) -> bool:
    """Say for each case whether the mean over the seeds reaches its bars, and its int8 form the limit."""
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
            print(f"{name}: a result in {output} belongs to an older recipe and is skipped", file=sys.stderr)
    for recipe in sorted({case.recipe for case in CASES.values()}):
        card = card_of(recipe)
        card.write_text(with_tables(card.read_text(), tables_of(recipe, output)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
