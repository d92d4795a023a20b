"""Public data sets parse to the counts that their publishers give."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgelstm.data.readers.read import read_many

DATA = os.environ.get("EDGELSTM_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="EDGELSTM_DATA is not set: the public data sets are not here")


def path(*parts):
    return Path(DATA or "", *parts)


@pytest.mark.parametrize(
    ("name", "rows", "occupied"), [("datatraining", 8143, 1729), ("datatest", 2665, 972), ("datatest2", 9752, 2049)]
)
def test_occupancy(name, rows, occupied):
    (series,) = read_many(path("occupancy", f"{name}.txt"), ("Light",), "date", label="Occupancy")
    assert series.values.shape == (rows, 1)
    assert Counter(series.labels) == {"0": rows - occupied, "1": occupied}
    assert series.period_s == 60


@pytest.mark.parametrize(("name", "count", "longest"), [("TRAIN", 270, 26), ("TEST", 370, 29)])
def test_japanese_vowels(name, count, longest):
    columns = tuple(f"dim_{i}" for i in range(12))
    found = read_many(path("japanese_vowels", f"JapaneseVowels_{name}.ts"), columns, label="class")
    lengths = [len(series.values) for series in found]
    assert (len(found), min(lengths), max(lengths)) == (count, 7, longest)
    assert {series.labels[0] for series in found} == {str(c) for c in range(1, 10)}


def test_turbofan_engines():
    training, test = (
        read_many(path("cmapss", f"{part}_FD001.txt"), ("sensor_2", "rul"), kind="cmapss") for part in ("train", "test")
    )
    assert (len(training), sum(len(series.values) for series in training)) == (100, 20631)
    assert (len(test), sum(len(series.values) for series in test)) == (100, 13096)
    last = np.array([series.values[-1, 1] for series in test])
    assert (last > 125).sum() == 11
    assert all(np.isnan(series.values[:-1, 1]).all() for series in test)
    assert all(series.values[-1, 1] == 0 for series in training)
