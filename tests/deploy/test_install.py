"""What install.sh refuses, and that scripts, pins and units are sound. The installation itself: `make arm`."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
STEPS = DEPLOY / "service" / "steps.sh"
SCRIPTS = sorted(DEPLOY.rglob("*.sh"))
PINS = sorted(DEPLOY.rglob("requirements*.txt"))


def step(*words, **stubs):
    """Run a function of steps.sh; `stubs` are functions that stand for commands."""
    standing = "".join(f"{name}() {{ {body}; }}\n" for name, body in stubs.items())
    script = f'. "$0"\n{standing}"$@"'
    return subprocess.run(["bash", "-euc", script, STEPS, *map(str, words)], capture_output=True, text=True)


def refusal(process):
    """The one line with which it ended."""
    assert (process.returncode, process.stdout, process.stderr.count("\n")) == (2, "", 1)
    return process.stderr


@pytest.mark.parametrize(
    ("machine", "bits", "says"),
    [
        ("armv6l", 32, "armv6"),
        ("armv7l", 32, "32-bit ARM system: no onnxruntime wheel"),
        ("armv8l", 32, "32-bit ARM system"),
        ("aarch64", 32, "32-bit ARM system"),  # 32-bit Raspberry Pi OS on a Pi 4: the kernel alone has 64 bits
        ("riscv64", 64, "got riscv64 with 64 bits"),
        ("i686", 32, "got i686"),
    ],
)
def test_a_machine_without_onnxruntime_is_refused_in_one_line(tmp_path, machine, bits, says):
    assert says in refusal(step("refuse_unsupported", machine, bits, tmp_path))


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("alpine-release", "3.22.0\n", "Alpine Linux: onnxruntime has no wheel for musl"),
        ("nv_tegra_release", "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref\n", "JetPack 5"),
        ("nv_tegra_release", "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref\n", "JetPack 4"),
    ],
)
def test_a_system_without_onnxruntime_is_refused_in_one_line(tmp_path, file, content, says):
    (tmp_path / file).write_text(content)
    assert says in refusal(step("refuse_unsupported", "aarch64", 64, tmp_path))


@pytest.mark.parametrize("release", [None, "# R36 (release), REVISION: 4.3\n", "# R38 (release), REVISION: 2.0\n"])
def test_a_64_bit_system_with_glibc_is_taken(tmp_path, release):
    if release:
        (tmp_path / "nv_tegra_release").write_text(release)
    process = step("refuse_unsupported", "aarch64", 64, tmp_path)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_root_is_refused_and_others_are_not():
    assert "ordinary user" in refusal(step("refuse_root", 0))
    assert step("refuse_root", 1000).returncode == 0


def test_a_python_for_which_nothing_is_pinned_is_refused():
    assert "expected Python 3.30 to 3.31" in refusal(step("python_version", 330, 331))
    assert step("python_version", 310, 399).stdout.startswith("3.")


def test_a_python_without_venv_is_told_what_to_install():
    stub = 'case $2 in *ensurepip*) return 1;; *) command python3 "$@";; esac'
    assert "sudo apt install python3-venv" in refusal(step("python_version", 310, 399, python3=stub))


def test_a_missing_wheel_or_folder_is_refused_before_anything_is_installed(tmp_path):
    assert "expected a wheel" in refusal(step("install_all", "pins", "service", "no.whl", "no.onnx", tmp_path))
    for name in ("a.whl", "a.onnx"):
        (tmp_path / name).touch()
    asked = ("install_all", "pins", "service", tmp_path / "a.whl", tmp_path / "a.onnx", tmp_path / "nowhere")
    assert "sudo install -d" in refusal(step(*asked))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_scripts_parse_and_shellcheck_finds_nothing(script):
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed; bash has parsed the script")
    process = subprocess.run(["shellcheck", "--external-sources", script], capture_output=True, text=True)
    assert process.returncode == 0, process.stdout


@pytest.mark.parametrize("path", PINS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_pins_are_exact_and_name_one_onnxruntime_that_does_not_die(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("#", "--"))]
    pins = dict(re.fullmatch(r"([a-z0-9-]+)==([0-9.]+)", line).groups() for line in lines)
    builds = {name: version for name, version in pins.items() if name.startswith("onnxruntime")}
    assert len(builds) == 1
    assert "1.21.0" not in builds.values()
    assert {"numpy", "typer"} <= pins.keys()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_units_are_understood_by_systemd_and_little_is_exposed(tmp_path):
    for unit in (DEPLOY / "service").glob("edgelstm.*"):  # what is started must be there
        (tmp_path / unit.name).write_text(re.sub(r"/opt/edgelstm/venv/bin/\w+", "/bin/true", unit.read_text()))
    units = [tmp_path / "edgelstm.service", tmp_path / "edgelstm.socket"]
    process = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    own = [line for line in process.stderr.splitlines() if "edgelstm" in line]
    assert not own
    security = ["systemd-analyze", "security", "--offline=yes", "--threshold=10", units[0]]
    process = subprocess.run(security, capture_output=True, text=True)
    if "unrecognized option" in process.stderr:
        pytest.skip("this systemd-analyze is older than 250")
    assert process.returncode == 0, process.stdout[-300:] + process.stderr
