"""Judge the facts: what is fine, what may cause trouble, what is broken, and the exact fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from edgelstm.doctor.child import Outcome
from edgelstm.doctor.facts import Facts
from edgelstm.host import JETPACK_6_WHEELS

OK, WARN, FAIL = "ok", "warn", "fail"

PYTHON = (3, 10)
NUMPY = (1, 26)
ONNXRUNTIME = (1, 20)
TELEMETRY_SINCE = (1, 29)
# The cores on which 1.21.0 dies with SIGILL at import (microsoft/onnxruntime 23957, 24112).
OLD_CORES = {"cortex-a53", "cortex-a72"}
HOT_C = 80.0  # a Raspberry Pi slows down from here
# Python, numpy, onnxruntime and a small file take about 100 MiB; training takes more, and is not for devices.
LITTLE_MIB, TOO_LITTLE_MIB = 256, 128

_INSTALL = "pip install 'edgelstm[cpu]'"
_CUDA_OF_JETPACK = {5: "11", 6: "12", 7: "13"}
_THROTTLING = {
    0: "the voltage is too low",
    1: "the frequency is capped",
    2: "it is throttled",
    3: "the soft temperature limit is active",
}
_PERFORMANCE = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


class Finding(NamedTuple):
    """One finding about a device.

    Attributes:
        level: `OK`, `WARN` or `FAIL`.
        what: what was examined, in a word or two.
        found: what was found.
        mend: how to fix it, if there is something to fix.
    """

    level: str
    what: str
    found: str
    mend: str | None = None


def judge_facts(facts: Facts, onnxruntime: Outcome) -> list[Finding]:
    """Judge a device.

    Args:
        facts: its facts.
        onnxruntime: the result of importing onnxruntime in a child process.
    """
    return [
        *_processor(facts),
        *_system(facts),
        *_jetson(facts),
        *_python(facts),
        *_packages(facts),
        *_onnxruntime(facts, onnxruntime),
        *_telemetry(facts, onnxruntime),
        *_memory(facts),
        *_container(facts),
        *_governor(facts),
        *_throttling(facts),
        *_temperature(facts),
    ]


def _processor(facts: Facts) -> Iterator[Finding]:
    names = " and ".join(facts.cores)
    found = ", ".join(filter(None, [f"{facts.processors} x {names}" if names else "", facts.architecture]))
    if facts.architecture.startswith("armv6"):
        yield Finding(
            FAIL, "processor", f"{found}: no onnxruntime exists for armv6", "use a Raspberry Pi Zero 2 W, 3 or newer"
        )
    elif facts.architecture in ("aarch64", "x86_64") and facts.bits == 32:
        yield Finding(
            FAIL,
            "processor",
            f"{found}, but this Python is 32-bit: no onnxruntime wheel exists for it",
            "install the 64-bit image of the system (Raspberry Pi OS 64-bit)",
        )
    elif facts.architecture.startswith("armv"):
        yield Finding(
            WARN,
            "processor",
            f"{found}: PyPI and piwheels have no onnxruntime for 32-bit ARM, and never had",
            "install the 64-bit image (a Pi 3 or newer runs it); or on Debian 13: sudo apt install "
            "python3-onnxruntime, and python3 -m venv --system-site-packages",
        )
    else:
        yield Finding(OK, "processor", found)


def _system(facts: Facts) -> Iterator[Finding]:
    if facts.musl:
        yield Finding(
            FAIL,
            "system",
            f"{facts.system} has musl instead of glibc: no onnxruntime wheel exists for it",
            "use an image with glibc, such as python:3.13-slim",
        )
    else:
        yield Finding(OK, "system", facts.system)


def _jetson(facts: Facts) -> Iterator[Finding]:
    if not facts.l4t:
        return
    cuda = f", CUDA {facts.cuda}" if facts.cuda else ""
    name = "unknown" if facts.jetpack is None else facts.jetpack
    found = f"{name} (L4T {facts.l4t}{cuda})"
    python = ".".join(map(str, facts.python[:2]))
    if facts.jetpack is None or facts.jetpack <= 5:
        yield Finding(
            FAIL if facts.python < PYTHON else WARN,
            "JetPack",
            f"{found} is not supported: its Python is 3.8, and its onnxruntime-gpu ends with 1.19.2",
            f"flash JetPack 6; the CPU alone works if you install Python 3.10 or newer and {_INSTALL}",
        )
    elif facts.cuda and not facts.cuda.startswith(f"{_CUDA_OF_JETPACK[facts.jetpack]}."):
        yield Finding(
            WARN,
            "JetPack",
            f"{found}: it comes with CUDA {_CUDA_OF_JETPACK[facts.jetpack]}, which its onnxruntime wheels need",
            "sudo apt install nvidia-jetpack",
        )
    elif facts.jetpack == 6 and facts.python[:2] != PYTHON:
        yield Finding(
            WARN,
            "JetPack",
            f"{found}: NVIDIA's GPU wheels are for its Python 3.10, this is {python}",
            f"/usr/bin/python3.10 -m venv ENV, and in it {JETPACK_6_WHEELS}; the CPU works with any Python",
        )
    else:
        yield Finding(OK, "JetPack", found)
    yield from _jetson_wheels(facts)


def _jetson_wheels(facts: Facts) -> Iterator[Finding]:
    version = facts.builds.get("onnxruntime-gpu")
    if version is None or not facts.pypi or _numbers(version) < TELEMETRY_SINCE:
        return
    if facts.jetpack == 6:
        yield Finding(
            FAIL,
            "onnxruntime-gpu",
            f"{version} of PyPI is for CUDA 13 and has no code for this GPU",
            f"pip uninstall -y onnxruntime-gpu; {JETPACK_6_WHEELS}",
        )
    elif facts.jetpack == 7:
        yield Finding(
            WARN,
            "onnxruntime-gpu",
            f"{version} of PyPI seems to have no code for Orin or Thor",
            "test with edgelstm verify FILE --device cuda; --device cpu works",
        )


def _python(facts: Facts) -> Iterator[Finding]:
    found = f"{'.'.join(map(str, facts.python))}, {facts.bits}-bit"
    if facts.python < PYTHON:
        yield Finding(FAIL, "Python", f"{found}: expected 3.10 or newer", "install a newer Python, or a newer system")
    else:
        yield Finding(OK, "Python", found)


def _packages(facts: Facts) -> Iterator[Finding]:
    if len(facts.builds) > 1:
        installed = " and ".join(f"{name} {version}" for name, version in facts.builds.items())
        keep = "gpu" if "onnxruntime-gpu" in facts.builds else "cpu"
        yield Finding(
            FAIL,
            "packages",
            f"{installed} are installed together and overwrite each other's files",
            f"pip uninstall -y {' '.join(facts.builds)}; {_install(facts, keep)}",
        )
    if facts.numpy is None or _numbers(facts.numpy) < NUMPY:
        found = "is not installed" if facts.numpy is None else f"{facts.numpy}: expected 1.26 or newer"
        yield Finding(FAIL, "numpy", found, "pip install -U 'numpy>=1.26'")
    else:
        yield Finding(OK, "numpy", facts.numpy)


def _install(facts: Facts, extra: str) -> str:
    return JETPACK_6_WHEELS if extra == "gpu" and facts.jetpack == 6 else f"pip install 'edgelstm[{extra}]'"


def _onnxruntime(facts: Facts, outcome: Outcome) -> Iterator[Finding]:
    told = next(iter(facts.builds.items()), None)
    name = "onnxruntime" if told is None else f"{told[0]} {told[1]}"
    found = outcome.found or {}
    if found.get("missing"):
        yield Finding(FAIL, "onnxruntime", "is not installed", _how_to_get(facts))
    elif "error" in found:
        yield Finding(FAIL, "onnxruntime", f"{name} cannot be imported: {found['error']}", _again(facts))
    elif outcome.trouble:
        yield Finding(
            FAIL, "onnxruntime", f"{name} {outcome.trouble} when imported{_blame(facts, outcome)}", _again(facts)
        )
    else:
        yield _imported(facts, found["version"], found["providers"], found["place"])


def _imported(facts: Facts, version: str, providers: list[str], place: str) -> Finding:
    kind = "wheel of PyPI" if facts.pypi else "a build of the system or a vendor"
    devices = ", ".join(name.removesuffix("ExecutionProvider") for name in providers)
    found = f"{version}, {kind}, for {devices}"
    if _numbers(version) < ONNXRUNTIME:
        return Finding(FAIL, "onnxruntime", f"{found}: expected 1.20 or newer", _again(facts))
    if version == "1.21.0" and OLD_CORES & set(facts.cores):
        return Finding(FAIL, "onnxruntime", f"{found}{_known(facts)}", _again(facts))
    if facts.jetpack and "CUDAExecutionProvider" not in providers:
        return Finding(WARN, "onnxruntime", f"{found}: the GPU is not used", _gpu_mend(facts))
    if not facts.pypi:
        return Finding(OK, "onnxruntime", f"{found}; int8 files have a larger tolerance with it, see edgelstm verify")
    return Finding(OK, "onnxruntime", found)


def _gpu_mend(facts: Facts) -> str | None:
    return f"pip uninstall -y onnxruntime; {JETPACK_6_WHEELS}" if facts.jetpack == 6 else None


def _blame(facts: Facts, outcome: Outcome) -> str:
    if "SIGILL" not in (outcome.trouble or ""):
        return ""
    if "1.21.0" in facts.builds.values() and OLD_CORES & set(facts.cores):
        return _known(facts)
    return ": it uses instructions that this processor lacks"


def _known(facts: Facts) -> str:
    cores = ", ".join(sorted(OLD_CORES & set(facts.cores)))
    return f": 1.21.0 dies on the {cores} (microsoft/onnxruntime issue 23957)"


def _how_to_get(facts: Facts) -> str:
    if facts.musl or facts.architecture.startswith("armv") or facts.bits == 32:
        return "no wheel exists for this device: see processor and system above"
    return JETPACK_6_WHEELS + f" for the GPU, {_INSTALL} for the CPU" if facts.jetpack == 6 else _INSTALL


def _again(facts: Facts) -> str:
    if facts.pypi or not facts.builds:
        names = " ".join(facts.builds) or "onnxruntime"
        extra = "gpu" if "onnxruntime-gpu" in facts.builds else "cpu"
        return f"pip uninstall -y {names}; {_install(facts, extra)}"
    return f"keep the system's build and install another: python3 -m venv ENV; ENV/bin/{_INSTALL}"


def _telemetry(facts: Facts, outcome: Outcome) -> Iterator[Finding]:
    version = (outcome.found or {}).get("version")
    if version is None or not facts.pypi or _numbers(version) < TELEMETRY_SINCE:
        return
    value = facts.telemetry_variable
    if value == "1":
        yield Finding(OK, "telemetry", "off (ORT_DISABLE_TELEMETRY=1)")
    else:
        words = (
            "is not set: edgelstm disables telemetry for itself, other programs with this onnxruntime report home"
            if value is None
            else f"is {value!r}: this onnxruntime reports home"
        )
        yield Finding(
            WARN,
            "telemetry",
            f"ORT_DISABLE_TELEMETRY {words}",
            "export ORT_DISABLE_TELEMETRY=1; in a systemd unit, Environment=ORT_DISABLE_TELEMETRY=1",
        )


def _memory(facts: Facts) -> Iterator[Finding]:
    if facts.memory_mib is None:
        return
    available = facts.memory_mib if facts.available_mib is None else facts.available_mib
    swap = f"{facts.swap_mib:,.0f} MiB of swap" if facts.swap_mib else "no swap"
    found = f"{available:,.0f} of {facts.memory_mib:,.0f} MiB available, {swap}"
    if available < TOO_LITTLE_MIB:
        yield Finding(FAIL, "memory", f"{found}: too little to load onnxruntime", "stop other programs")
    elif available < LITTLE_MIB:
        yield Finding(WARN, "memory", f"{found}: tight", "stop other programs")
    else:
        yield Finding(OK, "memory", found)


def _container(facts: Facts) -> Iterator[Finding]:
    if facts.cgroup_cores is not None and facts.cgroup_cores < 1:
        yield Finding(
            WARN,
            "container",
            f"limited to {facts.cgroup_cores:g} of a processor: calls are paused for up to 0.1 s",
            "docker run --cpus 1, or CPUQuota=100% in a systemd unit",
        )
    if facts.cgroup_mib is not None and facts.cgroup_mib < LITTLE_MIB:
        yield Finding(
            WARN,
            "container",
            f"limited to {facts.cgroup_mib:,.0f} MiB: the kernel may kill the process",
            "docker run --memory 512m, or MemoryMax=512M in a systemd unit",
        )


def _governor(facts: Facts) -> Iterator[Finding]:
    slow = [name for name in facts.governors if name in ("powersave", "ondemand", "conservative")]
    if slow:
        yield Finding(
            WARN,
            "governor",
            f"{', '.join(slow)}: the first calls after a pause are slow, and timings vary",
            _PERFORMANCE,
        )
    elif facts.governors:
        yield Finding(OK, "governor", ", ".join(facts.governors))


def _throttling(facts: Facts) -> Iterator[Finding]:
    if facts.throttled is None:
        return
    now = [words for bit, words in _THROTTLING.items() if facts.throttled >> bit & 1]
    before = [words for bit, words in _THROTTLING.items() if facts.throttled >> bit + 16 & 1]
    mend = "use a better power supply and cable" if facts.throttled & 0x10001 else "add a heat sink or a fan"
    if now:
        low_voltage = facts.throttled & 1  # it corrupts cards; the others only slow down
        yield Finding(
            FAIL if low_voltage else WARN, "throttling", f"now: {', '.join(now)} ({facts.throttled:#x})", mend
        )
    elif before:
        yield Finding(WARN, "throttling", f"since boot: {', '.join(before)} ({facts.throttled:#x})", mend)
    else:
        yield Finding(OK, "throttling", "none since boot")


def _temperature(facts: Facts) -> Iterator[Finding]:
    if facts.temperature_c is None:
        return
    found = f"{facts.temperature_c:.0f} C"
    if facts.temperature_c >= HOT_C:
        yield Finding(
            WARN, "temperature", f"{found}: most boards slow down near this temperature", "add a heat sink or a fan"
        )
    else:
        yield Finding(OK, "temperature", found)


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
