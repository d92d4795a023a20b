"""Feed long series to the trainer chunk by chunk, so that a state is carried over them as a device carries it.

Truncated backpropagation through time (Williams and Peng 1990): the gradient goes back to the beginning of a chunk,
the state comes from the chunk before. Several series run side by side, in lanes; a lane that has ended its series
begins the next from a zero state. Where chunks begin is drawn anew in each epoch, so that no step of a series is always
the first that feels a gradient.
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
EVALUATED_TOGETHER, EVALUATED_STEPS = 64, 2**18  # series side by side, and steps of them all at once


class SeriesRows(NamedTuple):
    """Rows in the order in which a state goes over them.

    Attributes:
        starts, lengths: int64 [S], which of the rows belong to each series.
        x_rows: float32 [N, F].
        times: int64 [N], or None.
        targets: gives what belongs to rows [B, T]: float32 [B, T, K, targets], NaN where unknown, or int64 [B, T].
        spreads: float32 [S, targets], of the series that each of these is a stretch of; None: all are of one.
    """

    starts: Index
    lengths: Index
    x_rows: Tensor
    times: Tensor | None
    targets: Callable[[Tensor], Tensor]
    spreads: Tensor | None = None


def series_of(examples: Windows | Sequences, cap: Tensor | None = None, scored: bool = False) -> SeriesRows:
    """Lay out what a state is carried over.

    Args:
        examples: windows, of whose rows each stretch without a gap is a series; or sequences with a target at every
            step.
        cap: float32 [O], where numbers to learn are clipped; None: nowhere.
        scored: of a series of windows, only the step behind which a window has its target counts.
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
    """What follows behind each row: in a series its next rows, in arrays the K that lie there for it."""
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
    """Say where the targets of each row end: those of a series do not go on with the next: int64 [M]."""
    firsts = np.zeros(1, np.int64) if windows.firsts is None else windows.firsts
    if not windows.same_rows:
        return torch.full((len(windows.x_rows),), len(windows.y_rows))
    ends = np.append(firsts[1:], len(windows.x_rows))
    return torch.from_numpy(np.repeat(ends, ends - firsts))


class Chunk(NamedTuple):
    """Stretches that are run side by side.

    Attributes:
        starts: int64 [B], the row where each begins.
        counts: int64 [B], how many steps it has.
        fresh: bool [B], it begins a series.
        steps: T, as long as the longest.
    """

    starts: Index
    counts: Index
    fresh: NDArray[np.bool_]
    steps: int


class SeriesDataset:
    """Gives the batch of a chunk; behind the end of a stretch x is 0 and the target unknown."""

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
    """The chunks of each epoch, drawn by seed and epoch alone; their number differs."""

    def __init__(self, series: SeriesRows, lanes: int, steps: int, seed: int, share: Share = WHOLE) -> None:
        """Take what to cut, into how many lanes of all processes, and into how long chunks at most."""
        self._starts, self._lengths = series.starts, series.lengths
        self._lanes, self._steps, self._seed, self._share = lanes, steps, seed, share

    def of_epoch(self, epoch: int) -> Iterator[Chunk]:
        """Cut the chunks of an epoch; each process has as many, and keeps its lanes."""
        steps, dealt = self._drawn(epoch)
        lanes = [_cut(pieces, steps) for pieces in dealt]
        lanes.sort(key=len, reverse=True)
        yield from _turns(lanes[self._share.rank :: self._share.of], len(lanes[0]))

    @property
    def most(self) -> int:
        """How many lanes can be filled."""
        return len(self._drawn(0)[1])

    def count(self, epochs: int) -> int:
        """How many chunks so many epochs have: in each, those of the longest lane."""
        count = 0
        for epoch in range(epochs):
            steps, dealt = self._drawn(epoch)
            count += max(sum(-(-length // steps) for _, length in pieces) for pieces in dealt)
        return count

    def _drawn(self, epoch: int) -> tuple[int, list[list[tuple[int, int]]]]:
        """The steps of a chunk in this epoch, and the pieces of each lane."""
        rng = np.random.default_rng((self._seed, epoch))
        steps = int(rng.integers(-(-self._steps // 2), self._steps + 1))
        return steps, self._deal(self._pieces(rng), rng)

    def _pieces(self, rng: np.random.Generator) -> list[tuple[int, int]]:
        """(start, length) of what a lane takes whole: series; where they are few and long, stretches of them."""
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
        """Give each piece in turn to the lane that has least to do.

        Where series were cut, their short ends come last and share a lane. In any order, one lane ran on alone: a
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
    """Go through lanes side by side, the longest first, so that those which still run are always the first ones.

    Where none runs any more, there is a chunk without a step: no other process need wait for this one.
    """
    for turn in range(turns):
        running = np.array([lane[turn] for lane in lanes if len(lane) > turn] or [(0, 0, True)], np.int64)
        starts, counts, fresh = running.T
        yield Chunk(starts, counts, fresh.astype(bool), max(1, int(counts.max())))


class Whole:
    """Every series once from its beginning to its end, some side by side: how a carried state is evaluated.

    Long ones come in chunks: 64 series of 100,000 steps each would take 6 GB for the gates of 64 units alone.
    """

    def __init__(self, series: SeriesRows, share: Share = WHOLE) -> None:
        """Take the series, of which each process runs others."""
        self._order = np.argsort(-series.lengths, kind="stable")[share.rank :: share.of]  # alike lengths side by side
        self._series = series

    def of_epoch(self, epoch: int = 0) -> Iterator[Chunk]:
        """Cut the chunks, the same in every epoch."""
        for i in range(0, len(self._order), EVALUATED_TOGETHER):
            some = self._order[i : i + EVALUATED_TOGETHER]
            pieces = zip(self._series.starts[some].tolist(), self._series.lengths[some].tolist(), strict=True)
            lanes = [_cut([piece], EVALUATED_STEPS // len(some)) for piece in pieces]
            yield from _turns(lanes, len(lanes[0]))
