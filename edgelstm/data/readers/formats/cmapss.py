"""Read NASA's turbofan degradation data (C-MAPSS): text without a header, 26 columns, many engines.

Saxena et al. 2008, "Damage propagation modeling for aircraft engine run-to-failure simulation". The columns are
`unit`, `cycle`, `setting_1` to `setting_3`, `sensor_1` to `sensor_21`, and `rul`, the remaining cycles: a `train_`
file runs to the failure of each engine; for a `test_` file the `RUL_` file beside it has the remaining cycles at the
last row of each engine, and those of earlier rows are unknown.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking, Stamps, TimeAsk
from edgelstm.data.readers.columns.fields import parse_numbers
from edgelstm.data.readers.file import File, load
from edgelstm.data.readers.formats.table import Table, no_times
from edgelstm.errors import DataError, counted

COLUMNS = (
    "unit",
    "cycle",
    *(f"setting_{i}" for i in range(1, 4)),
    *(f"sensor_{i}" for i in range(1, 22)),
)
RUL = "rul"


class _Cells(NamedTuple):
    """The words of a file."""

    path: Path
    lines: list[int]
    words: list[list[str]]
    starts: list[int]

    def place(self, row: int) -> str:
        return f"{self.path.name}: line {self.lines[row]}"

    def numbers(self, position: int) -> NDArray[np.float64]:
        if position == len(COLUMNS):
            return _rul(self.path, self.starts, len(self.lines))
        return parse_numbers(self.words[position], COLUMNS[position], self.place)

    def texts(self, position: int) -> list[str]:
        if position == len(COLUMNS):
            raise DataError(f"{self.path.name}: {RUL!r} holds numbers, not classes")
        return self.words[position]

    def some(self, position: int, rows: list[int]) -> list[str]:
        texts = self.texts(position)
        return [texts[row] for row in rows]

    def is_text(self, position: int) -> bool:
        return False

    def truths(self, position: int) -> tuple[str, ...]:
        return ()

    def times(self, positions: tuple[int, ...], ask: TimeAsk) -> Stamps:
        return no_times(self.path.name, ask)

    def remarks(self, position: int) -> tuple[str, ...]:
        return ()


def read(file: File, asking: Asking) -> Table:
    """Read a file.

    Raises:
        DataError: a line without 26 numbers, an engine that appears again, cycles that do not count up; names the line.
    """
    if file.path is None:
        raise DataError(f"{file.name}: expected a file, got a stream: {RUL!r} is read from the file beside it")
    lines, fields = _fields(file, len(COLUMNS))
    cells = _Cells(file.path, lines, [list(words) for words in zip(*fields, strict=True)], [])
    cells.starts.extend(_starts(file.name, cells.words[0], cells.numbers(1), lines))
    named = tuple((first, cells.words[0][first]) for first in cells.starts)
    return Table(file.name, "cmapss", (*COLUMNS, RUL), cells, cells.place, channels=COLUMNS[2:], series=named)


def _fields(file: File, count: int) -> tuple[list[int], list[list[str]]]:
    """The line numbers, and the words of each line."""
    lines, fields = [], []
    for number, line in enumerate(file.lines(), start=1):
        words = line.split()
        if words and len(words) != count:
            raise DataError(f"{file.name}: line {number}: expected {counted(count, 'column')}, got {len(words)}")
        if words:
            lines.append(number)
            fields.append(words)
    if not fields:
        raise DataError(f"{file.name}: the table is empty")
    return lines, fields


def _starts(name: str, units: list[str], cycles: NDArray[np.float64], lines: list[int]) -> list[int]:
    """The first row of each engine; its cycles count 1, 2, 3, ..."""
    starts, seen = [], set()
    for row, unit in enumerate(units):
        if row == 0 or unit != units[row - 1]:
            if unit in seen:
                raise DataError(f"{name}: line {lines[row]}: engine {unit} appears again after another engine")
            seen.add(unit)
            starts.append(row)
        expected = row - starts[-1] + 1
        if cycles[row] != expected:
            raise DataError(
                f"{name}: line {lines[row]}: expected cycle {expected} of engine {unit}, got {cycles[row]:g}"
            )
    return starts


def _rul(path: Path, starts: list[int], rows: int) -> NDArray[np.float64]:
    """The remaining cycles at each row, NaN where they are unknown."""
    ends = np.array([*starts[1:], rows])
    kind, _, rest = path.name.partition("_")
    if kind == "train":
        return np.repeat(ends, np.diff([0, *ends])) - 1.0 - np.arange(rows)
    if kind != "test":
        raise DataError(
            f"{path.name}: expected a file name that begins with train_ or test_: it says whether the engines run to "
            f"failure, which {RUL!r} depends on"
        )
    truth = path.with_name(f"RUL_{rest}")
    if not truth.is_file():
        raise DataError(f"{path.name}: expected {truth.name} beside it, with {RUL!r} of the last rows")
    lines, fields = _fields(load(truth), 1)
    if len(lines) != len(starts):
        raise DataError(f"{truth.name}: expected {len(starts)} lines, one for each engine, got {len(lines)}")
    rul = np.full(rows, np.nan)
    rul[ends - 1] = parse_numbers([words[0] for words in fields], RUL, lambda row: f"{truth.name}: line {lines[row]}")
    return rul
