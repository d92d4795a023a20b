"""The straight line alone: a file without an LSTM that answers, streams and is judged like any other."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from edgelstm import load
from edgelstm.contract import Quantization
from edgelstm.errors import ExportError
from edgelstm.export import export_run
from edgelstm.run import read_run, write_run
from edgelstm.runtime import read_model_file, replay
from tests.tiny_runs import WINDOW, write_tiny

exporting = importlib.import_module("edgelstm.export.export")
FORMS = [("forecast", "number", "window", False), ("forecast", "quantile", "window", True)]
FORMS += [
    ("label", "class", "window", False),
    ("label", "number", "carried", False),
    ("label", "class", "carried", True),
]


def line_by_hand(run, x):
    """W s + b in scaled units, brought back, in float64; of classes their probabilities."""
    w = {name: value.astype(np.float64) for name, value in run.weights.items()}
    contract = run.record.contract
    s = (x - w["input_offset"]) * w["input_factor"]
    read = s if contract.task == "label" else s.reshape(len(x), -1)
    z = read @ w["highway.weight"].T + w["highway.bias"]
    if contract.answer == "class":
        e = np.exp(z)
        return e / e.sum(-1, keepdims=True)
    if contract.task == "forecast":
        z = z.reshape(len(x), contract.horizon, -1)
    return z * w["output_scale"] + w["output_offset"]


@pytest.mark.parametrize(("task", "answer", "state", "times"), FORMS)
def test_the_file_answers_as_the_line_does_and_says_so_of_itself(task, answer, state, times, tmp_path):
    run = write_tiny(tmp_path / "run", task, answer, state, times=times, start=True)
    (file,) = export_run(tmp_path / "run", line=True).files
    assert file.path.name == f"{task}.line.fp32.onnx"
    opened, expected = load(file.path), line_by_hand(run, run.golden_x)
    np.testing.assert_allclose(opened.golden.file, expected, atol=2e-6 * max(1, np.abs(expected).max()))
    np.testing.assert_array_equal(opened.golden.file, np.stack([opened.predict(x) for x in run.golden_x]))
    assert replay(opened).passed
    contract = opened.contract
    assert (contract.name, contract.state, contract.states, contract.times) == (f"{task}.line", "window", (), False)
    assert contract.provenance.weights_sha256 != run.record.contract.provenance.weights_sha256
    operators = [node.op_type for node in onnx.load(file.path).graph.node]
    assert not {"LSTM", "Sin"} & set(operators)


def test_its_scores_are_its_own_and_the_baselines_stay_beside_them(tmp_path):
    run = write_tiny(tmp_path / "run", "forecast", "number", start=True)
    scores = {"mse": 1.0}
    metrics = tuple(m._replace(baselines={"ridge": scores, "line alone": scores}) for m in run.record.contract.metrics)
    record = replace(run.record, contract=replace(run.record.contract, metrics=metrics))
    write_run(replace(run, record=record), {})
    whole, line = (export_run(tmp_path / "run", line=line).files[0] for line in (False, True))
    (test,) = line.contract.metrics
    assert test.network == test.file == line.test
    assert test.baselines == {"ridge": scores}  # without itself
    assert line.test != whole.test
    run = read_run(tmp_path / "run")
    windows = run.heldout
    error = line_by_hand(run, windows.x()) - windows.y()
    assert test.file["mse"] == pytest.approx((error**2).mean(), rel=1e-5)


def test_it_streams_as_a_window_file(tmp_path):
    write_tiny(tmp_path / "run", "forecast", "number", start=True)
    opened = load(export_run(tmp_path / "run", line=True).files[0].path)
    stream, x = opened.stream(), opened.golden.x[0]
    found = [stream.step(sample).copy() for sample in x]
    assert np.isnan(found[: WINDOW - 1]).all()
    np.testing.assert_array_equal(found[-1], opened.predict(x))


def test_it_stands_beside_the_others_in_compare(tmp_path, cli_here):
    write_tiny(tmp_path / "run", "forecast", "number", start=True)
    paths = [export_run(tmp_path / "run", line=line).files[0].path for line in (False, True)]
    result = cli_here("compare", *paths, "--seconds", "0.01", "-o", "judgement.json")
    assert result.returncode == 0, result.stderr
    assert "forecast.line.fp32.onnx" in result.stdout
    judged = json.loads((tmp_path / "judgement.json").read_text())["files"]
    assert judged[1]["max_error"] > 0.01


def test_the_command_writes_it_and_tells_its_score(tmp_path, cli_here):
    write_tiny(tmp_path / "run", "forecast", "number", start=True)
    result = cli_here("export", "run", "--line", "-o", "files")
    assert result.returncode == 0, result.stderr
    assert "wrote files/forecast.line.fp32.onnx" in result.stdout
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["forecast.line.fp32.onnx"]
    for more in (["--quantize", "int8"], ["--state", "carried"]):
        refused = cli_here("export", "run", "--line", *more)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert (
            "--line excludes --quantize and --state: a straight line has one precision and no state" in refused.stderr
        )


@pytest.mark.parametrize("start", [True, False])
def test_where_no_epoch_was_better_than_the_line_export_says_that_it_can_be_shipped(start, tmp_path, cli_here):
    write_tiny(tmp_path / "run", "forecast", "number", start=start)  # whose best epoch is 0
    said = "the LSTM does not improve on the straight line it started from: ship the line with "
    said += "edgelstm export run --line"
    assert (said in cli_here("export", "run").stdout) == start
    if start:
        assert said not in cli_here("export", "run", "--line").stdout


def test_a_network_without_a_start_has_no_line(tmp_path):
    write_tiny(tmp_path / "run", "forecast", "number")
    with pytest.raises(ExportError, match=r"has no linear start to export alone.*omit --line"):
        export_run(tmp_path / "run", line=True)
    assert not list((tmp_path / "run").glob("*.onnx"))


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A run whose start counts as large."""
    monkeypatch.setattr(exporting, "_SMALL_HIGHWAY_BYTES", 0)
    write_tiny(tmp_path / "run", "forecast", "number", start=True)
    return tmp_path / "run"


@pytest.mark.parametrize(("allowed", "chosen"), [(1.0, "int8"), (-1.0, "fp32")])
@pytest.mark.parametrize("heldout", [True, False])
def test_the_start_goes_to_int8_where_what_is_lost_is_little(started, tmp_path, monkeypatch, allowed, chosen, heldout):
    monkeypatch.setattr(exporting, "_HIGHWAY_DROP", allowed)
    if not heldout:
        monkeypatch.setattr(exporting, "read_run", lambda path: replace(read_run(path), heldout=None))
    files = export_run(started, tmp_path / "files", precisions=["int8", "int8w"]).files
    for file in files[1:]:
        assert read_model_file(file.path).contract.quantization == Quantization(highway=chosen)
        named = {tensor.name for tensor in onnx.load(file.path).graph.initializer}
        assert ("highway_weight.int8" in named) == (chosen == "int8")
        assert replay(load(file.path)).passed
    assert files[0].contract.quantization is None


def test_a_small_start_is_not_worth_a_rounding(tmp_path):
    write_tiny(tmp_path / "run", "forecast", "number", start=True)
    (_, file) = export_run(tmp_path / "run", precisions=["int8w"]).files
    assert file.contract.quantization.highway == "fp32"


def test_the_table_says_in_what_the_start_is(started, cli_here):
    result = cli_here("export", "run", "--quantize", "int8w", "--max-metric-drop", "100%")
    assert "int8w, start " in result.stdout
    assert "\nfp32  " in result.stdout
