"""The data of an epoch: windows, whole sequences, or chunks of series with a carried state."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from edgelstm.data.windows import Windows
from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.train.feeding.batches import WHOLE, Loader, Share, Shuffled, dataset_of
from edgelstm.train.feeding.chunks import Lanes, SeriesDataset, Whole, series_of
from edgelstm.train.problem import Problem

EVALUATION_BATCH = 512


class Feed(NamedTuple):
    """The data of a training.

    Attributes:
        training, validation: give the batches of an epoch; None without validation data.
        steps: optimizer steps in the whole training.
        samples: in one epoch, in all processes.
        unit: of these samples: `"windows"`, `"sequences"`, or `"steps"` of series.
        shares: the largest number of processes that can share an epoch.
    """

    training: Loader
    validation: Loader | None
    steps: int
    samples: int
    unit: str
    shares: int


def feed_of(problem: Problem, training: TrainingRecipe, every_step: bool, share: Share = WHOLE) -> Feed:
    """Make the loaders of a training.

    Args:
        problem: gives the examples.
        training: gives batch size, epochs and seed.
        every_step: the network answers at every step, with a carried state.
        share: the part of this process in a batch, which has `batch_size` rows per process.
    """
    if every_step:
        return _feed_of_series(problem, training, share)
    learnt, held_out = problem.training, problem.validation
    shuffled = Shuffled(len(learnt), training.batch_size, training.seed, training.epoch_windows, share)
    validation = None
    if held_out is not None:
        validation = Loader(dataset_of(held_out), Shuffled(len(held_out), EVALUATION_BATCH, None, None, share))
    unit = "windows" if isinstance(learnt, Windows) else "sequences"
    shares = -(-shuffled.drawn // training.batch_size)
    steps = training.epochs * len(shuffled)
    return Feed(Loader(dataset_of(learnt), shuffled), validation, steps, shuffled.drawn, unit, shares)


def _feed_of_series(problem: Problem, training: TrainingRecipe, share: Share) -> Feed:
    cap = _cap(problem)
    series = series_of(problem.training, cap)
    lanes = Lanes(series, training.batch_size * share.of, problem.window, training.seed, share)
    validation = None
    if problem.validation is not None:
        whole = series_of(problem.validation, cap, scored=True)
        validation = Loader(SeriesDataset(whole), Whole(whole, share))
    loader, samples = Loader(SeriesDataset(series), lanes), int(series.lengths.sum())
    return Feed(loader, validation, lanes.count(training.epochs), samples, "steps", lanes.most)


def _cap(problem: Problem) -> Tensor | None:
    """Give the upper limits of the targets: float32 [O]."""
    if all(channel.cap is None for channel in problem.outputs):
        return None
    return torch.tensor([channel.ceiling for channel in problem.outputs], dtype=torch.float32)
