"""Feed windows to the trainer: rows are tensors once, a batch is gathered from them by index."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from edgelstm.data.windows import Windows


class WindowDataset(Dataset[tuple[Tensor, Tensor]]):
    """Gives a whole batch for a tensor of window numbers."""

    def __init__(self, windows: Windows, every_step: bool) -> None:
        self._x_rows, self._x_starts = torch.from_numpy(windows.x_rows), torch.from_numpy(windows.x_starts)
        self._y_rows, self._y_starts = torch.from_numpy(windows.y_rows), torch.from_numpy(windows.y_starts)
        self._x_offsets = torch.from_numpy(windows.x_offsets)
        self._y_offsets = torch.from_numpy(windows.y_offsets_every_step if every_step else windows.y_offsets)

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        x_starts, y_starts = self._x_starts[index], self._y_starts[index]
        x = self._x_rows[x_starts[:, None] + self._x_offsets]
        y = self._y_rows[y_starts.view(-1, *[1] * self._y_offsets.ndim) + self._y_offsets]
        return x, y


class Batches(Sampler[Tensor]):
    """Window numbers in batches; shuffled by seed and epoch alone, so that a resumed training sees the same."""

    def __init__(self, count: int, batch_size: int, seed: int | None) -> None:
        self._count, self._batch_size, self._seed = count, batch_size, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Told by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._count // self._batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        # A generator: a resumed training makes the iterator before it tells the epoch, and draws from it after.
        order = torch.arange(self._count)
        if self._seed is not None:
            generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
            order = torch.randperm(self._count, generator=generator)
        yield from torch.split(order, self._batch_size)


def batches(windows: Windows, batch_size: int, every_step: bool, seed: int | None) -> DataLoader[tuple[Tensor, Tensor]]:
    """Make a loader of batches (x float32 [B, T, F], y float32 [B, K, O] or [B, T, K, O]).

    Args:
        windows: what to serve.
        batch_size: the last batch may be smaller.
        every_step: targets behind every step.
        seed: shuffles each epoch; None keeps the order.
    """
    return DataLoader(
        WindowDataset(windows, every_step), sampler=Batches(len(windows), batch_size, seed), batch_size=None
    )
