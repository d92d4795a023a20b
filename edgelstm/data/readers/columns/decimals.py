"""Detect the decimal sign and the sign between thousands.

`1,5` shows that the comma is decimal, `1,234,567` that it is not; `1,234` can be either, and is refused if no other
field decides. `1.234` alone is read as a fraction, as programs write it. Beside `987`, with no other evidence, it can
also be a thousand, because a program would write `987.000` there, or `987.5` somewhere.

Whole numbers show nothing, and no sign is recorded from them. After such a training the next table must decide
itself: there `1.234` alone is refused, because the same column may count in thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from edgelstm.errors import DataError

# Signs between thousands that are never decimal signs: the Swiss apostrophe, blanks of every kind.
_OTHERS = ("'", "\N{RIGHT SINGLE QUOTATION MARK}", " ", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}")

_NAMES = {".": "decimal points", ",": "decimal commas"}


class Signs(NamedTuple):
    """How numbers are written.

    Attributes:
        decimal: `"."` or `","`.
        thousands: between groups of three digits; empty if there is none.
        known: the decimal sign was detected or given; else no field has one, and `decimal` is only what `float` takes.
    """

    decimal: str = "."
    thousands: str = ""
    known: bool = True


class _Evidence(NamedTuple):
    """Fields that show something about the signs, one for each sign.

    Attributes:
        decimal: by sign, a field in which it can only be the decimal sign, and its column.
        grouped: by sign, a field in which it can only be between thousands, and its column.
        open: by sign, a field in which it can be both, and its column.
        thousand: a field such as `1.234` in a column of whole numbers below a thousand, and its column.
    """

    decimal: dict[str, tuple[str, str]]
    grouped: dict[str, tuple[str, str]]
    open: dict[str, tuple[str, str]]
    thousand: list[tuple[str, str]]


def find(
    asked: Iterable[tuple[str, list[str]]],
    others: Iterable[tuple[str, list[str]]],
    name: str,
    decimal: str | None = None,
    trained: Signs | None = None,
) -> Signs:
    """Detect the signs of a table.

    Args:
        asked: the columns to read, name and fields; they decide.
        others: the other columns, which decide if the first do not.
        name: of the file, for messages.
        decimal: the decimal sign given as an option; overrides all else.
        trained: the signs of training, which must fit the table; if they are not known, the table itself must decide.

    Raises:
        DataError: the signs contradict each other or those of training, or can be read in two ways.

    Example:
        >>> find([("v", ["20,013", "40,5"])], [], "a.csv")
        Signs(decimal=',', thousands='', known=True)
        >>> find([("v", ["20", "40"])], [], "a.csv").known
        False
    """
    evidence = _evidence(asked)
    said = trained if trained is not None and trained.known else None
    fixed = decimal or (said.decimal if said else None)
    if said is not None and decimal is None:
        _agree(evidence, said, name)
    if fixed is None:
        fixed = _decimal(evidence, name)
    if fixed is None and evidence.open:
        fixed = _decimal(_evidence(column for column in others if not _are_clocks(column[1])), name, strict=False)
    if fixed is None:
        _refuse_doubtful(evidence, name, trained is not None)
    known = fixed is not None or "." in evidence.open
    fixed = fixed or "."
    return Signs(fixed, _thousands(evidence, fixed, trained if decimal is None else None), known)


def shows_point(columns: Iterable[tuple[str, list[str]]]) -> bool:
    """Say whether a field of some columns has a decimal point, or may have one; stops at the first.

    Example:
        >>> shows_point([("n", ["1", "2"]), ("v", ["1.5"])]), shows_point([("day", ["10.03.2004"])])
        (True, False)
    """
    return any("." in kind for column in columns for kind in _evidence([column])[:3])


def _decimal(evidence: _Evidence, name: str, strict: bool = True) -> str | None:
    """The decimal sign that the fields show; None if they show none."""
    groups = {_other(sign): found for sign, found in evidence.grouped.items() if sign in ".,"}
    says = {**groups, **evidence.decimal}
    if len(says) == 2 and strict:
        (comma, of_comma), (point, of_point) = says[","], says["."]
        raise DataError(
            f"{name}: expected one decimal sign, got {comma!r} in column {of_comma!r} and {point!r} in {of_point!r}: "
            "give --decimal . or --decimal ,"
        )
    return next(iter(says)) if len(says) == 1 else None


def _refuse_doubtful(evidence: _Evidence, name: str, trained: bool) -> None:
    """Refuse an ambiguous field; `1.234` is a fraction unless training had only whole numbers.

    Raises:
        DataError: there is one.
    """
    doubtful = evidence.open.get(",") or next(iter(evidence.thousand), None)
    doubtful = doubtful or (evidence.open.get(".") if trained else None)
    if doubtful is None:
        return
    field, column = doubtful
    digits = re.sub("[.,]", "", field)
    untold = ", and no number in training had a decimal sign" if trained else ""
    raise DataError(
        f"{name}: {field!r} in column {column!r} could be {digits} or {field.replace(',', '.')}{untold}: give "
        "--decimal . or --decimal ,"
    )


def _thousands(evidence: _Evidence, decimal: str, trained: Signs | None) -> str:
    """The sign between thousands, once the decimal sign is known."""
    for sign in (*_OTHERS, _other(decimal)):
        if sign in evidence.grouped:
            return sign
    if _other(decimal) in evidence.open:
        return _other(decimal)
    return trained.thousands if trained is not None else ""


def _agree(evidence: _Evidence, trained: Signs, name: str) -> None:
    """Refuse what contradicts training."""
    other = _other(trained.decimal)
    against = evidence.decimal.get(other) or evidence.grouped.get(trained.decimal)
    known = trained.thousands == other or other in evidence.grouped or trained.decimal in evidence.decimal
    mend = f"--decimal {other}"
    if against is None and not known:
        against = evidence.open.get(other)
        mend += f" or, if it is a thousand, --decimal {trained.decimal}"
    if against is not None:
        field, column = against
        raise DataError(
            f"{name}: expected {_NAMES[trained.decimal]}, as in training, got {field!r} in column {column!r}: write "
            f"it the same way, or give {mend}"
        )


def _other(sign: str) -> str:
    return "," if sign == "." else "."


def _evidence(columns: Iterable[tuple[str, list[str]]]) -> _Evidence:
    found = _Evidence({}, {}, {}, [])
    for column, fields in columns:
        text = "\n".join(fields)
        for sign in ".,":
            if sign in text:
                _search(found, sign, text, column)
        if column == found.open.get(".", ("", ""))[1] and _is_counted(text):
            found.thousand.append(found.open["."])
        for sign in _OTHERS:
            if sign in text and sign not in found.grouped and (field := _groups(sign).search(text)) is not None:
                found.grouped[sign] = (field[1], column)
    return found


def _search(found: _Evidence, sign: str, text: str, column: str) -> None:
    """Keep the first field of the strongest kind; contradictions are found when the numbers are read."""
    for kind, pattern in zip(found[:3], _patterns(sign), strict=True):
        field = pattern.search(text)
        if field is not None:
            kind.setdefault(sign, (field[1], column))
            return


def _are_clocks(fields: list[str]) -> bool:
    """Whether a column may hold times of day, `13.30`, whose points are not decimal signs."""
    return all(not field.strip() or _CLOCK.fullmatch(field) for field in fields)


def _is_counted(text: str) -> bool:
    """Whether a column has whole numbers below a thousand, 0 aside, and none above."""
    return _SHORT.search(text) is not None and _LONG.search(text) is None


@lru_cache
def _patterns(sign: str) -> tuple[re.Pattern[str], ...]:
    """Patterns of fields in which a sign is decimal, between thousands, or can be both."""
    s, other = re.escape(sign), re.escape(_other(sign))
    group = rf"[1-9]\d{{0,2}}(?:{s}\d{{3}})"
    foreign = "|".join(map(re.escape, (*_OTHERS, _other(sign))))
    decimal = (
        rf"\d+{s}(?:\d{{1,2}}|\d{{4,}})|\d{{4,}}{s}\d{{3}}|0\d*{s}\d{{3}}|{s}\d+|\d+{s}\d+[eE][+-]?\d+"
        rf"|[1-9]\d{{0,2}}(?:(?:{foreign})\d{{3}})+{s}\d+"
    )
    grouped = rf"{group}{{2,}}(?:{other}\d*)?|{group}+{other}\d*"
    return tuple(_field(pattern) for pattern in (decimal, grouped, group))


@lru_cache
def _groups(sign: str) -> re.Pattern[str]:
    return _field(rf"[1-9]\d{{0,2}}(?:{re.escape(sign)}\d{{3}})+(?:[.,]\d+)?")


def _field(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*([+\N{{MINUS SIGN}}-]?(?:{pattern}))[ \t]*$", re.MULTILINE | re.ASCII)


_CLOCK = re.compile(r"\s*(?:[01]?\d|2[0-4])[.,][0-5]\d(?:[.,][0-5]\d)?\s*", re.ASCII)
_SHORT = _field(r"[1-9]\d{0,2}")
_LONG = _field(r"\d{4,}")
