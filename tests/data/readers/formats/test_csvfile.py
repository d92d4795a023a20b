"""The text reader as a whole: the same for the trainer and for a device with only the standard library and numpy."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.columns.words import MISSING_WORDS
from edgelstm.data.readers.formats import read_table
from edgelstm.data.readers.text.lines import unquoted
from edgelstm.errors import DataError
from edgelstm.reading import Dialect
from tests.data.readers.texts import columns, complaint, table

FIELDS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**9), 10**9).map(str),
    st.sampled_from(sorted(MISSING_WORDS)),
    st.sampled_from([" 1", "2 ", "+3", "4.", ".5", "6e2", '"7"', "-0"]),
)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS, st.sampled_from(["x", '"a,b"', '"say ""hi"""', "y"])), min_size=1),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_table_of_numbers_is_read_as_polars_reads_it(rows, end):
    text = end.join(["a,b,note", *(",".join(row) for row in rows), ""])
    oracle = polars.read_csv(
        io.BytesIO(text.replace(end, "\n").encode()), infer_schema=False, null_values=sorted(MISSING_WORDS)
    )
    expected = [oracle[name].str.strip_chars().cast(polars.Float64).fill_null(float("nan")) for name in ("b", "a")]
    found = table(text, columns=("b", "a"), header=True)
    np.testing.assert_array_equal([found.numbers("b"), found.numbers("a")], np.stack(expected))


FLOATS = st.one_of(st.floats(-1e6, 1e6).map(lambda x: round(x, 2)), st.integers(-(10**6), 10**6).map(float))
NUMBERS = st.one_of(st.none(), FLOATS)
# Letters whose Latin-1 bytes are never valid UTF-8, in any order.
WORDS = st.builds("w{}".format, st.text(st.sampled_from("abc XYZ:!.äöüßéñ"), min_size=1, max_size=8))


def written(values, words, dialect, gap, quotes, end, front, mark):
    """Write a table of two columns of numbers and one of words with Python's csv writer, which is independent."""
    file = io.StringIO()
    writer = csv.writer(
        file,
        delimiter=dialect.delimiter,
        lineterminator=end,
        quoting=csv.QUOTE_ALL if quotes else csv.QUOTE_MINIMAL,
    )
    if dialect.header:
        writer.writerow(["first", "second", "word"])
    for (first, second), word in zip(values, words, strict=True):
        numbers = (gap if x is None else repr(x).replace(".", dialect.decimal) for x in (first, second))
        writer.writerow([*numbers, word])
    return (mark + front + file.getvalue()).encode(dialect.encoding if dialect.encoding != "latin-1" else "latin-1")


@settings(max_examples=300, deadline=None)
@given(
    first=st.tuples(FLOATS, FLOATS),
    others=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=12),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
    header=st.booleans(),
    gap=st.sampled_from(["", "NA", "?", "NaN", "unavailable", "#N/A"]),
    quotes=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    front=st.sampled_from(["", "# a comment\n", "\n", "# one, two\n#three;\n\n"]),
    data=st.data(),
)
def test_a_table_in_any_dialect_comes_back_or_the_error_names_an_option(
    first, others, delimiter, decimal, encoding, header, gap, quotes, end, front, data
):
    values = [first, *others]
    words = data.draw(st.lists(WORDS, min_size=len(values), max_size=len(values)))
    dialect = Dialect(delimiter, decimal, "", encoding, 0, header)
    content = written(values, words, dialect, gap, quotes, end, front, "")
    expected = np.array([[np.nan if x is None else x for x in row] for row in values], float).T
    typed = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding, "header": header}
    for asked in ({}, typed, {"like": dialect}):
        try:
            found = table(content, columns=("1", "2"), **asked)
            numbers = [found.numbers("1"), found.numbers("2")]
        except DataError as error:
            said = str(error)
            options = ("--decimal", "--delimiter", "--header", "--encoding", "--na")
            assert any(option in said for option in options), said
            assert not asked, said
            continue
        np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n\n3,4\n", [2, 4]),
        ("b\n1\n\n3\n", [1, 3]),
        ("\ufeffb,a\n1,2\n", [1]),
        ('a,b\n1,"2"\n', [2]),
        (" a , b \n1, 2\n", [2]),
        ("\n\na,b\n1,2\n", [2]),
        ('a,b\n"two\nlines",2\n3,4\n', [2, 4]),
        ('a,b\n"two\n\n# lines",2\n3,4\n', [2, 4]),
        ("a,b\n1,2", [2]),
        ("a,b\r1,2\r3,4\r", [2, 4]),
        ("ä,b\nö,2\nü,3\n", [2, 3]),
        ("\u65e5,b\n\u6708,2\n\u706b,3\n", [2, 3]),
        ("a,b\nx\x85y,2\nx\u2028y,3\n", [2, 3]),
    ],
)
def test_odd_tables_that_can_be_read_in_one_way_only(text, expected):
    assert table(text).numbers("b").tolist() == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a,b\n1,"2\n', "cannot be read as a CSV"),
        ('a,b\n1,"2"3\n', "cannot be read as a CSV"),
        ('a,b\n1,"2\n' + "3,4\n" * 100_000, "cannot be read as a CSV"),
        ("a,b\n1,2\n3,1_000\n", "line 3: expected a number in column 'b', got '1_000'"),
        ('b,a\n2,"two\nlines"\nx,3\n5,6\n', "line 4: expected a number in column 'b', got 'x'"),
        ("a,b\n1," + "x" * 200_000 + "\n2,3\n3,4\n", "got 'xxx"),
        ('a,b\n1,"' + "x" * 200_000 + '"\n', "cannot be read as a CSV"),
        ("a," * 200_000, "expected at most 100,000 columns"),
        ("x" * 10_000_000, "the table is empty"),
        ("1" * 10_000_000 + "\n", "expected a finite number"),
        ("1," * 5_000_000, "expected at most 100,000 columns"),
    ],
)
def test_hostile_tables_are_one_short_line(text, said):
    assert said in complaint(text)


def test_ten_megabytes_on_one_line_are_judged_quickly():
    before = time.process_time()
    complaint("1;2," * 2_500_000)
    assert time.process_time() - before < 20


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('01.,;|\t "#\n\r-:+eEab\u00a0\x85'), max_size=60))
def test_any_text_is_a_table_or_one_line_of_complaint(text):
    try:
        found = table(text)
        for column in found.columns:
            found.is_text(column)
            found.texts(column)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017  (either way is right)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_a_table_or_one_line_of_complaint(content):
    try:
        found = table(content)
        for column in found.columns:
            found.numbers(column)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017  (either way is right)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.floats(allow_nan=False, allow_infinity=False).map(repr), st.sampled_from(["", "NA", " 7 "])),
            st.one_of(st.floats(-9, 9).map(repr), st.sampled_from(["1e5", "+.5", "1.", "-3 "])),
            st.integers(0, 99),
        ),
        min_size=2,
        max_size=30,
    ),
    blank=st.integers(0, 29),
)
def test_the_fast_way_and_the_slow_way_give_the_same(rows, blank):
    lines = [f"{a},{b},w{c}" for a, b, c in rows]
    slow = [*lines]
    slow.insert(min(blank, len(lines)), "# a comment")
    fast, slow = table("a,b,c\n" + "\n".join(lines)), table("a,b,c\n" + "\n".join(slow))
    for column in "ab":
        np.testing.assert_array_equal(fast.numbers(column), slow.numbers(column))
    assert fast.texts("c") == slow.texts("c")
    assert fast.dialect == slow.dialect


def test_the_note_says_how_an_unusual_table_is_written():
    notes = table("t;v\n0;1.234,5\n1;2,5\n").notes
    assert notes == ("semicolons between fields, decimal commas, '.' between thousands",)


def test_columns_of_the_time_are_joined():
    from edgelstm.data.readers.asking import TimeAsk

    found = table("day,clock,v\n2020-01-01,10:00,1\n2020-01-01,11:00,2\n", time=("day", "clock"))
    stamps = found.times(TimeAsk(("day", "clock")))
    assert stamps.utc.tolist() == np.array(["2020-01-01T10:00", "2020-01-01T11:00"], "M8[us]").tolist()


def test_a_csv_needs_no_polars():
    code = (
        "import sys; sys.modules['polars'] = None\n"
        "from importlib import resources\n"
        "from edgelstm.data.readers.formats import read_table\n"
        "path = resources.files('edgelstm.data') / 'co2' / 'co2.csv'\n"
        "print(len(read_table(str(path)).numbers('co2')))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "2284"


PUBLIC = {
    "air_quality/AirQualityUCI.csv": (Dialect(";", ","), 9357, 15, {"CO(GT)": 2.6, "T": 13.6, "AH": 0.7578}),
    "airline/airline-passengers.csv": (Dialect(decimal=""), 144, 2, {"Passengers": 112}),
    "milk_gaps/monthly-milk-incomplete.csv": (Dialect(decimal=""), 155, 2, {"Pounds per cow": 589}),
    "wool_quarterly/woolyrnq.csv": (Dialect(decimal=""), 119, 2, {"Y": 6172}),
    "shampoo/shampoo.csv": (Dialect(), 36, 2, {"Sales": 266}),
    "mintemp/daily-min-temperatures.csv": (Dialect(), 3650, 2, {"Temp": 20.7}),
    "pjm/PJME_hourly.csv": (Dialect(decimal=""), 145_366, 2, {"PJME_MW": 26498}),
    "beijing_pm25/pollution.csv": (Dialect(), 43_824, 13, {"DEWP": -21, "Iws": 1.79}),
    "jena/jena_climate.csv": (Dialect(), 4000, 12, {"T (degC)": -8.02}),
    "brent/brent_crude_oil.csv": (Dialect(), 8195, 2, {"DPB": 18.63}),
    "home_assistant/co2_history.csv": (Dialect(), 11_018, 3, {"state": 646.5701957884849}),
    "eia_weekly_long/eia_weekly.csv": (Dialect(), 9252, 4, {"value": 1.633, "1": 0}),
}


@pytest.mark.skipif("EDGELSTM_DATA" not in os.environ, reason="EDGELSTM_DATA is not set")
@pytest.mark.parametrize("name", PUBLIC)
def test_public_tables_are_read_as_polars_reads_them(name):
    dialect, rows, width, first = PUBLIC[name]
    path = Path(os.environ["EDGELSTM_DATA"]) / "tables" / name
    found = read_table(path)
    assert found.dialect == dialect
    assert len(found.columns) == width
    oracle = polars.read_csv(
        path, separator=dialect.delimiter, infer_schema=False, null_values=["NA", "unavailable", "unknown", ""]
    )
    oracle = oracle.filter(~polars.all_horizontal(polars.all().is_null()))
    for column, value in first.items():
        numbers = found.numbers(column)
        assert (len(numbers), numbers[0]) == (rows, value)
        fields = oracle["" if column == "1" else column].str.replace(",", ".").cast(polars.Float64)
        np.testing.assert_array_equal(numbers, fields.fill_null(float("nan")).to_numpy())


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('1a,"\n '), max_size=20))
@example('"a","1"\n"",2\n')
def test_quotes_that_are_taken_away_hid_nothing(text):
    bare = unquoted(text, ",")
    if bare is not None:
        rows = list(csv.reader(text.split("\n"), strict=True))
        assert [",".join(row) for row in rows] == bare.split("\n")


def test_quotes_around_all_fields_change_nothing():
    assert columns('"t","v"\n"1","1.5"\n"2",""\n"3","2"\n')["v"][0::2] == [1.5, 2]
    assert table('"t","v"\n"1","a,b"\n"2","c"\n').texts("v") == ["a,b", "c"]


def test_the_fields_of_a_complaint_stay_in_one_line():
    assert "(0, 1) could be the header or a row" in complaint('"\n0"\t1')
    with pytest.raises(DataError, match="the table has t, a b"):
        table('t,"a\nb"\n1,2\n').require("nothing")


@pytest.mark.parametrize("line", ["t;heat", "t heat", "t|heat"])
def test_a_column_that_another_line_names_is_told_where_whatever_delimits_it(line):
    assert "line 3 has it: give --skip-rows 2" in complaint(
        f"a,b\n0,1\n{line}\n2,3\n", columns=("heat",), delimiter=","
    )


def test_a_column_of_two_words_that_another_line_names_is_told_where():
    assert "line 3 has it: give --skip-rows 2" in complaint("a,b\n0,1\nt,heat in\n2,3\n", columns=("heat in",))
