import json
from dataclasses import replace

import pytest

from edgelstm.bench import BenchResult, Condition, Latency, LongRun, Machine, Throttling, Throughput
from edgelstm.bench.compare import changes, differences, read_result
from edgelstm.errors import InputError
from edgelstm.strict_json import plain

MACHINE = Machine("Cortex-A72", 4, "aarch64", "Linux 6", "3.11.2", {"onnxruntime": "1.32.0"})
COOL = Condition(50.0, "ondemand", 1500.0, Throttling((), (), 0))
OLD = BenchResult(
    *("a.onnx", "ab" * 32, "fp32", "carried", 24, "cpu", 1, 200.0, 10.0, 1.0, 0.1),
    Latency(100, 10.0, 11.0, 12.0, 13.0, 14.0),
    Latency(100, 100.0, 110.0, 120.0, 130.0, 140.0),
    (Throughput(1, 10, 1e5), Throughput(100, 10, 1e6)),
    LongRun(1000, 1e5, 0.0),
    *(0.0, 40.0, COOL, COOL, (), MACHINE),
)


def found_now(**changed):
    now = {"digest": OLD.digest, "device": "cpu", "threads": 1, "machine": MACHINE, "condition": COOL}
    return differences(OLD, **{**now, **changed})


def written(folder, result):
    (folder / "old.json").write_text(json.dumps(plain(result)))
    return folder / "old.json"


def test_what_was_written_is_read(tmp_path):
    assert read_result(written(tmp_path, OLD)) == OLD


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"file": "a.onnx"}'])
def test_what_no_bench_wrote_is_refused(tmp_path, text):
    (tmp_path / "old.json").write_text(text)
    with pytest.raises(InputError, match="measure them again"):
        read_result(tmp_path / "old.json")


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="run `edgelstm bench` first"):
        read_result(tmp_path / "none.json")


def test_a_throttled_run_is_nothing_to_compare_with(tmp_path):
    with pytest.raises(InputError, match="under-voltage"):
        read_result(written(tmp_path, replace(OLD, throttled=("under-voltage",))))


def test_the_same_file_on_the_same_machine_is_comparable_whatever_was_updated():
    updated = replace(MACHINE, system="Linux 7", python="3.13.1", versions={"onnxruntime": "1.33.0"})
    assert found_now() == found_now(machine=updated) == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"digest": "cd" * 32}, "the file was digest abababababab, it is digest cdcdcdcdcdcd"),
        ({"device": "cuda"}, "the device was cpu, it is cuda"),
        ({"threads": 2}, "the number of threads was 1, it is 2"),
        ({"machine": replace(MACHINE, cpu="Cortex-A76")}, "the processor was Cortex-A72, it is Cortex-A76"),
        ({"machine": replace(MACHINE, cores=8)}, "the number of cores was 4, it is 8"),
        ({"condition": COOL._replace(governor="powersave")}, "the governor was ondemand, it is powersave"),
    ],
)
def test_what_makes_figures_incomparable_is_said(changed, said):
    assert found_now(**changed) == (said,)


def test_medians_and_memory_are_compared_and_percentiles_of_bad_luck_are_not():
    new = replace(
        OLD,
        step=Latency(100, 11.0, 99.0, 99.0, 99.0, 99.0),
        throughput=(Throughput(1, 10, 2e5), Throughput(1000, 10, 1.0)),
        resident_mib=44.0,
    )
    found = {change.what: change for change in changes(OLD, new)}
    assert set(found) == {
        *("import", "load", "first call", "one step", "one window", "a step of 1 stream", "resident memory"),
    }
    assert found["one step"].worse == pytest.approx(0.1)
    assert found["one window"].worse == 0
    assert found["a step of 1 stream"].worse == pytest.approx(-0.5)
    assert (found["a step of 1 stream"].old, found["a step of 1 stream"].unit) == (10.0, "us")
    assert found["resident memory"].worse == pytest.approx(0.1)


def test_memory_that_a_system_does_not_tell_is_not_compared():
    assert "resident memory" not in {change.what for change in changes(OLD, replace(OLD, resident_mib=None))}
