"""The doctor imports onnxruntime in a child process: a crash is a finding, and not its own death."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from edgelstm.doctor import examine, import_onnxruntime, try_file
from edgelstm.doctor.findings import FAIL, OK
from edgelstm.errors import ModelFileNotFoundError
from edgelstm.runtime import Golden
from tests.cli.test_bad_input import assert_one_line_and_exit_2, rewritten
from tests.conftest import ROOT

DIES = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"


@pytest.fixture
def fake_onnxruntime(tmp_path, monkeypatch):
    """Put a package onnxruntime in front of the real one."""

    def write(code, version="1.21.0"):
        (tmp_path / "fake" / "onnxruntime").mkdir(parents=True)
        (tmp_path / "fake" / "onnxruntime" / "__init__.py").write_text(code)
        place = tmp_path / "fake" / f"onnxruntime-{version}.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(f"Name: onnxruntime\nVersion: {version}\n")
        (place / "WHEEL").write_text("Tag: cp311-cp311-manylinux_2_28_aarch64\n")
        monkeypatch.syspath_prepend(str(tmp_path / "fake"))

    return write


def onnxruntime_finding(**options):
    (finding,) = [finding for finding in examine(**options).findings if finding.what == "onnxruntime"]
    return finding


def test_an_onnxruntime_that_kills_its_process_is_a_finding(fake_onnxruntime, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fake_onnxruntime(DIES)
    finding = onnxruntime_finding()
    assert finding.level == FAIL
    assert "onnxruntime 1.21.0 died of SIGILL when imported" in finding.found
    assert not list(tmp_path.glob("core*"))


def test_an_onnxruntime_that_hangs_is_a_finding(fake_onnxruntime):
    fake_onnxruntime("import time; time.sleep(60)")
    assert "did not end within 0.3 s when imported" in onnxruntime_finding(import_timeout_s=0.3).found


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "raise ImportError('libgomp.so.1: cannot open')",
            "cannot be imported: ImportError: libgomp.so.1: cannot open",
        ),
        ("raise SystemExit(7)", "cannot be imported: SystemExit: 7"),
        ("import os; os._exit(7)", "ended with status 7: no message"),
        ("import numpy_of_another_name", "No module named 'numpy_of_another_name'"),
    ],
)
def test_an_onnxruntime_that_raises_or_ends_is_a_finding(fake_onnxruntime, code, words):
    fake_onnxruntime(code)
    finding = onnxruntime_finding()
    assert finding.level == FAIL
    assert words in finding.found


def test_an_onnxruntime_that_is_not_there_is_told_how_to_get(monkeypatch):
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])
    finding = onnxruntime_finding()
    assert (finding.level, finding.found) == (FAIL, "is not installed")
    assert "pip install" in finding.mend


def test_what_onnxruntime_prints_is_not_taken_for_the_answer(fake_onnxruntime):
    prints = "import atexit; print('{}'); atexit.register(print, '[]'); "
    fake_onnxruntime(prints + "__version__ = '1.32.0'; get_available_providers = lambda: ['CPUExecutionProvider']")
    assert import_onnxruntime().found["version"] == "1.32.0"


def test_a_cuda_build_that_does_not_start_is_worth_a_warning_and_no_failure(fake_onnxruntime):
    providers = "['CUDAExecutionProvider', 'CPUExecutionProvider']"
    fake_onnxruntime(f"__version__ = '1.32.0'; get_available_providers = lambda: {providers}", "1.32.0")
    last = examine().findings[-1]
    assert (last.level, last.what) == ("warn", "CUDA")
    assert "this needs onnxruntime, but its files are missing" in last.found


def test_a_package_whose_record_is_damaged_is_still_seen(fake_onnxruntime, tmp_path):
    fake_onnxruntime(DIES)
    (tmp_path / "fake" / "onnxruntime-1.21.0.dist-info" / "METADATA").write_text("Name: onnxruntime\n")
    assert "onnxruntime ? died of SIGILL" in onnxruntime_finding().found


def test_a_model_file_is_verified_and_stepped(window_files):
    report = examine(window_files.int8)
    assert report.findings[-1].what == "model file"
    assert (report.findings[-1].level, report.healthy) == (OK, True)


def test_a_model_file_that_computes_something_else_here_is_told(window_files, tmp_path):
    def move(entries):
        golden = Golden.from_json(entries["edgelstm.golden"])
        entries["edgelstm.golden"] = golden._replace(file=golden.file + np.float32(0.5)).to_json()

    report = examine(rewritten(window_files.fp32, tmp_path / "moved.onnx", move))
    assert not report.healthy
    assert "moved.onnx: " in report.findings[-1].found
    assert "do not use it here" in report.findings[-1].mend


def test_a_damaged_model_file_is_told_in_its_own_words(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"nonsense")
    assert "truncated, damaged or not an ONNX file" in examine(tmp_path / "a.onnx").findings[-1].found
    assert try_file(str(tmp_path / "a.onnx")).refused


def test_a_model_file_is_not_tried_without_an_onnxruntime(fake_onnxruntime, window_files):
    fake_onnxruntime(DIES)
    assert "was not tried" in examine(window_files.fp32).findings[-1].found


def test_a_model_file_that_is_not_there_is_bad_input(cli_here, tmp_path):
    with pytest.raises(ModelFileNotFoundError):
        examine(tmp_path / "none.onnx")
    assert_one_line_and_exit_2(cli_here("doctor", "none.onnx"), "file not found")


def test_the_command_fits_on_a_screen_and_exits_0_where_nothing_is_broken(cli_here, window_files):
    process = cli_here("doctor", window_files.fp32)
    assert process.returncode == 0, process.stdout
    assert len(process.stdout.splitlines()) <= 40
    assert "one step works" in process.stdout
    assert process.stdout.splitlines()[-1].startswith("nothing is broken")


def test_the_command_exits_1_where_something_is_broken_and_json_says_what(cli_here, fake_onnxruntime):
    fake_onnxruntime(DIES)
    words = cli_here("doctor")
    assert words.returncode == 1
    assert "fail  onnxruntime" in words.stdout
    content = json.loads(cli_here("doctor", "--json").stdout)
    assert content["healthy"] is False
    assert FAIL in {finding["level"] for finding in content["findings"]}
    assert content["facts"]["builds"]["onnxruntime"] == "1.21.0"


def test_the_doctor_imports_neither_onnxruntime_nor_numpy():
    code = "import sys, edgelstm.doctor; print(sorted({'numpy', 'onnxruntime', 'torch'} & set(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout == "[]\n"
