"""What `inspect` and the trainer say of how a table is read."""

from __future__ import annotations

import pytest

from edgelstm.cli.inspection import reading_words
from edgelstm.reading import Dialect, Reading, TimeForm

DIALECTS = {
    "fields between ','": {},
    "fields between blanks": {"delimiter": " "},
    "fields between tab": {"delimiter": "\t"},
    "fields between ',', decimal '.', thousands ' '": {"thousands": " "},
    "fields between ';', decimal ','": {"delimiter": ";", "decimal": ","},
    "fields between ',', latin-1": {"encoding": "latin-1"},
    "fields between ',', 1 line above the header": {"skip_rows": 1},
    "fields between ',', utf-16, 12 lines above the header": {"encoding": "utf-16", "skip_rows": 12},
    "fields between ',', no header": {"header": False},
}
READINGS = {
    "": {},
    "time in t as %H:%M, ": {"time": TimeForm(("t",), "%H:%M", None)},
    "one series per shop, ": {"series": "shop"},
    "averaged into bins of 1h, ": {"resample": "1h"},
    "missing: - ?, ": {"missing": ("-", "?")},
    "duplicate times: mean, ": {"duplicates": "mean"},
}
GAPS = {
    ("interpolate", 6): "gaps of up to 6 interpolated",
    ("interpolate", None): "gaps interpolated",
    ("forward", 2): "gaps of up to 2 filled with the last value",
    ("drop", 6): "gaps left open",
    ("error", 6): "a gap is an error",
}


def reading(dialect=None, missing=(), time=None, series=None, resample=None, duplicates="error", gaps=("error", 6)):
    return Reading("csv", dialect, missing, time, series, None, resample, duplicates, *gaps)


@pytest.mark.parametrize("words", DIALECTS)
def test_a_dialect_is_told_by_all_that_is_not_usual(words):
    given = Dialect(**{"delimiter": ",", "decimal": ".", **DIALECTS[words]})
    assert reading_words(reading(given)) == f"csv, {words}, a gap is an error"


@pytest.mark.parametrize("words", READINGS)
def test_a_reading_is_told_by_all_that_is_not_usual(words):
    assert reading_words(reading(**READINGS[words])) == f"csv, {words}a gap is an error"


@pytest.mark.parametrize("gaps", GAPS)
def test_gaps_are_told_with_their_limit(gaps):
    assert reading_words(reading(gaps=gaps)) == f"csv, {GAPS[gaps]}"
