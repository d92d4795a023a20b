"""Tables of plain lines have a fast path, which gives up where it may be wrong."""

from __future__ import annotations

import pytest

from edgelstm.data.readers.text.lines import Listed, Row, even, split


def floats(fields, decimal="."):
    found = even("".join(f"x;{field}\n" for field in fields), ";", 2, 1).floats(1, decimal)
    return None if found is None else found.tolist()


def test_plain_numbers_are_read_at_once():
    assert floats(["1", "-2.5", " +3e5", "0.25E-2"]) == [1, -2.5, 3e5, 0.0025]
    assert floats(["1,5", "-2"], ",") == [1.5, -2]


@pytest.mark.parametrize("field", ["", "NA", "nan", "1_0", "1-2", "é", "0" * 33])
def test_what_is_no_plain_number_is_left_to_the_slow_path(field):
    assert floats([field]) is None


def test_lines_count_from_one():
    assert list(split(["a,b", "", "1,2"], ",", quoted=False)) == [Row(1, ["a", "b"]), Row(3, ["1", "2"])]
    assert list(split(["a,b"], ",", quoted=True)) == [Row(1, ["a", "b"])]


@pytest.mark.parametrize("last", ["", "x"])
def test_a_column_is_blank_where_every_field_is_on_both_paths(last):
    text = f"a; ;\nb;;{last}\n"
    slow = Listed.of(split(text.splitlines(), ";", quoted=True), 3)
    for rows in (slow, even(text, ";", 3, 1)):
        assert [rows.is_blank(position) for position in range(3)] == [False, True, not last]
