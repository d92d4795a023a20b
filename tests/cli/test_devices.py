"""`--device` and `--provider-option` of the commands that run a file."""

from __future__ import annotations

import json

import onnxruntime
import pytest

from tests.cli.test_bad_input import assert_one_line_and_exit_2

NO_CUDA = pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is here")


@NO_CUDA
@pytest.mark.parametrize("command", ["verify", "bench", "predict", "compare"])
def test_a_device_that_is_not_to_be_had_is_one_line_that_says_what_to_install(
    cli_here, window_files, tmp_path, command
):
    others = {"predict": ["-"], "compare": [window_files.int8]}.get(command, [])
    before = sorted(tmp_path.iterdir())
    process = cli_here(command, window_files.fp32, *others, "--device", "cuda")
    assert_one_line_and_exit_2(process, "the package is wrong")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["device_id"], "--provider-option: expected KEY=VALUE, got 'device_id'"),
        (["=1"], "expected KEY=VALUE, got '=1'"),
        (["a=1", "a=2"], "a is given twice"),
        (["device_id=1"], "provider_options: the CPU takes none"),
    ],
)
def test_provider_options_that_nobody_reads_are_refused(cli_here, window_files, options, expected):
    given = [word for option in options for word in ("--provider-option", option)]
    assert_one_line_and_exit_2(cli_here("verify", window_files.fp32, *given), expected)


def test_verify_says_what_auto_chose_and_why(cli_here, window_files, monkeypatch):
    monkeypatch.setenv("EDGELSTM_DEVICE", "cpu")
    process = cli_here("verify", window_files.fp32, "--device", "auto")
    assert process.returncode == 0, process.stderr
    assert "set by EDGELSTM_DEVICE=cpu" in process.stdout


def test_bench_records_the_device_and_the_threads_that_were_chosen(cli_here, window_files, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGELSTM_DEVICE", "cpu")
    process = cli_here("bench", window_files.fp32, "--device", "auto", "--seconds", "0.01", "-o", "a.json")
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "a.json").read_text())
    assert (content["device"], content["threads"]) == ("cpu", 1)


def test_files_are_not_compared_on_devices_that_may_differ(cli_here, window_files):
    process = cli_here("compare", window_files.fp32, window_files.int8, "--device", "auto")
    assert_one_line_and_exit_2(process, "auto may choose a different device for each file")
