"""The judge: each figure against its own definition, and what it says in plain words."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from edgelstm import load
from edgelstm.bench import Candidate, Judged, Latency, judge, load_candidates
from edgelstm.errors import InputError
from edgelstm.run import read_run
from edgelstm.runtime import Golden
from edgelstm.strict_json import plain
from tests.export.test_parity import make_network, predictors

judging = importlib.import_module("edgelstm.bench.judge")  # the name in the package is the function
judgements = importlib.import_module("edgelstm.bench.judgement")


def candidates_of(files):
    return load_candidates([(path.name, path.stat().st_size, partial(load, path)) for path in (files.fp32, files.int8)])


@pytest.fixture(scope="module", params=["window", "carried"])
def judged(request, window_files, carried_files):
    """The two files of a run, their held-out windows, and what the judge found."""
    files = {"window": window_files, "carried": carried_files}[request.param]
    heldout = read_run(files.run).heldout
    return files, heldout, judge(candidates_of(files), heldout, seconds=0.02)


def answers_once(predictor, heldout):
    """The answer behind each held-out window, in one pass in the mode of the contract."""
    if predictor.contract.state == "window":
        return np.stack([predictor.predict(window) for window in heldout.x()])
    stream = predictor.stream()
    stepped = [stream.step(row) for row in heldout.x_rows]
    return np.stack([stepped[start + heldout.steps - 1] for start in heldout.x_starts])


def test_the_mode_is_that_of_the_contract_and_a_carried_state_goes_on_for_ten_thousand_steps(judged):
    files, _, judgement = judged
    assert judgement.state == load(files.fp32).contract.state
    if judgement.state == "carried":
        assert judgement.steps >= 10_000
        assert judgement.series == 1
    else:
        assert judgement.steps == judgement.series == 0


def test_the_metric_is_that_of_the_first_pass_over_the_test_part(judged):
    files, heldout, judgement = judged
    for path, found in zip((files.fp32, files.int8), judgement.files, strict=True):
        error = answers_once(load(path), heldout).astype(np.float64) - heldout.y()
        assert found.metric == pytest.approx(np.sqrt((error**2).mean()), rel=1e-9)
    assert judgement.metric == "rmse"
    first, second = judgement.files
    assert first.drop == 0
    assert second.drop == pytest.approx(second.metric / first.metric - 1, rel=1e-9)


def test_errors_are_the_largest_difference_from_the_first_file_in_standard_deviations(judged):
    files, heldout, judgement = judged
    fp32, int8 = load(files.fp32), load(files.int8)
    std = fp32.contract.outputs[0].statistics.std
    once = np.abs(answers_once(int8, heldout).astype(np.float64) - answers_once(fp32, heldout)).max() / std
    assert judgement.files[0].max_error == 0
    if judgement.state == "window":
        assert judgement.files[1].max_error == pytest.approx(once, rel=1e-9)
    else:  # over all 10,000 steps, not only where a window ends
        assert judgement.files[1].max_error >= once > 0


def test_a_stream_is_held_against_the_same_samples_at_once(judged):
    files, heldout, judgement = judged
    assert judgement.files[0].stream_difference == 0
    if judgement.state == "window":  # its stream runs the window itself
        assert judgement.files[1].stream_difference == 0
        return
    int8 = load(files.int8)
    rows = np.concatenate([heldout.x_rows] * -(-10_000 // len(heldout.x_rows)))
    stream = int8.stream()
    stepped = np.stack([stream.step(row) for row in rows])
    difference = np.abs(int8.predict(rows).astype(np.float64) - stepped).max() / int8.contract.outputs[0].statistics.std
    assert judgement.files[1].stream_difference == pytest.approx(difference, rel=1e-9)
    assert difference > 1e-4


def test_a_row_is_held_against_itself_alone_as_an_onnx_client_would_run_it(judged):
    files, heldout, judgement = judged
    assert judgement.files[0].neighbour_difference == 0
    assert judgement.files[1].neighbour_difference > 0
    int8 = load(files.int8)
    x = heldout.x(np.linspace(0, len(heldout) - 1, min(16, len(heldout))).astype(int))
    moved = np.abs(int8.run_batch(x).astype(np.float64) - int8.predict(x)).max()
    assert judgement.files[1].neighbour_difference == pytest.approx(moved / int8.contract.outputs[0].statistics.std)


def test_every_figure_of_the_table_is_there(judged):
    files, _, judgement = judged
    for path, found in zip((files.fp32, files.int8), judgement.files, strict=True):
        assert (found.name, found.size_bytes) == (path.name, path.stat().st_size)
        assert found.load_ms > 0
        for latency in (found.step, found.window):
            assert 0 < latency.p50_us <= latency.p99_us
        assert found.step_speed > 0
        assert found.window_speed > 0
    assert judgement.files[0].step_speed == judgement.files[0].window_speed == 1
    assert judgement.machine.cpu
    content = json.loads(json.dumps(plain(judgement), allow_nan=False))
    assert {"files", "state", "steps", "ship", "sentences", "machine", "max_metric_drop"} <= content.keys()


def test_without_test_data_files_are_compared_on_their_golden_windows_and_fp32_is_recommended(window_files):
    judgement = judge(candidates_of(window_files), None, seconds=0.01)
    assert [file.metric for file in judgement.files] == [None, None]
    golden = load(window_files.fp32).golden
    error = np.abs(load(window_files.int8).golden.file.astype(np.float64) - golden.file).max()
    std = load(window_files.fp32).contract.outputs[0].statistics.std
    assert judgement.files[1].max_error == pytest.approx(error / std, rel=1e-6)
    assert judgement.ship == window_files.fp32.name
    assert "its accuracy is unknown" in judgement.sentences[1]


def test_several_outputs_are_scored_after_scaling_each(carried_files):
    """Two outputs of different spread, from predictors that were never written."""
    network = make_network(1, 8, horizon=1)
    fp32, int8 = predictors(network, 12)
    rng = np.random.default_rng(0)
    heldout = read_run(carried_files.run).heldout
    rows = rng.normal(size=(400, 3)).astype(np.float32)
    windows = replace(
        heldout,
        x_rows=rows,
        x_starts=np.arange(0, 380, 3),
        y_rows=rng.normal(size=(400, 2)).astype(np.float32),
        y_starts=np.arange(0, 380, 3) + 12,
        steps=12,
        horizon=1,
    )
    golden = Golden(windows.x(slice(3)), windows.y(slice(3)), windows.y(slice(3)), {})
    for predictor in (fp32, int8):
        predictor.golden = golden
    judgement = judge([Candidate(n, 1, 1.0, p) for n, p in (("a", fp32), ("b", int8))], windows, seconds=0.01)
    error = fp32.predict(windows.x()).astype(np.float64) - windows.y()
    assert judgement.metric == "scaled_rmse"
    assert judgement.files[0].metric == pytest.approx(np.sqrt((error**2).mean()), rel=1e-9)  # spread unknown: 1


def test_behind_a_gap_in_the_series_a_carried_state_begins_anew(carried_files):
    heldout = read_run(carried_files.run).heldout
    rows = np.insert(heldout.x_rows, 100, np.nan, axis=0)
    gapped = replace(
        heldout,
        x_rows=rows,
        y_rows=np.insert(heldout.y_rows, 100, np.nan, axis=0),
        x_starts=heldout.x_starts[heldout.x_starts > 100] + 1,
        y_starts=heldout.y_starts[heldout.x_starts > 100] + 1,
    )
    same = replace(
        heldout,
        x_rows=heldout.x_rows[100:],
        y_rows=heldout.y_rows[100:],
        x_starts=heldout.x_starts[heldout.x_starts > 100] - 100,
        y_starts=heldout.y_starts[heldout.x_starts > 100] - 100,
    )
    found, expected = (
        judge(candidates_of(carried_files)[:1], windows, seconds=0).files[0].metric for windows in (gapped, same)
    )
    assert found == expected


def test_a_speed_is_the_median_of_quotients_of_one_round(window_files, monkeypatch):
    """A machine that slows down slows both files of a round: quotients stay, quotients of medians would not."""
    first = np.array([10, 20, 1000, 40, 50], np.int64)
    monkeypatch.setattr(judging, "time_interleaved", lambda calls, seconds: [first, first // 2])
    judgement = judge(candidates_of(window_files), None)
    assert judgement.files[1].step_speed == judgement.files[1].window_speed == 2
    assert judgement.files[1].step == Latency.of(first // 2)


def test_loading_is_timed_in_turn_and_the_first_load_of_a_process_does_not_count_alone(monkeypatch, window_files):
    order = []
    now = iter(np.cumsum([0, 100, 0, 1] + [0, 2, 0, 1] * 4).tolist())  # the very first load is slow
    monkeypatch.setattr(judging.time, "perf_counter", lambda: next(now))
    found = load_candidates([(name, 1, lambda name=name: order.append(name)) for name in "ab"])
    assert order == ["a", "b"] * 5
    assert [candidate.load_ms for candidate in found] == [2000, 1000]


# What cannot be judged


def test_nothing_cannot_be_judged():
    with pytest.raises(InputError, match="at least one file"):
        judge([], None)


def test_files_of_different_networks_are_not_compared(window_files, carried_files):
    mixed = [*candidates_of(window_files)[:1], *candidates_of(carried_files)[:1]]
    with pytest.raises(InputError, match="has state 'carried'"):
        judge(mixed, None)


def test_a_file_with_another_channel_is_not_compared():
    one, _ = predictors(make_network(1, 8), 12)
    other, _ = predictors(make_network(1, 8), 12)
    first, *rest = other.contract.inputs
    other.contract = replace(other.contract, inputs=(first._replace(name="z"), *rest))
    with pytest.raises(InputError, match="b has the inputs"):
        judge([Candidate("a", 1, 1.0, one), Candidate("b", 1, 1.0, other)], None)


def test_a_file_that_answers_nan_is_refused_and_never_recommended(window_files, monkeypatch):
    candidates = candidates_of(window_files)
    broken = candidates[1].predictor
    predict = broken.predict

    def half_nan(*given):
        y = predict(*given)
        y[-1] = np.nan
        return y

    monkeypatch.setattr(broken, "predict", half_nan)
    for windows in (None, read_run(window_files.run).heldout):
        with pytest.raises(InputError, match=f"{window_files.int8.name}: gives NaN or infinity"):
            judge(candidates, windows, seconds=0)


# What it says


def file(name, size=100, speed=1.0, drop=0.0):
    """A file with these figures."""
    latency = Latency(20, 1.0, 1.0, 1.0, 1.0, 1.0)
    metric = None if drop is None else 1 + drop
    return Judged(name, name, size, 1.0, latency, latency, speed, speed, metric, drop, 0.0, 0.0, 0.0)


def verdict(*others, limit=0.01, state="carried"):
    return judgements.verdict([file("fp32"), *others], state, limit)


def test_a_file_that_is_smaller_faster_and_as_good_is_shipped_in_one_sentence():
    ship, sentences = verdict(file("int8", 40, 1.5, 0.002))
    assert ship == "int8"
    assert sentences == ("ship int8: 60% smaller than fp32, 1.50 times as fast for a step, its metric is 0.2% worse",)


def test_int8_that_is_not_smaller_is_not_recommended_in_plain_words():
    ship, sentences = verdict(file("int8", 120, 0.8, 0.002))
    assert ship == "fp32"
    assert sentences == (
        "ship fp32: no other file is worth it",
        "int8 is not recommended: it is not smaller than fp32 and not faster for a step",
    )


def test_int8_that_loses_too_much_is_not_recommended_however_fast_it_is():
    ship, sentences = verdict(file("int8", 40, 2.0, 0.05))
    assert ship == "fp32"
    assert "int8 is not recommended: its metric is 5% worse, 1% is allowed (2.00 times as fast" in sentences[1]
    ship, sentences = verdict(file("int8", 40, 0.9, 0.05), state="window")
    assert ship == "fp32"
    assert "(not faster for a window)" in sentences[1]


def test_a_drop_that_is_no_number_is_beyond_any_limit():
    assert verdict(file("int8", 40, 2.0, float("nan")), limit=1e9)[0] == "fp32"


def test_a_drop_at_the_limit_is_allowed_and_a_gain_is_no_drop():
    assert verdict(file("int8", 40, 2.0, 0.01))[0] == "int8"
    ship, sentences = verdict(file("int8", 40, 2.0, -0.2))
    assert ship == "int8"
    assert sentences[0].endswith("its metric is no worse")


def test_of_several_good_files_the_fastest_is_shipped_if_that_is_notable_else_the_smallest():
    assert verdict(file("int8", 40, 1.0), file("int8w", 45, 1.3), file("fp16", 60, 1.1))[0] == "int8w"
    assert verdict(file("int8", 40, 1.0), file("int8w", 45, 1.04))[0] == "int8"


def test_a_few_bytes_are_no_reason_to_ship_a_file_that_is_half_as_fast():
    assert verdict(file("int8", 40, 0.5), file("int8w", 41, 1.0))[0] == "int8w"
    ship, sentences = verdict(file("int8", 40, 0.5))
    assert ship == "int8"  # nothing else is smaller at all; the sentence says what it costs
    assert "but a step takes 2.00 times as long" in sentences[0]


def test_one_file_alone_is_shipped():
    assert verdict() == ("fp32", ("ship fp32: nothing else was given",))


def test_the_score_in_the_contract_of_a_carried_file_is_of_a_state_that_goes_on(carried_files):
    windows = read_run(carried_files.run).heldout
    for path in (carried_files.fp32, carried_files.int8):
        predictor = load(path)
        stream, spread = predictor.stream(), predictor.contract.outputs[0].spread
        answers = [stream.step(row) for row in windows.x_rows]
        ends = windows.x_starts + windows.steps - 1
        error = np.stack([answers[end] for end in ends]).astype(np.float64) - windows.y()
        (test,) = (part for part in predictor.contract.metrics if part.part == "test")
        assert test.file["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
        assert test.file["scaled_mse"] == pytest.approx((error**2).mean() / spread**2, rel=1e-6)
