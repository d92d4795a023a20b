"""`metrics.json` is strict JSON with the keys that a program may count on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgelstm.report import Part, evaluate_parts, metrics_json
from tests.report.conftest import HOSTILE, evaluation_of
from tests.tiny_runs import contract_of, examples_of

KEYS = {
    "name", "task", "answer", "source", "data_sha256", "metric", "measure", "units", "season", "parts", "networks",
    "error_by_step", "error_over_time", "worst",
}  # fmt: skip


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def test_it_is_strict_json_with_these_keys(evaluation):
    content = json.loads(metrics_json(evaluation), parse_constant=refuse)
    assert set(content) == KEYS
    assert list(content["parts"]) == ["validation", "test"]
    assert set(content["parts"]["test"]) == {"windows", HOSTILE[1], HOSTILE[2]}
    assert content["networks"] == {"validation": [HOSTILE[1]], "test": [HOSTILE[1]]}
    for key in ("error_by_step", "error_over_time", "worst"):
        assert list(content[key]) == ["validation", "test"]


def test_the_metric_that_decides_can_be_read_off_the_part(evaluation):
    content = json.loads(metrics_json(evaluation))
    score = content["parts"]["test"][HOSTILE[1]]
    metric = content["metric"]
    assert isinstance(score["scaled_mse" if metric == "scaled_rmse" else metric], float)


@pytest.mark.parametrize("name", ["numbers", "labels"])
def test_the_same_evaluation_gives_the_same_bytes(name):
    assert metrics_json(evaluation_of(name)) == metrics_json(evaluation_of(name))


def test_the_figures_by_channel_bear_the_names_of_the_channels():
    evaluation = evaluate_parts(
        contract_of("forecast", "number"),
        [Part("test", windows := examples_of("forecast", "number"), {"network": windows.y}, {}, {})],
    )
    content = json.loads(metrics_json(evaluation))["parts"]["test"]["network"]
    assert content["rmse_by_channel"] == {"u": 0.0, "v": 0.0}
    assert content["rmse_by_step"] == [0.0, 0.0]


def test_a_step_whose_truth_is_never_known_is_null():
    contract, windows = contract_of("forecast", "number"), examples_of("forecast", "number")
    apart = replace(windows, y_rows=np.where(np.arange(60)[:, None] % 3 == (windows.y_starts[0] + 1) % 3, np.nan, 1.0))
    evaluation = evaluate_parts(contract, [Part("test", apart, {"network": windows.y}, {}, {})])
    content = json.loads(metrics_json(evaluation), parse_constant=refuse)
    assert content["error_by_step"]["test"]["network"][1] is None
    assert content["error_by_step"]["test"]["network"][0] > 0
