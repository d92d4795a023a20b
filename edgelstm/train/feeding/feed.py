"""What an epoch is fed with: windows, whole sequences, or chunks of series whose state is carried on."""

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
    """What a training eats.

    Attributes:
        training, validation: give the batches of an epoch; None without validation data.
        steps: of the optimizer, in the whole training.
        samples: that one epoch goes over, in all processes.
        unit: what those are: `"windows"`, `"sequences"`, or `"steps"` of series.
        shares: among how many processes an epoch can be shared.
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
        training: tells batch size, epochs and seed.
        every_step: the network answers at every step, and its state is carried on.
        share: what this process takes of a batch, which has `batch_size` rows for each process.
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
    """Where numbers to learn are clipped: float32 [O]."""
    if all(channel.cap is None for channel in problem.outputs):
        return None
    return torch.tensor([channel.ceiling for channel in problem.outputs], dtype=torch.float32)
