"""`edgelstm export` of every task: its own metric in the table, and int8 that loses too much of it is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm import load
from edgelstm.data.sequences import lay_out
from edgelstm.export import export_run
from edgelstm.run import write_run
from tests.export.drawn import make_weights
from tests.tiny_runs import WINDOW, network_of, write_tiny


@pytest.mark.parametrize(
    ("task", "answer", "state", "words"),
    [
        ("classify", "class", "window", ["test accuracy", "series by series"]),
        ("label", "number", "carried", ["test scaled RMSE", "over 60 steps, starting from zero for each of 3 series"]),
        ("forecast", "quantile", "window", ["test pinball loss"]),
    ],
)
def test_the_tables_name_the_metric_of_the_task(task, answer, state, words, tmp_path, cli_here):
    write_tiny(tmp_path / "run", task, answer, state, lengths=task == "classify")
    result = cli_here("export", tmp_path / "run", "--quantize", "--max-metric-drop", "100%")
    assert result.returncode == 0, result.stderr
    for word in words:
        assert word in result.stdout
    assert "RMSE" not in result.stdout.replace("scaled RMSE", "")
    (test,) = load(tmp_path / "run" / f"{task}.fp32.onnx").contract.metrics
    if "accuracy" in test.file:
        assert result.stdout.count(f" {100 * test.file['accuracy']:.1f} %") >= 2  # of files, and judged


@pytest.fixture
def strict(tmp_path):
    """A run that is judged by what its own fp32 file answers, so that every row int8 moves over a border is a loss."""
    weights = make_weights(network_of("classify", "class", "window"), 0)
    weights |= {name: 0 * value for name, value in weights.items() if "bias" in name}  # no class is the favourite
    run = write_tiny(tmp_path / "run", "classify", "class", lengths=True, weights=weights)
    fp32 = load(export_run(tmp_path / "run", tmp_path / "first").files[0].path)
    rng = np.random.default_rng(1)
    series = [rng.normal(size=(n, 2)).astype(np.float32) for n in rng.integers(1, WINDOW + 1, 400)]
    truth = np.array([fp32.predict(x, len(x)).argmax() for x in series])
    write_run(replace(run, heldout=lay_out(series, truth, every_step=False)), {})
    return tmp_path / "run", series, truth


def test_int8_that_loses_accuracy_is_not_written_and_its_relative_loss_is_told(strict, tmp_path, cli_here):
    run, series, truth = strict
    (_, file) = export_run(run, tmp_path / "all", precisions=["int8"]).files
    int8 = load(file.path)
    lost = np.mean([int8.predict(x, len(x)).argmax() != t for x, t in zip(series, truth, strict=True)])
    assert 0 < lost < 0.2
    result = cli_here("export", run, "--quantize", "int8", "--max-metric-drop", f"{99 * lost}%", "-o", "files")
    assert result.returncode == 1
    assert f"its metric is {100 * lost:.3g}% worse than that of the fp32 file" in result.stdout
    assert [path.name for path in (tmp_path / "files").glob("*.onnx")] == ["classify.fp32.onnx"]
    allowed = cli_here("export", run, "--quantize", "int8", "--max-metric-drop", f"{101 * lost}%", "-o", "files")
    assert allowed.returncode == 0
    assert (tmp_path / "files" / "classify.int8.onnx").exists()
