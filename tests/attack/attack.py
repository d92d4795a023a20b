"""Throw altered model files at the reader, and what it takes at onnxruntime, in children that may die.

    python -m tests.attack.attack --files 100000 --output benchmarks/results

Half of the files have their digest made right, so that it is the structure checks that are tried. A file that the
reader takes is loaded and run in a fork with limits. Exit status 1 if a process of ours died, if the reader raised
anything but its own errors, or if a file outside was opened.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import platform
import re
import resource
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import onnxruntime

from edgelstm import __version__
from edgelstm.errors import ContractError, ModelFileError
from edgelstm.files import write_all_whole
from edgelstm.runtime import Predictor, parse_model_file
from edgelstm.runtime.engine.session import Settings, create_session
from edgelstm.runtime.file.golden import PYPI, worst_by_channel
from edgelstm.runtime.replay import golden_rows
from edgelstm.runtime.trial import IDENTITY
from tests.attack.canary import Watch, prove
from tests.attack.fresh import all_kinds, model_file
from tests.attack.mutations import mutate, reseal

ROOT = Path(__file__).parents[2]
CHUNK = 500
MEMORY_BYTES = 512 * 2**20  # above what the worker has
CPU_S, WALL_S = 3, 10

REFUSALS = ("wire format", "metadata", "contract", "digest", "structure", "operators and opsets", "golden vectors")
OURS = "an error that nobody foresaw, in the reader or the child"
OUTCOMES = (
    *(f"refused by the reader: {what}" for what in REFUSALS),
    "in the child: refused by onnxruntime at load",
    "in the child: refused, the graph is not what the contract says",
    "in the child: refused by onnxruntime at run",
    "in the child: no memory",
    "in the child: answered, within tolerance",
    "in the child: answered, outside of it",
    OURS,
    "child killed: time",
    "child killed: signal",
)


@cache
def originals():
    """The good files: committed ones, and one of each kind freshly built."""
    committed = sorted([*ROOT.glob("models/*/*.onnx"), *ROOT.glob("tests/runtime/frozen/*.onnx")])
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in committed}
    return files | all_kinds() | {"larger": model_file(hidden_size=48, num_layers=2, seed=1)}


def altered(number, seed, files, canaries):
    """File `number` of an attack: the names of its mutations, whether its digest was made right, its bytes."""
    random = Random(f"{seed}-{number}")
    original = content = random.choice(files)
    while content in files:
        names, content = mutate(random, original, random.choice(files), canaries)
    resealed = number % 2 == 0
    return names, resealed, reseal(content) if resealed else content


def attack_chunk(start, stop, seed, folder):
    """Attack with the files of a range of numbers; count outcomes, and keep what killed a child."""
    os.chdir(folder / "work")
    create_session(IDENTITY, Settings())
    gc.freeze()  # else each fork would copy every page that the collector touches
    files, canaries = list(originals().values()), [os.fsencode(path) for path in canary_paths(folder)]
    counts, reasons, killers = Counter(), Counter(), []
    for number in range(start, stop):
        names, resealed, content = altered(number, seed, files, canaries)
        outcome, reason = attack_one(content)
        counts[outcome, resealed] += 1
        reasons[outcome, reason] += 1
        if outcome == OURS or outcome.startswith("child killed"):
            killers.append((number, outcome, reason, names))
            (folder / "killers" / f"{number}.onnx").write_bytes(content)
    return counts, reasons, killers


def attack_one(content):
    """Give a file to the reader, and to a child if it is taken; what came of it, and why."""
    try:
        model_file = parse_model_file(content, "file")
    except ModelFileError as error:
        return f"refused by the reader: {_stage(error)}", _plain(str(error))
    except Exception as error:
        return OURS, f"the reader raised {error!r}"
    return in_child(lambda: _load_and_run(model_file))


def _stage(error):
    text = str(error)
    stages = {
        "digest": r"the file was altered|the digest is damaged",
        "operators and opsets": r"is not on the list|is unknown; expected IR",
        "wire format": r"truncated, damaged or not an ONNX|the file is empty",
        "metadata": r"without an edgelstm contract|the metadata",
        "golden vectors": r"golden vectors",
    }
    if isinstance(error, ContractError):
        return "contract"
    return next((stage for stage, pattern in stages.items() if re.search(pattern, text)), "structure")


def _load_and_run(model_file):
    """Load and replay; runs in the child."""
    try:
        predictor = Predictor(model_file)
    except ModelFileError as error:
        text = str(error)
        if "alloc" in text:
            return "in the child: no memory", _plain(text)
        wrong = "the contract says" in text
        what = "refused, the graph is not what the contract says" if wrong else "refused by onnxruntime at load"
        return f"in the child: {what}", "" if wrong else _plain(text)
    try:
        golden = predictor.golden
        rows = [predictor.predict(*row) for row in golden_rows(golden)]
    except MemoryError as error:
        return "in the child: no memory", _plain(str(error))
    except Exception as error:  # onnxruntime's errors have no common base but this
        what = "no memory" if "alloc" in str(error) else "refused by onnxruntime at run"
        return f"in the child: {what}", _plain(f"{type(error).__name__}: {error}")
    if any(y.shape != golden.file.shape[1:] for y in rows):
        return "in the child: answered, outside of it", "another shape"
    passed = all(np.array(worst_by_channel(np.stack(rows), golden.file)) <= golden.tolerance[PYPI])
    return f"in the child: answered, {'within tolerance' if passed else 'outside of it'}", ""


def in_child(work):
    """Run work in a fork with limits; its answer, or how it died."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _be_child(work, writer)
    os.close(writer)
    answer, ended = b"", time.monotonic() + WALL_S
    while select.select([reader], [], [], max(ended - time.monotonic(), 0))[0]:
        part = os.read(reader, 65536)
        if not part:
            break
        answer += part
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    _, status = os.waitpid(child, 0)
    if answer:
        return tuple(json.loads(answer))
    code = os.waitstatus_to_exitcode(status)
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return "child killed: time", ""
    if code < 0:
        return "child killed: signal", signal.Signals(-code).name
    return "child killed: signal", f"exit {code}"


def _be_child(work, writer):
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        with open("/proc/self/statm", encoding="ascii") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            answer = work()
        except Exception as error:
            answer = OURS, repr(error)
        os.write(writer, json.dumps(answer).encode())
    finally:
        os._exit(0)


def _plain(text):
    """A reason without its names and numbers, to be counted."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|/\S+", "_", text.removeprefix("file: "))
    text = re.sub(r"[Nn]ode:?\s*\(?\S+\)?|Name:\S*", "node _", re.sub(r"-?\d[\d.e+]*", "#", text))
    return text.splitlines()[0][:110] if text else ""


def canary_paths(folder):
    """Where a tensor is told to read: outside of the folder it runs in, by two ways, and inside."""
    return ["../outside/canary.bin", str(folder / "outside" / "canary.bin"), "canary.bin"]


def prepare(folder):
    """Lay out the folder of an attack: where the workers run, and the files nobody may open."""
    for name in ("work", "outside", "killers"):
        (folder / name).mkdir()
    for name in ("work", "outside"):
        (folder / name / "canary.bin").write_bytes(np.full(2**16, 0.125, np.float32).tobytes())


def report(counts, reasons, killers, facts):
    """The figures as Markdown."""
    lines = ["# Altered model files", "", "Made by `make attack`. " + facts["words"], ""]
    lines += ["| what came of it | digest left wrong | digest made right | together |", "|---|---:|---:|---:|"]
    for outcome in OUTCOMES:
        wrong, right = counts[outcome, False], counts[outcome, True]
        lines.append(f"| {outcome} | {wrong:,} | {right:,} | {wrong + right:,} |")
    totals = [sum(n for (_, resealed), n in counts.items() if resealed is kind) for kind in (False, True)]
    lines.append(f"| **all** | {totals[0]:,} | {totals[1]:,} | {sum(totals):,} |")
    lines += ["", "The commonest reasons:", "", "| files | what came of it | reason |", "|---:|---|---|"]
    named = [(n, outcome, reason) for (outcome, reason), n in reasons.most_common() if reason][:25]
    lines += [f"| {n:,} | {outcome} | {reason.replace('|', '/')} |" for n, outcome, reason in named]
    if killers:
        lines += ["", "What killed a child:", "", "| file | how | mutations |", "|---:|---|---|"]
        lines += [f"| {n} | {outcome} {reason} | {', '.join(names)} |" for n, outcome, reason, names in killers[:40]]
    return "\n".join(lines) + "\n"


def main():
    """Attack, print and write the figures; the exit status."""
    arguments = _arguments()
    folder = Path(arguments.keep or tempfile.mkdtemp(prefix="attack-"))
    folder.mkdir(exist_ok=True)
    prepare(folder)
    control = prove(folder, [canary.encode() for canary in canary_paths(folder)])
    counts, reasons, killers, broken = Counter(), Counter(), [], []
    started = time.monotonic()
    with Watch([folder / "work" / "canary.bin", folder / "outside" / "canary.bin"]) as watch:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
            end = arguments.first + arguments.files
            starts = range(arguments.first, end, CHUNK)
            jobs = [pool.submit(attack_chunk, k, min(k + CHUNK, end), arguments.seed, folder) for k in starts]
            for done, job in enumerate(as_completed(jobs), 1):
                error = job.exception()
                if error is not None:
                    broken.append(repr(error))
                    continue
                for total, part in zip((counts, reasons), job.result(), strict=False):
                    total.update(part)
                killers += job.result()[2]
                _progress(done, len(jobs), counts, started)
        opened = watch.opened()
    killers.sort()
    broken += [f"file {number}: {reason}" for number, outcome, reason, _ in killers if outcome == OURS]
    seconds = time.monotonic() - started
    facts = _facts(arguments, seconds, opened, control, broken)
    text = report(counts, reasons, killers, facts)
    print(text)
    if arguments.output:
        result = {**facts, "outcomes": {o: [counts[o, False], counts[o, True]] for o in OUTCOMES}, "killers": killers}
        result["reasons"] = [[n, *key] for key, n in reasons.most_common(100)]
        place = Path(arguments.output)
        place.mkdir(parents=True, exist_ok=True)
        content = json.dumps(result, indent=1, ensure_ascii=False).encode() + b"\n"
        write_all_whole({place / "attack.md": text.encode(), place / "attack.json": content})
    for problem in broken:
        print(f"a process of ours failed: {problem}", file=sys.stderr)
    if opened:
        print(f"files outside were opened {opened} time(s)", file=sys.stderr)
    return 1 if broken or opened or sum(counts.values()) != arguments.files else 0


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first file, to try a stretch again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", help="a folder for attack.md and attack.json")
    parser.add_argument("--keep", help="a new folder to work in; what killed a child stays there")
    return parser.parse_args()


def _progress(done, jobs, counts, started):
    killed = sum(n for (outcome, _), n in counts.items() if outcome.startswith("child killed"))
    if done % max(jobs // 20, 1) == 0:
        total, seconds = sum(counts.values()), time.monotonic() - started
        print(f"{total:,} files, {killed} children killed, {seconds:.0f} s", file=sys.stderr, flush=True)


def _facts(arguments, seconds, opened, control, broken):
    versions = {
        "edgelstm": __version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    stretch = f" from {arguments.first:,} on" if arguments.first else ""
    words = (
        f"{arguments.files:,} files{stretch}, seed {arguments.seed}, {told}, {platform.machine()}; {seconds:.0f} s "
        f"with {arguments.workers} workers. A child has {MEMORY_BYTES >> 20} MiB, {CPU_S} s of processor time, "
        f"{WALL_S} s in all. Processes of ours that failed: {len(broken)}. Times a file outside was opened: {opened}. "
        f"That the watch works: it saw {control['open']} plain open; of {control['files']} files that name it, handed "
        f"to onnxruntime without the reader, {control['onnxruntime']} opened it."
    )
    names = ("files", "seed", "workers")
    return {
        "words": words,
        "versions": versions,
        "seconds": round(seconds, 1),
        "opened_outside": opened,
        "control": control,
        "failed": broken,
        **{name: getattr(arguments, name) for name in names},
    }


if __name__ == "__main__":
    sys.exit(main())
