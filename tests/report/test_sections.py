"""Sections of a page: how many targets are drawn, which band lies around them, which baseline is beside a series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm.data.windows import from_rows
from edgelstm.report import Part, evaluate_parts
from edgelstm.report.chart import number_text
from edgelstm.report.sections import fleet, forecast
from tests.report.conftest import answerer
from tests.tiny_runs import WINDOW, channel_of, contract_of, fleet_of


def forecast_of(targets):
    """An evaluation of a forecast of so many channels."""
    channels = tuple(channel_of(f"c{i}") for i in range(targets))
    contract = replace(contract_of("forecast", "number"), outputs=channels)
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(40, n)).astype(np.float32) for n in (2, targets))
    windows = from_rows(x, y, 0, WINDOW, 2, 3)
    return evaluate_parts(contract, [Part("test", windows, {"network": answerer(contract, windows, 0)}, {}, {})])


@pytest.mark.parametrize(
    ("targets", "notes"), [(4, ()), (5, ("1 more target not drawn.",)), (6, ("2 more targets not drawn.",))]
)
def test_four_targets_are_drawn_and_the_others_counted(targets, notes):
    evaluation = forecast_of(targets)
    (section,) = forecast.overview(evaluation.parts[0], evaluation)
    assert [chart.y_label for chart in section.charts] == ["c0", "c1", "c2", "c3"]
    assert section.notes == notes


def test_a_band_reaches_from_the_lowest_quantile_to_the_highest_and_numbers_have_none():
    x, answer = np.arange(2), np.array([[1.0, 2.0, 4.0], [0.0, 3.0, 5.0]])
    (band,) = forecast.bands(x, answer, contract_of("forecast", "quantile"))
    assert (band.label, band.y.tolist(), band.low.tolist()) == ("quantiles 0.1 to 0.9", [4.0, 5.0], [1.0, 0.0])
    assert forecast.bands(x, answer[:, :1], contract_of("forecast", "number")) == []


def test_the_best_of_several_baselines_stands_beside_each_series():
    windows, contract = fleet_of("number"), replace(contract_of("forecast", "number"), many_series=True)
    network, *others = (answerer(contract, windows, seed) for seed in range(4))
    baselines = dict(zip("abc", others, strict=True))
    evaluation = evaluate_parts(contract, [Part("test", windows, {"network": network}, baselines, {})])
    (part,) = evaluation.parts
    (section,) = fleet.each_series(part, evaluation)
    (table,) = section.tables
    errors = {
        (who, one["name"]): one["scaled_mse"] ** 0.5
        for who, scored in part.baselines.items()
        for one in scored.details["by_series"]
    }
    for row in table.rows:
        best = min("abc", key=lambda who, series=row.cells[0]: errors[who, series])
        assert row.cells[-2:] == (best, number_text(errors[best, row.cells[0]], 3))
