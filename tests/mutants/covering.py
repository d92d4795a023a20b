"""Which tests run which line: the suite recorded once, folder by folder, and kept while the sources stay the same."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from functools import cached_property
from pathlib import Path

import coverage

ROOT = Path(__file__).parents[2]
BUDGETS_S = (60, 180)  # of processor time for a mutant, by what its tests took when recorded; more for one that lived


def digest(*paths: Path) -> str:
    """Give a name for these files, and for the Python sources below these folders."""
    found = hashlib.sha256()
    files = (file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path]))
    for path in sorted(files):
        found.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return found.hexdigest()[:12]


def folders() -> list[Path]:
    """Give each folder that holds tests."""
    return sorted({path.parent for path in (ROOT / "tests").rglob("test_*.py")})


def record(folder: Path, kept: Path) -> None:
    """Run the tests of a folder, not of those below it, and keep what they ran; once."""
    name = folder.relative_to(ROOT).as_posix().replace("/", ".")
    key = f"{name}-{digest(ROOT / 'edgelstm', *folder.glob('*.py'))}"
    if (kept / f"{key}.json").exists():
        return
    for old in kept.glob(f"{name}-*"):
        old.unlink()
    print(f"recording {name}", flush=True)
    half = kept / f"{name}.half"
    places = {"MUTANTS_TESTS": str(half), "COVERAGE_FILE": str(kept / f"{key}.coverage")}
    command = [sys.executable, "-m", "coverage", "run", "--source=edgelstm", "-m", "pytest", "-q"]
    command += ["-p", "tests.mutants.recorder", *map(str, sorted(folder.glob("test_*.py")))]
    ended = subprocess.run(command, cwd=ROOT, env=environment(ROOT) | places, capture_output=True, text=True)
    if ended.returncode not in (0, 1):  # 1: tests failed; they judge nothing
        sys.exit(f"the tests of {name} could not be recorded:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    os.replace(half, kept / f"{key}.json")  # last: what is here is whole


def environment(root: Path) -> dict[str, str]:
    """Give the environment of a process that takes edgelstm and its tests from a tree, on one thread."""
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


class Covering:
    """The recorded tests, for a mutant."""

    def __init__(self, kept: Path):
        """Read everything that was recorded."""
        self.tests: dict[str, dict] = {}
        self._lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for path in sorted(kept.glob("tests*.json")):
            tests = {name: test for name, test in json.loads(path.read_text()).items() if test["passed"]}
            self.tests |= tests
            users = defaultdict(set)
            for name, test in tests.items():
                for context in test["contexts"]:
                    users[context].add(name)
            data = coverage.CoverageData(str(path.with_suffix(".coverage")))
            data.read()
            for file in data.measured_files():
                lines = self._lines[Path(file).relative_to(ROOT).as_posix()]
                for line, contexts in data.contexts_by_lineno(file).items():
                    for context in contexts:
                        lines[line] |= users.get(context, set())

    def tests_for(self, mutant, without, budget_s: float = BUDGETS_S[0]) -> list[str]:
        """Give the tests that run the mutant's lines: those of its own room first, then the fastest, up to a budget.

        What only runs in processes of its own is recorded nowhere: then the tests that run any line of the file, or
        those of the room, have to do.
        """
        found = {name for line in mutant.lines for name in self._lines[mutant.file][line]}
        for file, line in (where for name in mutant.names for where in self._mentions[name]):
            found |= self._lines[file][line]
        found = found or set().union(*self._lines[mutant.file].values())
        room = room_of(mutant.file)
        own = {name for name in self.tests if name.startswith((f"tests/{room}/", f"tests/test_{room}"))}
        order = sorted((found or own) - without, key=lambda name: (name not in own, self.tests[name]["seconds"], name))
        chosen, seconds = [], 0.0
        for name in order:
            seconds += self.tests[name]["seconds"]
            if chosen and seconds > budget_s:
                break
            chosen.append(name)
        return chosen

    @cached_property
    def _mentions(self) -> dict[str, list[tuple[str, int]]]:
        """Every line of the package that has a name, an attribute or a keyword so called."""
        found = defaultdict(list)
        for path in sorted((ROOT / "edgelstm").rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                name = getattr(node, "id", getattr(node, "attr", getattr(node, "arg", None)))
                if isinstance(name, str) and hasattr(node, "lineno"):
                    found[name].append((path.relative_to(ROOT).as_posix(), node.lineno))
        return found


def room_of(file: str) -> str:
    """Give the room of a file of the package.

    >>> room_of("edgelstm/data/readers/read.py"), room_of("edgelstm/zones.py")
    ('data', 'zones')
    """
    return file.split("/")[1].removesuffix(".py")
