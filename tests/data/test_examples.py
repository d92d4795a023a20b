"""Windows and series answer the same questions, so that who scores need not know which of them they are."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.data.windows import from_arrays
from tests.tiny_runs import examples_of, fleet_of


def drawn(kind):
    if kind == "arrays":
        rng = np.random.default_rng(0)
        return from_arrays(rng.random((7, 5, 2), np.float32), rng.random((7, 2, 1), np.float32), ())
    if kind == "fleet":
        return fleet_of("number")
    task, answer = kind.split()
    return examples_of(task, answer)


KINDS = ("forecast number", "arrays", "fleet", "classify class", "label class", "label number")


@pytest.fixture(params=KINDS)
def examples(request):
    return drawn(request.param)


def one_truth(examples, i):
    """The truth of one example, by its own rows."""
    if hasattr(examples, "y_rows"):
        return examples.y_rows[examples.y_starts[i] : examples.y_starts[i] + examples.horizon][np.newaxis]
    first, end = examples.starts[i], examples.starts[i] + examples.lengths[i]
    return examples.targets[first:end] if examples.every_step else examples.targets[i : i + 1]


def test_batches_ask_for_each_example_once_and_to_label_for_one_at_a_time(examples):
    batches = list(examples.batches(3))
    assert np.concatenate(batches).tolist() == list(range(len(examples)))
    assert max(map(len, batches)) == (1 if examples.every_step else 3)


def test_the_truth_of_each_batch_is_that_of_its_rows(examples):
    for index in examples.batches(3):
        expected = np.concatenate([one_truth(examples, i) for i in index])
        np.testing.assert_array_equal(examples.truth_of(index), expected)


def test_the_places_of_all_batches_are_all_answers_once(examples):
    counts = np.zeros(examples.answered, np.int64)
    for index in examples.batches(3):
        counts[examples.places(index)] += 1
        assert len(counts[examples.places(index)]) == len(examples.truth_of(index))
    assert (counts == 1).all()


def test_the_last_step_of_an_example_is_its_last_row(examples):
    starts, lengths = examples.stretches
    walked = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)])
    firsts = examples.x_starts if hasattr(examples, "x_starts") else examples.starts
    np.testing.assert_array_equal(walked[examples.last_steps], firsts + examples.lengths_of() - 1)


def test_rows_side_by_side_end_with_zeros(examples):
    index = np.arange(len(examples))[::-1]
    x, lengths = examples.padded(index)
    assert lengths.tolist() == examples.lengths_of(index).tolist()
    firsts = examples.x_starts if hasattr(examples, "x_starts") else examples.starts
    for row, start, length in zip(x, firsts[index], lengths, strict=True):
        np.testing.assert_array_equal(row[:length], examples.x_rows[start : start + length])
        assert not row[length:].any()


def test_only_many_series_have_spreads_of_their_own():
    fleet = drawn("fleet")
    index = np.arange(len(fleet))
    expected = [fleet.spreads[number] for number in fleet.series]
    np.testing.assert_array_equal(fleet.spreads_of(index), expected)
    assert [drawn(kind).spreads_of(index) for kind in KINDS if kind != "fleet"] == [None] * 5


def test_series_hold_no_past_of_their_targets():
    assert drawn("label number").history(np.arange(1)) is None
