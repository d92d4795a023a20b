"""Build the wheel of this tree, as a device gets it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import ROOT


def build_wheel(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, ROOT], check=True)
    return next(folder.glob("edgelstm-*.whl"))
