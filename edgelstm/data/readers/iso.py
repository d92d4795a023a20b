"""Timestamps until `edgelstm.data.readers.times` reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.readers.asking import Stamps, TimeAsk
from edgelstm.data.readers.fields import Place
from edgelstm.data.readers.words import MISSING_WORDS
from edgelstm.errors import DataError
from edgelstm.reading import TimeForm

_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:\d{2})?)?", re.ASCII
)
_SECONDS = re.compile(r"-?\d+", re.ASCII)
_EPOCH_MS_FROM = 10**11  # as seconds: the year 5138

Times = NDArray[np.datetime64]


def parse_times(fields: Sequence[str], column: str, place: Place) -> Times:
    """Read a column of timestamps, all in the form of the first: ISO 8601, or whole seconds since 1970.

    Args:
        fields: text.
        column: its name, for messages.
        place: names a row in a message.

    Returns:
        datetime64[us] [N], in UTC where the text names a zone.

    Raises:
        DataError: a field is missing, is no timestamp, or has another form than the first.
    """
    texts = [field.strip() for field in fields]
    missing = next((row for row, text in enumerate(texts) if text in MISSING_WORDS), None)
    if missing is not None:
        raise DataError(f"{place(missing)}: the timestamp in column {column!r} is missing")
    if all(_SECONDS.fullmatch(text) for text in texts):
        return epoch_times(np.array([int(text) for text in texts], object), column, place)
    form = _form(texts[0])
    if form is None:
        raise DataError(
            f"{place(0)}: expected ISO 8601 timestamps (2001-12-29 or 2001-12-29T13:00:00) in column {column!r}, "
            f"got {texts[0]!r}"
        )
    stamps = np.empty(len(texts), "datetime64[us]")
    for row, text in enumerate(texts):
        try:
            if _form(text) != form:
                raise ValueError
            stamps[row] = _moment(text)
        except ValueError as error:
            raise DataError(
                f"{place(row)}: expected a timestamp like {texts[0]!r} in column {column!r}, got {text!r}"
            ) from error
    return stamps


def epoch_times(seconds: NDArray[np.generic], column: str, place: Place) -> Times:
    """Read whole seconds since 1970; what looks like milliseconds is refused.

    Raises:
        DataError: a number is too large for seconds.
    """
    large = [row for row, value in enumerate(seconds) if abs(int(value)) >= _EPOCH_MS_FROM]
    if large:
        raise DataError(
            f"{place(large[0])}: expected seconds since 1970 in column {column!r}, got {seconds[large[0]]}, which "
            "looks like milliseconds or finer: divide it first"
        )
    return seconds.astype(np.int64).astype("datetime64[s]").astype("datetime64[us]")


def _form(text: str) -> tuple[bool, bool] | None:
    """Whether a timestamp has a time of day and a zone; None if it is none."""
    found = _TIMESTAMP.fullmatch(text)
    return None if found is None else (found[2] is not None, found[3] is not None)


def _moment(text: str) -> np.datetime64:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, clock, zone = found.groups()
    moment = np.datetime64(f"{day}T{clock}" if clock else day, "us")
    if zone is None or zone == "Z":
        return moment
    hours, minutes = zone[1:].split(":")
    offset = np.timedelta64(int(hours) * 60 + int(minutes), "m")
    return moment - offset if zone[0] == "+" else moment + offset


def read_stamps(texts: Sequence[str], ask: TimeAsk, place: Place) -> Stamps:
    """Read times until `edgelstm.data.readers.times` does."""
    utc = parse_times(texts, " ".join(ask.columns), place)
    return Stamps(utc, utc, TimeForm(ask.columns, "iso"), 1)
