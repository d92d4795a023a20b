"""Check on every onnxruntime that the same model files load, and compute what they computed at export.

python -m benchmarks.compat

Builds the wheel, an environment for each onnxruntime under .compat/ with that onnxruntime and the result of `pip
install edgelstm`, and small model files that use everything a graph can hold; replays them and the committed ones, and
lets `edgelstm compare` score the committed ones on a table. Writes benchmarks/results/compat.md and compat.json; exits
1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, ROOT
from benchmarks.compat.files import CASES, model_files
from benchmarks.compat.replay import MEASURED
from benchmarks.wheel import build_wheel
from edgelstm.contract import PRECISIONS

VERSIONS = ("1.20.1", "1.22.1", "1.23.2", "1.24.4", "1.32.0")
WORK = ROOT / ".compat"
CO2 = ROOT / "models" / "co2"
TABLE = ROOT / "edgelstm" / "data" / "co2" / "co2.csv"

Found = dict[str, Any]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    files = model_files(WORK / "files")
    wheel = build_wheel(WORK / "wheel")
    found = {version: on_version(version, wheel, files) for version in VERSIONS}
    RESULTS.mkdir(exist_ok=True)
    environment = {"machine": platform.machine(), "system": platform.system(), "python": platform.python_version()}
    lines = [json.dumps({"environment": environment}), *(json.dumps(result) for result in found.values())]
    (RESULTS / "compat.json").write_text("[" + ",\n".join(lines) + "]\n")
    (RESULTS / "compat.md").write_text(report(found, environment))
    print(report(found, environment))
    sys.exit(any(failures(result) for result in found.values()))


def on_version(version: str, wheel: Path, files: list[Path]) -> Found:
    """Replay all files in a separate environment; return the results by file name."""
    python = environment_with(version, wheel)
    replay = [python, "-I", ROOT / "benchmarks" / "compat" / "replay.py", *files]
    process = subprocess.run(replay, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"onnxruntime {version}: the replay died with {process.returncode}: {process.stderr[-2000:]}")
    found: Found = json.loads(process.stdout)
    found["files"] = {Path(path).name: result for path, result in found["files"].items()}
    return {**found, "compare": compare(python)}


def environment_with(version: str, wheel: Path) -> Path:
    """Make an environment once; the wheel is installed again each time."""
    folder = WORK / version
    python, made = folder / "bin" / "python", folder / ".made"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    if not made.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([*pip, f"onnxruntime=={version}", wheel], check=True)
        made.touch()
    subprocess.run([*pip, "--no-deps", "--force-reinstall", wheel], check=True)
    return python


def compare(python: Path) -> Found:
    """Run `edgelstm compare` as on a device: without polars, onnx or torch."""
    here = subprocess.run([python, "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True)
    installed = {line.split("==")[0] for line in here.stdout.splitlines()}
    output = WORK / "compare.json"
    command = [python, "-I", "-m", "edgelstm", "compare", CO2 / "co2.fp32.onnx", CO2 / "co2.int8.onnx"]
    command += ["--data", TABLE, "--time", "date", "--seconds", "0.05", "--output", output]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode or installed & {"polars", "onnx", "torch"}:
        return {"ran": False, "reason": process.stderr.strip()[-500:] or f"not bare: {sorted(installed)}"}
    judgement = json.loads(output.read_text())
    return {"ran": True, "metric": {file["precision"]: file["metric"] for file in judgement["files"]}}


def failures(found: Found) -> list[str]:
    """Say what failed on one version."""
    failed = [f"`edgelstm compare`: {found['compare']['reason']}"] if not found["compare"]["ran"] else []
    for name, result in found["files"].items():
        if not result["loads"]:
            failed.append(f"{name} does not load: {result['reason']}")
        elif not result["holds"]:
            failed.append(f"{name}: " + ", ".join(f"{key} {result[key]:.3g}" for key in MEASURED))
    return failed


def report(found: dict[str, Found], environment: dict[str, str]) -> str:
    names = list(next(iter(found.values()))["files"])
    numpys = sorted({result["numpy"] for result in found.values()})
    lines = [
        "# The same model files on every onnxruntime",
        "",
        f"`make compat` on {environment['system']}, {environment['machine']}, Python {environment['python']}, numpy "
        f"{', '.join(numpys)}. {len(names)} files: those under `models/`, and {len(CASES)} small networks in four "
        "precisions that together use everything a graph can hold. Figures are the largest difference from what the "
        "file itself gave at export (onnxruntime 1.32.0), in units of the tolerance that it carries: above 1 fails. "
        "The table of files below is of the replay.",
        "",
        "| worst of | " + " | ".join(found) + " |",
        "|---|" + "--:|" * len(found),
    ]
    for key, what in MEASURED.items():
        for precision in PRECISIONS:
            if key == "stream" and precision == "int8":
                continue  # its activations have one range over the window: always differs, see the judge
            cells = [worst(result, key, precision) for result in found.values()]
            lines.append(f"| {what}, {precision} | " + " | ".join(cells) + " |")
    for precision in ("fp32", "int8"):
        cells = [f"{r['compare']['metric'][precision]:.6g}" if r["compare"]["ran"] else "-" for r in found.values()]
        lines.append(f"| `edgelstm compare`: RMSE of co2.{precision} (ppm) | " + " | ".join(cells) + " |")
    failed = [f"- {version}: {line}" for version, result in found.items() for line in failures(result)]
    lines += ["", "Nothing failed." if not failed else "Failed:", *([""] if failed else []), *failed, ""]
    lines += ["| file | " + " | ".join(found) + " |", "|---|" + "--:|" * len(found)]
    for name in names:
        lines.append(f"| {name} | " + " | ".join(cell(result["files"][name]) for result in found.values()) + " |")
    return "\n".join(lines) + "\n"


def worst(found: Found, key: str, precision: str) -> str:
    results = [result for name, result in found["files"].items() if name.endswith(f".{precision}.onnx")]
    if not all(result["loads"] for result in results):
        return "does not load"
    return f"{max(result[key] for result in results):.2g}"


def cell(result: Found) -> str:
    return f"{result['replay']:.2g}" if result["loads"] else "does not load"


if __name__ == "__main__":
    main()
