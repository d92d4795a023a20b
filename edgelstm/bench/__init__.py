"""Measure one file on one device, honestly: every sample counts, and the machine is named beside the figures."""

from __future__ import annotations

from edgelstm.bench.file import BenchResult, bench_file
from edgelstm.bench.timer import Latency, time_calls

__all__ = ["BenchResult", "Latency", "bench_file", "time_calls"]
