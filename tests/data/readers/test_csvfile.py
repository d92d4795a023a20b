"""The CSV reader: the same for the trainer and for a device that has the standard library alone."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.csvfile import read_csv
from edgelstm.data.readers.fields import MISSING_WORDS, parse_numbers
from edgelstm.data.readers.read import read_series
from edgelstm.errors import DataError


def read(text, columns=("b",), time=None):
    return read_series(io.StringIO(text, newline=""), columns, time)


FIELDS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**9), 10**9).map(str),
    st.sampled_from(sorted(MISSING_WORDS)),
    st.sampled_from([" 1", "2 ", "+3", "4.", ".5", "6e2", '"7"', "-0"]),
)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS, st.sampled_from(["x", '"a,b"', '"say ""hi"""', ""])), min_size=1),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_of_numbers_is_read_as_polars_reads_it(rows, end):
    text = end.join(["a,b,note", *(",".join(row) for row in rows), ""])
    table = polars.read_csv(io.BytesIO(text.encode()), infer_schema=False, null_values=sorted(MISSING_WORDS))
    expected = [table[name].str.strip_chars().cast(polars.Float64).fill_null(float("nan")) for name in ("b", "a")]
    np.testing.assert_array_equal(read(text, ("b", "a")).values, np.stack(expected, axis=1))


@settings(max_examples=200, deadline=None)
@given(field=st.text("01+-.eE_ naifNAIFty", max_size=6))
def test_a_field_is_a_finite_number_a_missing_sample_or_an_error(field):
    try:
        (number,) = parse_numbers([field], "b", lambda row: "here")
    except DataError as error:
        assert str(error).startswith("here: expected a")  # noqa: PT017  (either way is right)
        return
    if field.strip() in MISSING_WORDS:
        assert np.isnan(number)
    else:
        assert number == float(field)
        assert np.isfinite(number)


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
    ],
)
def test_odd_tables_that_can_be_read_in_one_way_only(text, expected):
    assert read(text).values.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a,b\n1,2,3\n3,4\n", "expected 2 fields as in the header, got 3 at line 2"),
        ("a,b\n1,2\n\n3\n", "expected 2 fields as in the header, got 1 at line 4"),
        ("b,b\n1,2\n", "the column 'b' is there twice"),
        ('a,b\n1,"2\n', "cannot be read as a CSV"),
        ("a,b\n1,2\n3,1_000\n", "line 3: expected a number in column 'b', got '1_000'"),
        ("a,b\n1,\u0661\u0662\n", "line 2: expected a number"),
        ("a,b\n1,1e400\n", "line 2: expected a finite number"),
        ('a,b\n"two\nlines",2\n3,x\n', "line 4: expected a number in column 'b', got 'x'"),
        ("a,b", "the table is empty"),
        ("", "the table is empty"),
        ("\n", "the table is empty"),
        ("a,c\n1,2\n", "there is no column 'b'; the table has a, c"),
    ],
)
def test_odd_tables_that_are_refused(text, complaint):
    with pytest.raises(DataError) as caught:
        read(text)
    assert complaint in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"a,b\n1,\xff\xfe\n")
    with pytest.raises(DataError, match="cannot be read as a CSV"):
        read_series(tmp_path / "table.csv", ("b",), None)


def test_the_fields_stay_what_they_are():
    table = read_csv(io.StringIO("a,b\n1, x \n"), "table.csv")
    assert table.columns == {"a": ["1"], "b": [" x "]}


def test_a_csv_needs_no_polars():
    code = (
        "import sys; sys.modules['polars'] = None\n"
        "from edgelstm.data.readers.read import read_series\n"
        "print(len(read_series('builtin:co2', ('co2',), 'date').values))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "2284"
