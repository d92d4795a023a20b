"""What `edgelstm doctor` says of devices that are nothing but files."""

from __future__ import annotations

import pytest

from edgelstm.doctor import Outcome, gather_facts, judge_facts
from edgelstm.doctor.findings import FAIL, OK, WARN
from tests.doctor.fake_devices import DEVICES, L4T, write_command, write_device

WORKS = Outcome({"version": "1.32.0", "providers": ["CPUExecutionProvider"], "place": "/x/onnxruntime/__init__.py"})
GPU = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
DIED = Outcome(None, "died of SIGILL")
MISSING = Outcome({"missing": True, "error": "ModuleNotFoundError: No module named 'onnxruntime'"})
WHEEL = {"builds": {"onnxruntime": "1.32.0"}, "pypi": True, "numpy": "2.3.1", "bits": 64, "python": (3, 11, 2)}


@pytest.fixture
def facts_of(tmp_path, monkeypatch):
    """Gather the facts of a fake device; what is installed in it is as healthy as can be, unless told otherwise."""
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")

    def gather(name, *, installed=None, **changes):
        root = write_device(tmp_path, **{**DEVICES[name], **changes})
        monkeypatch.setenv("PATH", str(root / "bin"))
        return gather_facts(root)._replace(**{**WHEEL, **(installed or {})})

    return gather


def found(findings, what):
    """The one finding about something."""
    (one,) = [finding for finding in findings if finding.what == what]
    return one


def levels(findings):
    return {finding.what: finding.level for finding in findings if finding.level != OK}


@pytest.mark.parametrize(("name", "cores"), [("Pi 3", "cortex-a53"), ("Pi 4", "cortex-a72"), ("Pi 5", "cortex-a76")])
def test_a_raspberry_pi_with_the_newest_wheel_is_well(facts_of, name, cores):
    facts = facts_of(name)
    assert (facts.board, facts.cores, facts.processors) == (DEVICES[name]["model"], (cores,), 4)
    findings = judge_facts(facts, WORKS)
    assert levels(findings) == {"governor": WARN}
    assert found(findings, "processor").found == f"4 x {cores}, aarch64"
    assert found(findings, "governor").mend.startswith("echo performance | sudo tee /sys/devices/system/cpu/")
    assert found(findings, "temperature").found == "49 C"


@pytest.mark.parametrize("name", ["Pi 3", "Pi 4"])
def test_1_21_0_on_an_old_core_dies_and_the_mend_is_another_version(facts_of, name):
    old = {"builds": {"onnxruntime": "1.21.0"}}
    findings = judge_facts(facts_of(name, installed=old), DIED)
    broken = found(findings, "onnxruntime")
    assert broken.level == FAIL
    assert "onnxruntime 1.21.0 died of SIGILL when imported: 1.21.0 dies on the cortex-a" in broken.found
    assert broken.mend == "pip uninstall -y onnxruntime; pip install 'edgelstm[cpu]'"


def test_1_21_0_of_debian_is_left_alone_and_a_wheel_goes_beside_it(facts_of):
    debian = {"builds": {"onnxruntime": "1.21.0"}, "pypi": False}
    broken = found(judge_facts(facts_of("Pi 4", installed=debian), DIED), "onnxruntime")
    assert broken.mend.endswith("python3 -m venv ENV; ENV/bin/pip install 'edgelstm[cpu]'")


def test_1_21_0_on_a_new_core_is_fine(facts_of):
    old = {"builds": {"onnxruntime": "1.21.0"}}
    works = Outcome({**WORKS.found, "version": "1.21.0"})
    assert found(judge_facts(facts_of("Pi 5", installed=old), works), "onnxruntime").level == OK
    assert found(judge_facts(facts_of("Pi 4", installed=old), works), "onnxruntime").level == FAIL


def test_another_build_that_dies_of_sigill_lacks_its_processor(facts_of):
    broken = found(judge_facts(facts_of("Pi 5"), DIED), "onnxruntime")
    assert "uses instructions that this processor lacks" in broken.found


def test_a_32_bit_system_has_no_wheel_and_is_told_so(facts_of):
    findings = judge_facts(facts_of("armv7", installed={"builds": {}, "bits": 32}), MISSING)
    assert "32-bit ARM" in found(findings, "processor").found
    assert "python3-onnxruntime" in found(findings, "processor").mend
    assert "no wheel exists for this device" in found(findings, "onnxruntime").mend


def test_a_32_bit_python_on_a_64_bit_kernel_is_told(facts_of):
    findings = judge_facts(facts_of("Pi 4", installed={"bits": 32, "builds": {}}), MISSING)
    assert found(findings, "processor").level == FAIL
    assert "64-bit image" in found(findings, "processor").mend


def test_armv6_has_no_onnxruntime_at_all(facts_of):
    findings = judge_facts(facts_of("armv7", machine="armv6l", part="0xb76"), MISSING)
    assert found(findings, "processor").level == FAIL
    assert "arm1176" in found(findings, "processor").found


def test_alpine_has_no_wheel_and_the_mend_is_an_image_with_glibc(facts_of):
    findings = judge_facts(facts_of("Alpine", installed={"builds": {}}), MISSING)
    assert levels(findings) == {"system": FAIL, "onnxruntime": FAIL}
    assert "python:3.13-slim" in found(findings, "system").mend


def test_jetpack_5_with_its_python_is_unsupported_and_says_so(facts_of):
    findings = judge_facts(facts_of("JetPack 5", installed={"python": (3, 8, 10)}), WORKS)
    assert found(findings, "JetPack").level == FAIL
    assert "5 (L4T 35.4.1, CUDA 11.4.19) is not supported" in found(findings, "JetPack").found
    assert "flash JetPack 6" in found(findings, "JetPack").mend
    assert found(findings, "Python").level == FAIL


def test_jetpack_5_with_a_newer_python_runs_on_the_cpu(facts_of):
    assert found(judge_facts(facts_of("JetPack 5"), WORKS), "JetPack").level == WARN


def test_jetpack_6_with_nvidias_wheel_is_well(facts_of):
    nvidia = {"builds": {"onnxruntime-gpu": "1.23.0"}, "pypi": False, "python": (3, 10, 12)}
    works = Outcome({**WORKS.found, "version": "1.23.0", "providers": GPU})
    assert levels(judge_facts(facts_of("JetPack 6", installed=nvidia), works)) == {}


def test_jetpack_6_with_the_cpu_build_does_not_use_its_gpu(facts_of):
    findings = judge_facts(facts_of("JetPack 6", installed={"python": (3, 10, 12)}), WORKS)
    assert levels(findings) == {"onnxruntime": WARN}
    assert "--index-url https://pypi.jetson-ai-lab.io/jp6/cu126" in found(findings, "onnxruntime").mend


def test_jetpack_6_with_another_python_or_cuda_is_told_what_the_wheels_are_for(facts_of):
    assert "Python 3.10, this is 3.11" in found(judge_facts(facts_of("JetPack 6"), WORKS), "JetPack").found
    facts = facts_of("JetPack 6", installed={"cuda": "11.8.0", "python": (3, 10, 12)})
    assert "it comes with CUDA 12" in found(judge_facts(facts, WORKS), "JetPack").found


def test_the_gpu_wheel_of_pypi_does_not_know_a_jetson(facts_of):
    pypi = {"builds": {"onnxruntime-gpu": "1.31.1"}, "python": (3, 10, 12)}
    works = Outcome({**WORKS.found, "version": "1.31.1", "providers": GPU})
    broken = found(judge_facts(facts_of("JetPack 6", installed=pypi), works), "onnxruntime-gpu")
    assert (broken.level, "CUDA 13" in broken.found) == (FAIL, True)
    facts = facts_of("JetPack 6", installed={**pypi, "cuda": "13.0.0", "jetpack": 7, "l4t": "38.2"})
    assert found(judge_facts(facts, works), "onnxruntime-gpu").level == WARN


def test_a_jetson_of_a_release_that_nobody_knows_is_not_called_supported(facts_of):
    facts = facts_of("JetPack 6", files={"etc/nv_tegra_release": L4T.format(99, "1.0")})
    assert (facts.l4t, facts.jetpack) == ("99.1.0", None)
    assert "unknown (L4T 99.1.0) is not supported" in found(judge_facts(facts, WORKS), "JetPack").found


def test_both_packages_at_once_break_each_other(facts_of):
    both = {"builds": {"onnxruntime": "1.32.0", "onnxruntime-gpu": "1.31.1"}}
    broken = found(judge_facts(facts_of("Pi 5", installed=both), WORKS), "packages")
    assert broken.level == FAIL
    assert broken.mend == "pip uninstall -y onnxruntime onnxruntime-gpu; pip install 'edgelstm[gpu]'"


@pytest.mark.parametrize(("version", "level"), [("1.25.2", FAIL), (None, FAIL), ("1.26.0", OK), ("2.3.1", OK)])
def test_an_old_numpy_is_told(facts_of, version, level):
    assert found(judge_facts(facts_of("Pi 5", installed={"numpy": version}), WORKS), "numpy").level == level


def test_a_package_without_a_version_is_no_crash(facts_of):
    damaged = {"builds": {"onnxruntime-gpu": "?"}, "numpy": "?"}
    findings = judge_facts(facts_of("JetPack 6", installed=damaged), WORKS)
    assert found(findings, "numpy").level == FAIL


@pytest.mark.parametrize(
    ("version", "value", "level"),
    [
        ("1.32.0", None, WARN),
        ("1.32.0", "0", WARN),
        ("1.32.0", "1", OK),
        ("1.29.0", None, WARN),
        ("1.24.4", None, None),
    ],
)
def test_telemetry_is_told_from_1_29_on(facts_of, version, value, level):
    facts = facts_of("Pi 5", installed={"telemetry_variable": value})
    findings = judge_facts(facts, Outcome({**WORKS.found, "version": version}))
    assert {finding.level for finding in findings if finding.what == "telemetry"} == ({level} if level else set())


@pytest.mark.parametrize(
    ("bits", "level", "words"),
    [
        ("0x0", OK, "none since boot"),
        ("0x50000", WARN, "since boot: the voltage is too low, it is throttled (0x50000)"),
        ("0x50005", FAIL, "now: the voltage is too low, it is throttled (0x50005)"),
        ("0x80008", WARN, "now: the soft temperature limit is active (0x80008)"),
        ("0x20000", WARN, "since boot: the frequency is capped (0x20000)"),
    ],
)
def test_throttling_bits_are_read_for_now_and_since_the_start(facts_of, bits, level, words):
    told = found(judge_facts(facts_of("Pi 4", throttled=bits), WORKS), "throttling")
    assert (told.level, told.found) == (level, words)
    assert (told.mend == "use a better power supply and cable") == bool(int(bits, 16) & 0x10001)


@pytest.mark.parametrize(
    ("governor", "level"), [("powersave", WARN), ("ondemand", WARN), ("performance", OK), ("schedutil", OK)]
)
def test_a_governor_that_saves_power_is_told(facts_of, governor, level):
    assert found(judge_facts(facts_of("Pi 4", governor=governor), WORKS), "governor").level == level


@pytest.mark.parametrize(("celsius", "level"), [(48.7, OK), (80.1, WARN), (-5, OK)])
def test_heat_is_told(facts_of, celsius, level):
    assert found(judge_facts(facts_of("Pi 4", temperature_c=celsius), WORKS), "temperature").level == level


@pytest.mark.parametrize(("available", "level"), [(3000, OK), (200, WARN), (100, FAIL)])
def test_little_memory_is_told(facts_of, available, level):
    assert found(judge_facts(facts_of("Pi 3", available_mib=available), WORKS), "memory").level == level


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, "0.5 of a processor"),
        (
            {"proc/self/cgroup": "0::/system.slice/a.service\n", "sys/fs/cgroup/system.slice/cpu.max": "25000 100000"},
            "0.25 of a processor",
        ),
        ({"sys/fs/cgroup/memory.max": "134217728\n"}, "128 MiB"),
        (
            {"proc/self/cgroup": "0::/a.slice/b.service\n", "sys/fs/cgroup/a.slice/b.service/memory.max": "134217728"},
            "128 MiB",
        ),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n"}, "128 MiB"),
    ],
)
def test_the_limits_of_a_container_are_told(facts_of, files, words):
    told = found(judge_facts(facts_of("Pi 5", files=files), WORKS), "container")
    assert told.level == WARN
    assert words in told.found


def test_a_container_without_limits_is_not_spoken_of(facts_of):
    unlimited = {"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n"}
    assert "container" not in [finding.what for finding in judge_facts(facts_of("Pi 5", files=unlimited), WORKS)]


def test_a_system_that_tells_nothing_is_no_crash(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    facts = gather_facts(tmp_path)
    assert (facts.board, facts.cores, facts.throttled, facts.temperature_c, facts.memory_mib) == (None, (), *[None] * 3)
    assert judge_facts(facts, WORKS)


def test_files_of_nonsense_and_commands_that_fail_are_no_crash(tmp_path, monkeypatch):
    nonsense = dict.fromkeys(
        ["etc/nv_tegra_release", "usr/local/cuda/version.json", "sys/fs/cgroup/cpu.max", "sys/fs/cgroup/memory.max"],
        "\0nonsense [1] {",
    )
    root = write_device(tmp_path, part="0xfff", governor="\0", files=nonsense, system="nonsense")
    (root / "sys/class/thermal/thermal_zone0/temp").write_text("hot")
    (root / "proc/meminfo").write_bytes(b"\xff\xfe MemTotal: many")
    write_command(root, "uname", "exit 3")
    write_command(root, "vcgencmd", "echo VCHI initialization failed; exit 255")
    monkeypatch.setenv("PATH", str(root / "bin"))
    facts = gather_facts(root)
    assert (facts.cores, facts.throttled, facts.temperature_c, facts.l4t) == (("ARM part 0xfff",), None, None, "")
    assert judge_facts(facts, MISSING)
