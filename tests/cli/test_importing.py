"""`edgelstm import keras` from a file to a judged export."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tests.importers.keras_by_hand import dense, input_layer, lstm, sequential, write_keras


def table(path, rows=60, columns=("a", "b", "y")):
    days = np.datetime64("2024-01-01") + np.arange(rows)
    values = np.random.default_rng(0).normal(size=(rows, len(columns)))
    lines = [f"{day},{','.join(f'{v:.4f}' for v in row)}" for day, row in zip(days, values, strict=True)]
    path.write_text("\n".join([f"date,{','.join(columns)}", *lines]))
    return path


@pytest.fixture
def net(tmp_path):
    return write_keras(tmp_path / "net.keras")


def test_it_prints_what_each_layer_became_and_what_comes_next(net, cli_here):
    process = cli_here("import", "keras", net)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [
        "net.keras: Keras 3.15.1",
        "input: 5 steps of x0, x1; task: forecast y0, 1 step",
        "",
        "layer  class  became",
        "lstm   LSTM   LSTM 2 -> 4 + last step",
        "dense  Dense  linear 4 -> 1",
        "",
        "without test data (--data) the accuracy cost of smaller files is unknown",
        "",
        "wrote runs/net; next: edgelstm export runs/net --quantize",
    ]


def test_with_test_data_the_precisions_are_judged(net, cli_here, tmp_path):
    table(tmp_path / "test.csv")
    names = ["--input", "a", "--input", "b", "--output-name", "y", "--unit", "y=C"]
    process = cli_here("import", "keras", net, *names, "--data", "test.csv", "--time", "date", "-o", "run")
    assert process.returncode == 0, process.stderr
    assert "without test data" not in process.stdout
    exported = cli_here("export", "run", "--quantize", "int8w", "--max-metric-drop", "5%")
    assert exported.returncode == 0, exported.stderr
    assert "its accuracy is unknown" not in exported.stdout
    assert "test RMSE (C)" in exported.stdout
    contract = json.loads((tmp_path / "run" / "run.json").read_text())["contract"]
    assert contract["sample_period_s"] == 86400
    assert contract["metrics"][0]["windows"] == 55
    assert [channel["name"] for channel in contract["inputs"]] == ["a", "b"]
    assert contract["outputs"][0]["unit"] == "C"
    assert contract["outputs"][0]["statistics"] is not None


def test_the_trained_network_is_not_called_torch(net, cli_here, tmp_path):
    cli_here("import", "keras", net, "-o", "run")
    exported = cli_here("export", "run")
    assert "torch" not in exported.stdout
    assert "network (float64)" in exported.stdout
    inspected = cli_here("inspect", "run/net.fp32.onnx")
    assert "torch" not in inspected.stdout
    assert "  trained   elsewhere, with keras 3.15.1" in inspected.stdout


def test_without_h5py_it_says_what_to_install(net, cli_here, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    process = cli_here("import", "keras", net)
    assert (process.returncode, len(process.stderr.splitlines())) == (2, 1)
    assert "pip install 'edgelstm[keras]'" in process.stderr


def test_an_existing_run_is_not_overwritten_unasked(net, cli_here, tmp_path):
    assert cli_here("import", "keras", net, "-o", "run").returncode == 0
    before = (tmp_path / "run" / "run.json").read_bytes()
    again = cli_here("import", "keras", net, "-o", "run", "--name", "other")
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1)
    assert "--overwrite" in again.stderr
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    assert cli_here("import", "keras", net, "-o", "run", "--name", "other", "--overwrite").returncode == 0


REFUSED = {
    "no window": (["--name", "x"], "how many steps a window has; give --window N"),
    "a unit without a channel": (["--window", "5", "--unit", "celsius"], "expected CHANNEL=UNIT"),
    "a unit of nothing": (["--window", "5", "--unit", "z=C"], "expected the name of a channel, got 'z'"),
    "too few names": (["--window", "5", "--input", "a"], "inputs: expected 2 different names"),
    "data without names": (["--window", "5", "--data", "test.csv"], "--data needs --input"),
    "time without data": (["--window", "5", "--time", "date"], "--time needs a table: add --data"),
    "a name with a path": (["--window", "5", "--name", "../evil"], "name: expected letters"),
    "classes that are no probabilities": (["--window", "5", "--task", "classify"], "can forecast, got 'classify'"),
    "a task that is none": (["--window", "5", "--task", "sing"], "task: expected one of"),
    "data that is not there": (
        ["--window", "5", "--input", "a", "--input", "b", "--output-name", "y", "--data", "no.csv"],
        "no.csv: file not found",
    ),
    "data too short": (
        [
            "--window",
            "59",
            "--input",
            "a",
            "--input",
            "b",
            "--output-name",
            "y",
            "--data",
            "test.csv",
            "--horizon",
            "2",
        ],
        "horizon",
    ),
    "data for a task it cannot score": (
        [
            "--window",
            "5",
            "--task",
            "classify",
            "--input",
            "a",
            "--input",
            "b",
            "--output-name",
            "y",
            "--data",
            "test.csv",
        ],
        "expected a file with one output for each class; this one gives a single probability",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_importing_refuses(case, cli_here, tmp_path):
    config = sequential(
        input_layer((None, None, 2)), lstm(), dense(activation="sigmoid" if "score" in case else "linear")
    )
    write_keras(tmp_path / "net.keras", config)
    table(tmp_path / "test.csv")
    options, expected = REFUSED[case]
    process = cli_here("import", "keras", "net.keras", *options)
    assert process.returncode == 2, process.stdout
    assert len(process.stderr.splitlines()) == 1
    assert expected in process.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.keras", "test.csv"]
