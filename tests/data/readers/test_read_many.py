"""Many series in one table, and their classes."""

from __future__ import annotations

import io

import numpy as np
import polars
import pytest

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError

TABLE = (
    "unit,t,heat,state\nb,2001-01-01,1,on\nb,2001-01-02,,\na,2001-06-01,3,off\na,2001-06-02,4,NaN\na,2001-06-03,5,on\n"
)
DAYS = "u,t,a\n1,2001-01-01,1\n1,2001-01-02,1\n"


def csv(text):
    return io.StringIO(text, newline="")


def test_series_come_in_the_order_of_the_table(tmp_path):
    first, second = read(csv(TABLE), Asking(("heat",), label="state", time=("t",), series="unit")).series
    assert (first.name, second.name) == ("b", "a")
    np.testing.assert_array_equal(first.values, [[1], [np.nan]])
    assert first.labels == ("on", "")
    assert second.labels == ("off", "", "on")
    assert first.period_s == second.period_s == 86_400
    assert str(second.time[0])[:10] == "2001-06-01"


def test_without_a_column_that_tells_series_apart_a_table_is_one_series_named_after_its_file(tmp_path):
    (tmp_path / "pump 3.csv").write_text("a\n1\n2\n")
    (series,) = read(tmp_path / "pump 3.csv", Asking(("a",))).series
    assert series.name == "pump 3"
    assert series.labels is None


def test_parquet_gives_the_same_classes_and_series_as_a_csv(tmp_path):
    path = tmp_path / "x.parquet"
    columns = {
        "unit": [4, 4, 5],
        "a": [1.0, 2.0, 3.0],
        "whole": [0.0, None, 1.0],
        "text": ["x", None, " y"],
        "flag": [True] * 3,
    }
    polars.DataFrame(columns).write_parquet(path)
    for label, expected in (
        ("whole", ["0", "", "1"]),
        ("text", ["x", "", "y"]),
        ("unit", ["4", "4", "5"]),
        ("flag", ["true"] * 3),
    ):
        found = read(path, Asking(("a",), label=label, series="unit")).series
        assert [series.name for series in found] == ["4", "5"]
        assert [text for series in found for text in series.labels] == expected


@pytest.mark.parametrize(
    ("text", "more", "complaint"),
    [
        ("u,a\n1,1\n,1\n", {}, "line 3: the name of the series in column 'u' is missing"),
        ("a\n1\n", {}, "there is no column 'u'"),
        ("u,a\n1,1\n", {"label": "state"}, "there is no column 'state'; the table has u, a"),
        ("u,t,a\n1,2001-01-01,1\n", {"time": ("t",), "label": "a", "resample": "1d"}, "classes have no average"),
    ],
)
def test_tables_that_could_be_read_in_two_ways_are_refused(text, more, complaint):
    with pytest.raises(DataError, match=complaint):
        read(csv(text), Asking(("a",), series="u", **more))


def test_an_unknown_format_names_those_that_are_known(tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="expected one of csv, parquet, ts, cmapss, got 'arff'"):
        read(tmp_path / "x.csv", Asking(("a",), format="arff"))


def test_resampling_goes_series_by_series():
    text = "u,t,a\n1,2001-01-01T00:10:00,1\n1,2001-01-01T00:20:00,3\n1,2001-01-01T02:00:00,9\n2,2001-01-01T00:00:00,5\n"
    first, second = read(csv(text), Asking(("a",), time=("t",), series="u", resample="1h")).series
    np.testing.assert_array_equal(first.values.ravel(), [2, np.nan, 9])
    np.testing.assert_array_equal(second.values.ravel(), [5])
    assert first.period_s == second.period_s == 3600


def test_r_s_names_of_rows_are_left_out():
    text = '"date","a"\n"140",2001-01-01,5\n"141",2001-01-02,6\n'
    assert read(csv(text), Asking(("a",), time=("date",))).series[0].values.ravel().tolist() == [5, 6]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,b\nx,1,2\nx,3,4\n", 2),  # row names must differ
        ("a,b\nx,1,2\n3,4\n", 2),
        ("a,b\n1,2\ny,3,4\n", 3),
        ("a,b\nx,1,2\ny,3,4,5\n", 2),
    ],
)
def test_rows_that_are_ragged_or_have_no_names_of_their_own_stay_an_error(text, line):
    with pytest.raises(DataError, match=rf"expected 2 fields as in the header, got 3 at line {line}"):
        read(csv(text), Asking(("a",)))
