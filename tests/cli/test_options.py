"""Flags are made of fields: each key of a recipe has one that sets it and wins, and its default is told once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

import edgelstm.recipe.file
import edgelstm.train
from edgelstm.cli import app, reading, train
from edgelstm.cli.options import Asked, bare, usual_words, with_options
from edgelstm.cli.recipe import keys_of_a_recipe
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.formats import FORMATS
from edgelstm.errors import RecipeError
from edgelstm.options import Option, TableOptions, asked_as
from edgelstm.recipe.sections import option_of
from tests.cli.test_bad_input import assert_one_line_and_exit_2

KEYS = {(section, key): field for section, key, field in keys_of_a_recipe()}
WITHOUT_A_FLAG = {
    ("data", "path"): "as the first argument",
    ("split", "training"): "with --split",
    ("split", "validation"): "with --split",
    ("split", "test"): "with --split",
    ("split", "seed"): "in a recipe: --seed is that of the training",
    ("network", "run"): "as the run to fine-tune",
    ("quantization", "start"): "as the run to fine-tune",
}
CALLED_OTHERWISE = {
    ("data", "features"): "--feature",
    ("data", "targets"): "--target",
    ("data", "units"): "--unit",
    ("split", "borders"): "--border",
    ("split", "validation_path"): "--validation-file",
    ("split", "test_path"): "--test-file",
    ("split", "validation_groups"): "--validation-group",
    ("split", "test_groups"): "--test-group",
    ("window", "steps"): "--window",
    ("window", "quantiles"): "--quantile",
    ("quantization", "precision"): "--quantize",
}
FLAGS = {
    place: CALLED_OTHERWISE.get(place, "--" + place[1].replace("_", "-"))
    for place in KEYS
    if place not in WITHOUT_A_FLAG
}
COMMANDS = typer.main.get_command(train.app).commands


def command_of(section):
    return "finetune" if section == "quantization" else "train"


def parameter(place):
    found = [one for one in COMMANDS[command_of(place[0])].params if FLAGS[place] in (*one.opts, *one.secondary_opts)]
    assert len(found) == 1, place
    return found[0]


def typed_and_meant(kind):
    """What is typed behind a flag of this type, and the value that the key must have."""
    kind = bare(kind)
    if kind in (int, float, str):
        return {int: (["7"], 7), float: (["0.25"], 0.25), str: (["/w"], "/w")}[kind]
    if get_origin(kind) is Literal:
        return [get_args(kind)[-1]], get_args(kind)[-1]
    if get_origin(kind) is dict:
        return ["a=1.5", "b=%="], {"a": "1.5", "b": "%="}
    (inner, _) = get_args(kind)
    if inner == int | str:
        return ["1000", "2001-05-01"], [1000, "2001-05-01"]
    typed, meant = typed_and_meant(inner)
    return [*typed, *typed], [meant, meant]


def test_every_key_of_a_recipe_has_a_flag_or_is_given_in_a_way_that_it_names():
    assert {place: option_of(field).instead for place, field in KEYS.items() if option_of(field).instead} == (
        WITHOUT_A_FLAG
    )
    for place in FLAGS:
        parameter(place)
    assert len(KEYS) >= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_no_flag_is_there_twice(command):
    flags = Counter(flag for one in COMMANDS[command].params for flag in (*one.opts, *one.secondary_opts))
    assert [flag for flag, count in flags.items() if count > 1] == []


@pytest.fixture
def asked(monkeypatch, cli_here):
    """Give the content of the recipe, or the keys for fine-tuning, that a command line amounts to."""
    found = []

    def stop(content, *_, **__):
        found.append(content)
        raise RecipeError("stopped")

    monkeypatch.setattr(edgelstm.recipe.file, "check_recipe", stop)
    monkeypatch.setattr(edgelstm.train, "finetune", lambda *_, asked, overwrite, **options: stop(options))

    def ask(*arguments):
        done = cli_here(*arguments)
        assert done.stderr == "edgelstm: stopped\n"
        return found.pop()

    return ask


def ask_for(asked, tmp_path, place, *options):
    """Give what `[section]` says where a recipe says `"of the recipe"` of a key, and options are typed as well."""
    section, key = place
    if section == "quantization":
        return asked("finetune", "run", *options)
    (tmp_path / "r.toml").write_text(f'[{section}]\n{key} = "/recipe"\n' if section else f'{key} = "/recipe"\n')
    content = asked("train", "--recipe", "r.toml", *options)
    return content[section] if section else content


@pytest.mark.parametrize("place", FLAGS, ids=".".join)
def test_each_flag_sets_its_key_and_no_other_and_wins_over_the_recipe(place, asked, tmp_path):
    kind = bare(KEYS[place].annotation)
    if kind is bool:
        on, off = [*parameter(place).opts, *parameter(place).secondary_opts]
        assert ask_for(asked, tmp_path, place, on) == {place[1]: True}
        assert ask_for(asked, tmp_path, place, off) == {place[1]: False}
        return
    typed, meant = typed_and_meant(kind)
    options = [word for value in typed for word in (FLAGS[place], value)]
    assert ask_for(asked, tmp_path, place, *options) == {place[1]: meant}


@pytest.mark.parametrize("place", [place for place in FLAGS if place[0] != "quantization"], ids=".".join)
def test_what_is_not_typed_is_left_to_the_recipe(place, asked, tmp_path):
    assert ask_for(asked, tmp_path, place) == {place[1]: "/recipe"}


def test_the_first_argument_is_the_data_and_names_the_run_where_nothing_else_does(asked, tmp_path):
    path = str(tmp_path / "a b.csv")
    assert asked("train", "a b.csv") == {"data": {"path": path}, "name": "a-b"}
    assert asked("train", "a b.csv", "--name", "mine") == {"data": {"path": path}, "name": "mine"}
    (tmp_path / "r.toml").write_text('name = "r"\n')
    assert asked("train", "a b.csv", "--recipe", "r.toml") == {"data": {"path": path}, "name": "r"}


@pytest.mark.parametrize("place", FLAGS, ids=".".join)
def test_the_help_tells_the_default_that_the_field_has(place):
    field, told = KEYS[place], parameter(place).help
    brackets = re.findall(r"\[([^\]]*)\]$", told)
    if option_of(field).unset:
        assert brackets == [option_of(field).unset]
    elif isinstance(field.default, bool):
        assert brackets == ["yes"] * field.default
    elif isinstance(field.default, (int, float)):
        assert [float(told) for told in brackets] == [field.default]
    else:
        assert brackets == [field.default] * bool(field.default)
    assert told[0] == told[0].upper()


@pytest.mark.parametrize("place", FLAGS, ids=".".join)
def test_a_key_that_may_be_left_out_says_what_holds_then(place):
    field = KEYS[place]
    assert field.default is not None or option_of(field).unset


def test_help_lists_options_under_the_headings_of_a_recipe(cli_here):
    words = cli_here("train", "--help").stdout
    heads = re.findall(r"^(\S.*):$", words, re.MULTILINE)
    assert heads == ["Arguments", "Options", "Data and split", "Network", "Training"]
    parts = dict(zip(heads, re.split(r"^\S.*:$", words, flags=re.MULTILINE)[1:], strict=True))
    for flag, heading in (
        ("--recipe", "Options"),
        ("--split", "Data and split"),
        ("--feature", "Data and split"),
        ("--window", "Network"),
        ("--seed", "Training"),
    ):
        assert [head for head, part in parts.items() if f"  {flag} " in part] == [heading]
    assert "--optimizer [adam|adamw|sgd]" in words
    assert "--drift COLUMN=VALUE" in words


def test_a_new_field_is_a_flag_with_its_help_and_default():
    def command(*, asked: dict) -> None:
        """Print what was typed."""
        print(sorted(asked.items()))

    field = Asked("training", "devices", int, Option("that train together", least=1), usual_words(2), "Training")
    tiny = typer.Typer(rich_markup_mode=None)
    tiny.command()(with_options(command, "asked", [field], dict))
    assert "That train together. [2]" in CliRunner().invoke(tiny, ["--help"]).stdout
    assert CliRunner().invoke(tiny, ["--devices", "4"]).stdout == "[(('training', 'devices'), 4)]\n"
    assert CliRunner().invoke(tiny, []).stdout == "[]\n"
    assert CliRunner().invoke(tiny, ["--devices", "0"]).exit_code == 2


@pytest.mark.parametrize(("flag", "example"), [("--unit", "co2=ppm"), ("--drift", "CO2=3")])
def test_a_pair_without_its_sign_is_one_line_with_an_example(cli_here, flag, example):
    done = cli_here("train", "a.csv", flag, "co2")
    assert done.returncode == 2
    assert done.stderr == f"edgelstm: {flag}: expected COLUMN=VALUE such as {example}, got 'co2'\n"


# How a table is read, for a network that was trained.


def test_every_option_of_a_table_is_one_of_reading_it():
    hints = get_type_hints(TableOptions)
    assert {asked_as(key) for key in hints if key != "path"} <= set(Asking.__dataclass_fields__)


def test_the_formats_that_are_told_are_those_that_are_read():
    told = get_args(get_type_hints(TableOptions, include_extras=True)["format"])[-1].about
    assert told.endswith(": " + ", ".join(FORMATS))


def test_a_command_that_reads_a_table_is_given_what_was_typed_under_the_names_of_asking():
    given = []

    @reading.reads_a_table("--data-format")
    def command(*, reading: dict) -> None:
        given.append(reading)

    tiny = typer.Typer(rich_markup_mode=None)
    tiny.command()(command)
    typed = ("--missing", "drop", "--max-gap", "0", "--na", "-200", "--no-header", "--data-format", "ts")
    assert CliRunner().invoke(tiny, typed).exit_code == 0
    assert CliRunner().invoke(tiny, []).exit_code == 0
    assert given == [{"gaps": "drop", "max_gap": 0, "na": ["-200"], "header": False, "format": "ts"}, {}]
    assert CliRunner().invoke(tiny, ["--max-gap", "-1"]).exit_code == 2
    assert CliRunner().invoke(tiny, ["--skip-rows", "-1"]).exit_code == 2


# What a device without the packages for training has. Some versions of typer bring pydantic, others do not.

PREPARED = """
import importlib, sys

def hide(name, package=None):
    if name in missing:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return found(name, package)

missing, found, importlib.import_module = sys.argv[1].split(","), importlib.import_module, hide
sys.argv[1:] = sys.argv[2:]
from edgelstm.cli import main
try:
    main()
except SystemExit as end:
    print("status", end.code, file=sys.stderr)
print(*(name for name in ("torch", "polars", "numpy", "edgelstm.recipe") if name in sys.modules), file=sys.stderr)
"""


def without(modules, *arguments):
    done = subprocess.run([sys.executable, "-c", PREPARED, modules, *arguments], capture_output=True, text=True)
    return done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize("arguments", [(), ("predict",), ("evaluate",), ("compare",), ("import", "torch")])
def test_help_of_other_commands_imports_nothing_for_training(arguments):
    words, errors = without("torch,pydantic", *arguments, "--help")
    assert "Usage: " in words
    assert errors == ["status 0", ""]


@pytest.mark.parametrize("command", ["train", "finetune"])
def test_training_without_pydantic_is_one_line_that_names_the_install(command):
    words, errors = without("pydantic", command, "--help")
    assert words == ""
    assert errors[:2] == [
        "edgelstm: this needs pydantic, which is not installed: pip install 'edgelstm[train]'",
        "status 2",
    ]


@pytest.mark.parametrize(
    "arguments", [("train", "--help"), ("train", "a.csv", "--target", "y", "--show-recipe"), ("finetune", "--help")]
)
def test_help_and_a_recipe_that_is_shown_need_no_torch(arguments):
    words, errors = without("torch", *arguments)
    assert words
    assert errors == ["status 0", "numpy edgelstm.recipe"]


def test_training_without_torch_is_one_line_that_names_the_install():
    words, errors = without("torch", "train", "builtin:co2", "--time", "date", "--target", "co2")
    assert words == ""
    assert errors[:2] == [
        "edgelstm: this needs torch, which is not installed: pip install 'edgelstm[train]'",
        "status 2",
    ]


def test_training_is_listed_though_its_options_are_not_there_yet(cli_here):
    listed = cli_here("--help").stdout
    assert set(app._OF_A_RECIPE) == set(COMMANDS)
    for name, about in app._OF_A_RECIPE.items():
        assert re.search(rf"^  {name} +{about[:30]}", listed, re.MULTILINE)
        assert about in " ".join(cli_here(name, "--help").stdout.split())


LEAST = [
    ("compare", "--seconds", "0.0099", "0.01"),
    ("bench", "--seconds", "0.0099", "0.01"),
    ("bench", "--steps", "0", "1"),
    ("bench", "--streams", "0", "1"),
    ("evaluate", "--season", "1", "2"),
]


@pytest.mark.parametrize(("command", "option", "below", "least"), LEAST)
def test_an_option_of_a_size_has_a_least_one(command, option, below, least, cli_here):
    assert_one_line_and_exit_2(cli_here(command, "none.onnx", option, below), f"greater than or equal to {least}")
    assert_one_line_and_exit_2(cli_here(command, "none.onnx", option, least), "none.onnx: file not found")
