"""Gather the facts of a device: files under a root, commands on the PATH, installed packages."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from edgelstm.host import (
    cgroup_cores,
    cgroup_folders,
    installed_builds,
    installed_version,
    is_pypi_wheel,
    jetpack,
    l4t_release,
    read_text,
)

ROOT = Path("/")
COMMAND_S = 5.0

# From /proc/cpuinfo, "CPU part" of implementer 0x41.
_ARM_CORES = {
    0xB76: "arm1176",
    0xC07: "cortex-a7",
    0xD03: "cortex-a53",
    0xD05: "cortex-a55",
    0xD07: "cortex-a57",
    0xD08: "cortex-a72",
    0xD09: "cortex-a73",
    0xD0B: "cortex-a76",
    0xD42: "cortex-a78ae",
}


class Facts(NamedTuple):
    """What was found; None where the system does not say.

    Attributes:
        board: its name.
        architecture: as `uname -m` prints it.
        bits: of the running Python.
        cores: the processor's core types, `"cortex-a72"`, or its name.
        processors: their number.
        system: name and version of the operating system.
        musl: it has musl instead of glibc, as Alpine does.
        python: its version.
        builds: installed onnxruntime packages and their versions.
        pypi: whether the installed onnxruntime is a wheel of PyPI.
        numpy: its version.
        l4t: L4T release of a Jetson; "" elsewhere.
        jetpack: its major version, on a Jetson.
        cuda: version of the installed CUDA.
        telemetry_variable: value of ORT_DISABLE_TELEMETRY.
        governors: those of the processors, each once.
        throttled: the bits of `vcgencmd get_throttled`.
        temperature_c: temperature of the hottest zone.
        memory_mib, available_mib, swap_mib: total, available without swapping, total of swap.
        cgroup_cores, cgroup_mib: limits of the container.
    """

    board: str | None
    architecture: str
    bits: int
    cores: tuple[str, ...]
    processors: int
    system: str
    musl: bool
    python: tuple[int, int, int]
    builds: dict[str, str]
    pypi: bool
    numpy: str | None
    l4t: str
    jetpack: int | None
    cuda: str | None
    telemetry_variable: str | None
    governors: tuple[str, ...]
    throttled: int | None
    temperature_c: float | None
    memory_mib: float | None
    available_mib: float | None
    swap_mib: float | None
    cgroup_cores: float | None
    cgroup_mib: float | None


def gather_facts(root: Path = ROOT) -> Facts:
    """Gather the facts of this device.

    Args:
        root: root folder of the system's files; tests use another.

    Example:
        >>> gather_facts().processors >= 1
        True
    """
    cpuinfo = read_text(root, "proc/cpuinfo")
    release = l4t_release(root)
    builds = installed_builds()
    memory = _meminfo(root)
    return Facts(
        board=_board(root, cpuinfo),
        architecture=_run("uname", "-m") or platform.machine(),
        bits=64 if sys.maxsize > 2**32 else 32,
        cores=_cores(cpuinfo),
        processors=len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE)) or os.cpu_count() or 1,
        system=_system(root),
        musl=any(root.glob("lib/ld-musl-*")),
        python=sys.version_info[:3],
        builds=builds,
        pypi=is_pypi_wheel(),
        numpy=installed_version("numpy"),
        l4t="" if release is None else f"{release[0]}.{release[1]}",
        jetpack=jetpack(root),
        cuda=_cuda(root),
        telemetry_variable=os.environ.get("ORT_DISABLE_TELEMETRY"),
        governors=_unique(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")),
        throttled=_throttled(),
        temperature_c=_temperature(root),
        memory_mib=memory.get("MemTotal"),
        available_mib=memory.get("MemAvailable"),
        swap_mib=memory.get("SwapTotal"),
        cgroup_cores=cgroup_cores(root),
        cgroup_mib=_cgroup_memory(root),
    )


def _board(root: Path, cpuinfo: str) -> str | None:
    model = read_text(root, "proc/device-tree/model").strip()
    told = re.search(r"^Model\s*: (.+)$", cpuinfo, re.MULTILINE)
    return model or (told[1].strip() if told else None)


def _cores(cpuinfo: str) -> tuple[str, ...]:
    """Name the core types: ARM cores by their part numbers, others by the processor's own name."""
    parts = [int(part, 16) for part in re.findall(r"^CPU part\s*: (0x[0-9a-f]+)$", cpuinfo, re.MULTILINE)]
    names = [_ARM_CORES.get(part, f"ARM part {part:#x}") for part in parts]
    names = names or [name.strip() for name in re.findall(r"^model name\s*:(.+)$", cpuinfo, re.MULTILINE)]
    return tuple(dict.fromkeys(names))


def _system(root: Path) -> str:
    told = re.search(r'^PRETTY_NAME="?([^"\n]+)', read_text(root, "etc/os-release"), re.MULTILINE)
    return told[1] if told else platform.system()


def _cuda(root: Path) -> str | None:
    try:
        return str(json.loads(read_text(root, "usr/local/cuda/version.json"))["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _unique(files: Iterable[Path]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for file in sorted(files) if (word := read_text(file).strip())))


def _throttled() -> int | None:
    told = re.search(r"throttled=(0x[0-9a-fA-F]+)", _run("vcgencmd", "get_throttled"))
    return int(told[1], 16) if told else None


def _temperature(root: Path) -> float | None:
    told = [read_text(file).strip() for file in root.glob("sys/class/thermal/thermal_zone*/temp")]
    degrees = [int(word) / 1000 for word in told if re.fullmatch(r"-?\d{1,6}", word)]
    return max(degrees, default=None)


def _meminfo(root: Path) -> dict[str, float]:
    lines = re.findall(r"^(\w+):\s+(\d+) kB$", read_text(root, "proc/meminfo"), re.MULTILINE)
    return {name: int(kib) / 1024 for name, kib in lines}


def _cgroup_memory(root: Path) -> float | None:
    files = [f"{folder}/memory.max" for folder in cgroup_folders(root)]
    words = [read_text(root, file).strip() for file in (*files, "sys/fs/cgroup/memory/memory.limit_in_bytes")]
    limits = [int(word) for word in words if word.isdigit()]
    # Version 1 writes nearly 2**63 for no limit.
    return min((limit / 2**20 for limit in limits if limit < 2**60), default=None)


def _run(*command: str) -> str:
    """Run a command of the system and return its output; empty if it does not exist or fails."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  (fixed words, no input)
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=COMMAND_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
