"""Step a carried model file many times, and run the same samples as one window; JSON on stdout.

Runs on the device: python stream.py STEPS FILE...
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy as np

from edgelstm.runtime import load
from edgelstm.runtime.file.golden import PYPI, worst_by_channel


def compare(path: str, steps: int) -> dict[str, Any]:
    """Count the answers in which a stream differs, and its worst difference in units of the file's tolerance."""
    predictor = load(path)
    samples = np.random.default_rng(0).normal(size=(steps, len(predictor.contract.inputs))).astype(np.float32)
    stream = predictor.stream()
    stepped = np.stack([stream.step(sample) for sample in samples])
    at_once = predictor.predict(samples)
    limits = predictor.golden.tolerance[PYPI]
    worst = max(error / limit for error, limit in zip(worst_by_channel(stepped, at_once), limits, strict=True))
    axes = tuple(range(1, stepped.ndim))
    return {"steps": steps, "differ": int((stepped != at_once).any(axes).sum()), "worst": worst}


def main() -> None:
    warnings.simplefilter("error")
    steps, *paths = sys.argv[1:]
    print(json.dumps({path: compare(path, int(steps)) for path in paths}))


if __name__ == "__main__":
    main()
