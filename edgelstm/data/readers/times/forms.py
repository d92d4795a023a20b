"""List the formats that a text shape may have as a time: `"00/00/0000"` is day first or month first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from edgelstm.data.readers.times.epochs import UNITS
from edgelstm.reading import ISO, ISO_WITH_OFFSET

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTH_OF = {name: i for i, month in enumerate(_MONTHS, 1) for name in (month, month[:3])} | {"sept": 9}
_WORDS = {
    **dict.fromkeys(MONTH_OF, "b"),
    **{name: "a" for day in WEEKDAYS for name in (day, day[:3])},
    **dict.fromkeys(("am", "pm"), "p"),
    **dict.fromkeys(("st", "nd", "rd", "th"), "o"),
    **dict.fromkeys(("z", "utc", "gmt"), "z"),
    **{"t": "t", "q": "q", "w": "w"},
}
# Names of columns that hold a part of a time each, and its letter in `strptime`.
FIELD_NAMES = {
    **dict.fromkeys(("year", "yr", "yyyy", "y", "#yy", "#yr"), "Y"),
    **dict.fromkeys(("month", "mon", "mo", "m"), "m"),
    **dict.fromkeys(("day", "dy", "dd", "d", "mday"), "d"),
    **dict.fromkeys(("doy", "yday", "jday", "julian", "day_of_year", "dayofyear"), "j"),
    **dict.fromkeys(("week", "wk", "kw", "isoweek", "iso_week", "week_of_year", "weekofyear"), "w"),
    **dict.fromkeys(("quarter", "qtr"), "q"),
    **dict.fromkeys(("hour", "hr", "hh", "h"), "H"),
    **dict.fromkeys(("minute", "min"), "M"),
    **dict.fromkeys(("second", "sec", "s"), "S"),
}

# Shapes with words: 0 a digit, b the name of a month, a of a weekday, p AM or PM, o the th of 5th, z UTC; t, q, w.
_DATES = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (r"(?P<Y>0{4})(?P<s>[-/. ])(?P<m>00?)(?P=s)(?P<d>00?)", "%Y{s}%m{s}%d"),
        (r"(?P<Y>0{4})(?P<s>[-/. ])(?P<m>00?)", "%Y{s}%m"),
        (r"(?P<Y>0{4})(?P<s>-)(?P<j>0{3})", "%Y{s}%j"),
        (r"(?P<Y>0{4})(?P<s> )(?P<j>0{1,3})", "%Y{s}%j"),
        (r"(?P<d>00?)(?P<s>[-/. ])(?P<m>00?)(?P=s)(?P<Y>0{4})", "%d{s}%m{s}%Y"),
        (r"(?P<m>00?)(?P<s>[-/. ])(?P<d>00?)(?P=s)(?P<Y>0{4})", "%m{s}%d{s}%Y"),
        (r"(?P<d>00?)(?P<s>[-/. ])(?P<m>00?)(?P=s)(?P<y>0{2})", "%d{s}%m{s}%y"),
        (r"(?P<m>00?)(?P<s>[-/. ])(?P<d>00?)(?P=s)(?P<y>0{2})", "%m{s}%d{s}%y"),
        (r"(?P<y>0{2})(?P<s>[-/. ])(?P<m>00?)(?P=s)(?P<d>00?)", "%y{s}%m{s}%d"),
        (r"(?P<m>00?)(?P<s>[-/. ])(?P<Y>0{4})", "%m{s}%Y"),
        (r"(?P<d>00?)(?:oo)?(?P<s>[-/. ]?)(?P<b>b{3,9})(?P=s)(?P<Y>0{4})", "%d{s}%b{s}%Y"),
        (r"(?P<d>00?)(?P<s>[-/. ]?)(?P<b>b{3,9})(?P=s)(?P<y>0{2})", "%d{s}%b{s}%y"),
        (r"(?P<Y>0{4})(?P<s>[-/. ]?)(?P<b>b{3,9})(?P=s)(?P<d>00?)", "%Y{s}%b{s}%d"),
        (r"(?P<b>b{3,9})(?P<s>[-/. ]) ?(?P<d>00?)(?:oo)?(?P<c>,?)(?P=s)(?P<Y>0{4})", "%b{s}%d{c}{s}%Y"),
        (r"(?P<b>b{3,9})(?P<s>[-/. ]?)(?P<Y>0{4})", "%b{s}%Y"),
        (r"(?P<Y>0{4})(?P<s>[-/. ]?)(?P<b>b{3,9})", "%Y{s}%b"),
        (r"(?P<b>b{3,9})(?P<s>[-/. ])(?P<y>0{2})", "%b{s}%y"),
        (r"(?P<Y>0{4})(?P<s>[-/. ]?)q(?P<q>0)", "%Y{s}Q%q"),
        (r"q(?P<q>0)(?P<s>[-/. ]?)(?P<Y>0{4})", "Q%q{s}%Y"),
        (r"(?P<Y>0{4})(?P<s>-?)w(?P<w>00)(?:(?P=s)(?P<u>0))?", "%G{s}W%V{s}%u"),
        (r"(?P<Y>0{4})(?P<s>)(?P<m>00)(?P<d>00)", "%Y%m%d"),
    )
)
# Numbers that are dates; other numbers are counts since 1970, in seconds or finer.
_DIGITS = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (r"(?P<Y>0{4})", "%Y"),
        (r"(?P<Y>0{4})(?P<m>00)", "%Y%m"),
        (r"(?P<y>00)(?P<m>00)(?P<d>00)", "%y%m%d"),
        (r"(?P<d>00)(?P<m>00)(?P<y>00)", "%d%m%y"),
        (r"(?P<m>00)(?P<d>00)(?P<y>00)", "%m%d%y"),
        (r"(?P<Y>0{4})(?P<m>00)(?P<d>00)(?P<H>00)", "%Y%m%d%H"),
        (r"(?P<Y>0{4})(?P<m>00)(?P<d>00)(?P<H>00)(?P<M>00)", "%Y%m%d%H%M"),
        (r"(?P<Y>0{4})(?P<m>00)(?P<d>00)(?P<H>00)(?P<M>00)(?P<S>00)", "%Y%m%d%H%M%S"),
    )
)
_ZONE = r"(?P<zone> ?(?:(?P<utc>z+)|(?P<z>[-+]00(?::?00)?)))?"
_JOIN = r"(?P<join>, |[ t_:])"
_CLOCKS = tuple(
    (re.compile(_JOIN + pattern + _ZONE), form)
    for pattern, form in (
        (r"(?P<H>00?):(?P<M>00)(?::(?P<S>00)(?:[.,:](?P<f>0{1,9}))?)?", "%H:%M"),
        (r"(?P<H>00?):(?P<M>00)(?::(?P<S>00)(?:[.,](?P<f>0{1,9}))?)?(?P<blank> ?)(?P<p>pp)", "%I:%M"),
        (r"(?P<H>00?)\.(?P<M>00)(?:\.(?P<S>00))?", "%H.%M"),
        (r"(?P<H>00?)(?P<blank> ?)(?P<p>pp)", "%I"),
        (r"(?P<H>00?)", "%H"),
        (r"(?P<M>00?)", "%H%M"),
        (r"(?P<H>00?)(?P<M>00)", "%H%M"),
        (r"(?P<H>00)(?P<M>00)(?P<S>00)(?:[.,](?P<f>0{1,9}))?", "%H%M"),
        (r"(?P<H>00?) (?P<M>00?)(?: (?P<S>00?)(?:\.(?P<f>0{1,9}))?)?", "%H %M"),
    )
)
_ISO = frozenset(("%Y-%m-%d", "%Y-%j", "%G-W%V-%u", "%GW%V%u"))
_LETTERS = frozenset("YymdjbqwuHMSfpz")


class Core(NamedTuple):
    """What the times of a column have in common.

    Attributes:
        date: in the codes of `strptime`.
        clock: empty for dates; `"24"` hours, `"12"` with AM and PM, or `"hhmm"`, where `5` is five past midnight.
    """

    date: str
    clock: str

    def __str__(self) -> str:
        """The date, and the kind of clock."""
        return f"{self.date} {self.clock}".rstrip()


class Candidate(NamedTuple):
    """One way to read the texts of a shape.

    Attributes:
        core: what it has in common with other shapes of the column.
        form: in the codes of `strptime`, `%q` for a quarter.
        fields: where each number is, by its letter there; `a` a weekday, `u` the day of a week and `w` its number,
            `z` an offset.
        zoned: the text has UTC or an offset.
        digits: there is no separator between its numbers.
    """

    core: Core
    form: str
    fields: dict[str, tuple[int, int]]
    zoned: bool = False
    digits: bool = False


def with_words(shape: str, words: list[tuple[int, int, list[str]]]) -> str:
    """Replace the letters of a shape by their meaning, given `(start, end, words there)`; unknown words become `x`.

    Example:
        >>> with_words("00-aaa-0000", [(3, 6, ["feb", "jan"])])
        '00-bbb-0000'
    """
    for start, end, found in words:
        kinds = {_WORDS.get(word, "x") for word in found}
        shape = f"{shape[:start]}{(kinds.pop() if len(kinds) == 1 else 'x') * (end - start)}{shape[end:]}"
    return shape


def says_something(word: str) -> bool:
    """Whether a word, in lower case, is part of a time: the name of a month, or `pm`."""
    return word in _WORDS


@lru_cache(maxsize=1024)
def candidates_of(shape: str) -> tuple[Candidate, ...]:
    """List the ways to read texts of a shape, with its words.

    Example:
        >>> [candidate.form for candidate in candidates_of("00/00/0000 00:00")]
        ['%d/%m/%Y %H:%M', '%m/%d/%Y %H:%M']
        >>> candidates_of("0-00")
        ()
    """
    weekday = re.match(r"a{3,9}(,? )", shape)
    start, prefix = (weekday.end(), f"%a{weekday[1]}") if weekday else (0, "")
    found = list(_numbers(shape))
    for pattern, form in _DATES:
        date = pattern.match(shape, start)
        if date is not None:
            name = form.format(s=date["s"], c=date.groupdict().get("c", ""))
            named = {"a": (0, weekday.start(1))} if weekday else {}
            found += _dated(shape, date, prefix + name, named)
    return tuple(found)


def core_of(form: str) -> Core:
    """Reduce a form of `strptime` to what all texts of a column have in common.

    Example:
        >>> core_of("%d/%m/%Y %H:%M:%S") == core_of("%d/%m/%Y %H:%M"), core_of("iso")
        (True, Core(date='iso', clock='24'))
    """
    for short, long in (("%T", "%H:%M:%S"), ("%R", "%H:%M"), ("%F", "%Y-%m-%d"), ("%D", "%m/%d/%y"), ("%B", "%b")):
        form = form.replace(short, long)
    form = form.replace("%A", "%a").replace("%-", "%")
    if form in (ISO, "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"):
        return Core(form, "24")
    date, hour, clock = re.fullmatch(r"(.*?)(%[HI]|$)(.*)", form, re.DOTALL).groups()  # type: ignore[union-attr]
    date = re.sub(r" ?%[zZ]$", "", date).rstrip(" T_:,")
    kind = "" if not hour else "12" if hour == "%I" or "%p" in clock else "hhmm" if clock[:2] == "%M" else "24"
    return Core(ISO if date in _ISO else date, kind)


def names_offset(form: str) -> bool | None:
    """Say whether times of a form have UTC or an offset from it; None if the form does not tell.

    Example:
        >>> [names_offset(form) for form in ("%d.%m.%Y %H:%M%z", "%d.%m.%Y", "iso with offset", "iso", "epoch s")]
        [True, False, True, None, None]
    """
    if form in (ISO, *UNITS):
        return None
    return form == ISO_WITH_OFFSET or re.search("%[zZ]", form.replace("%%", "")) is not None


def _numbers(shape: str) -> Iterator[Candidate]:
    for pattern, form in _DIGITS:
        found = pattern.fullmatch(shape)
        if found is not None:
            yield Candidate(core_of(form), form, _fields(found), digits=True)


def _dated(shape: str, date: re.Match[str], name: str, weekday: dict[str, tuple[int, int]]) -> Iterator[Candidate]:
    """The candidates of a date, alone or with a clock and a zone after it."""
    fields, rest = _fields(date) | weekday, shape[date.end() :]
    if weekday and not fields.keys() & {"d", "j"}:
        return  # a month or a week has every weekday
    if re.fullmatch(" ?z+|", rest):
        whole = name + (f"{rest[: rest.count(' ')]}%Z" if rest else "")
        yield Candidate(core_of(whole), _named(whole), fields, zoned=bool(rest), digits=set(shape) == {"0"})
    if not fields.keys() & {"d", "j", "u"}:
        return
    for pattern, form in _CLOCKS:
        clock = pattern.fullmatch(shape, date.end())
        if clock is not None:
            whole = name + clock["join"].upper() + _clock_form(form, clock)
            yield Candidate(core_of(whole), _named(whole), fields | _fields(clock), zoned=bool(clock["zone"]))


def _clock_form(form: str, clock: re.Match[str]) -> str:
    found = clock.groupdict()
    sign = form[2] if len(form) == 5 else ""
    seconds = (f"{sign}%S" if found.get("S") else "") + (".%f" if found.get("f") else "")
    half = f"{found['blank']}%p" if found.get("p") else ""
    zone = (
        "" if not found["zone"] else found["zone"][: found["zone"].startswith(" ")] + ("%Z" if found["utc"] else "%z")
    )
    return form + seconds + half + zone


def _named(form: str) -> str:
    """ISO 8601 forms are called `iso`, except with the clock `hhmm`: there `15` would be read as three o'clock."""
    core = core_of(form)
    return ISO if core.date == ISO and core.clock != "hhmm" else form


def _fields(found: re.Match[str]) -> dict[str, tuple[int, int]]:
    return {letter: found.span(letter) for letter, text in found.groupdict().items() if text and letter in _LETTERS}
