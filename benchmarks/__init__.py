"""The scripts that prove the claims of the pages: see README.md here. Each starts with `python -m benchmarks.NAME`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
