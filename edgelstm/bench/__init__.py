"""Measure one file on one device, honestly: every sample counts, and the machine is named beside the figures."""

from __future__ import annotations

from edgelstm.bench.file import BenchResult, bench_file
from edgelstm.bench.judge import Candidate, Judged, Judgement, judge, load_candidates
from edgelstm.bench.timer import Latency, time_calls, time_interleaved

__all__ = [
    "BenchResult",
    "Candidate",
    "Judged",
    "Judgement",
    "Latency",
    "bench_file",
    "judge",
    "load_candidates",
    "time_calls",
    "time_interleaved",
]
