"""What a table of training could not show is asked of whoever brings the next one, in an option to type."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cli.logged import LATER, ROWS, answers, column, hours, value, values
from tests.cli.test_bad_input import assert_one_line_and_exit_2
from tests.cli.trained import WINDOW, asking, trained_on


def counted(path, first, count, written=str, header="heat;n"):
    """A table of whole numbers around a thousand."""
    numbers = [int(1000 + 5 * np.sin(i / 3) * 10 + i) for i in range(first, first + count)]
    path.write_text("\n".join([header, *(f"{written(number)};{i}" for i, number in enumerate(numbers)), ""]))
    return np.array(numbers, float)[:, np.newaxis]


def german(number):
    return f"{number:,}".replace(",", ".")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_thousands_behind_a_training_on_whole_numbers_are_asked_for(command, cli_here, tmp_path):
    counted(tmp_path / "table.csv", 0, ROWS)
    predictor, found = trained_on(tmp_path / "table.csv", tmp_path / "net.onnx", asking(["heat"]))
    assert found.reading.dialect.decimal == ""
    numbers = counted(tmp_path / "tomorrow.csv", ROWS, 20, german)
    more = ["--output", "report"] if command == "evaluate" else []
    process = cli_here(command, "net.onnx", "tomorrow.csv", *more)
    assert_one_line_and_exit_2(process, "and no number in training had a decimal sign: give --decimal . or --decimal ,")
    process = cli_here(command, "net.onnx", "tomorrow.csv", "--decimal", ",", *more)
    assert process.returncode == 0, process.stderr
    if command == "predict":
        np.testing.assert_array_equal(column(answers(process)), predictor.predict(numbers[-WINDOW:])[:, 0])


def test_fractions_that_can_be_read_in_one_way_need_no_option(cli_here, tmp_path):
    counted(tmp_path / "table.csv", 0, ROWS)
    predictor, _ = trained_on(tmp_path / "table.csv", tmp_path / "net.onnx", asking(["heat"]))
    numbers = counted(tmp_path / "tomorrow.csv", ROWS, LATER, lambda number: f"{german(number)},5") + 0.5
    found = answers(cli_here("predict", "net.onnx", "tomorrow.csv"))
    np.testing.assert_array_equal(column(found), predictor.predict(numbers[-WINDOW:])[:, 0])


@pytest.mark.parametrize(
    ("trained", "later", "option"),
    [("Z", "", ("--time-zone", "UTC")), ("", "Z", ("--time-format", "iso")), ("+00:00", "", ("--time-zone", "UTC"))],
)
def test_times_of_the_other_kind_are_refused_until_somebody_says_what_they_are(
    trained, later, option, cli_here, tmp_path
):
    for name, first, count, behind in (("table", 0, ROWS, trained), ("tomorrow", ROWS, LATER, later)):
        lines = [f"{hours(i):%FT%T}{behind},{value(i)}" for i in range(first, first + count)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["t,heat", *lines, ""]))
    predictor, _ = trained_on(tmp_path / "table.csv", tmp_path / "net.onnx", asking(["heat"], time="t"))
    process = cli_here("predict", "net.onnx", "tomorrow.csv")
    assert_one_line_and_exit_2(process, " ".join(option))
    found = answers(cli_here("predict", "net.onnx", "tomorrow.csv", *option))
    np.testing.assert_array_equal(column(found), predictor.predict(values(ROWS + LATER - WINDOW, WINDOW))[:, 0])
    assert {row["origin"].removesuffix("+00:00") for row in found} == {f"{hours(ROWS + LATER - 1):%FT%T}"}
