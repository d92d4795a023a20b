"""Measure one file on one device: every sample counts, and the figures name the machine."""

from __future__ import annotations

from edgelstm.bench.compare import Change, changes, differences, read_result
from edgelstm.bench.file import BenchResult, LongRun, Throughput, bench_file
from edgelstm.bench.judge import Candidate, answers_to_judge, judge, load_candidates
from edgelstm.bench.judgement import Judged, Judgement
from edgelstm.bench.machine import Condition, Machine, Throttling, describe_machine, read_condition
from edgelstm.bench.picture import draw_result
from edgelstm.bench.timer import Latency, time_calls, time_interleaved, time_overhead_ns

__all__ = [
    "BenchResult",
    "Candidate",
    "Change",
    "Condition",
    "Judged",
    "Judgement",
    "Latency",
    "LongRun",
    "Machine",
    "Throttling",
    "Throughput",
    "answers_to_judge",
    "bench_file",
    "changes",
    "describe_machine",
    "differences",
    "draw_result",
    "judge",
    "load_candidates",
    "read_condition",
    "read_result",
    "time_calls",
    "time_interleaved",
    "time_overhead_ns",
]
