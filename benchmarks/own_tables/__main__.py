"""Train people's own tables with the first command that their owner would give, and compare with baselines.

    EDGELSTM_DATA=... python -m benchmarks.own_tables [--seeds 0,1,2] [--only airline,...] [--output FOLDER]
    EDGELSTM_DATA=... python -m benchmarks.own_tables --report

Each training is a separate process with one thread, two at a time. Each result is written as soon as it is ready, and a
second start continues with the missing ones: a result belongs to one command and one state of the sources. With the
first seed a case is also exported, predicted with, evaluated and streamed, and what the reader of the device finds in
the table is compared with a parse by hand. The tables go to benchmarks/results/own_tables.md, with all figures beside
it as JSON. Exits with status 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks import RESULTS
from benchmarks.case_runs import INTERRUPTED, Bench, parse, parser_of, run_all
from benchmarks.own_tables.cases import CASES, RUNS, read_result
from benchmarks.own_tables.report import report_of
from benchmarks.own_tables.speed import measure_speed

BENCH = Bench("own_tables", tuple(CASES), "benchmarks.own_tables.worker", RUNS)
PAGE = RESULTS / "own_tables.md"


def main(arguments: list[str] | None = None) -> int:
    asked = parse_arguments(arguments)
    if not os.environ.get("EDGELSTM_DATA"):
        print("own_tables: EDGELSTM_DATA must name the folder with the data sets", file=sys.stderr)
        return 2
    wanted = [(name, seed) for seed in asked.seeds for name in asked.only]
    missing = [] if asked.report else [case for case in wanted if read_result(asked.output, *case) is None]
    try:
        failed = run_all(BENCH, missing, asked.output)
        speed = speed_of(asked.output, measured=asked.speed)
    except KeyboardInterrupt:
        print("own_tables: interrupted; a second start continues with what is missing", file=sys.stderr)
        return INTERRUPTED
    results = {name: [read_result(asked.output, name, seed) for seed in asked.seeds] for name in asked.only}
    there = {name: [one for one in found if one is not None] for name, found in results.items()}
    text, misses = report_of(there, speed)
    absent = [name for name, found in there.items() if len(found) < len(asked.seeds)]
    misses += [f"{name}: no result" for name in absent]
    if asked.write:
        PAGE.write_text(text)
        kept = {name: [without_lines(one) for one in found] for name, found in there.items()}
        figures = json.dumps({"results": kept, "speed": speed}, separators=(",", ":"))
        PAGE.with_suffix(".json").write_text(figures + "\n")
    print(text)
    for miss in misses:
        print(f"NOT REACHED  {miss}")
    return 1 if misses or failed else 0


def without_lines(result: dict) -> dict:
    """Remove printed lines, which name folders of the machine."""
    return {key: value for key, value in result.items() if key != "lines"}


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = parser_of(BENCH, __doc__.splitlines()[0], "0,1,2", RUNS / "found")
    parser.add_argument("--report", action="store_true", help="report the present results, run nothing")
    parser.add_argument("--no-write", dest="write", action="store_false", help="do not write to benchmarks/results")
    parser.add_argument(
        "--no-speed", dest="speed", action="store_false", help="do not measure the time to read a large table"
    )
    return parse(parser, BENCH, arguments)


def speed_of(output: Path, *, measured: bool) -> dict[str, float] | None:
    """Measure how long a large table takes to read, or return earlier figures."""
    path = output / "speed.json"
    if measured and not path.exists():
        output.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(measure_speed(output)))
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
