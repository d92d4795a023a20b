"""Change the package in one place, run the tests that run this place, and see whether one fails; 400 times.

    python -m tests.mutants.mutants --mutants 400 --output benchmarks/results

Everything is kept in .mutants/ when it is known: Ctrl-C loses the mutants that are being tried, a second start goes on.
What was killed stays killed while the code of its file is the same but for texts for people; what survived is tried
again when a test has changed. Exit status 1 below 90 %, when a control did not live, or when mutants are left.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from py_compile import PycInvalidationMode
from queue import Queue
from threading import Timer

from tests.mutants.covering import BUDGETS_S, ROOT, Covering, digest, environment, folders, record, room_of
from tests.mutants.operators import Mutant, apply, mutants_of
from tests.mutants.report import write
from tests.mutants.texts import code_digest

KEPT = ROOT / ".mutants"
CONTROLS = 20
BAR = 0.9


def sample(count: int, seed: int) -> list[Mutant]:
    """Draw mutants: rooms by their lines, kinds in turn within a room; the first of them are spread as all are.

    A mutant is drawn by a digest of itself: a change elsewhere in the package moves few others.
    """
    lines, kinds = Counter(), defaultdict(lambda: defaultdict(list))
    for path in sorted((ROOT / "edgelstm").rglob("*.py")):
        file, source = path.relative_to(ROOT).as_posix(), path.read_text()
        lines[room_of(file)] += source.count("\n")
        for mutant in mutants_of(file, source):
            kinds[room_of(file)][mutant.kind].append(mutant)
    places = []
    for room, of_room in kinds.items():
        drawn = [sorted(same, key=lambda mutant: _drawn(mutant.key, seed)) for same in of_room.values()]
        turns = [(turn, _drawn(m.key, seed), m) for same in drawn for turn, m in enumerate(same)]
        share = count * lines[room] / lines.total()
        places += [((place + 0.5) / share, mutant) for place, (_, _, mutant) in enumerate(sorted(turns)[:count])]
    return [mutant for _, mutant in sorted(places)[:count]]


def _drawn(key, seed):
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()


class Trial:
    """Copies of the tree, in which mutants are tried one after another, and the tests that can be trusted to judge."""

    def __init__(self, folder: Path, jobs: int, covering: Covering):
        """Make the copies; a changed file is compiled anew by its digest, never taken for the one before it."""
        self.trusted: set[str] = set()
        self.doubtful: set[str] = set()
        self._covering = covering
        self._copies: Queue[Path] = Queue()
        self._warm: dict[Path, subprocess.Popen] = {}
        git = ["git", "ls-files", "-co", "--exclude-standard"]
        names = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        for job in range(jobs):
            copy = folder / str(job)
            for name in filter(lambda name: (ROOT / name).is_file(), names):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
            compileall.compile_dir(copy / "edgelstm", quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
            self._copies.put(copy)

    def control(self, mutant: Mutant, tests: list[str] | None = None) -> dict:
        """Run what the mutant would meet, on a file with nothing but a comment more."""
        end = (ROOT / mutant.file).stat().st_size
        nothing = mutant._replace(start=end, end=end, after="# nothing\n")
        return self._run(nothing, tests or self._covering.tests_for(mutant, self.doubtful))

    def mutant(self, mutant: Mutant) -> dict:
        """Try a mutant; a test that fails must pass alone without it, or it judges no more.

        What lives is tried on more tests.
        """
        tests, passed = self._covering.tests_for(mutant, self.doubtful), set()
        while True:
            verdict = self._run(mutant, tests)
            judge = verdict["by"]
            if verdict["outcome"] == "survived" and not passed:
                passed = set(tests)
                tests = self._covering.tests_for(mutant, passed | self.doubtful, BUDGETS_S[1])
                if tests:
                    continue
            if verdict["outcome"] != "killed" or judge in self.trusted:
                return verdict | {"tests": len(passed.union(tests))}
            if self.control(mutant, [judge])["outcome"] == "survived":
                self.trusted.add(judge)
                return verdict
            self.doubtful.add(judge)
            tests = self._covering.tests_for(mutant, passed | self.doubtful, BUDGETS_S[len(passed) > 0])

    def stop(self) -> None:
        """End every process of a trial."""
        for process in tuple(self._warm.values()):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _run(self, mutant, tests):
        if not tests:
            return {"outcome": "no test", "by": None, "why": "", "tests": 0}
        copy = self._copies.get()
        source = (ROOT / mutant.file).read_bytes()
        try:
            (copy / mutant.file).write_bytes(apply(mutant, source))
            return self._pytest(copy, tests)
        finally:
            (copy / mutant.file).write_bytes(source)
            self._copies.put(copy)

    def _pytest(self, copy, tests):
        """Run tests in a copy and give the verdict; the limit counts processor time: a loaded machine kills nothing."""
        limit_s = int(60 + 10 * sum(self._covering.tests[test]["seconds"] for test in tests))
        chosen, written = copy / "chosen.json", copy / "verdict.json"
        chosen.write_text(json.dumps(tests))
        written.unlink(missing_ok=True)
        places = {"MUTANTS_CHOSEN": str(chosen), "MUTANTS_VERDICT": str(written), "MUTANTS_CPU_S": str(limit_s)}
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        status = self._status(copy, {"files": files, "environment": places}, 10 * limit_s)
        if not written.exists():
            slow = status in (-signal.SIGXCPU, -signal.SIGKILL)
            return {"outcome": "out of time" if slow else "no verdict", "by": None, "why": "", "tests": len(tests)}
        seen = json.loads(written.read_text())
        by = seen["failed"] and next((test for test in tests if test.startswith(seen["failed"])), tests[0])
        outcome = "killed" if by else "survived" if seen["passed"] else "nothing ran"
        return {"outcome": outcome, "by": by, "why": seen["why"], "tests": len(tests)}

    def _status(self, copy, request, limit_s):
        """Let the warm process of a copy run pytest; give its exit status, that of a kill where it takes too long."""
        process = self._warm.get(copy) or self._started(copy)
        timer = Timer(limit_s, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            status = process.stdout.readline()
        except BrokenPipeError:
            status = ""
        finally:
            timer.cancel()
        if status:
            return int(status)
        self._warm.pop(copy)
        return process.wait()

    def _started(self, copy):
        command = [sys.executable, "-m", "tests.mutants.warm"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._warm[copy] = subprocess.Popen(command, cwd=copy, env=environment(copy), start_new_session=True, **pipes)
        return self._warm[copy]


class Results:
    """What is known of mutants: a line each, written at once."""

    def __init__(self, path: Path):
        """Read what holds still: a kill as long as its code is the same, all else as long as the tests are, too."""
        self._path, self._tests = path, digest(ROOT / "tests", ROOT / "edgelstm")
        self._codes, self._known = {}, {}
        for line in path.read_text().splitlines() if path.exists() else ():
            result = json.loads(line)
            if result["version"] == self._version(result["file"], result["outcome"]):
                self._known[result["key"]] = result

    def of(self, key: str) -> dict | None:
        """Give the result of a mutant, if it is known."""
        return self._known.get(key)

    def add(self, key: str, mutant: Mutant, verdict: dict) -> None:
        """Keep a result."""
        version = self._version(mutant.file, verdict["outcome"])
        shown = {name: getattr(mutant, name) for name in ("file", "line", "kind", "before", "after")}
        self._known[key] = {"key": key, "version": version, "room": room_of(mutant.file)} | shown | verdict
        with self._path.open("a") as file:
            file.write(json.dumps(self._known[key]) + "\n")

    def _version(self, file, outcome):
        if file not in self._codes:
            self._codes[file] = code_digest((ROOT / file).read_text()) if (ROOT / file).exists() else ""
        return self._codes[file] if outcome == "killed" else f"{self._codes[file]} {self._tests}"


def main() -> int:
    """Record, run the controls, try the mutants, write the table."""
    arguments = _arguments()
    KEPT.mkdir(exist_ok=True)
    begun = time.monotonic()
    rooms = set(arguments.rooms or ())
    recorded = [each for each in folders() if not rooms or room_of(f"{each.relative_to(ROOT)}/tests") in rooms]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(lambda folder: record(folder, KEPT), recorded))
    drawn = sample(arguments.mutants, arguments.seed)
    chosen = [m for m in drawn if not rooms or room_of(m.file) in rooms][: arguments.first]
    results = Results(KEPT / "results.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), arguments.jobs, Covering(KEPT))
        tasks = [(f"control of {m.key}", m, trial.control) for m in chosen[:CONTROLS]]
        tasks += [(m.key, m, trial.mutant) for m in chosen]
        tasks = [task for task in tasks if results.of(task[0]) is None]
        _try_all(tasks, results, trial, arguments.jobs, begun + 60 * arguments.minutes)
        trial.stop()
        doubtful = sorted(trial.doubtful)
    controls = [results.of(f"control of {m.key}") for m in chosen[:CONTROLS]]
    tried = [result for m in chosen if (result := results.of(m.key))]
    head = {"drawn": len(drawn), "seed": arguments.seed, "doubtful": doubtful}
    good = write(arguments.output, head, [each for each in controls if each], tried, BAR)
    if len(tried) < len(chosen):
        print(f"{len(chosen) - len(tried)} are left: the same command goes on")
    return 0 if good and len(tried) == len(chosen) else 1


def _try_all(tasks, results, trial, jobs, end):
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_before, end, run, mutant): (key, mutant) for key, mutant, run in tasks}
        try:
            for done, future in enumerate(as_completed(running), 1):
                key, mutant = running[future]
                verdict = future.result()
                if verdict is None:
                    continue
                results.add(key, mutant, verdict)
                what = "control" if key.startswith("control") else mutant.kind
                print(f"{done}/{len(tasks)} {verdict['outcome']} {mutant.file}:{mutant.line} {what}", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            trial.stop()
            raise


def _before(end, run, mutant):
    return run(mutant) if time.monotonic() < end else None


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=400, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, help="try only so many of those drawn")
    parser.add_argument("--rooms", nargs="+", help="record and try only these rooms; `tests` records tests/test_*.py")
    parser.add_argument("--minutes", type=float, default=120, help="begin no mutant after so many")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--output", type=Path, default=KEPT, help="folder of mutants.md and mutants.json")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")
