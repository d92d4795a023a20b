"""Sequences: many series of different lengths, joined end to end, with a class for each or a target at every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.windows import Index, Rows
from edgelstm.errors import InputError

Targets = NDArray[Any]
UNKNOWN = -1  # stands for an unknown class


@dataclass(frozen=True)
class Sequences:
    """S series with their targets, as stretches of rows that are stored once.

    Attributes:
        x_rows: float32 [M, F], in physical units.
        starts: int64 [S], the first row of each series.
        lengths: int64 [S], its rows.
        targets: to classify, int64 [S], the class of each series; with `every_step` int64 [M], the class of each
            row, `UNKNOWN` where unknown, or float32 [M, O], numbers in physical units, NaN where unknown, not clipped
            at a cap.
        every_step: there is a target at every row (to label), not one for each series (to classify).
        steps: the longest window allowed.
        names: of the series, for people.
        times: int64 [M], UTC seconds of each row; None without a time column.
    """

    x_rows: Rows
    starts: Index
    lengths: Index
    targets: Targets
    every_step: bool
    steps: int
    names: tuple[str, ...]
    times: Index | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def rows(self, i: int) -> slice:
        """Give the rows of one series."""
        return slice(int(self.starts[i]), int(self.starts[i] + self.lengths[i]))

    def x(self, i: int) -> Rows:
        """View one series: float32 [T, F]."""
        return self.x_rows[self.rows(i)]

    def times_of(self, i: int) -> Index | None:
        """View the times of one series: int64 [T]; None without a time column."""
        return None if self.times is None else self.times[self.rows(i)]

    def truth(self, i: int) -> Targets:
        """View the targets of one series: int64 [T] or float32 [T, O] at every step, or its class, int64 []."""
        return self.targets[self.rows(i)] if self.every_step else self.targets[i, ...]

    @property
    def answered(self) -> int:
        """The number of answers: one for each row; to classify, one for each series."""
        return len(self.x_rows) if self.every_step else len(self)

    @property
    def truth_rows(self) -> Targets:
        """All targets, see `targets`."""
        return self.targets

    @property
    def stretches(self) -> tuple[Index, Index]:
        """The rows over which a state is carried, each series from zero: first rows and lengths, int64 [S] both."""
        return self.starts, self.lengths

    @property
    def last_steps(self) -> Index:
        """int64 [S]: the last step of each series, counted over `stretches` joined end to end."""
        return np.cumsum(self.lengths) - 1

    def batches(self, size: int) -> Iterator[Index]:
        """List the batches of series, int64 [n] each; to label, one series at a time."""
        size = 1 if self.every_step else size
        return (np.arange(start, min(start + size, len(self))) for start in range(0, len(self), size))

    def truth_of(self, index: Index) -> Targets:
        """Copy the classes of some series, int64 [n]; to label, give the `truth` of the single series in `index`."""
        return self.truth(int(index[0])) if self.every_step else self.targets[index]

    def places(self, index: Index) -> Index | slice:
        """Give the indices of the answers to some series; to label, the rows of the single series in `index`."""
        return self.rows(int(index[0])) if self.every_step else index

    def lengths_of(self, index: Index | slice = slice(None)) -> Index:
        """Give the number of rows of some series: int64 [n]."""
        return self.lengths[index]

    def history(self, index: Index | slice = slice(None)) -> None:
        """None: a series does not contain the past of its targets."""

    def spreads_of(self, index: Index) -> None:
        """None: errors are divided by the spread of the channels."""

    def padded(self, index: Index | slice = slice(None)) -> tuple[Rows, Index]:
        """Copy series into one batch, the shorter ones padded with zeros at the end.

        Args:
            index: int64 [n], which series.

        Returns:
            x: float32 [n, T, F], T that of the longest.
            lengths: int64 [n].
        """
        offsets, lengths = self._offsets(index)
        rows = self.starts[index][:, np.newaxis] + offsets
        inside = offsets < lengths[:, np.newaxis]
        x: Rows = self.x_rows[np.where(inside, rows, 0)]
        x[~inside] = 0
        return x, lengths

    def padded_times(self, index: Index | slice = slice(None)) -> Index:
        """Copy times as `padded` copies samples, padded with the last one: int64 [n, T].

        Raises:
            InputError: these series have no times.
        """
        if self.times is None:
            raise InputError("these series have no times: read them with a timestamp column")
        offsets, lengths = self._offsets(index)
        times: Index = self.times[self.starts[index][:, np.newaxis] + np.minimum(offsets, lengths[:, np.newaxis] - 1)]
        return times

    def _offsets(self, index: Index | slice) -> tuple[Index, Index]:
        lengths = self.lengths[index]
        return np.arange(lengths.max(initial=0)), lengths


def lay_out(
    series: Sequence[Rows],
    targets: Sequence[Targets] | Targets,
    *,
    every_step: bool,
    names: tuple[str, ...] = (),
    steps: int | None = None,
    times: Sequence[Index] | None = None,
) -> Sequences:
    """Join series end to end.

    Args:
        series: float32 [T, F] each, T may differ.
        targets: to classify, the class of each series, int64 [S]; with `every_step` for each series int64 [T], the
            class of each row, or float32 [T, O].
        every_step: see `Sequences`.
        names: of the series; empty: their numbers from 1.
        steps: the longest window allowed; None: the longest series.
        times: int64 [T] for each series, UTC seconds.

    Raises:
        InputError: no series, a series without samples, different numbers of channels, targets that do not fit.

    Example:
        >>> series = [np.ones((2, 1), np.float32), np.full((3, 1), 2, np.float32)]
        >>> sequences = lay_out(series, np.array([0, 1]), every_step=False)
        >>> x, lengths = sequences.padded()
        >>> x[..., 0].tolist(), lengths.tolist()
        ([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]], [2, 3])
    """
    names = names or tuple(str(i + 1) for i in range(len(series)))
    _check(series, targets, every_step, names)
    lengths = np.array([len(x) for x in series], np.int64)
    return Sequences(
        np.concatenate(series, dtype=np.float32),
        np.cumsum(lengths) - lengths,
        lengths,
        np.concatenate(list(targets)) if every_step else np.asarray(targets, np.int64),
        every_step,
        int(lengths.max()) if steps is None else steps,
        names,
        None if times is None else np.concatenate(list(times)),
    )


def _check(
    series: Sequence[Rows], targets: Sequence[Targets] | Targets, every_step: bool, names: tuple[str, ...]
) -> None:
    if not len(series) == len(targets) == len(names) or len(series) == 0:
        raise InputError(
            f"expected at least one series, each with targets and a name, got {len(series)} series, "
            f"{len(targets)} targets and {len(names)} names"
        )
    for x, target, name in zip(series, targets, names, strict=True):
        if x.ndim != 2 or x.shape[1] != series[0].shape[-1]:
            raise InputError(f"series {name}: expected [T, {series[0].shape[-1]}] as in the first, got {list(x.shape)}")
        if len(x) == 0:
            raise InputError(f"series {name} has no samples: remove it")
        if every_step and len(target) != len(x):
            raise InputError(f"series {name}: expected a target for each of its {len(x)} rows, got {len(target)}")
