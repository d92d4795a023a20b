"""Decimal signs and signs between thousands: detected from the fields, and not guessed without evidence."""

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
        (["1", "2"], (".", "", False)),
        (["1'234", "2"], (".", "'", False)),
        (["1e5", "-2", "?", ""], (".", "", False)),
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
        (["10.03.2004", "a,b", ""], (".", "", False)),
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


@pytest.mark.parametrize(
    ("trained", "field", "mend", "values"),
    [
        (",", "1.234", "--decimal . or, if it is a thousand, --decimal ,", {".": 1.234, ",": 1234}),
        (".", "1,234", "--decimal , or, if it is a thousand, --decimal .", {",": 1.234, ".": 1234}),
        (".", "1,5", "give --decimal ,", {",": 1.5}),
    ],
)
def test_what_is_refused_can_be_typed(trained, field, mend, values):
    assert complaint(f"t;v\n0;{field}\n", Dialect(";", trained)).endswith(mend)
    for typed, value in values.items():
        assert columns(f"t;v\n0;{field}\n", Dialect(";", trained), decimal=typed)["v"] == [value]


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
    # With only groups of three after points, as programs write decimals, nothing shows which sign it is.
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


WHOLE = ("t;v\n0;996\n1;1001\n", "t,v\n0,996\n1,1001\n", "v\n996\n1001\n", 't,v\n"0","996"\n"1","1001"\n')


@pytest.mark.parametrize("text", [*WHOLE, "t,v\n0.5,996\n1.5,1001\n", "t;v\n0,5;996\n1,5;1001\n"])
def test_a_sign_that_no_number_shows_is_unknown(text):
    found = table(text, columns=("v",))
    assert (found.dialect.decimal, found.dialect.thousands) == ("", "")
    assert found.numbers("v").tolist() == [996, 1001]


@pytest.mark.parametrize("text", ["t,v\n0,996\n1,1001.5\n", "t,v\n0,20.013\n", "t,v\n" + "1,7\n" * 300 + "1,.5\n"])
def test_a_point_between_commas_is_known_wherever_it_stands(text):
    assert table(text, columns=("v",)).dialect.decimal == "."


@pytest.mark.parametrize("trained", [None, Dialect(";", "")])
def test_a_clock_that_nobody_reads_tells_no_decimal_sign(trained):
    rows = ["996;13.30", "1.004;13.31", "998;"]
    said = complaint("v;at\n" + "\n".join(rows), trained, columns=("v",))
    assert "'1.004' in column 'v' could be 1004 or 1.004" in said
    told = table("v;at\n" + "\n".join([*rows, "7;13.61"]), trained, columns=("v",))
    assert told.numbers("v").tolist() == [996, 1.004, 998, 7]


def test_a_sign_that_is_typed_is_known():
    assert [table("t,v\n0,996\n", decimal=sign).dialect.decimal for sign in ".,"] == [".", ","]


UNKNOWN = ("", "'")


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (["996", "1,5"], [996, 1.5]),
        (["996", "1.5"], [996, 1.5]),
        (["1.234,5", "2.345"], [1234.5, 2345]),
        (["1,234.5", "2,345"], [1234.5, 2345]),
        (["1.234.567", "2.345"], [1234567, 2345]),
        (["1'234", "7"], [1234, 7]),
        (["1'234,5", "1,004"], [1234.5, 1.004]),
        (["996", "1001"], [996, 1001]),
    ],
)
def test_behind_whole_numbers_the_next_table_tells_its_signs_itself(fields, values):
    text = "t;v\n" + "".join(f"0;{field}\n" for field in fields)
    assert [columns(text, Dialect(";", "", thousands))["v"] for thousands in UNKNOWN] == [values, values]


@pytest.mark.parametrize("fields", [["996", "1.004"], ["1.234", "2.345"], ["1,234", "7"], ["2000", "1.004"]])
@pytest.mark.parametrize("delimiter", ";,")
def test_behind_whole_numbers_what_may_be_a_thousand_is_asked_for(fields, delimiter):
    quoted = [f'"{field}"' if delimiter in field else field for field in fields]
    text = f"t{delimiter}v\n" + "".join(f"0{delimiter}{field}\n" for field in quoted)
    said = complaint(text, Dialect(delimiter, ""))
    assert "no number in training had a decimal sign: give --decimal . or --decimal ," in said
    odd = next(field for field in fields if not field.isdigit())
    assert repr(odd) in said
    for sign in ".,":
        read = [float(field.replace({".": ",", ",": "."}[sign], "").replace(",", ".")) for field in fields]
        assert columns(text, Dialect(delimiter, ""), decimal=sign)["v"] == read


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(
        st.decimals(-(10**7), 10**7, places=3, allow_nan=False, allow_infinity=False), min_size=1, max_size=8
    ),
    places=st.integers(0, 3),
    signs=st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", "\u202f")]),
    whole=st.sampled_from(WHOLE[:1] + WHOLE[3:]),
)
def test_behind_whole_numbers_no_number_is_ever_wrong(values, places, signs, whole):
    decimal, thousands = signs
    written = [f"{value:,.{places}f}" for value in values]
    fields = [
        text.replace(",", "T").replace(".", "D").replace("T", thousands).replace("D", decimal) for text in written
    ]
    trained = table(whole).dialect
    delimiter = trained.delimiter
    text = f"t{delimiter}v\n" + "".join(f'"{n}"{delimiter}"{field}"\n' for n, field in enumerate(fields))
    expected = [float(field.replace(",", "")) for field in written]
    try:
        assert columns(text, trained)["v"] == expected
    except DataError as error:
        assert "--decimal" in str(error)  # noqa: PT017
    assert columns(text, trained, decimal=decimal)["v"] == expected
