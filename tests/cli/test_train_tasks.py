"""`edgelstm train` to classify and to label: what it tells, and bad input in one line, with nothing written."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.recipe.file import check_recipe
from edgelstm.run import read_run
from edgelstm.train import load_recipe
from edgelstm.train.begun import first_difference
from tests.train.test_tasks import CLASSES, LOADS, SERIES, STATES, write

SMALL = ("--epochs", "1", "--hidden-size", "2", "--threads", "1", "-o", "run")
COLUMNS = ("--series", "unit", "--feature", "p", "--feature", "q")
CLASSIFY = ("--task", "classify", *COLUMNS, "--target", "kind")
NUMBERS = ("--task", "label", *COLUMNS, "--window", "6", "--target", "load")
LABEL = (*NUMBERS[:-1], "state", "--classes")
EMPTY_TS = "@problemName e\n@timestamps false\n@univariate true\n@equalLength false\n@classLabel true a b\n@data\n"


def table(path, **changes):
    write(path, **{"series": SERIES, "classes": CLASSES, "states": STATES, "loads": LOADS, **changes})


def damaged(path, line, text):
    table(path)
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines))


def few(path):
    table(path, series=SERIES[:3], classes=CLASSES[:3], states=STATES[:3], loads=LOADS[:3])


HALF = [np.where(state == "on", "on", "half") for state in STATES]
CASES = {
    "one class": (CLASSIFY, lambda path: table(path, classes=["calm"] * 12), "at least two classes"),
    "a class without a name": (CLASSIFY, lambda path: table(path, classes=["", *CLASSES[1:]]), "its class is missing"),
    "a class that changes": (
        ("--task", "classify", "--feature", "p", "--target", "kind"),
        table,
        "series t: expected one class for the whole series, got 'calm', 'storm', 'wind'",
    ),
    "series too few for each class": (CLASSIFY, few, "2 training series cannot contain all 3 classes"),
    "series too few for each part": (NUMBERS, few, "3 series are too few to fill the test part"),
    "a row too long": (
        CLASSIFY,
        lambda path: damaged(path, 21, "a,b,1,2,c,d,3,4"),
        "expected 7 fields as in the header",
    ),
    "a row too short": (NUMBERS, lambda path: damaged(path, 21, "a,b"), "expected 7 fields as in the header, got 2"),
    "nothing to label with": (
        NUMBERS,
        lambda path: table(path, loads=[load * np.nan for load in LOADS]),
        "the training part has no row with a known truth",
    ),
    "text to label with": ((*NUMBERS[:-1], "kind"), table, "--classes"),
    "numbers as classes": ((*NUMBERS, "--classes"), table, " more): remove them, or add training examples"),
    "an unknown format": (
        (*CLASSIFY, "--format", "xlsx"),
        table,
        "expected one of csv, parquet, ts, cmapss, got 'xlsx'",
    ),
    "classes that are averaged": ((*LABEL, "--time", "time", "--resample", "5m"), table, "classes have no average"),
    "no features": (("--task", "label", "--window", "6", "--target", "load"), table, "data.features: is missing"),
    "arithmetic for a GPU": ((*NUMBERS, "--precision", "bf16"), table, "bf16 needs a GPU, and torch finds none here"),
    "a calendar without times": ((*CLASSIFY, "--calendar", "hour"), table, "give data.time (--time)"),
}


def assert_one_line_and_nothing_written(done, tmp_path, files, expected):
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("edgelstm: ")
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert len(done.stderr) < 600
    assert {path.name for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.replace(" ", "-"))
def test_bad_input_is_one_line_and_nothing_is_written(cli_here, tmp_path, case):
    options, make, expected = CASES[case]
    make(tmp_path / "t.csv")
    done = cli_here("train", "t.csv", *options, *SMALL)
    assert_one_line_and_nothing_written(done, tmp_path, {"t.csv"}, expected)


@pytest.mark.parametrize(
    ("options", "make", "expected"),
    [
        (
            CLASSIFY,
            lambda path: table(path, classes=["rain"] * 12),
            "classes that training lacks: 'rain' (training has",
        ),
        (LABEL, lambda path: table(path, states=HALF), "the test part has classes that training lacks: 'half'"),
        (NUMBERS, table, "the same file is given for two parts"),
    ],
)
def test_a_bad_test_file_is_one_line_and_nothing_is_written(cli_here, tmp_path, options, make, expected):
    table(tmp_path / "t.csv")
    make(tmp_path / "test.csv")
    done = cli_here("train", "t.csv", *options, "--test-file", "test.csv", *SMALL)
    assert_one_line_and_nothing_written(done, tmp_path, {"t.csv", "test.csv"}, expected)


def test_a_sequence_of_length_0_is_one_line_and_nothing_is_written(cli_here, tmp_path):
    (tmp_path / "e.ts").write_text(EMPTY_TS + "1,2,3:a\n:b\n2,3:b\n")
    done = cli_here("train", "e.ts", "--task", "classify", *SMALL)
    assert_one_line_and_nothing_written(done, tmp_path, {"e.ts"}, "line 8: dimension 0 has no value")


def test_series_shorter_than_a_chunk_are_labelled(cli_here, tmp_path):
    table(tmp_path / "t.csv")
    done = cli_here("train", "t.csv", *LABEL[:-4], "1000", *LABEL[-3:], *SMALL)
    assert done.returncode == 0, done.stderr
    assert read_run(tmp_path / "run").record.contract.window == 1000


def test_a_training_tells_of_accuracy_and_of_series(cli_here, tmp_path):
    table(tmp_path / "t.csv")
    done = cli_here("train", "t.csv", *CLASSIFY, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "12 series, 102 rows" in done.stderr
    assert "sequences/s" in done.stderr
    for words in ("trained 8 sequences", "LSTM", "majority", "test accuracy", "edgelstm export run"):
        assert words in done.stdout
    labelled = cli_here("train", "t.csv", *NUMBERS, "--unit", "load=kW", *SMALL, "--overwrite")
    assert "steps/s" in labelled.stderr
    assert "test RMSE (kW)" in labelled.stdout


@pytest.mark.parametrize("options", [CLASSIFY, NUMBERS, LABEL, ("--target", "p", "--window", "6", "--quantile", "0.5")])
def test_the_recipe_that_is_shown_trains_the_same(cli_here, tmp_path, options):
    shown = cli_here("train", "t.csv", *options, *SMALL, "--show-recipe")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []  # not even the data is looked at
    (tmp_path / "r.toml").write_text(shown.stdout)
    recipe = load_recipe(tmp_path / "r.toml", {})
    assert (recipe.name, recipe.training.epochs, recipe.network.hidden_size) == ("t", 1, 2)
    table(tmp_path / "t.csv")
    assert cli_here("train", "--recipe", "r.toml", "-o", "run").returncode == 0
    recorded = check_recipe(read_run(tmp_path / "run").record.recipe, "test")
    assert first_difference(recorded, recipe) == ""
