"""Convert the fields of a column to numbers, and name the place of the first that is not a number."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.columns.decimals import Signs
from edgelstm.data.readers.columns.units import unit_of
from edgelstm.data.readers.columns.words import MISSING_AMONG_NUMBERS, MISSING_WORDS, TRUTH_OF, TRUTHS
from edgelstm.errors import DataError

_SHOWN = 40  # characters of a field in a message
_NEGATIVE = re.compile(r"\((\s*[\d.,]+\s*)\)|([\d.,]+\s?)-", re.ASCII)
_FEW = 0.5  # of the known fields: a column with more words than that is text

Place = Callable[[int], str]


class Missing(NamedTuple):
    """What means a missing sample, in addition to the usual words.

    Attributes:
        words: fields, as written.
        numbers: those of them that are numbers, however they are written.
    """

    words: frozenset[str] = frozenset()
    numbers: tuple[float, ...] = ()

    @classmethod
    def of(cls, words: Sequence[str]) -> Missing:
        """Take words and numbers from the command line; `-200` is `-200.0` and `-200,0` too.

        Example:
            >>> Missing.of(["-200", "broken"]).numbers
            (-200.0,)
        """
        numbers = (number_of(word.replace(",", "."), Signs()) for word in words)
        return cls(frozenset(map(str.strip, words)), tuple(number for number in numbers if number is not None))


class Sifted(NamedTuple):
    """The numbers of a column, separated from everything else.

    Attributes:
        values: float64 [N], NaN in the other rows.
        missing: for each word that means a missing sample, how often it occurs.
        words: for each word that is neither a number nor missing, how often it occurs.
        broken: the first row with such a word, or with an infinite number, and its text; None without one.
        truths: the pair of words that are read as 1 and 0, `("true", "false")`; empty if there are none.
    """

    values: NDArray[np.float64]
    missing: dict[str, int]
    words: dict[str, int]
    broken: tuple[int, str] | None = None
    truths: tuple[str, ...] = ()


def parse_numbers(fields: Sequence[str], column: str, place: Place) -> NDArray[np.float64]:
    """Read a column of numbers with decimal points: float64 [N], NaN where a sample is missing.

    Args:
        fields: text.
        column: its name, for messages.
        place: names a row in a message, `"data.csv: line 7"`.

    Raises:
        DataError: a field is not a number, or is infinite.

    Example:
        >>> parse_numbers(["1.5", "?", ""], "v", str).tolist()
        [1.5, nan, nan]
    """
    return as_numbers(sift(fields, Signs(), Missing()), column, place)


def missing_of(asking: Asking) -> Missing:
    """What means a missing sample: the words given as options and those of training."""
    return Missing.of((*asking.na, *(asking.like.missing if asking.like else ())))


def sift(fields: Sequence[str], signs: Signs, missing: Missing) -> Sifted:
    """Separate numbers, missing samples and other words.

    Args:
        fields: text; words of `MISSING_AMONG_NUMBERS` in any case are missing samples.
        signs: how numbers are written.
        missing: other words that mean a missing sample.

    Example:
        >>> sift(["1,5", "?", "-200", "NW"], Signs(","), Missing.of(["-200"]))[:4]
        (array([1.5, nan, nan, nan]), {'?': 1, '-200': 1}, {'NW': 1}, (3, 'NW'))
    """
    values, doubtful = _floats(fields, signs)
    gone: Counter[str] = Counter()
    words: Counter[str] = Counter()
    broken = None
    for row in doubtful:
        text = fields[row].strip()
        number = None
        if text in missing.words or text.casefold() in MISSING_AMONG_NUMBERS:
            gone[text] += 1
        else:
            number = number_of(text, signs)
            words[text] += number is None
            broken = broken or (None if number is not None and abs(number) < np.inf else (row, text))
        values[row] = np.nan if number is None else number
    for sentinel in missing.numbers:
        rows = values == sentinel
        if rows.any():
            gone[f"{sentinel:g}"] += int(np.count_nonzero(rows))
            values[rows] = np.nan
    words = +words
    truths = _truths(words, len(values) - gone.total())
    if truths:
        values = np.array([TRUTH_OF.get(field.strip().casefold(), np.nan) for field in fields])
        words, broken = Counter(), None
    return Sifted(values, dict(gone), dict(words), broken, truths)


def as_numbers(sifted: Sifted, column: str, place: Place) -> NDArray[np.float64]:
    """Take a column as numbers: float64 [N], NaN where a sample is missing.

    Raises:
        DataError: a field is not a number, or is infinite.
    """
    if sifted.broken is None:
        return sifted.values
    row, text = sifted.broken
    what = "a number" if text in sifted.words else "a finite number"
    raise DataError(
        f"{place(row)}: expected {what} in column {column!r}, got {shown(text)}{_advice(sifted, column, text)}"
    )


def holds_text(sifted: Sifted) -> bool:
    """Say whether most of the known fields are words, other than pairs such as yes and no.

    Example:
        >>> [holds_text(sift(fields, Signs(), Missing()))
        ...     for fields in (["NW", "SE", "?"], ["1", "2", "bad"], ["on", "off", ""])]
        [True, False, False]
    """
    known = len(sifted.values) - sum(sifted.missing.values())
    return sum(sifted.words.values()) > _FEW * known


def are_bookkept(words: Sequence[str]) -> bool:
    """Whether words are numbers with a minus as in accounting: `(1.5)`, `1,5-`.

    Example:
        >>> are_bookkept(["(1.5)", "2"]), are_bookkept(["NW", "2"]), are_bookkept(["1", "2"])
        (True, False, False)
    """
    found = [_NEGATIVE.fullmatch(word) is not None for word in words]
    plain = (any(number_of(word, Signs(sign)) is not None for sign in ".,") for word in words)
    return any(found) and all(map(max, found, plain))


def known_texts(fields: Sequence[str], missing: Missing) -> list[str]:
    """Strip fields; those that mean missing in a column of text become empty.

    In such a column `none` or `unknown` may be a class: only words that cannot be one are missing.

    Example:
        >>> known_texts([" NW ", "NA", "none", "off"], Missing.of(["off"]))
        ['NW', '', 'none', '']
    """
    gone = MISSING_WORDS | missing.words
    texts = list(map(str.strip, fields))
    return texts if gone.isdisjoint(texts) else ["" if text in gone else text for text in texts]


def number_of(text: str, signs: Signs) -> float | None:
    """Read one number; None if it is not one.

    Example:
        >>> number_of("1.234,5", Signs(",", ".")), number_of("1_000", Signs()), number_of("inf", Signs())
        (1234.5, None, inf)
    """
    text = text.replace("\N{MINUS SIGN}", "-")  # as in typeset tables
    if _pattern(signs).fullmatch(text) is None:
        return None
    if signs.thousands:
        text = text.replace(signs.thousands, "")
    return float(text.replace(signs.decimal, "."))


def shown(text: str) -> str:
    """Quote a field for a message, truncated if it is long."""
    text = text.strip()
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _floats(fields: Sequence[str], signs: Signs) -> tuple[NDArray[np.float64], list[int]]:
    """Read what `float` reads, and list the rows that it cannot read or that need a check.

    `float` accepts more than a table may hold, such as `1_000` and digits of other scripts, but no decimal sign except
    the point.
    """
    text = "\n".join(fields)
    odd = [sign for sign in ("_", "." if signs.decimal == "," else "", signs.thousands) if sign and sign in text]
    doubtful = [row for row, field in enumerate(fields) if any(sign in field for sign in odd)] if odd else []
    if not text.isascii():
        doubtful += [row for row, field in enumerate(fields) if not field.isascii()]
    if signs.decimal == ",":
        fields = [field.replace(",", ".") for field in fields]
    try:
        values = np.array(list(map(float, fields)), np.float64)
    except ValueError:
        values = np.array([_float(field) for field in fields], np.float64)
    if not doubtful and np.isfinite(values).all():
        return values, []
    return values, sorted({*doubtful, *np.flatnonzero(~np.isfinite(values)).tolist()})


def _float(field: str) -> float:
    try:
        return float(field)
    except ValueError:
        return np.nan


@lru_cache
def _pattern(signs: Signs) -> re.Pattern[str]:
    point, group = re.escape(signs.decimal), re.escape(signs.thousands)
    plain = rf"(?:\d+{point}?\d*|{point}\d+)(?:[eE][+-]?\d+)?"
    grouped = rf"[1-9]\d{{0,2}}(?:{group}\d{{3}})+(?:{point}\d*)?"
    either = f"{grouped}|{plain}" if group else plain
    return re.compile(rf"[+-]?(?:{either}|inf|infinity)", re.ASCII | re.IGNORECASE)


def _truths(words: Counter[str], known: int) -> tuple[str, ...]:
    """The pair of words, such as yes and no, that covers all known fields; empty if there is none."""
    if not words or words.total() < known:
        return ()
    found = {word.casefold() for word in words}
    return next((pair for pair in TRUTHS.items() if found <= set(pair)), ())


def _advice(sifted: Sifted, column: str, text: str) -> str:
    if text == column:
        return ": the header is repeated there: delete that line"
    negative = _NEGATIVE.fullmatch(text)
    if negative is not None:
        return f": if it is negative, as in accounting, write -{(negative[1] or negative[2]).strip()}"
    unit = unit_of(sifted.words) or unit_of([text])
    if unit is not None:
        return f": remove {unit!r} from the numbers, and give it with --unit"
    if holds_text(sifted):
        return ": the column holds text"
    if text in sifted.words and any(number_of(text, Signs(sign)) is not None for sign in ".,"):
        return ": the decimal sign differs from other rows; fix it, or give --decimal"
    usable = len(text) <= _SHOWN and "\n" not in text
    return ": fix it" + (f", or give --na {shlex.quote(text)} if it means missing" if usable else "")
