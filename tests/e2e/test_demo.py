"""The demo, the whole way, with few epochs."""

from __future__ import annotations

import re

import pytest


@pytest.mark.usefixtures("rendered")
def test_the_demo_ends_with_a_page_that_needs_no_other_file(cli_here, tmp_path, monkeypatch):
    monkeypatch.setattr("edgelstm.cli.demo._BENCH_S", 0.05)
    process = cli_here("demo", "--output", "demo", "--epochs", "2")
    assert process.returncode == 0, process.stderr
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {
        "run",
        "co2.fp32.onnx",
        "co2.int8.onnx",
        "co2.fp32.bench.json",
        "co2.int8.bench.json",
        "report.html",
    }
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    for expected in ("persistence", "seasonal naive with drift", "ridge", "co2.int8.onnx", "equal", "p99"):
        assert expected in page
    assert "ok" in process.stdout
    assert "2002-03-23" in process.stdout


def test_a_demo_in_the_same_folder_does_not_overwrite_unasked(cli_here, tmp_path):
    (tmp_path / "demo" / "run").mkdir(parents=True)
    (tmp_path / "demo" / "run" / "run.json").write_text("{}")
    process = cli_here("demo", "--output", "demo")
    assert process.returncode == 2
    assert "--overwrite" in process.stderr
