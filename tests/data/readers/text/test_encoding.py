"""Bytes are decoded in one way: UTF-8, UTF-16 or Latin-1, never a mixture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.readers.text.encoding import decode
from edgelstm.errors import DataError
from edgelstm.reading import Dialect
from tests.data.readers.texts import columns, complaint, table

TABLE = "zeit;wärme\n0;1,5\n1;2,5\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TABLE.encode(), "utf-8"),
        (TABLE.encode("utf-8-sig"), "utf-8"),
        (TABLE.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TABLE.encode("utf-16-be"), "utf-16"),
        (TABLE.encode("utf-16-le"), "utf-16"),
        (TABLE.encode("utf-16-be"), "utf-16"),
        (TABLE.encode("latin-1"), "latin-1"),
    ],
)
def test_every_encoding_gives_the_same_table(content, encoding):
    found = table(content)
    assert found.dialect.encoding == encoding
    assert found.columns == ("zeit", "wärme")
    assert found.numbers("wärme").tolist() == [1.5, 2.5]


def test_latin_1_is_said_with_the_line_and_the_option():
    assert any(
        "Latin-1" in note and "line 1" in note and "--encoding" in note for note in table(TABLE.encode("latin-1")).notes
    )


def test_plain_tables_in_utf_8_need_no_words():
    assert table(b"a,b\n1,2\n").notes == ()


def test_latin_1_is_that_of_browsers_with_a_euro_sign():
    assert table(b"t,Preis (\x80)\n0,1\n1,2\n").columns == ("t", "Preis (€)")


def test_utf_8_with_one_line_of_other_bytes_is_a_mixture():
    content = "a,wärme\n1,2\n".encode() + b"3,\xe4\n"
    assert "line 3: expected UTF-8 as on other lines" in complaint(content)
    assert "--encoding latin-1" in complaint(content)


def test_a_typed_encoding_wins():
    content = "t,wärme\n1,2\n".encode("latin-1")
    assert table(content, encoding="latin-1").columns == ("t", "wärme")
    assert "line 1: expected UTF-8, as --encoding utf-8 says" in complaint(content, encoding="utf-8")
    assert table(content, encoding="ISO-8859-1").columns == ("t", "wärme")


def test_an_unknown_encoding_names_the_known():
    assert "--encoding: expected one of utf-8, utf-16, latin-1, got 'ebcdic'" in complaint(b"a\n1\n", encoding="ebcdic")


def test_the_encoding_of_training_is_wanted_again():
    trained = Dialect(";", ",")
    assert "expected UTF-8, as in training, got Latin-1" in complaint(TABLE.encode("latin-1"), trained)
    assert columns(TABLE.encode("latin-1"), trained, encoding="latin-1")["wärme"] == [1.5, 2.5]
    assert "expected Latin-1, as in training, got UTF-8" in complaint(
        TABLE.encode(), trained._replace(encoding="latin-1")
    )


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_plain_table_is_as_well_in_the_one_as_in_the_other(encoding):
    found = table(b"a,b\n1,2\n", Dialect(encoding=encoding))
    assert found.numbers("b").tolist() == [2]
    assert found.dialect.encoding == encoding


@pytest.mark.parametrize("content", [b"a,b\n1,2\n\0\0\0\0\n", b"a,b\n1,\x07\n", b"\x00\x01\x02\x03" * 50])
def test_bytes_that_no_text_holds_name_their_line(content):
    assert "the control character" in complaint(content)


def test_the_end_of_a_file_of_dos_is_no_control_character():
    assert columns(b"a,b\r\n1,2\r\n\x1a") == {"a": [1], "b": [2]}


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")), min_size=1))
def test_utf_8_and_utf_16_come_back_whole(text):
    for codec in ("utf-8", "utf-8-sig", "utf-16"):
        encoding = "utf-16" if codec == "utf-16" else "utf-8"
        assert decode(text.encode(codec), "x", encoding).text == text.removeprefix("\ufeff")


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_one_line_of_complaint(content):
    try:
        decode(content, "x.csv")
    except DataError as error:
        assert str(error).startswith("x.csv: ")  # noqa: PT017  (either way is right)
