"""Windows over rows: the rows are stored once, and a window is the row it starts at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """N windows with their targets, as start indices into rows that are stored once.

    A series and arrays of separate windows have the same form here. From a series, `x_rows` and `y_rows` are the same
    stretch of time and windows overlap; from arrays they are the arrays joined end to end.

    Attributes:
        x_rows: float32 [M, F], in physical units.
        x_starts: int64 [N], the first row of each window.
        y_rows: float32 [M', O], in physical units.
        y_starts: int64 [N], the first target row after the *last* step of each window.
        y_stride: target rows between one step of a window and the next: 1 in a series, K in arrays.
        same_rows: row i of `y_rows` is the same moment as row i of `x_rows`, as in a series.
        steps: T.
        horizon: K.
        target_inputs: for arrays, the input channel that holds the past of each output; empty if none does.
        times: int64 [M], UTC seconds of each row of `x_rows`; None without a time column.
        firsts: int64 [S], the first row of each series, where many series lie end to end; None for one series.
        names: of those series; empty for one.
        spreads: float64 [S, O], what the error of each of those series is divided by: its own training standard
            deviation; None for one.
    """

    every_step: ClassVar[Literal[False]] = False  # a forecast is scored after its last step alone

    x_rows: Rows
    x_starts: Index
    y_rows: Rows
    y_starts: Index
    y_stride: int
    same_rows: bool
    steps: int
    horizon: int
    target_inputs: tuple[int, ...] = ()
    times: Index | None = None
    firsts: Index | None = None
    names: tuple[str, ...] = ()
    spreads: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.x_starts)

    @property
    def series(self) -> Index:
        """int64 [N]: the number of the series of each window."""
        return self.series_of()

    @property
    def x_offsets(self) -> Index:
        """int64 [T]: add them to `x_starts` to get the rows of a window."""
        return np.arange(self.steps)

    @property
    def y_offsets(self) -> Index:
        """int64 [K]: add them to `y_starts` to get the target rows after the last step."""
        return np.arange(self.horizon)

    @property
    def stretches(self) -> tuple[Index, Index]:
        """The stretches of rows over which a state is carried, each from zero: first rows and lengths, int64 [R] both.

        A state starts again with each series, after each gap, and for arrays with each window.
        """
        if not self.same_rows:
            return self.x_starts, np.full(len(self), self.steps)
        whole = np.logical_not(np.isnan(self.x_rows).any(axis=1))
        begins = whole & ~np.concatenate([[False], whole[:-1]])
        if self.firsts is not None:
            begins[self.firsts] = whole[self.firsts]
        starts = np.flatnonzero(begins)
        return starts, np.diff(np.append(np.cumsum(whole)[starts] - 1, whole.sum()))

    @property
    def last_steps(self) -> Index:
        """int64 [N]: the last step of each window, counted over `stretches` joined end to end."""
        starts, lengths = self.stretches
        last = self.x_starts + self.steps - 1
        stretch = np.searchsorted(starts, last, side="right") - 1
        return (np.cumsum(lengths) - lengths)[stretch] + last - starts[stretch]

    @property
    def answered(self) -> int:
        """The number of answers: one for each window."""
        return len(self)

    @property
    def truth_rows(self) -> Rows:
        """float32 [M', O]: all targets."""
        return self.y_rows

    def batches(self, size: int) -> Iterator[Index]:
        """List the batches of windows, int64 [n] each."""
        return (np.arange(start, min(start + size, len(self))) for start in range(0, len(self), size))

    def truth_of(self, index: Index) -> Rows:
        """Copy the targets of some windows: float32 [n, K, O]."""
        return self.y(index)

    def places(self, index: Index) -> Index | slice:
        """Give the indices of the answers to some windows."""
        return index

    def lengths_of(self, index: Index | slice = slice(None)) -> Index:
        """Give the number of steps of some windows: int64 [n], all T."""
        return np.full(len(self.x_starts[index]), self.steps, np.int64)

    def padded(self, index: Index | slice = slice(None)) -> tuple[Rows, Index]:
        """Copy windows and their lengths: float32 [n, T, F] and int64 [n]; windows need no padding."""
        return self.x(index), self.lengths_of(index)

    def spreads_of(self, index: Index) -> NDArray[np.float64] | None:
        """Give what the errors of some windows are divided by: float64 [n, O]; None for a single series."""
        return None if self.spreads is None else self.spreads[self.series_of(index)]

    def series_of(self, index: Index | slice = slice(None)) -> Index:
        """Give the number of the series of some windows: int64 [n]."""
        if self.firsts is None:
            return np.zeros(len(self.x_starts[index]), np.int64)
        return np.searchsorted(self.firsts, self.x_starts[index], side="right") - 1

    def x(self, index: Index | slice = slice(None)) -> Rows:
        """Copy windows: float32 [n, T, F]."""
        x: Rows = self.x_rows[self.x_starts[index][:, np.newaxis] + self.x_offsets]
        return x

    def times_of(self, index: Index | slice = slice(None)) -> Index | None:
        """Copy the times of windows: int64 [n, T]; None without a time column."""
        return None if self.times is None else self.times[self.x_starts[index][:, np.newaxis] + self.x_offsets]

    def y(self, index: Index | slice = slice(None)) -> Rows:
        """Copy the targets after the last step: float32 [n, K, O]."""
        y: Rows = self.y_rows[self.y_starts[index][:, np.newaxis] + self.y_offsets]
        return y

    def history(self, index: Index | slice = slice(None)) -> Rows | None:
        """Copy the target channels over the window's own steps: float32 [n, T, O].

        None for arrays whose inputs do not contain the past of the targets.
        """
        if self.target_inputs:
            return self.x(index)[..., list(self.target_inputs)]
        if not self.same_rows:
            return None
        past: Rows = self.y_rows[self.x_starts[index][:, np.newaxis] + self.x_offsets]
        return past


def from_rows(x_rows: Rows, y_rows: Rows, first: int, steps: int, horizon: int, stride: int) -> Windows:
    """Cut a stretch of a series into windows, without those that contain a missing sample.

    Args:
        x_rows: float32 [M, F], NaN where missing.
        y_rows: float32 [M, O], the same rows.
        first: the first row that may be a target after the last step; rows before it are inputs only.
        steps: T.
        horizon: K.
        stride: rows from one window to the next.

    Returns:
        The windows; none if the stretch is too short.
    """
    starts = np.arange(max(first - steps, 0), len(x_rows) - steps - horizon + 1, stride, dtype=np.int64)
    x_bad = _runs_with_a_gap(x_rows, steps)
    y_bad = _runs_with_a_gap(y_rows, horizon)
    good = ~(x_bad[starts] | y_bad[starts + steps])
    starts = starts[good]
    return Windows(x_rows, starts, y_rows, starts + steps, 1, True, steps, horizon)


def end_to_end(windows: Sequence[Windows], names: tuple[str, ...], spreads: NDArray[np.float64]) -> Windows:
    """Join the rows of many series end to end; no window reaches from one into the next.

    Args:
        windows: of one series each, cut in the same way by `from_rows`; at least one.
        names: of the series.
        spreads: float64 [S, O], what the error of each is divided by.

    Example:
        >>> small, large = (np.arange(4, dtype=np.float32)[:, np.newaxis] * size for size in (1, 100))
        >>> cut = [from_rows(rows, rows, 0, steps=2, horizon=1, stride=1) for rows in (small, large)]
        >>> both = end_to_end(cut, ("small", "large"), np.ones((2, 1)))
        >>> both.x()[..., 0].tolist(), both.series.tolist()
        ([[0.0, 1.0], [1.0, 2.0], [0.0, 100.0], [100.0, 200.0]], [0, 0, 1, 1])
    """
    first, lengths = windows[0], np.array([len(one.x_rows) for one in windows])
    firsts = np.cumsum(lengths) - lengths
    times = [one.times for one in windows if one.times is not None]
    return replace(
        first,
        x_rows=np.concatenate([one.x_rows for one in windows]),
        x_starts=np.concatenate([one.x_starts + start for one, start in zip(windows, firsts, strict=True)]),
        y_rows=np.concatenate([one.y_rows for one in windows]),
        y_starts=np.concatenate([one.y_starts + start for one, start in zip(windows, firsts, strict=True)]),
        target_inputs=next((one.target_inputs for one in windows if one.target_inputs), ()),
        times=np.concatenate(times) if times else None,
        firsts=firsts,
        names=names,
        spreads=spreads,
    )


def from_arrays(x: Rows, y: Rows, target_inputs: tuple[int, ...]) -> Windows:
    """Join arrays of separate windows end to end.

    Args:
        x: float32 [N, T, F].
        y: float32 [N, K, O], or [N, T, K, O] with targets after every step.
        target_inputs: the input channel that holds the past of each output; empty if none does.
    """
    count, steps, features = x.shape
    per_window = int(np.prod(y.shape[1:-1]))
    horizon, outputs = y.shape[-2:]
    starts = np.arange(count, dtype=np.int64)
    return Windows(
        x.reshape(-1, features),
        starts * steps,
        y.reshape(-1, outputs),
        starts * per_window + per_window - horizon,
        horizon,
        False,
        steps,
        horizon,
        target_inputs,
    )


def _runs_with_a_gap(rows: Rows, length: int) -> NDArray[np.bool_]:
    """Say for each start whether the `length` rows from there contain a missing sample: bool [M - length + 1]."""
    gaps = np.concatenate([[0], np.cumsum(np.isnan(rows).any(axis=1))])
    runs: NDArray[np.bool_] = gaps[length:] != gaps[:-length]
    return runs
