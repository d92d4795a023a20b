"""What the tasks to classify and to label share: many series, or one long one, dealt out to the parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgelstm.data.classes import class_of
from edgelstm.data.deal import Stretch, Wanted, deal, in_time, sequences_of, whole
from edgelstm.data.origins import find_origins
from edgelstm.data.parts import NAMES
from edgelstm.data.readers.read import read_many
from edgelstm.data.sequences import Sequences
from edgelstm.data.series import Series
from edgelstm.errors import DataError
from edgelstm.train.recipe import Recipe
from edgelstm.train.tasks.borders import borders_of


@dataclass(frozen=True)
class Dealt:
    """Which series, or stretches of one, belong to each part.

    Attributes:
        parts: by name, those that there are, training first.
        period_s: seconds between two samples; None without timestamps.
        sha256: of the files.
        report: what was found, in lines for people.
        origins: of the columns, by name; see `edgelstm.data.origins`.
    """

    parts: dict[str, tuple[Stretch, ...]]
    period_s: float | None
    sha256: str | None
    report: tuple[str, ...]
    origins: dict[str, float]

    @property
    def training(self) -> list[Series]:
        """The rows that training learns from, one series for each stretch."""
        return [_cut(stretch) for stretch in self.parts["training"]]


def deal_out(recipe: Recipe, columns: tuple[str, ...], label: str | None) -> Dealt:
    """Read the files of a recipe and deal their series out.

    Whole series where there are many, each class in the same shares; one long series is split in time.

    Args:
        recipe: says where the files are and how to split.
        columns: to read, beside the label.
        label: the column of classes; None where there are none.

    Raises:
        DataError: the data cannot be read, or does not suffice for the parts that are asked for.
    """
    split, classify = recipe.split, recipe.task == "classify"
    series = _read(recipe, recipe.data.path, columns, label)
    files = {"validation": split.validation_path and (split.validation_path,), "test": split.test_paths}
    held_out = {
        part: tuple(one for path in paths for one in _read(recipe, path, columns, label))
        for part, paths in files.items()
        if paths
    }
    _refuse_the_same_file([series, *held_out.values()])
    if len(series) == 1 and not classify:
        parts = in_time(series[0], borders_of(recipe, series[0]))
    else:
        if split.borders:
            raise DataError(f"split.borders: {len(series)} series are dealt out whole: give fractions")
        labels = [class_of(one) for one in series] if classify else ()
        parts = {name: whole(dealt) for name, dealt in deal(series, split.fractions, split.seed, labels).items()}
    parts = {name: parts.get(name, ()) + whole(held_out.get(name, ())) for name in NAMES}
    with_origins = columns if recipe.data.cap is None else recipe.data.features  # a cap is that of the whole value
    origins = find_origins([_cut(stretch) for stretch in parts["training"]], with_origins)
    return Dealt(
        {name: _with_origins(stretches, origins) for name, stretches in parts.items() if stretches},
        _period(series, held_out),
        _sha256([*series, *(one for found in held_out.values() for one in found)]),
        _report(series),
        origins,
    )


def lay_out_parts(dealt: Dealt, wanted: Wanted) -> tuple[dict[str, Sequences], tuple[str, ...]]:
    """Lay the series of each part out; and say what was found, in lines for people.

    Raises:
        DataError: no series is left in a part, or its classes are unknown to training.
    """
    found, report = {}, dealt.report
    for name, stretches in dealt.parts.items():
        found[name], lines = sequences_of(stretches, wanted, name)
        report += lines
    absent = [name for name in NAMES if name not in found]
    return found, (*report, f"no {' and no '.join(absent)} part") if absent else report


def _read(recipe: Recipe, path: str, columns: tuple[str, ...], label: str | None) -> tuple[Series, ...]:
    data = recipe.data
    return read_many(
        path, columns, data.time, series=data.series, label=label, resample=data.resample, kind=data.format
    )


def _refuse_the_same_file(parts: Sequence[Sequence[Series]]) -> None:
    """What is held out must be other data, however often a file is given for one part."""
    digests = [digest for part in parts for digest in {one.sha256 for one in part}]
    if len(set(digests)) < len(digests):
        raise DataError("split: the same file is given for two parts; held-out data must be other data")


def _with_origins(stretches: tuple[Stretch, ...], origins: dict[str, float]) -> tuple[Stretch, ...]:
    if not origins:
        return stretches
    return tuple(stretch._replace(series=replace(stretch.series, origins=origins)) for stretch in stretches)


def _cut(stretch: Stretch) -> Series:
    series, start, end = stretch
    labels = None if series.labels is None else series.labels[start:end]
    return Series(series.names, series.values[start:end], None, series.period_s, None, series.name, labels)


def _period(series: Sequence[Series], held_out: dict[str, tuple[Series, ...]]) -> float | None:
    """The seconds between two samples, the same in all files."""
    first = series[0].period_s
    for found in held_out.values():
        other = found[0].period_s
        if first and other and not np.isclose(first, other, rtol=0.02):  # as far as clocks are off
            raise DataError(
                f"expected files with one sample every {first:g} s as in training, got one every {other:g} s"
            )
    return first


def _sha256(series: Sequence[Series]) -> str | None:
    digests = dict.fromkeys(one.sha256 for one in series if one.sha256)
    return "+".join(digests) or None


def _report(series: Sequence[Series]) -> tuple[str, ...]:
    rows, period = sum(len(one.values) for one in series), series[0].period_s
    every = f", one every {period:g} s" if period else ""
    return (f"{len(series)} series, {rows} rows{every}" if len(series) > 1 else f"{rows} rows{every}",)
