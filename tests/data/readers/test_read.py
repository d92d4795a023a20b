"""Tables are read as series, and what can be read in two ways is refused with its name and line."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from importlib import resources

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError


@pytest.fixture
def csv(tmp_path):
    """Write a CSV and return its path."""

    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def as_file(table, folder, suffix):
    path = folder / f"table.{suffix}"
    table.write_csv(path) if suffix == "csv" else table.write_parquet(path)
    return path


def test_the_built_in_co2_is_what_its_checksum_says():
    folder = resources.files("edgelstm.data") / "co2"
    content = (folder / "co2.csv").read_bytes()
    expected, name = (folder / "SHA256SUMS").read_text().split()
    series = read("builtin:co2", Asking(("co2",), time=("date",))).series[0]
    assert name == "co2.csv"
    assert hashlib.sha256(content).hexdigest() == expected == series.sha256


def test_the_built_in_co2_has_2284_weeks_and_59_of_them_are_missing():
    series = read("builtin:co2", Asking(("co2",), time=("date",))).series[0]
    assert series.names == ("co2",)
    assert series.values.shape == (2284, 1)
    assert series.values.dtype == np.float64
    assert np.isnan(series.values).sum() == 59
    assert series.period_s == 7 * 86_400
    assert series.time[[0, -1]].tolist() == np.array(["1958-03-29", "2001-12-29"], "M8[us]").tolist()
    assert series.values[0, 0] == 316.1


@pytest.mark.parametrize("suffix", ["csv", "parquet", "pq"])
def test_columns_come_in_the_order_asked_for_and_once(tmp_path, suffix):
    table = polars.DataFrame({"a": [1, 2], "b": [0.5, None], "c": [5.0, 6.0]})
    series = read(as_file(table, tmp_path, suffix), Asking(("c", "a", "b", "a"))).series[0]
    assert series.names == ("c", "a", "b")
    np.testing.assert_array_equal(series.values, [[5, 1, 0.5], [6, 2, np.nan]])
    assert series.time is None
    assert series.period_s is None


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(
        st.tuples(*[st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32))] * 2), min_size=1
    )
)
def test_csv_and_parquet_of_the_same_numbers_are_the_same_series(tmp_path_factory, values):
    values = [*values, (1.0, 2.0)]  # at the end of a text table, lines without values are skipped
    schema = {"a": polars.Float64, "b": polars.Float64}
    table = polars.DataFrame({"a": [a for a, _ in values], "b": [b for _, b in values]}, schema=schema)
    expected = np.array([[np.nan if v is None else v for v in row] for row in values], np.float64)
    for suffix in ("csv", "parquet"):
        path = as_file(table, tmp_path_factory.getbasetemp(), suffix)
        np.testing.assert_array_equal(read(path, Asking(("a", "b"))).series[0].values, expected)


@pytest.mark.parametrize("word", ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
def test_every_word_for_missing_is_a_missing_sample(csv, word):
    series = read(csv(f"a,b\n1,2\n{word},3\n"), Asking(("a", "b"))).series[0]
    np.testing.assert_array_equal(series.values, [[1, 2], [np.nan, 3]])


@pytest.mark.parametrize("number", ["7", " 7", "+7", "7.", "70e-1", '"7"'])
def test_numbers_may_be_written_in_the_usual_ways(csv, number):
    assert read(csv(f"a,b\n{number},2\n"), Asking(("a",))).series[0].values.tolist() == [[7.0]]


@pytest.mark.parametrize("text", ["high", "1_000", "0x10", "1;5"])
def test_text_among_numbers_names_column_line_and_value(csv, text):
    with pytest.raises(DataError, match=r"table\.csv: line 4: expected a number in column 'b'") as caught:
        read(csv(f"a,b\n1,2\n1,3\n1,{text}\n1,worse\n"), Asking(("a", "b")))
    assert repr(text) in str(caught.value)


def test_text_in_a_column_that_nobody_asked_for_does_not_matter(csv):
    assert read(csv("a,b\n1,high\n"), Asking(("a",))).series[0].values.tolist() == [[1.0]]


def test_text_in_a_parquet_column_names_its_row(tmp_path):
    path = as_file(polars.DataFrame({"a": ["1", "2", "x"]}), tmp_path, "parquet")
    with pytest.raises(DataError, match="row 3: expected a number in column 'a', got 'x'"):
        read(path, Asking(("a",)))


@pytest.mark.parametrize("word", ["inf", "-inf", "1e400"])
def test_an_infinite_value_names_its_line(csv, word):
    with pytest.raises(DataError, match="line 3: expected a finite number in column 'a'"):
        read(csv(f"a\n1\n{word}\n"), Asking(("a",)))


def test_an_unknown_column_is_named_beside_those_that_are_there(csv):
    with pytest.raises(DataError, match=r"no column 'co3'; the table has date, co2"):
        read(csv("date,co2\n2001-01-01,1\n"), Asking(("co3",), time=("date",)))


def test_an_unknown_time_column_is_named(csv):
    with pytest.raises(DataError, match="no column 'when'"):
        read(csv("date,co2\n2001-01-01,1\n"), Asking(("co2",), time=("when",)))


@pytest.mark.parametrize("text", ["", "\n", "a,b\n", "a,b"])
def test_a_table_without_rows_is_empty(csv, text):
    with pytest.raises(DataError, match=r"table\.csv: the table is empty"):
        read(csv(text), Asking(("a",)))


def test_a_parquet_file_without_rows_is_empty(tmp_path):
    path = as_file(polars.DataFrame({"a": []}, schema={"a": polars.Float64}), tmp_path, "parquet")
    with pytest.raises(DataError, match="the table is empty"):
        read(path, Asking(("a",)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: file not found"):
        read(tmp_path / "nowhere.csv", Asking(("a",)))


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(DataError, match="file not found"):
        read(tmp_path, Asking(("a",)))


@pytest.mark.parametrize("name", ["co3", "", "../co2", "co2/co2"])
def test_unknown_built_in_data_names_what_there_is(name):
    with pytest.raises(DataError, match="expected builtin:co2"):
        read(f"builtin:{name}", Asking(("co2",)))


@pytest.mark.parametrize(("name", "content"), [("a.parquet", b"no parquet at all"), ("a.csv", b'a\n"1\n')])
def test_bytes_that_are_no_table_are_one_line_of_complaint(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: cannot be read as a") as caught:
        read(tmp_path / name, Asking(("a",)))
    assert "\n" not in str(caught.value)


def test_a_line_with_too_many_fields_is_refused(csv):
    with pytest.raises(DataError, match="expected 2 fields as in the header, got 3 at line 3"):
        read(csv("a,b\n1,2\n1,2,3\n"), Asking(("a",)))


@pytest.mark.parametrize("values", [[b"1", b"2"], [[1.0], [2.0]]])
def test_a_parquet_column_of_another_kind_is_refused(tmp_path, values):
    path = as_file(polars.DataFrame({"a": values}), tmp_path, "parquet")
    with pytest.raises(DataError, match="expected numbers in column 'a'"):
        read(path, Asking(("a",)))


@pytest.mark.parametrize("values", [[timedelta(1), timedelta(2)], [True, False]])
def test_a_parquet_column_without_dates_is_no_column_of_timestamps(tmp_path, values):
    path = as_file(polars.DataFrame({"t": values, "a": [1.0, 2.0]}), tmp_path, "parquet")
    with pytest.raises(DataError, match="expected timestamps in column 't'"):
        read(path, Asking(("a",), time=("t",)))


@pytest.mark.parametrize("field", ["(5.5)", "5.5-"])
def test_a_feature_of_negatives_as_bookkeeping_writes_them_is_no_text(csv, field):
    with pytest.raises(DataError, match=r"line 2: .* as in accounting, write -5\.5"):
        read(csv(f"a,b\n1,{field}\n2,{field}\n3,4\n"), Asking(("a", "b")))


def test_a_target_whose_numbers_have_other_signs_is_to_be_written_plainly(csv):
    asking = Asking(("a",), targets=("a",))
    with pytest.raises(DataError, match=r"holds text, \u20131.5, \u20132.5, .*: write them as plain numbers"):
        read(csv("a,b\n\u20131.5,1\n\u20132.5,2\n"), asking)
