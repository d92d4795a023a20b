"""What a bare interpreter takes in, and what it leaves behind."""

import os
import subprocess
import sys
from importlib import metadata

import pytest

from tests.conftest import ROOT

HEAVY = {
    "torch",
    "onnx",
    "typer",
    "polars",
    "lightning_fabric",
    "pydantic",
    "safetensors",
    "matplotlib",
    "rich",
    "jinja2",
    "cryptography",
}
WATCH = """
import os, sys

def watch(event, arguments):
    if event == "import" and arguments[0] == "onnxruntime":
        print(os.environ.get("ORT_DISABLE_TELEMETRY"))

sys.addaudithook(watch)
"""
PREDICT = """
import sys
import edgelstm
predictor = edgelstm.load(sys.argv[1])
predictor.predict(predictor.golden.x[0])
predictor.stream().step(predictor.golden.x[0, 0])
"""


def python(code, *arguments, **variables):
    """Run code in an interpreter of its own and give what it printed, line by line; None unsets a variable."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    environment = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def modules_after(code, *arguments):
    return {name.split(".")[0] for name in python(code + "\nimport sys; print(*sys.modules, sep='\\n')", *arguments)}


def test_edgelstm_alone_imports_nothing_that_is_installed():
    modules = modules_after("import edgelstm")
    assert "edgelstm" in modules
    assert not modules & {*HEAVY, "numpy", "onnxruntime"}


@pytest.mark.parametrize("module", ["edgelstm.runtime", "edgelstm.answers", "edgelstm.bench"])
def test_what_runs_on_a_device_imports_numpy_and_onnxruntime_alone(module):
    modules = modules_after(f"import {module}")
    assert {"numpy", "onnxruntime"} <= modules
    assert not modules & HEAVY


def test_loading_and_predicting_import_nothing_more(window_files):
    more = "from edgelstm.runtime import replay; from edgelstm.bench import bench_file\n"
    more += "replay(predictor); bench_file(sys.argv[1], seconds=0, steps=1, streams=(2,), idle_s=0)"
    modules = modules_after(PREDICT + more, window_files.int8)
    assert not modules & HEAVY


def test_reading_a_table_on_a_device_imports_nothing_more(window_files, tmp_path):
    """As `edgelstm predict` does; that itself needs typer as well."""
    table = tmp_path / "table.csv"
    table.write_text("date,co2\n" + "".join(f"2020-0{1 + i // 4}-{3 + 7 * (i % 4):02},{350 + i}\n" for i in range(4)))
    more = "from edgelstm.data.asked import read_for\n"
    more += "found = read_for(predictor.contract, sys.argv[2], {}); assert len(found.series[0].values) == 4\n"
    more += "import edgelstm.data.causal, edgelstm.rhythm"
    modules = modules_after(PREDICT + more, window_files.int8, table)
    assert not modules & HEAVY


def test_the_watch_over_modules_sees_what_is_imported():
    assert "safetensors" in modules_after("import safetensors") & HEAVY


@pytest.mark.parametrize("code", ["import edgelstm.runtime", "import edgelstm.bench", "import edgelstm; edgelstm.load"])
@pytest.mark.parametrize(("set_by_user", "seen"), [(None, "1"), ("0", "0"), ("1", "1"), ("", "")])
def test_telemetry_is_off_before_onnxruntime_is_imported_unless_the_user_says_otherwise(code, set_by_user, seen):
    code = f"{WATCH}{code}\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert python(code, ORT_DISABLE_TELEMETRY=set_by_user) == [seen, seen]


@pytest.mark.parametrize("module", ["edgelstm.cli", "edgelstm.export", "edgelstm.train", "edgelstm.data"])
def test_no_other_room_imports_onnxruntime_with_telemetry_on(module):
    assert set(python(f"{WATCH}import {module}", ORT_DISABLE_TELEMETRY=None)) <= {"1"}


# onnxruntime keeps silent where these say that a machine builds software.
CI_VARIABLES = (
    "CI",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "TF_BUILD",
    "TRAVIS",
    "CIRCLECI",
    "JENKINS_URL",
    "BUILD_ID",
    "BUILD_NUMBER",
    "TEAMCITY_VERSION",
    "CODEBUILD_BUILD_ID",
    "APPVEYOR",
)


def files_after_predicting(home, path, set_by_user):
    """Predict with a fresh home, behind a proxy that is not there, so that nothing can leave the machine."""
    home.mkdir()
    on_a_desk = dict.fromkeys(CI_VARIABLES)
    nowhere = "http://127.0.0.1:9"
    caches = {"XDG_CACHE_HOME": None, "XDG_DATA_HOME": None, "XDG_CONFIG_HOME": None}
    proxies = {name: nowhere for base in ("http_proxy", "https_proxy", "all_proxy") for name in (base, base.upper())}
    python(PREDICT, path, HOME=str(home), ORT_DISABLE_TELEMETRY=set_by_user, **caches, **proxies, **on_a_desk)
    return sorted(file.relative_to(home).as_posix() for file in home.rglob("*"))


def test_loading_and_predicting_leave_nothing_in_the_home(tmp_path, window_files):
    assert files_after_predicting(tmp_path / "home", window_files.fp32, None) == []


def test_a_user_who_asks_for_telemetry_gets_what_this_onnxruntime_does(tmp_path, window_files):
    """Proves that the test above looks where the files would lie; the wheels before 1.29 have no telemetry."""
    files = files_after_predicting(tmp_path / "home", window_files.fp32, "0")
    version = tuple(map(int, metadata.version("onnxruntime").split(".")[:2]))
    reports = sys.platform == "linux" and version >= (1, 29)
    assert any("onnxruntime" in file for file in files) == reports


def test_the_first_prediction_imports_no_more_of_numpy(window_files):
    names = python(PREDICT + "\nimport sys; print(*sys.modules, sep='\\n')", window_files.fp32)
    assert "numpy" in names
    assert "numpy.ma" not in names


@pytest.mark.parametrize(("empty", "words"), [(False, "which is not installed"), (True, "but its files are missing")])
def test_without_onnxruntime_an_error_names_the_install_that_mends_it(tmp_path, empty, words):
    (tmp_path / "onnxruntime").mkdir()
    hide = f"sys.path.insert(0, {str(tmp_path)!r})" if empty else "sys.modules['onnxruntime'] = None"
    alone = "sys.path[:] = [path for path in sys.path if 'site-packages' not in path]" if empty else ""
    code = f"import sys, numpy; {hide}; {alone}\ntry: import edgelstm.runtime\nexcept Exception as error: "
    (line,) = python(code + "print(type(error).__name__, error)")
    assert line.startswith("MissingDependencyError this needs onnxruntime")
    assert words in line
    assert "pip install 'edgelstm[cpu]'" in line


def test_the_runtime_imports_little_of_the_standard_library_beyond_what_onnxruntime_does():
    more = modules_after("import edgelstm.runtime") - modules_after("import numpy, onnxruntime")
    assert not more & {"pathlib", "subprocess", "hashlib", "glob", "importlib.metadata", "urllib", "socket", "tempfile"}


def test_a_device_without_a_guard_does_not_wait_for_it(window_files):
    names = python(PREDICT + "\nimport sys; print(*sys.modules, sep='\\n')", window_files.fp32)
    assert "edgelstm.runtime.streams.stream" in names
    assert not [name for name in names if name.startswith("edgelstm.runtime.guard")]
