"""What to learn: examples of each part, and what is known about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Answer, Channel, Task, Traits, traits_of
from edgelstm.data.examples import Examples
from edgelstm.data.series import statistics
from edgelstm.data.windows import Windows
from edgelstm.reading import Reading


@dataclass(frozen=True)
class Problem:
    """Examples for training, validation and test.

    Attributes:
        name: of the run.
        task: one of `edgelstm.contract.TASKS`.
        answer: one of `edgelstm.contract.ANSWERS`.
        inputs, outputs: the channels, with the statistics of the training part.
        window: T, of a window, of a chunk of a carried series, or the largest length of a sequence.
        horizon: K; 1 without a forecast.
        training, validation, test: the examples; None without such a part.
        period_s: seconds between two samples; None without timestamps.
        season: samples in a season, for the seasonal baseline; None without one.
        data_sha256: of the files that were read; None for arrays.
        reading: how they were read, so that the next table is read the same way; None for arrays.
        report: what was found and done, in lines for people.
    """

    name: str
    task: Task
    answer: Answer
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    window: int
    horizon: int
    training: Examples
    validation: Examples | None
    test: Examples | None
    period_s: float | None = None
    season: int | None = None
    data_sha256: str | None = None
    reading: Reading | None = None
    report: tuple[str, ...] = ()

    @property
    def traits(self) -> Traits:
        """The traits of its task."""
        return traits_of(self.task)

    @property
    def held_out(self) -> dict[str, Examples]:
        """The parts that are scored, by name."""
        parts = {"validation": self.validation, "test": self.test}
        return {name: examples for name, examples in parts.items() if examples is not None}

    @property
    def many_series(self) -> bool:
        """Whether a forecast is learned from many series, each measured by its own spread."""
        return isinstance(self.training, Windows) and self.training.spreads is not None

    @property
    def own(self) -> tuple[int, ...]:
        """For each target, the input that holds its past; empty unless all targets have one."""
        names = [channel.name for channel in self.inputs]
        targets = dict.fromkeys(channel.source for channel in self.outputs)
        return tuple(names.index(name) for name in targets) if set(targets) <= set(names) else ()

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles of each target; empty if there are none."""
        first = self.outputs[0].source
        return tuple(c.quantile for c in self.outputs if c.source == first and c.quantile is not None)


def channels_of(
    names: tuple[str, ...],
    rows: NDArray[np.floating],
    units: dict[str, str],
    origins: Mapping[str, float] | None = None,
) -> tuple[Channel, ...]:
    """Describe columns by the statistics of their training samples.

    Args:
        names: of the columns.
        rows: [N, C], minus the origins.
        units: by name.
        origins: by name; None for none.
    """
    found = []
    for column, name in enumerate(names):
        origin = (origins or {}).get(name, 0.0)
        known = statistics(rows[:, column].astype(np.float64) + origin)
        found.append(Channel(name, units.get(name), "float32", known, origin=origin))
    return tuple(found)


def with_levels(targets: tuple[Channel, ...], levels: tuple[float, ...]) -> tuple[Channel, ...]:
    """Name an output for each quantile of each target; without levels the targets are the outputs.

    Example:
        >>> [c.name for c in with_levels((Channel("load", "kW", "float32", None),), (0.1, 0.9))]
        ['load q0.1', 'load q0.9']
    """
    if not levels:
        return targets
    return tuple(
        target._replace(name=f"{target.name} q{level}", quantile=level, column=target.name)
        for target in targets
        for level in levels
    )


def class_channels(classes: tuple[str, ...], column: str) -> tuple[Channel, ...]:
    """Name an output for each class of a column: its probability."""
    return tuple(Channel(name, None, "float32", None, column=column) for name in classes)
