"""What is answered: values, with the channels, the rows and the times that they are about."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.windows import Index


class Places(NamedTuple):
    """Where some samples lie.

    Attributes:
        rows: int64 [N], of the series, from 0; those of a forecast lie behind its last.
        times: datetime64[us] [N], UTC; None without times, or where nobody knows what lies between two samples.
    """

    rows: Index
    times: NDArray[np.datetime64] | None


class Answers(NamedTuple):
    """What is answered for one series, N answers in the order of time; the K steps of a forecast one behind the other.

    Attributes:
        name: of the series; empty where a table is one.
        channels: of the values, with their names and units: the outputs of the contract.
        values: [N, O] in the physical units of the channels, float32, or float64 where one has an origin; of classes
            their probabilities.
        at: which samples are answered; None for a whole series that is classified.
        origins: of a forecast the last sample that was seen, for each answer; else None.
        steps: of a forecast int64 [N], how many samples behind it, from 1 to K; else None.
        classes: the names of the likeliest; None of numbers.
        notes: what was left out, in lines for people.
    """

    name: str
    channels: tuple[Channel, ...]
    values: NDArray[Any]
    at: Places | None = None
    origins: Places | None = None
    steps: Index | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


class Answered(NamedTuple):
    """What is answered for the samples of one series or many.

    Attributes:
        series: those that have an answer, at least one.
        notes: what was left out, and why, in lines for people.
    """

    series: tuple[Answers, ...]
    notes: tuple[str, ...]
