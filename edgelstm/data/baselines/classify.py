"""Classifiers of whole series: the most frequent class, and the nearest neighbour on channel means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.scores.score import Answerer
from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Index

Baseline = Callable[[Sequences], Answerer]


def baselines(training: Sequences, outputs: tuple[Channel, ...]) -> dict[str, Baseline]:
    """Fit every baseline of classes.

    Args:
        training: the training part.
        outputs: the channels of the contract, one for each class.

    Returns:
        Functions by name that make an answerer for sequences with the same channels.

    Example:
        >>> from edgelstm.data.sequences import lay_out
        >>> series = [np.full((2, 1), level, np.float32) for level in (0, 0, 5)]
        >>> training = lay_out(series, np.array([0, 0, 1]), every_step=False)
        >>> found = baselines(training, tuple(Channel(name, None, "float32", None) for name in ("low", "high")))
        >>> index = np.array([2])
        >>> found["majority"](training)(index).round(2).tolist(), found["nearest neighbour"](training)(index).tolist()
        ([[0.67, 0.33]], [1])
    """
    shares = np.bincount(training.targets, minlength=len(outputs)) / len(training)
    return {
        "majority": lambda sequences: lambda index: np.tile(shares, (len(index), 1)),
        "nearest neighbour": nearest_neighbour(training),
    }


def nearest_neighbour(training: Sequences) -> Baseline:
    """Answer the class, int64 [n], of the training series with the nearest channel means.

    Distances are in standard deviations of each channel over all samples, because channels have different units.
    """
    means = _means(training, np.arange(len(training)))
    scale = training.x_rows.std(axis=0, dtype=np.float64)
    scale[scale == 0] = 1.0

    def over(sequences: Sequences) -> Answerer:
        def answer(index: Index) -> Index:
            nearest = [np.argmin((((means - x) / scale) ** 2).sum(axis=1)) for x in _means(sequences, index)]
            classes: Index = training.targets[np.array(nearest, np.int64)]
            return classes

        return answer

    return over


def _means(sequences: Sequences, index: Index) -> NDArray[np.float64]:
    """Give the mean of each channel over each series: float64 [n, F]."""
    return np.stack([sequences.x(i).mean(axis=0, dtype=np.float64) for i in index])
