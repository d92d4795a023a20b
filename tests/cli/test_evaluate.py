"""`edgelstm evaluate`: a run or a file on data with known truth."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

from edgelstm import load
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.export import export_run
from edgelstm.run import read_run
from tests.cli.test_bad_input import assert_one_line_and_exit_2
from tests.conftest import ROOT, train_small
from tests.tiny_runs import write_tiny

CO2 = ROOT / "models" / "co2" / "co2.fp32.onnx"
TASKS = {
    "classify": ("classify", "class", "window", True),
    "label": ("label", "class", "carried", False),
    "rul": ("label", "number", "carried", False),
    "quantiles": ("forecast", "quantile", "window", False),
}


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module", params=TASKS)
def tiny(request, tmp_path_factory):
    """A run of each task with its fp32 file."""
    folder = tmp_path_factory.mktemp(request.param)
    task, answer, state, lengths = TASKS[request.param]
    write_tiny(folder / "run", task, answer, state, lengths=lengths)
    return folder / "run", export_run(folder / "run").files[0].path


def test_a_run_is_scored_on_what_it_held_out(cli_here, window_files, tmp_path):
    run = shutil.copytree(window_files.run, tmp_path / "run")
    process = cli_here("evaluate", run)
    assert process.returncode == 0, process.stderr
    assert {path.name for path in (run / "evaluation").iterdir()} == {"metrics.json", "report.html"}
    (trained,) = [part for part in read_run(run).record.contract.metrics if part.part == "test"]
    content = metrics(run / "evaluation")
    assert content["error_over_time"]["test"]["axis"] == "time"
    found = content["parts"]["test"]
    assert found["windows"] == trained.windows
    assert found["network"]["rmse"] == pytest.approx(trained.network["rmse"], rel=1e-4)
    assert {name: found[name]["rmse"] for name in trained.baselines} == pytest.approx(
        {name: score["rmse"] for name, score in trained.baselines.items()}
    )
    for name in ("LSTM", "ridge", "persistence", "The best baseline is"):
        assert name in process.stdout


def test_a_file_is_scored_on_a_table_as_a_loop_would(cli_here, tmp_path):
    process = cli_here("evaluate", CO2, "builtin:co2", "--time", "date", "--missing", "drop", "-o", "report")
    assert process.returncode == 0, process.stderr
    values = read("builtin:co2", Asking(("co2",))).series[0].values.astype(np.float32)
    starts = [i for i in range(len(values) - 115) if not np.isnan(values[i : i + 116]).any()]
    y = load(CO2).predict(np.stack([values[i : i + 104] for i in starts]))
    truth = np.stack([values[i + 104 : i + 116] for i in starts])
    found = metrics(tmp_path / "report")
    assert found["parts"]["data"]["windows"] == len(starts)
    assert found["parts"]["data"][CO2.name]["mse"] == pytest.approx(((y - truth) ** 2).mean(), rel=1e-4)
    assert (found["source"], found["season"]) == (CO2.name, 52)


def test_a_carried_file_goes_on_over_the_whole_table_from_zero(cli_here, carried_files, tmp_path):
    process = cli_here("evaluate", carried_files.fp32, "builtin:co2", "--max-gap", "99")
    assert process.returncode == 0, process.stderr
    series = read("builtin:co2", Asking(("co2",))).series[0].values[:, 0]
    known = np.flatnonzero(~np.isnan(series))
    filled = np.interp(np.arange(len(series)), known, series[known]).astype(np.float32)[:, np.newaxis]
    y = load(carried_files.fp32).predict(filled)  # at every step
    ends = [i for i in range(23, len(series) - 3) if not np.isnan(series[[i, i + 1, i + 2, i + 3]]).any()]
    error = np.stack([y[i] - filled[i + 1 : i + 4] for i in ends])
    found = metrics(tmp_path / "small.fp32-report")["parts"]["data"]
    assert found["windows"] == len(ends)
    assert found["small.fp32.onnx"]["mse"] == pytest.approx((error**2).mean(), rel=1e-4)


def test_a_file_of_every_task_is_scored_on_what_its_run_held_out(cli_here, tiny, tmp_path):
    run, file = tiny
    process = cli_here("evaluate", file, run, "--output", "report")
    assert process.returncode == 0, process.stderr
    score = load(file).contract.metrics[0].file
    found = metrics(tmp_path / "report")["parts"]["test"][file.name]
    assert {key: found[key] for key in score} == pytest.approx(score)


def test_baselines_that_were_fitted_in_training_are_not_taken_for_those_that_need_none(cli_here, tmp_path):
    run = write_tiny(tmp_path / "run", "forecast", "quantile")
    fitted = {"pinball": 0.25, "scaled_pinball": 0.125, "coverage": 0.8}
    content = json.loads((run.path / "run.json").read_text())
    content["contract"]["metrics"][0]["baselines"] = {"persistence": fitted}
    (run.path / "run.json").write_text(json.dumps(content))
    assert cli_here("evaluate", run.path).returncode == 0
    found = metrics(run.path / "evaluation")["parts"]["test"]
    assert found["persistence"] == fitted
    assert set(found) == {"windows", "network", "persistence"}


def test_the_same_evaluation_gives_the_same_bytes(cli_here, tiny, tmp_path):
    run, file = tiny
    for folder in ("one", "two"):
        assert cli_here("evaluate", file, run, "--output", folder).returncode == 0
    for name in ("metrics.json", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_run_reads_a_table_as_it_was_trained(cli_here, window_files, tmp_path):
    process = cli_here("evaluate", window_files.run, "builtin:co2", "--output", "report")
    assert process.returncode == 0, process.stderr
    found = metrics(tmp_path / "report")
    assert set(found["parts"]["data"]) == {"windows", "network", "persistence"}  # a season of 52 takes a longer window
    assert found["error_over_time"]["data"]["axis"] == "time"


def test_the_season_that_is_asked_for_wins_over_the_one_of_the_training(cli_here, tmp_path):
    """A week of the calendar would be 52; the run was trained with 9."""
    train_small(tmp_path / "run", data__season=9, training__epochs=1, window__stride=16)
    for asked, season in (([], 9), (["--season", "5"], 5)):
        process = cli_here("evaluate", "run", "builtin:co2", "--output", "report", *asked)
        assert process.returncode == 0, process.stderr
        found = metrics(tmp_path / "report")
        assert found["season"] == season
        values = read("builtin:co2", Asking(("co2",))).series[0].values[:, 0]
        error = found["parts"]["data"]["seasonal naive with drift"]["mse"]
        assert error == pytest.approx(seasonal_error(values, season), rel=0.02)


def seasonal_error(values, season, horizon=3, window=24):
    """x[t + k - s] + x[t] - x[t - s], where all of it and of the window is known."""
    starts = [
        i for i in range(len(values) - window - horizon + 1) if not np.isnan(values[i : i + window + horizon]).any()
    ]
    found = []
    for last in (start + window - 1 for start in starts):
        drift = values[last] - values[last - season]
        found += [values[last + k - season] + drift - values[last + k] for k in range(1, horizon + 1)]
    return np.mean(np.square(found))


BAD = {
    "a file alone": (["FILE"], "brings no data"),
    "no such run": (["nowhere"], "file not found"),
    "no such table": (["FILE", "nothing.csv"], "there is no such file"),
    "an option without a table": (["RUN", "--time", "date"], "--time: means something for a table only"),
    "a device for a run": (["RUN", "--device", "cuda"], "mean something for a file only"),
    "a gap": (["FILE", "builtin:co2", "--missing", "error"], "choose --missing"),
    "a column that is not there": (["FILE", "data.csv"], "there is no column"),
    "another network's run": ([CO2, "RUN"], "its window is 24, that of the file is 104"),
    "a policy that is none": (["FILE", "builtin:co2", "--missing", "guess"], "--missing: expected one of interpolate"),
    "a format that is none": (["FILE", "data.csv", "--format", "xls"], "expected one of csv"),
    "a season of classes": (["CLASSES", "--season", "7"], "--season: means something for forecasts only"),
}


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.replace(" ", "-"))
def test_bad_input_costs_one_line_and_writes_nothing(case, cli_here, window_files, tmp_path):
    arguments, expected = BAD[case]
    (tmp_path / "data.csv").write_text("a,b\n" + "1,2\n" * 40)
    places = {"FILE": window_files.fp32, "RUN": window_files.run, "CLASSES": tmp_path / "classes"}
    if "CLASSES" in arguments:
        write_tiny(tmp_path / "classes", "classify", "class", lengths=True)
    before = set(tmp_path.rglob("*"))
    process = cli_here("evaluate", *(places.get(argument, argument) for argument in arguments))
    assert_one_line_and_exit_2(process, expected)
    assert set(tmp_path.rglob("*")) == before
    assert "evaluation" not in os.listdir(window_files.run)


def test_it_needs_no_torch(cli, window_files, tmp_path):
    """As on a workstation that only judges."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in ("torch", "lightning_fabric", "matplotlib", "polars"):
        (blocked / f"{name}.py").write_text("raise ImportError('not here')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(blocked), str(ROOT)])}
    process = cli("evaluate", window_files.run, "--output", "report", env=environment)
    assert process.returncode == 0, process.stderr
