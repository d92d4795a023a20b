"""Turbofan engines: the remaining cycles are counted in train_ files and read from RUL_ files for test_ files."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.formats.cmapss import COLUMNS
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError


def row(unit, cycle):
    return f"{unit} {cycle} " + " ".join(f"{unit * 100 + i}.5" for i in range(24)) + "  \n"


ROWS = row(1, 1) + row(1, 2) + row(1, 3) + row(2, 1) + row(7, 1) + row(7, 2)


def series_of(folder, name="train_X.txt", text=ROWS, truth=None, columns=("sensor_21", "rul"), **more):
    (folder / name).write_text(text)
    if truth is not None:
        (folder / "RUL_X.txt").write_text(truth)
    return read(folder / name, Asking(columns, format="cmapss", **more)).series


def test_training_engines_run_to_their_failure(tmp_path):
    found = series_of(tmp_path)
    assert [series.name for series in found] == ["1", "2", "7"]
    assert [series.values[:, 1].tolist() for series in found] == [[2, 1, 0], [0], [1, 0]]
    assert [series.values[0, 0] for series in found] == [123.5, 223.5, 723.5]
    assert len(COLUMNS) == 26


def test_of_test_engines_the_last_row_alone_is_known(tmp_path):
    found = series_of(tmp_path, "test_X.txt", truth="112 \n98\n5\n")
    np.testing.assert_array_equal(found[0].values[:, 1], [np.nan, np.nan, 112])
    assert [series.values[-1, 1] for series in found] == [112, 98, 5]


def test_a_test_file_without_its_truth_can_be_read_for_its_sensors(tmp_path):
    assert len(series_of(tmp_path, "test_X.txt", columns=("sensor_1",))) == 3


@pytest.mark.parametrize(
    ("name", "text", "truth", "complaint"),
    [
        ("train_X.txt", "", None, "the table is empty"),
        ("train_X.txt", row(1, 1) + "1 2 3\n", None, "line 2: expected 26 columns, got 3"),
        (
            "train_X.txt",
            row(1, 1).replace("100.5", "x") + row(1, 2),
            None,
            "line 1: expected a number in column 'setting_1'",
        ),
        ("train_X.txt", row(1, 1) + row(2, 1) + row(1, 2), None, "line 3: engine 1 appears again"),
        ("train_X.txt", row(1, 1) + row(1, 3), None, "line 2: expected cycle 2 of engine 1, got 3"),
        ("train_X.txt", row(1, 1) + row(1, "x"), None, "line 2: expected a number in column 'cycle', got 'x'"),
        ("test_X.txt", ROWS, None, "expected RUL_X.txt beside it"),
        ("test_X.txt", ROWS, "1\n2\n", "RUL_X.txt: expected 3 lines, one for each engine, got 2"),
        ("test_X.txt", ROWS, "1\n2\nx\n", "RUL_X.txt: line 3: expected a number in column 'rul', got 'x'"),
        ("test_X.txt", ROWS, "1\n2 3\n4\n", "RUL_X.txt: line 2: expected 1 column, got 2"),
        ("engines.txt", ROWS, None, "expected a file name that begins with train_ or test_"),
    ],
)
def test_what_is_no_such_data_is_refused(tmp_path, name, text, truth, complaint):
    with pytest.raises(DataError) as caught:
        series_of(tmp_path, name, text, truth, columns=("setting_1", "rul"))
    assert complaint in str(caught.value)


def test_bytes_that_are_no_text_and_columns_that_are_no_classes_are_refused(tmp_path):
    (tmp_path / "train_Y.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="line 1: expected UTF-8, got other bytes"):
        read(tmp_path / "train_Y.txt", Asking(("rul",), format="cmapss"))
    with pytest.raises(DataError, match="holds numbers, not classes"):
        series_of(tmp_path, label="rul")
    with pytest.raises(DataError, match="expected no column of timestamps"):
        series_of(tmp_path, time=("cycle",))
