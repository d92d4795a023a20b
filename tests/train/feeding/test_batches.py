"""Batches are gathered from rows that are kept once: every example once in an epoch, in an order of seed and epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.sequences import UNKNOWN, lay_out
from edgelstm.data.windows import from_arrays, from_rows
from edgelstm.train.feeding.batches import Loader, Share, Shuffled, WindowDataset, dataset_of


def drawn(shuffled, epoch):
    return [batch.tolist() for batch in shuffled.of_epoch(epoch)]


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 50), size=st.integers(1, 60), seed=st.none() | st.integers(0, 2**31), epoch=st.integers(0, 99)
)
def test_an_epoch_names_every_example_once(count, size, seed, epoch):
    shuffled = Shuffled(count, size, seed)
    batches = drawn(shuffled, epoch)
    named = [number for batch in batches for number in batch]
    assert sorted(named) == list(range(count))
    assert len(batches) == len(shuffled)
    assert all(len(batch) == size for batch in batches[:-1])
    if seed is None:
        assert named == list(range(count))


def test_an_order_is_that_of_seed_and_epoch_alone():
    one, other = Shuffled(40, 7, 3), Shuffled(40, 7, 3)
    torch.manual_seed(1)
    first = [drawn(one, epoch) for epoch in range(4)]
    torch.manual_seed(2)
    assert [drawn(other, epoch) for epoch in (3, 1, 2, 0)] == [first[epoch] for epoch in (3, 1, 2, 0)]
    assert len({str(batches) for batches in (*first, drawn(Shuffled(40, 7, 4), 0))}) == 5


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 50), size=st.integers(1, 9), of=st.integers(1, 5), epoch=st.integers(0, 9))
def test_processes_share_the_batches_of_one_that_takes_as_many_times_more(count, size, of, epoch):
    whole = drawn(Shuffled(count, size * of, 7), epoch)
    shares = [drawn(Shuffled(count, size, 7, share=Share(rank, of)), epoch) for rank in range(of)]
    assert [[n for part in parts for n in part] for parts in zip(*shares, strict=True)] == whole
    assert all(len(part) <= size for parts in shares for part in parts)
    assert all(len(Shuffled(count, size, 7, share=Share(rank, of))) == len(whole) for rank in range(of))


def windows(times=False):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)).astype(np.float32), rng.normal(size=(60, 1)).astype(np.float32)
    found = from_rows(x, y, 0, 8, 3, 2)
    return replace(found, times=np.arange(60) * 60 + 5) if times else found


@pytest.mark.parametrize("times", [False, True])
def test_a_batch_of_windows_is_those_windows(times):
    examples, index = windows(times), torch.tensor([4, 0, 4, 20])
    batch = dataset_of(examples)[index]
    np.testing.assert_array_equal(batch.x, examples.x(index.numpy()))
    np.testing.assert_array_equal(batch.y, examples.y(index.numpy()))
    assert batch.lengths is None
    assert batch.fresh is None
    assert (batch.time_s is not None) == times
    if times:
        np.testing.assert_array_equal(batch.time_s, examples.times_of(index.numpy()))


@pytest.mark.parametrize("times", [False, True])
def test_a_batch_of_sequences_is_those_sequences_with_their_lengths(times):
    lengths = (3, 9, 1, 5)
    series = [np.full((n, 2), n, np.float32) for n in lengths]
    stamps = [1000 * n + np.arange(n) for n in lengths] if times else None
    examples = lay_out(series, np.array([2, 0, 1, 2]), every_step=False, times=stamps)
    batch = dataset_of(examples)[torch.tensor([2, 0, 3])]
    assert batch.lengths.tolist() == [1, 3, 5]
    assert batch.y.tolist() == [1, 2, 2]
    assert batch.x[..., 0].tolist() == [[1, 0, 0, 0, 0], [3, 3, 3, 0, 0], [5, 5, 5, 5, 5]]
    if times:
        assert batch.time_s[1, :3].tolist() == [3000, 3001, 3002]


def test_a_loader_gathers_the_batches_that_are_named():
    examples = windows()
    keys = Shuffled(len(examples), 4, 1)
    x = torch.cat([batch.x for batch in Loader(WindowDataset(examples), keys).of_epoch(3)])
    np.testing.assert_array_equal(x, examples.x(np.concatenate(drawn(keys, 3))))


def test_a_process_that_is_left_without_rows_learns_nothing():
    sequences = lay_out([np.ones((n, 2), np.float32) for n in (3, 9)], np.array([2, 0]), every_step=False)
    for examples in (windows(), sequences):
        batch = dataset_of(examples)[torch.zeros(0, dtype=torch.int64)]
        assert len(batch.x) == 1
        assert batch.y.isnan().all() or batch.y.tolist() == [UNKNOWN]


def test_there_is_no_copy_of_all_windows():
    """A thousand windows of a thousand steps over one series would be a thousand times its rows."""
    rows = np.zeros((2_000, 4), np.float32)
    for examples in (
        from_rows(rows, rows, 0, 999, 1, 1),
        from_arrays(np.zeros((200, 100, 4), np.float32), np.zeros((200, 1, 1), np.float32), ()),
    ):
        dataset = WindowDataset(examples)
        assert dataset._x_rows.data_ptr() == examples.x_rows.ctypes.data
        assert dataset._y_rows.data_ptr() == examples.y_rows.ctypes.data
        largest = max(len(examples.x_rows), len(examples.y_rows)) * 4
        held = [value for value in vars(dataset).values() if isinstance(value, torch.Tensor)]
        assert max(tensor.numel() for tensor in held) <= largest
