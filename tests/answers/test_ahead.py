"""Columns known ahead, where a file reads a table: to forecast from, and to be judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm import load
from edgelstm.answers import read_examples, read_samples
from edgelstm.contract import Channel
from edgelstm.errors import DataError


def contract():
    inputs = (Channel("heat", None, "float32", None), Channel("plan", None, "float32", None, ahead=2))
    outputs = tuple(Channel(f"heat q{q}", None, "float32", None, quantile=q, column="heat") for q in (0.1, 0.9))
    found = load("models/co2/co2.fp32.onnx").contract
    return replace(
        found,
        inputs=inputs,
        outputs=outputs,
        answer="quantile",
        window=3,
        horizon=2,
        sample_period_s=None,
        reading=None,
    )


def table(folder, rows, known):
    """Heat is measured in the first `known` rows, the plan is known in all."""
    lines = [f"2001-01-{i + 1:02},{i if i < known else ''},{100 + i}" for i in range(rows)]
    (folder / "table.csv").write_text("\n".join(["day,heat,plan", *lines, ""]))
    return str(folder / "table.csv")


def test_a_forecast_begins_at_the_last_sample_that_has_all_its_plans(tmp_path):
    (rows,) = read_samples(table(tmp_path, 7, 5), contract(), time=["day"]).series
    assert rows.values.tolist() == [[i, 102 + i] for i in range(5)]
    assert str(rows.time[-1])[:10] == "2001-01-05"


def test_a_table_that_ends_too_early_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"needs 'plan' known 2 steps ahead.*at least 5 rows, got 4"):
        read_samples(table(tmp_path, 4, 4), contract(), every_row=True, time=["day"])


def test_a_file_is_judged_on_windows_with_the_plans_of_their_horizon(tmp_path):
    windows = read_examples(table(tmp_path, 9, 9), contract(), time=["day"]).examples
    assert len(windows) == 5
    np.testing.assert_array_equal(windows.x()[0], [[0, 102], [1, 103], [2, 104]])
    np.testing.assert_array_equal(windows.y()[0], [[3], [4]])
    assert np.diff(windows.times_of()[0]).tolist() == [86_400] * 2
