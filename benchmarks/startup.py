"""What starting costs: imports and `--help`, in separate processes, interleaved, medians with quartiles.

python -m benchmarks.startup
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import numpy as np

ROUNDS = 21
CASES = {
    "python": ["-c", "pass"],
    "import numpy, onnxruntime": ["-c", "import numpy, onnxruntime"],
    "import edgelstm.runtime": ["-c", "import edgelstm.runtime"],
    "edgelstm --help": ["-m", "edgelstm", "--help"],
}


def seconds_of(arguments: list[str]) -> float:
    """Run Python once and return the time from start to end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages are compiled
    times = {name: [] for name in CASES}
    for _ in range(ROUNDS + 1):
        for name, arguments in CASES.items():
            times[name].append(seconds_of(arguments))
    for name, found in times.items():
        low, middle, high = np.percentile(found[1:], [25, 50, 75]) * 1e3  # the first round fills the caches
        print(f"{name:28} {middle:6.1f} ms  (quartiles {low:.1f} to {high:.1f})")
    above = np.array(times["import edgelstm.runtime"][1:]) - np.array(times["import numpy, onnxruntime"][1:])
    low, middle, high = np.percentile(above, [25, 50, 75]) * 1e3
    print(f"{'edgelstm above the two':28} {middle:6.1f} ms  (quartiles {low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
