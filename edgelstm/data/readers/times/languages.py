"""Translate months in German, French, Spanish, Italian and Dutch, and other variants of dates, to plain English."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from edgelstm.data.readers.times.forms import MONTH_OF

# The long and short names of each month, from January; no word means different months in two languages.
_NAMES = (
    "januar jänner jän janvier janv enero ene gennaio gen januari",
    "februar feber februari février fevrier févr fevr fév fev febrero febbraio",
    "märz maerz mär mrz mars marzo maart mrt",
    "avril avr abril abr aprile",
    "mai mayo maggio mag mei",
    "juni juin junio giugno giu",
    "juli juillet juil julio luglio lug",
    "août aout aoû agosto ago augustus",
    "septembre septiembre setiembre settembre set sept",
    "oktober okt octobre octubre ottobre ott",
    "novembre noviembre",
    "dezember dez décembre decembre déc diciembre dicembre dic",
)
_ENGLISH = {number: name for name, number in MONTH_OF.items() if len(name) == 3}
_MONTHS = {name: _ENGLISH[number] for number, names in enumerate(_NAMES, 1) for name in names.split()}
_MONTHS |= {name: _ENGLISH[number] for name, number in MONTH_OF.items()}
_WORD = re.compile(r"(?P<day>\d\.[ ]|)(?P<word>[^\W\d_]{3,})(?P<point>\.(?=[ ])|)")
_HALF = re.compile(r"\b([ap])\.\s?m(?:\.|\b)", re.IGNORECASE)


def in_english(texts: Sequence[str]) -> list[str]:
    """Write months as three English letters, and `a. m.` as `am`; other words stay.

    Example:
        >>> in_english(["1. März 2024", "janv. 2024", "01/02/2024 1:00 p.m.", "heute"])
        ['1 mar 2024', 'jan 2024', '01/02/2024 1:00 pm', 'heute']
    """
    known: dict[str, str] = {}
    return [known.get(text) or known.setdefault(text, _translated(text)) for text in texts]


def _translated(text: str) -> str:
    return _HALF.sub(r"\1m", _WORD.sub(_month, unicodedata.normalize("NFC", text)))


def _month(found: re.Match[str]) -> str:
    name = _MONTHS.get(found["word"].casefold())
    return found[0] if name is None else found["day"].replace(".", "") + name
