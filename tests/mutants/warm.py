"""Run pytest in forks of a process that has imported the packages of others, once for each line of stdin.

    python -m tests.mutants.warm    # in a copy of the tree, which a fork reads anew

Importing torch takes longer than most tests of a mutant. No import below starts a thread, which a fork would lack, and
nothing of edgelstm is imported before the fork. A line is a JSON object: `files` for pytest, and `environment`. The
answer is a line with the exit status; negative: the signal.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

PACKAGES = ("numpy", "torch", "onnx", "onnxruntime", "lightning_fabric", "pydantic", "typer", "pytest")


def main() -> None:
    """Import, then fork for each request until stdin ends."""
    for package in PACKAGES:
        importlib.import_module(package)
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("an imported package has started a thread: take it out of PACKAGES")
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _run(request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(request):
    import pytest

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.environ.update(request["environment"])
    status = 1
    try:
        status = int(pytest.main(["-q", "-p", "tests.mutants.verdict", *request["files"]]))
    finally:
        os._exit(status)  # what ran before the fork must not run at the end once more


if __name__ == "__main__":
    main()
