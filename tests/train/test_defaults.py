"""Rules for what nobody asked for: what they choose, and that whatever was asked for wins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.recipe.file import check_recipe
from edgelstm.train.defaults import chosen_words, segment_of, settle, window_steps
from edgelstm.train.tasks import TASKS

OWN = {"data": {"targets": ["y"]}}


def table(tmp_path, rows=400, name="t.csv"):
    values = np.cumsum(np.random.default_rng(0).normal(size=rows))
    path = tmp_path / name
    path.write_text("\n".join(["y,z", *(f"{value:.5f},{-(value**2):.5f}" for value in values), ""]))
    return str(path)


def recipe(path, **changes):
    content = {"data": {"path": path, "targets": ["y"]}, "window": {"steps": 12, "horizon": 2}}
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return check_recipe(content, "test")


def settled(asked):
    return settle(asked, TASKS[asked.task].read(asked))


@pytest.mark.parametrize(
    ("season", "horizon", "rows", "steps"),
    [
        (24, 24, 100_000, 72),
        (144, 36, 100_000, 288),
        (1440, 60, 100_000, 1440),
        (7, 7, 2_500, 49),
        (5, 5, 5_000, 50),
        (52, 4, 720, 104),
        (12, 12, 101, 24),
        (4, 4, 83, 20),
        (24, 96, 10_000, 96),
        (None, 3, 25, 6),
        (None, 1, 10_000, 48),
        (52, 4, 60, 15),  # a season that does not fit is none
    ],
)
def test_the_window_has_some_seasons_but_leaves_rows_to_learn_from(season, horizon, rows, steps):
    assert window_steps(season, horizon, rows) == steps


@given(st.integers(1, 500), st.none() | st.integers(2, 400))
def test_a_segment_divides_the_window(steps, season):
    size = segment_of(steps, season)
    assert steps % size == 0
    assert size == 1 or 4 <= steps // size <= 12


def test_a_forecast_is_relative_where_its_past_is_seen(tmp_path):
    path = table(tmp_path)
    assert settled(recipe(path)).network.scaling == "relative"
    assert settled(recipe(path, data__features=["z"])).network.scaling == "standard"
    assert settled(recipe(path, network__scaling="minmax")).network.scaling == "minmax"
    assert settled(recipe(path, network__state="carried")).network.scaling == "standard"


def test_everything_is_settled_and_what_was_asked_for_stays(tmp_path):
    given_by_hand = {
        "network__hidden_size": 5,
        "network__segment": 3,
        "network__dropout": 0.0,
        "training__epochs": 3,
        "training__batch_size": 7,
        "training__learning_rate": 0.5,
        "training__schedule": "cosine",
        "training__average": 0.0,
        "training__threads": 2,
        "split__overlap": False,
    }
    path = table(tmp_path)
    found = settled(recipe(path, **given_by_hand))
    for key, value in given_by_hand.items():
        section, name = key.split("__")
        assert getattr(getattr(found, section), name) == value
    assert found.training.time_limit is None  # who says how many epochs means it
    free = settled(recipe(path))
    assert free.training.time_limit == "10m"
    assert free.split.overlap
    assert free.training.threads == 1
    assert settle(found, TASKS["forecast"].read(found)) == found


def test_a_settled_recipe_needs_no_rule_and_comes_back_from_its_record(tmp_path):
    found = settled(recipe(table(tmp_path)))
    assert check_recipe(found.model_dump(mode="json"), "test") == found


def test_without_validation_nothing_is_tuned_to_one(tmp_path):
    asked = recipe(table(tmp_path), split__validation=0, split__test=0.2)
    found = settled(asked)
    assert (found.training.schedule, found.training.average, found.training.epochs) == ("constant", 0.0, 60)


def test_files_of_their_own_need_not_go_on_and_do_not_overlap(tmp_path):
    test = str(tmp_path / "other.csv")
    (tmp_path / "other.csv").write_text("\n".join(["y,z", *(f"{i % 7},{i % 5}" for i in range(60)), ""]))
    found = settled(recipe(table(tmp_path), split__test_path=test, split__validation=0.2))
    assert found.split.overlap is False


def test_a_very_large_table_draws_some_of_its_windows_for_an_epoch(tmp_path):
    asked = recipe(table(tmp_path))
    problem = TASKS["forecast"].read(asked)
    starts = np.zeros(3_000_000, np.int64)
    many = replace(problem.training, x_starts=starts, y_starts=starts + 12)
    found = settle(asked, replace(problem, training=many))
    assert found.training.epoch_windows < 3_000_000
    assert found.training.batch_size == 256
    assert found.network.hidden_size == 64
    by_hand = recipe(table(tmp_path), training__epochs=2)
    assert settle(by_hand, replace(problem, training=many)).training.epoch_windows is None


def test_what_was_chosen_is_told_and_what_was_given_is_not(tmp_path):
    asked = recipe(table(tmp_path), training__epochs=4)
    told = chosen_words(asked, settled(asked))
    assert told.startswith("chosen: hidden size 32")
    assert "relative" in told
    assert "threads 1" in told
    assert "epochs" not in told
    assert "time limit" not in told
    found = settled(asked)
    assert chosen_words(found, found) == ""
