"""The recipes and cards under models/: readable by everyone, and the whole way on the real data where it is here."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from benchmarks.acceptance import tables
from edgelstm.data.scores.metric import drop_of, figure_of
from edgelstm.export import export_run
from edgelstm.train import fit_recipe, load_recipe
from tests.conftest import ROOT

DATA = os.environ.get("EDGELSTM_DATA")
MODELS = ROOT / "models"
RESULTS = ROOT / "benchmarks" / "results" / "acceptance"
RECIPES = sorted(path.parent.name for path in MODELS.glob("*/recipe.toml"))
ROWS = ("task", "data", "folder", "protocol", "network", "reproduce")
SECTIONS = ("## Results", "## What others report", "## Read this with care")
FIGURE = re.compile(r"\*\*([\d.]+)\*\* ±")
SHA256 = re.compile(r"`([\w./]+)`:? `([0-9a-f]{64})`")

# What a recipe becomes where a few seconds must do, and the baseline that it has to leave behind even so.
REDUCED = {
    "co2": ({"window": {"stride": 4}, "training": {"epochs": 15}}, "persistence"),
    "etth1": ({"window": {"stride": 12}, "training": {"epochs": 3, "batch_size": 64, "average": 0}}, "persistence"),
    "cmapss": ({"training": {"epochs": 3}}, "mean"),
    "japanese-vowels": ({"training": {"epochs": 12}}, "nearest neighbour"),
    "occupancy": ({"training": {"epochs": 6}}, "majority"),
}

pytestmark = pytest.mark.usefixtures("rendered")


def recipe_of(name):
    return MODELS / name / "recipe.toml"


@pytest.fixture(params=RECIPES)
def name(request):
    return request.param


@pytest.fixture
def card(name):
    return (MODELS / name / "README.md").read_text()


@pytest.fixture
def data(name):
    """The folder of a recipe's data; co2 is never missing."""
    if name == "co2":
        return ROOT / "edgelstm" / "data" / "co2"
    if DATA is None:
        pytest.skip("EDGELSTM_DATA is not set: the public data sets are not here")
    return Path(DATA)


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_a_recipe_is_shown_as_it_is_read(name, cli_here, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGELSTM_DATA", "/the/data")
    process = cli_here("train", "--recipe", recipe_of(name), "--show-recipe")
    (tmp_path / "shown.toml").write_text(process.stdout)
    asked = load_recipe(recipe_of(name), {})
    assert load_recipe(tmp_path / "shown.toml", {}) == asked
    assert asked.name == name


def test_the_data_of_a_recipe_is_asked_for_where_it_is_not(name, cli_here, monkeypatch):
    monkeypatch.delenv("EDGELSTM_DATA", raising=False)
    process = cli_here("train", "--recipe", recipe_of(name), "--show-recipe")
    if "$EDGELSTM_DATA" in recipe_of(name).read_text():
        (line,) = process.stderr.splitlines()
        assert process.returncode == 2
        assert "needs the environment variable EDGELSTM_DATA, which is not set" in line
    else:
        assert process.returncode == 0


def test_every_folder_has_a_recipe_and_every_recipe_is_accepted():
    folders = {path.name for path in MODELS.iterdir() if path.is_dir()}
    assert folders == set(RECIPES) == {case.recipe for case in tables.CASES.values()} == set(REDUCED)


def test_a_card_tells_everything_in_its_place(card, name):
    assert card.startswith(f"# {name}: ")
    places = [card.index(f"\n| {row} |") for row in ROWS] + [card.index(f"\n{section}\n") for section in SECTIONS]
    assert places == sorted(places)
    assert f"models/{name}/recipe.toml" in card
    for command in ("edgelstm train", "edgelstm export", "edgelstm evaluate", "make acceptance"):
        assert command in card


def test_the_page_of_recipes_says_what_its_card_says(card, name):
    (row,) = re.findall(rf"^\| \[.*\]\({name}/README.md\).*$", (MODELS / "README.md").read_text(), re.MULTILINE)
    *_, own, _, recommended, _ = (cell.strip() for cell in row.split("|"))
    assert re.search(r"(\w+) file, recommended", card)[1] == recommended.split(",")[0]
    held = [float(figure) for figure in FIGURE.findall(card)]
    for figure in re.findall(r"[\d.]+", own):
        share = "%" in own
        digits = len(figure.partition(".")[2]) + 2 * share
        said = round(float(figure) / (100 if share else 1), digits)
        assert said in [round(value, digits) for value in held], figure


def test_the_tables_of_a_card_are_those_of_the_results(card, name):
    assert tables.with_tables(card, tables.tables_of(name, RESULTS)) == card, "run `make models`, or --tables"


def test_committed_results_are_of_the_recipes_as_they_stand():
    assert [case for case in tables.CASES if None in tables.results_of(RESULTS, case)] == []


def test_no_weights_and_no_data_of_others_can_be_committed(name):
    own = {"recipe.toml", "README.md"}
    co2 = {"co2.fp32.onnx", "co2.int8.onnx", "forecast.png"} if name == "co2" else set()
    tracked = git("ls-files", f"models/{name}")
    if tracked.returncode:
        pytest.skip("this is no clone")
    assert {Path(path).name for path in tracked.stdout.split()} == own | co2
    for stray in (f"{name}.int8w.onnx", f"{name}.judgement.json", "data.csv", "network.safetensors", "confusion.png"):
        ignored = git("check-ignore", "--no-index", f"models/{name}/{stray}").returncode == 0
        assert ignored or stray == "co2.int8w.onnx"


def test_the_source_archive_holds_recipes_and_pages_and_no_stray_file(tmp_path):
    if git("rev-parse").returncode:
        pytest.skip("this is no clone")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = {*git("ls-files", "models", "*.md").stdout.split(), "benchmarks/acceptance/__main__.py"}
    assert tracked <= held
    assert {path for path in held if path.startswith("models/")} <= tracked


def test_the_checksums_of_a_card_are_those_of_its_data(card, data):
    sums = SHA256.findall(card)
    assert sums
    for file, sha256 in sums:
        assert hashlib.sha256((data / file).read_bytes()).hexdigest() == sha256


@pytest.mark.usefixtures("data")
def test_the_whole_way_in_small(name, card, cli_here, tmp_path):
    flags, weakest = REDUCED[name]
    fitted = fit_recipe(load_recipe(recipe_of(name), flags), tmp_path / "run")
    contract, scored = fitted.run.record.contract, fitted.evaluation.parts[-1].scored
    figures = [figure_of(scored[who].score, contract.metric) for who in ("network", weakest)]
    assert drop_of(*figures, contract.metric) < 0, "worse than the weakest baseline"
    files = export_run(tmp_path / "run", precisions=["int8"]).files
    for file in files:
        assert cli_here("verify", file.path).returncode == 0
    process = cli_here("evaluate", files[-1].path, tmp_path / "run", "-o", tmp_path / "report")
    assert process.returncode == 0
    assert (tmp_path / "report" / "report.html").exists()
    assert f"{learnt(fitted.run.weights):,} weights" in card


def learnt(tensors):
    """Count the weights, without the constants of scaling."""
    return sum(tensor.size for name, tensor in tensors.items() if not name.startswith(("input_", "output_")))
