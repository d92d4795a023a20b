"""Devices that are nothing but files: what their /proc, /sys and /etc say, and the commands they have.

From a Raspberry Pi 3, 4 and 5, a Jetson AGX Orin, a 32-bit Raspberry Pi OS and Alpine.
"""

from __future__ import annotations

from pathlib import Path

CPUINFO = """processor\t: {i}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: 3

"""
BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
TRIXIE = 'PRETTY_NAME="Raspbian GNU/Linux 13 (trixie)"\nID=raspbian\n'
UBUNTU = 'PRETTY_NAME="Ubuntu {}"\nID=ubuntu\n'
ALPINE = 'NAME="Alpine Linux"\nID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n'
MEMORY = (
    "MemTotal:        {:.0f} kB\nMemFree:          210000 kB\nMemAvailable:    {:.0f} kB\nSwapTotal:        524284 kB\n"
)
L4T = (
    "# R{} (release), REVISION: {}, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025\n"
)
CUDA = '{{"cuda": {{"name": "CUDA SDK", "version": "{}"}}}}\n'


def write_device(
    root: Path,
    *,
    machine: str = "aarch64",
    part: str = "0xd08",
    model: str | None = None,
    system: str = BOOKWORM,
    governor: str | None = "ondemand",
    temperature_c: float | None = 48.7,
    throttled: str | None = "0x0",
    memory_mib: float = 3792,
    available_mib: float = 3200,
    files: dict[str, str] | None = None,
) -> Path:
    """Write the files of a device below `root`, and its commands into `root/bin`."""
    written = {
        "proc/cpuinfo": "".join(CPUINFO.format(i=i, part=part) for i in range(4)),
        "proc/meminfo": MEMORY.format(memory_mib * 1024, available_mib * 1024),
        "etc/os-release": system,
        **(files or {}),
    }
    if model:
        written["proc/device-tree/model"] = f"{model}\0"
    if governor:
        written |= {f"sys/devices/system/cpu/cpu{i}/cpufreq/scaling_governor": f"{governor}\n" for i in range(4)}
    if temperature_c is not None:
        written["sys/class/thermal/thermal_zone0/temp"] = f"{temperature_c * 1000:.0f}\n"
    for name, content in written.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    write_command(root, "uname", f"echo {machine}")
    if throttled:
        write_command(root, "vcgencmd", f"echo throttled={throttled}")
    return root


def write_command(root: Path, name: str, line: str) -> None:
    (root / "bin").mkdir(parents=True, exist_ok=True)
    (root / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
    (root / "bin" / name).chmod(0o755)


DEVICES = {
    "Pi 3": {"part": "0xd03", "model": "Raspberry Pi 3 Model B Rev 1.2", "memory_mib": 906, "available_mib": 610},
    "Pi 4": {"part": "0xd08", "model": "Raspberry Pi 4 Model B Rev 1.5"},
    "Pi 5": {"part": "0xd0b", "model": "Raspberry Pi 5 Model B Rev 1.0", "memory_mib": 8063, "available_mib": 7500},
    "JetPack 5": {
        "part": "0xd42",
        "model": "NVIDIA Jetson AGX Orin",
        "system": UBUNTU.format("20.04.6 LTS"),
        "governor": "schedutil",
        "throttled": None,
        "files": {
            "etc/nv_tegra_release": L4T.format(35, "4.1"),
            "usr/local/cuda/version.json": CUDA.format("11.4.19"),
        },
    },
    "JetPack 6": {
        "part": "0xd42",
        "model": "NVIDIA Jetson AGX Orin Developer Kit",
        "system": UBUNTU.format("22.04.5 LTS"),
        "governor": "schedutil",
        "throttled": None,
        "files": {
            "etc/nv_tegra_release": L4T.format(36, "4.3"),
            "usr/local/cuda/version.json": CUDA.format("12.6.11"),
        },
    },
    "armv7": {"machine": "armv7l", "model": "Raspberry Pi 4 Model B Rev 1.5", "system": TRIXIE},
    "Alpine": {
        "machine": "aarch64",
        "system": ALPINE,
        "governor": None,
        "temperature_c": None,
        "throttled": None,
        "files": {"lib/ld-musl-aarch64.so.1": ""},
    },
}
