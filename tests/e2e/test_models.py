"""The model files that are committed."""

from __future__ import annotations

import pytest

from edgelstm import load
from edgelstm.runtime import replay
from tests.conftest import CO2_FILES, ROOT


@pytest.fixture(params=["fp32", "int8"])
def predictor(request):
    return load(CO2_FILES / f"co2.{request.param}.onnx")


def test_the_committed_files_verify(predictor):
    assert replay(predictor).passed


def test_the_committed_recipe_is_the_one_in_the_package():
    packaged = ROOT / "edgelstm" / "data" / "co2" / "recipe.toml"
    assert (CO2_FILES / "recipe.toml").read_bytes() == packaged.read_bytes()


def test_the_trained_network_is_below_its_bar_and_the_int8_file_within_one_percent():
    scores = {p: load(CO2_FILES / f"co2.{p}.onnx").contract.metrics[-1] for p in ("fp32", "int8")}
    assert {part.part for part in scores.values()} == {"test"}
    assert scores["fp32"].file["rmse"] < 0.506
    assert scores["int8"].file["rmse"] == pytest.approx(scores["fp32"].file["rmse"], rel=0.01)


def test_the_files_come_from_the_data_that_ships(predictor):
    sums = (ROOT / "edgelstm" / "data" / "co2" / "SHA256SUMS").read_text()
    assert predictor.contract.provenance.data_sha256 == sums.split()[0]


def test_the_card_states_what_the_files_say(predictor):
    card = (CO2_FILES / "README.md").read_text()
    assert f"{predictor.contract.metrics[-1].file['rmse']:.4f}" in card
