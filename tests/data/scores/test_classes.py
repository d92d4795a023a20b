"""Scores of classes against plain counting."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.contract import Channel
from edgelstm.data.scores.classes import SMALLEST, Classes
from edgelstm.data.scores.score import score
from edgelstm.data.sequences import lay_out
from edgelstm.errors import DataError

NAMES = ("a", "b", "c", "d")
CLASS = st.integers(0, 3)


@given(pairs=st.lists(st.tuples(st.integers(-1, 3), CLASS), min_size=1), chunks=st.integers(1, 3))
def test_scores_equal_plain_counting(pairs, chunks):
    truth, answer = np.array(pairs).T
    known = [(t, a) for t, a in pairs if t >= 0]
    scorer = Classes(NAMES)
    for part in np.array_split(np.arange(len(pairs)), chunks):
        scorer.add(answer[part], truth[part])
    if not known:
        with pytest.raises(DataError, match="this part has no known truth"):
            scorer.result()
        return
    found, details = scorer.result()
    assert found["accuracy"] == pytest.approx(sum(t == a for t, a in known) / len(known))
    f1 = []
    for c, name in enumerate(NAMES):
        right, missed = known.count((c, c)), sum(t == c != a for t, a in known)
        wrong = sum(a == c != t for t, a in known)
        if right + missed + wrong:
            f1.append(2 * right / (2 * right + missed + wrong))
            assert details["by_class"][name]["f1"] == pytest.approx(f1[-1])
        assert details["by_class"][name]["support"] == right + missed
        assert details["confusion"][c] == [known.count((c, other)) for other in range(4)]
    assert found["macro_f1"] == pytest.approx(sum(f1) / len(f1))
    assert "log_loss" not in found
    json.dumps(details, allow_nan=False)


def test_the_log_loss_is_that_of_the_true_class_and_never_infinite():
    scorer = Classes(("a", "b"))
    scorer.add(np.float32([[0.75, 0.25], [1, 0]]), np.array([1, 1]))
    found = scorer.result().score
    assert found["log_loss"] == pytest.approx(-(math.log(0.25) + math.log(SMALLEST)) / 2)
    assert found["accuracy"] == 0.0


def test_labels_of_series_are_scored_together_and_series_by_series():
    truth = [np.array([0, 1, -1]), np.array([-1]), np.array([1])]
    series = [np.zeros((len(t), 1), np.float32) for t in truth]
    sequences = lay_out(series, truth, every_step=True, names=("x", "y", "z"))
    outputs = tuple(Channel(name, None, "float32", None) for name in ("off", "on"))
    found = score(lambda index: np.tile(np.float32([0.2, 0.8]), (len(truth[index[0]]), 1)), sequences, outputs, "class")
    assert found.score["accuracy"] == pytest.approx(2 / 3)
    assert [(s["name"], s["steps"], s["accuracy"]) for s in found.details["by_series"]] == [("x", 2, 0.5), ("z", 1, 1)]


def test_an_answer_that_is_no_number_is_never_passed_over():
    scorer = Classes(("a", "b"))
    scorer.add(np.float32([[np.nan, np.nan], [1, 0]]), np.array([0, 0]))
    assert all(math.isnan(value) for value in scorer.result().score.values())


def test_a_true_class_of_no_probability_counts_as_the_smallest_that_float32_tells_from_one():
    scorer = Classes(("a", "b"))
    scorer.add(np.array([[1.0, 0.0]], np.float32), np.array([1]))
    assert scorer.result().score["log_loss"] == pytest.approx(-np.log(2.0**-23))
