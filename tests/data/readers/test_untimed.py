"""Without --time rows are read in table order, with a note, and refused if they clearly run backwards."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError

BEGIN = datetime(2020, 1, 1)
FORMS = {
    "t": [
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%d.%m.%Y %H:%M",
        "%m/%d/%Y %I:%M %p",
        "%a %d %b %Y %H:%M",
        "%Y-%m-%d %H:%M CET",
    ],
    "Date Time": ["%Y-%m-%d %H:%M"],
    "timestamp": ["%s"],
}
WRITTEN = [(name, form) for name, forms in FORMS.items() for form in forms]


def written(moment, form):
    seconds = str(int((moment - datetime(1970, 1, 1)).total_seconds()))
    return seconds if form == "%s" else moment.strftime(form)


def asked(lines, header="t,v", columns=("v",), **more):
    source = io.StringIO("\n".join([header, *lines]) + "\n", newline="")
    return read(source, Asking(columns=columns, targets=columns, **more))


def complaint(lines, **more):
    with pytest.raises(DataError) as caught:
        asked(lines, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def typed(name):
    return f"--time '{name}'" if " " in name else f"--time {name}"


@pytest.mark.parametrize(("name", "form"), WRITTEN)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(rows=st.integers(2, 500), minutes=st.sampled_from([1, 60, 1440]))
def test_rows_that_run_forwards_are_kept_and_those_that_run_backwards_refused(name, form, rows, minutes):
    moments = [BEGIN + timedelta(minutes=minutes * number) for number in range(rows)]
    lines = [f"{written(moment, form)},{number}" for number, moment in enumerate(moments)]
    found = asked(lines, header=f"{name},v")
    assert found.series[0].values.ravel().tolist() == list(range(rows))
    assert any(typed(name) in note and "in table order" in note for note in found.notes)
    said = complaint(lines[::-1], header=f"{name},v")
    assert f"rows run from the latest ({written(moments[-1], form)}) to the earliest" in said
    assert f"give {typed(name)} to sort them by time" in said


def test_what_is_typed_turns_them_round():
    lines = [f"{BEGIN + timedelta(days=number):%Y-%m-%d},{number}" for number in range(20)]
    assert asked(lines[::-1], time=("t",)).series[0].values.ravel().tolist() == list(range(20))


@pytest.mark.parametrize(
    ("header", "form", "options"),
    [
        ("Date,Time,v", "%Y-%m-%d,%H:%M", "--time Date --time Time"),
        ("hour,day,month,year,v", "%H,%d,%m,%Y", "--time year --time month --time day --time hour"),
        ("day,v", "%Y-%m-%d", "--time day"),
        ("year,month,v", "%Y,%m", "--time year --time month"),
    ],
)
def test_columns_that_make_a_time_together_are_named_together(header, form, options):
    lines = [f"{BEGIN + timedelta(hours=number):{form}},{number}" for number in range(1500)]
    assert any(options in note for note in asked(lines, header=header).notes)
    assert f"give {options} to sort them" in complaint(lines[::-1], header=header)


def test_a_clock_that_is_put_back_and_fields_that_are_missing_change_nothing():
    moments = [BEGIN + timedelta(hours=number - (number >= 50)) for number in range(100)]
    lines = [f"{'' if number == 30 else f'{moment:%Y-%m-%d %H:%M}'},{number}" for number, moment in enumerate(moments)]
    assert len(asked(lines).series[0].values) == 100
    assert "rows run from the latest" in complaint(lines[::-1])


def test_each_series_may_run_backwards():
    lines = [
        f"{BEGIN + timedelta(days=-number % 20):%Y-%m-%d},{'ab'[number >= 20]},{number}" for number in range(1, 41)
    ]
    assert "rows run from the latest" in complaint(lines, header="t,s,v", series="s")
    assert "rows run from the latest" in complaint(lines, header="t,s,v")


def test_dates_of_two_readings_that_both_run_backwards_are_refused():
    assert "rows run from the latest" in complaint([f"0{day}/0{day}/2020,{day}" for day in range(9, 0, -1)])


@pytest.mark.parametrize(
    ("header", "first"),
    [
        ("t,v", lambda number: number),
        ("Month,v", lambda number: f"{1 + number // 12}-{1 + number % 12:02}"),  # not a date: `1-01`
        ("meter,v", lambda number: 1_700_000_000 + number),
        ("note,v", lambda number: ["in order", "late"][number % 2]),
        ("load,v", lambda number: 1900 + number),
    ],
)
def test_what_is_no_time_or_need_not_be_one_says_nothing(header, first):
    lines = [f"{first(number)},{number}" for number in range(36)]
    for some in (lines, lines[::-1]):
        assert asked(some, header=header).notes == ()


def test_of_several_columns_one_that_goes_forwards_wins():
    lines = [f"{BEGIN - timedelta(days=n):%Y-%m-%d},{BEGIN + timedelta(days=n):%Y-%m-%d},{n}" for n in range(30)]
    assert any("give --time b to use" in note for note in asked(lines, header="a,b,v").notes)


def test_a_table_of_tomorrow_that_runs_backwards_is_refused_and_nothing_is_said_again():
    lines = [f"{BEGIN + timedelta(days=number):%Y-%m-%d},{number}" for number in range(20)]
    trained = asked(lines).reading
    assert asked(lines, like=trained).notes == ()
    assert "rows run from the latest" in complaint(lines[::-1], like=trained)


def test_times_are_no_categories():
    lines = [f"{BEGIN + timedelta(days=number):%Y-%m-%d},{number}" for number in range(20)]
    source = io.StringIO("\n".join(["t,v", *lines]), newline="")
    with pytest.raises(DataError, match=r"column 't' holds times, .* are not categories: give --time t"):
        read(source, Asking())
