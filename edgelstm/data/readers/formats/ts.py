"""Read the .ts format of the UEA and UCR archives: each line is a series with its class.

The format is that of Bagnall et al. 2018, "The UEA multivariate time series classification archive", as the sktime
project documents it. The channels are called `dim_0`, `dim_1`, ..., the class is the column `class`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking, Stamps, TimeAsk
from edgelstm.data.readers.file import File
from edgelstm.data.readers.formats.table import Table, no_times
from edgelstm.errors import DataError, counted

CLASS = "class"
_MISSING = frozenset(("?", "NaN", "nan", "NAN"))
_SWITCHES = ("timestamps", "missing", "univariate", "equallength", "classlabel", "targetlabel")
_OTHERS = ("problemname", "dimensions", "dimension", "serieslength", "data")


@dataclass
class _Header:
    """The lines before `@data`: switches, counts and the classes."""

    switches: dict[str, bool] = field(default_factory=dict)
    dimensions: int | None = None
    length: int | None = None
    classes: tuple[str, ...] = ()


def read(file: File, asking: Asking) -> Table:
    """Read a file.

    Raises:
        DataError: an empty or ragged dimension, a broken number, an unknown class, a length or a number of dimensions
            that contradicts the header, or no `@data`; names the line.
    """
    lines = _lines(file)
    header = _header(lines, file.name)
    series: list[NDArray[np.float64]] = []
    classes: list[str] = []
    at: list[int] = []
    for number, line in lines:
        place = f"{file.name}: line {number}"
        values, name = _series(line, header, place)
        if header.dimensions is None:
            header.dimensions = values.shape[1]
        _check(values, header, place)
        series.append(values)
        classes.append(name)
        at.append(number)
        if header.switches.get("equallength"):
            header.length = header.length or len(values)
    if not series:
        raise DataError(f"{file.name}: there is no series after @data")
    return _table(file.name, series, classes if header.switches.get("classlabel") else None, at)


def _lines(file: File) -> Iterator[tuple[int, str]]:
    """Give the lines that are neither blank nor comments, with their numbers."""
    for number, line in enumerate(file.lines(), start=1):
        text = line.strip()
        if text and not text.startswith(("#", "%")):
            yield number, text


def _header(lines: Iterator[tuple[int, str]], name: str) -> _Header:
    header = _Header()
    for number, line in lines:
        place = f"{name}: line {number}"
        if not line.startswith("@"):
            raise DataError(f"{place}: expected a header line that begins with @, or @data, got {line[:40]!r}")
        key, *words = line[1:].split() or [""]
        key = key.lower() if line[1:2].strip() else ""
        if key == "data":
            return header
        _take(header, key, words, place)
    raise DataError(f"{name}: expected a line @data before the series, found none; is it a .ts file?")


def _take(header: _Header, key: str, words: list[str], place: str) -> None:
    """Take one line of the header."""
    if key in _SWITCHES:
        if not words or words[0].lower() not in ("true", "false"):
            raise DataError(f"{place}: expected true or false after @{key}, got {' '.join(words[:1])!r}")
        header.switches[key] = words[0].lower() == "true"
        if key == "classlabel":
            header.classes = tuple(words[1:])
    elif key in ("dimensions", "dimension", "serieslength"):
        if not (words and words[0].isascii() and words[0].isdigit() and int(words[0]) > 0):
            raise DataError(f"{place}: expected a whole number of at least 1 after @{key}, got {' '.join(words[:1])!r}")
        if key == "serieslength":
            header.length = int(words[0])
        else:
            header.dimensions = int(words[0])
    elif key not in _OTHERS:
        raise DataError(f"{place}: expected one of @{', @'.join(_SWITCHES + _OTHERS)}, got @{key}")
    if header.switches.get("timestamps"):
        raise DataError(f"{place}: a timestamp for each value is not supported: remove the timestamps")
    if header.switches.get("targetlabel"):
        raise DataError(f"{place}: a number for each series is not a class: only @classLabel is supported")
    if header.switches.get("classlabel") and not header.classes:
        raise DataError(f"{place}: expected the classes after @classLabel true, got none")


def _series(line: str, header: _Header, place: str) -> tuple[NDArray[np.float64], str]:
    """Read one line: float64 [T, F], and its class, empty where it is missing."""
    *dimensions, name = line.split(":") if header.switches.get("classlabel") else [*line.split(":"), ""]
    if header.switches.get("classlabel"):
        name = name.strip()
        if name not in header.classes and name not in _MISSING:
            raise DataError(f"{place}: expected one of the classes {', '.join(header.classes)}, got {name[:40]!r}")
        if not dimensions:
            raise DataError(f"{place}: expected dimensions, each followed by a colon, and a class, got {line[:40]!r}")
    columns = [_dimension(text, f"{place}: dimension {i}") for i, text in enumerate(dimensions)]
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise DataError(f"{place}: expected dimensions of one length, got {', '.join(map(str, sorted(lengths)))}")
    return np.array(columns).T, "" if name in _MISSING else name


def _dimension(text: str, place: str) -> list[float]:
    if not text.strip():
        raise DataError(f"{place} has no value: remove series of length 0")
    return [_number(word.strip(), place) for word in text.split(",")]


def _number(word: str, place: str) -> float:
    if word in _MISSING:
        return np.nan
    try:
        number = float(word) if word.isascii() and "_" not in word else np.inf
    except ValueError:
        number = np.inf
    if not abs(number) < np.inf:
        raise DataError(f"{place}: expected finite numbers, got {word[:40]!r}")
    return number


def _check(values: NDArray[np.float64], header: _Header, place: str) -> None:
    """Check a series against the header."""
    length, dimensions = values.shape
    if dimensions != header.dimensions:
        raise DataError(f"{place}: expected {counted(header.dimensions or 0, 'dimension')}, got {dimensions}")
    if header.switches.get("univariate") and dimensions != 1:
        raise DataError(f"{place}: expected one dimension as the header says, got {dimensions}")
    if header.length is not None and header.switches.get("equallength", True) and length != header.length:
        raise DataError(f"{place}: expected {header.length} values in each dimension, got {length}")
    if header.switches.get("missing") is False and np.isnan(values).any():
        raise DataError(f"{place}: a value is missing, although the header says @missing false")


class _Cells(NamedTuple):
    """The series of a file, one below the other."""

    name: str
    values: NDArray[np.float64]
    classes: list[str]
    starts: list[int]
    lines: list[int]

    def place(self, row: int) -> str:
        return f"{self.name}: line {self.lines[bisect_right(self.starts, row) - 1]}"

    def numbers(self, position: int) -> NDArray[np.float64]:
        if position == self.values.shape[1]:
            raise DataError(f"{self.name}: expected a channel, got {CLASS!r}, the column of classes")
        return self.values[:, position]

    def texts(self, position: int) -> list[str]:
        if position < self.values.shape[1]:
            raise DataError(
                f"{self.name}: expected {CLASS!r} as the column of classes, got the channel 'dim_{position}'"
            )
        lengths = np.diff([*self.starts, len(self.values)])
        return [text for text, length in zip(self.classes, lengths, strict=True) for _ in range(length)]

    def some(self, position: int, rows: list[int]) -> list[str]:
        return []  # the file has neither times nor words

    def is_text(self, position: int) -> bool:
        return bool(position == self.values.shape[1])

    def truths(self, position: int) -> tuple[str, ...]:
        return ()

    def times(self, positions: tuple[int, ...], ask: TimeAsk) -> Stamps:
        return no_times(self.name, ask)

    def remarks(self, position: int) -> tuple[str, ...]:
        return ()


def _table(name: str, series: list[NDArray[np.float64]], classes: list[str] | None, at: list[int]) -> Table:
    starts = np.cumsum([0, *(len(x) for x in series[:-1])]).tolist()
    cells = _Cells(name, np.concatenate(series), classes or [], starts, at)
    channels = tuple(f"dim_{i}" for i in range(cells.values.shape[1]))
    named = tuple((first, str(i + 1)) for i, first in enumerate(starts))
    header = channels if classes is None else (*channels, CLASS)
    return Table(name, "ts", header, cells, cells.place, channels=channels, series=named)
