"""Parquet tables: types of columns, and the same rules as for text tables."""

from __future__ import annotations

import numpy as np
import polars
import pytest

from edgelstm.data.readers.asking import Asking, TimeAsk
from edgelstm.data.readers.formats import read_table
from edgelstm.errors import DataError


@pytest.fixture
def table(tmp_path):
    def write(asking=None, **columns):
        path = tmp_path / "x.parquet"
        polars.DataFrame(columns).write_parquet(path)
        return read_table(path, asking)

    return write


def test_booleans_are_one_and_zero(table):
    found = table(on=[True, None, False])
    np.testing.assert_array_equal(found.numbers("on"), [1, np.nan, 0])
    assert not found.is_text("on")
    assert found.texts("on") == ["true", "", "false"]


def test_words_are_text_and_numbers_in_words_are_numbers(table):
    found = table(wind=["NW", "SE", None], v=["1.5", "?", "2"], switch=["on", "off", "on"])
    assert [found.is_text(column) for column in found.columns] == [True, False, False]
    assert found.texts("wind") == ["NW", "SE", ""]
    np.testing.assert_array_equal(found.numbers("v"), [1.5, np.nan, 2])
    assert found.numbers("switch").tolist() == [1, 0, 1]
    assert found.remarks("v") == ("column 'v': read as missing: ? (1)",)


def test_categories_of_polars_are_text(table):
    found = table(wind=polars.Series(["NW", "SE"], dtype=polars.Categorical))
    assert found.is_text("wind")
    assert found.texts("wind") == ["NW", "SE"]


def test_a_typed_number_is_missing_and_a_sentinel_is_suggested(table):
    values = [20.0 + n % 17 / 10 for n in range(100)] + [-200.0] * 5
    assert "give --na -200" in table(v=values).remarks("v")[0]
    found = table(Asking(na=("-200",)), v=values)
    assert int(np.isnan(found.numbers("v")).sum()) == 5
    assert found.remarks("v") == ()


def test_columns_are_asked_for_by_number_too(table):
    found = table(a=[1.0], b=[2.0])
    assert found.numbers("2").tolist() == [2]
    with pytest.raises(DataError, match="did you mean 'a'"):
        table(a=[1.0], humidity=[2.0]).require("A")


def test_several_columns_make_one_time(table):
    found = table(day=["2020-01-01", "2020-01-02"], clock=["10:00", "10:00"])
    stamps = found.times(TimeAsk(("day", "clock")))
    assert stamps.utc.tolist() == np.array(["2020-01-01T10:00", "2020-01-02T10:00"], "M8[us]").tolist()


def test_a_table_has_no_dialect(table):
    found = table(a=[1.0])
    assert (found.format, found.dialect, found.notes) == ("parquet", None, ())
