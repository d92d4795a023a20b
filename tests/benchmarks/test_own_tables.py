"""The pure parts of `benchmarks.own_tables`: what is asked for, what holds, what comes into the tables."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.own_tables import __main__ as own_tables
from benchmarks.own_tables import cases, readings, report


def result(validation=0.9, test=0.9, windows=300, **changes):
    """A network beside two baselines: on validation ridge is best with 1, on test persistence with 0.95."""
    return {
        "windows": {"validation": windows, "test": windows},
        "network": {"validation": {"rmse": validation, "scaled_mse": 1.0}, "test": {"rmse": test, "scaled_mse": 4.0}},
        "baselines": {
            "validation": {"ridge": {"rmse": 1.0}, "persistence": {"rmse": 2.0}},
            "test": {"ridge": {"rmse": 1.0, "scaled_mse": 9.0}, "persistence": {"rmse": 0.95, "scaled_mse": 16.0}},
        },
        "by_series": {"validation": {}, "test": {}},
        "files": {"form": "int8"},
        "processor_s": 20.0,
        "complaints": [],
        **changes,
    }


def all_of(**changes):
    names = [*cases.SCORED, *cases.EIA]
    return {name: [result(**changes)] for name in names}


def test_ratios_are_by_the_baseline_that_validation_chose_and_by_the_best_on_test():
    found = report.ratios_of(result(validation=0.8, test=0.9))
    assert found == pytest.approx((0.8, 0.9, 0.9 / 0.95))


def test_what_holds_every_bar_misses_none_and_eia_counts_once():
    text, misses = report.report_of(all_of(), None)
    assert misses == []
    assert "| **geometric mean** | **0.900** | **0.900** | **0.947** |" in text
    counted = report._counted({name: [report.ratios_of(result())] for name in [*cases.SCORED, *cases.EIA]})
    assert len(counted) == len(cases.SCORED) + 1


@pytest.mark.parametrize(
    ("changes", "miss"),
    [
        ({"validation": 1.01}, "airline: worse on validation"),
        ({"test": 1.06}, "airline: 1.060 on 300 test windows"),
        ({"test": 0.99}, "by the baseline of validation 0.990, expected 0.98"),
        ({"test": 0.97}, "by the best baseline of test 1.021, expected 1.0"),
        ({"processor_s": 70.0}, "airline: a training took 70 s"),
        ({"complaints": ["predict: no such option"]}, "airline: predict: no such option"),
    ],
)
def test_a_bar_that_is_missed_is_named(changes, miss):
    _, misses = report.report_of(all_of(**changes), None)
    assert any(line.startswith(miss) for line in misses), misses


def test_few_windows_are_listed_and_held_against_no_bar_of_their_own():
    results = {**all_of(), "airline": [result(test=1.2, windows=11)]}
    _, misses = report.report_of(results, None)
    assert not any("airline" in line for line in misses)


def test_a_fleet_stands_beside_its_networks_and_baselines():
    series = [{"name": str(i), "scaled_mse": mse} for i, mse in enumerate((1.0, 9.0))]
    fleet = result(by_series={"validation": {}, "test": {"LSTM": series, "ridge": series}})
    results = {**all_of(), "eia-fleet": [fleet]}
    errors = report.scaled_errors("eia-fleet", results)
    assert errors == {
        "one network": 2.0,
        "9 networks": 2.0,
        "persistence, each fitted alone": 4.0,
        "ridge, each fitted alone": 3.0,
        "ridge, in the fleet": 2.0,
    }


def test_reading_that_takes_too_long_is_a_miss():
    _, misses = report.report_of({}, {"edgelstm": 11.0, "polars.read_csv": 1.0, "csv.reader": 2.0})
    assert misses == ["reading: 11.0 times as long as polars, expected 10"]


def test_a_reading_is_held_against_the_places_of_the_rhythm():
    days = np.array(["2024-01-01", "2024-01-02", "2024-01-04"], "M8[us]")
    parsed = {"": (days, np.array([[1.0], [2.0], [4.0]]))}
    grid = np.arange("2024-01-01", "2024-01-05", dtype="M8[D]").astype("M8[us]")
    right = {"": (grid, np.array([[1.0], [2.0], [np.nan], [4.0]]))}
    assert readings.differences("mintemp", parsed, right) == []
    wrong = {"": (grid, np.array([[1.0], [2.0], [3.0], [4.0]]))}
    assert "2024-01-03" in readings.differences("mintemp", parsed, wrong)[0]
    assert "3 places of the rhythm, expected 4" in readings.differences("mintemp", parsed, parsed)[0]


def test_without_the_data_one_line_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.delenv("EDGELSTM_DATA", raising=False)
    assert own_tables.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "EDGELSTM_DATA" in line


@pytest.mark.parametrize("arguments", [["--only", "airlin"], ["--seeds", "one"]])
def test_what_does_not_exist_is_refused(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        own_tables.main(arguments)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
