"""Find out what is wrong with a device and how to fix it; only a child process imports onnxruntime."""

from __future__ import annotations

from edgelstm.doctor.child import Outcome, import_onnxruntime, try_device, try_file
from edgelstm.doctor.facts import Facts, gather_facts
from edgelstm.doctor.findings import Finding, judge_facts
from edgelstm.doctor.report import Report, examine

__all__ = [
    "Facts",
    "Finding",
    "Outcome",
    "Report",
    "examine",
    "gather_facts",
    "import_onnxruntime",
    "judge_facts",
    "try_device",
    "try_file",
]
