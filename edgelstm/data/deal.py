"""Deal whole series out to parts, or split one long series in time, and make sequences of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.classes import class_numbers, class_of
from edgelstm.data.parts import NAMES, fraction_borders
from edgelstm.data.rows import rows_of, seconds_of
from edgelstm.data.sequences import UNKNOWN, Sequences, Targets, lay_out
from edgelstm.data.series import Series, Stretch
from edgelstm.data.windows import Index, Rows
from edgelstm.errors import DataError


@dataclass(frozen=True)
class Wanted:
    """What sequences should contain.

    Attributes:
        inputs: the channels to use as inputs.
        targets: the channels of numbers to label; empty with classes.
        classes: of the training part, in order; empty with numbers.
        every_step: to label, not to classify.
        missing: a policy of `edgelstm.data.gaps`.
        steps: the longest window allowed; None: the longest series.
        times: keep the time of each row.
        max_gap: the longest gap to fill, in samples; None: no limit.
        categories: the inputs that are 1 or 0 for one word of a text column.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    classes: tuple[str, ...]
    every_step: bool
    missing: str
    steps: int | None = None
    times: bool = False
    max_gap: int | None = None
    categories: tuple[str, ...] = ()


def whole(series: Sequence[Series]) -> tuple[Stretch, ...]:
    """Take complete series as stretches."""
    return tuple(Stretch(one, 0, len(one.values)) for one in series)


def in_time(series: Series, borders: Sequence[int]) -> dict[str, tuple[Stretch, ...]]:
    """Split one long series in time.

    Args:
        series: the complete series.
        borders: the row at which each part ends, in the order of `edgelstm.data.parts.NAMES`; equal borders make
            no part.

    Raises:
        DataError: borders out of order or outside.
    """
    edges = (0, *borders)
    if list(edges) != sorted(edges) or edges[-1] > len(series.values) or edges[1] == 0:
        raise DataError(
            f"split: expected ascending borders within {len(series.values)} rows and a training part, got {edges[1:]}"
        )
    pairs = zip(NAMES, edges[:-1], edges[1:], strict=False)
    return {name: (Stretch(series, start, end),) for name, start, end in pairs if end > start}


def deal(
    series: Sequence[Series], fractions: tuple[float, float, float], seed: int, classes: Sequence[str] = ()
) -> dict[str, tuple[Series, ...]]:
    """Deal whole series out to training, validation and test, each class in the same proportion.

    Args:
        series: at least one; within a part they keep their order.
        fractions: of training, validation and test.
        seed: the same seed always gives the same parts.
        classes: of each series; empty if they have none. Each class has at least one series in training.

    Returns:
        The parts whose fraction is above 0, training first.

    Raises:
        DataError: a part would be empty, or training too small for one series of each class.

    Example:
        >>> names = [Series((), np.zeros((1, 0)), None, None, None, name) for name in "abcdef"]
        >>> parts = deal(names, (0.5, 0.5, 0), 0, ["x", "x", "x", "x", "y", "y"])
        >>> {part: "".join(one.name for one in dealt) for part, dealt in parts.items()}
        {'training': 'ace', 'validation': 'bdf'}
    """
    borders = (0, *fraction_borders(len(series), *fractions))
    place = _places(list(classes) or [""] * len(series), np.random.default_rng(seed))
    order = np.argsort(place, kind="stable")
    if borders[1] < len(set(classes)):
        raise DataError(
            f"split: {borders[1]} training series cannot contain all {len(set(classes))} classes: give more series, "
            "or a larger training fraction"
        )
    parts = {}
    for name, fraction, start, end in zip(NAMES, fractions, borders[:-1], borders[1:], strict=True):
        if fraction > 0 and start == end:
            raise DataError(f"split: {len(series)} series are too few to fill the {name} part; give more series")
        if fraction > 0:
            parts[name] = tuple(series[i] for i in np.sort(order[start:end]))
    return parts


def _places(classes: list[str], rng: np.random.Generator) -> NDArray[np.float64]:
    """Spread the series of each class evenly from 0 to 1; the first of each class gets -1, which is in training."""
    place = np.empty(len(classes))
    for name in sorted(set(classes)):
        mine = rng.permutation([i for i, other in enumerate(classes) if other == name])
        place[mine] = (np.arange(len(mine)) + rng.random(len(mine))) / len(mine)
        place[mine[0]] = -1.0
    return place


def sequences_of(stretches: Sequence[Stretch], wanted: Wanted, part: str) -> tuple[Sequences, tuple[str, ...]]:
    """Make sequences of stretches of series.

    A sample that is missing and could not be filled splits a series to label in two; a series to classify is then
    skipped. Answers at filled inputs are not scored: outside of training, rows whose inputs were missing have no truth.

    Args:
        stretches: of one part, at least one.
        wanted: what they should contain.
        part: one of `edgelstm.data.parts.NAMES`.

    Returns:
        The sequences, and lines that describe them for people.

    Raises:
        DataError: no series is left, no truth is known, a class is missing or unknown to training.

    Example:
        >>> values = np.array([[1.0, 4.0], [np.nan, 5.0], [3.0, np.nan]])
        >>> pump = Series(("heat", "load"), values, None, None, None, "pump")
        >>> wanted = Wanted(("heat",), ("load",), (), every_step=True, missing="interpolate")
        >>> for part in ("training", "test"):
        ...     found, report = sequences_of(whole([pump]), wanted, part)
        ...     print(report, found.x(0).ravel(), found.truth(0).ravel())
        ('training: 1 series, 3 rows, 1 of them without a known truth',) [1. 2. 3.] [ 4.  5. nan]
        ('test: 1 series, 3 rows, 2 of them without a known truth',) [1. 2. 3.] [ 4. nan nan]
    """
    pieces = [piece for stretch in stretches for piece in _pieces(stretch, wanted, part)]
    if not pieces:
        raise DataError(f"every series of the {part} part has a missing sample; give --missing interpolate")
    times = [piece.times for piece in pieces if piece.times is not None]
    sequences = lay_out(
        [piece.x for piece in pieces],
        [piece.truth for piece in pieces],
        every_step=wanted.every_step,
        names=_names(pieces),
        steps=wanted.steps,
        times=times if wanted.times else None,
    )
    return sequences, _report(sequences, part, len(stretches) - len({id(piece.series) for piece in pieces}))


class _Piece(NamedTuple):
    """A stretch without gaps: x [T, F], its truth and its times."""

    series: Series
    x: Rows
    truth: Targets
    times: Index | None


def _pieces(stretch: Stretch, wanted: Wanted, part: str) -> list[_Piece]:
    series, start, end = stretch
    if end <= start:
        raise DataError(f"series {series.name} has no samples: remove it")
    x, gaps = rows_of(
        series, wanted.inputs, start, end, wanted.missing, max_gap=wanted.max_gap, categories=wanted.categories
    )
    times = seconds_of(series, start, end)
    good = ~np.isnan(x).any(axis=1)
    if not wanted.every_step:
        truth = class_numbers([class_of(series)], wanted.classes, part)[0]
        return [_Piece(series, x, truth, times)] if good.all() else []
    truth = _truth(stretch, wanted, part)
    if part != "training":
        truth[gaps] = UNKNOWN if wanted.classes else np.nan
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]])))
    return [
        _Piece(series, x[a:b], truth[a:b], None if times is None else times[a:b])
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]


def _truth(stretch: Stretch, wanted: Wanted, part: str) -> Targets:
    series, start, end = stretch
    if wanted.classes:
        return class_numbers((series.labels or ())[start:end], wanted.classes, part)
    return rows_of(series, wanted.targets, start, end, "drop")[0]


def _names(pieces: list[_Piece]) -> tuple[str, ...]:
    """Name each piece after its series, with a number where gaps split the series into several."""
    counts = Counter(id(piece.series) for piece in pieces)
    seen: Counter[int] = Counter()
    names = []
    for piece in pieces:
        seen[id(piece.series)] += 1
        several = counts[id(piece.series)] > 1
        names.append(f"{piece.series.name} ({seen[id(piece.series)]})" if several else piece.series.name)
    return tuple(names)


def _report(sequences: Sequences, part: str, lost: int) -> tuple[str, ...]:
    targets, rows = sequences.targets, int(sequences.lengths.sum())
    line = f"{part}: {len(sequences)} series, {rows} rows"
    if sequences.every_step:
        unknown = int((targets == UNKNOWN).sum() if targets.ndim == 1 else np.isnan(targets).any(axis=1).sum())
        if unknown == rows:
            raise DataError(f"the {part} part has no row with a known truth")
        line += f", {unknown} of them without a known truth" if unknown else ""
    if lost:
        return line, f"{part}: {lost} series skipped because of missing samples"
    return (line,)
