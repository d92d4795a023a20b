"""Columns are selected by name or number, and the error for an unknown name suggests the nearest."""

from __future__ import annotations

import pytest

from edgelstm.errors import DataError
from tests.data.readers.texts import table


def test_a_column_without_a_name_is_called_by_its_number():
    found = table(",t,v\n7,0,1\n8,1,2\n")
    assert found.columns == ("1", "t", "v")
    assert found.numbers("1").tolist() == [7, 8]
    assert found.numbers("3").tolist() == found.numbers("v").tolist() == [1, 2]


def test_a_name_that_is_a_number_wins_over_the_number():
    found = table("3,2,a\n10,20,30\n", header=True)
    assert found.numbers("3").tolist() == [10]
    assert found.numbers("1").tolist() == [10]


def test_a_shared_name_is_an_error_only_when_it_is_asked_for():
    found = table("t,v,v\n0,1,2\n1,3,4\n")
    assert found.columns == ("t", "2", "3")
    assert found.numbers("t").tolist() == [0, 1]
    assert found.numbers("3").tolist() == [2, 4]
    with pytest.raises(DataError, match="column 'v' occurs twice; select it by number: 2 or 3"):
        found.numbers("v")
    with pytest.raises(DataError, match="occurs 3 times"):
        table("v,v,v\n0,1,2\n").require("v")


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("temprature", "'Temperature'"),
        ("TEMPERATURE", "'Temperature'"),
        ("humidty", "'Humidity'"),
        (" humidity", "'Humidity'"),
    ],
)
def test_an_unknown_column_gets_the_nearest(asked, nearest):
    found = table("Time,Temperature,Humidity\n0,1,2\n")
    with pytest.raises(DataError, match=rf"there is no column '{asked}'.*did you mean.*{nearest}"):
        found.require(asked)


def test_a_column_like_no_other_gets_the_list_and_the_option():
    with pytest.raises(DataError, match=r"there is no column 'xyz'; the table has Time, Wind; .* give --skip-rows$"):
        table("Time,Wind\n0,1\n").require("xyz")


@pytest.mark.parametrize("number", ["0", "3", "-1", "01", "1.0", "\u0661", "9" * 30])
def test_what_is_no_number_of_a_column_is_an_unknown_name(number):
    with pytest.raises(DataError, match="there is no column"):
        table("a,b\n1,2\n").require(number)


def test_a_wide_table_lists_some_of_its_columns():
    header = ",".join(f"c{n}" for n in range(1000))
    row = ",".join("1" for _ in range(1000))
    with pytest.raises(DataError) as caught:
        table(f"{header}\n{row}\n").require("x")
    assert len(str(caught.value)) < 300


def test_empty_columns_without_a_name_are_not_listed_and_keep_their_numbers():
    found = table("a,,b,\n1,,2,\n3,,4,\n")
    assert found.columns == ("a", "b")
    assert found.numbers("3").tolist() == [2, 4]
