"""Classes: their order, their numbers, and those that nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.classes import class_numbers, class_of, classes_of
from edgelstm.data.series import Series
from edgelstm.errors import DataError


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["1", "0", "1"], ("0", "1")),
        (["10", "9", "-1", ""], ("-1", "9", "10")),
        (["b", "a", "B"], ("B", "a", "b")),
        (["10", "9", "high"], ("10", "9", "high")),
        (["1.0", "1", "2"], ("1", "1.0", "2")),
        (["nan", "1"], ("1", "nan")),
        (["1_0", "9"], ("1_0", "9")),
    ],
)
def test_numbers_are_sorted_by_value_and_text_by_alphabet_as_they_are_written(labels, expected):
    assert classes_of(labels) == expected


@pytest.mark.parametrize(
    ("labels", "got"), [(["a", "a", ""], "got only 'a'"), (["", ""], "got none"), ([], "got none")]
)
def test_one_class_only_is_nothing_to_tell_apart(labels, got):
    with pytest.raises(DataError, match=f"at least two classes.*{got}"):
        classes_of(labels)


@given(st.lists(st.sampled_from(["a", "b", "c", ""])))
def test_every_label_is_the_class_of_its_number(labels):
    classes = ("c", "a", "b")
    numbers = class_numbers(labels, classes, "test")
    assert numbers.dtype == np.int64
    assert ["" if number < 0 else classes[number] for number in numbers] == labels


def test_classes_that_training_does_not_know_are_named():
    with pytest.raises(DataError, match=r"the test part has classes that training lacks: 'x', 'y' \(training has"):
        class_numbers(["a", "y", "x", "b"], ("a", "b"), "test")


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (("a", "b"), "series s7: expected one class for the whole series, got 'a', 'b'"),
        (("a", ""), "got missing, 'a'"),
        (("", ""), "series s7: its class is missing"),
        (None, "series s7: its class is missing"),
    ],
)
def test_a_series_to_classify_has_one_class(labels, complaint):
    with pytest.raises(DataError, match=complaint):
        class_of(Series((), np.zeros((2, 0)), None, None, None, "s7", labels))
