"""`edgelstm import --data` judges classes and labels as well, run as the files of the network are."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from edgelstm import load
from tests.cli.test_bad_input import assert_one_line_and_exit_2
from tests.importers.keras_by_hand import arrays, dense, input_layer, lstm, sequential, usual_groups, write_keras

CLASSES = ("calm", "windy", "storm")
NAMES = ("--input", "a", "--input", "b", *(word for name in CLASSES for word in ("--output-name", name)))


def drawn(rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 2)).round(4), [CLASSES[i] for i in rng.integers(0, 3, rows)]


def write_table(path, x, kinds, units):
    lines = [f"{unit},{a},{b},{kind}" for unit, (a, b), kind in zip(units, x, kinds, strict=True)]
    path.write_text("\n".join(["unit,a,b,kind", *lines, ""]))


def contract_of(run):
    return json.loads((run / "run.json").read_text())["contract"]


@pytest.fixture
def classifier(tmp_path):
    config = sequential(input_layer(), lstm(), dense(units=3, activation="softmax"))
    return write_keras(tmp_path / "net.keras", config, usual_groups(arrays(outputs=3)))


def test_classes_of_whole_series_are_judged(classifier, cli_here, tmp_path):
    x, kinds = drawn(60)
    kinds = [kinds[i // 5] for i in range(60)]
    write_table(tmp_path / "test.csv", x, kinds, [f"u{i // 5}" for i in range(60)])
    about = ("--data", "test.csv", "--series", "unit", "--label", "kind")
    process = cli_here("import", "keras", classifier, "--task", "classify", *NAMES, *about, "-o", "run")
    assert process.returncode == 0, process.stderr
    assert cli_here("export", "run").returncode == 0
    predictor = load(tmp_path / "run" / "net.fp32.onnx")
    answers = predictor.label(predictor.predict(x.reshape(12, 5, 2))).tolist()
    right = np.mean([answer == kind for answer, kind in zip(answers, kinds[::5], strict=True)])
    (part,) = contract_of(tmp_path / "run")["metrics"]
    assert (part["windows"], part["network"]["accuracy"]) == (12, pytest.approx(right))
    assert predictor.contract.metrics[0].file["accuracy"] == pytest.approx(right)
    again = cli_here("evaluate", "run/net.fp32.onnx", "test.csv")  # nobody need say again which column it is
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("state", ["window", "carried"])
def test_labels_of_a_long_series_are_judged_as_the_file_runs(state, cli_here, tmp_path):
    torch.manual_seed(3)
    module = nn.ModuleDict({"lstm": nn.LSTM(2, 4, batch_first=True), "head": nn.Linear(4, 3)})
    torch.save(module.state_dict(), tmp_path / "net.pt")
    x, kinds = drawn(23)
    kinds[4] = ""
    write_table(tmp_path / "test.csv", x, kinds, ["u"] * 23)
    told = ("--task", "label", "--final", "softmax", "--state", state, "--window", "5")
    about = ("--data", "test.csv", "--label", "kind", "-o", "run")
    process = cli_here("import", "torch", "net.pt", *told, *NAMES, *about)
    assert process.returncode == 0, process.stderr
    assert cli_here("export", "run").returncode == 0
    predictor = load(tmp_path / "run" / "net.fp32.onnx")
    pieces = [x] if state == "carried" else [x[:5], x[5:10], x[10:15], x[15:20], x[18:]]
    y = [predictor.predict(piece) for piece in pieces]
    y = y[0] if state == "carried" else np.concatenate([*y[:4], y[4][2:]])
    known = [i for i in range(23) if kinds[i]]
    right = np.mean([predictor.label(y[i]) == kinds[i] for i in known])
    (part,) = contract_of(tmp_path / "run")["metrics"]
    assert part["network"]["accuracy"] == pytest.approx(right)
    assert predictor.contract.metrics[0].file["accuracy"] == pytest.approx(right)


def test_what_a_table_cannot_tell_costs_one_line(classifier, cli_here, tmp_path):
    x, kinds = drawn(10)
    write_table(tmp_path / "test.csv", x, kinds, ["u"] * 5 + ["v"] * 5)
    begin = ("import", "keras", classifier, "--task", "classify", *NAMES)
    assert_one_line_and_exit_2(cli_here(*begin, "--label", "kind"), "--label needs a table: add --data")
    assert_one_line_and_exit_2(cli_here(*begin, "--data", "test.csv"), "give --label")
    two = cli_here(*begin, "--data", "test.csv", "--series", "unit", "--label", "kind")
    assert_one_line_and_exit_2(two, "series u: expected one class for the whole series")
    torch.save(nn.ModuleDict({"a": nn.LSTM(2, 4), "b": nn.Linear(4, 3)}).state_dict(), tmp_path / "net.pt")
    numbers = ("import", "torch", "net.pt", "--task", "label", "--window", "5", *NAMES)
    process = cli_here(*numbers, "--data", "test.csv", "--label", "kind")
    assert_one_line_and_exit_2(process, "--label needs a network that ends in softmax or sigmoid")
    assert not (tmp_path / "runs").exists()


def test_forecasts_of_several_series_are_refused(cli_here, tmp_path):
    x, kinds = drawn(40)
    write_table(tmp_path / "test.csv", x, kinds, ["u"] * 20 + ["v"] * 20)
    net = write_keras(tmp_path / "net.keras")
    names = ("--input", "a", "--input", "b", "--output-name", "b")
    process = cli_here("import", "keras", net, *names, "--data", "test.csv", "--series", "unit")
    assert_one_line_and_exit_2(process, "test.csv: expected one series, the table holds 2")
