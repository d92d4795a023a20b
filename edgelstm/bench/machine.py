"""Name the machine that figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import edgelstm

_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu")
_MODEL_FILES = (Path("/proc/device-tree/model"), Path("/sys/firmware/devicetree/base/model"))


@dataclass(frozen=True)
class Machine:
    """A machine and what runs on it.

    Attributes:
        cpu: the processor's own name, or the board's.
        cores: logical processors.
        architecture: `"x86_64"`, `"aarch64"`, ...
        system: operating system and release.
        python: version.
        versions: of edgelstm and the packages it runs on.
    """

    cpu: str
    cores: int
    architecture: str
    system: str
    python: str
    versions: dict[str, str]


def describe_machine() -> Machine:
    """Describe the machine this runs on."""
    versions = {"edgelstm": edgelstm.__version__}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return Machine(
        _cpu_name(),
        os.cpu_count() or 1,
        platform.machine(),
        f"{platform.system()} {platform.release()}",
        platform.python_version(),
        versions,
    )


def resident_mib() -> float | None:
    """Tell how much memory this process holds, in MiB; None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu_name() -> str:
    for path in _MODEL_FILES:
        if path.is_file():
            return path.read_text(errors="replace").strip("\0\n ")
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
