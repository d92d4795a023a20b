"""Examine a device, and a model file on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from edgelstm.doctor.child import FILE_S, IMPORT_S, Outcome, import_onnxruntime, try_device, try_file
from edgelstm.doctor.facts import ROOT, Facts, gather_facts
from edgelstm.doctor.findings import FAIL, OK, WARN, Finding, judge_facts
from edgelstm.errors import ModelFileNotFoundError

_CUDA = "CUDAExecutionProvider"


class Report(NamedTuple):
    """What was found.

    Attributes:
        facts: what the device says of itself.
        findings: what that means, one by one.
        healthy: nothing fails.
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
        file: a model file to verify and step here.
        root: where the files of the system lie.
        import_timeout_s: how long importing onnxruntime may take in its child process.
        file_timeout_s: how long the model file may take in its own.

    Raises:
        ModelFileNotFoundError: there is no such file; whatever else is wrong is a finding.

    Example:
        >>> "onnxruntime" in [finding.what for finding in examine().findings]
        True
    """
    if file is not None and not os.path.isfile(file):
        raise ModelFileNotFoundError(f"{os.fspath(file)}: there is no such file")
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
            findings.append(Finding(FAIL, "model file", f"{name} was not tried: there is no onnxruntime that works"))
    healthy = all(finding.level != FAIL for finding in findings)
    return Report(facts, findings, healthy)


def _judge_cuda(outcome: Outcome) -> Finding:
    """A GPU build that has no GPU still runs on the CPU: no failure."""
    if outcome.trouble is None:
        return Finding(OK, "CUDA", "starts")
    return Finding(WARN, "CUDA", outcome.trouble if outcome.refused else f"trying it, a process {outcome.trouble}")


def _judge_file(name: str, outcome: Outcome) -> Finding:
    if outcome.found is None:
        return Finding(FAIL, "model file", str(outcome.trouble) if outcome.refused else f"{name} {outcome.trouble}")
    found = f"{name}: {outcome.found['rows']} golden window(s), off by at most {outcome.found['off']:.3g}"
    if not outcome.found["passed"]:
        mend = "do not use it here: try another onnxruntime version, or the fp32 file"
        return Finding(FAIL, "model file", f"{found}, more than the allowed {outcome.found['allowed']:.3g}", mend)
    return Finding(OK, "model file", f"{found}; one step works")
