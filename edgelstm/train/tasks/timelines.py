"""Series that continue in time through training, validation and test, with the row at which each part ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from edgelstm.data.origins import find_origins
from edgelstm.data.parts import NAMES, Cut, Fleet, SeriesPart, fraction_borders, split, split_each
from edgelstm.data.readers.asking import Found
from edgelstm.data.readers.sources import digest_of, read_source
from edgelstm.data.series import Series, Stretch
from edgelstm.errors import DataError, counted
from edgelstm.recipe.asking import asking_of
from edgelstm.recipe.recipe import Recipe
from edgelstm.rhythm import samples_between
from edgelstm.train.tasks.asking import read_like
from edgelstm.train.tasks.borders import borders_of_each


class Timeline(NamedTuple):
    """A series, and the row at which each of its parts ends, in the order of `NAMES`."""

    series: Series
    borders: tuple[int, ...]

    @property
    def learnt(self) -> Stretch:
        """The training rows; none if the series begins later."""
        return Stretch(self.series, 0, self.borders[0])


@dataclass(frozen=True)
class Timelines:
    """The series in the files of a recipe.

    Attributes:
        each: the series, at least one.
        found: how the first file was read; its series are those of that file alone.
        sha256: of the files.
    """

    each: tuple[Timeline, ...]
    found: Found
    sha256: str | None

    @property
    def learnt(self) -> list[Stretch]:
        """The training rows of the series that have any."""
        return [one.learnt for one in self.each if one.borders[0]]


def read_timelines(recipe: Recipe) -> Timelines:
    """Read the series of a recipe, or join those from the files of each part.

    Raises:
        DataError: the data cannot be read, or a file does not continue the one before.
    """
    data, split_by = recipe.data, recipe.split
    if len(split_by.test_paths) > 1:
        raise DataError("split.test_path: expected one file for a forecast, got several: join them into one")
    asking = asking_of(recipe, (*data.inputs, *data.targets), data.targets)
    found = read_source(data.path, asking)
    later = [path for path in (split_by.validation_path, *split_by.test_paths) if path]
    if not later:
        each = zip(found.series, borders_of_each(recipe, found.series), strict=True)
        return _with_origins([Timeline(*one) for one in each], found, (*data.inputs, *data.targets))
    training, validation, _ = split_by.fractions
    parts = 1 if split_by.validation_path else 2
    lines = [
        Timeline(one, fraction_borders(len(one.values), training, validation, 0.0)[:parts]) for one in found.series
    ]
    for path in later:
        lines = _go_on(lines, read_like(found, path, asking).series, bool(split_by.overlap))
    return _with_origins(lines, found, (*data.inputs, *data.targets))


def cut_timelines(
    lines: Timelines, inputs: tuple[str, ...], targets: tuple[str, ...], cut: Cut
) -> list[SeriesPart | Fleet]:
    """Cut the parts of one series, or of many, into windows."""
    if len(lines.each) == 1:
        (one,) = lines.each
        return list(split(one.series, inputs, targets, one.borders, cut))
    series, borders = zip(*lines.each, strict=True)
    return list(split_each(series, inputs, targets, borders, cut))


def part_lines(lines: Timelines, parts: Sequence[SeriesPart | Fleet]) -> tuple[str, ...]:
    """Describe the parts, in lines for people."""
    rows = sum(len(one.series.values) for one in lines.each)
    told = [f"{len(lines.each)} series, {rows:,} rows" if len(lines.each) > 1 else f"{rows:,} rows"]
    told += [_part_line(part) for part in parts]
    absent = [name for name in NAMES if name not in [part.name for part in parts]]
    if absent:
        told.append(f"no {' and no '.join(absent)} part")
    left = sum(len(one.series.values) - one.borders[-1] for one in lines.each)
    if left and len(lines.each) == 1:
        (one,) = lines.each
        told.append(f"not used: rows {one.borders[-1] + 1} to {len(one.series.values)}")
    elif left:
        told.append(f"not used: the last rows of each series, {left:,} in total")
    return tuple(told)


def _part_line(part: SeriesPart | Fleet) -> str:
    if isinstance(part, SeriesPart):
        return f"{part.name}: rows {part.start + 1} to {part.end}, {counted(len(part.windows), 'window')}"
    rows = sum(one.end - one.start for one in part.stretches)
    line = f"{part.name}: {len(part.stretches)} series, {rows:,} rows, {counted(len(part.windows), 'window')}"
    if part.short:
        line += f"; {part.short} series skipped, too short for a window"
    if part.broken:
        line += f"; {part.broken} series skipped, every window contains a gap"
    return line


def _with_origins(lines: list[Timeline], found: Found, names: tuple[str, ...]) -> Timelines:
    """Give all series the origins found in their training rows."""
    channels = tuple(name for name in found.series[0].names if name in names)
    learnt = [replace(one.series, values=one.series.values[: one.borders[0]]) for one in lines]
    origins = find_origins(learnt, channels)
    each = [one._replace(series=replace(one.series, origins=origins)) if origins else one for one in lines]
    return Timelines(tuple(each), found, digest_of([one.series for one in each]))


def _go_on(lines: list[Timeline], later: Sequence[Series], overlap: bool) -> list[Timeline]:
    """Append the series of a file to those of the same name; a new name starts a series."""
    if len(lines) == len(later) == 1:  # regardless of the file names
        later = [replace(later[0], name=lines[0].series.name)]
    begun, parts = {one.series.name: one for one in lines}, len(lines[0].borders)
    for series in later:
        before = begun.get(series.name)
        if before is None:
            begun[series.name] = Timeline(series, (0,) * parts)
        else:
            begun[series.name] = before._replace(series=_append(before.series, series, overlap))
    return [one._replace(borders=(*one.borders, len(one.series.values))) for one in begun.values()]


def _append(first: Series, second: Series, overlap: bool) -> Series:
    """Join two files; windows may only span both if the second continues in time."""
    time = None
    if second.sha256 in (first.sha256 or "").split("+"):
        raise DataError("split: the same file is given for two parts; held-out data must be different data")
    if first.time is not None and second.time is not None and second.time[0] <= first.time[-1]:
        raise DataError(
            f"split: expected the files in time order, but one begins at {second.time[0]}, before the end of the "
            f"previous one ({first.time[-1]})"
        )
    if first.time is not None and second.time is not None:
        steps = _steps_between(first, second)
        if overlap and steps != 1:
            raise DataError(
                f"overlap: expected the next file to continue one sample after the previous one, got {steps:g} samples "
                "after it: omit --overlap"
            )
        time = np.concatenate([first.time, second.time])
    return replace(
        first,
        values=np.concatenate([first.values, second.values]),
        time=time,
        sha256=f"{first.sha256}+{second.sha256}",
    )


def _steps_between(first: Series, second: Series) -> float:
    """Count the samples from the last of a file to the first of the next."""
    if first.time is None or second.time is None or first.rhythm is None:
        return 1.0
    return float(samples_between(first.time[-1:], second.time[:1], first.rhythm)[0])
