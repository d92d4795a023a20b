"""From any table that is written from a known series, the same series is read, or the error names the option."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError
from tests.data.readers.any_table import CALENDARS, places_between, write_down, written_tables

# EDGELSTM_MANY_TABLES=20000 reads that many, in minutes instead of seconds.
MANY = int(os.environ.get("EDGELSTM_MANY_TABLES", "120"))
OPTIONS = (
    "--time-format",
    "--time-zone",
    "--decimal",
    "--delimiter",
    "--skip-rows",
    "--no-header",
    "--encoding",
    "--resample",
    "--duplicates",
    "--na",
)
# The same tables each time, so that only a change can fail; a longer search draws others.
by_example = settings(
    max_examples=MANY,
    deadline=None,
    derandomize="EDGELSTM_MANY_TABLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)


def reading_of(table, folder, **more):
    path = Path(folder) / "table.csv"
    path.write_bytes(table.content)
    asked = {"columns": table.columns, "targets": table.columns, "time": table.time, "time_zone": table.zone, **more}
    return read(path, Asking(**asked))


def assert_same(found, table):
    """Compare times exactly, values exactly as in the text, and NaN where nothing was written."""
    (series,) = found.series
    places = places_between(table.calendar, sorted({row for row, _ in table.lines}))
    assert series.names == table.columns
    np.testing.assert_array_equal(series.time, table.times[places])
    np.testing.assert_array_equal(series.values, table.values[places])
    rhythm, calendar = series.rhythm, CALENDARS[table.calendar]
    assert found.reading.rhythm == rhythm
    assert (rhythm.unit, rhythm.count) == (calendar.unit, calendar.count), table.calendar
    if calendar.day is not None:
        assert rhythm.day == calendar.day
    assert found.notes is not None


def assert_helpful(error, table):
    text = str(error)
    assert "\n" not in text, text
    assert any(option in text for option in OPTIONS), text
    if "day and month" in table.hard:
        return
    if not table.hard:
        raise AssertionError(f"nothing was hard about this table, and yet: {text}") from error


@by_example
@given(written_tables())
def test_a_table_is_read_back_without_any_option_or_the_error_names_one(tmp_path_factory, table):
    try:
        found = reading_of(table, tmp_path_factory.getbasetemp())
    except DataError as error:
        assert_helpful(error, table)
        return
    assert_same(found, table)


@by_example
@given(written_tables())
def test_with_every_option_typed_a_table_is_read_back(tmp_path_factory, table):
    assert_same(reading_of(table, tmp_path_factory.getbasetemp(), **table.options), table)


@by_example
@given(written_tables(), st.integers(4, 26), st.booleans())
def test_a_piece_of_the_table_is_read_as_the_whole_was(tmp_path_factory, table, length, first):
    folder = tmp_path_factory.getbasetemp()
    found = reading_of(table, folder, **table.options)
    kept = sorted({row for row, _ in table.lines})
    mine = set(kept[:length] if first else kept[-length:])
    some = [line for line in table.lines if line[0] in mine]
    names = (*table.time, *table.columns)
    path = Path(folder) / "piece.csv"
    path.write_bytes(write_down(table.dialect, names, [fields for _, fields in some]))
    again = read(path, Asking(columns=table.columns, targets=table.columns, like=found.reading))
    rows = sorted({row for row, _ in some})
    places = places_between(table.calendar, rows)
    (series,) = again.series
    np.testing.assert_array_equal(series.time, table.times[places])
    expected = np.full_like(table.values, np.nan)
    expected[rows] = table.values[rows]
    np.testing.assert_array_equal(series.values, expected[places])
    assert again.reading.time == found.reading.time


def test_most_tables_need_no_option(tmp_path_factory):
    told: Counter[str] = Counter()

    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(written_tables())
    def read_all(table):
        try:
            reading_of(table, tmp_path_factory.getbasetemp())
            told["read"] += 1
        except DataError:
            told["asked"] += 1

    read_all()
    assert told["read"] > 2 * told["asked"], told


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_dialect_than_that_of_training_is_refused_with_the_difference(tmp_path, delimiter):
    lines = [f"2024-01-{day:02d}{{}}{day}.5" for day in range(1, 29)]
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    for path, between in ((first, ","), (second, delimiter)):
        path.write_text("\n".join(["t{}v", *lines]).replace("{}", between) + "\n")
    found = read(first, Asking(columns=("v",), time=("t",)))
    with pytest.raises(DataError, match="comma"):
        read(second, Asking(columns=("v",), like=found.reading))
