"""Feed examples to the trainer: rows become tensors once, and a batch is gathered from them by index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from edgelstm.data.sequences import UNKNOWN, Sequences
from edgelstm.data.windows import Windows


class Batch(NamedTuple):
    """The data of one optimizer step.

    Attributes:
        x: float32 [B, T, F].
        y: float32 [B, K, targets], at every step [B, T, K, targets], NaN if unknown; for classes int64 [B] or
            [B, T], below 0 if unknown.
        lengths: int64 [B], the valid steps of each row; None: all are.
        time_s: int64 [B, T]; None for a network without a calendar.
        fresh: bool [B], which rows begin a series, from a zero state; the others continue one; None: all begin.
        spread: float32 [B, targets], of the series of each row, the unit of its error; None: there is one series.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None
    time_s: Tensor | None = None
    fresh: Tensor | None = None
    spread: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Move it to a device."""
        if device.type == "cpu":
            return self
        parts: list[Any] = [None if part is None else part.to(device, non_blocking=True) for part in self]
        return Batch(*parts)


class Share(NamedTuple):
    """The part of every batch that a process takes, if several train together.

    Attributes:
        rank: of the process, from 0.
        of: number of processes.
    """

    rank: int = 0
    of: int = 1


WHOLE = Share()


class Dataset(Protocol):
    """Gives the batch of a key, with all its examples at once."""

    def __getitem__(self, key: Any) -> Batch:
        """Gather a batch."""


class Keys(Protocol):
    """Gives the keys of the batches of an epoch, from 0."""

    def of_epoch(self, epoch: int) -> Iterator[Any]:
        """Give the keys in order."""


class Loader(NamedTuple):
    """Gathers the batches of an epoch, one by one.

    Attributes:
        dataset: gathers the examples of a key.
        keys: one per batch.
    """

    dataset: Dataset
    keys: Keys

    def of_epoch(self, epoch: int) -> Iterator[Batch]:
        """Gather the batches of an epoch, from 0."""
        return (self.dataset[key] for key in self.keys.of_epoch(epoch))


class WindowDataset:
    """Gives a whole batch of windows for a tensor of their indices."""

    def __init__(self, windows: Windows) -> None:
        self._x_starts, self._y_starts = torch.from_numpy(windows.x_starts), torch.from_numpy(windows.y_starts)
        self._x = _stretches(torch.from_numpy(windows.x_rows), windows.steps)
        self._y = _stretches(torch.from_numpy(windows.y_rows), windows.horizon)
        self._times = None if windows.times is None else torch.from_numpy(windows.times).unfold(0, windows.steps, 1)
        self._spreads = spreads_of(windows)
        self._series = torch.from_numpy(windows.series) if self._spreads is not None else None

    def __getitem__(self, index: Tensor) -> Batch:
        if not len(index):
            return without_truth(self[torch.zeros(1, dtype=torch.int64)])
        first = self._x_starts[index]
        times = None if self._times is None else self._times[first]
        spread = None if self._spreads is None or self._series is None else self._spreads[self._series[index]]
        return Batch(self._x[first], self._y[self._y_starts[index]], time_s=times, spread=spread)


def _stretches(rows: Tensor, steps: int) -> Tensor:
    """View rows [N, F] as all stretches of T steps [N - T + 1, T, F], without a copy.

    One index then selects a window: gathering 256 windows of 24 steps takes a quarter of the time of gathering rows.
    """
    along, across = rows.stride()
    return rows.as_strided((len(rows) - steps + 1, steps, rows.shape[1]), (along, along, across))


def spreads_of(windows: Windows) -> Tensor | None:
    """Give the spreads of many series, float32 [S, targets]; None for one series."""
    return None if windows.spreads is None else torch.from_numpy(windows.spreads.astype(np.float32))


class SequenceDataset:
    """Gives a batch of whole series, each with its class, for a tensor of their indices."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences
        self._targets = torch.from_numpy(sequences.targets)

    def __getitem__(self, index: Tensor) -> Batch:
        if not len(index):
            return without_truth(self[torch.zeros(1, dtype=torch.int64)])
        chosen = index.numpy()
        x, lengths = self._sequences.padded(chosen)
        times = None if self._sequences.times is None else torch.from_numpy(self._sequences.padded_times(chosen))
        return Batch(torch.from_numpy(x), self._targets[index], torch.from_numpy(lengths), times)


def without_truth(batch: Batch) -> Batch:
    """Make a batch without known targets, for a process that has no rows left while the others learn."""
    unknown = torch.nan if batch.y.is_floating_point() else UNKNOWN
    return batch._replace(y=torch.full_like(batch.y, unknown))


class Shuffled:
    """Example indices in batches; shuffled by seed and epoch alone, so that a resumed training sees the same.

    Attributes:
        drawn: how many of the examples an epoch uses, different ones in each epoch.
    """

    def __init__(
        self, count: int, batch_size: int, seed: int | None, drawn: int | None = None, share: Share = WHOLE
    ) -> None:
        """Take the number of examples, and the number in a batch of one process."""
        self._count, self._batch_size, self._seed, self._share = count, batch_size, seed, share
        self.drawn = count if drawn is None else min(drawn, count)

    def __len__(self) -> int:
        return -(-self.drawn // (self._batch_size * self._share.of))

    def of_epoch(self, epoch: int) -> Iterator[Tensor]:
        """Give the examples of each batch: int64 [B]; the share of a process may be empty."""
        order = torch.arange(self._count)
        if self._seed is not None:
            generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            order = torch.randperm(self._count, generator=generator)
        for index in torch.split(order[: self.drawn], self._batch_size * self._share.of):
            yield index.tensor_split(self._share.of)[self._share.rank]


def dataset_of(examples: Windows | Sequences) -> Dataset:
    """Make the dataset of windows, or of whole series to classify."""
    return WindowDataset(examples) if isinstance(examples, Windows) else SequenceDataset(examples)
