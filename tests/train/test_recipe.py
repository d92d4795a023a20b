"""Recipes are checked before any work is done, and a complaint names the place and the way out."""

from __future__ import annotations

import json
import re
import typing
from importlib import resources
from pathlib import Path

import pytest
from pydantic import BaseModel

from edgelstm.errors import RecipeError
from edgelstm.train.recipe import Recipe
from edgelstm.train.recipe_file import check_recipe, load_recipe
from tests.conftest import CO2_FILES, small_recipe


def is_table(kind):
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def tables(kind):
    return [k for k in (kind, *typing.get_args(kind)) if is_table(k)]


SECTIONS = {name: table for name, field in Recipe.model_fields.items() for table in tables(field.annotation)}
KEYS = [(section, key) for section, kind in SECTIONS.items() for key in kind.model_fields]


def changed(section, key, value):
    return small_recipe(**{f"{section}__{key}": value})


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        return path

    return write


def test_every_section_of_the_recipe_is_found_by_these_tests():
    assert set(SECTIONS) == {"data", "split", "window", "network", "training", "quantization"}
    assert len(KEYS) >= 30


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_a_misspelt_key_names_the_nearest(section, key):
    misspelt = key[:1] + key[2:]
    with pytest.raises(RecipeError, match=rf"{section}\.{misspelt}: there is no such key; did you mean '{key}'\?"):
        check_recipe(changed(section, misspelt, 1), "test")


@pytest.mark.parametrize(("wrong", "right"), [("nework", "network"), ("dta", "data"), ("nam", "name")])
def test_a_misspelt_section_names_the_nearest(wrong, right):
    with pytest.raises(RecipeError, match=rf"{wrong}: there is no such key; did you mean '{right}'\?"):
        check_recipe({**small_recipe(), wrong: {}}, "test")


def test_a_key_like_no_other_lists_what_there_is():
    with pytest.raises(RecipeError, match=r"window\.zzz: there is no such key; known are steps, horizon, stride"):
        check_recipe(changed("window", "zzz", 1), "test")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("window", "steps", 0),
        ("window", "horizon", -1),
        ("window", "stride", 1.5),
        ("network", "hidden_size", "many"),
        ("network", "num_layers", 9),
        ("network", "dropout", 1.0),
        ("network", "scaling", "robust"),
        ("network", "state", "stateful"),
        ("training", "epochs", 0),
        ("training", "learning_rate", 0),
        ("training", "learning_rate", float("nan")),
        ("training", "learning_rate", float("inf")),
        ("training", "weight_decay", -0.1),
        ("training", "optimizer", "lion"),
        ("training", "loss", "rmse"),
        ("training", "schedule", "warm"),
        ("training", "patience", 0),
        ("training", "threads", 0),
        ("training", "seed", -1),
        ("data", "missing", "zero"),
        ("data", "season", 1),
        ("data", "targets", 3),
        ("split", "training", 1.5),
        ("split", "borders", [1, 2, 3, 4]),
    ],
)
def test_a_wrong_value_names_its_place_and_what_came(section, key, value):
    with pytest.raises(RecipeError, match=rf"test: {section}\.{key}.*: .*got ") as caught:
        check_recipe(changed(section, key, value), "test")
    assert repr(value) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "../up", ".hidden", "a/b"])
def test_a_name_must_do_for_a_file(name):
    with pytest.raises(RecipeError, match="test: name"):
        check_recipe({**small_recipe(), "name": name}, "test")


@pytest.mark.parametrize(("section", "key"), [("data", "path"), ("data", "targets"), ("window", "steps")])
def test_what_must_be_given_is_asked_for(section, key):
    content = small_recipe()
    del content[section][key]
    with pytest.raises(RecipeError, match=rf"{section}\.{key}: is missing; give it"):
        check_recipe(content, "test")


def test_relative_scaling_and_a_carried_state_contradict_each_other():
    content = small_recipe(network__scaling="relative", network__state="carried")
    with pytest.raises(RecipeError, match=r"network: relative scaling needs a whole window.*choose state window"):
        check_recipe(content, "test")


def test_borders_and_separate_files_contradict_each_other():
    content = small_recipe(split__borders=[10], split__test_path="b.csv")
    with pytest.raises(RecipeError, match="split: give borders or separate files, not both"):
        check_recipe(content, "test")


@pytest.mark.parametrize("fractions", [(0.0, 0.5, 0.5), (0.8, 0.2, 0.2)])
def test_fractions_must_leave_something_to_train_on_and_fit(fractions):
    content = small_recipe()
    content["split"] = dict(zip(("training", "validation", "test"), fractions, strict=True))
    with pytest.raises(RecipeError, match="split: training must be above 0 and the fractions must sum to at most 1"):
        check_recipe(content, "test")


def test_flags_win_over_the_file_and_leave_the_rest(toml):
    path = toml('[data]\npath = "a.csv"\ntargets = ["y"]\n[window]\nsteps = 10\nhorizon = 2\n')
    flags = {"": {"name": "mine"}, "window": {"steps": 20}, "training": {"epochs": 3}}
    recipe = load_recipe(path, flags)
    assert (recipe.name, recipe.window.steps, recipe.window.horizon, recipe.training.epochs) == ("mine", 20, 2, 3)
    assert recipe.data.targets == ("y",)


def test_paths_in_a_file_are_beside_it_and_paths_in_flags_are_where_one_stands(toml):
    path = toml(
        '[data]\npath = "a.csv"\ntargets = ["y"]\n[window]\nsteps = 10\n'
        '[split]\nvalidation_path = "sub/b.csv"\ntest_path = "/c.csv"\n'
    )
    recipe = load_recipe(path, {})
    assert recipe.data.path == str(path.parent / "a.csv")
    assert recipe.split.validation_path == str(path.parent / "sub" / "b.csv")
    assert recipe.split.test_path == "/c.csv"
    assert load_recipe(path, {"data": {"path": "d.csv"}}).data.path == str(Path("d.csv").absolute())


def test_built_in_data_is_beside_nothing(toml):
    path = toml('[data]\npath = "builtin:co2"\ntargets = ["co2"]\n[window]\nsteps = 10\n')
    assert load_recipe(path, {}).data.path == "builtin:co2"


def test_where_no_feature_is_named_the_targets_are_the_inputs():
    assert check_recipe(small_recipe(), "test").data.inputs == ("co2",)
    assert check_recipe(changed("data", "features", ["a", "b"]), "test").data.inputs == ("a", "b")


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"no\.toml: there is no such recipe"):
        load_recipe(tmp_path / "no.toml", {})


@pytest.mark.parametrize("content", [b"= 3", b"[data", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_no_toml_is_one_line_of_complaint(tmp_path, content):
    (tmp_path / "recipe.toml").write_bytes(content)
    with pytest.raises(RecipeError, match=r"recipe\.toml: cannot be read as TOML"):
        load_recipe(tmp_path / "recipe.toml", {})


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read as TOML"):
        load_recipe(tmp_path, {})


@pytest.mark.parametrize("flags", [{}, {"window": {"steps": 3}}])
def test_a_section_that_is_no_table_is_refused(toml, flags):
    with pytest.raises(RecipeError, match="window"):
        load_recipe(toml('window = 3\n[data]\npath = "a.csv"\ntargets = ["y"]\n'), flags)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"split__borders": [100, "1990-01-01"]},
        {"data__features": ["b", "a"], "data__season": 52},
        {"training__patience": 3, "training__learning_rate": 0.1 + 0.2},
        {"data__units": {"co2": "µmol/mol"}},
    ],
)
def test_a_recipe_written_as_json_comes_back(changes):
    recipe = check_recipe(small_recipe(**changes), "test")
    assert check_recipe(json.loads(json.dumps(recipe.model_dump(mode="json"))), "again") == recipe


def test_a_checked_recipe_cannot_be_changed():
    recipe = check_recipe(small_recipe(), "test")
    with pytest.raises(ValueError, match="frozen"):
        recipe.training.epochs = 5


def test_every_key_says_what_it_is():
    for kind in SECTIONS.values():
        assert typing.get_type_hints(kind)
        assert all(field.description for field in kind.model_fields.values())


def test_the_recipe_of_the_model_zoo_is_the_one_in_the_package():
    packaged = Path(str(resources.files("edgelstm.data") / "co2" / "recipe.toml"))
    assert (CO2_FILES / "recipe.toml").read_bytes() == packaged.read_bytes()
    recipe = load_recipe(packaged, {})
    assert recipe == load_recipe(CO2_FILES / "recipe.toml", {})
    assert (recipe.name, recipe.data.path, recipe.window.steps, recipe.window.horizon) == (
        "co2",
        "builtin:co2",
        104,
        12,
    )
    assert (recipe.split.training, recipe.split.validation, recipe.split.test) == (0.7, 0.15, 0.15)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"data__targets": ["co2", "co2"]}, "'co2' is named twice"),
        ({"data__units": {"c02": "ppm"}}, "there is no column 'c02'; did you mean 'co2'"),
    ],
)
def test_what_could_only_be_a_slip_is_refused(changes, complaint):
    with pytest.raises(RecipeError) as caught:
        check_recipe(small_recipe(**changes), "test")
    assert complaint in str(caught.value)


def test_channels_that_share_a_network_have_no_state_to_carry():
    content = small_recipe(network__shared=True, network__state="carried")
    with pytest.raises(RecipeError, match=r"network\.shared: a file carries one state, none for each channel"):
        check_recipe(content, "test")


@pytest.mark.parametrize(
    ("task", "changes", "key"),
    [
        ("forecast", {"data__series": "unit"}, "data.series"),
        ("classify", {"data__season": 52}, "data.season"),
        ("label", {"data__season": 52}, "data.season"),
        ("label", {"window__stride": 2}, "window.stride"),
        ("classify", {"split__overlap": True}, "split.overlap"),
    ],
)
def test_what_a_task_does_not_read_is_refused(task, changes, key):
    content = small_recipe(window__horizon=1, window__stride=1, split__overlap=False, data__season=None)
    for place, value in changes.items():
        section, name = place.split("__")
        content[section][name] = value
    with pytest.raises(RecipeError, match=re.escape(key)):
        check_recipe({**content, "task": task}, "test")
