"""One table of scores: the figures of each kind of answer, the same names and digits wherever they are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm.cli.evaluate import evaluation_words
from edgelstm.cli.words import metric_words
from edgelstm.data.scores.figures import Figure, figure_text, figures_of, known_figure
from edgelstm.data.scores.metric import figure_of
from edgelstm.report import Part, evaluate_parts
from tests.tiny_runs import contract_of, examples_of

EXPECTED = {
    ("forecast", "number"): ("scaled_rmse", "scaled_mae"),
    ("forecast", "quantile"): ("pinball", "coverage", "mae"),
    ("classify", "class"): ("accuracy", "macro_f1", "log_loss"),
    ("label", "number"): ("scaled_rmse", "scaled_mae"),
}


@pytest.mark.parametrize("kind", EXPECTED, ids=" ".join)
def test_the_figure_that_decides_stands_first(kind):
    task, answer = kind
    contract = contract_of(task, answer, lengths=task == "classify")
    figures = figures_of(contract)
    assert tuple(figure.key for figure in figures) == EXPECTED[kind]
    assert figures[0].key == contract.metric
    assert metric_words(contract) == figures[0].words


def test_one_target_has_its_unit_and_many_series_have_none():
    contract = contract_of("forecast", "number")
    one = replace(contract, outputs=(contract.outputs[0]._replace(unit="kW"),))
    assert figures_of(one) == (Figure("rmse", "RMSE (kW)"), Figure("mae", "MAE (kW)"))
    many = figures_of(replace(one, many_series=True))
    assert many == (Figure("scaled_rmse", "scaled RMSE"), Figure("scaled_mae", "scaled MAE"))


def test_one_level_covers_nothing_and_without_a_median_there_is_no_error_of_it():
    contract = contract_of("forecast", "quantile")
    low, median, _ = contract.outputs
    assert [figure.key for figure in figures_of(replace(contract, outputs=(median,)))] == ["pinball", "mae"]
    assert [figure.key for figure in figures_of(replace(contract, outputs=(low,)))] == ["pinball"]


def test_shares_are_percent_and_what_is_unknown_is_a_dash():
    assert [figure_text(0.97946, key) for key in ("accuracy", "coverage", "macro_f1")] == ["97.9 %", "97.9 %", "0.9795"]
    assert [figure_text(value, key) for value in (None, float("nan")) for key in ("accuracy", "rmse")] == ["-"] * 4
    assert known_figure({"mse": 1.0}, "scaled_mae") is None


def test_a_table_of_scores_says_the_figure_that_decides():
    contract, windows = contract_of("forecast", "number"), examples_of("forecast", "number")
    part = Part("test", windows, {"network": lambda index: np.zeros((len(index), 2, 2), np.float32)}, {}, {})
    found = evaluate_parts(contract, [part])
    words = evaluation_words(found)
    decides = figure_of(found.parts[0].networks["network"].score, "scaled_rmse")
    assert "scaled RMSE" in words.splitlines()[0]
    assert words.count(f"{decides:.4g}") >= 2  # in the table, and in the sentence below it
