import json
import mmap
from dataclasses import asdict
from functools import partial

import numpy as np
import pytest

from edgelstm.bench import Condition, Throttling, bench_file, file
from edgelstm.errors import InputError, ModelFileNotFoundError, ProviderError
from edgelstm.runtime import load
from edgelstm.strict_json import decode, parse, plain

LATENCY = {"calls", "p50_us", "p90_us", "p99_us", "p999_us", "max_us"}
MACHINE = {"cpu", "cores", "architecture", "system", "python", "versions"}
FIELDS = {
    *("file", "digest", "precision", "state", "window", "device", "threads", "import_ms", "load_ms", "first_call_ms"),
    *("overhead_us", "step", "whole_window", "throughput", "long_run", "idle_cpu_percent", "resident_mib"),
    *("before", "after", "throttled", "machine"),
}
COOL = Condition(50.0, "ondemand", 1500.0, Throttling((), (), 0))

bench_quickly = partial(bench_file, seconds=0, steps=40, streams=(1, 3), idle_s=0.01)


@pytest.fixture(scope="module", params=["window fp32", "window int8", "carried fp32", "carried int8"])
def path(request, window_files, carried_files):
    state, precision = request.param.split()
    return getattr({"window": window_files, "carried": carried_files}[state], precision)


@pytest.fixture(scope="module")
def result(path):
    return bench_quickly(path, threads=2)


@pytest.fixture
def no_children(monkeypatch):
    monkeypatch.setattr(file, "_starts", lambda *_: (1.0, 2.0, 3.0))


def test_a_result_names_the_file_it_measured(path, result):
    predictor = load(path)
    assert result.file == path.name
    assert result.digest == predictor.digest
    assert (result.precision, result.state) == (predictor.contract.precision, predictor.contract.state)
    assert (result.window, result.device, result.threads) == (24, "cpu", 2)


def test_a_result_holds_a_distribution_of_steps_and_of_windows(result):
    for latency in (result.step, result.whole_window):
        assert latency.calls >= 20
        assert 0 < latency.p50_us <= latency.p90_us <= latency.p99_us <= latency.p999_us <= latency.max_us
    assert result.overhead_us > 0


def test_starting_is_measured_in_processes_of_their_own(result):
    assert result.import_ms > result.load_ms > 0  # this process imported long ago
    assert result.first_call_ms > 0


def test_many_streams_a_long_run_and_idling_are_measured(result):
    assert [part.streams for part in result.throughput] == [1, 3]
    assert all(part.calls >= 3 and part.steps_per_s > 0 for part in result.throughput)
    assert result.long_run.steps == 40
    assert result.long_run.steps_per_s > 0
    assert 0 <= result.idle_cpu_percent < 1000
    assert result.resident_mib is None or result.resident_mib > 1


def test_a_result_survives_its_json(result):
    value = json.loads(json.dumps(plain(result), allow_nan=False))
    assert set(value) == set(asdict(result)) == FIELDS
    assert set(value["step"]) == set(value["whole_window"]) == LATENCY
    assert set(value["machine"]) == MACHINE
    assert value["machine"]["versions"].keys() >= {"edgelstm", "numpy"}
    assert decode(type(result), parse(json.dumps(value)), "bench") == result


def test_steps_are_timed_on_streams_that_are_ready(path, monkeypatch, no_children):
    """Each call that is timed is made once; were the stream of a window file not ready, it would answer NaN."""
    answers = []

    def time_once(call, seconds, *_):
        answers.append(call())
        return np.ones(20, np.int64)

    monkeypatch.setattr(file, "time_calls", time_once)
    bench_quickly(path)
    step, window, one, three = answers
    assert step.shape == one.shape == (3, 1)
    assert three.shape == (3, 3, 1)
    assert all(np.isfinite(answer).all() for answer in (step, one, three))
    assert window.shape == load(path).golden.file.shape[1:]


def test_streams_that_step_together_see_samples_of_their_own(window_files, monkeypatch, no_children):
    _, samples = file._ready(load(window_files.fp32), 3)
    assert len(np.unique(next(samples)[0])) == 3


def test_the_time_asked_for_goes_to_step_window_and_streams(window_files, monkeypatch, no_children):
    asked = []
    monkeypatch.setattr(file, "time_calls", lambda call, seconds, *_: asked.append(seconds) or np.ones(20, np.int64))
    bench_file(window_files.fp32, seconds=0.125, steps=1, streams=(1, 2), idle_s=0)
    assert asked == [0.125, 0.125, 0.0625, 0.0625]


@pytest.mark.parametrize("steps", [1, 19, 20, 1234])
def test_the_long_run_takes_as_many_steps_as_asked(steps):
    taken = []
    run = file._long_run(lambda: taken.append(1), steps, conditions := [])
    assert len(taken) == run.steps == steps
    assert len(conditions) == 20


def test_memory_that_a_step_keeps_is_seen_in_the_long_run():
    kept = []

    def keep():  # a MiB of new pages: what numpy allocates may be memory that an earlier test has freed
        kept.append(mmap.mmap(-1, 2**20))
        kept[-1].write(b"\1" * 2**20)

    run = file._long_run(keep, 40, [])
    assert 30 < run.growth_mib < 45


def test_a_process_that_works_is_not_idle(monkeypatch):
    def work(seconds):
        end = file.time.perf_counter() + seconds
        while file.time.perf_counter() < end:
            pass

    assert file._idle_cpu_percent(0.1) < 10
    monkeypatch.setattr(file.time, "sleep", work)
    assert file._idle_cpu_percent(0.1) > 10


def test_heat_in_the_middle_makes_a_run_invalid(window_files, monkeypatch, no_children):
    hot = COOL._replace(throttling=Throttling(("throttled",), ("throttled",), 0))
    conditions = iter([COOL, COOL, hot])
    monkeypatch.setattr(file, "read_condition", lambda: next(conditions, COOL))
    result = bench_quickly(window_files.fp32)
    assert (result.before, result.after, result.throttled) == (COOL, COOL, ("throttled",))


def test_a_file_that_no_fresh_process_can_load_is_not_measured(window_files, monkeypatch):
    monkeypatch.setattr(file, "_START", "raise SystemExit('no such core')")
    with pytest.raises(ProviderError, match="no such core"):
        bench_quickly(window_files.fp32)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 1.5}, {"streams": (1, 0)}, {"streams": (True,)}])
def test_counts_that_make_no_sense_are_refused(window_files, wrong):
    with pytest.raises(InputError, match="at least 1"):
        bench_file(window_files.fp32, **wrong)


def test_a_file_that_cannot_be_loaded_is_not_measured(tmp_path, window_files, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelFileNotFoundError):
        bench_file(tmp_path / "none.onnx")
    with pytest.raises(ProviderError):
        bench_file(window_files.fp32, device="cuda")
    with pytest.raises(InputError):
        bench_file(window_files.fp32, threads=0)
