"""Refuse files that are not tables in any format, and name what they are, whatever their ending says."""

from __future__ import annotations

import io
import json
import re
import zipfile

from edgelstm.errors import DataError, counted

_EXPORT = "save the sheet as CSV"
_UNPACK = "unpack it first"
# The first bytes of each kind, what it is, and what to do. Zip archives are identified below.
_MAGIC = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file itself", "run `git lfs pull`"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel spreadsheet (.xls)", _EXPORT),
    (b"%PDF", "a PDF document", "get the data itself, as CSV"),
    (b"SQLite format 3\0", "an SQLite database", "export one of its tables, or a query, as CSV"),
    (b"ARROW1", "an Arrow (Feather) table", "write it as Parquet or CSV"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "export one of its tables as Parquet or CSV"),
    (b"\x93NUMPY", "a NumPy array", "write it as CSV with a header"),
    (b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\x89PNG", "a picture (PNG)", "get the data itself, as CSV"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "get the data itself, as CSV"),
    (b"RIFF", "a sound or video file (RIFF)", "write its samples as CSV"),
    (b"\x7fELF", "a program", "name a table instead"),
    (b"TOB1", "a binary logger file (TOB1)", "convert it to TOA5 with the logger's software"),
    (b'"TOB1"', "a binary logger file (TOB1)", "convert it to TOA5 with the logger's software"),
    (b"\xff\xfe\0\0", "text in UTF-32", "save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32", "save it as UTF-8"),
)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_SHEET = re.compile(rb"\s*<table\b[^>]*>\s*<", re.IGNORECASE)  # what websites call .xls
_XML = re.compile(rb"\s*<\?xml\b")  # not any name in angle brackets: MetaTrader writes headers like <DATE>,<OPEN>
_BOM = b"\xef\xbb\xbf"


def refuse(content: bytes, name: str) -> None:
    r"""Refuse bytes that are not a text table.

    Args:
        content: of the whole file, decompressed.
        name: of the file, for the message.

    Raises:
        DataError: they are not; names what they are, and what to do.

    Example:
        >>> refuse(b"time,v\n1,2\n", "a.csv")
    """
    found = _kind(content)
    if found is not None:
        what, remedy = found
        raise DataError(f"{name}: expected a text table, got {what}: {remedy}")


def _kind(content: bytes) -> tuple[str, str] | None:
    for magic, what, remedy in _MAGIC:
        if content.startswith(magic):
            return what, remedy
    if content.startswith(b"PK\x03\x04"):
        return _archive(content)
    start = content[:4096].removeprefix(_BOM)
    if _SHEET.match(start):
        return "an HTML table", f"open it in a spreadsheet and {_EXPORT}"
    if _HTML.match(start):
        return "an HTML page", "download the file itself; this is a page for browsers, often a login"
    if _XML.match(start):
        return "XML", "write it as CSV"
    if start.lstrip()[:1] in (b"{", b"[") and _is_json(content.removeprefix(_BOM)):
        return "JSON", "write it as CSV, one row for each sample"
    return None


def _archive(content: bytes) -> tuple[str, str]:
    """Identify spreadsheets, which are zip archives inside, among other archives."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return "a damaged zip archive", "download it again"
    if any(name.startswith("xl/") for name in names):
        return "an Excel spreadsheet (.xlsx)", _EXPORT
    if "content.xml" in names:
        return "an OpenDocument file (.ods)", _EXPORT
    return f"a zip archive of {counted(len(names), 'file')}", _UNPACK


def _is_json(content: bytes) -> bool:
    """Whether the first line, or all of it, is JSON."""
    for text in (content.lstrip().split(b"\n", 1)[0], content):
        try:
            return isinstance(json.loads(text), (dict, list))
        except (ValueError, RecursionError):
            continue
    return False
