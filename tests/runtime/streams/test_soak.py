"""A little of `make soak`; the whole of it takes minutes."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_little_soak_ends_well():
    command = [sys.executable, "-W", "ignore", "-m", "tests.soak", "--steps", "20000"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("20,000 steps equal to chunked batches bit for bit")
    assert process.stdout.count("refused: a ") == 3
