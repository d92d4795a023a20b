"""An aarch64 Debian in a folder, and how to run its programs on an x86 machine.

Debian's packages are fetched into an apt root of its own and unpacked, not installed; their programs are emulated by
qemu as one core or another. No root, no Docker: a user namespace with a binfmt_misc of its own (Linux 6.7), apt-get,
dpkg, and Debian's archive keys.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT

HERE = Path(__file__).parent
DEBIAN = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Raspberry Pi OS bookworm is Debian bookworm, with the same Python 3.11. The rest is what install.sh needs.
PACKAGES = (
    "base-files", "bash", "ca-certificates", "coreutils", "dash", "findutils", "grep", "libc-bin", "libstdc++6",
    "python3-minimal", "python3-venv", "sed",
)  # fmt: skip
ONNXRUNTIME, KNOWN_BAD = "1.32.0", "1.21.0"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")


class Core(NamedTuple):
    """A core as its /proc/cpuinfo describes it.

    Attributes:
        board: where it is found.
        part, variant, revision: of ARM's numbering.
        features: what it can.
    """

    board: str
    part: str
    variant: str
    revision: int
    features: str

    def cpuinfo(self) -> str:
        one = (
            f"BogoMIPS\t: 108.00\nFeatures\t: {self.features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
            f"CPU variant\t: {self.variant}\nCPU part\t: {self.part}\nCPU revision\t: {self.revision}\n\n"
        )
        processors = "".join(f"processor\t: {i}\n{one}" for i in range(4))
        return f"{processors}Model\t\t: {self.board}, emulated\n"


CORES = {
    "cortex-a53": Core("Raspberry Pi 3", "0xd03", "0x0", 4, "fp asimd evtstrm crc32 cpuid"),
    "cortex-a72": Core("Raspberry Pi 4", "0xd08", "0x0", 3, "fp asimd evtstrm crc32 cpuid"),
    "cortex-a76": Core(
        "Raspberry Pi 5",
        "0xd0b",
        "0x4",
        1,
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
    ),
}


class Sysroot(NamedTuple):
    """Where an unpacked Debian lies.

    Attributes:
        root: its `/`.
        qemu: the emulator.
        share: seen inside as `/mnt`; has `wheels/`, `site/` (onnxruntime, numpy, typer) and `known-bad/`.
    """

    root: Path
    qemu: Path
    share: Path

    def run(self, core: str, *command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as user 1000 on a core; the return code is -N where a signal N ended it."""
        cpuinfo = self.root.parent / f"cpuinfo.{core}"
        cpuinfo.write_text(CORES[core].cpuinfo())
        enter = ["unshare", "--user", "--map-root-user", "--mount", "bash", str(HERE / "enter.sh")]
        paths = [str(path) for path in (self.root, self.qemu, cpuinfo, self.share)]
        inside = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", "LC_ALL": "C.UTF-8", "QEMU_CPU": core}
        return subprocess.run([*enter, *paths, *command], capture_output=True, text=True, env={**inside, **(env or {})})

    def python(self, core: str, *arguments: str, site: str = "site") -> subprocess.CompletedProcess[str]:
        """Run Python with what was unpacked into `site`, and the wheel that is measured."""
        env = {"PYTHONPATH": f"/mnt/{site}:/mnt/edgelstm", "ORT_DISABLE_TELEMETRY": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return self.run(core, "/usr/bin/python3", *arguments, env=env)


def make_sysroot(work: Path) -> Sysroot:
    """Make it once; again when this file says something else."""
    sysroot = Sysroot(work / "root", work / "qemu" / "usr" / "bin" / "qemu-aarch64-static", work / "share")
    made, recipe = work / ".made", hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    if not made.exists() or made.read_text() != recipe:
        see_that_it_can_be_made()
        shutil.rmtree(work, ignore_errors=True)
        sysroot.share.mkdir(parents=True)
        unpack_debian(work, sysroot.root)
        unpack_wheels(sysroot.share)
        made.write_text(recipe)
    return sysroot


def see_that_it_can_be_made() -> None:
    missing = [tool for tool in ("apt-get", "dpkg", "unshare") if shutil.which(tool) is None]
    if platform.system() != "Linux" or missing or not KEYS.exists():
        sys.exit(f"the sysroot needs a Linux with apt-get, dpkg, unshare and {KEYS}; missing: {', '.join(missing)}")
    probe = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"
    if subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", probe]).returncode:
        sys.exit(
            "the sysroot needs user namespaces that may mount binfmt_misc: Linux 6.7 or newer, unprivileged allowed"
        )


def unpack_debian(work: Path, root: Path) -> None:
    """Fetch and unpack the packages and the emulator, which is of the architecture of this machine."""
    apt = private_apt(work / "apt")
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    run = {"check": True, "env": {**os.environ, "APT_CONFIG": str(apt)}, "stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "--quiet", "update"], **run)
    subprocess.run(["apt-get", "--quiet", "--yes", "--download-only", "install", *PACKAGES], **run)
    subprocess.run(["apt-get", "--quiet", "download", f"qemu-user-static:{native}"], cwd=work, **run)
    for package in sorted((work / "apt" / "cache" / "archives").glob("*.deb")):
        subprocess.run(["dpkg", "--extract", package, root], check=True)
    for place in ("dev", "mnt", "proc", "sys", "tmp", "opt"):  # a package's own script would make them
        (root / place).mkdir(exist_ok=True)
    cpus = root / "sys" / "devices" / "system" / "cpu"  # of this machine they would be other ones than in cpuinfo
    cpus.mkdir(parents=True)
    for name in ("possible", "present", "online"):
        (cpus / name).write_text("0-3\n")
    (root / "etc" / "passwd").write_text("pi:x:1000:1000::/tmp:/bin/bash\n")
    for package in work.glob("qemu-user-static*.deb"):
        subprocess.run(["dpkg", "--extract", package, work / "qemu"], check=True)


def private_apt(folder: Path) -> Path:
    """An apt that knows nothing of this machine's; gives its configuration."""
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    for needed in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"):
        (folder / needed).mkdir(parents=True)
    (folder / "state" / "status").touch()
    sources = folder / "etc" / "sources.list"
    sources.write_text(f"deb [arch=arm64,{native} signed-by={KEYS}] {DEBIAN} bookworm main\n")
    settings = {
        "Dir": folder,
        "Dir::Etc": folder / "etc",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "state" / "status",
        "Dir::Cache": folder / "cache",
        "APT::Architecture": "arm64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root" if os.getuid() == 0 else "",
        "Acquire::Languages": "none",
    }
    lines = [f'{key} "{value}";' for key, value in settings.items()]
    lines.append(f'APT::Architectures {{ "arm64"; "{native}"; }};')
    configuration = folder / "apt.conf"
    configuration.write_text("\n".join(lines) + "\n")
    return configuration


def unpack_wheels(share: Path) -> None:
    """Fetch the aarch64 wheels of PyPI and unpack them; those of `wheels/` are what install.sh installs."""
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    download(share / "wheels", f"onnxruntime=={ONNXRUNTIME}", "numpy", "typer", *constraints)
    download(share / "known-bad-wheels", f"onnxruntime=={KNOWN_BAD}", "--no-deps")
    for wheel in (share / "wheels").glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(share / "site")
        if not wheel.name.startswith("onnxruntime-"):
            zipfile.ZipFile(wheel).extractall(share / "known-bad")
    for wheel in (share / "known-bad-wheels").glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(share / "known-bad")


def download(folder: Path, *what: str) -> None:
    target = ["--implementation", "cp", "--abi", "cp311", "--python-version", "3.11", "--only-binary", ":all:"]
    for name in PLATFORMS:
        target += ["--platform", name]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--dest", str(folder)]
    subprocess.run([*pip, *target, *what], check=True)
