"""Cases of a benchmark: which are asked for, how their processes end, and which results are still theirs."""

from __future__ import annotations

import pytest

from benchmarks import case_runs


@pytest.fixture
def bench(tmp_path):
    return case_runs.Bench("made-up", ("tides", "winds"), "made_up_worker", tmp_path / "runs")


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """The file of the worker, which the test writes."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "made_up_worker.py"


def test_a_process_that_dies_is_told_with_its_last_words(bench, worker, tmp_path):
    worker.write_text("print('so far'); raise SystemExit('DataError: no such file')")
    ended = case_runs.run_case(bench, "tides", 0, tmp_path / "found")
    assert ended.complaint.startswith("DataError: no such file; see ")
    worker.write_text("import os; os.abort()")
    assert case_runs.run_case(bench, "tides", 0, tmp_path / "found").complaint.startswith("exit status -6; see ")


def test_every_case_runs_whatever_becomes_of_the_others(bench, worker, tmp_path, capsys):
    worker.write_text(
        "import pathlib, sys\n"
        "name, seed, run, output = sys.argv[1:]\n"
        "if seed == '1': sys.exit('out of luck')\n"
        "pathlib.Path(output, f'{name}.{seed}.json').write_text('{}')\n"
    )
    wanted = [("tides", 0), ("tides", 1), ("winds", 0)]
    assert case_runs.run_all(bench, wanted, tmp_path / "found") == 1
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["tides.0.json", "winds.0.json"]
    assert len(capsys.readouterr().err.splitlines()) == 3
    assert (bench.runs / "tides-1.log").read_text() == "out of luck\n"


def test_seeds_and_cases_are_taken_once_in_their_order(bench):
    parser = case_runs.parser_of(bench, "about", "0", case_runs.ROOT / "runs")
    asked = case_runs.parse(parser, bench, ["--seeds", "2, 0,2", "--only", "winds,tides,winds"])
    assert (asked.seeds, asked.only) == ([2, 0], ["winds", "tides"])
    assert case_runs.parse(parser, bench, []).only == ["tides", "winds"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"digest": "new", "x": 1}', {"digest": "new", "x": 1}),
        ('{"digest": "old"}', None),
        ("{}", None),
        ('{"digest": ', None),
        (None, None),
    ],
)
def test_a_result_counts_while_its_digest_holds(tmp_path, content, found):
    path = case_runs.result_path(tmp_path, "tides", 0)
    assert path.name == "tides.0.json"
    if content is not None:
        path.write_text(content)
    assert case_runs.kept_result(path, "digest", "new") == found
