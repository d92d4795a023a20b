"""Sequences against the series they were laid out from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.sequences import lay_out
from edgelstm.errors import InputError


def drawn(lengths, features=2, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, features)).astype(np.float32) for length in lengths]


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), data=st.data())
def test_padded_series_are_the_series_with_zeros_behind_their_end(lengths, data):
    series = drawn(lengths)
    times = [np.arange(length) * 60 + 7 for length in lengths]
    sequences = lay_out(series, np.zeros(len(series), np.int64), every_step=False, times=times)
    index = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8)))
    x, found = sequences.padded(index)
    padded_times = sequences.padded_times(index)
    assert x.shape == (len(index), max(lengths[i] for i in index), 2)
    for row, i in enumerate(index):
        assert found[row] == lengths[i]
        np.testing.assert_array_equal(x[row, : lengths[i]], series[i])
        np.testing.assert_array_equal(x[row, lengths[i] :], 0)
        np.testing.assert_array_equal(padded_times[row, : lengths[i]], times[i])
        np.testing.assert_array_equal(padded_times[row, lengths[i] :], times[i][-1])


def test_a_series_and_its_truth_are_views_of_the_rows():
    series = drawn([3, 1, 4])
    labels = [np.arange(len(x), dtype=np.int64) for x in series]
    sequences = lay_out(series, labels, every_step=True, names=("a", "b", "c"))
    assert len(sequences) == 3
    assert sequences.steps == 4
    for i, x in enumerate(series):
        np.testing.assert_array_equal(sequences.x(i), x)
        np.testing.assert_array_equal(sequences.truth(i), labels[i])
        assert sequences.x(i).base is sequences.x_rows
    assert sequences.times_of(0) is None


def test_to_classify_the_truth_is_one_class_for_each_series():
    sequences = lay_out(drawn([2, 5]), np.array([3, 1]), every_step=False)
    assert [int(sequences.truth(i)) for i in range(2)] == [3, 1]
    assert sequences.names == ("1", "2")


@pytest.mark.parametrize(
    ("series", "targets", "every_step", "message"),
    [
        ([], [], False, "at least one series"),
        (drawn([3, 0]), [0, 1], False, "series 2 has no samples"),
        (drawn([3]) + drawn([3], 3), [0, 1], False, r"series 2: expected \[T, 2\] as in the first, got \[3, 3\]"),
        (drawn([3, 2]), [0], False, "2 series, 1 targets"),
        (drawn([3]), [np.zeros(2, np.int64)], True, "a target for each of its 3 rows, got 2"),
    ],
)
def test_what_is_no_set_of_series_is_refused(series, targets, every_step, message):
    with pytest.raises(InputError, match=message):
        lay_out(series, targets, every_step=every_step)


def test_series_without_times_have_no_padded_times():
    with pytest.raises(InputError, match="no times"):
        lay_out(drawn([3]), np.array([0]), every_step=False).padded_times()
