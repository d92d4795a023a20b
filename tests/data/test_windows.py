"""Windows over a series, and over arrays, against a double loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.windows import end_to_end, from_arrays, from_rows

SIZES = st.integers(1, 4)


@st.composite
def stretches(draw):
    """A stretch of a series with gaps, each sample a number of its own, and how to cut it."""
    rows, features, outputs = draw(st.integers(0, 30)), draw(SIZES), draw(SIZES)
    x = np.arange(rows * features, dtype=np.float32).reshape(rows, features)
    y = -np.arange(rows * outputs, dtype=np.float32).reshape(rows, outputs) - 1
    for array in (x, y):
        for row, column in draw(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 3)), max_size=3)):
            if row < rows:
                array[row, column % array.shape[1]] = np.nan
    cut = {"steps": draw(st.integers(1, 6)), "horizon": draw(SIZES), "stride": draw(SIZES)}
    return x, y, {**cut, "first": draw(st.integers(0, 12))}


def double_loop(x, y, first, steps, horizon, stride):
    """[(window [T, F], targets behind the last step [K, O])]."""
    found = []
    start = max(first - steps, 0)
    while start + steps + horizon <= len(x):
        window = np.stack([x[start + t] for t in range(steps)])
        behind = np.stack([y[start + steps + k] for k in range(horizon)])
        if not (np.isnan(window).any() or np.isnan(behind).any()):
            found.append((window, behind))
        start += stride
    return found


def behind_every_step(windows):
    """The targets behind every step, as `y_stride` says: [N, T, K, O]."""
    back = (np.arange(windows.steps) - (windows.steps - 1)) * windows.y_stride
    return windows.y_rows[windows.y_starts[:, None, None] + back[:, None] + np.arange(windows.horizon)]


@given(stretches())
def test_windows_of_a_series_equal_a_double_loop(stretch):
    x, y, cut = stretch
    expected = double_loop(x, y, **cut)
    windows = from_rows(x, y, **cut)
    assert len(windows) == len(expected)
    assert windows.x().shape == (len(expected), cut["steps"], x.shape[1])
    assert windows.y().shape == (len(expected), cut["horizon"], y.shape[1])
    for i, (window, last) in enumerate(expected):
        np.testing.assert_array_equal(windows.x()[i], window)
        np.testing.assert_array_equal(windows.y()[i], last)


@given(stretches())
def test_the_history_of_a_series_is_the_target_up_to_the_last_step(stretch):
    x, y, cut = stretch
    windows = from_rows(x, y, **cut)
    past = windows.history()
    assert past.shape == (len(windows), cut["steps"], y.shape[1])
    for i, start in enumerate(windows.x_starts):
        np.testing.assert_array_equal(past[i], y[start : start + cut["steps"]])


@given(N=SIZES, T=SIZES, F=SIZES, K=SIZES, O=SIZES, every_step=st.booleans())
def test_windows_of_arrays_are_the_arrays(N, T, F, K, O, every_step):  # noqa: E741 (O is a shape letter)
    x = np.arange(N * T * F, dtype=np.float32).reshape(N, T, F)
    shape = (N, T, K, O) if every_step else (N, K, O)
    y = -np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    windows = from_arrays(x, y, ())
    assert len(windows) == N
    np.testing.assert_array_equal(windows.x(), x)
    np.testing.assert_array_equal(windows.y(), y[:, -1] if every_step else y)
    if every_step:
        np.testing.assert_array_equal(behind_every_step(windows), y)


@given(N=SIZES, T=SIZES, K=SIZES, every_step=st.booleans())
def test_arrays_whose_past_is_unknown_have_no_history(N, T, K, every_step):
    x = np.zeros((N, T, 1), np.float32)
    y = np.ones((N, T, K, 1) if every_step else (N, K, 1), np.float32)
    assert from_arrays(x, y, ()).history() is None


def test_the_history_of_arrays_is_taken_from_the_inputs_that_hold_it():
    x = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    windows = from_arrays(x, np.zeros((2, 5, 2), np.float32), (2, 0))
    np.testing.assert_array_equal(windows.history(), x[..., [2, 0]])
    np.testing.assert_array_equal(windows.history(slice(1, 2)), x[1:, :, [2, 0]])


def test_some_windows_can_be_taken_by_number():
    x = np.arange(10, dtype=np.float32)[:, None]
    windows = from_rows(x, x, first=0, steps=3, horizon=2, stride=1)
    index = np.array([4, 1])
    np.testing.assert_array_equal(windows.x(index)[..., 0], [[4, 5, 6], [1, 2, 3]])
    np.testing.assert_array_equal(windows.y(index)[..., 0], [[7, 8], [4, 5]])


# Stretches that a state goes over, and many series


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    gaps=st.lists(st.integers(0, 47), max_size=8),
    steps=st.integers(1, 3),
)
def test_a_state_goes_over_each_stretch_without_a_gap_and_over_no_other_row(lengths, gaps, steps):
    """Held against a walk over all rows, one by one."""
    rows = np.arange(sum(lengths), dtype=np.float32)[:, np.newaxis]
    rows[[gap for gap in gaps if gap < len(rows)]] = np.nan
    ends = np.cumsum(lengths)
    cut = [from_rows(rows[b - n : b], rows[b - n : b], 0, steps, 1, 1) for n, b in zip(lengths, ends, strict=True)]
    windows = end_to_end(cut, tuple(map(str, range(len(cut)))), np.ones((len(cut), 1)))
    walked, begun = [], False
    firsts = set((ends - lengths).tolist())
    for row, value in enumerate(rows[:, 0]):
        if np.isnan(value):
            begun = False
            continue
        if not begun or row in firsts:
            walked.append([])
        walked[-1].append(row)
        begun = True
    starts, counts = windows.stretches
    assert [list(range(s, s + n)) for s, n in zip(starts, counts, strict=True)] == walked
    order = [row for stretch in walked for row in stretch]
    assert [order[place] for place in windows.last_steps] == (windows.x_starts + steps - 1).tolist()


def test_separate_windows_are_a_stretch_each():
    windows = from_arrays(np.zeros((3, 4, 2), np.float32), np.zeros((3, 1, 2), np.float32), ())
    starts, lengths = windows.stretches
    assert (starts.tolist(), lengths.tolist()) == ([0, 4, 8], [4, 4, 4])
    assert windows.last_steps.tolist() == [3, 7, 11]


def test_a_thousand_long_series_lie_end_to_end_in_little_more_than_their_rows():
    rows = np.zeros((10_000, 1), np.float32)
    cut = [from_rows(rows, rows, 0, 100, 10, 10)] * 1000
    windows = end_to_end(cut, tuple(map(str, range(1000))), np.ones((1000, 1)))
    assert windows.x_rows.nbytes == windows.y_rows.nbytes == 40_000_000
    assert len(windows) == 1000 * 990
    assert windows.series_of(np.array([0, 989, 990, len(windows) - 1])).tolist() == [0, 0, 1, 999]
