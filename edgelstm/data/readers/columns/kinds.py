"""Classify a single field of a table, before its signs and formats are known."""

from __future__ import annotations

import re

from edgelstm.data.readers.columns.words import MISSING_AMONG_NUMBERS, TRUTH_OF

NUMBER, TIME, MISSING, WORD = "number", "time", "missing", "word"

_GROUP = "[.,' \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{RIGHT SINGLE QUOTATION MARK}]"
_NUMBER = re.compile(
    rf"[+\N{{MINUS SIGN}}-]?(?:\d+(?:\.\d*|,\d+)?|[.,]\d+|\d{{1,3}}(?:{_GROUP}\d{{3}})+(?:[.,]\d*)?)(?:[eE][+-]?\d+)?"
    r"|[+-]?inf(?:inity)?",
    re.ASCII | re.IGNORECASE,
)
_NAME = r"[a-zA-Z\u00c0-\u017f]{3,10}"
_DATE = (
    rf"\d{{1,4}}[-/.]\s?(?:\d{{1,2}}|{_NAME}|Q[1-4])(?:[-/.]\s?\d{{1,4}})?\.?|\d{{8}}"
    rf"|\d{{1,4}}\.?\s{_NAME}\.?\s\d{{1,4}}"
)
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\.?)?"
_ZONE = r"\s?(?:Z|UTC|GMT|[A-Z]{2,5}|[+-]\d{2}:?\d{2})"
_TIME = re.compile(rf"(?:{_DATE})(?:[T\s]\s?{_CLOCK}(?:{_ZONE})?)?|{_CLOCK}", re.ASCII | re.IGNORECASE)


def kind_of(field: str) -> str:
    """Classify a field as a number, a time, a missing sample or another word.

    Example:
        >>> [kind_of(field) for field in ("1.234,5", "12/31/2002 1:00", "n/a", "degC")]
        ['number', 'time', 'missing', 'word']
    """
    text = field.strip()
    folded = text.casefold()
    if folded in MISSING_AMONG_NUMBERS:
        return MISSING
    if folded in TRUTH_OF or _NUMBER.fullmatch(text):
        return NUMBER
    return TIME if _TIME.fullmatch(text) else WORD


def is_value(field: str) -> bool:
    """Whether a field is a number or a time, which rows have and headers do not."""
    return kind_of(field) in (NUMBER, TIME)
