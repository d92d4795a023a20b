"""Each limit of the doctor from both sides."""

from __future__ import annotations

import pytest

from edgelstm.doctor import Outcome, child, judge_facts
from edgelstm.doctor.facts import Facts
from edgelstm.doctor.findings import FAIL, OK, WARN

HEALTHY = {
    "board": None,
    "architecture": "aarch64",
    "bits": 64,
    "python": (3, 11, 2),
    "numpy": "2.3.1",
    "builds": {"onnxruntime": "1.32.0"},
    "pypi": True,
    "telemetry_variable": "1",
    "memory_mib": 4000.0,
    "available_mib": 3000.0,
}


def judged(version="1.32.0", **facts):
    """The findings by what they are about, of a device that is well but for these facts."""
    empty = dict.fromkeys(Facts._fields)
    empty |= {"cores": (), "processors": 4, "system": "Debian", "musl": False, "governors": (), "l4t": ""}
    outcome = Outcome({"version": version, "providers": ["CPUExecutionProvider"], "place": "/x"})
    facts = {"builds": {"onnxruntime": version}, **facts}
    return {finding.what: finding for finding in judge_facts(Facts(**{**empty, **HEALTHY, **facts}), outcome)}


@pytest.mark.parametrize("cores", [("cortex-a53",), ("cortex-a72",), ("cortex-a53", "cortex-a73")])
def test_1_21_0_and_no_other_version_dies_on_each_old_core(cores):
    found = judged("1.21.0", cores=cores)["onnxruntime"]
    assert found.level == FAIL
    assert f"1.21.0 dies on the {cores[0]} (microsoft/onnxruntime issue 23957)" in found.found
    for version in ("1.20.1", "1.21.1", "1.22.0"):
        assert judged(version, cores=cores)["onnxruntime"].level == OK
    for other in ("cortex-a55", "cortex-a73", "cortex-a76"):
        assert judged("1.21.0", cores=(other,))["onnxruntime"].level == OK


@pytest.mark.parametrize(
    ("what", "facts", "level"),
    [
        ("temperature", {"temperature_c": 79.9}, OK),
        ("temperature", {"temperature_c": 80.0}, WARN),
        ("memory", {"available_mib": 256.0}, OK),
        ("memory", {"available_mib": 255.9}, WARN),
        ("memory", {"available_mib": 128.0}, WARN),
        ("memory", {"available_mib": 127.9}, FAIL),
        ("memory", {"memory_mib": 200.0, "available_mib": None}, WARN),
        ("numpy", {"numpy": "1.26.0"}, OK),
        ("numpy", {"numpy": "1.25.9"}, FAIL),
        ("Python", {"python": (3, 10, 0)}, OK),
        ("Python", {"python": (3, 9, 99)}, FAIL),
        ("onnxruntime", {"version": "1.20.0"}, OK),
        ("onnxruntime", {"version": "1.19.2"}, FAIL),
        ("telemetry", {"version": "1.29.0", "telemetry_variable": None}, WARN),
        ("telemetry", {"version": "1.28.9", "telemetry_variable": None}, None),
        ("container", {"cgroup_cores": 1.0}, None),
        ("container", {"cgroup_cores": 0.99}, WARN),
        ("container", {"cgroup_mib": 256.0}, None),
        ("container", {"cgroup_mib": 255.0}, WARN),
        ("governor", {"governors": ("conservative",)}, WARN),
        ("governor", {"governors": ("performance", "powersave")}, WARN),
        ("throttling", {"throttled": 0x1}, FAIL),
        ("throttling", {"throttled": 0x2}, WARN),
        ("throttling", {"throttled": 0x10000}, WARN),
        ("throttling", {"throttled": 0x0}, OK),
    ],
    ids=str,
)
def test_a_limit_is_where_it_is_said_to_be(what, facts, level):
    found = judged(**facts)
    assert (found[what].level if what in found else None) == level


def test_a_child_has_a_minute_to_import_onnxruntime_and_two_for_a_file():
    assert (child.IMPORT_S, child.FILE_S) == (60.0, 120.0)
