"""How far a file is from itself, as the contract and the judge tell it."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from edgelstm import load
from edgelstm.answers import score_as_run
from edgelstm.answers.answerer import stepped, stream_inputs_of
from edgelstm.answers.differences import neighbour_difference, stream_difference
from edgelstm.bench import answers_to_judge
from edgelstm.data.inputs import Inputs
from edgelstm.export import export_run
from edgelstm.run import read_run
from edgelstm.runtime import Predictor
from tests.tiny_runs import write_tiny

judging = importlib.import_module("edgelstm.bench.judge")


@pytest.fixture
def carried(tmp_path):
    write_tiny(tmp_path / "run", "forecast", "quantile", "carried")
    (file,) = export_run(tmp_path / "run").files
    return file, load(file.path), read_run(tmp_path / "run").heldout


def test_one_answer_that_moved_is_the_difference_of_its_output(carried):
    _, predictor, windows = carried
    inputs = stream_inputs_of(windows, times=False)
    answers = np.concatenate([stepped(predictor, one) for one in inputs])
    assert max(stream_difference(predictor, inputs, answers)) < 1e-6
    answers[5, 1, 2] += 0.25
    low, middle, high = stream_difference(predictor, inputs, answers)
    assert max(low, middle) < 1e-6
    assert high == pytest.approx(0.25, abs=1e-6)


def test_a_row_that_moves_among_others_is_told_and_what_lies_behind_its_end_is_not(tmp_path, monkeypatch):
    write_tiny(tmp_path / "run", "label", "number", lengths=True)
    (file,) = export_run(tmp_path / "run").files
    predictor = load(file.path)
    golden = predictor.golden
    rows = Inputs(golden.x, golden.lengths, golden.times)
    assert max(neighbour_difference(predictor, rows)) < 1e-6
    behind = int(golden.lengths.argmin())
    run_batch = Predictor.run_batch

    def moved(self, batch, lengths=None, time_s=None):
        y = run_batch(self, batch, lengths, time_s)
        if len(batch) > 1:
            y[:, 0, 1] += 0.5
            y[behind, golden.lengths[behind] :] = 1e9
        return y

    monkeypatch.setattr(Predictor, "run_batch", moved)
    first, second = neighbour_difference(predictor, rows)
    assert first < 1e-6
    assert second == pytest.approx(0.5, abs=1e-6)


def test_what_the_judge_asks_gives_the_score_of_the_file(carried, monkeypatch):
    _, predictor, windows = carried
    monkeypatch.setattr(judging, "CARRIED_STEPS", 500)
    answers, score = answers_to_judge(predictor, windows)
    assert len(answers) >= 500
    assert score == score_as_run(predictor, windows)


def test_an_export_that_judges_runs_the_held_out_part_once(tmp_path, monkeypatch):
    """Each file steps through it once: the judge takes the answers that were scored."""
    write_tiny(tmp_path / "run", "label", "class", "carried")
    monkeypatch.setattr(judging, "time_interleaved", lambda calls, _: [np.ones(3, np.int64)] * len(calls))
    calls = []
    for room in (judging, importlib.import_module("edgelstm.answers.answerer")):
        monkeypatch.setattr(room, "stepped", lambda *given: calls.append(given) or stepped(*given))
    export = export_run(tmp_path / "run", precisions=["int8"], max_metric_drop=10.0)
    assert len(calls) == 2 * len(read_run(tmp_path / "run").heldout)
    assert [judged.metric for judged in export.judgement.files] == [file.test["accuracy"] for file in export.files]
