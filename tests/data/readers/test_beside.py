"""Tables of classes and groups beside the files, with every usual way to name a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgelstm.data.readers.beside import Asked, texts_beside
from edgelstm.errors import DataError

LABEL = Asked("class", "--labels", ("label", "class", "target"), None, "--target")
NAMES = ["RSS_1", "RSS_2", "RSS_10"]


def beside(tmp_path, text, names=NAMES, asked=LABEL):
    (tmp_path / "table.csv").write_text(text)
    return texts_beside(tmp_path / "table.csv", names, asked)


@pytest.mark.parametrize(
    "keys",
    [
        ("RSS_1", "RSS_2", "RSS_10"),
        ("RSS_1.csv", "RSS_2.csv", "RSS_10.csv"),
        ("data/RSS_1.csv", "data/RSS_2.csv.gz", "other/RSS_10.txt"),
        ("data\\RSS_1.csv", "data\\RSS_2.csv", "data\\RSS_10.csv"),
        ("1", "2", "10"),
        ("001", "002", "010"),
    ],
)
@pytest.mark.parametrize("header", ["file,label", "name,kind"])
def test_a_row_is_about_the_file_that_it_names(tmp_path, keys, header):
    rows = [f"{key},{text}" for key, text in zip(keys, ("a", "b", "c"), strict=True)]
    assert beside(tmp_path, "\n".join([header, *rows, ""])) == ("a", "b", "c")


def test_a_header_may_be_a_comment_and_files_be_called_by_their_numbers(tmp_path):
    assert beside(tmp_path, "#sequence_ID, class_label\n1,-1\n2,1\n10,1\n") == ("-1", "1", "1")


def test_rows_about_other_files_may_be_there_in_any_order(tmp_path):
    assert beside(tmp_path, "file,label\nRSS_99,z\nRSS_10,c\nRSS_2,b\nRSS_1,a\n") == ("a", "b", "c")


def test_the_column_is_found_by_its_name_or_given(tmp_path):
    text = "speaker,file,label,part\ngeorge,RSS_1,a,x\ntheo,RSS_2,b,x\ngeorge,RSS_10,c,y\n"
    assert beside(tmp_path, text) == ("a", "b", "c")
    groups = Asked("group", "--groups", ("group", "groups"), "speaker", "--group")
    assert beside(tmp_path, text, asked=groups) == ("george", "theo", "george")
    with pytest.raises(DataError, match=r"expected a column with the group of each series.*name it with --group"):
        beside(tmp_path, text, asked=groups._replace(column=None))


WRONG = {
    "file,label\nRSS_1,a\nRSS_2,b\n": "expected the class of each of 3 series, found none for 'RSS_10'",
    "file,label\nRSS_1,a\nRSS_2,\nRSS_10,c\n": "found none for 'RSS_2'",
    "file,label\nRSS_1,a\nRSS_2,b\nRSS_2,c\nRSS_10,c\n": "'RSS_2' is 'b' in a row above and 'c' here",
    "file,label\nA/RSS_1.csv,a\nB/RSS_1.csv,b\nRSS_2.csv,b\nRSS_10.csv,c\n": "expected the class of each of 3 series",
    "file,label\nmotor 1,a\nmotor 2,b\nmotor 10,c\n": "found none for 'RSS_1', 'RSS_2', 'RSS_10'; the",
}


@pytest.mark.parametrize(("text", "match"), WRONG.items())
def test_what_is_not_said_of_each_series_once_is_an_error(tmp_path, text, match):
    with pytest.raises(DataError, match=match):
        beside(tmp_path, text)


def test_numbers_are_no_help_where_two_files_end_in_the_same(tmp_path):
    with pytest.raises(DataError, match="expected the class of each of 2 series"):
        beside(tmp_path, "id,label\n1,a\n2,b\n", names=["north 1", "south 1"])


@pytest.mark.skipif("EDGELSTM_DATA" not in os.environ, reason="EDGELSTM_DATA names no folder with indoor_movement")
def test_the_targets_and_groups_of_indoor_movement_are_those_of_its_files():
    folder = Path(os.environ["EDGELSTM_DATA"]) / "indoor_movement"
    names = [f"MovementAAL_RSS_{number}" for number in range(1, 315)]
    targets = texts_beside(folder / "dataset" / "MovementAAL_target.csv", names, LABEL)
    groups = texts_beside(
        folder / "groups" / "MovementAAL_DatasetGroup.csv",
        names,
        Asked("group", "--groups", ("group",), None, "--group"),
    )
    lines = (folder / "dataset" / "MovementAAL_target.csv").read_text().split()[2:]
    by_hand = dict(line.split(",") for line in lines if line[0].isdigit())
    assert targets == tuple(by_hand[str(number)].strip() for number in range(1, 315))
    assert [groups.count(group) for group in "123"] == [104, 106, 104]
