"""What an epoch is fed with: windows, whole sequences, or chunks of series whose state is carried on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from edgelstm.data.windows import Windows
from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.train.feeding.batches import Loader, Shuffled, dataset_of
from edgelstm.train.feeding.chunks import Lanes, SeriesDataset, Whole, series_of
from edgelstm.train.problem import Problem

EVALUATION_BATCH = 512
TOGETHER, TOGETHER_BYTES = 16, 2**26  # batches that Lightning is handed at once, fewer of large ones


class Feed(NamedTuple):
    """What a training eats.

    Attributes:
        training, validation: loaders; None without validation data.
        steps: of the optimizer, in the whole training.
        samples: that one epoch goes over.
        unit: what those are: `"windows"`, `"sequences"`, or `"steps"` of series.
    """

    training: Loader
    validation: Loader | None
    steps: int
    samples: int
    unit: str


def feed_of(problem: Problem, training: TrainingRecipe, every_step: bool) -> Feed:
    """Make the loaders of a training.

    Args:
        problem: gives the examples.
        training: tells batch size, epochs and seed.
        every_step: the network answers at every step, and its state is carried on.
    """
    learnt, held_out = problem.training, problem.validation
    if every_step:
        cap = _cap(problem)
        series = series_of(learnt, cap)
        lanes = Lanes(series, training.batch_size, problem.window, training.seed)
        validation = None
        if held_out is not None:
            whole = series_of(held_out, cap, scored=True)
            validation = Loader(SeriesDataset(whole), Whole(whole), 1)
        loader = Loader(SeriesDataset(series), lanes, _together(problem, training.batch_size, problem.window))
        return Feed(loader, validation, lanes.count(training.epochs), int(series.lengths.sum()), "steps")
    shuffled = Shuffled(len(learnt), training.batch_size, training.seed, training.epoch_windows)
    loader = Loader(dataset_of(learnt), shuffled, _together(problem, training.batch_size, 1))
    validation = None
    if held_out is not None:
        validation = Loader(dataset_of(held_out), Shuffled(len(held_out), EVALUATION_BATCH, None), 1)
    unit = "windows" if isinstance(learnt, Windows) else "sequences"
    return Feed(loader, validation, training.epochs * len(shuffled), shuffled.drawn, unit)


def _together(problem: Problem, rows: int, answered: int) -> int:
    """How many batches of so many rows, with targets at so many steps, are gathered before the first is learned from.

    A batch of 256 windows of 321 channels with 720 steps ahead has 270 MB: sixteen would not fit into many memories.
    """
    numbers = problem.window * len(problem.inputs) + answered * problem.horizon * len(problem.outputs)
    return max(1, min(TOGETHER, TOGETHER_BYTES // (4 * rows * numbers)))


def _cap(problem: Problem) -> Tensor | None:
    """Where numbers to learn are clipped: float32 [O]."""
    if all(channel.cap is None for channel in problem.outputs):
        return None
    return torch.tensor([channel.ceiling for channel in problem.outputs], dtype=torch.float32)
