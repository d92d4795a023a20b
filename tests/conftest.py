"""What many tests start from: small trainings on the data that ships, exported once for the whole run."""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CO2_FILES = ROOT / "models" / "co2"


@dataclass(frozen=True)
class Exported:
    """A small training and its files."""

    run: Path
    fp32: Path
    int8: Path


def small_recipe(**changes):
    """A recipe on the data that ships that trains in a second, with nothing left to rules of training.

    `section__key=value` changes it.
    """
    content = {
        "name": "small",
        "data": {
            "path": "builtin:co2",
            "time": "date",
            "targets": ["co2"],
            "units": {"co2": "ppm"},
            "missing": "interpolate",
        },
        "window": {"steps": 24, "horizon": 3, "stride": 4},
        "network": {"hidden_size": 8, "scaling": "standard", "segment": 1, "dropout": 0.0, "start": "none"},
        "training": {
            "epochs": 2,
            "threads": 1,
            "learning_rate": 1e-2,
            "batch_size": 32,
            "schedule": "constant",
            "average": 0.0,
        },
    }
    for path, value in changes.items():
        section, key = path.split("__")
        content.setdefault(section, {})[key] = value
    return content


def train_small(folder, **changes):
    """Train a small recipe into a folder."""
    from edgelstm.recipe.file import check_recipe
    from edgelstm.train import fit_recipe

    return fit_recipe(check_recipe(small_recipe(**changes), "test"), folder)


def _exported(folder, **changes):
    from edgelstm.export import export_run

    train_small(folder / "run", **changes)
    export_run(folder / "run", folder / "files", precisions=["int8"])
    return Exported(folder / "run", folder / "files" / "small.fp32.onnx", folder / "files" / "small.int8.onnx")


@pytest.fixture(scope="session")
def window_files(tmp_path_factory):
    """A window network with relative scaling."""
    return _exported(tmp_path_factory.mktemp("window"), network__scaling="relative")


@pytest.fixture(scope="session")
def carried_files(tmp_path_factory):
    """A carried network of two layers with standard scaling."""
    return _exported(tmp_path_factory.mktemp("carried"), network__state="carried", network__num_layers=2)


@pytest.fixture(scope="session")
def keras_files(tmp_path_factory):
    """What Keras itself saved and predicted, in a process of its own; see tests/importers/keras_oracle.py."""
    folder = tmp_path_factory.mktemp("keras")
    oracle = ROOT / "tests" / "importers" / "keras_oracle.py"
    process = subprocess.run([sys.executable, str(oracle), str(folder)], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return folder


@pytest.fixture
def cli_here(tmp_path, monkeypatch):
    """Run the command line in this process, in the folder of the test; gives what a process would give."""
    from typer.testing import CliRunner

    from edgelstm.cli.app import app

    def run(*arguments, input=None):  # noqa: A002  (called like subprocess.run)
        monkeypatch.chdir(tmp_path)
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def cli(tmp_path):
    """Run the command line in a process of its own; gives the completed process with text output."""

    def run(*arguments, cwd=tmp_path, **options):
        return subprocess.run(
            [sys.executable, "-m", "edgelstm", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, **options
        )

    return run


def pytest_terminal_summary(terminalreporter):
    """Print what tests measured and recorded as `figures`."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    figures = [value for report in reports for name, value in report.user_properties if name == "figures"]
    if figures:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(figures))
