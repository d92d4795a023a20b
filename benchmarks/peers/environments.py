"""The environments of the peers, each made once under .benchmarks/, and their packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.peers.worker import PEERS
from benchmarks.wheel import build_wheel

WORK = ROOT / ".benchmarks"
SCRIPTS = Path(__file__).parent
MODELS = WORK / "models"
HERE = "torch"  # torch is in the running environment, that of make
# Pinned to the versions of benchmarks/results.
PACKAGES = {
    "edgelstm": ("onnxruntime==1.32.0", "numpy==2.4.6"),
    "litert": ("ai-edge-litert==2.3.0", "numpy==2.4.6"),
    "openvino": ("openvino==2026.4.1", "numpy==2.4.6"),
    "darts": ("torch==2.13.0", "u8darts[torch]==0.41.0", "onnx==1.23.2", "onnxscript==0.7.2", "onnxruntime==1.32.0"),
    "tensorflow": ("tensorflow-cpu==2.21.0", "tf_keras==2.21.0", "numpy==2.4.6"),
}
ENVIRONMENT_OF = {
    "edgelstm": "edgelstm",
    "plain": "edgelstm",  # the same onnxruntime
    "darts": "edgelstm",  # likewise; its own environment writes the file
    "LiteRT": "litert",
    "OpenVINO": "openvino",
    "torch": HERE,
    "torch.compile": HERE,
}
# What each peer needs on a device: environment and packages.
NEEDS = {
    "edgelstm": ("edgelstm", ("edgelstm", "onnxruntime")),
    "plain export": ("edgelstm", ("onnxruntime",)),
    "torch": (HERE, ("torch", "numpy")),
    "LiteRT": ("litert", ("ai-edge-litert",)),
    "OpenVINO": ("openvino", ("openvino",)),
}
MAKERS = {"LiteRT": "tensorflow", "darts": "darts"}  # environments that write the files

_SIZES = """
import json, re, sys
from importlib import metadata

def closure(names):
    seen, wanted = {}, list(names)
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        files = [found.locate_file(file) for file in found.files or ()]
        seen[name] = sum(file.stat().st_size for file in files if file.is_file())
        needs = [line for line in found.requires or () if "extra ==" not in line]
        wanted += [re.match(r"[A-Za-z0-9_.-]+", line)[0] for line in needs]
    return seen

print(json.dumps(closure(sys.argv[1:])))
"""


def python_of(peer: str) -> Path:
    """Return the interpreter that runs a peer."""
    environment = ENVIRONMENT_OF[peer.split()[0]]
    return Path(sys.executable) if environment == HERE else WORK / environment / "bin" / "python"


def variables() -> dict[str, str]:
    """Return the environment variables: one thread for all, no telemetry, and a cache for torch's compiler."""
    return {
        **os.environ,
        "ORT_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(WORK / "inductor"),
        "PYTHONDONTWRITEBYTECODE": "",  # an installed package is compiled
        "PYTHONPATH": "",
    }


def make() -> dict[str, str]:
    """Make missing environments; return the unavailable peers, each with the reason."""
    missing = {}
    for name, packages in PACKAGES.items():
        reason = _make_one(name, packages)
        if reason and name == "edgelstm":
            sys.exit(f"the environment of edgelstm cannot be made: {reason}")
        if reason:
            missing |= dict.fromkeys(_peers_of(name), reason)
    _install_edgelstm()
    return missing


def make_files(cases: Sequence[Any]) -> dict[str, str]:
    """Let tensorflow and darts write missing files; return the peers without files, and why."""
    found = [case for case in cases if not (MODELS / str(case.hidden) / f"{case.name}.int8.tflite").exists()]
    litert = [str(part) for case in found for part in (case.hidden, case.name, case.what, case.streams)]
    sizes = sorted({case.hidden for case in cases})
    darts = [str(size) for size in sizes if not (MODELS / str(size) / "darts.onnx").exists()]
    missing = {}
    for environment, script, arguments in (
        ("tensorflow", "tflite_files.py", litert),
        ("darts", "darts_file.py", darts),
    ):
        reason = _run_script(environment, script, arguments) if arguments else None
        if reason:
            missing |= dict.fromkeys(_peers_of(environment), f"{environment} does not write it: {reason}")
    return missing


def _run_script(environment: str, script: str, arguments: list[str]) -> str | None:
    python, path = WORK / environment / "bin" / "python", SCRIPTS / script
    if not python.exists():
        return "its environment is missing"
    print(f"{path.name}: {len(arguments)} arguments", file=sys.stderr)
    done = subprocess.run([python, path, MODELS, *arguments], env=variables(), capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or ["?"])[-1] if done.returncode else None


def _peers_of(environment: str) -> list[str]:
    """List the peers that run in an environment, or get their files from it."""
    kinds = [kind for kind, name in {**ENVIRONMENT_OF, **MAKERS}.items() if name == environment]
    kinds += [kind for kind, name in MAKERS.items() if name == environment]
    return [peer for peer in PEERS if peer.split()[0] in kinds]


def _make_one(name: str, packages: tuple[str, ...]) -> str | None:
    folder = WORK / name
    made = folder / ".made"
    if made.exists() and made.read_text() == repr(packages):
        return None
    print(f"making {folder}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
    index = os.environ.get("TORCH_INDEX")
    if index and packages[0].startswith("torch"):  # as in make: pip's default index has the CUDA build
        subprocess.run([*pip, "--index-url", index, packages[0]], check=True)
    done = subprocess.run([*pip, *packages], capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return f"pip: {(errors or ['failed'])[0]}"
    made.write_text(repr(packages))
    return None


def _install_edgelstm() -> None:
    """Install edgelstm from this tree as a wheel, as on a device."""
    wheel = build_wheel(WORK / "wheel")
    python = WORK / "edgelstm" / "bin" / "python"
    pip = [python, "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, f"edgelstm[cpu] @ {wheel.as_uri()}"], check=True)
    subprocess.run([*pip, "--no-deps", "--force-reinstall", wheel], check=True)


def installed_mb() -> dict[str, dict[str, float]]:
    """Measure each package that a peer needs on a device: MB (10^6 bytes) by its list of installed files."""
    found = {}
    for peer, (environment, names) in NEEDS.items():
        python = sys.executable if environment == HERE else WORK / environment / "bin" / "python"
        done = subprocess.run([python, "-I", "-c", _SIZES, *names], capture_output=True, text=True, check=True)
        found[peer] = {name: size / 1e6 for name, size in sorted(json.loads(done.stdout).items())}
    return found


def describe() -> dict[str, Any]:
    """Describe the machine and the versions."""
    from importlib import metadata

    from edgelstm.bench import describe_machine
    from edgelstm.strict_json import plain

    machine = plain(describe_machine())
    packages = [package for name, packages in PACKAGES.items() if name != "edgelstm" for package in packages]
    versions = dict(package.split("==") for package in packages) | {"torch": metadata.version("torch")}
    return {**machine, "versions": {**machine["versions"], **versions}}
