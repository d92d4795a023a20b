import json
from dataclasses import asdict

import pytest

from edgelstm.bench import bench_file, file
from edgelstm.errors import InputError, ModelFileNotFoundError, ProviderError
from edgelstm.runtime import load

LATENCY = {"calls", "p50_us", "p95_us", "p99_us", "max_us"}
MACHINE = {"cpu", "cores", "architecture", "system", "python", "versions"}
FIELDS = {
    "file",
    "digest",
    "precision",
    "state",
    "window",
    "device",
    "threads",
    "load_ms",
    "first_call_ms",
    "step",
    "whole_window",
    "resident_mib",
    "machine",
}


@pytest.fixture(params=["window fp32", "window int8", "carried fp32", "carried int8"])
def path(request, window_files, carried_files):
    state, precision = request.param.split()
    return getattr({"window": window_files, "carried": carried_files}[state], precision)


def test_a_result_names_the_file_it_measured(path):
    result, predictor = bench_file(path, threads=2, seconds=0), load(path)
    assert result.file == path.name
    assert result.digest == predictor.digest
    assert (result.precision, result.state) == (predictor.contract.precision, predictor.contract.state)
    assert (result.window, result.device, result.threads) == (24, "cpu", 2)


def test_a_result_holds_a_distribution_of_steps_and_of_windows(path):
    result = bench_file(path, seconds=0)
    for latency in (result.step, result.whole_window):
        assert latency.calls >= 20
        assert 0 < latency.p50_us <= latency.p95_us <= latency.p99_us <= latency.max_us
    assert result.load_ms > 0
    assert result.first_call_ms > 0
    assert result.resident_mib is None or result.resident_mib > 1


def test_the_step_is_timed_on_a_stream_that_is_ready(path, monkeypatch):
    """The first call that is timed is a step; were the stream of a window file not ready, it would answer NaN."""
    answers = []

    def time_once(call, seconds):
        answers.append(call())
        return _no_time()

    monkeypatch.setattr(file, "time_calls", time_once)
    bench_file(path, seconds=0)
    step, window = answers
    assert step.shape == (3, 1)
    assert (step == step).all()
    assert window.shape == load(path).golden.file.shape[1:]


def test_the_time_asked_for_goes_to_step_and_window(window_files, monkeypatch):
    asked = []
    monkeypatch.setattr(file, "time_calls", lambda call, seconds: asked.append(seconds) or _no_time())
    bench_file(window_files.fp32, seconds=0.125)
    assert asked == [0.125, 0.125]


def test_a_result_becomes_json_with_these_fields(window_files):
    result = bench_file(window_files.fp32, seconds=0)
    value = json.loads(json.dumps(asdict(result), allow_nan=False))
    assert set(value) == FIELDS
    assert set(value["step"]) == set(value["whole_window"]) == LATENCY
    assert set(value["machine"]) == MACHINE
    assert value["machine"]["versions"].keys() >= {"edgelstm", "numpy"}


def test_the_command_writes_that_json(cli, tmp_path, window_files):
    done = cli("bench", window_files.fp32, "--seconds", "0.01", "--output", tmp_path / "figures.json")
    assert done.returncode == 0, done.stderr
    value = json.loads((tmp_path / "figures.json").read_text())
    assert set(value) == FIELDS
    assert value["digest"] == load(window_files.fp32).digest
    assert value["digest"][:12] in done.stdout


def test_a_file_that_cannot_be_loaded_is_not_measured(tmp_path, window_files, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelFileNotFoundError):
        bench_file(tmp_path / "none.onnx")
    with pytest.raises(ProviderError):
        bench_file(window_files.fp32, device="cuda")
    with pytest.raises(InputError):
        bench_file(window_files.fp32, threads=0)


def _no_time():
    import numpy as np

    return np.ones(20, np.int64)
