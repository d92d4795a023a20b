"""The table of mutants: by room, and each that lived."""

from __future__ import annotations

import json
import platform
from collections import Counter
from pathlib import Path

from edgelstm.files import write_all_whole


def write(folder: Path, head: dict, controls: list[dict], tried: list[dict], bar: float) -> bool:
    """Write mutants.md and mutants.json; tell whether every control lived and enough mutants were killed."""
    killed = sum(result["outcome"] == "killed" for result in tried)
    parts = [_head(head, controls, tried, killed), *_by("room", tried), *_by("kind", tried), *_alive(tried), ""]
    text = "\n".join(parts)
    content = {"head": head, "controls": controls, "tried": tried}
    folder.mkdir(parents=True, exist_ok=True)
    write_all_whole(
        {folder / "mutants.md": text.encode(), folder / "mutants.json": (json.dumps(content, indent=1) + "\n").encode()}
    )
    print(text)
    return killed >= bar * len(tried) and all(each["outcome"] == "survived" for each in controls)


def _head(head, controls, tried, killed):
    lived = sum(each["outcome"] == "survived" for each in controls)
    doubtful = ", ".join(head["doubtful"]) or "none"
    python = platform.python_version()
    return f"""# Mutants

Made by `make mutants`. {len(tried)} of {head["drawn"]} drawn mutants were tried, seed {head["seed"]}, python {python}.
{killed} were killed: {killed / max(1, len(tried)):.1%}. A mutant is killed when a test fails that passes without it;
one that runs out of time, breaks pytest or meets no test is not killed. Files with nothing changed that lived, as they
must: {lived} of {len(controls)}. Tests that failed without a mutant, too, and judged none: {doubtful}.
"""


def _by(name, tried):
    counts, killed = Counter(each[name] for each in tried), Counter(e[name] for e in tried if e["outcome"] == "killed")
    lines = [f"| {name} | tried | killed | % |", "|---|---:|---:|---:|"]
    lines += [f"| {each} | {n} | {killed[each]} | {killed[each] / n:.0%} |" for each, n in sorted(counts.items())]
    return [*lines, ""]


def _alive(tried):
    lines = ["Those that lived, to be read:", ""]
    lines += ["| where | outcome | kind | change | tests |", "|---|---|---|---|---:|"]
    for each in sorted(tried, key=lambda each: (each["file"], each["line"])):
        if each["outcome"] != "killed":
            change = f"{_cell(each['before'])} → {_cell(each['after'])}"
            where = f"{each['file']}:{each['line']}"
            lines.append(f"| {where} | {each['outcome']} | {each['kind']} | {change} | {each['tests']} |")
    return lines


def _cell(text):
    flat = " ".join(text.split()).replace("|", "\\|").replace("`", "'")
    return f"`{flat if len(flat) <= 120 else flat[:117] + '...'}`"
