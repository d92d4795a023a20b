"""Sources of series: a file, a stream, built-in data, or a folder or pattern of files with one series in each."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from edgelstm.data.readers.asking import Asking, Found
from edgelstm.data.readers.formats import ENDINGS
from edgelstm.data.readers.read import BUILTIN, read
from edgelstm.data.series import Series
from edgelstm.errors import DataError
from edgelstm.reading import Reading

FEW = 8  # at most so many files have their digests kept one by one


def read_source(source: str | Path | IO[Any], asking: Asking, without: Collection[Path] = ()) -> Found:
    r"""Read the series of a source.

    Each file of a folder or pattern is a series, named after the file. The largest one tells how all are written,
    because a small one may be readable in two ways.

    Args:
        source: a file, an open stream, `"builtin:co2"`, a folder, or a pattern such as `"data/*.csv"`.
        asking: how to read each table.
        without: files of the folder that are not series, such as a table of labels.

    Raises:
        DataError: as for `edgelstm.data.readers.read.read`, or no file, a file with several series, or files that
            differ; names the file.
        MissingDependencyError: the format or resampling needs a package that is not installed.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("pump 1", "pump 2"):
        ...     _ = (folder / f"{name}.csv").write_text("heat,load\n20,1\n21,2\n")
        >>> [(one.name, one.values[:, 0].tolist()) for one in read_source(folder, Asking(columns=("heat",))).series]
        [('pump 1', [20.0, 21.0]), ('pump 2', [20.0, 21.0])]
    """
    files = files_of(source, without)
    return read(source, asking) if files is None else _read_files(files, asking)


def files_of(source: str | Path | IO[Any], without: Collection[Path] = ()) -> tuple[Path, ...] | None:
    """List the files of a folder, at any depth, or of a pattern; numbers in their names are sorted by value.

    Args:
        source: as for `read_source`.
        without: files to omit.

    Returns:
        At least one file; None if the source is a single table.

    Raises:
        DataError: there is none.
    """
    if not isinstance(source, (str, Path)) or str(source).startswith(BUILTIN):
        return None
    path, out = Path(source), {one.resolve() for one in without}
    if path.is_dir():
        found = [one for one in path.rglob("*") if _is_table(one.relative_to(path)) and one.is_file()]
        where = f"{path}: expected a folder with files that end in {', '.join(ENDINGS)}, found none"
    elif glob.has_magic(str(source)) and not path.exists():
        found = [Path(one) for one in glob.glob(str(source), recursive=True) if Path(one).is_file()]
        where = f"{source}: no file matches this pattern"
    else:
        return None
    found = [one for one in found if one.resolve() not in out]
    if not found:
        raise DataError(where)
    return tuple(sorted(found, key=_by_number))


def digest_of(series: Sequence[Series]) -> str | None:
    """Give one digest for the files of some series: their digests joined by plus signs, or a digest of many digests."""
    digests = list(dict.fromkeys(digest for one in series if one.sha256 for digest in one.sha256.split("+")))
    if len(digests) <= FEW:
        return "+".join(digests) or None
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _is_table(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.name.lower().removesuffix(".gz").endswith(ENDINGS)


def _by_number(path: Path) -> list[tuple[int, int, str]]:
    """Sort 2 before 10."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _read_files(files: tuple[Path, ...], asking: Asking) -> Found:
    if asking.series is not None:
        raise DataError(
            f"--series {asking.series}: each file of a folder or pattern is already a series: omit --series, or give "
            "one table"
        )
    largest = max(files, key=lambda file: file.stat().st_size)
    model = _read_one(largest, asking)
    categories = _all_words(files, model, asking)
    again = replace(asking, like=model.reading, categories=categories)
    names = model.series[0].names if not categories else None
    series = []
    for file, name in zip(files, _names(files), strict=True):
        found = model if file == largest and not categories else _read_one(file, again)
        (one,) = found.series
        again = replace(again, like=_with_sign(again.like, found.reading))
        names = names or one.names
        if one.names != names:
            raise DataError(
                f"{file}: expected the columns {', '.join(names)}, as in {largest.name}, got {', '.join(one.names)}"
            )
        series.append(replace(one, name=name))
    said = f"{len(files)} files, each a series"
    notes = (f"{said}; {largest.name}:", *model.notes) if model.notes else (said,)
    return Found(tuple(series), again.like or model.reading, categories, notes)


def _with_sign(known: Reading | None, found: Reading) -> Reading | None:
    """Take the decimal sign of a file if the files before it had only whole numbers."""
    if known is None or known.dialect is None or found.dialect is None or known.dialect.decimal:
        return known
    thousands = found.dialect.thousands or known.dialect.thousands
    return known._replace(dialect=known.dialect._replace(decimal=found.dialect.decimal, thousands=thousands))


def _read_one(file: Path, asking: Asking) -> Found:
    """Read a file of one series; errors name it."""
    try:
        found = read(file, asking)
    except DataError as error:
        text = str(error)
        raise DataError(text if str(file) in text else f"{file}: {text}") from error
    if len(found.series) > 1:
        raise DataError(f"{file}: expected one series in each file of a folder, got {len(found.series)}")
    return found


def _all_words(files: tuple[Path, ...], model: Found, asking: Asking) -> dict[str, tuple[str, ...]]:
    """Collect the words of each column of text from all files; each file is read like the first."""
    if not model.categories or asking.categories:
        return dict(model.categories)
    words: dict[str, set[str]] = {column: set() for column in model.categories}
    alike = _like(asking, model.reading)
    for file in files:
        for column, some in _read_one(file, alike).categories.items():
            words.setdefault(column, set()).update(some)
    return {column: tuple(sorted(some)) for column, some in words.items()}


def _like(asking: Asking, reading: Reading) -> Asking:
    """Ask for the dialect of a reading."""
    dialect = reading.dialect
    if dialect is None:
        return asking
    return replace(
        asking,
        delimiter=dialect.delimiter,
        decimal=dialect.decimal,
        encoding=dialect.encoding,
        skip_rows=dialect.skip_rows,
        header=dialect.header,
    )


def _names(files: tuple[Path, ...]) -> tuple[str, ...]:
    """Name each file by its stem, with as many parent folders as the names need to differ."""
    stems = [file.with_name(file.name.removesuffix(".gz")).with_suffix("") for file in files]
    for depth in range(1, max(len(stem.parts) for stem in stems) + 1):
        names = tuple("/".join(stem.parts[-depth:]) for stem in stems)
        if len(set(names)) == len(names):
            return names
    raise DataError(f"{files[0]}: expected files whose names differ by more than the ending")
