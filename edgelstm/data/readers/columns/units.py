"""Detect signs and units at every number of a column: `$114.16`, `14.2 %`, `1.234 EUR`, `23.4 °C`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgelstm.data.readers.columns.kinds import NUMBER, kind_of

_MANY = 20  # more different numbers than this with letters after them are measured, not categories such as 5A
_NUMBER = r"\d[\d., '\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]*"
_MEASURED = re.compile(
    rf"[+-]?(?P<front>[A-Z]{{0,3}}[$\N{{EURO SIGN}}\N{{POUND SIGN}}\N{{YEN SIGN}}]|[A-Z]{{3}})?\s?[+-]?"
    rf"(?P<number>{_NUMBER})(?P<behind>[^\d\s.,;:+'/_-]\S{{0,11}})?",
    re.ASCII,
)


def unit_of(words: Iterable[str]) -> str | None:
    """Find the sign or the unit that all words have at a number; None if they are not such numbers.

    Args:
        words: each once, none a number.

    Example:
        >>> unit_of(["$114.16", "-$2"]), unit_of(["14.2 %", "3 %"]), unit_of(["1.234 EUR"]), unit_of(["5A", "6A"])
        ('$', '%', 'EUR', None)
    """
    parts = [_part(word) for word in words]
    unit = parts[0][0] if parts else ""
    if not unit or any(beside != unit for beside, _ in parts):
        return None
    whole = all(number.isdigit() for _, number in parts)
    return None if unit.isalnum() and whole and len(parts) <= _MANY else unit


def _part(word: str) -> tuple[str, str]:
    """Split a word into its unit and its number; both empty if it is not such a number."""
    found = _MEASURED.fullmatch(word)
    if found is None or bool(found["front"]) == bool(found["behind"]) or kind_of(found["number"]) != NUMBER:
        return "", ""
    return found["front"] or found["behind"], found["number"].strip()
