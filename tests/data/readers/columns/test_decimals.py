"""Decimal signs and signs between thousands: what the fields say, and nothing where they say nothing."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.columns.decimals import Signs, find
from edgelstm.errors import DataError
from edgelstm.reading import Dialect
from tests.data.readers.texts import columns, complaint, table


def of(*fields, **asked):
    return find([("v", list(fields))], [], "x.csv", **asked)


@pytest.mark.parametrize(
    ("fields", "signs"),
    [
        (["1", "2"], (".", "")),
        (["1.5", "2"], (".", "")),
        (["1,5", "2"], (",", "")),
        (["20,013", "40,0"], (",", "")),
        (["0,123"], (",", "")),
        (["1234,567"], (",", "")),
        (["1,2345"], (",", "")),
        ([",5"], (",", "")),
        (["1,5e3"], (",", "")),
        (["20.013"], (".", "")),
        (["1,234.5"], (".", ",")),
        (["1,234,567"], (".", ",")),
        (["1.234,5"], (",", ".")),
        (["1.234.567"], (",", ".")),
        (["1,234", "5.6"], (".", ",")),
        (["1.234", "5,6"], (",", ".")),
        (["1'234.5"], (".", "'")),
        (["1 234,5", "2 345,6"], (",", " ")),
        (["1\u00a0234", "5,6"], (",", "\u00a0")),
        (["-1,5", "+2,5"], (",", "")),
        (["10.03.2004", "a,b", ""], (".", "")),
    ],
)
def test_the_fields_tell_the_signs(fields, signs):
    assert of(*fields) == Signs(*signs)


def test_a_comma_before_three_digits_alone_could_be_both():
    text = complaint("t;v\n0;1,234\n1;2,345\n")
    assert "'1,234' in column 'v' could be 1234 or 1.234: give --decimal . or --decimal ," in text


def test_the_option_decides_what_the_table_leaves_open():
    assert columns("t;v\n0;1,234\n1;2,345\n", decimal=",")["v"] == [1.234, 2.345]
    assert columns("t;v\n0;1,234\n1;2,345\n", decimal=".")["v"] == [1234, 2345]


def test_another_column_decides_even_if_nobody_reads_it():
    text = "t;v;w\n0;1,234;40,0\n1;2,345;41,5\n"
    assert columns(text)["v"] == [1.234, 2.345]
    assert table(text, columns=("v",)).numbers("v").tolist() == [1.234, 2.345]


def test_a_column_of_the_time_decides_nothing():
    assert "could be" in complaint("t;v\n1,5;1,234\n2,5;2,345\n", time=("t",))


def test_two_signs_that_are_both_decimal_name_both_columns():
    text = complaint("a;b\n1,5;1.5\n")
    assert "got '1,5' in column 'a' and '1.5' in 'b'" in text
    assert "--decimal" in text


def test_a_column_that_nobody_asks_for_may_have_another_sign():
    assert table("a;b\n1,5;1.5\n", columns=("a",)).numbers("a").tolist() == [1.5]


@pytest.mark.parametrize(
    ("trained", "fields"),
    [
        (Signs(".", ""), ["1,5"]),
        (Signs(".", ""), ["1,234"]),
        (Signs(",", ""), ["1.5"]),
        (Signs(",", ""), ["1.234"]),
        (Signs(",", "."), ["1,234,567"]),
    ],
)
def test_other_signs_than_in_training_are_refused(trained, fields):
    dialect = Dialect(";", trained.decimal, trained.thousands)
    text = complaint("t;v\n" + "".join(f"0;{field}\n" for field in fields), dialect)
    assert f"expected decimal {'points' if trained.decimal == '.' else 'commas'}, as in training" in text
    assert repr(fields[0]) in text


@pytest.mark.parametrize(
    ("trained", "fields", "values"),
    [
        (Signs(",", ""), ["1,234"], [1.234]),
        (Signs(".", ","), ["1,234"], [1234]),
        (Signs(".", ""), ["1,234.5", "1,234"], [1234.5, 1234]),
        (Signs(",", ""), ["7"], [7]),
        (Signs(",", "."), ["1.234"], [1234]),
    ],
)
def test_what_is_open_is_read_as_in_training(trained, fields, values):
    dialect = Dialect(";", trained.decimal, trained.thousands)
    assert columns("t;v\n" + "".join(f"0;{field}\n" for field in fields), dialect)["v"] == values


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(
        st.decimals(-(10**9), 10**9, places=3, allow_nan=False, allow_infinity=False), min_size=1, max_size=8
    ),
    places=st.integers(0, 3),
    signs=st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", "\u202f")]),
)
def test_numbers_in_any_signs_come_back_or_the_option_is_named(values, places, signs):
    decimal, thousands = signs
    written = [f"{value:,.{places}f}" for value in values]
    fields = [
        text.replace(",", "T").replace(".", "D").replace("T", thousands).replace("D", decimal) for text in written
    ]
    text = "t;v\n" + "".join(f"{n};{field}\n" for n, field in enumerate(fields))
    expected = [float(field.replace(",", "")) for field in written]
    try:
        found = table(text)
        numbers = found.numbers("v").tolist()
    except Exception as error:
        assert "--decimal" in str(error)  # noqa: PT017
        return
    # Points in groups of three alone are what programs write for decimals: of those nothing can be known.
    assume(not (decimal == "," and found.dialect.decimal == "." and all("," not in field for field in fields)))
    assert numbers == expected


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=8),
    signs=st.sampled_from([(".", ""), (",", ""), (".", ","), (",", ".")]),
)
def test_a_typed_sign_and_that_of_training_never_give_a_wrong_number(values, signs):
    decimal, thousands = signs
    fields = [
        f"{value / 1000:,.3f}".replace(",", "T").replace(".", decimal).replace("T", thousands) for value in values
    ]
    text = "t;v\n" + "".join(f"{n};{field}\n" for n, field in enumerate(fields))
    expected = [value / 1000 for value in values]
    for asked in ({"decimal": decimal}, {"like": Dialect(";", decimal, thousands)}):
        assert columns(text, **asked)["v"] == expected


def test_a_thousand_with_a_point_beside_hundreds_is_not_one_and_a_bit():
    with pytest.raises(DataError, match=r"'1\.004' in column 'v' could be 1004 or 1\.004: give --decimal"):
        table("t;v\n0;996\n1;1.004\n2;998\n")
    for sign, read in ((",", 1004), (".", 1.004)):
        assert columns("t;v\n0;996\n1;1.004\n", decimal=sign)["v"] == [996, read]


@pytest.mark.parametrize("rows", [("0", "1.004"), ("12.5", "1.004", "7"), ("2000", "1.004", "7"), ("996.000", "1.004")])
def test_a_point_stays_one_where_a_thousand_would_be_written_otherwise(rows):
    text = "t;v\n" + "".join(f"{n};{row}\n" for n, row in enumerate(rows))
    assert columns(text)["v"] == [float(row) for row in rows]
