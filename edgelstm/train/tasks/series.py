"""Common to the tasks that learn from series: many, or one long one, are assigned to the parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgelstm.data.classes import class_of
from edgelstm.data.deal import Wanted, deal, in_time, sequences_of, whole
from edgelstm.data.origins import find_origins
from edgelstm.data.parts import NAMES
from edgelstm.data.readers.asking import Asking, Found
from edgelstm.data.readers.beside import Asked, texts_beside
from edgelstm.data.readers.sources import digest_of, files_of, read_source
from edgelstm.data.sequences import Sequences
from edgelstm.data.series import Series, Stretch
from edgelstm.errors import DataError
from edgelstm.recipe.recipe import Recipe
from edgelstm.train.tasks.asking import Categories, some, tables_beside
from edgelstm.train.tasks.borders import borders_of


@dataclass(frozen=True)
class Dealt:
    """The series, or stretches of one, in each part.

    Attributes:
        parts: existing parts by name, training first.
        found: how the first source was read; its series are those of that source alone.
        sha256: of the files.
        report: what was found, in lines for people.
        origins: of the columns, by name; see `edgelstm.data.origins`.
    """

    parts: dict[str, tuple[Stretch, ...]]
    found: Found
    sha256: str | None
    report: tuple[str, ...]
    origins: dict[str, float]

    @property
    def training(self) -> list[Series]:
        """The training rows, one series per stretch."""
        return [_cut(stretch) for stretch in self.parts["training"]]

    @property
    def all_series(self) -> list[Series]:
        """Every series, once."""
        stretches = [stretch for some in self.parts.values() for stretch in some]
        return list({id(stretch.series): stretch.series for stretch in stretches}.values())

    @property
    def period_s(self) -> float | None:
        """Seconds between two samples; None without timestamps."""
        return self.found.series[0].period_s

    @property
    def categories(self) -> Categories:
        """The words of each text column."""
        return self.found.categories

    @property
    def longest(self) -> int:
        """The largest number of samples in a series."""
        return max(stretch.end - stretch.start for some in self.parts.values() for stretch in some)


def deal_out(recipe: Recipe, asking: Asking) -> Dealt:
    """Read the sources of a recipe, and assign their series to the parts.

    Many series are assigned as a whole, each class in the same proportions, or by groups; one long series is split in
    time.

    Args:
        recipe: says where the files are and how to split.
        asking: the request for each table.

    Raises:
        DataError: the data cannot be read, or is too little for the requested parts.
    """
    split = recipe.split
    found = _read(recipe, recipe.data.path, asking)
    like = replace(asking, like=found.reading, categories=found.categories)
    files = {"validation": split.validation_path and (split.validation_path,), "test": split.test_paths}
    held_out = {
        part: tuple(one for path in paths for one in _read(recipe, path, like).series)
        for part, paths in files.items()
        if paths
    }
    series = found.series
    _refuse_the_same_file([series, *held_out.values()])
    if len(series) == 1 and not recipe.traits.whole_series:
        if split.groups is not None:
            raise DataError("split.groups needs several series; one series is split in time: remove it")
        parts = in_time(series[0], borders_of(recipe, series[0]))
    else:
        if split.borders:
            raise DataError(
                f"split.borders needs one series, got {len(series)}, which are split as whole series: give fractions"
            )
        parts = {name: whole(dealt) for name, dealt in _dealt(recipe, series).items()}
    parts = {name: parts.get(name, ()) + whole(held_out.get(name, ())) for name in NAMES}
    columns = tuple(name for name in series[0].names if recipe.data.cap is None or name not in recipe.data.targets)
    origins = find_origins(
        [_cut(stretch) for stretch in parts["training"]], columns
    )  # a cap applies to the whole value
    return Dealt(
        {name: _with_origins(stretches, origins) for name, stretches in parts.items() if stretches},
        found,
        digest_of([*series, *(one for more in held_out.values() for one in more)]),
        _report(series, found),
        origins,
    )


def lay_out_parts(dealt: Dealt, wanted: Wanted) -> tuple[dict[str, Sequences], tuple[str, ...]]:
    """Lay out the series of each part, and describe them in lines for people.

    Raises:
        DataError: no series is left in a part, or it has classes that training lacks.
    """
    found: dict[str, Sequences] = {}
    report: tuple[str, ...] = ()
    for name, stretches in dealt.parts.items():
        found[name], lines = sequences_of(stretches, wanted, name)
        report += lines
    absent = [name for name in NAMES if name not in found]
    return found, (*report, f"no {' and no '.join(absent)} part") if absent else report


def _read(recipe: Recipe, path: str, asking: Asking) -> Found:
    """Read a source; if a whole series has one class, each with its class."""
    found = read_source(path, asking, tables_beside(recipe))
    if not recipe.traits.whole_series or asking.label is not None:
        return found
    names, files = [one.name for one in found.series], files_of(path, tables_beside(recipe))
    if recipe.data.labels is not None:
        column = recipe.data.targets[0] if recipe.data.targets else None
        asked = Asked("class", "--labels", ("label", "class", "target"), column, "--target")
        classes = texts_beside(recipe.data.labels, names, asked)
    else:
        classes = tuple(file.parent.name for file in files or ())
    pairs = zip(found.series, classes, strict=True)
    return replace(found, series=tuple(replace(one, labels=(text,) * len(one.values)) for one, text in pairs))


def _dealt(recipe: Recipe, series: tuple[Series, ...]) -> dict[str, tuple[Series, ...]]:
    """Hold out the series of the given groups, and split the rest."""
    split = recipe.split
    by_group: dict[str, tuple[Series, ...]] = {}
    rest = series
    if split.groups is not None:
        by_group, rest = _grouped(recipe, series)
    labels = [class_of(one) for one in rest] if recipe.traits.whole_series else ()
    parts = deal(rest, split.fractions, split.seed, labels)
    return {name: parts.get(name, ()) + by_group.get(name, ()) for name in NAMES}


def _grouped(recipe: Recipe, series: tuple[Series, ...]) -> tuple[dict[str, tuple[Series, ...]], tuple[Series, ...]]:
    """Hold out the series of some groups, and give the others."""
    split = recipe.split
    asked = Asked("group", "--groups", ("group", "groups"), split.group, "--group")
    groups = texts_beside(split.groups or "", [one.name for one in series], asked)
    held_out = {"validation": split.validation_groups, "test": split.test_groups}
    for part, names in held_out.items():
        for name in names:
            if name not in groups:
                known = sorted(set(groups))
                raise DataError(f"split.{part}_groups: unknown group {name!r}; the groups are {some(known)}")
    pairs = list(zip(series, groups, strict=True))
    found = {part: tuple(one for one, group in pairs if group in names) for part, names in held_out.items()}
    rest = tuple(one for one, group in pairs if group not in (*split.validation_groups, *split.test_groups))
    if not rest:
        raise DataError("split: every group is held out, none is left for training")
    return found, rest


def _refuse_the_same_file(parts: Sequence[Sequence[Series]]) -> None:
    """Check that held-out data is different data; one part may contain a file more than once."""
    digests = [digest for part in parts for digest in {one.sha256 for one in part}]
    if len(set(digests)) < len(digests):
        raise DataError("split: the same file is given for two parts; held-out data must be different data")


def _with_origins(stretches: tuple[Stretch, ...], origins: dict[str, float]) -> tuple[Stretch, ...]:
    if not origins:
        return stretches
    return tuple(stretch._replace(series=replace(stretch.series, origins=origins)) for stretch in stretches)


def _cut(stretch: Stretch) -> Series:
    series, start, end = stretch
    labels = None if series.labels is None else series.labels[start:end]
    return Series(series.names, series.values[start:end], None, series.period_s, None, series.name, labels)


def _report(series: Sequence[Series], found: Found) -> tuple[str, ...]:
    rows = sum(len(one.values) for one in series)
    return (*found.notes, f"{len(series)} series, {rows:,} rows" if len(series) > 1 else f"{rows:,} rows")
