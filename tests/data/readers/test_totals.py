"""Lines of totals are not samples: they are refused, but words that repeat are categories."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.columns.words import SUMMARIES
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def values(rows, header="t,v", **asking):
    source = io.StringIO("\n".join([header, *rows]) + "\n", newline="")
    found = read(source, Asking(columns=("v",), targets=("v",), **asking))
    return [value for series in found.series for value in series.values.ravel().tolist()]


def complaint(rows, **more):
    with pytest.raises(DataError) as caught:
        values(rows, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def days(count=40):
    return [f"2020-{1 + number // 28:02}-{1 + number % 28:02},{number}" for number in range(count)]


def named(count=40):
    return [f"{MONTHS[number % 12]},{number}" for number in range(count)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(SUMMARIES)), st.booleans(), st.sampled_from(["", ":", " "]), st.booleans())
def test_each_word_at_the_end_is_refused_with_its_line(word, upper, behind, timed):
    rows = days() if timed else named()
    assert complaint([*rows, f"{word.upper() if upper else word}{behind},780"]).startswith("stdin: line 42: ")


@pytest.mark.parametrize(
    "field", ["Grand Total", "Total 2020", "Sum of all", "Monthly average", "** Total **", "Total (kWh)"]
)
def test_a_word_among_others_is_refused(field):
    said = complaint([*named(), f"{field},780"])
    assert "looks like a line of totals: delete it; if it is a sample, use another word" in said


def test_a_line_below_the_names_is_refused():
    assert "line 2: 'Total'" in complaint(["Total,780", *named()])


def test_several_lines_are_counted():
    said = complaint([*named(), "Mean,1", "Std,2", "Min,3", "Max,4"])
    assert "line 42: 'Mean'" in said
    assert "delete it and 3 more such lines" in said


def test_sums_between_times_are_refused_as_well():
    rows = [row for number in range(0, 40, 8) for row in (*days()[number : number + 8], "Total,99")]
    said = complaint(rows)
    assert "line 10: 'Total'" in said
    assert "4 more such lines" in said


def test_a_series_of_one_line_is_refused_and_one_of_many_is_a_series():
    stores = [f"{'ab'[number % 2]},{number}" for number in range(40)]
    assert "'Total' in column 's'" in complaint([*stores, "Total,780"], header="s,v", series="s")
    many = [*stores, *[f"Total,{number}" for number in range(20)]]
    assert len(values(many, header="s,v", series="s")) == 60


def test_words_that_come_again_and_remarks_are_left_alone():
    assert len(values([f"{['Total', 'Part'][number % 2]},{number}" for number in range(40)])) == 40
    remarks = [*[f"x{number},,{number}" for number in range(40)], "x40,total power outage,40"]
    assert len(values(remarks, header="t,note,v")) == 41
    assert len(values(days(), header="total,v")) == 40


def test_with_times_the_line_is_named_too():
    assert "line 42: 'Total'" in complaint([*days(), "Total,780"], time=("t",))


@pytest.mark.parametrize("field", ["", "xyz", "Source: me", "2020-02-1x", "3"])
def test_without_a_time_at_the_end_a_row_is_no_sample_whatever_it_says(field):
    said = complaint([*days(), f"{field},780"])
    assert "line 42: expected a time in column 't', as in the rows above, got" in said
    assert "if it is a line of totals, delete it; else fix it, or remove that column" in said


def test_an_order_that_was_not_shipped_yet_is_a_sample():
    rows = [f"2020-01-{day:02},{f'2020-02-{day:02}' if day < 27 else ''},{day}" for day in range(1, 29)]
    assert len(values(rows, header="ordered,shipped,v")) == 28
