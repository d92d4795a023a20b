"""Look up the class or the group of each series in a separate table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.formats import ENDINGS, read_table
from edgelstm.data.readers.formats.table import Table
from edgelstm.errors import DataError

KEYS = ("file", "filename", "file_name", "path", "name", "series")
SHOWN = 3


class Asked(NamedTuple):
    """What to look for in a table.

    Attributes:
        what: the word for it in a message, `"class"`.
        option: the option that gives the table, `"--labels"`.
        columns: possible names of the column that holds it.
        column: its name, if given; None: one of `columns`, or the other one of two.
        column_option: the option that gives the column.
    """

    what: str
    option: str
    columns: tuple[str, ...]
    column: str | None
    column_option: str


def texts_beside(path: str | Path, names: Sequence[str], asked: Asked) -> tuple[str, ...]:
    r"""Look up the text of each series in a table.

    A row belongs to a series if its key is the name of the series or of its file, with or without folders and ending,
    or the number at the end of the name: `1` belongs to `RSS_1.csv`. Rows of other series are ignored.

    Args:
        path: a table with a column of series or file names, the first column if no header says so.
        names: of the series, each once.
        asked: what to look for.

    Returns:
        A text for each name.

    Raises:
        DataError: no such table or column, or a series with no text or with two.

    Example:
        >>> import tempfile
        >>> table = Path(tempfile.mkdtemp()) / "labels.csv"
        >>> _ = table.write_text("file,label\nwave/a.csv,wave\nwave/b.csv,circle\n")
        >>> texts_beside(table, ("a", "b"), Asked("class", "--labels", ("label",), None, "--target"))
        ('wave', 'circle')
    """
    table = read_table(path, Asking())
    key, value = _columns(table, asked)
    said: dict[str, str] = {}
    for row, (name, text) in enumerate(zip(table.texts(key), table.texts(value), strict=True)):
        if said.setdefault(name, text) != text:
            raise DataError(f"{table.place(row)}: {name!r} is {said[name]!r} in a row above and {text!r} here")
    for of_key, of_name in _WAYS:
        keys = _unambiguous([(of_key(name), text) for name, text in said.items()])
        mine = [of_name(name) for name in names]
        if len(set(mine)) == len(mine) and all(keys.get(one) for one in mine):
            return tuple(keys[one] for one in mine)
    raise DataError(f"{asked.option} {path}: {_missing(names, said, asked.what)}")


def _columns(table: Table, asked: Asked) -> tuple[str, str]:
    """Find the column of names and the column to look up."""
    columns = table.columns
    key = next((name for name in columns if name.strip().lower() in KEYS), columns[0])
    others = [name for name in columns if name != key]
    if asked.column is not None and (asked.column in columns or asked.column.isdigit()):
        table.require(asked.column)
        return key, asked.column
    called = [name for name in others if name.strip().lower() in asked.columns]
    found = called or others
    if len(found) == 1:
        return key, found[0]
    raise DataError(
        f"{table.name}: expected a column with the {asked.what} of each series, the table has {', '.join(columns)}: "
        f"name it with {asked.column_option}"
    )


def _whole(name: str) -> str:
    return name.strip()


def _without_ending(name: str) -> str:
    path = PurePosixPath(name.strip().replace("\\", "/"))
    bare = path.with_name(path.name.removesuffix(".gz")) if path.name else path
    return str(bare.with_suffix("") if bare.suffix.lower() in ENDINGS else bare)


def _stem(name: str) -> str:
    return PurePosixPath(_without_ending(name)).name


def _number(name: str) -> str:
    """The number at the end of a name, `1` of `RSS_01`."""
    found = re.search(r"([0-9]+)$", _stem(name))
    return "" if found is None else str(int(found[1]))


def _number_alone(key: str) -> str:
    return _number(key) if _stem(key).isdigit() else ""


# Ways to match a key of the table with the name of a series, the strictest first.
_WAYS: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    (_whole, _whole),
    (_without_ending, _without_ending),
    (_stem, _stem),
    (_number_alone, _number),
)


def _unambiguous(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The text of each key; empty for a key with two different texts."""
    found: dict[str, str] = {}
    for key, text in pairs:
        found[key] = text if found.get(key, text) == text else ""
    return found


def _missing(names: Sequence[str], said: dict[str, str], what: str) -> str:
    keys = {of_key(name) for name in said if said[name] for of_key, _ in _WAYS} - {""}
    lost = [name for name in names if not any(of_name(name) in keys for _, of_name in _WAYS)] or list(names)
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    shown = ", ".join(map(repr, list(said)[:SHOWN]))
    return (
        f"expected the {what} of each of {len(names)} series, found none for "
        f"{', '.join(map(repr, lost[:SHOWN]))}{more}; the table names {shown}{', ...' if len(said) > SHOWN else ''}"
    )
