"""Bad input costs one clear line and exit status 2, and leaves nothing half-written."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta

import numpy as np
import onnx
import pytest

from edgelstm.contract import FORMAT_VERSION
from edgelstm.runtime.file.model_file import CONTRACT_KEY, DIGEST_KEY, compute_digest, digest_span


def weekly(values, column="co2"):
    """A CSV of weekly values."""
    days = np.datetime64("2000-01-01") + 7 * np.arange(len(values))
    return "\n".join([f"date,{column}", *(f"{day},{value}" for day, value in zip(days, values, strict=True))]) + "\n"


def wave(count):
    return [f"{350 + 5 * np.sin(i / 4):.2f}" for i in range(count)]


TRAINING = {
    "an empty file": ("", ["--target", "co2"], "empty"),
    "a header alone": ("date,co2\n", ["--target", "co2"], "empty"),
    "an unknown column": (weekly(wave(200)), ["--target", "co3"], "no column 'co3'"),
    "text among numbers": (
        weekly([*wave(100), "lots", *wave(99)]),
        ["--target", "co2"],
        "line 102: expected a number in column 'co2', got 'lots'",
    ),
    "a constant channel": (weekly(["350"] * 400), ["--target", "co2"], "'co2' is constant"),
    "too short a series": (weekly(wave(30)), ["--target", "co2"], "one window needs 33"),
    "missing samples": (
        weekly([*wave(50), "", *wave(149)]),
        ["--target", "co2", "--missing", "error"],
        "fill them with --missing",
    ),
    "no target": (
        weekly(wave(400)),
        [],
        "data.targets is missing: give it with --target: data.csv has numeric columns co2",
    ),
    "no target among text": ("date,co2\n2000-01-01,high\n2000-01-08,low\n", [], "no numeric columns, but date, co2"),
    "words as labels": (
        "date,co2,state\n2000-01-01,1.5,on\n2000-01-08,2.5,off\n",
        ["--task", "label", "--target", "state", "--feature", "co2", "--horizon", "1"],
        "column 'state' holds words (on, off), not numbers: give --classes",
    ),
    "words to forecast": (
        "date,co2,state\n2000-01-01,1.5,idle\n2000-01-08,2.5,busy\n",
        ["--target", "state"],
        "column 'state' holds text, busy, idle, but a forecast needs numbers: give --task label --classes",
    ),
    "a sign at numbers": (
        weekly(["$350.5", "$351"] * 200),
        ["--target", "co2"],
        "got '$350.5': remove '$' from the numbers",
    ),
    "a wrong choice": (weekly(wave(200)), ["--target", "co2", "--loss", "mean"], "--loss: expected 'mse', 'mae'"),
    "relative and carried": (
        weekly(wave(200)),
        ["--target", "co2", "--scaling", "relative", "--state", "carried"],
        "choose state window",
    ),
    "patience without validation": (
        weekly(wave(200)),
        ["--target", "co2", "--split", "0.8,0,0.2", "--patience", "3"],
        "needs validation data",
    ),
}


def hours(form, *behind):
    moments = [np.datetime64("2024-01-01T00").astype(datetime) + timedelta(hours=n) for n in range(200)]
    rows = [f"{moment:{form}},{value}" for moment, value in zip(moments, wave(200), strict=True)]
    return "\n".join(["date,co2", *rows, *behind]) + "\n"


def backwards(table):
    first, *rows = table.splitlines()
    return "\n".join([first, *rows[::-1]]) + "\n"


UNTIMED = {
    "rows from the latest on": (backwards(hours("%d.%m.%Y %H:%M")), [], "give --time date to sort them by time"),
    "a line of totals": (
        hours("%Y-%m-%d %H:%M", "Total,70000"),
        [],
        "line 202: 'Total' in column 'date' looks like a line of totals",
    ),
    "a last line without a time": (hours("%Y-%m-%d %H:%M", ",70000"), [], "line 202: expected a time in column 'date'"),
    "a wrong weekday": (
        hours("Mon %Y-%m-%d %H:%M"),
        ["--time", "date"],
        "line 26: expected the weekday of the date, Tuesday, in column 'date'",
    ),
    "the word of a zone": (hours("%Y-%m-%d %H:%M EST"), ["--time", "date"], "such as America/New_York"),
    "the word of another zone": (
        hours("%Y-%m-%d %H:%M EST"),
        ["--time", "date", "--time-zone", "Europe/Berlin"],
        "line 2: expected CET, the name of the clocks in Europe/Berlin at that time",
    ),
    "a table drawn for the screen": ("┌──────┬─────┐\n│ date ┆ co2 │\n", [], "drawn for the screen"),
    "a count that is not that of the rows": (
        hours("%Y-%m-%d %H:%M", "(201 rows)"),
        ["--time", "date"],
        "line 202 says 201 rows, the table has 200",
    ),
}


def assert_one_line_and_exit_2(process, expected):
    assert process.returncode == 2, process.stderr
    assert len(process.stderr.splitlines()) == 1, process.stderr
    assert process.stderr.startswith("edgelstm: ")
    assert expected in process.stderr


@pytest.mark.parametrize("case", TRAINING, ids=lambda case: case.replace(" ", "-"))
def test_training_refuses(case, cli_here, tmp_path):
    content, options, expected = TRAINING[case]
    (tmp_path / "data.csv").write_text(content)
    process = cli_here("train", "data.csv", "--time", "date", "--window", "30", "--horizon", "3", *options, "-o", "run")
    assert_one_line_and_exit_2(process, expected)
    assert sorted(os.listdir(tmp_path)) == ["data.csv"]


@pytest.mark.parametrize("case", UNTIMED, ids=lambda case: case.replace(" ", "-"))
def test_training_refuses_what_would_train_on_wrong_numbers(case, cli_here, tmp_path):
    content, options, expected = UNTIMED[case]
    (tmp_path / "data.csv").write_text(content, encoding="utf-8")
    process = cli_here("train", "data.csv", "--target", "co2", "--window", "30", *options, "-o", "run")
    assert_one_line_and_exit_2(process, expected)
    assert sorted(os.listdir(tmp_path)) == ["data.csv"]


def test_training_refuses_a_file_that_is_not_there(cli_here, tmp_path):
    process = cli_here("train", "nothing.csv", "--target", "co2", "--window", "10")
    assert_one_line_and_exit_2(process, "nothing.csv: file not found")
    assert os.listdir(tmp_path) == []


def test_an_existing_run_is_not_overwritten_unasked(cli_here, window_files):
    before = (window_files.run / "run.json").read_bytes()
    process = cli_here(
        "train",
        "builtin:co2",
        "--time",
        "date",
        "--target",
        "co2",
        "--missing",
        "forward",
        "--window",
        "10",
        "-o",
        window_files.run,
    )
    assert_one_line_and_exit_2(process, "--overwrite")
    assert (window_files.run / "run.json").read_bytes() == before


def rewritten(path, target, change):
    """Change the metadata of a model file and make its digest right again."""
    model = onnx.ModelProto.FromString(path.read_bytes())
    entries = {entry.key: entry.value for entry in model.metadata_props}
    change(entries)
    del model.metadata_props[:]
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString()
    if DIGEST_KEY in entries:
        start, end = digest_span(content)
        content = content[:start] + compute_digest(content, (start, end)).encode() + content[end:]
    target.write_bytes(content)
    return target


def newer(entries):
    contract = {**json.loads(entries[CONTRACT_KEY]), "format_version": FORMAT_VERSION + 1, "wings": True}
    entries[CONTRACT_KEY] = json.dumps(contract)


MODEL_FILES = {
    "missing": (lambda source, target: target, "file not found"),
    "empty": (lambda source, target: target.write_bytes(b"") or 0, "the file is empty"),
    "truncated": (lambda source, target: target.write_bytes(source.read_bytes()[:-100]), "truncated"),
    "one byte altered": (
        lambda source, target: target.write_bytes(source.read_bytes().replace(b"LSTM", b"LSTN", 1)),
        "altered since export",
    ),
    "without a contract": (
        lambda source, target: rewritten(source, target, dict.clear),
        "without an edgelstm contract",
    ),
    "of a newer format": (lambda source, target: rewritten(source, target, newer), f"has format {FORMAT_VERSION + 1}"),
}


@pytest.mark.parametrize("command", ["verify", "inspect", "predict", "bench"])
@pytest.mark.parametrize("case", MODEL_FILES, ids=lambda case: case.replace(" ", "-"))
def test_a_bad_model_file_is_refused_by_every_command(case, command, cli_here, window_files, tmp_path):
    make, expected = MODEL_FILES[case]
    target = tmp_path / "bad.onnx"
    make(window_files.fp32, target)
    data = ["data.csv"] if command == "predict" else []
    (tmp_path / "data.csv").write_text(weekly(wave(40)))
    process = cli_here(command, target, *data)
    assert_one_line_and_exit_2(process, expected)
    assert set(os.listdir(tmp_path)) <= {"data.csv", "bad.onnx"}


PREDICTING = {
    "a missing sample": (
        weekly([*wave(39), ""]),
        ["--missing", "error"],
        "rows 17 to 40, the first in column 'co2' at row 40; fill gaps with --miss",
    ),
    "a gap that some window meets": (weekly([*wave(30), "", *wave(9)]), ["--all", "--missing", "error"], "at row 31"),
    "another column": (weekly(wave(40), "co"), [], "no column 'co2'"),
    "too few rows": (weekly(wave(10)), [], "at least 24 rows"),
    "text among numbers": (weekly([*wave(39), "x"]), [], "line 41: expected a number in column 'co2', got 'x'"),
    "an infinite sample": (weekly([*wave(39), "inf"]), [], "finite"),
    "another period": (
        "date,co2\n" + "".join(f"2000-01-{i + 1:02},350\n" for i in range(30)),
        ["--time", "date"],
        "one row every week, as in training, got one every day",
    ),
    "a gap in time": (
        "\n".join(line for line in weekly(wave(40)).split("\n") if not line.startswith("2000-01-15")),
        ["--missing", "error"],
        "line 4: 1 missing row before this one",
    ),
    "a wrong format": (weekly(wave(40)), ["-o", "out.xlsx"], "expected one of csv, jsonl, parquet"),
    "an unknown device": (weekly(wave(40)), ["--device", "tpu"], "expected one of cpu, cuda"),
    "cuda without cuda": (weekly(wave(40)), ["--device", "cuda"], "pip install 'edgelstm[gpu]'"),
}


@pytest.mark.parametrize("case", PREDICTING, ids=lambda case: case.replace(" ", "-"))
def test_predicting_refuses(case, cli_here, window_files, tmp_path):
    content, options, expected = PREDICTING[case]
    (tmp_path / "data.csv").write_text(content)
    assert_one_line_and_exit_2(cli_here("predict", window_files.fp32, "data.csv", *options), expected)
    assert os.listdir(tmp_path) == ["data.csv"]


def test_debug_shows_the_whole_trace(cli):
    process = cli("--debug", "verify", "nothing.onnx")
    assert process.returncode != 0
    assert "Traceback" in process.stderr
    assert "ModelFileNotFoundError" in process.stderr


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_exporting_what_is_no_run_is_refused(path, cli_here):
    assert_one_line_and_exit_2(cli_here("export", path), "run")


USAGE = {
    "a command that is not there": (["exprot"], "No such command 'exprot'"),
    "an option that is not there": (["train", "data.csv", "--epoch", "3"], "No such option: --epoch"),
    "an argument left out": (["verify"], "Missing argument 'file'"),
    "an option left out": (["import", "torch", "weights.pt"], "Missing option '--window'"),
    "text for a number": (["train", "data.csv", "--epochs", "few"], "Invalid value for '--epochs'"),
    "an unknown precision": (["export", "run", "--quantize", "int4"], "expected one of int8, int8w, fp16, auto"),
}


@pytest.mark.parametrize("case", USAGE, ids=lambda case: case.replace(" ", "-"))
def test_a_command_that_is_mistyped_costs_one_line_as_well(case, cli_here):
    arguments, expected = USAGE[case]
    assert_one_line_and_exit_2(cli_here(*arguments), expected)
