"""Tables drawn by psql, MySQL, sqlcmd, Org or in Markdown are read as they were before drawing, or are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.readers.texts import columns, complaint, table

ROWS = [(f"2020-01-{day:02}", day * 1.5) for day in range(1, 31)]


def padded(rows, header=("t", "v")):
    cells = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells], widths


def psql(rows=ROWS, footer=None):
    cells, widths = padded(rows)
    lines = [" " + " | ".join(row) for row in cells]
    lines.insert(1, "-" + "-+-".join("-" * width for width in widths) + "-")
    return "\n".join([*lines, footer or f"({len(rows)} row{'s' * (len(rows) > 1)})", "", ""])


def mysql(rows=ROWS, footer=None):
    cells, widths = padded(rows)
    ruler = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    first, *lines = [f"| {' | '.join(row)} |" for row in cells]
    footer = footer or f"{len(rows)} row{'s' * (len(rows) > 1)} in set (0.01 sec)"
    return "\n".join([ruler, first, ruler, *lines, ruler, footer, ""])


def markdown(rows=ROWS, ruler="|---|--:|"):
    cells, _ = padded(rows)
    first, *lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([first, ruler, *lines, ""])


def org(rows=ROWS):
    return markdown(rows, "|---+---|")


def rst(rows=ROWS):
    cells, widths = padded(rows)
    ruler = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    first, *lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([ruler, first, ruler.replace("-", "="), *[part for line in lines for part in (line, ruler)], ""])


def sqlcmd(rows=ROWS, between=" "):
    cells, widths = padded(rows)
    lines = [between.join(row) for row in cells]
    lines.insert(1, between.join("-" * width for width in widths))
    return "\n".join([*lines, "", f"({len(rows)} rows affected)", ""])


DRAWN = [psql, mysql, markdown, org, rst, sqlcmd]


@pytest.mark.parametrize("draw", DRAWN)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(values=st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=5, max_size=40))
def test_a_drawn_table_is_the_table_that_was_drawn(draw, values):
    rows = [(f"2020-01-{number % 28 + 1:02}", value) for number, value in enumerate(values)]
    found = table(draw(rows))
    assert found.texts("t") == [day for day, _ in rows]
    assert found.numbers("v").tolist() == values
    assert any("drawn below the header or around rows" in note for note in found.notes)


@pytest.mark.parametrize("draw", DRAWN)
def test_lines_keep_their_numbers(draw):
    content = draw()
    row = ROWS.index(("2020-01-07", 10.5))
    line = 1 + next(n for n, text in enumerate(content.split("\n")) if "2020-01-07" in text)
    assert table(content).place(row).endswith(f"line {line}")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\n  ").rstrip(" "),
        lambda text: text.rstrip("\n"),
    ],
)
@pytest.mark.parametrize("draw", [psql, mysql])
def test_ends_of_lines_and_blanks_around_them_change_nothing(draw, change):
    assert table(change(draw())).numbers("v").tolist() == [value for _, value in ROWS]


@pytest.mark.parametrize(
    "ruler", ["|---|---|", "|:--|--:|", "| :-: | - |", "|-|-|", "| --- | --- |", "|---------|:-----|"]
)
def test_rulers_of_markdown_are_of_many_kinds(ruler):
    assert table(markdown(ruler=ruler)).numbers("v").tolist() == [value for _, value in ROWS]


def test_what_stands_in_front_of_a_drawn_table_is_left_out():
    for front in ("db=> select * from readings;\n", "         Readings\n", "# Readings\n\nof a year\n\n"):
        for draw in (psql, mysql, markdown):
            assert table(front + draw()).numbers("v").tolist() == [value for _, value in ROWS]


@pytest.mark.parametrize("draw", [psql, mysql])
def test_the_rows_are_held_against_their_count(draw):
    footer = {psql: "(31 rows)", mysql: "31 rows in set (0.00 sec)"}[draw]
    assert re.search(r"line \d+ says 31 rows, the table has 30: export it as CSV", complaint(draw(footer=footer)))


def test_a_count_below_a_table_that_is_not_drawn_is_left_out_too():
    content = "t|v\n" + "".join(f"{day}|{value}\n" for day, value in ROWS)
    found = table(content + "(30 rows)\n")
    assert found.numbers("v").tolist() == [value for _, value in ROWS]
    assert "line 32 ((30 rows)) is a row count: skipped" in found.notes
    assert "line 32 says 29 rows, the table has 30" in complaint(content + "(29 rows)\n")


def test_one_column_may_be_drawn():
    assert columns("  v  \n-----\n  1.5\n  2\n(2 rows)\n") == {"v": [1.5, 2]}
    assert columns("+-----+\n| v   |\n+-----+\n| 1.5 |\n|   2 |\n+-----+\n2 rows in set\n") == {"v": [1.5, 2]}


def test_words_for_missing_samples_are_no_rulers():
    content = "t|v\n2020-01-01|1\n---|---\n2020-01-03|3\n"
    assert [str(value) for value in table(content).numbers("v")] == ["1.0", "nan", "3.0"]
    assert [str(value) for value in table("t,v\n1,1\n-,-\n3,3\n").numbers("v")] == ["1.0", "nan", "3.0"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("┌───┬───┐\n│ t │ v │\n├───┼───┤\n│ 1 │ 2 │\n└───┴───┘\n", "drawn for the screen, which may omit rows"),
        (" t │ v\n───┼───\n 1 │ 2\n", "drawn for the screen, which may omit rows: export it as CSV"),
        ("-[ RECORD 1 ]-\nt | 1\nv | 2\n", "one with a line for each field: export it as CSV"),
        ("*** 1. row ***\nt: 1\nv: 2\n", "one with a line for each field: export it as CSV"),
        (" t | n | v\n---+---+---\n 1 | a+| 2\n   | b |\n", "line 3: a cell continues on the next line (+)"),
        (markdown() + "\nThat is all.\n", "line 34: expected a row between bars, like those above, got 'That is all.'"),
        (markdown().replace(" 10.5 |", " 10.5"), "line 9: expected a row between bars"),
        (mysql() + mysql(), "expected a row between bars"),
        (psql() + psql(), "expected 2 fields as in the header, got 1"),
        (psql([]).replace("rows", "rows"), "the table is empty"),
    ],
)
def test_what_cannot_be_told_is_refused(content, said):
    assert said in complaint(content)


def test_a_drawn_table_is_read_again_as_in_training():
    trained = table(psql()).dialect
    assert columns(psql(ROWS[:3]), like=trained, na=("2020-01-01", "2020-01-02", "2020-01-03"))["v"] == [1.5, 3, 4.5]


@pytest.mark.parametrize(
    "content", [" " * 60_000 + "x", "a|b\n" + "-" * 30_000 + " " * 30_000 + "x", "a b\n" + "--- " * 15_000 + "x"]
)
def test_long_lines_cost_no_time(content):
    complaint(content)  # a pattern that backtracks over blanks would take minutes
