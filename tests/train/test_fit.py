"""Fit a recipe: what a training on a table leaves behind."""

from __future__ import annotations

import csv
import json
import struct

import numpy as np
import polars
import pytest
import torch

from edgelstm.run import read_run
from edgelstm.train.networks.network import LstmNetwork
from tests import oracles
from tests.conftest import train_small

FILES = {
    "run.json",
    "recipe.json",
    "network.safetensors",
    "golden.safetensors",
    "heldout.safetensors",
    "metrics.json",
    "loss.csv",
    "loss.png",
    "forecast.png",
    "report.html",
}


def assert_same_weights(one, other):
    for name, tensor in one.run.weights.items():
        np.testing.assert_array_equal(tensor, other.run.weights[name], err_msg=name)


def scored(fitted, part):
    """The scores of the network and its baselines on a part, by name."""
    (found,) = [one for one in fitted.evaluation.parts if one.name == part]
    return {name: one.score for name, one in found.scored.items()}


def losses(folder):
    with open(folder / "loss.csv", newline="") as file:
        return list(csv.DictReader(file))


def is_wide_png(path):
    head = path.read_bytes()[:24]
    width, height = struct.unpack(">II", head[16:24])
    return head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR" and width >= 600 and height >= 300


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two features and two targets over 300 days, as a CSV and as Parquet; some samples are missing."""
    rng = np.random.default_rng(1)
    a, b = np.cumsum(rng.normal(size=(2, 300)), axis=1)
    a[[30, 31, 150]] = np.nan
    stamps = np.datetime64("2001-01-01") + np.arange(300)
    frame = polars.DataFrame({"t": stamps, "a": a, "b": b * 100 + 50}).with_columns(polars.col("a").fill_nan(None))
    folder = tmp_path_factory.mktemp("table")
    frame.write_csv(folder / "t.csv")
    frame.write_parquet(folder / "t.parquet")
    return folder


def train_on(path, folder, **changes):
    about = {"path": str(path), "time": "t", "features": ["b", "a"], "targets": ["a", "b"], "missing": "drop"}
    data = {f"data__{key}": value for key, value in about.items()}
    return train_small(folder, **{**data, "data__units": {}, "window__steps": 8, **changes})


@pytest.fixture(scope="module")
def whole(rendered, table, tmp_path_factory):
    """A run with everything: several channels, gaps, three parts, a season."""
    return train_on(table / "t.csv", tmp_path_factory.mktemp("whole") / "run", training__epochs=4)


def test_the_run_directory_holds_these_files_and_no_others(whole):
    assert {path.name for path in whole.run.path.iterdir()} == FILES


def test_metrics_show_the_network_beside_every_baseline(whole):
    metrics = json.loads((whole.run.path / "metrics.json").read_text())
    assert set(metrics["parts"]) == {"validation", "test"}
    for part in metrics["parts"].values():
        assert set(part) == {"windows", "network", "persistence", "seasonal naive with drift", "ridge"}
        for name in set(part) - {"windows"}:
            assert set(part[name]["rmse_by_channel"]) == {"a", "b"}
            assert len(part[name]["rmse_by_step"]) == 3
            assert part[name]["rmse"] == pytest.approx(part[name]["mse"] ** 0.5)
    assert metrics["season"] == 7


def test_the_metrics_are_those_of_the_network_that_was_kept(whole):
    run = read_run(whole.run.path)
    forecast = oracles.forecast(run.weights, oracles.sizes_of(run), run.heldout.x())
    error = forecast - run.heldout.y()
    metrics = json.loads((run.path / "metrics.json").read_text())["parts"]["test"]
    assert metrics["windows"] == len(run.heldout)
    assert metrics["network"]["mse"] == pytest.approx((error**2).mean(), rel=1e-4)
    assert metrics["network"]["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    (contract,) = [m for m in run.record.contract.metrics if m.part == "test"]
    assert contract.network["mse"] == metrics["network"]["mse"]
    assert set(contract.baselines) == {"persistence", "seasonal naive with drift", "ridge"}
    assert contract.file is None


def test_golden_vectors_are_held_out_windows_with_the_answers_of_the_network(whole):
    run = read_run(whole.run.path)
    held_out = {window.tobytes() for window in run.heldout.x()}
    assert len(run.golden_x) == 5
    assert all(window.tobytes() in held_out for window in run.golden_x)
    expected = oracles.forecast(run.weights, oracles.sizes_of(run), run.golden_x)
    np.testing.assert_allclose(run.golden_y, expected, rtol=1e-5, atol=1e-3)


def test_the_kept_epoch_is_the_best_on_validation(whole):
    rows = losses(whole.run.path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    validation = [float(row["validation_loss"]) for row in rows]
    assert whole.run.record.best_epoch == 1 + validation.index(min(validation))


@pytest.mark.parametrize("name", ["loss.png", "forecast.png"])
def test_plots_are_pictures_wide_enough_to_read(whole, name):
    assert is_wide_png(whole.run.path / name)


def test_the_contract_says_what_was_trained(whole):
    contract = whole.run.record.contract
    assert [channel.name for channel in contract.inputs] == ["b", "a"]
    assert [channel.name for channel in contract.outputs] == ["a", "b"]
    assert (contract.window, contract.horizon, contract.state, contract.states) == (8, 3, "window", ())
    assert contract.sample_period_s == 86_400
    assert len(contract.provenance.data_sha256) == 64
    assert json.loads((whole.run.path / "recipe.json").read_text()) == whole.run.record.recipe


def test_another_future_in_a_parquet_file_trains_the_same_network(whole, table, tmp_path):
    frame = polars.read_parquet(table / "t.parquet")
    later = polars.int_range(polars.len()) >= 255  # where the test part begins
    frame.with_columns(polars.when(later).then(polars.col("a") * -9).otherwise("a").alias("a")).write_parquet(
        tmp_path / "t.parquet"
    )
    other = train_on(tmp_path / "t.parquet", tmp_path / "run", training__epochs=4)
    assert_same_weights(other, whole)
    assert losses(other.run.path) == losses(whole.run.path)
    assert scored(other, "test") != scored(whole, "test")


def test_the_evaluation_takes_the_threads_of_the_training(table, tmp_path, monkeypatch):
    seen, forward, before = set(), LstmNetwork.forward, torch.get_num_threads()

    def watched(network, *arguments):
        seen.add(torch.get_num_threads())
        return forward(network, *arguments)

    monkeypatch.setattr(LstmNetwork, "forward", watched)
    torch.set_num_threads(3)
    try:
        train_on(table / "t.csv", tmp_path / "run", training__epochs=1, training__threads=2)
        assert (seen, torch.get_num_threads()) == ({2}, 3)
    finally:
        torch.set_num_threads(before)


def test_a_season_longer_than_the_window_leaves_that_baseline_out(table, tmp_path):
    fitted = train_on(table / "t.csv", tmp_path / "run", data__season=30)
    assert set(scored(fitted, "test")) == {"network", "persistence", "ridge"}
    assert is_wide_png(tmp_path / "run" / "forecast.png")
