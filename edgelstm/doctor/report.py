"""Examine a device, and a model file on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from edgelstm.doctor.child import FILE_S, IMPORT_S, Outcome, import_onnxruntime, try_device, try_file
from edgelstm.doctor.facts import ROOT, Facts, gather_facts
from edgelstm.doctor.findings import FAIL, OK, WARN, Finding, judge_facts
from edgelstm.errors import ModelFileNotFoundError, counted

_CUDA = "CUDAExecutionProvider"


class Report(NamedTuple):
    """What was found.

    Attributes:
        facts: the facts of the device.
        findings: what they mean, one by one.
        healthy: no finding is `FAIL`.
    """

    facts: Facts
    findings: list[Finding]
    healthy: bool


def examine(
    file: str | os.PathLike[str] | None = None,
    *,
    root: Path = ROOT,
    import_timeout_s: float = IMPORT_S,
    file_timeout_s: float = FILE_S,
) -> Report:
    """Examine this device.

    Args:
        file: a model file to verify and step on this device.
        root: root folder of the system's files.
        import_timeout_s: time limit for importing onnxruntime in a child process.
        file_timeout_s: time limit for the model file in a child process.

    Raises:
        ModelFileNotFoundError: the file does not exist; everything else that is wrong is a finding.

    Example:
        >>> "onnxruntime" in [finding.what for finding in examine().findings]
        True
    """
    if file is not None and not os.path.isfile(file):
        raise ModelFileNotFoundError(f"{os.fspath(file)}: file not found")
    facts = gather_facts(root)
    outcome = import_onnxruntime(import_timeout_s)
    findings = judge_facts(facts, outcome)
    if _CUDA in (outcome.found or {}).get("providers", ()):
        findings.append(_judge_cuda(try_device("cuda", import_timeout_s)))
    if file is not None:
        name = os.path.basename(file)
        if "version" in (outcome.found or {}):
            findings.append(_judge_file(name, try_file(os.fspath(file), file_timeout_s)))
        else:
            findings.append(Finding(FAIL, "model file", f"{name} was not tried: no working onnxruntime"))
    healthy = all(finding.level != FAIL for finding in findings)
    return Report(facts, findings, healthy)


def _judge_cuda(outcome: Outcome) -> Finding:
    """Judge CUDA; a GPU build without a GPU still runs on the CPU, so this is no failure."""
    if outcome.trouble is None:
        return Finding(OK, "CUDA", "starts")
    return Finding(WARN, "CUDA", outcome.trouble if outcome.refused else f"a process that tried it {outcome.trouble}")


def _judge_file(name: str, outcome: Outcome) -> Finding:
    if outcome.found is None:
        return Finding(FAIL, "model file", str(outcome.trouble) if outcome.refused else f"{name} {outcome.trouble}")
    windows = counted(outcome.found["rows"], "golden window")
    found = f"{name}: {windows}, off by at most {outcome.found['off']:.3g}"
    if not outcome.found["passed"]:
        mend = "do not use it here: try another onnxruntime version, or the fp32 file"
        return Finding(FAIL, "model file", f"{found}, more than the allowed {outcome.found['allowed']:.3g}", mend)
    return Finding(OK, "model file", f"{found}; one step works")
