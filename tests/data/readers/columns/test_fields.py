"""Fields are read as numbers, missing samples, 1 and 0, or an error names the line and the option."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.columns.decimals import Signs
from edgelstm.data.readers.columns.fields import (
    Missing,
    holds_text,
    known_texts,
    missing_of,
    number_of,
    parse_numbers,
    sift,
)
from edgelstm.data.readers.columns.words import MISSING_AMONG_NUMBERS, MISSING_WORDS
from edgelstm.errors import DataError
from tests.data.readers.texts import columns, complaint, reading, table


def numbers(*fields, signs=None, na=()):
    return sift(fields, signs or Signs(), Missing.of(na))


@settings(max_examples=300, deadline=None)
@given(field=st.text("01+-.,eE_ naifNAIFty\u0661\u00a0", max_size=6))
def test_a_field_is_a_finite_number_a_missing_sample_or_an_error(field):
    try:
        (number,) = parse_numbers([field], "b", lambda row: "here")
    except DataError as error:
        assert str(error).startswith("here: expected a")  # noqa: PT017  (either way is right)
        return
    if field.strip().casefold() in MISSING_AMONG_NUMBERS:
        assert np.isnan(number)
    else:
        assert number == float(field)
        assert np.isfinite(number)
        assert field.strip().isascii()


@settings(max_examples=200, deadline=None)
@given(
    fields=st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False).map(repr), st.sampled_from(["", "NA", "1_0", "x", "7"])
        ),
        max_size=8,
    ),
    decimal=st.sampled_from([".", ","]),
)
def test_many_fields_at_once_are_what_each_of_them_is(fields, decimal):
    signs = Signs(decimal)
    written = [field.replace(".", decimal) for field in fields]
    values = sift(written, signs, Missing()).values
    alone = [number_of(field, signs) for field in written]
    np.testing.assert_array_equal(values, [np.nan if number is None else number for number in alone])


@pytest.mark.parametrize(
    "word",
    [
        *(
            "",
            "NA",
            "na",
            "N/A",
            "n/a",
            "NaN",
            "nan",
            "NAN",
            "-nan",
            "null",
            "NULL",
            "None",
            "none",
            "?",
            "-",
            "--",
            " - ",
        ),
        *("#N/A", "#NA", "#VALUE!", "#DIV/0!", "#REF!", "#NUM!", "#NAME?", "#NV", "unavailable", "Unknown", "<null>"),
        *("\\N", "missing", "nil", "<NA>", "(null)", "1.#QNAN", "undefined", "."),
    ],
)
def test_what_programs_write_for_missing_is_missing(word):
    values = columns(f't,v\n0,1.5\n1,"{word}"\n2,2.5\n')["v"]
    assert values[::2] == [1.5, 2.5]
    assert np.isnan(values[1])


def test_a_typed_word_is_missing():
    assert np.isnan(columns("t,v\n0,1\n1,broken\n", na=("broken",))["v"][1])
    assert "give --na broken if it means missing" in complaint("t,v\n0,1\n1,broken\n2,3\n")
    assert "give --na 'out of order' if" in complaint("t,v\n0,1\n1,out of order\n2,3\n")


@pytest.mark.parametrize("field", ["-200", "-200.0", "-200.00", "-2e2", " -200 "])
def test_a_typed_number_is_missing_however_it_is_written(field):
    assert np.isnan(columns(f"t,v\n0,1.5\n1,{field}\n", na=("-200",))["v"][1])
    assert columns("t,v\n0,1.5\n1,-201\n", na=("-200",))["v"][1] == -201


def test_a_typed_number_with_a_decimal_comma_is_missing():
    values = columns("t;v\n0;1,5\n1;-200,0\n2;-200\n3;-99,9\n", na=("-200", "-99,9"))["v"]
    assert values[0] == 1.5
    assert np.isnan(values[1:]).all()


def test_the_missing_words_of_training_stay():
    asking = Asking(na=("bad",), like=reading(missing=("-200",)))
    assert missing_of(asking).numbers == (-200.0,)
    assert "bad" in missing_of(asking).words


@pytest.mark.parametrize("pair", [("True", "False"), ("true", "false"), ("on", "off"), ("ON", "OFF"), ("Yes", "no")])
def test_words_of_yes_and_no_are_one_and_zero(pair):
    yes, no = pair
    values = columns(f"t,v\n0,{yes}\n1,{no}\n2,\n3,{yes}\n")["v"]
    assert values[:2] == [1, 0]
    assert np.isnan(values[2])
    assert values[3] == 1


@pytest.mark.parametrize("fields", [("True", "off"), ("True", "1"), ("on", "False", "yes"), ("on", "maybe")])
def test_mixtures_of_words_of_yes_and_no_are_refused(fields):
    with pytest.raises(DataError, match="here: expected a number in column 'v'"):
        parse_numbers(fields, "v", lambda row: "here")


@pytest.mark.parametrize("text", ["high", "1_000", "0x10", "1;5", "\u0661\u0662", "1 2"])
def test_one_bad_word_among_many_numbers_names_line_and_option(text):
    said = complaint(f"t|v\n0|1\n1|2\n2|{text}\n3|4\n", delimiter="|", decimal=".", na=("7",))
    assert f"stdin: line 4: expected a number in column 'v', got {text!r}" in said
    assert "--na" in said


def test_another_decimal_sign_among_many_numbers_names_the_option():
    said = complaint("t|v\n0|1.5\n1|2.5\n2|3,5\n", delimiter="|", decimal=".")
    assert "line 4: expected a number in column 'v', got '3,5'" in said
    assert "--decimal" in said


@pytest.mark.parametrize("text", ["inf", "-inf", "Infinity", "1e400"])
def test_an_infinite_number_names_its_line(text):
    assert "line 3: expected a finite number in column 'v'" in complaint(f"t,v\n0,1\n1,{text}\n")


def test_a_long_field_is_cut_in_a_message():
    assert "..." in complaint("t,v\n0,1\n1," + "x" * 10_000 + "\n2,3\n")


def test_a_column_is_text_only_if_most_of_its_known_fields_are_words():
    assert holds_text(numbers("NW", "SE", "cv", ""))
    assert holds_text(numbers("NW", "SE", "1"))
    assert not holds_text(numbers("NW", "1"))
    assert not holds_text(numbers("NW", "1", "2", "", "NA"))
    assert not holds_text(numbers("", "NA"))
    assert not holds_text(numbers("on", "off"))
    assert not holds_text(numbers("broken", "broken", "1", na=("broken",)))


def test_words_that_may_be_classes_are_missing_only_among_numbers():
    found = table("t,v\n0,none\n1,NW\n2,NA\n3,unknown\n4,\n5,-\n")
    assert found.texts("v") == ["none", "NW", "", "unknown", "", "-"]
    assert found.is_text("v")
    assert known_texts(sorted(MISSING_WORDS), Missing()) == [""] * len(MISSING_WORDS)


def test_texts_are_stripped_and_typed_words_are_missing():
    assert table("t,v\n0, NW \n1,off\n", na=("off",)).texts("v") == ["NW", ""]


@pytest.mark.parametrize(
    ("rows", "expected"), [(("\u22121.5", "2.5"), [-1.5, 2.5]), (("\u22121,5", "\u22122,5"), [-1.5, -2.5])]
)
def test_a_typeset_minus_is_a_minus(rows, expected):
    assert columns("t;v\n" + "".join(f"{n};{row}\n" for n, row in enumerate(rows)))["v"] == expected


@pytest.mark.parametrize(("field", "mend"), [("(5.5)", "-5.5"), ("5.5-", "-5.5"), ("(1,234.50)", "-1,234.50")])
def test_a_number_that_bookkeeping_calls_negative_names_how_to_write_it(field, mend):
    with pytest.raises(DataError, match=f"line 3: expected a number in column 'v', .* as in accounting, write {mend}$"):
        columns(f"t;v\n0;1.5\n1;{field}\n2;3.5\n")


def test_names_that_come_again_are_called_so():
    with pytest.raises(DataError, match=r"line 4: .* the header is repeated there: delete that line"):
        columns("t,v\n0,1\n1,2\nt,v\n2,3\n")
