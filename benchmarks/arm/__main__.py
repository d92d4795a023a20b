"""Run on this machine what runs on a Raspberry Pi 3, 4 and 5: the real aarch64 Python and onnxruntime under qemu.

python -m benchmarks.arm

Builds the wheel, an aarch64 Debian under .arm/ (kept), and small model files that use everything a graph can hold;
then, on each core, replays all of them, steps streams of 10,000 samples and runs the usual commands. onnxruntime
1.21.0, which is known to die on the two older cores, must die there: this shows that the core is emulated. On one core
it installs with deploy/raspberry-pi/install.sh, and feeds the example loop. Writes benchmarks/results/arm.md and
arm.json; exits 1 if anything failed. This proves numbers, instruction set and packaging; it measures no time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, ROOT
from benchmarks.arm.sysroot import CORES, KNOWN_BAD, ONNXRUNTIME, Sysroot, make_sysroot
from benchmarks.compat.files import CASES, model_files
from benchmarks.compat.replay import MEASURED
from benchmarks.wheel import build_wheel
from edgelstm.contract import PRECISIONS

WORK = ROOT / ".arm"
STEPS = 10_000
STREAMED = "carried"  # of the small files, the one that carries the state of two layers
INSTALLED_ON = "cortex-a72"
# Install as a person does, then step the first samples; pip takes the wheels that were fetched for the sysroot.
INSTALL = """
set -eu
install -d /opt/edgelstm
/mnt/deploy/raspberry-pi/install.sh /mnt/wheel/edgelstm-*.whl /mnt/files/co2.int8.onnx > /tmp/install.log
seq 340 443 | /opt/edgelstm/venv/bin/python -I /opt/edgelstm/loop.py /opt/edgelstm/model.onnx | tail -n 1
"""
DIES_ON = ("cortex-a53", "cortex-a72")  # microsoft/onnxruntime issues 23957, 24112
COMMANDS = {
    "edgelstm --help": ("--help",),
    "edgelstm doctor": ("doctor",),
    "edgelstm verify co2.fp32.onnx": ("verify", "/mnt/files/co2.fp32.onnx"),
    "edgelstm verify co2.int8.onnx": ("verify", "/mnt/files/co2.int8.onnx"),
}

Found = dict[str, Any]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    start = time.monotonic()
    sysroot = make_sysroot(WORK)
    names = fill(sysroot.share)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(CORES, pool.map(lambda core: on_core(sysroot, core, names), CORES), strict=True))
    RESULTS.mkdir(exist_ok=True)
    text = report(found, names)
    lines = [f"{json.dumps(core)}: {json.dumps(result)}" for core, result in found.items()]
    (RESULTS / "arm.json").write_text("{" + ",\n".join(lines) + "}\n")
    (RESULTS / "arm.md").write_text(text)
    print(text)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime + time.process_time()
    print(f"{time.monotonic() - start:.0f} s in all, {spent:.0f} s of processor time")
    sys.exit(any(failures(result) for result in found.values()))


def fill(share: Path) -> list[str]:
    """Put what is measured where the emulated machine sees it; return the names of the model files."""
    wheel = build_wheel(share / "wheel")
    for folder in ("edgelstm", "scripts", "deploy"):
        shutil.rmtree(share / folder, ignore_errors=True)
    zipfile.ZipFile(wheel).extractall(share / "edgelstm")
    (share / "scripts").mkdir()
    for script in ("compat/replay.py", "arm/stream.py"):
        shutil.copy(ROOT / "benchmarks" / script, share / "scripts")
    shutil.copytree(ROOT / "deploy", share / "deploy")
    files = model_files(share / "files")
    for file in ROOT.glob("tests/runtime/frozen/*.onnx"):
        files.append(Path(shutil.copy(file, share / "files")))
    return sorted(file.name for file in files)


def on_core(sysroot: Sysroot, core: str, names: list[str]) -> Found:
    files = [f"/mnt/files/{name}" for name in names]
    streams = [f"/mnt/files/{STREAMED}.{precision}.onnx" for precision in PRECISIONS]
    return {
        "replay": answer(sysroot, core, "/mnt/scripts/replay.py", *files),
        "streams": answer(sysroot, core, "/mnt/scripts/stream.py", str(STEPS), *streams),
        "commands": {name: said(sysroot, core, *command) for name, command in COMMANDS.items()},
        "known bad": control(sysroot, core),
        "install": install(sysroot, core) if core == INSTALLED_ON else None,
    }


def answer(sysroot: Sysroot, core: str, *script: str) -> Found:
    """Run a script; paths, the keys of its JSON, become file names."""
    process = sysroot.python(core, *script)
    if process.returncode:
        sys.exit(f"{core}: {script[0]} died with {process.returncode}: {process.stderr[-2000:]}")
    found: Found = json.loads(process.stdout)
    files = found.get("files", found)
    return {Path(path).name: result for path, result in files.items()}


def said(sysroot: Sysroot, core: str, *command: str) -> Found:
    process = sysroot.python(core, "-m", "edgelstm", *command)
    return {"status": process.returncode, "stdout": process.stdout, "stderr": process.stderr}


def install(sysroot: Sysroot, core: str) -> Found:
    """Install as a person would, and return the output of the loop for its first window."""
    shutil.rmtree(sysroot.root / "opt" / "edgelstm", ignore_errors=True)
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/mnt/wheels"}
    process = sysroot.run(core, "/bin/bash", "-c", INSTALL, env=env)
    return {"status": process.returncode, "stdout": process.stdout, "stderr": process.stderr}


def control(sysroot: Sysroot, core: str) -> Found:
    """Import the onnxruntime that is known to die on old cores."""
    process = sysroot.python(core, "-c", "import onnxruntime; print(onnxruntime.__version__)", site="known-bad")
    died = process.returncode == -signal.SIGILL
    lives = process.returncode == 0 and process.stdout.strip() == KNOWN_BAD
    says = "SIGILL" if died else "runs" if lives else f"status {process.returncode}"
    return {"says": says, "expected": "SIGILL" if core in DIES_ON else "runs"}


def failures(found: Found) -> list[str]:
    """Say what failed on one core."""
    failed = []
    for name, result in found["replay"].items():
        if not result["loads"]:
            failed.append(f"{name} does not load: {result['reason']}")
        elif not result["holds"]:
            failed.append(f"{name}: " + ", ".join(f"{key} {result[key]:.3g}" for key in MEASURED))
    for precision in ("fp32", "int8w"):
        stream = found["streams"][f"{STREAMED}.{precision}.onnx"]
        if stream["differ"]:
            failed.append(f"a stream in {precision} differs from its window in {stream['differ']} of {STEPS} steps")
    for name, result in found["commands"].items():
        if result["status"] or result["stderr"]:
            failed.append(f"`{name}`: status {result['status']}, {(result['stderr'] or result['stdout'])[-300:]!r}")
    installed = found["install"]
    if installed and (installed["status"] or '"ready": true' not in installed["stdout"]):
        failed.append(f"install.sh: status {installed['status']}, {installed['stderr'][-300:]!r}")
    if found["known bad"]["says"] != found["known bad"]["expected"]:
        failed.append(f"onnxruntime {KNOWN_BAD}: {found['known bad']['says']}: is this the core it should be?")
    return failed


def report(found: dict[str, Found], names: list[str]) -> str:
    lines = [
        "# On the cores of the Raspberry Pi 3, 4 and 5",
        "",
        f"`make arm`: the wheel with Debian bookworm's aarch64 Python 3.11 and PyPI's aarch64 onnxruntime {ONNXRUNTIME}"
        f", emulated by qemu as each of these cores on an x86-64 machine. {len(names)} files: those under `models/` "
        f"and of format 1 among the tests, and {len(CASES)} small networks in four precisions that together use "
        "everything a graph can hold. They were exported on x86-64. Errors are in units of the tolerance that each "
        "file carries for onnxruntime's PyPI builds: above 1 fails. Speed, heat, GPU: not measured; an emulator "
        "can say nothing of them.",
        "",
        "| | " + " | ".join(f"{core}, {CORES[core].board}" for core in found) + " |",
        "|---|" + "--:|" * len(found),
    ]
    lines += [row(label, (cell(result) for result in found.values())) for label, cell in rows()]
    lines.append(row("speed, heat, GPU", ["not measured"] * len(found)))
    failed = [f"- {core}: {line}" for core, result in found.items() for line in failures(result)]
    lines += ["", "Nothing failed." if not failed else "Failed:", *([""] if failed else []), *failed, ""]
    lines += ["What these said; given once where all cores say the same:", "", "```console"]
    for name in list(COMMANDS)[1:]:
        said = {result["commands"][name]["stdout"].strip() for result in found.values()}
        lines += [f"$ {name}", *sorted(said)]
    return "\n".join([*lines, "```"]) + "\n"


def row(label: str, cells: Any) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"


def rows() -> list[tuple[str, Any]]:
    """List the rows of the table: the title of each, and the function for one core's cell."""
    found = [
        (f"{what}, {precision}", lambda result, key=key, precision=precision: worst(result, key, precision))
        for key, what in MEASURED.items()
        for precision in PRECISIONS
        if (key, precision) != ("stream", "int8")  # its activations have one range over the window: always differs
    ]
    found += [
        (
            f"{STEPS:,} steps against one window, {precision}",
            lambda result, precision=precision: stream(result, precision),
        )
        for precision in PRECISIONS
    ]
    found += [
        (f"`{name}`", lambda result, name=name: "FAILED" if result["commands"][name]["status"] else "ok")
        for name in COMMANDS
    ]
    found.append(("`deploy/raspberry-pi/install.sh`, then a window into `loop.py`", installed))
    return [*found, (f"control: onnxruntime {KNOWN_BAD} is imported", lambda result: result["known bad"]["says"])]


def installed(found: Found) -> str:
    if found["install"] is None:
        return "not run"
    return "FAILED" if found["install"]["status"] else "ok"


def worst(found: Found, key: str, precision: str) -> str:
    results = [result for name, result in found["replay"].items() if name.endswith(f".{precision}.onnx")]
    if not all(result["loads"] for result in results):
        return "does not load"
    return f"{max(result[key] for result in results):.2g}"


def stream(found: Found, precision: str) -> str:
    result = found["streams"][f"{STREAMED}.{precision}.onnx"]
    return "bit-equal" if not result["differ"] else f"{result['worst']:.2g} ({result['differ']:,} differ)"


if __name__ == "__main__":
    main()
