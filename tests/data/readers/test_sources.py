"""Folders and patterns of files: which are found, how series are named, and that all files must be alike."""

from __future__ import annotations

import gzip
import hashlib
import io

import numpy as np
import pytest

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.data.readers.sources import FEW, digest_of, files_of, read_source
from edgelstm.data.series import Series
from edgelstm.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Twelve files, numbered."""
    for number in range(12):
        lines = ["t,heat,load", *(f"2024-01-01 00:{i:02}:00,{number + i},{i}" for i in range(5 + number))]
        (tmp_path / f"pump {number}.csv").write_text("\n".join([*lines, ""]))
    return tmp_path


def test_the_files_of_a_folder_are_series_in_the_order_of_their_numbers(folder):
    found = read_source(folder, Asking(columns=("heat", "load"), time=("t",)))
    assert [one.name for one in found.series] == [f"pump {number}" for number in range(12)]
    for number, one in enumerate(found.series):
        (alone,) = read(folder / f"pump {number}.csv", Asking(columns=("heat", "load"), time=("t",))).series
        np.testing.assert_array_equal(one.values, alone.values)
        np.testing.assert_array_equal(one.time, alone.time)
        assert one.sha256 == alone.sha256
    assert found.reading.rhythm.name == "1 min"
    assert found.reading.series is None


def test_a_pattern_takes_what_it_names_and_a_folder_what_is_a_table(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "one.csv.gz").write_bytes(gzip.compress((folder / "pump 1.csv").read_bytes()))
    (folder / "notes.md").write_text("no table")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.csv").write_text("no,table\n")
    assert [path.name for path in files_of(str(folder / "pump 1*.csv"))] == ["pump 1.csv", "pump 10.csv", "pump 11.csv"]
    assert len(files_of(folder)) == 13
    assert len(files_of(str(folder / "**" / "*.csv*"))) == 13
    assert len(files_of(folder, without=[folder / "deep" / ".." / "pump 3.csv"])) == 12
    names = [one.name for one in read_source(folder, Asking(columns=("heat",))).series]
    assert names[:2] == ["one", "pump 0"]


def test_what_is_one_table_is_read_as_one(folder):
    assert files_of("builtin:co2") is None
    assert files_of(io.StringIO("a\n1\n")) is None
    assert files_of(folder / "pump 1.csv") is None
    assert len(read_source("builtin:co2", Asking(columns=("co2",), time=("date",))).series) == 1
    assert read_source(io.StringIO("a\n1\n2\n"), Asking(columns=("a",))).series[0].values.ravel().tolist() == [1, 2]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    (tmp_path / "a[1].csv").write_text("v\n1\n2\n")
    assert files_of(str(tmp_path / "a[1].csv")) is None


def test_stems_that_repeat_are_told_apart_by_their_folders(tmp_path):
    for place in ("north/pump/a", "south/pump/a", "south/pump/b"):
        path = tmp_path / f"{place}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("v\n1\n2\n")
    names = [one.name for one in read_source(tmp_path, Asking(columns=("v",))).series]
    assert names == ["north/pump/a", "south/pump/a", "south/pump/b"]


def test_words_are_gathered_from_all_files(tmp_path):
    for name, words in (("a", ("NW", "SE", "NW")), ("b", ("calm", "SE", "SE"))):
        (tmp_path / f"{name}.csv").write_text("\n".join(["v,wind", *(f"{i},{w}" for i, w in enumerate(words)), ""]))
    found = read_source(tmp_path, Asking(columns=("v", "wind"), targets=("v",)))
    assert found.categories == {"wind": ("NW", "SE", "calm")}
    assert {one.names for one in found.series} == {("v", "wind=NW", "wind=SE", "wind=calm")}
    assert found.series[1].values[:, 1:].tolist() == [[0, 0, 1], [0, 1, 0], [0, 1, 0]]


def test_words_of_a_file_whose_bytes_may_be_a_mixture_are_read_as_those_of_the_largest(tmp_path):
    (tmp_path / "a.csv").write_bytes("v,wind\n0,Ã¤\n1,Süd\n".encode("latin-1"))
    (tmp_path / "b.csv").write_bytes(("v,wind\n" + "1,Süd\n2,Nord\n" * 9).encode("latin-1"))
    with pytest.raises(DataError, match="expected UTF-8 as on other lines"):
        read_source(tmp_path / "a.csv", Asking(columns=("v",)))
    assert read_source(tmp_path, Asking(columns=("v", "wind"))).categories == {"wind": ("Nord", "Süd", "Ã¤")}


def test_words_of_a_file_that_two_delimiters_split_are_read_as_those_of_the_largest(tmp_path):
    (tmp_path / "a.csv").write_text("v;wind,gust\n1;x,3\n4;y,6\n")
    (tmp_path / "b.csv").write_text("v;wind,gust\n" + "1;x\n2;y\n" * 9)
    with pytest.raises(DataError, match="commas and semicolons both split every line"):
        read_source(tmp_path / "a.csv", Asking(columns=("v",)))
    found = read_source(tmp_path, Asking(columns=("v", "wind,gust")))
    assert found.categories == {"wind,gust": ("x", "x,3", "y", "y,6")}


def test_the_decimal_sign_of_one_file_holds_for_those_behind_it_where_the_largest_has_none(tmp_path):
    (tmp_path / "a.csv").write_text("v;w\n1,5;7\n2,25;8\n")
    (tmp_path / "b.csv").write_text("v;w\n" + "3;7\n4;8\n" * 9)
    (tmp_path / "c.csv").write_text("v;w\n1,500;7\n2,500;8\n")
    with pytest.raises(DataError, match=r"could be 1500 or 1\.5"):
        read_source(tmp_path / "c.csv", Asking(columns=("v", "w")))
    found = read_source(tmp_path, Asking(columns=("v", "w"))).series
    assert [one.values[:2, 0].tolist() for one in found] == [[1.5, 2.25], [3, 4], [1.5, 2.5]]


DIFFERENT = {
    "a column is missing": "t,heat\n2024-01-01 00:00:00,1\n2024-01-01 00:01:00,2\n",
    "another rhythm": "t,heat,load\n2024-01-01,1,1\n2024-01-02,2,2\n2024-01-03,2,2\n",
    "another delimiter": "t;heat;load\n2024-01-01 00:00:00;1;1\n2024-01-01 00:01:00;2;2\n",
    "text": "t,heat,load\n2024-01-01 00:00:00,1,x\n2024-01-01 00:01:00,2,2\n",
    "nothing": "",
}


@pytest.mark.parametrize("text", DIFFERENT.values(), ids=DIFFERENT)
def test_a_file_that_is_not_like_the_others_is_named(folder, text):
    (folder / "odd one.csv").write_text(text)
    with pytest.raises(DataError, match=r"odd one\.csv"):
        read_source(folder, Asking(columns=("heat", "load"), targets=("heat", "load"), time=("t",)))


def test_a_small_file_that_may_be_read_in_two_ways_is_read_as_the_largest(tmp_path):
    (tmp_path / "a.csv").write_text("t,v\n01/02/2020,1\n")
    rows = [f"{day:02}/{month:02}/2020,{day}" for month in (1, 2) for day in range(1, 29)]
    (tmp_path / "b.csv").write_text("\n".join(["t,v", *rows, ""]))
    with pytest.raises(DataError):
        read_source(tmp_path / "a.csv", Asking(columns=("v",), time=("t",)))
    found = read_source(tmp_path, Asking(columns=("v",), time=("t",)))
    assert str(found.series[0].time[0])[:10] == "2020-02-01"


@pytest.mark.parametrize(
    ("name", "match"),
    [("empty", "expected a folder with files that end in"), ("*.nothing", "no file matches this pattern")],
)
def test_no_file_at_all_is_an_error(tmp_path, name, match):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=match):
        read_source(str(tmp_path / name), Asking())


def test_a_column_of_series_beside_a_folder_is_refused(folder):
    with pytest.raises(DataError, match="--series load: each file of a folder or pattern is already a series"):
        read_source(folder, Asking(columns=("heat",), series="load"))


def test_one_digest_stands_for_all_files():
    made = [Series(("a",), np.zeros((1, 1)), None, None, digest) for digest in ("aa", "bb", "aa", None)]
    assert digest_of(made) == "aa+bb"
    assert digest_of([made[3]]) is None
    many = [Series(("a",), np.zeros((1, 1)), None, None, f"{i:02x}") for i in range(FEW + 1)]
    assert digest_of(many) == hashlib.sha256("\n".join(f"{i:02x}" for i in range(FEW + 1)).encode()).hexdigest()
