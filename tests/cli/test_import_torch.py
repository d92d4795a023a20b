"""`edgelstm import torch`: from weights to files that verify, in two commands; bad input in one line."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from torch import nn

from edgelstm import load
from tests.cli.test_bad_input import assert_one_line_and_exit_2
from tests.importers.torch_modules import answer, carried_module, draw


@pytest.fixture
def weights(tmp_path):
    """A JSON state dict like RTNeural's; gives the module too."""
    module = carried_module()
    state = {name: tensor.tolist() for name, tensor in module.state_dict().items()}
    (tmp_path / "amp.json").write_text(json.dumps(state))
    return module


def test_weights_become_files_that_verify(weights, cli_here, tmp_path):
    process = cli_here("import", "torch", "amp.json", "--window", "50", "--state", "carried", "--input", "guitar")
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [
        "lstm (input_size 1, hidden_size 4, num_layers 1)",
        "lstm2 (input_size 4, hidden_size 4, num_layers 3)",
        "dense (in_features 4, out_features 1)",
        "",
        "without test data (--data) the accuracy cost of smaller files is unknown",
        "",
        "wrote runs/amp; next: edgelstm export runs/amp --quantize",
    ]
    assert cli_here("export", "runs/amp", "-o", "files").returncode == 0
    assert cli_here("verify", "files/amp.fp32.onnx").returncode == 0
    predictor = load(tmp_path / "files" / "amp.fp32.onnx")
    assert predictor.contract.inputs[0].name == "guitar"
    x = draw(1, 30, 1)
    np.testing.assert_allclose(predictor.predict(x[0])[:, 0], answer(weights, x)[0], atol=1e-6)


def test_fine_tuning_an_imported_network_asks_for_a_table(weights, cli_here):
    cli_here("import", "torch", "amp.json", "--window", "20", "--state", "carried")
    words = "runs/amp: is an imported run without data; give a table with --data"
    assert_one_line_and_exit_2(cli_here("finetune", "runs/amp"), words)


def test_int8_without_test_data_is_written_and_said_to_be_unjudged(weights, cli_here):
    cli_here("import", "torch", "amp.json", "--window", "20", "--state", "carried")
    process = cli_here("export", "runs/amp", "--quantize", "int8")
    assert process.returncode == 0, process.stderr
    assert "without test data its accuracy is unknown" in process.stdout


def test_a_table_it_never_saw_lets_int8_be_judged(weights, cli_here, tmp_path):
    rows = [f"{np.sin(i / 9):.4f},{np.sin((i + 1) / 9):.4f}" for i in range(120)]
    (tmp_path / "test.csv").write_text("\n".join(["in,out", *rows]))
    told = ("--input", "in", "--output-name", "out", "--unit", "out=V", "--data", "test.csv")
    process = cli_here("import", "torch", "amp.json", "--window", "20", "--state", "carried", *told)
    assert process.returncode == 0, process.stderr
    contract = json.loads((tmp_path / "runs" / "amp" / "run.json").read_text())["contract"]
    assert contract["metrics"][0]["windows"] == 100
    assert contract["outputs"][0]["unit"] == "V"
    process = cli_here("import", "torch", "amp.json", "--window", "20", "--data", "test.csv", "-o", "other")
    assert_one_line_and_exit_2(process, "--data needs --input")


def test_what_the_names_do_not_tell_may_be_told(cli_here, tmp_path):
    torch.manual_seed(0)
    module = nn.ModuleDict({"a": nn.LSTM(2, 3, bidirectional=True), "b": nn.Linear(6, 4), "c": nn.Linear(4, 3)})
    torch.save(module.state_dict(), tmp_path / "w.pt")
    told = ("--task", "classify", "--take", "final", "--activation", "relu", "--final", "softmax")
    process = cli_here("import", "torch", "w.pt", "--window", "5", *told, "--output-name", "a", "-o", "run")
    assert_one_line_and_exit_2(process, "expected 3 different name")
    process = cli_here("import", "torch", "w.pt", "--window", "5", *told, "-o", "run")
    assert process.returncode == 0, process.stderr
    assert cli_here("import", "torch", "w.pt", "--window", "5", *told, "-o", "run").returncode == 2
    assert cli_here("import", "torch", "w.pt", "--window", "5", *told, "-o", "run", "--overwrite").returncode == 0


BAD = {
    "no such file": ((), None, "cannot be read"),
    "no weights": ((), b"{}", "expected a state dict"),
    "an unknown task": (("--task", "guess"), b'{"a.weight": [[1]]}', "task: expected one of"),
    "no LSTM": ((), b'{"a.weight": [[1]]}', "expected the tensors of an LSTM"),
    "wrong shapes": (
        (),
        b'{"a.weight_ih_l0": [[1]], "a.weight_hh_l0": [[1], [1]], "b.weight": [[1]]}',
        "expected [4 H, H]",
    ),
}


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.replace(" ", "-"))
def test_bad_weights_cost_one_line(case, cli_here, tmp_path):
    options, content, expected = BAD[case]
    if content is not None:
        (tmp_path / "w.json").write_bytes(content)
    before = os.listdir(tmp_path)
    process = cli_here("import", "torch", "w.json", "--window", "5", *options)
    assert_one_line_and_exit_2(process, expected)
    assert os.listdir(tmp_path) == before


def test_a_request_to_quantize_a_network_without_an_lstm_costs_one_line(cli_here, tmp_path):
    from edgelstm.export import from_torch

    gru = nn.GRU(3, 4, batch_first=True)
    from_torch(gru, tmp_path / "run", window=5, task="label")
    for precision in ("int8", "int8w", "fp16", "auto"):
        process = cli_here("export", "run", "--quantize", precision, "-o", "files")
        assert_one_line_and_exit_2(process, "expected a network with an LSTM")
    assert not (tmp_path / "files").exists()


def test_help_of_the_command_names_its_options(cli_here):
    process = cli_here("import", "torch", "--help")
    assert process.returncode == 0
    assert all(option in process.stdout for option in ("--window", "--state", "--activation", "--final", "--take"))
