"""Long series chunk by chunk: nothing is left out, nothing comes twice, and a state goes on where it should."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.sequences import lay_out
from edgelstm.data.windows import end_to_end, from_arrays, from_rows
from edgelstm.train.feeding.chunks import EVALUATED_TOGETHER, Lanes, SeriesDataset, SeriesRows, Whole, series_of

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=8)
SEEDS = st.integers(0, 1000)


def series(lengths):
    """Series of these lengths, laid end to end; each row says its own place, and so does its target."""
    ends = np.cumsum(lengths)
    x = torch.arange(ends[-1], dtype=torch.float32)[:, None]
    lengths = np.array(lengths, np.int64)
    return SeriesRows(ends - lengths, lengths, x, None, lambda rows: x[rows][..., None])


def stretches(chunks):
    """(lane, first, end, fresh, whether it fills its chunk) of every stretch, chunk after chunk."""
    return [
        [(lane, int(a), int(a + n), bool(f), int(n) == chunk.steps) for lane, (a, n, f) in enumerate(rows)]
        for chunk in chunks
        for rows in [zip(chunk.starts, chunk.counts, chunk.fresh, strict=True)]
    ]


def epoch_of(lanes, epoch):
    return list(lanes.of_epoch(epoch))


@settings(max_examples=200, deadline=None)
@given(lengths=LENGTHS, lanes=st.integers(1, 10), steps=st.integers(1, 50), seed=SEEDS, epoch=st.integers(0, 9))
def test_every_row_of_every_series_comes_once_in_an_epoch(lengths, lanes, steps, seed, epoch):
    found = series(lengths)
    chunks = epoch_of(Lanes(found, lanes, steps, seed), epoch)
    rows = [row for turn in stretches(chunks) for _, a, b, _, _ in turn for row in range(a, b)]
    assert sorted(rows) == list(range(sum(lengths)))
    assert all(0 < len(chunk.starts) <= lanes and chunk.steps <= steps for chunk in chunks)
    assert all((chunk.counts >= 1).all() and chunk.counts.max() == chunk.steps for chunk in chunks)
    lanes_of = Lanes(found, lanes, steps, seed)
    assert lanes_of.count(3) == sum(len(epoch_of(lanes_of, n)) for n in range(3))


@settings(max_examples=200, deadline=None)
@given(lengths=LENGTHS, lanes=st.integers(1, 10), steps=st.integers(1, 50), seed=SEEDS, epoch=st.integers(0, 9))
def test_a_lane_begins_from_zero_exactly_where_a_piece_begins(lengths, lanes, steps, seed, epoch):
    found = series(lengths)
    turns = stretches(epoch_of(Lanes(found, lanes, steps, seed), epoch))
    starts, bounds = set(found.starts.tolist()), [*found.starts.tolist(), sum(lengths)]
    before: dict[int, tuple[int, bool]] = {}
    for turn in turns:
        assert {lane for lane, *_ in turn} <= before.keys() or not before  # nobody joins later
        for lane, a, b, fresh, full in turn:
            # What goes on was the same lane's end, behind a chunk without padding: that state is what it begins with.
            assert fresh or before[lane] == (a, True)
            assert not any(a < bound < b for bound in bounds)  # one stretch, one series
            assert fresh or a not in starts
            before[lane] = (b, full)
    if len(lengths) >= lanes:  # there are enough: none is cut up
        assert {a for turn in turns for _, a, _, fresh, _ in turn if fresh} == starts


def test_one_long_series_fills_all_lanes():
    chunks = epoch_of(Lanes(series([10_000]), 16, 50, 0), 0)
    assert len(chunks[0].starts) == 16
    assert len(chunks) <= 2 * 10_000 / (16 * 25)


def test_no_lane_runs_on_alone_where_a_series_is_cut_up():
    lanes = Lanes(series([10_000]), 16, 50, 0)
    for epoch in range(20):
        *most, last = [len(chunk.starts) for chunk in epoch_of(lanes, epoch)]
        assert min(most) == 16
        assert last in (1, 16)


def test_an_epoch_has_chunks_of_half_the_steps_that_were_asked_for_up_to_all():
    for asked, lengths in ((10, set(range(5, 11))), (7, {4, 5, 6, 7}), (1, {1})):
        lanes = Lanes(series([400]), 1, asked, 0)
        found = {max(chunk.steps for chunk in epoch_of(lanes, epoch)) for epoch in range(80)}
        assert found == lengths


def test_chunks_are_drawn_by_the_seed():
    """Epoch by epoch: one alone may be drawn alike by chance."""
    drawn = {
        str(
            [
                chunk.starts.tolist()
                for epoch in range(4)
                for chunk in epoch_of(Lanes(series([400]), 2, 10, seed), epoch)
            ]
        )
        for seed in range(4)
    }
    assert len(drawn) == 4


def test_borders_of_chunks_differ_between_epochs_and_come_again_with_the_seed():
    lanes = Lanes(series([500, 300]), 2, 20, 7)
    borders = [{int(start) for chunk in epoch_of(lanes, epoch) for start in chunk.starts} for epoch in range(6)]
    for one, other in pairwise(borders):
        assert len(one & other) < 0.6 * len(one)
    again = Lanes(series([500, 300]), 2, 20, 7)
    assert [{int(s) for c in epoch_of(again, epoch) for s in c.starts} for epoch in (5, 0)] == [borders[5], borders[0]]
    assert {chunk.steps for epoch in range(30) for chunk in epoch_of(lanes, epoch)[:1]} >= set(range(11, 20))


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3 * EVALUATED_TOGETHER))
def test_evaluation_goes_over_each_series_once_from_its_beginning_to_its_end(lengths):
    found = series(lengths)
    chunks = list(Whole(found).of_epoch(0))
    stretched = [(int(a), int(n)) for chunk in chunks for a, n in zip(chunk.starts, chunk.counts, strict=True)]
    assert sorted(stretched) == list(zip(found.starts.tolist(), found.lengths.tolist(), strict=True))
    assert all(chunk.fresh.all() and len(chunk.starts) <= EVALUATED_TOGETHER for chunk in chunks)


def test_behind_the_end_of_a_stretch_there_is_nothing_to_learn():
    found = series([7, 3])
    batch = SeriesDataset(found)[next(Whole(found).of_epoch(0))]
    assert batch.x[..., 0].tolist() == [[0, 1, 2, 3, 4, 5, 6], [7, 8, 9, 0, 0, 0, 0]]
    assert batch.y[1, :, 0, 0].isnan().tolist() == [False] * 3 + [True] * 4
    assert batch.fresh.tolist() == [True, True]
    batch = SeriesDataset(found._replace(targets=lambda rows: rows))[next(Whole(found).of_epoch(0))]
    assert batch.y[1].tolist() == [7, 8, 9, -1, -1, -1, -1]


def all_of(examples, **options):
    """x, targets and times of every step of the one or of all series, side by side."""
    found = series_of(examples, **options)
    return SeriesDataset(found)[next(Whole(found).of_epoch(0))]


def test_behind_every_step_of_a_series_stand_the_rows_that_follow():
    rows = np.arange(20, dtype=np.float32)[:, np.newaxis]
    batch = all_of(replace(from_rows(rows, rows * 10, 0, 4, 3, 1), times=np.arange(20) * 60))
    assert batch.x[0, :, 0].tolist() == list(range(20))
    assert batch.y.shape == (1, 20, 3, 1)
    for step in range(20):
        expected = [10.0 * row if row < 20 else np.nan for row in range(step + 1, step + 4)]
        np.testing.assert_array_equal(batch.y[0, step, :, 0], np.array(expected, np.float32))
    assert batch.time_s.tolist() == [[60 * row for row in range(20)]]


def test_behind_a_gap_a_state_begins_anew_and_no_target_that_is_missing_is_learnt():
    rows = np.arange(20, dtype=np.float32)[:, np.newaxis]
    x, y = rows.copy(), rows.copy()
    x[5], y[12] = np.nan, np.nan
    batch = all_of(from_rows(x, y, 0, 4, 2, 1))
    long, short = batch.x[0, :, 0].tolist(), batch.x[1, :5, 0].tolist()
    assert long == list(range(6, 20))
    assert short == list(range(5))
    assert batch.fresh.tolist() == [True, True]
    unknown = batch.y[0, :, :, 0].isnan()
    assert [int(row) for row in batch.x[0, unknown.any(-1), 0]] == [10, 11, 18, 19]


def test_behind_the_last_rows_of_a_series_stand_no_rows_of_the_next():
    cut = [from_rows(rows, rows, 0, 3, 2, 1) for rows in np.arange(12, dtype=np.float32).reshape(2, 6, 1)]
    batch = all_of(end_to_end(cut, ("a", "b"), np.ones((2, 1))))
    assert batch.x[..., 0].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert batch.y[0, :, :, 0].isnan().tolist() == [[False, False]] * 4 + [[False, True], [True, True]]
    assert batch.y[1, 0, :, 0].tolist() == [7, 8]


def test_where_a_series_is_judged_only_the_last_step_of_each_window_counts():
    rows = np.arange(30, dtype=np.float32)[:, np.newaxis]
    windows = from_rows(rows, rows, 0, 4, 2, 5)
    batch = all_of(windows, scored=True)
    known = ~batch.y.isnan().any(-1).any(-1)[0]
    assert torch.flatten(known.nonzero()).tolist() == (windows.x_starts + 3).tolist()
    np.testing.assert_array_equal(batch.y[0, known], windows.y())


def test_separate_windows_are_a_series_each():
    x = np.arange(24, dtype=np.float32).reshape(4, 6, 1)
    y = np.arange(48, dtype=np.float32).reshape(4, 6, 2, 1)
    windows = from_arrays(x, y, ())
    batch = all_of(windows)
    np.testing.assert_array_equal(batch.x, x)
    np.testing.assert_array_equal(batch.y, y)
    judged = all_of(windows, scored=True)
    assert judged.y[:, :-1].isnan().all()
    np.testing.assert_array_equal(judged.y[:, -1], y[:, -1])


@pytest.mark.parametrize("cap", [None, 125.0])
def test_labels_are_those_of_their_rows_and_capped_where_that_is_asked_for(cap):
    rul = [np.array([[200.0], [100.0], [np.nan]], np.float32), np.array([[130.0]], np.float32)]
    examples = lay_out([np.zeros((3, 1), np.float32), np.ones((1, 1), np.float32)], rul, every_step=True)
    batch = all_of(examples, cap=None if cap is None else torch.tensor([cap]))
    top = [200.0, 130.0] if cap is None else [125.0, 125.0]
    np.testing.assert_array_equal(batch.y[..., 0, 0], [[top[0], 100, np.nan], [top[1], np.nan, np.nan]])
    np.testing.assert_array_equal(examples.targets[:, 0], [200, 100, np.nan, 130])  # the truth stays what it is


def test_classes_that_nobody_knows_stay_unknown():
    examples = lay_out([np.zeros((3, 1), np.float32)], [np.array([1, -1, 0])], every_step=True)
    assert all_of(examples).y.tolist() == [[1, -1, 0]]
