"""`edgelstm finetune`: what is typed becomes keys of a recipe, for a run's own data or for another table."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

import pytest

from edgelstm.cli import train
from tests.tiny_runs import write_tiny


@pytest.fixture
def asked(monkeypatch, cli_here):
    """Give what the options amount to, without training."""
    import edgelstm.train

    found = []

    def finetune(run, output, **given):
        found.append((run, output, given))
        raise KeyboardInterrupt

    monkeypatch.setattr(edgelstm.train, "finetune", finetune)

    def ask(*options):
        done = cli_here("finetune", *options)
        assert found, done.stderr
        return found.pop()

    return ask


def test_options_for_a_file_are_those_of_quantization(asked):
    run, output, given = asked(
        "runs/a", "--quantize", "int8w", "--per-tensor", "--clip", "mse", "--epochs", "3", "-o", "b"
    )
    assert (run, output) == (Path("runs/a"), Path("b"))
    options = {"precision": "int8w", "per_channel": False, "clip": "mse", "epochs": 3}
    assert given == {"asked": None, "overwrite": False, **options}


def test_with_a_table_options_of_train_are_keys_of_its_recipe(asked):
    reading = (
        "--data",
        "t.csv",
        "--time",
        "date",
        "--feature",
        "a",
        "--feature",
        "b",
        "--target",
        "b",
        "--unit",
        "b=K",
    )
    training = (
        "--epochs",
        "3",
        "--learning-rate",
        "0.01",
        "--dropout",
        "0.1",
        "--stride",
        "2",
        "--split",
        "0.6,0.2,0.2",
    )
    given = asked("runs/a", *reading, *training)[2]
    assert given == {
        "overwrite": False,
        "asked": {
            "data": {"path": "t.csv", "time": ["date"], "features": ["a", "b"], "targets": ["b"], "units": {"b": "K"}},
            "training": {"epochs": 3, "learning_rate": 0.01},
            "network": {"dropout": 0.1},
            "window": {"stride": 2},
            "split": {"training": 0.6, "validation": 0.2, "test": 0.2},
        },
    }


def test_with_a_table_and_a_file_the_epochs_are_those_of_the_file(asked):
    given = asked("runs/a", "--data", "t.csv", "--quantize", "int8", "--epochs", "3")[2]
    assert given == {"overwrite": False, "asked": {"data": {"path": "t.csv"}}, "precision": "int8", "epochs": 3}


@pytest.mark.parametrize("options", [("--target", "y"), ("--split", "0.6,0.2,0.2"), ("--learning-rate", "0.1")])
def test_options_about_a_table_need_one(options, cli_here):
    done = cli_here("finetune", "runs/a", *options)
    assert done.returncode == 2
    assert done.stderr == (
        f"edgelstm: {options[0]} needs --data; without it the run is trained on its own table, with its own settings\n"
    )


def test_an_option_means_the_same_as_in_train():
    of_train, own = (inspect.signature(command, eval_str=True).parameters for command in (train.train, train.finetune))
    shared = [name for name in own if name in of_train and name not in ("output", "overwrite", "epochs", "data")]
    assert len(shared) > 40
    for name in shared:
        (kind, option), (expected, of_the_other) = (typing.get_args(some[name].annotation) for some in (own, of_train))
        assert (kind, option.help, option.param_decls) == (expected, of_the_other.help, of_the_other.param_decls)


def test_an_imported_run_without_a_table_is_one_line(cli_here, tmp_path):
    write_tiny(tmp_path / "net", "forecast", "number")
    done = cli_here("finetune", "net")
    assert done.returncode == 2
    assert done.stderr == "edgelstm: net: is an imported run without data; give a table with --data\n"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--epochs", "0"), "--epochs: expected 1 or more, got 0"),  # of the training, in float32
        (("--quantize", "int8", "--epochs", "0"), "--epochs: expected 1 or more, got 0"),
        (("--quantize", "int4"), "--quantize: expected 'int8' or 'int8w', got 'int4'"),
        (("--learning-rate", "0"), "--learning-rate: expected more than 0, got 0.0"),
    ],
)
def test_a_refused_value_is_named_by_its_flag(cli_here, tmp_path, options, complaint):
    write_tiny(tmp_path / "net", "forecast", "number")
    done = cli_here("finetune", "net", "--data", "builtin:co2", *options)
    assert (done.returncode, done.stderr) == (2, f"edgelstm: {complaint}\n")
