"""Feed long series to the trainer chunk by chunk, with a carried state, as on a device.

Truncated backpropagation through time (Williams and Peng 1990): the gradient goes back to the beginning of a chunk,
the state comes from the chunk before. Several series run in parallel, in lanes; at the end of a series, a lane starts
the next one from a zero state. The beginnings of chunks are random in each epoch, so that no step of a series is always
the first that gets a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Windows
from edgelstm.train.feeding.batches import WHOLE, Batch, Share, spreads_of

Index = NDArray[np.int64]
EVALUATED_TOGETHER, EVALUATED_STEPS = 64, 2**18  # series run in parallel, and their steps in total


class SeriesRows(NamedTuple):
    """Rows in the order in which a state is carried over them.

    Attributes:
        starts, lengths: int64 [S], the rows of each series.
        x_rows: float32 [N, F].
        times: int64 [N], or None.
        targets: gives the targets of rows [B, T]: float32 [B, T, K, targets], NaN if unknown, or int64 [B, T].
        spreads: float32 [S, targets], of the series that each stretch belongs to; None: there is one series.
    """

    starts: Index
    lengths: Index
    x_rows: Tensor
    times: Tensor | None
    targets: Callable[[Tensor], Tensor]
    spreads: Tensor | None = None


def series_of(examples: Windows | Sequences, cap: Tensor | None = None, scored: bool = False) -> SeriesRows:
    """Lay out the rows for a carried state.

    Args:
        examples: windows, where each stretch of rows without a gap is a series; or sequences with a target at every
            step.
        cap: float32 [O], upper limit of the targets; None: no limit.
        scored: for windows, count only the steps after which a window has its target.
    """
    x_rows = torch.from_numpy(examples.x_rows)
    times = None if examples.times is None else torch.from_numpy(examples.times)
    if isinstance(examples, Sequences):
        return SeriesRows(examples.starts, examples.lengths, x_rows, times, _labels(examples, cap))
    starts, lengths = examples.stretches
    spreads = spreads_of(examples)
    if spreads is not None and examples.firsts is not None:
        spreads = spreads[np.searchsorted(examples.firsts, starts, side="right") - 1]
    return SeriesRows(starts, lengths, x_rows, times, _forecasts(examples, scored), spreads)


def _labels(sequences: Sequences, cap: Tensor | None) -> Callable[[Tensor], Tensor]:
    targets = torch.from_numpy(sequences.targets)
    if targets.dtype == torch.int64:
        return lambda rows: targets[rows]
    if cap is not None:
        targets = torch.minimum(targets, cap)
    return lambda rows: targets[rows][..., None, :]


def _forecasts(windows: Windows, scored: bool) -> Callable[[Tensor], Tensor]:
    """Give the targets after each row: in a series its next rows, in arrays its own K rows."""
    y_rows, ahead = torch.from_numpy(windows.y_rows), torch.arange(windows.horizon)
    ends = _ends(windows)
    counts = torch.ones(len(windows.x_rows), dtype=torch.bool)
    if scored:
        counts[:] = False
        counts[torch.from_numpy(windows.x_starts) + windows.steps - 1] = True

    def targets(rows: Tensor) -> Tensor:
        first = rows + 1 if windows.same_rows else rows * windows.y_stride
        places = first[..., None] + ahead
        inside = (places < ends[rows][..., None]) & counts[rows][..., None]
        y = y_rows[places.clamp(max=len(y_rows) - 1)]
        return y.masked_fill(~inside[..., None], torch.nan)

    return targets


def _ends(windows: Windows) -> Tensor:
    """Give the end of the targets of each row, int64 [M]: targets do not continue into the next series."""
    firsts = np.zeros(1, np.int64) if windows.firsts is None else windows.firsts
    if not windows.same_rows:
        return torch.full((len(windows.x_rows),), len(windows.y_rows))
    ends = np.append(firsts[1:], len(windows.x_rows))
    return torch.from_numpy(np.repeat(ends, ends - firsts))


class Chunk(NamedTuple):
    """Stretches that run in parallel.

    Attributes:
        starts: int64 [B], the first row of each.
        counts: int64 [B], the number of steps of each.
        fresh: bool [B], whether it begins a series.
        steps: T, the length of the longest.
    """

    starts: Index
    counts: Index
    fresh: NDArray[np.bool_]
    steps: int


class SeriesDataset:
    """Gives the batch of a chunk; after the end of a stretch x is 0 and the target unknown."""

    def __init__(self, series: SeriesRows) -> None:
        self._series = series

    def __getitem__(self, chunk: Chunk) -> Batch:
        offsets = torch.arange(chunk.steps)
        starts, counts = torch.from_numpy(chunk.starts)[:, None], torch.from_numpy(chunk.counts)[:, None]
        inside, rows = offsets < counts, starts + torch.minimum(offsets, counts - 1)
        x, y = self._series.x_rows[rows], self._series.targets(rows)
        if not inside.all():
            x[~inside] = 0
            y[~inside] = torch.nan if y.is_floating_point() else -1
        times = None if self._series.times is None else self._series.times[rows]
        return Batch(x, y, None, times, torch.from_numpy(chunk.fresh), self._spread(chunk))

    def _spread(self, chunk: Chunk) -> Tensor | None:
        if self._series.spreads is None:
            return None
        return self._series.spreads[np.searchsorted(self._series.starts, chunk.starts, side="right") - 1]


class Lanes:
    """The chunks of each epoch, drawn by seed and epoch alone; their number varies."""

    def __init__(self, series: SeriesRows, lanes: int, steps: int, seed: int, share: Share = WHOLE) -> None:
        """Take the rows to cut, the number of lanes of all processes, and the largest length of a chunk."""
        self._starts, self._lengths = series.starts, series.lengths
        self._lanes, self._steps, self._seed, self._share = lanes, steps, seed, share

    def of_epoch(self, epoch: int) -> Iterator[Chunk]:
        """Cut the chunks of an epoch; all processes have the same number, and each keeps its lanes."""
        steps, dealt = self._drawn(epoch)
        lanes = [_cut(pieces, steps) for pieces in dealt]
        lanes.sort(key=len, reverse=True)
        yield from _turns(lanes[self._share.rank :: self._share.of], len(lanes[0]))

    @property
    def most(self) -> int:
        """The number of lanes that can be filled."""
        return len(self._drawn(0)[1])

    def count(self, epochs: int) -> int:
        """Give the number of chunks in all epochs: in each epoch, those of the longest lane."""
        count = 0
        for epoch in range(epochs):
            steps, dealt = self._drawn(epoch)
            count += max(sum(-(-length // steps) for _, length in pieces) for pieces in dealt)
        return count

    def _drawn(self, epoch: int) -> tuple[int, list[list[tuple[int, int]]]]:
        """Draw the steps of a chunk in this epoch, and the pieces of each lane."""
        rng = np.random.default_rng((self._seed, epoch))
        steps = int(rng.integers(-(-self._steps // 2), self._steps + 1))
        return steps, self._deal(self._pieces(rng), rng)

    def _pieces(self, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Give (start, length) of the pieces for the lanes: whole series, or stretches of them if few and long."""
        longest = int(self._lengths.max())
        if len(self._starts) < self._lanes:
            longest = min(longest, max(self._steps, -(-int(self._lengths.sum()) // self._lanes)))
        pieces = []
        for start, length in zip(self._starts.tolist(), self._lengths.tolist(), strict=True):
            first = int(rng.integers(1, longest + 1)) if length > longest else length
            cuts = [0, *range(first, length, longest), length]
            pieces += [(start + a, b - a) for a, b in pairwise(cuts)]
        return pieces

    def _deal(self, pieces: list[tuple[int, int]], rng: np.random.Generator) -> list[list[tuple[int, int]]]:
        """Give each piece in turn to the lane with the least work.

        If series were cut, their short ends come last and share a lane. In random order, one lane ran much longer: a
        quarter of all batches had a single row.
        """
        dealt: list[list[tuple[int, int]]] = [[] for _ in range(min(self._lanes, len(pieces)))]
        load = np.zeros(len(dealt), np.int64)
        order = rng.permutation(len(pieces))
        if len(pieces) > len(self._starts):
            order = order[np.argsort([-pieces[piece][1] for piece in order], kind="stable")]
        for piece in order:
            lane = int(load.argmin())
            dealt[lane].append(pieces[piece])
            load[lane] += pieces[piece][1]
        return dealt


def _cut(pieces: list[tuple[int, int]], steps: int) -> list[tuple[int, int, bool]]:
    """Cut the pieces of a lane into chunks: (start, count, whether it begins a piece)."""
    return [
        (start + done, min(steps, length - done), done == 0)
        for start, length in pieces
        for done in range(0, length, steps)
    ]


def _turns(lanes: list[list[tuple[int, int, bool]]], turns: int) -> Iterator[Chunk]:
    """Go through lanes in parallel, the longest first, so that lanes that still run are always the first ones.

    If none is left, give a chunk without steps, so that no other process has to wait for this one.
    """
    for turn in range(turns):
        running = np.array([lane[turn] for lane in lanes if len(lane) > turn] or [(0, 0, True)], np.int64)
        starts, counts, fresh = running.T
        yield Chunk(starts, counts, fresh.astype(bool), max(1, int(counts.max())))


class Whole:
    """Every series once from beginning to end, several in parallel: for the evaluation with a carried state.

    Long series come in chunks: 64 series of 100,000 steps would take 6 GB for the gates of 64 units alone.
    """

    def __init__(self, series: SeriesRows, share: Share = WHOLE) -> None:
        """Take the series; each process runs different ones."""
        self._order = np.argsort(-series.lengths, kind="stable")[share.rank :: share.of]  # similar lengths together
        self._series = series

    def of_epoch(self, epoch: int = 0) -> Iterator[Chunk]:
        """Cut the chunks, the same in every epoch."""
        for i in range(0, len(self._order), EVALUATED_TOGETHER):
            some = self._order[i : i + EVALUATED_TOGETHER]
            pieces = zip(self._series.starts[some].tolist(), self._series.lengths[some].tolist(), strict=True)
            lanes = [_cut([piece], EVALUATED_STEPS // len(some)) for piece in pieces]
            yield from _turns(lanes, len(lanes[0]))
