"""What a file takes of windows and sequences, as its contract says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm.contract import Contract
from edgelstm.data.inputs import inputs_of, pick_inputs
from edgelstm.data.sequences import lay_out
from edgelstm.errors import InputError
from tests.tiny_runs import WINDOW, contract_of, examples_of


def lengths_of(*lengths, every_step=False):
    """Series that count, each with as many rows."""
    series = [np.arange(1, n + 1, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32) for n in lengths]
    targets = [np.zeros(n, np.int64) for n in lengths] if every_step else np.zeros(len(lengths), np.int64)
    return lay_out(series, targets, every_step=every_step)


def test_windows_are_taken_whole_with_their_times():
    windows = examples_of("forecast", "number", times=True)
    x, lengths, times = inputs_of(windows, contract_of("forecast", "number", times=True), np.array([0, 4]))
    np.testing.assert_array_equal(x, windows.x(np.array([0, 4])))
    np.testing.assert_array_equal(times, 3600 * (np.array([[0], [12]]) + np.arange(WINDOW)))
    assert lengths is None


def test_a_file_with_lengths_takes_whole_windows_too():
    windows = examples_of("forecast", "number")
    lengths = inputs_of(windows, contract_of("forecast", "number", lengths=True), np.arange(3)).lengths
    assert lengths.tolist() == [WINDOW] * 3


def test_times_are_left_out_where_the_file_takes_none_and_missed_where_it_does():
    windows = examples_of("forecast", "number", times=True)
    assert inputs_of(windows, contract_of("forecast", "number"), np.arange(1)).times is None
    with pytest.raises(InputError, match="but the data has no timestamps"):
        inputs_of(replace(windows, times=None), contract_of("forecast", "number", times=True), np.arange(1))


def test_series_to_classify_are_padded_to_the_window_with_their_lengths_and_the_last_time():
    series = examples_of("classify", "class", times=True)
    x, lengths, times = inputs_of(series, contract_of("classify", "class", lengths=True, times=True), np.array([0, 3]))
    assert x.shape == (2, WINDOW, 2)
    assert lengths.tolist() == [3, 1]
    np.testing.assert_array_equal(x[0, :3], series.x(0))
    assert not x[0, 3:].any()
    assert (times[0] - 10**9).tolist() == [0, 60, 120, *[120] * (WINDOW - 3)]


@pytest.mark.parametrize(("lengths", "length", "most"), [(True, 9, "at most 8"), (False, 9, "8"), (False, 7, "8")])
def test_a_series_to_classify_that_does_not_fit_into_the_window_is_named(lengths, length, most):
    with pytest.raises(InputError, match=f"series 2: expected {most} samples.*got {length}"):
        inputs_of(lengths_of(8, length), contract_of("classify", "class", lengths=lengths), np.arange(2))


def test_of_series_to_label_the_beginning_is_taken():
    contract: Contract = contract_of("label", "class", lengths=True)
    x, lengths, _ = inputs_of(lengths_of(20, 3, every_step=True), contract, np.arange(2))
    assert lengths.tolist() == [8, 3]
    np.testing.assert_array_equal(x[:, :, 0], [[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 0, 0, 0, 0, 0]])
    with pytest.raises(InputError, match="series 2: expected at least 8 samples"):
        inputs_of(lengths_of(20, 3, every_step=True), contract_of("label", "class"), np.arange(2))


def test_a_carried_file_goes_on_with_the_last_sample_where_a_series_is_shorter_than_its_window():
    carried = contract_of("label", "class", "carried")
    x, lengths, _ = inputs_of(lengths_of(20, 3, every_step=True), carried, np.arange(2))
    np.testing.assert_array_equal(x[:, :, 0], [[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 3, 3, 3, 3, 3]])
    assert lengths is None


def test_series_to_label_that_are_long_enough_are_picked_and_without_any_the_longest():
    carried = contract_of("label", "class", "carried")
    long = pick_inputs(lengths_of(20, 3, 9, every_step=True), carried, 5).x
    assert long.shape == (2, WINDOW, 2)
    short = pick_inputs(lengths_of(4, 3, 7, every_step=True), carried, 2).x
    assert sorted(short[:, -1, 0].tolist()) == [4, 7]


def test_what_is_picked_to_classify_holds_the_longest_the_shortest_and_several_classes():
    rng = np.random.default_rng(3)
    lengths = rng.integers(2, WINDOW, 200)
    lengths[[50, 120]] = 1, WINDOW
    series = [np.full((n, 2), i, np.float32) for i, n in enumerate(lengths)]
    targets = np.zeros(200, np.int64)
    targets[[7, 50, 90]] = 1, 2, 3
    picked = pick_inputs(lay_out(series, targets, every_step=False), contract_of("classify", "class", lengths=True), 5)
    assert {1, WINDOW} <= set(picked.lengths.tolist())
    found = set(targets[picked.x[:, 0, 0].astype(int)].tolist())
    assert {0, 2} <= found
    assert len(found) >= 3


def test_windows_are_picked_evenly_from_the_first_to_the_last():
    examples = examples_of("forecast", "number")
    picked = pick_inputs(examples, contract_of("forecast", "number"), 5).x
    np.testing.assert_array_equal(picked, examples.x(np.array([0, 4, 8, 12, 16])))


def test_fewer_examples_than_asked_for_are_all_picked_once():
    contract = contract_of("classify", "class", lengths=True)
    assert sorted(pick_inputs(lengths_of(3, 5), contract, 5).lengths.tolist()) == [3, 5]
    assert pick_inputs(examples_of("forecast", "number"), contract_of("forecast", "number"), 99).x.shape[0] == 17
