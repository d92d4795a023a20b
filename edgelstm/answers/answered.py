"""Answers: values, with their channels, rows and times."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.windows import Index


class Places(NamedTuple):
    """Rows and times of some samples.

    Attributes:
        rows: int64 [N], of the series, from 0; those of a forecast come after its last row.
        times: datetime64[us] [N], UTC; None without times, or if the sample period is unknown.
    """

    rows: Index
    times: NDArray[np.datetime64] | None


class Answers(NamedTuple):
    """The answers for one series: N answers in order of time; the K steps of a forecast follow each other.

    Attributes:
        name: of the series; empty if the table is one series.
        channels: of the values, with their names and units: the outputs of the contract.
        values: [N, O] in the physical units of the channels, float32, or float64 if a channel has an origin; for
            classes the probabilities.
        at: the samples that are answered; None for a whole series that is classified.
        origins: for a forecast, the last sample seen by each answer; else None.
        steps: for a forecast, int64 [N], the number of steps after it, 1 to K; else None.
        classes: the names of the most probable classes; None for numbers.
        notes: what was skipped, one line each.
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
    """The answers for the samples of one or many series.

    Attributes:
        series: the series with an answer, at least one.
        notes: what was skipped and why, one line each.
    """

    series: tuple[Answers, ...]
    notes: tuple[str, ...]
