"""Files of every ending, compressed or not, and streams are read by one function."""

from __future__ import annotations

import gzip
import hashlib
import io

import polars
import pytest

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.formats import read_table
from edgelstm.errors import DataError
from tests.data.readers.texts import reading

TEXT = "t;v\n0;1,5\n1;2,5\n"


@pytest.mark.parametrize("ending", ["csv", "txt", "tsv", "dat", "tab", "log", "prn", "CSV", "unknown"])
@pytest.mark.parametrize("packed", [False, True])
def test_text_is_read_whatever_its_ending(tmp_path, ending, packed):
    path = tmp_path / f"x.{ending}{'.gz' if packed else ''}"
    content = gzip.compress(TEXT.encode()) if packed else TEXT.encode()
    path.write_bytes(content)
    found = read_table(path)
    assert found.numbers("v").tolist() == [1.5, 2.5]
    assert found.name == path.name
    assert found.format == "csv"
    assert found.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "stream",
    [
        io.StringIO(TEXT),
        io.BytesIO(TEXT.encode()),
        io.BytesIO(gzip.compress(TEXT.encode())),
        io.TextIOWrapper(io.BytesIO(TEXT.encode("utf-16")), "utf-8"),
    ],
)
def test_streams_of_text_and_of_bytes_are_read(stream):
    found = read_table(stream)
    assert found.numbers("v").tolist() == [1.5, 2.5]
    assert (found.name, found.sha256) == ("stdin", None)


def test_a_stream_with_a_surrogate_is_no_text():
    with pytest.raises(DataError, match="stdin: cannot be read as text"):
        read_table(io.StringIO("a,b\n1,\udce4\n"))


def test_damaged_gzip_is_named(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode())[:-5])
    with pytest.raises(DataError, match=r"x\.csv\.gz: cannot unpack a damaged gzip file"):
        read_table(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: cannot be read"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path)


def test_an_unknown_format_names_the_known():
    with pytest.raises(DataError, match="expected one of csv, parquet, ts, cmapss, got 'xls'"):
        read_table(io.StringIO(TEXT), Asking(format="xls"))


def test_the_format_of_training_is_wanted_again(tmp_path):
    text, columnar = tmp_path / "x.csv", tmp_path / "x.parquet"
    text.write_text(TEXT)
    polars.DataFrame({"v": [1.5]}).write_parquet(columnar)
    with pytest.raises(DataError, match=r"expected csv, as in training, got a \.parquet file.*--format parquet"):
        read_table(columnar, Asking(like=reading()))
    with pytest.raises(DataError, match=r"expected parquet, as in training, got a \.csv file.*--format csv"):
        read_table(text, Asking(like=reading(format="parquet")._replace(dialect=None)))
    assert read_table(text, Asking(format="csv", like=reading(format="parquet")._replace(dialect=None))).columns == (
        "t",
        "v",
    )


def test_a_text_ending_is_no_contradiction_to_a_format_without_endings(tmp_path):
    path = tmp_path / "train_FD001.txt"
    path.write_text(" ".join(["1"] * 26) + "\n")
    assert read_table(path, Asking(like=reading(format="cmapss")._replace(dialect=None))).format == "cmapss"


def test_packed_parquet_is_read(tmp_path):
    path = tmp_path / "x.parquet"
    polars.DataFrame({"v": [1.5, None]}).write_parquet(path)
    (tmp_path / "y.parquet.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read_table(path).columns == read_table(tmp_path / "y.parquet.gz").columns == ("v",)
