"""The command `bench`: a real run once, its gate on runs that are made up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import edgelstm.bench
from edgelstm import load
from edgelstm.bench import describe_machine, read_condition
from edgelstm.strict_json import plain
from tests.bench.test_compare import OLD


@pytest.fixture
def gate(cli_here, tmp_path, monkeypatch, window_files):
    """Bench `now` against `old.json`; both are the same run on this machine but for what is changed."""
    here = replace(
        OLD, digest=load(window_files.fp32).digest, machine=describe_machine(), before=read_condition(), file="f.onnx"
    )

    def run(*options, old=None, now=None):
        (tmp_path / "old.json").write_text(json.dumps(plain(replace(here, **old or {}))))
        monkeypatch.setattr(edgelstm.bench, "bench_file", lambda *_, **__: replace(here, **now or {}))
        return cli_here("bench", window_files.fp32, "--output", "new.json", "--compare", "old.json", *options)

    return run


def slower(by):
    return {"step": replace(OLD.step, p50_us=OLD.step.p50_us * by)}


def test_bench_measures_writes_and_draws(cli_here, window_files, tmp_path):
    process = cli_here(
        *("bench", window_files.fp32, "--seconds", "0.05", "--steps", "1_000", "--streams", "2", "--streams", "5"),
        *("--plot", "figures.png"),
    )
    content = json.loads((tmp_path / "small.fp32.bench.json").read_text())
    assert content["digest"] == load(window_files.fp32).digest
    assert content["digest"][:12] in process.stdout
    assert content["machine"]["versions"].keys() >= {"edgelstm", "onnxruntime", "numpy"}
    assert content["step"]["p50_us"] <= content["step"]["p999_us"] <= content["step"]["max_us"]
    assert (content["long_run"]["steps"], [part["streams"] for part in content["throughput"]]) == (1000, [2, 5])
    assert (tmp_path / "figures.png").read_bytes().startswith(b"\x89PNG")
    timing = "us of timing a call are subtracted"
    for words in ("p99.9", timing, "5 streams in one call", "1,000 consecutive steps", "idle: "):
        assert words in process.stdout


def test_a_run_that_is_no_slower_passes(gate, tmp_path):
    process = gate(now=slower(1.05))
    assert process.returncode == 0
    assert "regressions of more than 0.1: none" in process.stdout
    assert (tmp_path / "new.json").is_file()


def test_a_run_that_is_slower_fails_and_names_what_regressed(gate, tmp_path):
    process = gate(now=slower(1.2))
    assert process.returncode == 1
    assert "regressions of more than 0.1: one step\n" in process.stdout
    assert "+20.0%  REGRESSED" in process.stdout
    assert (tmp_path / "new.json").is_file()  # the figures are wanted just then


def test_how_much_is_too_much_is_asked_for(gate):
    assert gate("--max-regression", "30%", now=slower(1.2)).returncode == 0
    assert gate("--max-regression", "0.01", now=slower(1.05)).returncode == 1


def test_a_throttled_run_proves_nothing_however_quick(gate):
    process = gate(now={"throttled": ("under-voltage",), **slower(0.5)})
    assert process.returncode == 1
    assert "INVALID: the machine throttled during this run: under-voltage" in process.stdout


@pytest.mark.parametrize("other", [{"digest": "cd" * 32}, {"machine": OLD.machine}, {"threads": 4}])
def test_another_file_or_machine_is_an_error_before_anything_is_measured(gate, tmp_path, other):
    process = gate(old=other)
    assert process.returncode == 2
    assert "cannot compare: the " in process.stderr
    assert not (tmp_path / "new.json").exists()
    process = gate("--even-if-different", old=other)
    assert process.returncode == 0
    assert "compared although the " in process.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--max-regression", "10%"), "--max-regression needs --compare"),
        (("--even-if-different",), "--even-if-different needs --compare"),
        (("--compare", "old.json", "--max-regression", "much"), "expected a share such as 1% or 0.01, got 'much'"),
        (("--compare", "none.json"), "run `edgelstm bench` first"),
    ],
)
def test_options_that_make_no_sense_are_refused(cli_here, window_files, tmp_path, options, words):
    process = cli_here("bench", window_files.fp32, *options)
    assert process.returncode == 2
    assert words in process.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_a_machine_tells_is_printed(gate):
    assert (
        "before: 50 C, governor ondemand, 1500 MHz, throttled: no; after: 50 C"
        in gate("--even-if-different", now={"before": OLD.before}).stdout
    )
    nothing = edgelstm.bench.Condition(None, None, None, None)
    assert (
        "not reported by this system: temperature, governor, clock, throttling\n"
        in gate(now={"before": nothing, "after": nothing}).stdout
    )
