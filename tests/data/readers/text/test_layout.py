"""Which line is the header, and which lines are not rows: preambles, comments, units, row names, empty lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.errors import DataError
from edgelstm.reading import Dialect
from tests.data.readers.texts import columns, complaint, table

NAN = "nan"


def texts(found):
    return {name: [str(value) for value in found.numbers(name)] for name in found.columns}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("# made by x\nt,v\n0,1\n1,2\n", 3),
        ("# a, b\n# c, d\nt,v\n0,1\n1,2\n", 4),
        ("#t,v\n0,1\n1,2\n", 2),
        ("# t, v\n0,1\n1,2\n", 2),
        ("# t v\n0 1\n1 2\n", 2),
        ("#t v\n0 1\n1 2\n", 2),
        ("# a comment of many words\n# t v\n0 1\n1 2\n", 3),
        ("Logger 7\nSerial: 12\n\nt,v\n0,1\n1,2\n", 5),
        ("Station,Berlin\nSerial,123\n\nt,v\n0,1\n1,2\n", 5),
        ("Serial,123\nt,v\n0,1\n1,2\n", 3),
        ("\n\nt,v\n0,1\n1,2\n", 4),
        ("t,v\n\n0,1\n\n\n1,2\n\n", 3),
        ("t,v\ns,degC\n0,1\n1,2\n", 3),
        ("t,v\n0,1\n# broken sensor\n1,2\n", 2),
        ("t,v,,\n0,1,,\n1,2,,\n", 2),
        ("t,v\n0,1,\n1,2,\n", 2),
        ("t,v,\n0,1\n1,2\n", 2),
        ("t;v\n0;1\n1;2\n;\n;\n", 2),
        ("t, v\r\n0, 1\r\n1, 2", 2),
        ("t,v\r0,1\r1,2\r", 2),
        ("\ufefft,v\n0,1\n1,2\n", 2),
    ],
)
def test_the_same_two_rows_in_many_layouts(content, line):
    found = table(content)
    assert {name: found.numbers(name).tolist() for name in found.columns} == {"t": [0, 1], "v": [1, 2]}
    assert found.place(0).endswith(f"line {line}")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (
            "Logger 7\nSerial: 12\nt,v\n0,1\n1,2\n",
            "lines 1 to 2 before the table are skipped; --skip-rows overrides this",
        ),
        ("t,v\ns,degC\n0,1\n1,2\n", "line 2 (s, degC) is read as units and skipped"),
        ("t,v,w\n,kWh,degC\n0,1,1\n1,2,2\n", "line 2 (, kWh, degC) is read as units and skipped"),
        ("# t, v\n0,1\n", "the comment in line 1 is the header"),
        ("t,v\n0,1\n#x\n1,2\n", "1 comment line (#) skipped"),
        ("t,v\n0,1\n,\n", "1 line without values skipped"),
        ("t,,v\n0,,1\n", "1 column without name and content skipped"),
        ("v\n1\n\n2\n", "1 empty line skipped; write NA for a missing sample"),
        ("0.5,1.5\n1.5,2\n", "no header: the columns are named 1 to 2"),
        ("v\nx,1.5\ny,2\n", "the first ('x') is read as a row name and skipped"),
    ],
)
def test_what_is_left_out_is_said(content, note):
    assert any(note in line for line in table(content).notes)


def test_a_logger_file_has_its_names_in_line_2_and_no_rows_in_3_and_4():
    content = (
        '"TOA5","S","CR1000"\n"TIMESTAMP","RECORD","AirTC"\n"TS","RN","Deg C"\n"","","Smp"\n'
        '"2016-08-30 00:06:24",7,12.5\n"2016-08-30 00:06:25",8,"NAN"\n'
    )
    found = table(content)
    assert found.columns == ("TIMESTAMP", "RECORD", "AirTC")
    assert [str(value) for value in found.numbers("AirTC")] == ["12.5", NAN]
    assert found.place(0) == "stdin: line 5"
    assert found.dialect.skip_rows == 0
    assert "TOA5" in found.notes[0]
    assert "lines 3 and 4" in found.notes[0]
    assert "the table is empty" in complaint(content.split('"2016')[0])


def test_a_toaci1_file_has_no_units():
    assert columns('"TOACI1","S"\n"t","v"\n1,2\n') == {"t": [1], "v": [2]}


def test_lines_are_skipped_when_that_is_typed():
    content = "a,b\nc,d\n0,1\n2,3\n"
    assert columns(content, skip_rows=1) == {"c": [0, 2], "d": [1, 3]}
    assert table(content, skip_rows=1).dialect.skip_rows == 1
    assert "the table is empty" in complaint(content, skip_rows=10)
    assert columns("x\ny,z\na,b\n0,1\n", skip_rows=2) == {"a": [0], "b": [1]}


def test_a_table_without_names_calls_its_columns_by_number():
    found = table("0.5,1\n1.5,2\n2.5,3\n")
    assert found.columns == ("1", "2")
    assert found.dialect.header is False
    assert found.numbers("2").tolist() == [1, 2, 3]
    assert table("2023-01-01 00:00,1.5\n2023-01-01 01:00,2.5\n").columns == ("1", "2")
    assert table("a,b\nc,d\n", header=False).texts("1") == ["a", "c"]


def test_names_of_numbers_are_names_when_that_is_typed():
    assert columns("2019,2020\n5,6\n", header=True) == {"2019": [5], "2020": [6]}


@pytest.mark.parametrize("content", ["0,1,2\n5.5,6,7\n8,9,10\n", "city,2019,2020\nx,1.5,2\ny,3,4\n"])
def test_a_line_that_could_name_the_columns_or_be_a_row_names_the_option(content):
    assert "could be the header or a row: give --header or --no-header" in complaint(content)
    assert len(table(content, header=True).numbers("2" if content[0] == "0" else "2020")) == 2
    assert len(table(content, header=False).numbers("2")) == 3


@pytest.mark.parametrize("content", ["0,1\n1,3\n2,5\n", "s1,20\ns1,21\n", "0,1,5\n1,7,8\n2,7,8\n"])
def test_rows_that_count_on_or_repeat_their_word_are_rows(content):
    assert table(content).dialect.header is False


def test_a_first_missing_sample_is_no_name():
    assert table("t,v\n0,NA\n1,2\n").columns == ("t", "v")
    assert columns("NA,1\n1,2\n2,3\n")["2"] == [1, 2, 3]


def test_one_odd_word_in_the_first_row_is_no_unit():
    assert "line 2: expected a number in column 'v', got 'warm'" in complaint("t,v\n0,warm\n1,2\n2,3\n")
    assert "line 2: expected a number in column 'a', got 'err'" in complaint(
        "a,b\nerr,err\n1,2\nerr,3\n2,3\n4,4\n5,5\n"
    )


def test_a_spreadsheet_error_is_no_comment():
    assert [str(value) for value in table("v,t\n#N/A,1\n2,2\n").numbers("v")] == [NAN, "2.0"]


def test_names_of_rows_are_left_out_and_told_from_halves_of_numbers():
    found = table('t,v\n"1",0.5,1.5\n"2",1.5,2.5\n')
    assert found.columns == ("t", "v")
    assert found.numbers("t").tolist() == [0.5, 1.5]
    assert found.dialect.row_names
    assert table("a,b\nrow 1,1,2\nrow 2,3,4\n").numbers("b").tolist() == [2, 4]


@pytest.mark.parametrize(
    "content",
    [
        "t,v\n0,20,013\n1,20,185\n",
        "t,v\n2023-01-01,20,5\n2023-01-02,21,7\n",
        "v\n20,013\n20,185\n",
    ],
)
def test_halves_of_numbers_are_refused_with_what_to_do(content):
    text = complaint(content)
    assert "look like halves of numbers (20," in text
    assert "--decimal ," in text
    assert "line 2" in text


def test_more_decimal_commas_without_quotes_name_what_to_do():
    assert "decimal commas need quotes" in complaint("t,v,w\n0,20,013,1,5\n1,20,185,1,7\n")


def test_names_of_rows_that_repeat_are_fields_too_many():
    assert "expected 2 fields as in the header, got 3 at line 2" in complaint("a,b\nx,1.5,2\nx,3,4\n")


def test_date_and_clock_between_blanks_are_two_columns():
    text = complaint("t v\n2020-01-01 10:00 1.5\n2020-01-01 11:00 2.5\n")
    assert "date and clock are two columns" in text
    assert "--time twice" in text


def test_rows_of_delimiters_alone_keep_their_place_where_rows_have_no_time():
    content = "t,v\n0,1\n,\n2,3\n,\n"
    assert texts(table(content))["v"] == ["1.0", NAN, "3.0"]
    assert texts(table(content, time=("t",)))["v"] == ["1.0", "3.0"]


def test_a_missing_sample_in_quotes_is_a_row_of_a_single_column():
    assert texts(table('v\n1\n""\n3\n')) == {"v": ["1.0", NAN, "3.0"]}


@pytest.mark.parametrize(
    "content", ["", "\n\n", "t,v\n", "t,v", "# only\n", "t,v\n# x\n", "t,v\n,\n,\n", "sep=;\n", "t,v\n\n"]
)
def test_a_table_without_rows_is_empty(content):
    assert "stdin: the table is empty" in complaint(content)


def test_the_layout_of_training_is_wanted_again():
    assert "expected a header, as in training, got none" in complaint("0.5,1\n1.5,2\n", Dialect())
    assert "expected no header, as in training, got one" in complaint("t,v\n1,2\n", Dialect(header=False))
    assert columns("0.5,1\n1.5,2\n", Dialect(header=False)) == {"1": [0.5, 1.5], "2": [1, 2]}
    assert columns("t,v\n1,2\n", Dialect(header=False), header=True) == {"t": [1], "v": [2]}
    assert "expected no row name at the start of each row" in complaint('v\n"x",1.5\n"y",2\n', Dialect())
    assert "expected a row name at the start of each row" in complaint("v,w\n1,2\n", Dialect(row_names=True))


def test_lines_that_were_open_are_read_as_in_training():
    content = "0,1,2\n5.5,6,7\n"
    assert table(content, Dialect(header=True)).columns == ("0", "1", "2")
    assert len(table(content, Dialect(header=False)).numbers("1")) == 2


def test_lines_that_were_skipped_in_training_are_skipped_again_or_no_longer_there():
    trained = Dialect(skip_rows=1)
    content = "a,b\nt,v\n0,1\n2,3\n"
    assert table(content, trained, columns=("v",)).numbers("v").tolist() == [1, 3]
    assert table(content[4:], trained, columns=("v",)).numbers("v").tolist() == [1, 3]
    assert table("Logger\nNew\n" + content[4:], trained, columns=("v",)).numbers("v").tolist() == [1, 3]


PREAMBLES = st.lists(
    st.sampled_from(
        ["Logger 7", "Station{d}Berlin", "Serial{d}123", "Created 2024-01-01 10:00", "Data from a|b", "a{d}b{d}c", ""]
    ),
    max_size=3,
)
ROWS = st.lists(st.tuples(st.integers(-99, 99), st.floats(-50, 50).map(lambda x: round(x, 1))), min_size=2, max_size=30)


@settings(max_examples=300, deadline=None)
@given(
    rows=ROWS,
    delimiter=st.sampled_from(",;\t|"),
    preamble=PREAMBLES,
    comments=st.lists(st.sampled_from(["# hello", "# x, y", "#"]), max_size=2),
    timed=st.booleans(),
    units=st.booleans(),
    trailing=st.booleans(),
    blank=st.integers(0, 30),
)
def test_a_table_below_any_preamble_is_read_right_or_an_option_is_named(
    rows, delimiter, preamble, comments, timed, units, trailing, blank
):
    names = [*(["time"] if timed else []), "count", "heat"]
    lines = [line.format(d=delimiter) for line in preamble] + comments + [delimiter.join(names)]
    if units:
        lines.append(delimiter.join([*(["s"] if timed else []), "pieces", "degC"]))
    for place, row in enumerate(rows):
        stamp = [f"2024-01-{place % 28 + 1:02} 10:00"] if timed else []
        lines.append(delimiter.join([*stamp, *map(str, row)]) + delimiter * trailing)
        lines += [""] * (place == blank)
    try:
        found = table("\n".join(lines), columns=("count", "heat"), time=("time",) if timed else ())
        numbers = [found.numbers("count").tolist(), found.numbers("heat").tolist()]
    except DataError as error:
        assert "--" in str(error) or "expected a number" in str(error)  # noqa: PT017  (either way is right)
        return
    assert numbers == [list(column) for column in zip(*rows, strict=True)]


HOBO = (
    '"Plot Title: Attic"\n{names}\n1,01/01/24 12:00:00 AM,19.9,\n2,01/01/24 12:10:00 AM,20.1,\n'
    "3,01/01/24 12:20:00 AM,,Logged\n"
)


@pytest.mark.parametrize(
    "names",
    [
        '"#","Date Time, GMT-05:00","Temp, C (LGR S/N: 1)","Host Connected"',
        '#,"Date Time, GMT-05:00","Temp, C (LGR S/N: 1)",Host Connected',
    ],
)
def test_a_sign_alone_in_front_of_names_names_the_column_of_row_numbers(names):
    found = table("\ufeff" + HOBO.format(names=names))
    assert found.columns == ("#", "Date Time, GMT-05:00", "Temp, C (LGR S/N: 1)", "Host Connected")
    assert found.numbers("#").tolist() == [1, 2, 3]
    assert found.numbers("Temp, C (LGR S/N: 1)").tolist()[:2] == [19.9, 20.1]
    assert found.place(0).endswith("line 3")
    with pytest.raises(DataError, match=r"there is no column 'Temp'; .* did you mean 'Temp, C \(LGR S/N: 1\)'\?"):
        found.require("Temp")


def test_a_table_whose_row_numbers_have_a_sign_for_a_name_may_hold_comments():
    assert columns("#;v\n1;1.5\n# broken\n2;2.5\n") == {"#": [1, 2], "v": [1.5, 2.5]}
    assert columns("t;v\n1;1.5\n#;a\n2;2.5\n", columns=("t", "v")) == {"t": [1, 2], "v": [1.5, 2.5]}


BUOY = (
    "#YY  MM DD hh mm WDIR WTMP\n#yr  mo dy hr mn degT degC\n2024 01 01 00 50 120  14.5\n2024 01 01 01 50 130  14.6\n"
)


@pytest.mark.parametrize(
    "asked", [{}, {"columns": ("WTMP",)}, {"columns": ("WTMP",), "time": ("YY", "MM", "DD", "hh")}]
)
def test_of_two_comments_the_first_names_the_columns_and_units_do_not(asked):
    assert table(BUOY, **asked).numbers("WTMP").tolist() == [14.5, 14.6]


def test_of_many_comments_that_which_has_the_asked_columns_names_them():
    text = "# by me\n# t v\n# s K\n0 1\n1 2\n"
    assert table(text, columns=("v",)).columns == ("t", "v")
    assert table(text, columns=("K",)).columns == ("s", "K")
    assert table(text).columns == ("by", "me")


def test_a_column_that_begins_with_0_or_1_needs_no_option():
    assert columns("1\n7\n3\n4\n") == {"1": [1, 7, 3, 4]}
    assert columns("0\n7\n3\n4\n") == {"1": [0, 7, 3, 4]}


def test_below_the_header_only_the_time_may_lack_a_unit():
    assert columns("t,a,b,c\n,m,m,m\n1,2,3,4\n5,6,7,8\n")["c"] == [4, 8]
    assert "line 2: expected a number in column 'a', got 'm'" in complaint("t,a,b,c\n,m,m,\n1,2,3,4\n5,6,7,8\n")
