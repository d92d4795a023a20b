"""Train one table, and take it through export, predict, evaluate and a stream.

EDGELSTM_DATA=... python -m benchmarks.own_tables.worker CASE SEED RUN OUTPUT    # writes OUTPUT/CASE.SEED.json
"""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.case_runs import result_path
from benchmarks.own_tables.cases import CASES, command_of, digest_of, table_of
from benchmarks.own_tables.made import make_tables
from benchmarks.own_tables.readings import PARSES, differences
from edgelstm.data.asked import read_for
from edgelstm.data.causal import Filling, causal
from edgelstm.files import write_whole
from edgelstm.runtime import Predictor, load

SLOW_S = 1800


class Told(NamedTuple):
    """The output of a command, its exit status, its duration, and its processor time."""

    status: int
    out: str
    err: str
    seconds: float
    processor_s: float


def main() -> None:
    name, seed, run, output = sys.argv[1:]
    make_tables()
    result = run_case(name, int(seed), Path(run))
    write_whole(result_path(Path(output), name, int(seed)), json.dumps(result, indent=1).encode() + b"\n")


def run_case(name: str, seed: int, run: Path) -> dict[str, Any]:
    """Train, and with the first seed try everything else that an owner would do."""
    case, digest = CASES[name], digest_of(name, seed)
    shutil.rmtree(run, ignore_errors=True)  # of a start that was killed
    run.parent.mkdir(parents=True, exist_ok=True)
    complaints = first_complaints(name, run) if seed == 0 and case.mend else []
    told = edgelstm(command_of(name, seed, run))
    if told.status:
        sys.exit(f"{name}: {told.err.strip().splitlines()[-1]}")
    files: dict[str, Any] = {}
    if seed == 0:
        files, more = after_training(name, run)
        complaints += more
    return {
        "case": name,
        "seed": seed,
        "digest": digest,
        "seconds": round(told.seconds, 1),
        "processor_s": round(told.processor_s, 1),
        "lines": told.err.splitlines(),
        **figures_of(run),
        "files": files,
        "complaints": complaints,
    }


def edgelstm(arguments: list[str]) -> Told:
    """Run the command line, with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "edgelstm", *arguments], capture_output=True, text=True, timeout=SLOW_S, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime - used.ru_utime + after.ru_stime - used.ru_stime
    return Told(done.returncode, done.stdout, done.stderr, time.perf_counter() - start, processor_s)


def first_complaints(name: str, run: Path) -> list[str]:
    """Say what is wrong with the end of the first command: it should be refused, or mention something."""
    case, first = CASES[name], run.with_name(f"{run.name}-first")
    shutil.rmtree(first, ignore_errors=True)
    told = edgelstm(command_of(name, 0, first, case.first))
    if not case.refusal:
        wrong = [] if not told.status else [f"the first command ends with {told.status}: {told.err.strip()[-300:]}"]
        seen = case.mentions in told.err + told.out
        return wrong if seen else [*wrong, f"the first command does not mention {case.mentions}"]
    lines = [line for line in told.err.splitlines() if line.strip()]
    found = [] if told.status == 2 else [f"the first command ends with {told.status}, expected 2"]
    found += [] if len(lines) == 1 else [f"the first command prints {len(lines)} lines, expected one: {lines}"]
    found += [f"the first command does not name {word}" for word in case.refusal if word not in told.err]
    return found + ([f"the first command leaves {first.name} behind"] if first.exists() else [])


def figures_of(run: Path) -> dict[str, Any]:
    """Read the scores of the network and of each baseline, by part."""
    metrics = json.loads((run / "metrics.json").read_text())
    found: dict[str, Any] = {"windows": {}, "network": {}, "baselines": {}, "by_series": {}}
    for part in ("validation", "test"):
        scored = dict(metrics["parts"][part])
        found["windows"][part] = scored.pop("windows")
        network = metrics["networks"][part][0]
        found["network"][part] = _plain(scored[network])
        found["baselines"][part] = {
            who: _plain(one)
            for who, one in scored.items()
            if who not in (*metrics["networks"][part], "line alone")  # the start of the network itself
        }
        found["by_series"][part] = {who: one["by_series"] for who, one in scored.items() if "by_series" in one}
    return found


def _plain(scored: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in scored.items() if isinstance(value, float)}


def after_training(name: str, run: Path) -> tuple[dict[str, Any], list[str]]:
    """Export, predict, evaluate and stream, with the same table and no options."""
    export = edgelstm(["export", str(run), "--quantize", "auto"])
    if export.status:
        return {}, [f"export: {export.err.strip()[-300:]}"]
    path, form, judged = chosen_file(run)
    predictor = load(path)
    table, complaints = str(table_of(name)), reading_complaints(name, predictor)
    predicted = edgelstm(["predict", str(path), table])
    evaluated = edgelstm(["evaluate", str(path), table, "-o", str(run / "evaluation")])
    for what, told in (("predict", predicted), ("evaluate", evaluated)):
        if told.status:
            complaints.append(f"{what}: {told.err.strip()[-300:]}")
    if not predicted.status:
        complaints += stream_complaints(name, predictor, predicted.out)
    test = next(part for part in predictor.contract.metrics if part.part == "test")
    return {"form": form, "bytes": path.stat().st_size, "judged": judged, "test": test.file}, complaints


def chosen_file(run: Path) -> tuple[Path, str, str]:
    """Return the file that export would ship, or the better int8 file if it would ship neither."""
    judgement = json.loads(next(run.glob("*.judgement.json")).read_text())
    files = {file["precision"]: file for file in judgement["files"] if file["precision"] in ("int8", "int8w")}
    shipped = [form for form, file in files.items() if file["name"] == judgement["ship"]]
    form = shipped[0] if shipped else min(files, key=lambda form: (files[form]["drop"] is None, files[form]["drop"]))
    return run / files[form]["name"], form, judgement["ship"]


def reading_complaints(name: str, predictor: Predictor) -> list[str]:
    """Compare what the reader of the device finds in the table with a parse by hand."""
    if name not in PARSES:
        return []
    found = read_for(predictor.contract, table_of(name), {})
    several = len(found.series) > 1
    read = {one.name if several else "": (one.time, one.values) for one in found.series}
    return [f"reading: {line}" for line in differences(name, PARSES[name](table_of(name)), read)]


def stream_complaints(name: str, predictor: Predictor, predicted: str) -> list[str]:
    """Step through the last window of every series, and compare the last answer with that of `predict`."""
    contract, found = predictor.contract, read_for(predictor.contract, table_of(name), {})
    rows = list(csv.DictReader(io.StringIO(predicted)))
    complaints = []
    for series in found.series:
        mine = [row for row in rows if found.reading.series is None or row[found.reading.series] == series.name]
        words = tuple(one.name for one in contract.inputs if one.category is not None)
        filling = Filling(found.reading.gaps, found.reading.max_gap, words)
        whole = causal(series, filling).up_to(len(series.values) - 1, contract.window)
        if np.isnan(whole).any():
            continue  # a gap at the end: nothing to predict from
        stream = predictor.stream()
        for sample in whole:
            answer = stream.step(sample)
        told = np.array([[float(row[one.name]) for one in contract.outputs] for row in mine])
        if told.shape != answer.shape or not np.allclose(
            told, answer, rtol=1e-4, atol=1e-4 * contract.outputs[0].spread
        ):
            complaints.append(f"stream: {series.name or name}: its last answer is not that of predict")
    return complaints


if __name__ == "__main__":
    main()
