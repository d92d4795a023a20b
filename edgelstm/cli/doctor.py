"""`edgelstm doctor`: one screen that says what is wrong with a device and how to fix it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgelstm import __version__

if TYPE_CHECKING:
    from edgelstm.doctor import Report

FAILED = 1


def doctor(
    file: Annotated[Path | None, typer.Argument(help="A model file to verify and run here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")] = False,
) -> None:
    """Examine this device; say what is wrong and how to fix it. Exit 1 if something is broken."""
    from edgelstm.doctor import examine
    from edgelstm.strict_json import plain

    report = examine(file)
    if as_json:
        print(json.dumps({"edgelstm": __version__, **plain(report)}, indent=1, ensure_ascii=False))
    else:
        print(doctor_words(report))
    if not report.healthy:
        raise typer.Exit(FAILED)


def doctor_words(report: Report) -> str:
    """Lay out the findings, each with its fix below it."""
    width = max(len(finding.what) for finding in report.findings)
    lines = [f"edgelstm {__version__} on {report.facts.board or report.facts.architecture}", ""]
    for finding in report.findings:
        lines.append(f"{finding.level:4}  {finding.what:{width}}  {finding.found}")
        if finding.mend:
            lines.append(f"      {'':{width}}  -> {finding.mend}")
    counts = {level: sum(f.level == level for f in report.findings) for level in ("fail", "warn")}
    lines.append("\n" + _verdict(**counts))
    return "\n".join(lines)


def _verdict(fail: int, warn: int) -> str:
    if fail:
        return f"{fail} broken, {warn} to look at"
    return f"nothing is broken, {warn} to look at" if warn else "nothing is broken"
