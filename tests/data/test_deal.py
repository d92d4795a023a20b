"""Whole series into parts, one long series in time, and from there to sequences."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.deal import Stretch, Wanted, deal, in_time, sequences_of, whole
from edgelstm.data.series import Series
from edgelstm.errors import DataError


def series(values, name="s", labels=None, time=None):
    values = np.atleast_2d(np.array(values, np.float64).T).T
    names = tuple("xyz"[: values.shape[1]])
    return Series(names, values, time, None, None, name, None if labels is None else tuple(labels))


def many(count):
    return [series([float(i)], str(i)) for i in range(count)]


TO_CLASSIFY = Wanted(("x",), (), ("a", "b"), every_step=False, missing="interpolate")
TO_LABEL = Wanted(("x",), (), ("a", "b"), every_step=True, missing="interpolate")
NUMBERS = Wanted(("x",), ("y",), (), every_step=True, missing="interpolate")


@settings(max_examples=100)
@given(counts=st.lists(st.integers(1, 20), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_every_series_goes_to_one_part_and_each_class_to_all_in_its_share(counts, seed):
    classes = [str(c) for c, count in enumerate(counts) for _ in range(count)]
    ends = [int(len(classes) * end + 0.5) for end in (0.6, 0.8, 1)]
    if ends[0] < len(counts) or ends[0] == ends[1] or ends[1] == ends[2]:
        with pytest.raises(DataError, match="split: "):
            deal(many(len(classes)), (0.6, 0.2, 0.2), seed, classes)
        return
    parts = deal(many(len(classes)), (0.6, 0.2, 0.2), seed, classes)
    assert [len(part) for part in parts.values()] == np.diff([0, *ends]).tolist()
    assert sorted(int(one.name) for part in parts.values() for one in part) == list(range(len(classes)))
    training = Counter(classes[int(one.name)] for one in parts["training"])
    assert set(training) == set(classes)
    for c, count in enumerate(counts):
        assert abs(training[str(c)] - 0.6 * count) <= 2.5
    for part in parts.values():
        names = [int(one.name) for one in part]
        assert names == sorted(names)


def test_the_same_seed_deals_the_same_and_another_another():
    dealt = [[one.name for one in deal(many(30), (0.5, 0.5, 0), seed)["training"]] for seed in (1, 1, 2)]
    assert dealt[0] == dealt[1] != dealt[2]


def test_a_class_with_a_single_series_is_in_training():
    for seed in range(20):
        parts = deal(many(10), (0.5, 0.5, 0), seed, ["rare", *["often"] * 9])
        assert "0" in [one.name for one in parts["training"]]
        assert set(parts) == {"training", "validation"}


@pytest.mark.parametrize(
    ("count", "fractions", "classes", "complaint"),
    [
        (2, (0.7, 0.15, 0.15), [], "2 series are too few to fill the"),
        (4, (0.5, 0.5, 0), ["a", "b", "c", "d"], "2 training series cannot contain all 4 classes"),
        (4, (0.9, 0.9, 0), [], "a sum of at most 1"),
    ],
)
def test_too_few_series_are_refused(count, fractions, classes, complaint):
    with pytest.raises(DataError, match=complaint):
        deal(many(count), fractions, 0, classes)


def test_a_long_series_is_split_in_time_and_a_part_looks_at_earlier_rows_alone_to_fill_its_gaps():
    long = series([[0, 0], [1, 1], [2, 2], [np.nan, 3], [np.nan, 4], [6, 5]])
    parts = in_time(long, (3, 5, 6))
    assert [(name, part[0].start, part[0].end) for name, part in parts.items()] == [
        ("training", 0, 3),
        ("validation", 3, 5),
        ("test", 5, 6),
    ]
    validation, report = sequences_of(parts["validation"], Wanted(("x",), ("y",), (), True, "forward"), "training")
    assert validation.x(0).ravel().tolist() == [2, 2]
    assert report == ("training: 1 series, 2 rows",)
    with pytest.raises(DataError, match="the validation part has no row with a known truth"):
        sequences_of(parts["validation"], NUMBERS, "validation")
    with pytest.raises(DataError, match="ascending borders within 6 rows"):
        in_time(long, (3, 2, 6))


def test_to_classify_each_series_has_its_class():
    found, report = sequences_of(
        whole([series([1, 2], "p", "bb"), series([3, np.nan, 5], "q", "aaa")]), TO_CLASSIFY, "test"
    )
    assert found.targets.tolist() == [1, 0]
    assert found.x(1).ravel().tolist() == [3, 4, 5]
    assert found.names == ("p", "q")
    assert report == ("test: 2 series, 5 rows",)


def test_a_series_to_classify_whose_beginning_is_missing_is_left_out_and_counted():
    found, report = sequences_of(
        whole([series([1, 2], "p", "bb"), series([np.nan, 2], "q", "aa")]), TO_CLASSIFY, "training"
    )
    assert found.names == ("p",)
    assert report[1] == "training: 1 series skipped because of missing samples"


def test_a_series_to_label_begins_anew_behind_a_gap_that_is_not_filled():
    dropped = Wanted(("x",), (), ("a", "b"), every_step=True, missing="drop", times=True)
    time = np.datetime64("2001-01-01", "us") + np.arange(5) * np.timedelta64(60, "s")
    found, _ = sequences_of(whole([series([1, 2, np.nan, 4, 5], "p", "abba" + "a", time)]), dropped, "test")
    assert found.names == ("p (1)", "p (2)")
    assert [found.x(i).ravel().tolist() for i in range(2)] == [[1, 2], [4, 5]]
    assert [found.truth(i).tolist() for i in range(2)] == [[0, 1], [0, 0]]
    assert found.times_of(1)[0] - found.times_of(0)[0] == 180
    assert found.times_of(0)[0] == 978_307_200


def test_the_truth_beside_a_filled_sample_is_learnt_from_but_not_scored():
    gap = [series([1, np.nan, 3], "p", ["a", "b", ""])]
    assert sequences_of(whole(gap), TO_LABEL, "training")[0].targets.tolist() == [0, 1, -1]
    found, report = sequences_of(whole(gap), TO_LABEL, "test")
    assert found.targets.tolist() == [0, -1, -1]
    assert report == ("test: 1 series, 3 rows, 2 of them without a known truth",)


def test_numbers_to_label_are_never_filled():
    found, _ = sequences_of(whole([series([[1, np.nan], [2, np.nan], [3, 9]])]), NUMBERS, "test")
    np.testing.assert_array_equal(found.truth(0), [[np.nan], [np.nan], [9]])


@pytest.mark.parametrize(
    ("given", "wanted", "complaint"),
    [
        ([series(np.zeros((0, 1)), "e", "")], TO_CLASSIFY, "series e has no samples"),
        ([series(np.zeros((0, 1)), "e", "")], TO_LABEL, "series e has no samples"),
        ([series([1, 2], "e", "ab")], TO_CLASSIFY, "series e: expected one class"),
        ([series([1, 2], "e", "cc")], TO_CLASSIFY, "the test part has classes that training lacks: 'c'"),
        ([series([1, 2], "e", "ac")], TO_LABEL, "the test part has classes that training lacks: 'c'"),
        ([series([1, 2], "e", ["", ""])], TO_LABEL, "no row with a known truth"),
        ([series([np.nan] * 2, "e", "aa")], TO_CLASSIFY, "every series of the test part has a missing sample"),
        ([series([1, 1e300], "e", "aa")], TO_CLASSIFY, "column 'x' is 1e.300 at row 2, which is too large for float32"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(given, wanted, complaint):
    with pytest.raises(DataError, match=complaint):
        sequences_of(whole(given), wanted, "test")


def test_a_stretch_of_no_rows_has_no_sample():
    with pytest.raises(DataError, match="series p has no samples"):
        sequences_of([Stretch(series([1, 2], "p", "aa"), 1, 1)], TO_LABEL, "test")


def test_a_gap_in_a_word_repeats_the_last_one_and_one_in_numbers_is_interpolated():
    one = series([[0.0, 0.0], [np.nan, np.nan], [1.0, 1.0]], labels=("a", "a", "a"))
    wanted = Wanted(("x", "y"), (), ("a",), every_step=True, missing="interpolate", max_gap=1, categories=("y",))
    found, _ = sequences_of(whole([one]), wanted, "training")
    np.testing.assert_array_equal(found.padded(np.array([0]))[0][0], [[0.0, 0.0], [0.5, 0.0], [1.0, 1.0]])
