import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import edgelstm
from edgelstm.bench import machine


def test_the_machine_names_its_parts():
    found = machine.describe_machine()
    assert found.cpu
    assert found.cores == os.cpu_count()
    assert found.architecture == platform.machine()
    assert found.python == platform.python_version()
    assert found.versions["edgelstm"] == edgelstm.__version__
    assert found.versions["numpy"] == np.__version__


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    def version(package):
        if package == "onnxruntime":
            raise metadata.PackageNotFoundError(package)
        return "1.2.3"

    monkeypatch.setattr(metadata, "version", version)
    assert "onnxruntime" not in machine.describe_machine().versions
    assert machine.describe_machine().versions["onnxruntime-gpu"] == "1.2.3"


def test_a_board_says_its_own_name(tmp_path, monkeypatch):
    board = tmp_path / "model"
    board.write_bytes(b"Raspberry Pi 4 Model B Rev 1.5\0")
    monkeypatch.setattr(machine, "_MODEL_FILES", (tmp_path / "none", board))
    assert machine.describe_machine().cpu == "Raspberry Pi 4 Model B Rev 1.5"


def test_a_system_without_proc_still_gives_a_name_and_no_memory(monkeypatch):
    def refuse(self, *arguments, **options):
        raise FileNotFoundError(self)

    monkeypatch.setattr(machine, "_MODEL_FILES", ())
    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine._cpu_name() == platform.machine()
    assert machine.resident_mib() is None


def test_memory_that_is_taken_is_told():
    before = machine.resident_mib()
    taken = np.ones(64 * 2**17)  # 64 MiB
    grown = machine.resident_mib() - before
    assert taken[-1] == 1
    assert grown > 48


def system(root, **files):
    """A system's folder with these files in it, `/` written as `__`."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_a_system_that_tells_nothing_is_not_guessed_about(tmp_path):
    assert machine.read_condition(tmp_path) == machine.Condition(None, None, None, None)


def zones(root, *found):
    for i, (kind, millidegrees) in enumerate(found):
        folder = root / f"sys/class/thermal/thermal_zone{i}"
        folder.mkdir(parents=True)
        (folder / "type").write_text(f"{kind}\n")
        (folder / "temp").write_text(f"{millidegrees}\n")
    return root


def test_the_processor_s_sensor_is_read_and_not_the_battery_s(tmp_path):
    assert machine.read_temperature_c(zones(tmp_path, ("battery", 70000), ("cpu-thermal", 51234))) == 51.234


def test_where_no_sensor_is_the_processor_s_the_hottest_counts_and_one_that_is_off_does_not(tmp_path):
    found = zones(tmp_path, ("acpitz", 40000), ("gpu-thermal", 45000), ("cpu-thermal", -274000), ("iwlwifi", "none"))
    assert machine.read_temperature_c(found) == 45.0


@pytest.mark.parametrize("degrees", [(40000, 60000), (60000, 40000)])
def test_of_several_sensors_of_one_name_the_hottest_counts(tmp_path, degrees):
    assert machine.read_temperature_c(zones(tmp_path, *(("x86_pkg_temp", each) for each in degrees))) == 60.0


def test_governor_and_clock_are_those_of_all_cores(tmp_path):
    core = "sys__devices__system__cpu__cpu{}__cpufreq__scaling_{}"
    files = {core.format(i, "governor"): name for i, name in enumerate(("ondemand\n", "performance\n", "ondemand\n"))}
    files |= {core.format(i, "cur_freq"): f"{khz}\n" for i, khz in enumerate((1500000, 600000, 1500000))}
    found = machine.read_condition(system(tmp_path, **files))
    assert (found.governor, found.clock_mhz) == ("ondemand, performance", 600.0)


PI_BITS = "sys__devices__platform__soc__soc:firmware__get_throttled"


def test_the_bits_of_a_raspberry_pi_are_read_one_by_one(tmp_path):
    """0x50005: under-voltage and throttled, now and since boot."""
    found = machine.read_throttling(system(tmp_path, **{PI_BITS: "50005\n"}))
    assert found == machine.Throttling(("under-voltage", "throttled"), ("under-voltage", "throttled"), 0)
    found = machine.read_throttling(system(tmp_path, **{PI_BITS: "a0000\n"}))
    assert found == machine.Throttling((), ("frequency capped", "soft temperature limit"), 0)
    assert machine.read_throttling(system(tmp_path, **{PI_BITS: "0\n"})) == machine.Throttling((), (), 0)


@pytest.mark.parametrize(("script", "now"), [("echo throttled=0x8", ("soft temperature limit",)), ("exit 1", None)])
def test_where_the_kernel_does_not_tell_vcgencmd_is_asked(tmp_path, script, now):
    command = system(tmp_path, usr__bin__vcgencmd=f'#!/bin/sh\n[ "$1" = get_throttled ] && {script}\n')
    (command / "usr/bin/vcgencmd").chmod(0o755)
    found = machine.read_throttling(tmp_path)
    assert found == (None if now is None else machine.Throttling(now, (), 0))


def test_words_that_are_no_bits_are_no_finding(tmp_path):
    assert machine.read_throttling(system(tmp_path, **{PI_BITS: "VCHI initialization failed\n"})) is None


def test_a_processor_that_the_kernel_slows_down_is_throttled_and_a_fan_is_not(tmp_path):
    device = "sys__class__thermal__cooling_device{}__{}"
    files = {device.format(0, "type"): "thermal-cpufreq-0\n", device.format(0, "cur_state"): "0\n"}
    files |= {device.format(1, "type"): "pwm-fan\n", device.format(1, "cur_state"): "3\n"}
    assert machine.read_throttling(system(tmp_path, **files)) == machine.Throttling((), (), 0)
    files[device.format(0, "cur_state")] = "2\n"
    assert machine.read_throttling(system(tmp_path, **files)).now == ("thermal-cpufreq-0 at step 2",)


def test_the_counters_of_an_intel_processor_are_added_up(tmp_path):
    counter = "sys__devices__system__cpu__cpu{}__thermal_throttle__core_throttle_count"
    files = {counter.format(i): f"{count}\n" for i, count in enumerate((3, 0, 4))}
    assert machine.read_throttling(system(tmp_path, **files)) == machine.Throttling((), (), 7)


def condition(now=(), since_boot=(), events=0):
    return machine.Condition(None, None, None, machine.Throttling(now, since_boot, events))


def test_what_began_meanwhile_counts_and_what_was_before_does_not():
    between = machine.throttled_between
    assert between([machine.Condition(None, None, None, None)] * 3) == between([]) == ()
    assert between([condition(), condition(), condition()]) == ()
    assert between([condition(), condition(("throttled",)), condition()]) == ("throttled",)
    assert between([condition(since_boot=("a",)), condition(since_boot=("a", "b"))]) == ("b",)
    assert between([condition(events=5), condition(events=7)]) == ("2 throttling events of the processor",)
