"""Describe the machine that was measured on, and its present condition: heat, governor, throttling.

What only some systems report is None elsewhere, never a guess. `root` is the root of the system's files; another folder
stands for another machine.
"""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import edgelstm
from edgelstm.errors import counted

ROOT = Path("/")

_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu")
_MODEL_FILES = (Path("/proc/device-tree/model"), Path("/sys/firmware/devicetree/base/model"))
_VCGENCMD = ("usr/bin/vcgencmd", "opt/vc/bin/vcgencmd")
_PI_BITS_FILE = "sys/devices/platform/soc/soc:firmware/get_throttled"
# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled: bits 0 to 3 for now, 16 to 19 for since
# boot.
_PI_BITS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
# Cooling devices with which the kernel slows a processor down; not fans.
_COOLING = ("thermal-cpufreq", "cpufreq-cpu", "thermal-devfreq")
_SENSORS = ("cpu", "soc", "x86_pkg", "tctl", "core")


@dataclass(frozen=True)
class Machine:
    """A machine and what runs on it.

    Attributes:
        cpu: the processor's own name, or the board's.
        cores: logical processors.
        architecture: `"x86_64"`, `"aarch64"`, ...
        system: operating system and release.
        python: its version.
        versions: those of edgelstm and of the packages it runs on.
    """

    cpu: str
    cores: int
    architecture: str
    system: str
    python: str
    versions: dict[str, str]


class Throttling(NamedTuple):
    """Whether the machine runs slower than it could, to protect itself.

    Attributes:
        now: what slows it at this moment.
        since_boot: what has happened since boot; known on a Raspberry Pi.
        events: how often the processor was slowed down since boot; known on Intel.
    """

    now: tuple[str, ...]
    since_boot: tuple[str, ...]
    events: int


class Condition(NamedTuple):
    """The condition of the machine at one moment; None where the system does not say.

    Attributes:
        temperature_c: of the processor, or of the hottest sensor if none is named after it.
        governor: what sets the clock, such as `"ondemand"`; joined by commas if cores differ.
        clock_mhz: of the slowest core.
        throttling: None if unknown.
    """

    temperature_c: float | None
    governor: str | None
    clock_mhz: float | None
    throttling: Throttling | None


def describe_machine() -> Machine:
    """Describe this machine."""
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


def read_condition(root: Path = ROOT) -> Condition:
    """Read the condition of the machine from a few small files, and on a Raspberry Pi perhaps from `vcgencmd`.

    Example:
        >>> read_condition(Path("nowhere"))
        Condition(temperature_c=None, governor=None, clock_mhz=None, throttling=None)
    """
    return Condition(read_temperature_c(root), read_governor(root), read_clock_mhz(root), read_throttling(root))


def read_temperature_c(root: Path = ROOT) -> float | None:
    """Read the processor's sensor, or the hottest sensor if none is named after it, in degrees Celsius."""
    found: dict[str, float] = {}
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone*")):
        kind, value = _text(zone / "type") or zone.name, _number(zone / "temp")
        if value is not None and value > 0:  # a sensor that is off reads 0 or -274000
            found[kind.lower()] = max(value / 1000, found.get(kind.lower(), value / 1000))
    of_processor = [value for kind, value in found.items() if any(name in kind for name in _SENSORS)]
    return max(of_processor or found.values(), default=None)


def read_governor(root: Path = ROOT) -> str | None:
    """Read the clock governors of the cores: `performance`, `ondemand`, `schedutil`..."""
    texts = (_text(path) for path in root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"))
    return ", ".join(sorted({text for text in texts if text})) or None


def read_clock_mhz(root: Path = ROOT) -> float | None:
    """Read the clock of the slowest core just now, in MHz."""
    values = (_number(path) for path in root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))
    return min((value / 1000 for value in values if value is not None), default=None)


def read_throttling(root: Path = ROOT) -> Throttling | None:
    """Read all sources: the Pi's firmware, the kernel's cooling devices, Intel's counters; None: there is no source."""
    bits, events = _pi_bits(root), _throttle_events(root)
    cooling = _cooling_states(root)
    if bits is None and events is None and not cooling:
        return None
    now = [name for i, name in enumerate(_PI_BITS) if (bits or 0) >> i & 1]
    now += [f"{kind} at step {state}" for kind, state in cooling if state > 0]
    since_boot = tuple(name for i, name in enumerate(_PI_BITS) if (bits or 0) >> (16 + i) & 1)
    return Throttling(tuple(now), since_boot, events or 0)


def throttled_between(conditions: list[Condition]) -> tuple[str, ...]:
    """Say what slowed the machine down between these conditions, given in order; empty: nothing known.

    Included are what held at any of these moments, and what started after the first: the since-boot bits of a Raspberry
    Pi, and the counters of an Intel processor.

    Example:
        >>> cool = Condition(50.0, "ondemand", 1500.0, Throttling((), (), 0))
        >>> hot = cool._replace(throttling=Throttling((), ("throttled",), 0))
        >>> throttled_between([cool, hot]), throttled_between([hot, hot])
        (('throttled',), ())
    """
    told = [condition.throttling for condition in conditions if condition.throttling is not None]
    if not told:
        return ()
    first = told[0]
    reasons = [name for throttling in told for name in throttling.now]
    reasons += [name for throttling in told for name in throttling.since_boot if name not in first.since_boot]
    events = max(throttling.events for throttling in told) - first.events
    reasons += [f"{counted(events, 'throttling event')} of the processor"] if events else []
    return tuple(dict.fromkeys(reasons))


def resident_mib() -> float | None:
    """Return the resident memory of this process, in MiB; None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _pi_bits(root: Path) -> int | None:
    """Read the firmware's throttling bits from the kernel or from `vcgencmd get_throttled`: throttled=0x50005."""
    text = _text(root / _PI_BITS_FILE)
    if text is None:
        command = next((root / name for name in _VCGENCMD if (root / name).is_file()), None)
        text = None if command is None else _output_of(command, "get_throttled")
    try:
        return None if text is None else int(text.rpartition("=")[2], 16)
    except ValueError:
        return None


def _output_of(command: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run([command, *arguments], capture_output=True, timeout=5)  # noqa: S603  (the firmware's own)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def _cooling_states(root: Path) -> list[tuple[str, int]]:
    devices = sorted(root.glob("sys/class/thermal/cooling_device*"))
    found = [(_text(device / "type") or "", _number(device / "cur_state")) for device in devices]
    return [(kind, int(state)) for kind, state in found if kind.startswith(_COOLING) and state is not None]


def _throttle_events(root: Path) -> int | None:
    counters = root.glob("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count")
    values = [value for value in map(_number, counters) if value is not None]
    return int(sum(values)) if values else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return None


def _number(path: Path) -> float | None:
    try:
        return float(_text(path) or "")
    except ValueError:
        return None


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
