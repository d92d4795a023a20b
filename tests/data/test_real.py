"""Public data sets parse to the counts that their publishers give."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgelstm.contract import Channel
from edgelstm.data.baselines import classify, label
from edgelstm.data.classes import class_of, classes_of
from edgelstm.data.deal import Wanted, sequences_of, whole
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.data.scores.score import score

DATA = os.environ.get("EDGELSTM_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="EDGELSTM_DATA is not set: the public data sets are not here")


def path(*parts):
    return Path(DATA or "", *parts)


@pytest.mark.parametrize(
    ("name", "rows", "occupied"), [("datatraining", 8143, 1729), ("datatest", 2665, 972), ("datatest2", 9752, 2049)]
)
def test_occupancy(name, rows, occupied):
    (series,) = read(path("occupancy", f"{name}.txt"), Asking(("Light",), label="Occupancy", time=("date",))).series
    assert series.values.shape == (rows, 1)
    assert Counter(series.labels) == {"0": rows - occupied, "1": occupied}
    assert series.period_s == 60


@pytest.mark.parametrize(("name", "count", "longest"), [("TRAIN", 270, 26), ("TEST", 370, 29)])
def test_japanese_vowels(name, count, longest):
    columns = tuple(f"dim_{i}" for i in range(12))
    found = read(path("japanese_vowels", f"JapaneseVowels_{name}.ts"), Asking(columns, label="class")).series
    lengths = [len(series.values) for series in found]
    assert (len(found), min(lengths), max(lengths)) == (count, 7, longest)
    assert {series.labels[0] for series in found} == {str(c) for c in range(1, 10)}


def engines(part, columns):
    return read(path("cmapss", f"{part}_FD001.txt"), Asking(columns, format="cmapss")).series


def test_turbofan_engines():
    training, test = (engines(part, ("sensor_2", "rul")) for part in ("train", "test"))
    assert (len(training), sum(len(series.values) for series in training)) == (100, 20631)
    assert (len(test), sum(len(series.values) for series in test)) == (100, 13096)
    last = np.array([series.values[-1, 1] for series in test])
    assert (last > 125).sum() == 11
    assert all(np.isnan(series.values[:-1, 1]).all() for series in test)
    assert all(series.values[-1, 1] == 0 for series in training)


def named(*names, cap=None):
    return tuple(Channel(name, None, "float32", None, cap=cap) for name in names)


def scores_of(found, part, outputs, answer):
    return {name: score(baseline(part), part, outputs, answer) for name, baseline in found.items()}


def test_the_baselines_of_japanese_vowels():
    columns = tuple(f"dim_{i}" for i in range(12))
    files = [path("japanese_vowels", f"JapaneseVowels_{name}.ts") for name in ("TRAIN", "TEST")]
    training, test = (read(file, Asking(columns, label="class")).series for file in files)
    classes = classes_of(class_of(series) for series in training)
    wanted = Wanted(columns, (), classes, every_step=False, missing="error")
    training, test = (sequences_of(whole(part), wanted, "training")[0] for part in (training, test))
    found = scores_of(classify.baselines(training, named(*classes)), test, named(*classes), "class")
    # 93.78 % with cepstra as they are; every channel counts the same here.
    assert found["nearest neighbour"].score["accuracy"] == pytest.approx(0.9514, abs=0.0001)
    # The classes are equally frequent in training; the published 23.8 % is the share of the largest class in the test.
    assert found["majority"].score["accuracy"] == pytest.approx(31 / 370)


def test_the_baselines_of_occupancy():
    columns = ("Temperature", "Humidity", "Light", "CO2", "HumidityRatio")
    series = [
        read(path("occupancy", f"{name}.txt"), Asking(columns, label="Occupancy", time=("date",))).series
        for name in ("datatraining", "datatest", "datatest2")
    ]
    wanted = Wanted(columns, (), ("0", "1"), every_step=True, missing="error", times=True)
    training = sequences_of(whole(series[0]), wanted, "training")[0]
    test = sequences_of(whole(series[1] + series[2]), wanted, "test")[0]
    found = scores_of(label.baselines(training, named("0", "1")), test, named("0", "1"), "class")
    assert found["majority"].score["accuracy"] == pytest.approx(0.7567, abs=0.0001)
    assert found["linear"].score["accuracy"] > 0.98
    assert [series["name"] for series in found["linear"].details["by_series"]] == ["datatest", "datatest2"]


def test_the_baselines_of_turbofan_engines():
    columns = tuple(f"sensor_{i}" for i in (2, 3, 4, 7, 8, 9, 11, 12, 13, 14, 15, 17, 20, 21))
    wanted = Wanted(columns, ("rul",), (), every_step=True, missing="error")
    training, test = (
        sequences_of(whole(engines(part, (*columns, "rul"))), wanted, part)[0] for part in ("train", "test")
    )
    found = scores_of(label.baselines(training, named("rul", cap=125.0)), test, named("rul", cap=125.0), "number")
    assert found["mean"].score["rmse"] == pytest.approx(41.94, abs=0.005)  # the published constant guess
    assert found["linear"].score["rmse"] == pytest.approx(20.83, abs=0.005)
    assert found["linear"].details["uncapped_rmse"] == pytest.approx(21.90, abs=0.005)
    assert len(found["linear"].details["by_series"]) == 100
