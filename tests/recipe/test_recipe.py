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
from edgelstm.recipe.file import check_recipe, comment_of, load_recipe, render_recipe
from edgelstm.recipe.recipe import Recipe
from edgelstm.recipe.sections import option_of
from tests.conftest import CO2_FILES, ROOT, small_recipe


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
    with pytest.raises(RecipeError, match=rf"{section}\.{misspelt}: unknown key; did you mean '{key}'\?"):
        check_recipe(changed(section, misspelt, 1), "test")


@pytest.mark.parametrize(("wrong", "right"), [("nework", "network"), ("dta", "data"), ("nam", "name")])
def test_a_misspelt_section_names_the_nearest(wrong, right):
    with pytest.raises(RecipeError, match=rf"{wrong}: unknown key; did you mean '{right}'\?"):
        check_recipe({**small_recipe(), wrong: {}}, "test")


def test_a_key_like_no_other_lists_what_there_is():
    with pytest.raises(RecipeError, match=r"window\.zzz: unknown key; known: steps, horizon, stride"):
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


@pytest.mark.parametrize(
    ("section", "key", "value", "kind"),
    [("data", "targets", "co2", "list"), ("data", "units", 3, "table"), ("data", "drift", [1], "table")],
)
def test_a_value_of_the_wrong_kind_is_told_in_words_of_toml(section, key, value, kind):
    with pytest.raises(RecipeError, match=rf"test: {section}\.{key}: expected a {kind}, got ") as caught:
        check_recipe(changed(section, key, value), "test")
    assert "tuple" not in str(caught.value)
    with pytest.raises(RecipeError, match=r"test: network: expected a table, got 3"):
        check_recipe({**small_recipe(), "network": 3}, "test")


@pytest.mark.parametrize("name", ["", "a b", "../up", ".hidden", "a/b"])
def test_a_name_must_do_for_a_file(name):
    with pytest.raises(RecipeError, match="test: name"):
        check_recipe({**small_recipe(), "name": name}, "test")


@pytest.mark.parametrize(("section", "key"), [("data", "path"), ("data", "targets")])
def test_what_must_be_given_is_asked_for(section, key):
    content = small_recipe()
    del content[section][key]
    with pytest.raises(RecipeError, match=rf"{section}\.{key} is missing: give it"):
        check_recipe(content, "test")


def test_relative_scaling_and_a_carried_state_contradict_each_other():
    content = small_recipe(network__scaling="relative", network__state="carried")
    with pytest.raises(RecipeError, match=r"network\.scaling: relative needs a whole window.*choose state window"):
        check_recipe(content, "test")


def test_borders_and_separate_files_contradict_each_other():
    content = small_recipe(split__borders=[10], split__test_path="b.csv")
    with pytest.raises(RecipeError, match=r"split\.borders: they and separate files exclude each other"):
        check_recipe(content, "test")


@pytest.mark.parametrize("fractions", [(0.0, 0.5, 0.5), (0.8, 0.2, 0.2)])
def test_fractions_must_leave_something_to_train_on_and_fit(fractions):
    content = small_recipe()
    content["split"] = dict(zip(("training", "validation", "test"), fractions, strict=True))
    with pytest.raises(
        RecipeError, match=r"split\.training: expected more than 0, and fractions that sum to at most 1"
    ):
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
    with pytest.raises(RecipeError, match=r"no\.toml: file not found"):
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


@pytest.mark.parametrize("key", ["skip_rows", "max_gap"])
def test_a_count_of_lines_or_samples_is_not_negative(key):
    assert getattr(check_recipe(changed("data", key, 0), "test").data, key) == 0
    with pytest.raises(RecipeError, match=rf"^test: data\.{key}: expected 0 or more, got -1$"):
        check_recipe(changed("data", key, -1), "test")


def test_a_checked_recipe_cannot_be_changed():
    recipe = check_recipe(small_recipe(), "test")
    with pytest.raises(ValueError, match="frozen"):
        recipe.training.epochs = 5


def test_every_key_says_what_it_is():
    for kind in SECTIONS.values():
        assert typing.get_type_hints(kind)
        assert all(option_of(field).about for field in kind.model_fields.values())


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
        ({"data__targets": ["co2", "co2"]}, "'co2' is given twice"),
        ({"data__units": {"c02": "ppm"}}, "unknown column 'c02'; did you mean 'co2'"),
    ],
)
def test_what_could_only_be_a_slip_is_refused(changes, complaint):
    with pytest.raises(RecipeError) as caught:
        check_recipe(small_recipe(**changes), "test")
    assert complaint in str(caught.value)


def test_channels_that_share_a_network_have_no_state_to_carry():
    content = small_recipe(network__shared=True, network__state="carried")
    with pytest.raises(
        RecipeError, match=r"network\.shared needs state window: a carried file has one state, not one per channel"
    ):
        check_recipe(content, "test")


def of(task, **changes):
    """A recipe of a task, changed: the least that it must say."""
    data = {"path": "t.csv", "targets": ["y"], **({} if task == "forecast" else {"features": ["a", "b"]})}
    content = {"task": task, "data": data, "window": {} if task == "classify" else {"steps": 12}}
    for path, value in changes.items():
        section, key = path.split("__")
        content.setdefault(section, {})[key] = value
    return content


BIDIRECTIONAL = {"network__state": "carried", "network__bidirectional": True}
AHEAD = {"data__features": ["a"], "data__ahead": ["a"]}
RULES = [
    ("forecast", {"data__features": ["a", "a"]}, r"data\.features: 'a' is given twice"),
    ("forecast", {"data__calendar": ["hour", "hour"]}, r"data\.calendar: 'hour' is given twice"),
    ("forecast", {"data__calendar": ["hour"]}, r"data\.calendar: expected a timestamp column.*\(--time\)"),
    ("forecast", {**AHEAD, "data__ahead": ["b"]}, r"data\.ahead: 'b' must be a feature too; known: a"),
    ("forecast", {**AHEAD, "data__features": ["aa"]}, r"'a' must be a feature too; did you mean 'aa'\?"),
    ("forecast", {"data__features": ["a", "y"], "data__ahead": ["y"]}, "'y' is a target, whose future is not known"),
    ("forecast", {"data__units": {"Y": "m"}}, "units: unknown column 'Y'; "),
    ("forecast", {"window__quantiles": [0.9, 0.1]}, r"window\.quantiles: expected ascending levels, got 0.9, 0.1"),
    ("forecast", {"window__quantiles": [0.1, 0.1]}, "expected ascending levels"),
    ("forecast", {"window__quantiles": [0.0, 0.5]}, r"window\.quantiles\.0: .*got 0\.0"),
    (
        "forecast",
        {"network__state": "carried", "network__scaling": "instance"},
        r"network\.scaling: instance needs a whole window",
    ),
    ("forecast", BIDIRECTIONAL, r"network\.bidirectional: needs a whole window, which a carried network does not have"),
    (
        "forecast",
        {"network__state": "carried", "network__pooling": "mean"},
        r"network\.pooling: mean needs a whole window",
    ),
    ("forecast", {"network__state": "carried", "network__segment": 2}, r"network\.segment: needs a whole window"),
    ("forecast", {"network__segment": 5}, r"network\.segment: expected a divisor of the window of 12 steps, got 5"),
    ("forecast", {"data__targets": []}, r"data\.targets is missing: give it with --target"),
    ("forecast", {"data__classes": True}, r"data\.classes is for the task label, this is forecast: remove it"),
    ("forecast", {"data__cap": 3.0}, r"data\.cap is for the task label, this is forecast"),
    ("forecast", {"data__labels": "l.csv"}, r"data\.labels is for the task classify, this is forecast"),
    (
        "forecast",
        {"split__groups": "g.csv", "split__test_groups": ["3"]},
        r"split\.groups is not for forecasts, whose series are split in time",
    ),
    ("classify", {"split__groups": "g.csv"}, r"groups: expected a table of groups \(--groups\) and groups to hold out"),
    ("classify", {"split__test_groups": ["3"]}, r"groups: expected a table of groups"),
    (
        "forecast",
        {"network__shared": True, "data__features": ["a"]},
        r"network\.shared forecasts each channel from itself",
    ),
    (
        "forecast",
        {"network__shared": True, "data__time": "t", "data__calendar": ["hour"]},
        "give targets alone, without features or calendar",
    ),
    (
        "forecast",
        {"network__shared": True, "network__state": "carried"},
        "a carried file has one state, not one per channel",
    ),
    ("forecast", {"training__loss": "pinball"}, r"training\.loss: expected mse, mae, huber for numbers, got 'pinball'"),
    ("forecast", {"window__quantiles": [0.5], "training__loss": "mse"}, "expected pinball for quantiles, got 'mse'"),
    ("forecast", {"training__class_weights": "balanced"}, r"training\.class_weights is for classes: remove it"),
    ("forecast", {"training__label_smoothing": 0.1}, r"training\.label_smoothing is for classes: remove it"),
    (
        "classify",
        {"network__state": "carried"},
        r"network\.state: expected 'window' for the task classify, got 'carried'",
    ),
    ("classify", {"network__segment": 2}, r"network\.segment needs windows of one length"),
    (
        "classify",
        {"window__horizon": 2},
        r"window\.horizon is for the task forecast, this is classify: remove it",
    ),
    ("classify", {"window__stride": 2}, r"window\.stride is for the task forecast, this is classify"),
    ("classify", {"data__season": 7}, r"data\.season is for the task forecast, this is classify"),
    ("classify", {"data__cap": 7}, r"data\.cap is for the task label, this is classify"),
    ("classify", {"network__scaling": "relative"}, r"network\.scaling relative is for the task forecast"),
    ("classify", {"training__loss": "mse"}, "expected cross-entropy for classes, got 'mse'"),
    ("label", {"network__state": "window"}, r"network\.state: expected 'carried' for the task label, got 'window'"),
    ("label", {"window__steps": None}, r"window\.steps is missing: give it with --window"),
    ("label", {"window__quantiles": [0.5]}, r"window\.quantiles is for the task forecast, this is label"),
    ("label", {"data__ahead": ["a"]}, r"data\.ahead is for the task forecast, this is label"),
    ("label", {"split__overlap": True}, r"split\.overlap is for the task forecast, this is label"),
    ("label", {"network__shared": True}, r"network\.shared is for the task forecast, this is label"),
    ("label", {"data__classes": True, "data__cap": 3}, r"data\.cap is for numbers, not classes"),
    ("label", {"training__class_weights": "balanced"}, r"training\.class_weights is for classes"),
    ("label", {"data__classes": True, "training__loss": "mae"}, "expected cross-entropy"),
]


@pytest.mark.parametrize(("task", "changes", "complaint"), RULES)
def test_settings_that_contradict_each_other_are_refused(task, changes, complaint):
    with pytest.raises(RecipeError, match=complaint) as caught:
        check_recipe(of(task, **changes), "test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("forecast", {"data__format": "csv", "data__time": "t", "data__calendar": ["hour", "yearday"], **AHEAD}),
        ("forecast", {"window__quantiles": [0.1, 0.5, 0.9], "training__loss": "pinball", "network__state": "carried"}),
        ("forecast", {"network__segment": 4, "network__shared": True, "network__scaling": "instance"}),
        (
            "classify",
            {"network__bidirectional": True, "network__pooling": "mean", "training__class_weights": "balanced"},
        ),
        ("label", {"data__classes": True, "training__label_smoothing": 0.1, "data__series": "id"}),
        ("classify", {"split__test_path": ["b.csv", "c.csv"], "data__units": {"a": "m"}, "data__drift": {"a": 0.5}}),
        ("label", {"data__cap": 125, "training__loss": "huber", "training__average": 0.98}),
    ],
)
def test_what_fits_is_let_through(task, changes):
    recipe = check_recipe(of(task, **changes), "test")
    assert recipe.task == task
    recorded = json.dumps(recipe.model_dump(mode="json"))  # as a resume reads it
    assert check_recipe(json.loads(recorded), "again") == recipe


def test_labels_carry_their_state_where_none_is_given():
    assert check_recipe(of("label"), "test").network.state == "carried"
    assert check_recipe(of("label", network__hidden_size=3), "test").network.state == "carried"
    assert check_recipe(of("classify"), "test").network.state == "window"
    assert check_recipe({"task": "label", "data": of("label")["data"]}, "test").window.steps == 64


@pytest.mark.parametrize(
    ("split", "fractions"),
    [
        ({}, (0.7, 0.15, 0.15)),
        ({"validation": 0.3}, (0.55, 0.3, 0.15)),
        ({"test_path": "b.csv"}, (0.85, 0.15, 0)),
        ({"test_path": "b.csv", "validation_path": "c.csv"}, (1, 0, 0)),
        ({"training": 0.5}, (0.5, 0.15, 0.15)),
    ],
)
def test_training_is_what_the_other_parts_leave(split, fractions):
    content = {**of("classify"), "split": split}
    assert check_recipe(content, "test").split.fractions == pytest.approx(fractions)


def test_a_variable_of_the_environment_names_a_folder(toml, monkeypatch):
    text = '[data]\npath = "$WHERE/a.csv"\ntargets = ["y"]\n[window]\nsteps = 10\n[split]\n'
    monkeypatch.setenv("WHERE", "/far/away")
    assert load_recipe(toml(text), {}).data.path == "/far/away/a.csv"
    path = toml(text + 'test_path = ["${WHERE}/b.csv", "$WHERE/c.csv", "d.csv"]\n')
    assert load_recipe(path, {}).split.test_paths == ("/far/away/b.csv", "/far/away/c.csv", str(path.parent / "d.csv"))
    monkeypatch.delenv("WHERE")
    with pytest.raises(RecipeError, match=r"data\.path: .* needs the environment variable WHERE, which is not set"):
        load_recipe(path, {})


def assert_comes_back(recipe, path):
    text = render_recipe(recipe)
    path.write_text(text)
    assert load_recipe(path, {}) == recipe
    assert render_recipe(load_recipe(path, {})) == text
    return text


@pytest.mark.parametrize("name", [path.parent.name for path in (ROOT / "models").glob("*/recipe.toml")])
def test_the_whole_of_a_recipe_of_the_zoo_comes_back(name, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGELSTM_DATA", str(tmp_path))
    recipe = load_recipe(ROOT / "models" / name / "recipe.toml", {})
    text = assert_comes_back(recipe, tmp_path / "whole.toml")
    for section, kind in SECTIONS.items():
        if getattr(recipe, section) is not None:
            assert f"\n[{section}]\n" in text
            for key, field in kind.model_fields.items():
                assert re.search(rf"^(# )?{key} = ?.*  # {re.escape(comment_of(field))}$", text, re.MULTILINE), key


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("forecast", {"data__units": {"y": 'µm "per" \\ second\n\x7f\x01', "": "x"}, "data__features": ["y", ""]}),
        ("forecast", {"split__borders": [100, "1990-01-01"], "training__learning_rate": 1e-7}),
        ("forecast", {"window__quantiles": [0.1, 1 / 3], "quantization__epochs": 3, "quantization__head": "fp32"}),
        ("classify", {"split__test_path": ["/a.csv", "/b.csv"], "data__targets": []}),
        ("label", {"data__cap": -1e22, "data__classes": False, "training__weight_decay": 123456789.125}),
    ],
)
def test_the_whole_of_a_strange_recipe_comes_back(task, changes, tmp_path):
    content = of(task, **changes)
    content["data"]["path"] = "/some where/ü 'x'.csv"
    assert_comes_back(check_recipe(content, "test"), tmp_path / "whole.toml")
