"""Every task is answered and scored in the mode in which its file runs, against plain loops and counts."""

from __future__ import annotations

import importlib
from dataclasses import replace

import numpy as np
import pytest

from edgelstm import load
from edgelstm.answers import answerer_of, score_as_run
from edgelstm.bench import Candidate, judge
from edgelstm.data.sequences import lay_out
from edgelstm.errors import InputError
from edgelstm.export import export_run
from edgelstm.run import read_run
from edgelstm.runtime import read_model_file
from edgelstm.train import fit
from tests import oracles
from tests.tiny_runs import LEVELS, WINDOW, examples_of, write_tiny

exporting = importlib.import_module("edgelstm.export.export")
judging = importlib.import_module("edgelstm.bench.judge")  # the name in the package is the function

CASES = {
    "classify": ("classify", "class", "window", True),
    "classify timed": ("classify", "class", "window", True, True),
    "classify carried": ("classify", "class", "carried", False),
    "label classes": ("label", "class", "carried", False),
    "label numbers": ("label", "number", "carried", False),
    "label timed": ("label", "number", "carried", False, True),
    "label windows": ("label", "number", "window", True),
    "label whole windows timed": ("label", "class", "window", False, True),
    "quantiles": ("forecast", "quantile", "window", False),
    "quantiles timed": ("forecast", "quantile", "window", False, True),
    "quantiles carried": ("forecast", "quantile", "carried", False),
    "quantiles carried timed": ("forecast", "quantile", "carried", False, True),
}


@pytest.fixture(scope="module", autouse=True)
def quickly():
    """Five hundred steps are as good as ten thousand."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "CARRIED_STEPS", 500)
        yield


@pytest.fixture(scope="module", params=CASES)
def tiny(request, tmp_path_factory):
    """What was asked for, the run, and its two exported files."""
    folder = tmp_path_factory.mktemp("tiny")
    task, answer, state, lengths, *times = CASES[request.param]
    run = write_tiny(folder / "run", task, answer, state, lengths=lengths, times=bool(times))
    files = export_run(folder / "run", precisions=["int8"]).files
    return request.param, run, [load(file.path) for file in files]


def one_by_one(predictor, examples):
    """What the file answers on each example, by a loop that anybody would write: a list of [K, O], [C] or [T, O]."""
    contract = predictor.contract
    carried, times = contract.state == "carried", examples.times if contract.times else None

    def stepped(x, times):
        stream = predictor.stream()
        if times is None:
            return [stream.step(row) for row in x]
        return [stream.step(row, int(moment)) for row, moment in zip(x, times, strict=True)]

    if contract.task == "forecast":
        if carried:
            steps = stepped(examples.x_rows, times)
            return [steps[start + WINDOW - 1] for start in examples.x_starts]
        moments = [None] * len(examples) if times is None else examples.times_of()
        return [predictor.predict(x, time_s=moment) for x, moment in zip(examples.x(), moments, strict=True)]
    answers = []
    for i in range(len(examples)):
        x, moments = examples.x(i), None if times is None else examples.times_of(i)
        if carried:
            steps = stepped(x, moments)
            answers.append(steps[-1] if contract.task == "classify" else np.stack(steps))
        elif contract.task == "classify":
            answers.append(predictor.predict(x, len(x), moments))
        else:
            answers.append(window_by_window(predictor, x, moments))
    return answers


def window_by_window(predictor, x, times):
    """Label a series in whole windows from its beginning, and what is left by a shorter one, or the last whole one."""

    def label(first, last):
        return predictor.predict(x[first:last], time_s=None if times is None else times[first:last])

    whole = len(x) // WINDOW * WINDOW
    parts = [label(k, k + WINDOW) for k in range(0, whole, WINDOW)]
    if whole < len(x):
        lengths = predictor.contract.lengths
        parts.append(label(whole, len(x)) if lengths else label(len(x) - WINDOW, len(x))[whole - len(x) :])
    return np.concatenate(parts)


def test_a_file_answers_what_a_loop_over_the_examples_gives(tiny):
    case, run, predictors = tiny
    examples = run.heldout
    for predictor in predictors:
        answerer = answerer_of(predictor, examples)
        expected = one_by_one(predictor, examples)
        if case.startswith("label"):
            for i, y in enumerate(expected):
                np.testing.assert_allclose(answerer(np.array([i])), y, rtol=1e-6, atol=1e-6)
        else:
            index = np.array([2, 0, len(examples) - 1])
            np.testing.assert_allclose(answerer(index), [expected[i] for i in index], rtol=1e-6, atol=1e-6)


def figure(case, answers, examples, contract):
    """The metric by a numpy count over everything, each known step weighing the same."""
    if case.startswith("quantiles"):
        error = examples.y() - np.stack(answers)
        levels = np.array(LEVELS)
        return np.maximum(levels * error, (levels - 1) * error).mean()
    y = np.stack(answers) if case.startswith("classify") else np.concatenate(answers)
    truth = examples.targets
    if contract.answer == "class":
        return (y.argmax(axis=-1) == truth)[truth >= 0].mean()
    error = (y - truth) / [channel.statistics.std for channel in contract.outputs]
    return np.sqrt(np.mean(np.nanmean(error**2, axis=0)))


METRICS = {"classify": "accuracy", "label classes": "accuracy", "label numbers": "scaled_rmse", "quantiles": "pinball"}


def test_the_metric_of_a_judgement_and_of_a_contract_is_a_count_over_all_that_is_known(tiny):
    case, run, predictors = tiny
    candidates = [Candidate(p.contract.precision, 1, 1.0, p) for p in predictors]
    judgement = judge(candidates, run.heldout, seconds=0)
    assert judgement.metric == METRICS.get(case.removesuffix(" timed"), judgement.metric)
    for predictor, judged in zip(predictors, judgement.files, strict=True):
        expected = figure(case, one_by_one(predictor, run.heldout), run.heldout, predictor.contract)
        assert judged.metric == pytest.approx(expected, rel=1e-5)
        (test,) = predictor.contract.metrics
        name, square = (judgement.metric, 1) if judgement.metric in test.file else ("scaled_mse", 2)
        assert test.file[name] == pytest.approx(expected**square, rel=1e-5)


def test_files_of_every_task_are_themselves_step_by_step_and_beside_others(tiny):
    _, run, predictors = tiny
    candidates = [Candidate(p.contract.precision, 1, 1.0, p) for p in predictors]
    first, second = judge(candidates, run.heldout, seconds=0).files
    assert first.max_error == first.drop == 0
    assert first.stream_difference <= 1e-6
    assert first.neighbour_difference <= 1e-6
    assert 0 < second.max_error < 1


def test_files_of_every_task_are_judged_on_their_golden_windows_without_data(tiny):
    _, _, predictors = tiny
    candidates = [Candidate(p.contract.precision, 1, 1.0, p) for p in predictors]
    judgement = judge(candidates, None, seconds=0)
    assert [file.metric for file in judgement.files] == [None, None]
    assert judgement.files[0].max_error == 0 < judgement.files[1].max_error


def test_a_carried_state_goes_over_each_series_from_zero(tmp_path):
    run = write_tiny(tmp_path / "run", "label", "number", "carried")
    (file,) = export_run(tmp_path / "run").files
    judgement = judge([Candidate("fp32", 1, 1.0, load(file.path))], run.heldout, seconds=0)
    assert (judgement.steps, judgement.series) == (len(run.heldout.x_rows), len(run.heldout))
    sequences = run.heldout
    order = np.array([2, 0, 1])
    turned = replace(
        sequences,
        starts=sequences.starts[order],
        lengths=sequences.lengths[order],
        names=tuple(sequences.names[i] for i in order),
    )
    again = judge([Candidate("fp32", 1, 1.0, load(file.path))], turned, seconds=0)
    assert again.files[0].metric == pytest.approx(judgement.files[0].metric, rel=1e-12)


def test_a_drop_of_accuracy_is_the_relative_loss(tmp_path):
    """A network that is always right by its own answers, and another one of the same form."""
    one = write_tiny(tmp_path / "one", "classify", "class", lengths=True)
    write_tiny(tmp_path / "other", "classify", "class", lengths=True, seed=5)
    a, b = (load(export_run(tmp_path / name).files[0].path) for name in ("one", "other"))
    rng = np.random.default_rng(1)
    series = [rng.normal(size=(n, 2)).astype(np.float32) * 3 for n in rng.integers(1, WINDOW + 1, 100)]
    answer = [
        oracles.evaluate(one.record.network, one.weights, x[np.newaxis], a.contract, [len(x)])[0].argmax()
        for x in series
    ]
    truth = np.array(answer)
    truth[::50] = (truth[::50] + 1) % 3  # the fp32 file is wrong on two of a hundred
    examples = lay_out(series, truth, every_step=False)
    first, second = judge([Candidate("a", 2, 1.0, a), Candidate("b", 1, 1.0, b)], examples, seconds=0).files
    right = [b.predict(x, len(x)).argmax() == t for x, t in zip(series, truth, strict=True)]
    assert first.metric == 0.98
    assert second.metric == np.mean(right)
    assert second.drop == pytest.approx((0.98 - np.mean(right)) / 0.98)


def test_an_int8_row_to_classify_does_not_move_with_its_neighbours(tmp_path):
    write_tiny(tmp_path / "run", "classify", "class", lengths=True)
    int8 = load(export_run(tmp_path / "run", precisions=["int8"]).files[1].path)
    examples = examples_of("classify", "class")
    answerer = answerer_of(int8, examples)
    alone = np.concatenate([answerer(np.array([i])) for i in range(len(examples))])
    np.testing.assert_array_equal(answerer(np.arange(len(examples))), alone)


def test_examples_that_do_not_fit_the_file_are_refused(tmp_path):
    write_tiny(tmp_path / "run", "classify", "class", lengths=True)
    predictor = load(export_run(tmp_path / "run").files[0].path)
    long = lay_out([np.zeros((9, 2), np.float32)], np.array([0]), every_step=False, names=("nine",))
    with pytest.raises(InputError, match="series nine: expected at most 8 samples"):
        score_as_run(predictor, long)


def test_a_series_shorter_than_a_window_without_lengths_cannot_be_labelled(tmp_path):
    write_tiny(tmp_path / "run", "label", "class")
    predictor = load(export_run(tmp_path / "run").files[0].path)
    short = lay_out([np.zeros((5, 2), np.float32)], [np.zeros(5, np.int64)], every_step=True)
    with pytest.raises(InputError, match="series 1: expected at least 8 samples"):
        answerer_of(predictor, short)(np.array([0]))


def test_behind_a_gap_a_carried_file_begins_anew(tmp_path):
    run = write_tiny(tmp_path / "run", "forecast", "number", "carried", times=True)
    predictor = load(export_run(tmp_path / "run").files[0].path)
    windows = run.heldout
    late = windows.x_starts >= 6
    rows = windows.x_rows.copy()
    rows[4] = np.nan
    gapped = replace(windows, x_rows=rows, x_starts=windows.x_starts[late], y_starts=windows.y_starts[late])
    stream, steps = predictor.stream(), {}
    for k in range(5, len(rows)):
        steps[k] = stream.step(rows[k], int(windows.times[k]))
    expected = [steps[start + WINDOW - 1] for start in gapped.x_starts]
    np.testing.assert_array_equal(answerer_of(predictor, gapped)(np.arange(len(gapped))), expected)


def test_a_file_that_takes_times_refuses_examples_without(tmp_path):
    run = write_tiny(tmp_path / "run", "label", "number", "carried", times=True)
    predictor = load(export_run(tmp_path / "run").files[0].path)
    with pytest.raises(InputError, match="but the data has no timestamps"):
        answerer_of(predictor, replace(run.heldout, times=None))


def test_no_figure_of_these_files_is_left_out_of_the_contract(tiny):
    case, _, predictors = tiny
    expected = {
        "class": {"accuracy", "macro_f1", "log_loss"},
        "quantile": {"pinball", "scaled_pinball", "coverage", "mae", "rmse", "scaled_mae"},
        "number": {"mse", "mae", "rmse", "scaled_mse", "scaled_mae"},
    }
    for predictor in predictors:
        (test,) = predictor.contract.metrics
        assert test.file.keys() == expected[predictor.contract.answer], case


def test_golden_vectors_of_every_task_replay(tiny):
    from edgelstm.runtime import replay

    for predictor in tiny[2]:
        assert replay(predictor).passed


def test_the_run_beside_the_files_still_reads(tiny):
    assert read_run(tiny[1].path).record == tiny[1].record
    assert read_model_file(next(tiny[1].path.glob("*.fp32.onnx"))).contract.answer == tiny[1].record.contract.answer


def test_a_carried_state_begins_anew_with_each_window_that_comes_from_arrays(tmp_path):
    """As in training; windows of one series are gone over in one go."""
    x = np.random.default_rng(0).normal(size=(60, 8, 2)).astype(np.float32)
    y = (np.cumsum(x, axis=1)[:, :, np.newaxis] + 5).astype(np.float32)
    options = {"state": "carried", "hidden_size": 4, "epochs": 1, "threads": 1, "progress": False}
    fitted = fit(x, y, tmp_path / "run", test=(x[:20], y[:20]), outputs=("a", "b"), **options)
    (file,) = export_run(tmp_path / "run").files
    predictor, windows = load(file.path), fitted.run.heldout
    answers = answerer_of(predictor, windows)(np.arange(20))
    for window, answer in zip(x[:20], answers, strict=True):
        stream = predictor.stream()
        expected = [stream.step(row) for row in window][-1]
        np.testing.assert_allclose(answer, expected, rtol=1e-6, atol=1e-6)
    (test,) = predictor.contract.metrics
    assert test.file == pytest.approx(test.network, rel=1e-4)
    judgement = judge([Candidate("fp32", 1, 1.0, predictor)], windows, seconds=0)
    assert (judgement.steps, judgement.series) == (160, 20)
    assert judgement.files[0].metric == pytest.approx(np.sqrt(test.file["scaled_mse"]), rel=1e-6)
