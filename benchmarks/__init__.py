"""What proves the claims of the pages: see README.md beside this file. Each starts with `python -m benchmarks.NAME`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
