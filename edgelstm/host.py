"""Facts of this host, from files under a root and installed packages; nothing here imports onnxruntime."""

from __future__ import annotations

import os
import re

# No pathlib here: it would add 5 ms to `import edgelstm.runtime`; numpy and onnxruntime do without it.
Root = str | os.PathLike[str]
ROOT = "/"

# The packages that install into one folder, `onnxruntime/`, and overwrite each other (microsoft/onnxruntime 26996).
BUILDS = (
    "onnxruntime",
    "onnxruntime-directml",
    "onnxruntime-gpu",
    "onnxruntime-migraphx",
    "onnxruntime-openvino",
    "onnxruntime-qnn",
    "onnxruntime-rocm",
    "onnxruntime-training",
)
# NVIDIA's own wheels for JetPack 6: Python 3.10, CUDA 12.6. The index sometimes lacks packages for days.
JETPACK_6_WHEELS = "pip install onnxruntime-gpu --index-url https://pypi.jetson-ai-lab.io/jp6/cu126"

_JETPACK_OF_L4T = {32: 4, 34: 5, 35: 5, 36: 6, 38: 7}


def installed_builds() -> dict[str, str]:
    """List the installed onnxruntime packages with their versions; two of them break each other.

    Example:
        >>> "onnxruntime" in installed_builds()
        True
    """
    versions = {name: installed_version(name) for name in BUILDS}
    return {name: version for name, version in versions.items() if version is not None}


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, "?" if its record is damaged, None if it is not installed."""
    from importlib import metadata  # takes 10 ms, and a plain load does not need it

    try:
        return metadata.version(package) or "?"
    except metadata.PackageNotFoundError:
        return None
    except KeyError:  # a record without a version, from Python 3.12 on
        return "?"


def is_pypi_wheel() -> bool:
    """Say whether onnxruntime is a wheel of PyPI (manylinux, macosx, win), not a build of a distribution or vendor.

    If several packages are installed, each must be such a wheel: it is unknown which of them runs.

    Example:
        >>> is_pypi_wheel()
        True
    """
    from importlib import metadata

    wheels = []
    for name in BUILDS:
        try:
            wheels.append(metadata.distribution(name).read_text("WHEEL") or "")
        except metadata.PackageNotFoundError:
            continue
    return bool(wheels) and all(any(word in wheel for word in ("manylinux", "macosx", "-win")) for wheel in wheels)


def available_cores(root: Root = ROOT) -> float:
    """Count the processors that this process may use: those it may run on, or fewer if a cgroup limits its time."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroup_cores(root)
    return allowed if limit is None else min(allowed, limit)


def cgroup_cores(root: Root = ROOT) -> float | None:
    """Return the processor time of this process, in processors, as `docker run --cpus` limits it; None: no limit."""
    quotas = [read_text(root, f"{folder}/cpu.max").split() for folder in cgroup_folders(root)]
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")  # version 1
    quotas.append([read_text(root, f"sys/fs/cgroup/cpu/{name}").strip() for name in names])
    numbers = [[int(word) for word in words] for words in quotas if all(map(str.isdigit, words))]
    return min((pair[0] / pair[1] for pair in numbers if len(pair) == 2 and all(pair)), default=None)


def cgroup_folders(root: Root = ROOT) -> list[str]:
    """List the folders, below `root`, of the cgroup (version 2) of this process and of its parents."""
    told = re.search(r"^0::/(.*)$", read_text(root, "proc/self/cgroup"), re.MULTILINE)
    parts = told[1].split("/") if told and told[1] else []
    parts = [] if ".." in parts else parts  # outside this container
    return ["/".join(["sys/fs/cgroup", *parts[:count]]) for count in range(len(parts), -1, -1)]


def l4t_release(root: Root = ROOT) -> tuple[int, str] | None:
    """Read the release of a Jetson's system, (36, "4.3") for R36.4.3; None on any other machine."""
    words = re.match(r"# R(\d+) \(release\), REVISION: ([\d.]+)", read_text(root, "etc/nv_tegra_release"))
    return (int(words[1]), words[2]) if words else None


def jetpack(root: Root = ROOT) -> int | None:
    """Return the major version of a Jetson's JetPack; None on any other machine, or if unknown."""
    release = l4t_release(root)
    return None if release is None else _JETPACK_OF_L4T.get(release[0])


def read_text(root: Root, name: str = "") -> str:
    """Read a small text file of the system; empty if it does not exist or cannot be read."""
    try:
        with open(os.path.join(root, name) if name else root, encoding="utf-8", errors="replace") as file:
            return file.read().replace("\0", "")
    except OSError:
        return ""
