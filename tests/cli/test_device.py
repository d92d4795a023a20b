"""The commands of a device: verify, inspect, predict."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import onnx
import polars
import pytest

from edgelstm import load
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.runtime import Golden
from edgelstm.runtime.file.model_file import CONTRACT_KEY
from tests.cli.test_bad_input import rewritten


def co2(last=None):
    series = read("builtin:co2", Asking(("co2",), time=("date",))).series[0]
    rows = [(str(t)[:10], v) for t, v in zip(series.time, series.values[:, 0], strict=True)]
    return rows[-last:] if last else rows


def csv_of(rows):
    return "date,co2\n" + "".join(f"{day},{'' if np.isnan(value) else value}\n" for day, value in rows)


@pytest.mark.parametrize("files", ["window_files", "carried_files"])
def test_verify_says_that_the_file_is_itself_here(files, cli_here, request):
    files = request.getfixturevalue(files)
    for path in (files.fp32, files.int8):
        process = cli_here("verify", path)
        assert process.returncode == 0, process.stderr
        assert "ok" in process.stdout
        assert load(path).digest[:12] in process.stdout


def test_verify_exits_1_where_the_file_computes_something_else(cli_here, window_files, tmp_path):
    def move(entries):
        golden = Golden.from_json(entries["edgelstm.golden"])
        entries["edgelstm.golden"] = golden._replace(file=golden.file + np.float32(0.5)).to_json()

    process = cli_here("verify", rewritten(window_files.fp32, tmp_path / "moved.onnx", move))
    assert process.returncode == 1
    assert "FAILED" in process.stdout
    assert "do not use this file here" in process.stdout


def test_inspect_counts_the_graph_like_the_onnx_package(cli_here, window_files):
    content = json.loads(cli_here("inspect", "--json", window_files.int8).stdout)
    model = onnx.load(window_files.int8)
    assert sum(content["graph"]["nodes"].values()) == len(model.graph.node)
    assert content["contract"]["precision"] == "int8"
    assert content["bytes"] == window_files.int8.stat().st_size


def test_inspect_tells_a_person_what_the_file_sees_and_how_good_it_is(cli_here, window_files):
    words = cli_here("inspect", window_files.fp32).stdout
    for expected in ("24 steps of co2 (ppm)", "3 steps", "persistence", "this file", "inside the graph"):
        assert expected in words


def test_inspect_does_not_claim_that_a_window_network_was_trained_to_go_on(cli_here, carried_files, tmp_path):
    def trained_on_windows(entries):
        contract = json.loads(entries[CONTRACT_KEY])
        entries[CONTRACT_KEY] = json.dumps({**contract, "trained_state": "window"})

    rewritten(carried_files.fp32, tmp_path / "untrained.onnx", trained_on_windows)
    assert "trained with a carried state" in cli_here("inspect", carried_files.fp32).stdout
    assert (
        "each window started from zero in training; carried because of --state"
        in cli_here("inspect", "untrained.onnx").stdout
    )


def test_predict_forecasts_what_follows_the_last_row(cli_here, window_files, tmp_path):
    rows = co2(last=30)
    (tmp_path / "data.csv").write_text(csv_of(rows))
    process = cli_here("predict", window_files.fp32, "data.csv", "--time", "date")
    found = list(csv.DictReader(io.StringIO(process.stdout)))
    expected = load(window_files.fp32).predict([[value] for _, value in rows[-24:]])
    assert [row["time"] for row in found] == ["2002-01-05", "2002-01-12", "2002-01-19"]
    assert {row["origin"] for row in found} == {"2001-12-29"}
    np.testing.assert_array_equal([np.float32(row["co2"]) for row in found], expected[:, 0])


def test_predict_all_forecasts_from_every_row_with_a_whole_window(cli_here, window_files):
    rows = co2(last=40)
    process = cli_here("predict", window_files.int8, "-", "--all", "--format", "jsonl", input=csv_of(rows))
    found = [json.loads(line) for line in process.stdout.splitlines()]
    values = np.array([[value] for _, value in rows])
    predictor = load(window_files.int8)
    expected = np.stack([predictor.predict(values[i : i + 24]) for i in range(17)])
    days = [day for day, _ in rows]
    assert [row["origin"] for row in found] == [day for day in days[23:] for _ in range(3)]
    assert [row["time"] for row in found[:3]] == days[24:27]
    np.testing.assert_array_equal(np.array([row["co2"] for row in found], np.float32), expected.ravel())


def test_predict_with_a_carried_file_answers_after_every_row(cli_here, carried_files):
    rows = co2(last=10)
    process = cli_here("predict", carried_files.fp32, "-", "--all", input=csv_of(rows))
    found = [float(row["co2"]) for row in csv.DictReader(io.StringIO(process.stdout))]
    expected = load(carried_files.fp32).predict(np.array([[value] for _, value in rows]))
    np.testing.assert_array_equal(np.array(found, np.float32), expected.ravel())


def test_predict_writes_parquet_and_fills_gaps_when_asked(cli_here, window_files, tmp_path):
    rows = co2(last=40)
    rows[-5] = (rows[-5][0], float("nan"))
    (tmp_path / "data.csv").write_text(csv_of(rows))
    process = cli_here("predict", window_files.fp32, "data.csv", "--missing", "forward", "-o", "out.parquet")
    assert process.returncode == 0, process.stderr
    values = np.array([[value] for _, value in rows])
    values[-5] = values[-6]
    found = polars.read_parquet(tmp_path / "out.parquet")["co2"].to_numpy()
    np.testing.assert_array_equal(found.astype(np.float32), load(window_files.fp32).predict(values[-24:])[:, 0])


def test_help_names_every_command(cli_here):
    words = cli_here("--help").stdout
    for command in ("train", "export", "verify", "inspect", "predict", "bench", "keygen", "sign", "demo"):
        assert f"  {command} " in words


def test_predict_looks_at_no_gap_that_it_does_not_need(cli_here, window_files):
    rows = co2(last=60)
    rows[3] = (rows[3][0], float("nan"))
    strict = ("predict", window_files.fp32, "-", "--missing", "error")
    assert cli_here(*strict, input=csv_of(rows)).returncode == 0
    assert cli_here(*strict, "--all", input=csv_of(rows)).returncode == 2


def test_predict_all_fills_each_gap_without_knowing_what_comes_after(cli_here, window_files):
    rows = co2(last=40)
    rows[30] = (rows[30][0], float("nan"))
    options = ("--all", "--missing", "interpolate", "--format", "jsonl")
    process = cli_here("predict", window_files.fp32, "-", *options, input=csv_of(rows))
    found = {row["origin"]: row["co2"] for row in map(json.loads, process.stdout.splitlines()) if row["step"] == 1}
    days = [day for day, _ in rows]
    values = np.array([[value] for _, value in rows])
    at_the_gap, after_it = values[:31].copy(), values[:32].copy()
    at_the_gap[30] = values[29]
    after_it[30] = (values[29] + values[31]) / 2
    predictor = load(window_files.fp32)
    assert np.float32(found[days[30]]) == predictor.predict(at_the_gap[-24:])[0, 0]
    assert np.float32(found[days[31]]) == predictor.predict(after_it[-24:])[0, 0]


def test_a_carried_file_is_given_no_sample_that_knows_what_comes_after(cli_here, carried_files):
    rows = co2(last=600)  # more than one batch
    rows[300] = (rows[300][0], float("nan"))
    options = ("--all", "--missing", "interpolate", "--format", "jsonl")
    process = cli_here("predict", carried_files.fp32, "-", *options, input=csv_of(rows))
    found = [row["co2"] for row in map(json.loads, process.stdout.splitlines())]
    values = np.array([[value] for _, value in rows])
    values[300] = values[299]
    np.testing.assert_array_equal(np.array(found, np.float32), load(carried_files.fp32).predict(values).ravel())
