"""What many tests start from: small trainings on the data that ships, exported once for the whole run."""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The networks of the tests are small: a second thread of torch or of BLAS only waits for the first, and on a busy
# machine for its turn. Children inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import base64
import fcntl
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("tests", deadline=None)  # timings are no unit tests
hypothesis.settings.load_profile("tests")

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
    from edgelstm.train import fit_recipe
    from edgelstm.train.recipe_file import check_recipe

    return fit_recipe(check_recipe(small_recipe(**changes), "test"), folder)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Have a folder filled once for all workers of pytest-xdist: whoever wants it meanwhile waits."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name, fill):
        folder, done = shared / f"once-{name}", shared / f"once-{name}.done"
        with open(shared / f"once-{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return made


def _fill_exported(folder, **changes):
    from edgelstm.export import export_run

    train_small(folder / "run", **changes)
    export_run(folder / "run", folder / "files", precisions=["int8"])


def _exported(folder):
    return Exported(folder / "run", folder / "files" / "small.fp32.onnx", folder / "files" / "small.int8.onnx")


@pytest.fixture(scope="session")
def window_files(made_once):
    """A window network with relative scaling."""
    return _exported(made_once("window", partial(_fill_exported, network__scaling="relative")))


@pytest.fixture(scope="session")
def carried_files(made_once):
    """A carried network of two layers with standard scaling."""
    changes = {"network__state": "carried", "network__num_layers": 2}
    return _exported(made_once("carried", partial(_fill_exported, **changes)))


def _fill_with_keras(folder):
    oracle = ROOT / "tests" / "importers" / "keras_oracle.py"
    process = subprocess.run([sys.executable, str(oracle), str(folder)], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


@pytest.fixture(scope="session")
def keras_files(made_once):
    """What Keras itself saved and predicted, in a process of its own; see tests/importers/keras_oracle.py."""
    return made_once("keras", _fill_with_keras)


PLOTS = [f"edgelstm.report.plots.{plot}.as_png" for plot in ("classes", "forecast", "loss", "series")]
BLANK = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg==")


def leave_out_what_nobody_looks_at(patch):
    """Let an export time a call or two, not seconds of them, and let figures that are made come out blank."""
    from edgelstm.bench import judge

    patch.setattr("edgelstm.export.export._TIMED_S", 0)
    patch.setattr("edgelstm.export.export.judge", partial(judge, seconds=0.01))
    for plot in PLOTS:
        patch.setattr(plot, lambda figure: BLANK)


@pytest.fixture(scope="session", autouse=True)
def nothing_for_nobody():
    """See `rendered` for those who look."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_what_nobody_looks_at(patch)
        yield


@pytest.fixture(scope="module")
def rendered():
    """From here to the end of the module pictures are rendered, which is two thirds of the time of a small training."""
    from edgelstm.report.plots.paper import as_png

    with pytest.MonkeyPatch.context() as patch:
        for plot in PLOTS:
            patch.setattr(plot, as_png)
        yield


@cache
def _command_of(app):
    """The commands of the command line, made once: that takes a tenth of a second."""
    from typer.main import get_command

    return get_command(app)


@pytest.fixture
def cli_here(tmp_path, monkeypatch):
    """Run the command line in this process, in the folder of the test; gives what a process would give."""
    from typer.testing import CliRunner

    from edgelstm.cli.app import app

    monkeypatch.setattr("typer.testing._get_command", _command_of)

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
