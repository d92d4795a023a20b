"""`edgelstm export`: every precision, the judge's table, and what it refuses."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from edgelstm import load
from edgelstm.bench.judgement import Judged, Judgement
from edgelstm.bench.machine import Machine
from edgelstm.bench.timer import Latency
from edgelstm.cli.export import judgement_words, show_export
from edgelstm.run import pack_weights, read_run, write_run
from edgelstm.runtime import read_model_file
from tests.cli.test_bad_input import assert_one_line_and_exit_2
from tests.tiny_runs import contract_of

judging = importlib.import_module("edgelstm.bench.judge")


@pytest.fixture
def quick(monkeypatch):
    """Take little time for timing."""
    timed = judging.time_interleaved
    monkeypatch.setattr(judging, "time_interleaved", lambda calls, seconds: timed(calls, 0.0))


@pytest.fixture(scope="module")
def with_outliers(window_files, tmp_path_factory):
    """The same network with one more unit that nothing listens to and whose weights are a thousand times larger.

    Its answers are those of the trained network. One int8 scale per tensor has to reach the outliers and
    leaves nothing for the rest; a scale for each row does not see them.
    """
    folder = tmp_path_factory.mktemp("outliers") / "run"
    run = read_run(window_files.run)
    weights, hidden = dict(run.weights), 8
    for name in ("lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"):
        gates = np.split(weights[name], 4)
        one_more = np.full((1, *gates[0].shape[1:]), 1000.0 if "weight" in name else 0.0, np.float32)
        weights[name] = np.concatenate([part for gate in gates for part in (gate, one_more)])
    deaf = np.zeros((4 * (hidden + 1), 1), np.float32)
    weights["lstm.weight_hh_l0"] = np.concatenate([weights["lstm.weight_hh_l0"], deaf], axis=1)
    weights["head.weight"] = np.concatenate([weights["head.weight"], np.zeros((3, 1), np.float32)], axis=1)
    layers = tuple(
        replace(layer, hidden_size=hidden + 1)
        if layer.kind == "lstm"
        else replace(layer, in_features=hidden + 1)
        if layer.kind == "linear"
        else layer
        for layer in run.record.network.layers
    )
    contract = run.record.contract
    provenance = contract.provenance._replace(weights_sha256=pack_weights(weights)[1])
    record = replace(
        run.record,
        network=replace(run.record.network, layers=layers),
        contract=replace(contract, provenance=provenance),
    )
    write_run(replace(run, path=folder, weights=weights, record=record), {})
    return folder


@pytest.mark.parametrize("files", ["window_files", "carried_files"])
def test_auto_writes_every_precision_and_says_in_one_sentence_which_to_ship(files, cli_here, tmp_path, quick, request):
    run = request.getfixturevalue(files).run
    process = cli_here("export", run, "--quantize", "auto", "-o", "files")
    assert process.returncode == 0, process.stderr
    names = [f"small.{precision}.onnx" for precision in ("fp32", "int8", "int8w", "fp16")]
    assert sorted(os.listdir(tmp_path / "files")) == sorted([*names, "small.judgement.json"])
    lines = process.stdout.splitlines()
    header = next(line for line in lines if line.startswith("file "))
    columns = [
        "bytes",
        "load",
        "step p50",
        "p99",
        "window p50",
        "p99",
        "test RMSE (ppm)",
        "max error",
        "stream",
        "neighbours",
    ]
    assert header.replace("file", "", 1).split() == " ".join(columns).split()
    rows = [line.split()[0] for line in lines[lines.index(header) + 1 :][:4]]
    assert rows == names
    (sentence,) = [line for line in lines if line.startswith("ship ")]
    judgement = json.loads((tmp_path / "files" / "small.judgement.json").read_text())
    assert sentence == judgement["sentences"][0]
    assert sentence.startswith(f"ship {judgement['ship']}: ")
    assert lines[-1] == f"next: edgelstm verify files/{judgement['ship']}"
    assert ("a state carried over 10," in process.stdout) == (files == "carried_files")
    for name in names:
        assert cli_here("verify", f"files/{name}").returncode == 0


def test_what_is_deterministic_lies_in_the_contract_and_what_is_timed_beside_the_file(
    carried_files, cli_here, tmp_path, quick
):
    cli_here("export", carried_files.run, "--quantize", "auto", "-o", "files")
    judgement = json.loads((tmp_path / "files" / "small.judgement.json").read_text())
    for found in judgement["files"]:
        contract = read_model_file(tmp_path / "files" / found["name"]).contract
        assert contract.precision == found["precision"]
        assert contract.metrics[-1].file is not None
        zero = {"fp32", "int8w", "fp16"}
        assert (contract.fidelity.stream_difference == (0.0,)) == (contract.precision in zero)
        assert (found["stream_difference"] == 0) == (contract.precision in zero)
        assert "p50_us" not in contract.to_json()
        assert found["step"]["p50_us"] > 0
    assert judgement["machine"]["versions"]["onnxruntime"]


def test_the_bytes_are_the_same_whatever_the_clock_says(window_files, cli_here, tmp_path, monkeypatch, quick):
    def speeds(*factors):
        monkeypatch.setattr(
            judging, "time_interleaved", lambda calls, seconds: [np.full(20, 1000 * f, np.int64) for f in factors]
        )

    names = [f"small.{precision}.onnx" for precision in ("fp32", "int8", "int8w", "fp16")]
    for folder, factors in (("one", (4, 1, 4, 4)), ("two", (4, 4, 4, 1))):
        speeds(*factors)
        assert cli_here("export", window_files.run, "--quantize", "auto", "-o", folder).returncode == 0
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (tmp_path / "one" / names[1]).read_bytes() == window_files.int8.read_bytes()  # written without a judge
    judgements = [json.loads((tmp_path / f / "small.judgement.json").read_text()) for f in ("one", "two")]
    assert [judgement["files"][1]["window_speed"] for judgement in judgements] == [4, 1]


def test_int8_that_loses_too_much_exits_1_and_only_the_fp32_file_is_kept(with_outliers, cli_here, tmp_path, quick):
    process = cli_here("export", with_outliers, "--quantize", "--per-tensor", "-o", "files")
    assert process.returncode == 1
    assert sorted(os.listdir(tmp_path / "files")) == ["small.fp32.onnx", "small.judgement.json"]
    assert "ship small.fp32.onnx: no other file is worth it" in process.stdout
    assert "small.int8.onnx is not recommended: its metric is" in process.stdout
    assert "small.int8.onnx was not written: its metric is" in process.stdout
    assert "try --quantize int8w" in process.stdout
    assert cli_here("verify", "files/small.fp32.onnx").returncode == 0
    judgement = json.loads((tmp_path / "files" / "small.judgement.json").read_text())
    assert judgement["files"][1]["drop"] > 0.01 == judgement["max_metric_drop"]
    assert judgement["ship"] == "small.fp32.onnx"


def test_the_same_network_is_kept_with_a_scale_for_each_row_or_with_a_wider_limit(
    with_outliers, cli_here, tmp_path, quick
):
    for folder, options in (("rows", ()), ("wide", ("--per-tensor", "--max-metric-drop", "100000%"))):
        process = cli_here("export", with_outliers, "--quantize", "int8", *options, "-o", folder)
        assert process.returncode == 0, process.stderr
        assert (tmp_path / folder / "small.int8.onnx").exists()
    drops = {
        folder: json.loads((tmp_path / folder / "small.judgement.json").read_text())["files"][1]["drop"]
        for folder in ("rows", "wide")
    }
    assert drops["rows"] < 0.01 < drops["wide"]


def test_of_several_precisions_those_that_lose_too_much_are_written_and_named(with_outliers, cli_here, tmp_path, quick):
    process = cli_here("export", with_outliers, "--quantize", "auto", "--per-tensor", "-o", "files")
    assert process.returncode == 0
    assert (tmp_path / "files" / "small.int8.onnx").exists()
    assert "small.int8.onnx is not recommended: its metric is" in process.stdout
    (ship,) = [line for line in process.stdout.splitlines() if line.startswith("ship ")]
    assert not ship.startswith("ship small.int8.onnx")


def test_the_options_of_quantizing_are_in_the_contract(window_files, cli_here, tmp_path, quick):
    options = ("--per-tensor", "--clip", "mse", "--head", "fp32", "--max-metric-drop", "1000%")
    assert cli_here("export", window_files.run, "--quantize", "int8w", *options, "-o", ".").returncode == 0
    assert read_model_file(tmp_path / "small.int8w.onnx").contract.quantization == (False, "mse", "fp32", "fp32")
    assert cli_here("export", window_files.run, "--quantize", "-o", ".").returncode == 0
    assert read_model_file(tmp_path / "small.int8.onnx").contract.quantization == (True, "none", "int8", "fp32")
    assert read_model_file(tmp_path / "small.fp32.onnx").contract.quantization is None


def test_without_quantize_there_is_nothing_to_judge(window_files, cli_here, tmp_path):
    assert cli_here("export", window_files.run, "-o", "files").returncode == 0
    assert os.listdir(tmp_path / "files") == ["small.fp32.onnx"]


REFUSED = {
    "an unknown precision": (["--quantize=int4"], "--quantize: expected one of int8, int8w, fp16, auto, got 'int4'"),
    "an unknown clip": (["--quantize", "--clip", "max"], "--clip: expected one of none, percentile, mse"),
    "an unknown head": (["--quantize", "--head", "fp16"], "--head: expected one of int8, fp32"),
    "no share": (["--quantize", "--max-metric-drop", "little"], "expected a share such as 1% or 0.01, got 'little'"),
    "a negative share": (["--quantize", "--max-metric-drop", "-1%"], "expected a share"),
    "an unbounded share": (["--quantize", "--max-metric-drop", "inf"], "expected a share"),
    "a limit for nothing": (["--max-metric-drop", "1%"], "--max-metric-drop needs --quantize"),
    "a clip for nothing": (["--clip", "mse"], "--clip needs --quantize int8, int8w or auto"),
    "a head of fp16": (["--quantize", "fp16", "--head", "fp32"], "--head needs --quantize int8"),
    "a scale for nothing": (["--per-tensor"], "--per-tensor needs --quantize"),
    "an unknown state": (["--state", "kept"], "state: expected window or carried, got 'kept'"),
    "a carried state of a relative network": (["--state", "carried"], "cannot carry its state"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_export_refuses(case, cli_here, window_files, tmp_path):
    options, expected = REFUSED[case]
    assert_one_line_and_exit_2(cli_here("export", window_files.run, *options, "-o", "files"), expected)
    assert os.listdir(tmp_path) == []


def test_quantize_alone_may_stand_in_front_of_the_run(cli_here, window_files, tmp_path, quick):
    assert cli_here("export", "--quantize", window_files.run, "-o", "files").returncode == 0
    assert (tmp_path / "files" / "small.int8.onnx").exists()


@pytest.mark.parametrize("text", ["1%", "0.01", "1.0%"])
def test_a_share_may_be_written_in_either_way(text, cli_here, window_files, tmp_path, quick):
    cli_here("export", window_files.run, "--quantize", "--max-metric-drop", text, "-o", "files")
    judgement = json.loads((tmp_path / "files" / "small.judgement.json").read_text())
    assert judgement["max_metric_drop"] == pytest.approx(0.01)


@pytest.mark.parametrize(("refused", "instead"), [("int8", "int8w"), ("int8w", "fp16"), ("fp16", "auto")])
def test_a_refused_precision_is_not_told_to_try_itself(refused, instead, window_files, capsys):
    run = read_run(window_files.run)
    lost = SimpleNamespace(name="small.x.onnx", precision=refused, drop=0.5)
    fp32 = SimpleNamespace(
        path=window_files.fp32,
        contract=load(window_files.fp32).contract,
        size_bytes=1,
        max_error=(0.0,),
        mean_error=(0.0,),
        test=None,
        p50_us=1.0,
    )
    show_export(SimpleNamespace(run=run, files=(fp32,), judgement=None, refused=lost))
    assert f"or try --quantize {instead}\n" in capsys.readouterr().out


def test_each_figure_of_a_judgement_stands_in_its_column_in_its_unit():
    machine = Machine("a processor", 4, "arm", "Linux", "3.11", {})
    step, window = Latency(20, 1.5, 2.0, 2.5, 3.0, 3.5), Latency(20, 1500.0, 2000.0, 2500.0, 3000.0, 3500.0)
    one = Judged("a.onnx", "fp32", 12345, 2.25, step, window, 1.0, 1.0, 0.5, 0.0, 1e-3, 2e-4, 3e-5)
    found = Judgement((one,), "carried", 4000, 3, "rmse", 0.01, "a.onnx", ("ship a.onnx",), machine)
    head, row, note, _, sentence = judgement_words(found, contract_of("label", "number", "carried")).split("\n")
    figures = "12,345 2.25 ms 1.5 us 2.5 us 1.5 ms 2.5 ms 0.5 1.0e-03 2.0e-04 3.0e-05"
    assert row.split() == ["a.onnx", *figures.split()]
    assert head.split("  ")[0] == "file"
    assert "carried over 4,000 steps, starting from zero for each of 3 series on a processor." in note
    assert sentence == "ship a.onnx"


def test_a_run_without_a_test_part_is_exported_and_nobody_claims_to_know_what_int8_costs(
    window_files, cli_here, tmp_path, quick
):
    run = tmp_path / "run"
    shutil.copytree(window_files.run, run)
    record = read_run(run)
    contract = record.record.contract
    metrics = tuple(part for part in contract.metrics if part.part != "test")
    untested = replace(record.record, contract=replace(contract, metrics=metrics))
    write_run(replace(record, record=untested, heldout=None), {})
    process = cli_here("export", run, "--quantize", "-o", "files")
    assert process.returncode == 0, process.stderr
    assert "ship small.fp32.onnx" in process.stdout
    assert "without test data its accuracy is unknown" in process.stdout
