"""The error for a file that is not a text table says what it is, whatever its ending."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import zipfile

import numpy as np
import polars
import pytest

from edgelstm.data.readers.formats import read_table
from edgelstm.errors import DataError
from tests.data.readers.texts import columns, complaint


def archive(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as found:
        for name in names:
            found.writestr(name, "x")
    return file.getvalue()


def database(folder):
    path = folder / "x.db"
    connection = sqlite3.connect(path)
    connection.execute("create table t (v)")
    connection.commit()
    connection.close()
    return path.read_bytes()


def array():
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def frame(write):
    file = io.BytesIO()
    getattr(polars.DataFrame({"a": [1.0]}), write)(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
            "a Git LFS pointer",
            "git lfs pull",
        ),
        (b"\n <!DOCTYPE html>\n<html><head>", "an HTML page", "download"),
        (b"<html>", "an HTML page", "download"),
        (b"<table border=1><tr><td>1</td></tr></table>", "an HTML table", "save the sheet as CSV"),
        (b"\xef\xbb\xbf<!-- x --><HTML lang=en>", "an HTML page", "download"),
        (b"<?xml version='1.0'?><a/>", "XML", "CSV"),
        (archive("[Content_Types].xml", "xl/workbook.xml"), "an Excel spreadsheet (.xlsx)", "save the sheet as CSV"),
        (archive("mimetype", "content.xml"), "an OpenDocument file", "save the sheet as CSV"),
        (archive("a.csv", "b.csv"), "a zip archive of 2 files", "unpack it first"),
        (archive("a.csv")[:30], "a damaged zip archive", "download it again"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "an old Excel spreadsheet (.xls)", "save the sheet as CSV"),
        (b"%PDF-1.7\n", "a PDF document", "CSV"),
        (json.dumps([{"v": 1}, {"v": 2}], indent=1).encode(), "JSON", "CSV"),
        (b'{"v": 1}\n{"v": 2}\n', "JSON", "CSV"),
        (frame("write_parquet"), "a Parquet table", "--format parquet"),
        (frame("write_ipc"), "an Arrow (Feather) table", "CSV"),
        (array(), "a NumPy array", "CSV"),
        (lzma.compress(b"a,b\n1,2\n"), "an xz archive", "unpack"),
        (bz2.compress(b"a,b\n1,2\n"), "a bzip2 archive", "unpack"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "a picture (PNG)", "CSV"),
        ("a,b\n1,2\n".encode("utf-32"), "text in UTF-32", "UTF-8"),
        (b'"TOB1","S","CR1000"\n', "a binary logger file (TOB1)", "TOA5"),
    ],
    ids=lambda part: part if isinstance(part, str) else f"{len(part)} bytes",
)
def test_each_kind_is_named_with_what_to_do(content, what, remedy):
    text = complaint(content)
    assert what in text
    assert remedy in text.split(what)[1]


def test_a_database_is_named(tmp_path):
    assert "an SQLite database" in complaint(database(tmp_path))


@pytest.mark.parametrize("ending", ["csv", "txt", "log", "unknown", "csv.gz"])
def test_no_ending_hides_what_a_file_is(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    content = archive("xl/workbook.xml")
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    with pytest.raises(DataError, match="an Excel spreadsheet"):
        read_table(path)


@pytest.mark.parametrize("header", ["[a],b", "{a},b", "<a>,b"])
def test_names_in_brackets_are_no_other_format(header):
    assert columns(f"{header}\n1,2\n") == {header[:3]: [1], "b": [2]}
