"""Delimiters: exactly one must remain, and that of training must be among those that fit."""

from __future__ import annotations

import pytest

from edgelstm.reading import Dialect
from tests.data.readers.texts import columns, complaint, table


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("t,v\n0,1.5\n1,2.5\n", ","),
        ("t;v\n0;1.5\n1;2.5\n", ";"),
        ("t;v\n0;1,5\n1;2,5\n", ";"),
        ("t\tv\n0\t1.5\n1\t2.5\n", "\t"),
        ("t\tv\n0\t1,5\n1\t2,5\n", "\t"),
        ("t|v\n0|1.5\n1|2.5\n", "|"),
        ("t v\n0 1.5\n1 2.5\n", " "),
        ("  t    v\n  0  1.5\n 10  2.5  \n", " "),
        ("t \t v\n0 \t 1.5\n1 \t 2.5\n", "\t"),
        ("t v\n0 1,5\n1 2,5\n", " "),
        ("sep=;\nt;v\n0;1.5\n1;2.5\n", ";"),
        ('"sep=;"\nt;v\n0;1.5\n1;2.5\n', ";"),
        ("sep=^\nt^v\n0^1.5\n1^2.5\n", "^"),
        ("t (s, UTC);v\n0;1,5\n1;2,5\n", ";"),
        ("t,v\n2023-01-01 00:00:00,1.5\n2023-01-01 01:00:00,2.5\n", ","),
        ("0;1,5\n1;2,5\n", ";"),
        ('t,v\n"0","1,5"\n"1","2,5"\n', ","),
        ('"t" "v"\n"0" 1.5\n"1" 2.5\n', " "),
    ],
)
def test_the_lines_tell_the_delimiter(content, delimiter):
    found = table(content)
    assert found.dialect.delimiter == delimiter
    assert found.numbers(found.columns[-1]).tolist() == [1.5, 2.5]


def test_a_single_column_has_no_delimiter():
    assert columns("v\n1.5\n2.5\n") == {"v": [1.5, 2.5]}
    assert columns("Temp (deg C)\n1.5\n2.5\n") == {"Temp (deg C)": [1.5, 2.5]}


def test_a_delimiter_behind_a_single_column_is_one():
    assert columns("13,2|\n31,2|\n-7,4|\n") == {"1": [13.2, 31.2, -7.4]}
    assert columns("v\n13.2,\n31.2,\n") == columns("v,\n13.2,\n31.2,\n") == {"v": [13.2, 31.2]}


def test_words_with_blanks_and_semicolons_do_not_hide_commas():
    text = "name,v\nfirst one; old,1.5\nsecond two; new,2.5\nthird three; odd,3.5\n"
    assert table(text).numbers("v").tolist() == [1.5, 2.5, 3.5]


def test_two_delimiters_that_do_as_well_name_the_option():
    text = complaint("a;b,c\n1;x,3\n4;y,6\n")
    assert "commas and semicolons both split every line" in text
    assert "--delimiter" in text
    assert table("a;b,c\n1;x,3\n4;y,6\n", delimiter=",").columns == ("a;b", "c")


@pytest.mark.parametrize("typed", ["tab", "\\t", "\t", "TAB"])
def test_a_delimiter_is_typed_as_people_type_it(typed):
    assert table("t,a\tv\nx,y\t1.5\n", delimiter=typed).columns == ("t,a", "v")


@pytest.mark.parametrize("typed", ["", "ab", "7", '"', "."])
def test_what_is_no_delimiter_is_refused(typed):
    assert "--delimiter: expected one character" in complaint("a,b\n1,2\n", delimiter=typed)


def test_a_single_column_of_decimal_commas_is_read_when_that_is_typed():
    assert columns("v\n20,013\n20,5\n21,1\n", decimal=",") == {"v": [20.013, 20.5, 21.1]}


def test_the_delimiter_of_training_is_wanted_again():
    trained = Dialect(";")
    assert columns("t;v\n0;1.5\n", trained) == {"t": [0], "v": [1.5]}
    assert "expected semicolons between fields, as in training, got commas" in complaint("t,v\n0,1.5\n1,2\n", trained)
    assert columns("t,v\n0,1.5\n1,2\n", trained, delimiter=",")["v"] == [1.5, 2]


def test_a_short_table_that_allows_two_is_read_as_in_training():
    content = "a;b,c\n1;x,3\n"
    assert table(content, Dialect(",")).columns == ("a;b", "c")
    assert table(content, Dialect(";")).columns == ("a", "b,c")


def test_decimal_commas_between_semicolons_are_no_commas_between_fields():
    content = "t;v\n0;20,5\n1;20,7\n"
    assert "expected commas between fields, as in training, got semicolons" in complaint(content, Dialect(","))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a,b\n1,2,3\n3,4\n5,6\n", "expected 2 fields as in the header, got 3 at line 2"),
        ("a,b\n1,2\n\n3\n", "expected 2 fields as in the header, got 1 at line 4"),
        ("a,b\n" + "1,2\n" * 1000 + "1,2,3\n", "expected 2 fields as in the header, got 3 at line 1002"),
        ("a b\n" + "1 2\n" * 20 + "1 2 3\n", "expected 2 fields as in the header, got 3 at line 22"),
        ("v\n1\n2\n3\n4,5\n", "expected 1 fields as in the header, got 2 at line 5"),
        ("1,2\n3,4\n5,6\n7\n", "expected 2 fields as in the first line, got 1 at line 4"),
    ],
)
def test_a_row_with_other_fields_too_many_or_too_few_names_its_line(content, line):
    assert line in complaint(content)


@pytest.mark.parametrize("day", ["01 Jan 2001", "1. Januar 2001", "1 févr. 2001", "2001 Jan 1"])
def test_days_of_several_words_do_not_make_blanks_the_delimiter(day):
    found = table(f"t,v\n{day} 00:00,1.5\n{day} 01:00,2.5\n")
    assert found.dialect.delimiter == ","
    assert found.numbers("v").tolist() == [1.5, 2.5]


def test_a_header_behind_lines_of_several_widths_begins_the_table():
    assert columns("A,B,C\nStation,Berlin\nX,Y,Z\nt,v\n0,1\n1,2\n") == {"t": [0, 1], "v": [1, 2]}
