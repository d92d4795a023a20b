"""`edgelstm compare`: the judge's table for files that exist already, on the device."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from edgelstm import load
from tests.cli.test_bad_input import assert_one_line_and_exit_2, weekly
from tests.cli.test_device import co2, csv_of
from tests.conftest import ROOT

QUICK = ("--seconds", "0.01")


def rmse(path, values, start=0):
    """Of all windows of a series without gaps."""
    predictor = load(path)
    starts = range(start, len(values) - 24 - 3 + 1)
    y = np.stack([predictor.predict(values[i : i + 24]) for i in starts]).astype(np.float64)
    truth = np.stack([values[i + 24 : i + 27] for i in starts])
    return np.sqrt(((y - truth) ** 2).mean())


@pytest.fixture
def table(tmp_path):
    """The last 300 weeks, which have no gap."""
    rows = co2(last=300)
    (tmp_path / "test.csv").write_text(csv_of(rows))
    values = np.array([[value] for _, value in rows], np.float32)
    assert np.isfinite(values).all()
    return values


def test_files_are_scored_on_a_table_and_one_sentence_says_which_to_ship(cli_here, window_files, table, tmp_path):
    options = ("--data", "test.csv", "--time", "date", *QUICK, "-o", "judgement.json")
    process = cli_here("compare", window_files.fp32, window_files.int8, *options)
    assert process.returncode == 0, process.stderr
    judgement = json.loads((tmp_path / "judgement.json").read_text())
    for found, path in zip(judgement["files"], (window_files.fp32, window_files.int8), strict=True):
        assert found["name"] == path.name
        assert found["size_bytes"] == path.stat().st_size
        assert found["metric"] == pytest.approx(rmse(path, table), rel=1e-6)
        assert f"{found['metric']:.4g}" in process.stdout
    assert len([line for line in process.stdout.splitlines() if line.startswith("ship ")]) == 1
    assert "window by window" in process.stdout
    assert process.stdout.endswith("wrote judgement.json\n")


def test_a_carried_file_is_scored_while_its_state_goes_on(cli_here, carried_files, table, tmp_path):
    process = cli_here(
        "compare", carried_files.fp32, carried_files.int8, "--data", "test.csv", *QUICK, "-o", "judgement.json"
    )
    assert process.returncode == 0, process.stderr
    judgement = json.loads((tmp_path / "judgement.json").read_text())
    assert judgement["steps"] >= 10_000
    answers = load(carried_files.fp32).predict(table)  # fp32: at once or step by step is the same
    behind = range(23, len(table) - 3)
    error = np.stack([answers[i] - table[i + 1 : i + 4] for i in behind]).astype(np.float64)
    assert judgement["files"][0]["metric"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)


def test_without_a_table_the_rest_is_measured_all_the_same(cli_here, window_files):
    process = cli_here("compare", window_files.fp32, window_files.int8, *QUICK)
    assert process.returncode == 0, process.stderr
    assert "without test data its accuracy is unknown" in process.stdout
    rows = [line for line in process.stdout.splitlines() if line.startswith("small.")]
    assert len([row for row in rows if " - " in row]) == 2


def test_one_file_alone_may_be_judged(cli_here, window_files):
    assert "nothing else was given" in cli_here("compare", window_files.fp32, *QUICK).stdout


def test_files_of_one_name_are_told_apart_by_their_folders(cli_here, window_files, tmp_path):
    for folder, path in (("a", window_files.fp32), ("b", window_files.int8)):
        (tmp_path / folder).mkdir()
        os.symlink(path, tmp_path / folder / "same.onnx")
    words = cli_here("compare", "a/same.onnx", "b/same.onnx", *QUICK).stdout
    assert "a/same.onnx" in words
    assert "b/same.onnx" in words


BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"polars", "onnx", "torch", "safetensors", "matplotlib", "cryptography"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocked())
from edgelstm.cli import main
sys.argv = ["edgelstm", *sys.argv[1:]]
main()
"""


def test_it_runs_again_on_a_device_where_nothing_heavy_is_installed(window_files, table, tmp_path):
    command = [sys.executable, "-c", BLOCK, "compare", window_files.fp32, window_files.int8, "--data", "test.csv"]
    process = subprocess.run(
        [*map(str, command), *QUICK],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.returncode == 0, process.stderr
    assert "ship " in process.stdout


REFUSED = {
    "another network": (lambda w, c: [w.fp32, c.fp32], [], "only files of one network can be compared"),
    "a missing file": (lambda w, c: [w.fp32, "none.onnx"], [], "none.onnx: file not found"),
    "a missing table": (lambda w, c: [w.fp32, w.int8], ["--data", "none.csv"], "none.csv: file not found"),
    "another column": (lambda w, c: [w.fp32], ["--data", "other.csv"], "no column 'co2'"),
    "too short a table": (lambda w, c: [w.fp32], ["--data", "short.csv"], "24 rows, one window needs 27"),
    "no share": (lambda w, c: [w.fp32], ["--max-metric-drop", "x"], "expected a share"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_compare_refuses(case, cli_here, window_files, carried_files, tmp_path):
    files, options, expected = REFUSED[case]
    (tmp_path / "other.csv").write_text(weekly(["1"] * 40, "other"))
    (tmp_path / "short.csv").write_text(weekly(["350.5", "351", "352"] * 8))
    process = cli_here("compare", *files(window_files, carried_files), *options, *QUICK, "-o", "judgement.json")
    assert_one_line_and_exit_2(process, expected)
    assert not (tmp_path / "judgement.json").exists()


def test_a_gap_in_the_table_costs_the_windows_that_touch_it_and_no_more(cli_here, window_files, table, tmp_path):
    rows = co2(last=300)
    rows[150] = (rows[150][0], float("nan"))
    (tmp_path / "gap.csv").write_text(csv_of(rows))
    cli_here("compare", window_files.fp32, "--data", "gap.csv", "--missing", "drop", *QUICK, "-o", "judgement.json")
    found = json.loads((tmp_path / "judgement.json").read_text())["files"][0]["metric"]
    predictor, errors = load(window_files.fp32), []
    for i in range(300 - 26):
        if not i <= 150 < i + 27:
            errors.append(predictor.predict(table[i : i + 24]).astype(np.float64) - table[i + 24 : i + 27])
    assert found == pytest.approx(np.sqrt((np.stack(errors) ** 2).mean()), rel=1e-6)
