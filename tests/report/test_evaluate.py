"""An evaluation holds the figures that anybody would count by hand, and shows the examples that are worst."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm.data.sequences import lay_out
from edgelstm.errors import DataError, InputError
from edgelstm.report import Part, contract_metrics, evaluate_parts
from tests.tiny_runs import contract_of, examples_of, fleet_of


def noisy(truth, size=0.5, seed=1):
    """An answerer of numbers that is off by noise, the same for the same example."""
    noise = np.random.default_rng(seed).normal(0, size, truth.shape).astype(np.float32)
    answers = np.nan_to_num(truth) + noise
    return lambda index: answers[index]


def evaluated(contract, examples, answerer, **baselines):
    return evaluate_parts(contract, [Part("test", examples, {"network": answerer}, baselines, {})]).parts[0]


@pytest.fixture
def forecasts():
    """A contract, windows, and an answerer, with one window that is far off."""
    contract, windows = contract_of("forecast", "number"), examples_of("forecast", "number", times=True)
    answers = windows.y() + np.random.default_rng(1).normal(0, 0.1, (len(windows), 2, 2)).astype(np.float32)
    answers[7, 1, 1] += 30
    return contract, windows, answers


def test_the_error_at_each_step_and_of_the_whole_is_that_of_a_plain_sum(forecasts):
    contract, windows, answers = forecasts
    part = evaluated(contract, windows, lambda index: answers[index])
    scaled = (answers - windows.y()) / [1.5, 3.0]
    np.testing.assert_allclose(part.by_step["network"], np.sqrt((scaled**2).mean(axis=(0, 2))), rtol=1e-5)
    assert part.networks["network"].score["scaled_mse"] == pytest.approx((scaled**2).mean(), rel=1e-5)


def test_the_worst_window_comes_first_with_what_was_said_and_what_came(forecasts):
    contract, windows, answers = forecasts
    worst = evaluated(contract, windows, lambda index: answers[index]).worst[0]
    assert (worst.example, worst.target) == (7, 1)
    np.testing.assert_array_equal(worst.truth, windows.y()[7])
    np.testing.assert_array_equal(worst.answer[..., 0], answers[7])
    np.testing.assert_array_equal(worst.history, windows.history()[7])
    assert worst.origin.kind == "time"
    assert worst.origin.at[0] == windows.times_of()[7, -1]
    assert worst.error == pytest.approx(np.sqrt((((answers[7] - windows.y()[7]) / [1.5, 3.0]) ** 2).mean()), rel=1e-5)


def test_worst_windows_do_not_forecast_the_same_moment_twice(forecasts):
    contract, windows, _ = forecasts
    close = replace(windows, x_starts=np.arange(40), y_starts=np.arange(40) + windows.steps)
    worst = evaluated(contract, close, noisy(close.y())).worst
    starts = sorted(close.y_starts[case.example] for case in worst)
    assert len(worst) == 3
    assert min(np.diff(starts)) >= close.horizon


def test_errors_over_time_average_to_the_whole(forecasts):
    contract, windows, answers = forecasts
    part = evaluated(contract, windows, lambda index: answers[index])
    each = ((((answers - windows.y()) / [1.5, 3.0]) ** 2).mean(axis=(1, 2))) ** 0.5
    found = part.over_time.errors["network"]
    np.testing.assert_allclose(np.sort(found[~np.isnan(found)]), np.sort(each), rtol=1e-4)  # fewer windows than points


def test_every_answerer_is_asked_once_for_every_window_and_again_for_what_is_shown(forecasts):
    contract, windows, answers = forecasts
    asked = []

    def counted(index):
        asked.extend(index.tolist())
        return answers[index]

    part = evaluated(contract, windows, counted)
    shown = [case.example for case in (part.typical, *part.worst)]
    assert sorted(asked) == sorted([*range(len(windows)), *shown])


def test_truth_that_is_unknown_is_neither_scored_nor_shown_as_wrong(forecasts):
    contract, windows, answers = forecasts
    rows = windows.y_rows.copy()
    rows[windows.y_starts[7] : windows.y_starts[7] + 2] = np.nan
    part = evaluated(contract, replace(windows, y_rows=rows), lambda index: answers[index])
    assert 7 not in [case.example for case in part.worst]
    assert part.networks["network"].score["mse"] < 0.1


def test_an_evaluation_of_nothing_but_unknown_truth_is_refused(forecasts):
    contract, windows, answers = forecasts
    with pytest.raises(DataError, match="this part has no known truth"):
        evaluated(contract, replace(windows, y_rows=windows.y_rows * np.nan), lambda index: answers[index])


def test_pinball_losses_of_quantiles_are_those_of_the_definition():
    contract, windows = contract_of("forecast", "quantile"), examples_of("forecast", "quantile")
    answers = np.sort(np.random.default_rng(0).normal(size=(len(windows), 2, 3)).astype(np.float32), axis=-1)
    part = evaluated(contract, windows, lambda index: answers[index])
    levels, error = np.array([0.1, 0.5, 0.9]), windows.y() - answers
    expected = np.where(error > 0, levels * error, (levels - 1) * error).mean(axis=(0, 2))
    np.testing.assert_allclose(part.by_step["network"], expected, rtol=1e-5)
    assert part.worst[0].answer.shape == (2, 1, 3)


def test_sequences_that_are_wrong_come_with_the_most_confident_first():
    contract, sequences = contract_of("classify", "class", lengths=True), examples_of("classify", "class")
    answers = np.eye(3, dtype=np.float32)[sequences.targets] * 0.9 + 0.05
    answers[2], answers[5] = [0.8, 0.1, 0.1], [0.05, 0.94, 0.01]  # their classes are 2 and 2
    part = evaluated(contract, sequences, lambda index: answers[index])
    assert [(case.example, case.truth, case.answer) for case in part.worst] == [(5, 2, 1), (2, 2, 0)]
    assert part.worst[0].confidence == pytest.approx(0.94)
    np.testing.assert_allclose(part.worst[0].x, sequences.x(5) / 2, rtol=1e-6)  # in spreads of 2 around 0
    assert part.over_time is None


def test_a_baseline_without_probabilities_stands_beside():
    contract, sequences = contract_of("classify", "class", lengths=True), examples_of("classify", "class")
    right = np.eye(3, dtype=np.float32)[sequences.targets]
    part = evaluated(contract, sequences, lambda index: right[index], neighbour=lambda index: index % 3)
    assert part.baselines["neighbour"].score == {"accuracy": 1.0, "macro_f1": 1.0}


def test_series_are_ranked_by_their_own_error_and_steps_without_truth_do_not_count():
    contract, series = contract_of("label", "class", "carried"), examples_of("label", "class")
    right = np.eye(3, dtype=np.float32)[np.maximum(series.targets, 0)]
    wrong = right.copy()
    wrong[series.rows(1)] = np.roll(right[series.rows(1)], 1, axis=1)
    part = evaluated(contract, series, lambda index: wrong[series.rows(int(index[0]))])
    assert part.worst[0].example == 1
    assert part.worst[0].error == 1.0
    known = series.targets >= 0
    known_in_1 = known[series.rows(1)].sum()
    assert part.networks["network"].score["accuracy"] == pytest.approx(1 - known_in_1 / known.sum())


def test_labels_of_many_series_are_averaged_by_their_step():
    contract = contract_of("label", "number", "carried")
    targets = [np.zeros((n, 2), np.float32) for n in (3, 5)]
    series = lay_out([np.zeros((n, 2), np.float32) for n in (3, 5)], targets, every_step=True)
    off = [np.tile(np.arange(1, n + 1, dtype=np.float32)[:, np.newaxis], (1, 2)) * [1.5, 3.0] for n in (3, 5)]
    part = evaluated(contract, series, lambda index: off[int(index[0])])
    np.testing.assert_allclose(part.over_time.errors["network"], [1, 2, 3, 4, 5], rtol=1e-6)
    assert part.over_time.axis.kind == "step"


def test_a_series_without_any_truth_is_not_asked_for():
    contract = contract_of("label", "number", "carried")
    targets = [np.zeros((3, 2), np.float32), np.full((4, 2), np.nan, np.float32)]
    series = lay_out([np.zeros((n, 2), np.float32) for n in (3, 4)], targets, every_step=True)
    part = evaluated(contract, series, lambda index: {0: np.ones((3, 2), np.float32)}[int(index[0])])
    assert [case.name for case in part.worst] == ["1"]


def test_known_scores_stand_beside_and_do_not_replace_what_was_measured(forecasts):
    contract, windows, answers = forecasts
    score = {"mse": 1.0, "mae": 1.0, "rmse": 1.0, "scaled_mse": 9.0, "scaled_mae": 9.0}
    known = {"ridge": score, "persistence": score}
    part = Part("test", windows, {"network": lambda i: answers[i]}, {"persistence": noisy(windows.y())}, known)
    found = evaluate_parts(contract, [part]).parts[0].baselines
    assert found["ridge"].score == score
    assert found["persistence"].score["scaled_mse"] < 1


def test_the_contract_gets_the_held_out_parts_and_the_network_it_names(forecasts):
    contract, windows, answers = forecasts
    networks = {"network": lambda i: answers[i], "quantized": noisy(windows.y())}
    parts = [Part(name, windows, networks, {"ridge": noisy(windows.y())}, {}) for name in ("training", "test")]
    (metrics,) = contract_metrics(evaluate_parts(contract, parts), "network")
    assert (metrics.part, metrics.windows, set(metrics.baselines)) == ("test", len(windows), {"ridge"})
    assert metrics.network["mse"] > 1


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_refused_by_name(forecasts, wrong):
    contract, windows, answers = forecasts
    answers[3, 0, 0] = wrong
    with pytest.raises(InputError, match="network: gives NaN or infinity"):
        evaluated(contract, windows, lambda index: answers[index])


# Many series


@pytest.fixture
def fleet():
    """A contract of many series, their windows, and an answerer that is off by as much as each series is large."""
    windows = fleet_of("number", times=True)
    noise = np.random.default_rng(1).normal(0, 0.1, (len(windows), 2, 2)) * windows.spreads[windows.series][:, None]
    answers = (windows.y() + noise).astype(np.float32)
    answers[-1] += 300  # of the series "west", three of its spreads
    return replace(contract_of("forecast", "number"), many_series=True), windows, answers


def test_errors_of_many_series_are_in_the_spreads_of_each(fleet):
    contract, windows, answers = fleet
    part = evaluated(contract, windows, lambda index: answers[index])
    scaled = (answers.astype(np.float64) - windows.y()) / windows.spreads[windows.series][:, None]
    each = [np.mean(scaled[windows.series == series] ** 2) for series in range(3)]
    scored = part.networks["network"]
    assert scored.score["scaled_mse"] == pytest.approx(np.mean(each), rel=1e-4)
    assert [one["scaled_mse"] for one in scored.details["by_series"]] == pytest.approx(each, rel=1e-4)
    np.testing.assert_allclose(part.by_step["network"], np.sqrt((scaled**2).mean(axis=(0, 2))), rtol=1e-4)
    assert part.worst[0].error == pytest.approx(np.sqrt(np.mean(scaled[-1] ** 2)), rel=1e-4)
    assert (
        contract_metrics(
            evaluate_parts(contract, [Part("test", windows, {"network": lambda index: answers[index]}, {}, {})]),
            "network",
        )[0].network
        == scored.score
    )


def test_cases_and_the_overview_say_of_which_series_they_are(fleet):
    contract, windows, answers = fleet
    part = evaluated(contract, windows, lambda index: answers[index])
    assert (part.worst[0].example, part.worst[0].name) == (len(windows) - 1, "west")
    assert part.overview.name == part.typical.name
    series = windows.names.index(part.overview.name)
    rows = windows.y_starts[windows.series == series] + windows.horizon - 1
    np.testing.assert_array_equal(part.overview.truth, windows.y_rows[rows])


def test_without_times_windows_of_many_series_lie_at_the_steps_of_each(fleet):
    contract, windows, answers = fleet
    part = evaluated(contract, replace(windows, times=None), lambda index: answers[index])
    assert part.over_time.axis.kind == "step"
    last = windows.x_starts[-1] - windows.firsts[2] + windows.steps
    assert (part.worst[0].origin.kind, part.worst[0].origin.at.tolist()) == ("step", [last])
