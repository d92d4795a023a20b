"""Samples in memory are answered with names, units and times: as a server and a loop on a device ask for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm import load
from edgelstm.answers import answer, samples_of
from edgelstm.data.causal import Filling
from edgelstm.errors import DataError, InputError, assert_never
from edgelstm.export import open_run
from tests.tiny_runs import WINDOW, write_tiny

STEPS = 104
WEEKS = np.datetime64("2024-01-06") + 7 * np.arange(120)


@pytest.fixture(scope="module")
def co2():
    return load("models/co2/co2.fp32.onnx")


def rising(count=STEPS):
    return np.linspace(420.0, 424.0, count)[:, np.newaxis]


def test_a_forecast_is_that_of_the_last_window_with_a_time_for_each_step(co2):
    (found,) = answer(co2, samples_of(rising(120), co2.contract, WEEKS)).series
    np.testing.assert_array_equal(found.values, co2.predict(rising(120)[-STEPS:]))
    assert found.at.times.astype("datetime64[D]").tolist() == [
        WEEKS[-1].item() + k * (WEEKS[1] - WEEKS[0]).item() for k in range(1, 13)
    ]
    assert set(found.origins.times.astype("datetime64[D]").tolist()) == {WEEKS[-1].item()}
    assert (found.at.rows.tolist(), found.steps.tolist()) == (list(range(120, 132)), list(range(1, 13)))
    assert [(channel.name, channel.unit) for channel in found.channels] == [("co2", "ppm")]


def test_every_row_with_a_whole_window_is_forecast_from(co2):
    samples = samples_of(rising(106).tolist(), co2.contract)
    (found,) = answer(co2, samples, every_row=True).series
    windows = np.stack([rising(106)[i : i + STEPS] for i in range(3)])
    np.testing.assert_allclose(found.values.reshape(3, 12, 1), co2.predict(windows), rtol=1e-6)
    assert found.origins.rows.reshape(3, 12)[:, 0].tolist() == [103, 104, 105]
    assert found.at.times is None


def test_seconds_and_moments_are_the_same_times(co2):
    seconds = WEEKS[:STEPS].astype("datetime64[s]").astype(np.int64)
    one, other = (samples_of(rising(), co2.contract, times).series[0].time for times in (seconds, WEEKS[:STEPS]))
    assert (one == other).all()


def test_a_gap_is_filled_as_in_training_and_refused_where_nothing_fills_it(co2):
    values = rising().tolist()
    values[50] = [None]
    filled = answer(co2, samples_of(values, co2.contract)).series[0].values
    np.testing.assert_allclose(filled, co2.predict(rising()), rtol=1e-6)  # on the line between its neighbours
    samples = samples_of(values, co2.contract)._replace(filling=Filling("error"))
    with pytest.raises(DataError, match=r"1 missing sample in the window of rows 1 to 104"):
        answer(co2, samples)


def test_of_many_series_those_that_cannot_be_answered_are_named(co2):
    good, short = (samples_of(rising(n), co2.contract, name=name) for n, name in ((STEPS, "north"), (5, "south")))
    both = good._replace(series=(*short.series, *good.series))
    found = answer(co2, both)
    assert [answers.name for answers in found.series] == ["north"]
    assert found.notes == ("skipped: south: expected at least 104 rows (one window), got 5",)
    with pytest.raises(InputError, match="south: expected at least 104 rows"):
        answer(co2, short)


def test_labels_stand_at_their_rows_and_classes_have_names(tmp_path):
    write_tiny(tmp_path / "run", "label", "class", "carried")
    _, predictor = open_run(tmp_path / "run")
    x = np.random.default_rng(0).normal(size=(11, 2))
    (found,) = answer(predictor, samples_of(x, predictor.contract)._replace(filling=Filling("forward"))).series
    np.testing.assert_allclose(found.values, predictor.predict(x), rtol=1e-6)
    names = [channel.name for channel in predictor.contract.outputs]
    assert found.classes == tuple(names[i] for i in predictor.predict(x).argmax(axis=-1))
    assert found.at.rows.tolist() == list(range(11))
    assert found.steps is None
    assert found.origins is None


def test_a_series_that_is_classified_has_one_answer(tmp_path):
    write_tiny(tmp_path / "run", "classify", "class", lengths=True)
    _, predictor = open_run(tmp_path / "run")
    x = np.random.default_rng(1).normal(size=(WINDOW - 3, 2))
    samples = samples_of(x, predictor.contract, name="pump")
    (found,) = answer(predictor, samples).series
    assert (found.name, found.values.shape, found.at) == ("pump", (1, 3), None)
    np.testing.assert_allclose(found.values[0], predictor.predict(x), rtol=1e-6)
    with pytest.raises(
        InputError,
        match=r"--all is for forecasts only; this file was trained to classify and gives one answer for each series",
    ):
        answer(predictor, samples, every_row=True)


HOSTILE = {
    "another number of channels": (np.ones((STEPS, 2)), None, r"expected samples \[N, 1\] of co2, got shape"),
    "one axis": (np.ones(STEPS), None, r"expected samples \[N, 1\]"),
    "nothing": (np.ones((0, 1)), None, r"expected samples \[N, 1\]"),
    "text": ([["a"]] * STEPS, None, "expected numbers"),
    "too few times": (rising(), WEEKS[:3], "time_s: expected 104 times"),
    "times that are words": (rising(), ["today"] * STEPS, "time_s: expected 104 times"),
    "times that stand still": (rising(), np.zeros(STEPS, np.int64), "time_s: expected times that ascend"),
    "no time at all": (
        rising(),
        np.full(STEPS, np.datetime64("NaT"), "datetime64[s]"),
        "time_s: expected times that ascend",
    ),
    "times without end": (rising(), np.full(STEPS, np.nan), "time_s: expected times that ascend"),
}


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.replace(" ", "-"))
def test_samples_that_are_none_are_refused_in_one_line(case, co2):
    values, times, expected = HOSTILE[case]
    with pytest.raises(InputError, match=expected):
        samples_of(values, co2.contract, times)


def test_a_file_that_takes_times_gets_them(co2):
    with pytest.raises(InputError, match="time_s: this file needs the time of each sample"):
        samples_of(rising(), replace(co2.contract, times=True))


def test_a_word_without_a_branch_is_an_error():
    with pytest.raises(AssertionError, match="expected a known word, got 'sing'"):
        assert_never("sing")
