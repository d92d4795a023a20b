"""The .ts format: files like those of the archives, and broken ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError

HEADER = "@problemName X\n@timeStamps false\n@univariate false\n@equalLength false\n@classLabel true a b\n@data\n"
GOOD = "# a comment\n\n" + HEADER + "1,2,?:4,5,6:a\n# another\n7:8:b\n"


def series_of(folder, text, columns=("dim_0", "dim_1"), label="class"):
    path = folder / "x.ts"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path, Asking(columns, label=label)).series


def test_series_have_their_own_lengths_and_classes(tmp_path):
    first, second = series_of(tmp_path, GOOD)
    np.testing.assert_array_equal(first.values, [[1, 4], [2, 5], [np.nan, 6]])
    np.testing.assert_array_equal(second.values, [[7, 8]])
    assert (first.labels, second.labels) == (("a",) * 3, ("b",))
    assert (first.name, second.name) == ("1", "2")


def test_headers_are_read_in_any_case_with_crlf_and_a_byte_order_mark(tmp_path):
    text = "\ufeff" + GOOD.replace("@problemName", "@PROBLEMNAME").replace("@data", "@Data").replace("\n", "\r\n")
    assert [len(series.values) for series in series_of(tmp_path, text)] == [3, 1]


def test_one_dimension_and_no_class(tmp_path):
    (series,) = series_of(tmp_path, "@univariate true\n@classLabel false\n@data\n1,2,-3e1\n", ("dim_0",), None)
    assert series.values.ravel().tolist() == [1, 2, -30]
    assert series.labels is None


def test_an_unknown_class_of_a_series_is_nobody_s(tmp_path):
    assert series_of(tmp_path, HEADER + "1:2:?\n")[0].labels == ("",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected a line @data"),
        (HEADER, "there is no series after @data"),
        (HEADER.replace("@data\n", ""), "expected a line @data"),
        (HEADER.replace("@data\n", "") + "1:2:a\n", "line 6: expected a header line that begins with @"),
        (HEADER + "1,2::a\n", "line 7: dimension 1 has no value: remove series of length 0"),
        (HEADER + "::a\n", "line 7: dimension 0 has no value"),
        (HEADER + "1,2:1:a\n", "line 7: expected dimensions of one length, got 1, 2"),
        (HEADER + "1:2:a\n1:b\n", "line 8: expected 2 dimensions, got 1"),
        (HEADER + "1:2:c\n", "line 7: expected one of the classes a, b, got 'c'"),
        (HEADER + "1:2:\n", "line 7: expected one of the classes a, b, got ''"),
        (HEADER + "a\n", "line 7: expected dimensions, each followed by a colon"),
        (HEADER + "1:x:a\n", "line 7: dimension 1: expected finite numbers, got 'x'"),
        (HEADER + "1:1_0:a\n", "line 7: dimension 1: expected finite numbers, got '1_0'"),
        (HEADER + "1:inf:a\n", "line 7: dimension 1: expected finite numbers, got 'inf'"),
        (HEADER + "1:1,,2:a\n", "line 7: dimension 1: expected finite numbers, got ''"),
        ("@dimensions 3\n" + HEADER + "1:2:a\n", "line 8: expected 3 dimensions, got 2"),
        ("@dimensions 0\n" + HEADER, "line 1: expected a whole number of at least 1 after @dimensions, got '0'"),
        ("@dimensions\n" + HEADER, "line 1: expected a whole number of at least 1 after @dimensions, got ''"),
        (HEADER.replace("@univariate false", "@univariate true") + "1:2:a\n", "expected one dimension as the header"),
        (HEADER.replace("@equalLength false", "@equalLength true") + "1:2:a\n1,2:3,4:a\n", "line 8: expected 1 values"),
        ("@seriesLength 2\n" + HEADER.replace("@equalLength false\n", "") + "1:2:a\n", "expected 2 values in each"),
        ("@missing false\n" + HEADER + "1:?:a\n", "line 8: a value is missing, although"),
        (HEADER.replace("true a b", "true"), "line 5: expected the classes after @classLabel true"),
        (HEADER.replace("@univariate false", "@univariate perhaps"), "line 3: expected true or false"),
        ("@colour red\n" + HEADER, "line 1: expected one of @timestamps"),
        ("@\n", "line 1: expected one of @timestamps"),
        ("@ data\n", "line 1: expected one of @timestamps"),
        (
            HEADER.replace("@timeStamps false", "@timeStamps true"),
            "line 2: a timestamp for each value is not supported",
        ),
        ("@targetLabel true\n" + HEADER, "line 1: a number for each series is not a class"),
        (HEADER.encode() + b"1:\xff:a\n", "line 7: expected UTF-8, got other bytes"),
    ],
)
def test_what_is_no_set_of_series_is_one_line_that_names_the_line(tmp_path, text, complaint):
    with pytest.raises(DataError) as caught:
        series_of(tmp_path, text)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("x.ts: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "label", "complaint"),
    [
        (("dim_2",), "class", "no column 'dim_2'; the table has dim_0, dim_1, class"),
        (("class",), None, "expected a channel, got 'class'"),
        (("dim_0",), "dim_1", "as the column of classes, got the channel 'dim_1'"),
    ],
)
def test_a_column_of_another_kind_is_refused(tmp_path, columns, label, complaint):
    with pytest.raises(DataError, match=complaint):
        series_of(tmp_path, GOOD, columns, label)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD)), cut=st.integers(0, 5), put=st.text("@:,.?ab1-e \n#\u0661", max_size=4))
def test_any_damage_is_read_or_refused_in_one_line(tmp_path_factory, at, cut, put):
    try:
        found = series_of(tmp_path_factory.getbasetemp(), GOOD[:at] + put + GOOD[at + cut :])
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017  (either way is right)
        return
    assert all(len(series.values) == len(series.labels) > 0 for series in found)
    assert not any(np.isinf(series.values).any() for series in found)
