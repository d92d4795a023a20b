"""Decode the bytes of a table: UTF-8, UTF-16, else Latin-1, never a mixture.

Latin-1 means Windows-1252 here, as in web browsers: 0x80 is a euro sign, not a control character.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edgelstm.data.readers.file import line_of
from edgelstm.errors import DataError
from edgelstm.reading import ENCODINGS

_NAMES = {"utf-8": "UTF-8", "utf-16": "UTF-16", "latin-1": "Latin-1"}
_ALIASES = {
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "ascii": "utf-8",
    "utf16": "utf-16",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
    "cp1252": "latin-1",
    "windows-1252": "latin-1",
}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SEEN = 4096  # bytes that are searched for the zeros of UTF-16
_WINDOWS = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
_CONTROLS = bytes([*range(9), *range(14, 28)])  # except tabs, line feeds and form feeds
_CONTROL = re.compile("[" + re.escape(_CONTROLS.decode()) + "]")
_END_OF_FILE = "\x1a"  # of CP/M and DOS
_UTF8_LETTER = re.compile(rb"[\xc3-\xf4][\x80-\xbf]")


class Text(NamedTuple):
    """The text of a file.

    Attributes:
        text: without a byte order mark, lines end in a line feed.
        encoding: one of `edgelstm.reading.ENCODINGS`.
        notes: one line each, for people.
    """

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def decode(content: bytes, name: str, asked: str | None = None, trained: str | None = None) -> Text:
    r"""Decode the bytes of a table.

    Args:
        content: the bytes.
        name: of the file, for messages.
        asked: the encoding given as an option; overrides all else.
        trained: the encoding of training, which must fit the file; None: detected.

    Raises:
        DataError: the bytes are not text, mix encodings, or are not in the encoding asked for.

    Example:
        >>> decode("a;\u00e4\r\n".encode("latin-1"), "a.csv").text
        'a;ä\n'
    """
    if asked is not None:
        encoding = _known(asked)
        return _text(content, encoding, name, f"--encoding {asked}")
    encoding = _found(content, name, trained == "latin-1")
    if trained is not None and encoding != trained and not (content.isascii() and trained != "utf-16"):
        raise DataError(
            f"{name}: expected {_NAMES[trained]}, as in training, got {_NAMES[encoding]}: save it as "
            f"{_NAMES[trained]}, or give --encoding {encoding}"
        )
    encoding = trained or encoding
    line = _line_that_is_no_utf8(content) if encoding == "latin-1" and trained is None else None
    notes = (f"Latin-1, because line {line} is not UTF-8; --encoding overrides this",) if line else ()
    return _text(content, encoding, name, "the file")._replace(notes=notes)


def _known(encoding: str) -> str:
    folded = encoding.lower().replace("_", "-")
    folded = _ALIASES.get(folded, folded)
    if folded not in ENCODINGS:
        raise DataError(f"--encoding: expected one of {', '.join(ENCODINGS)}, got {encoding!r}")
    return folded


def _found(content: bytes, name: str, mixed: bool) -> str:
    """Detect the encoding: by the byte order mark, UTF-16 by its zeros, UTF-8 if all is valid, else Latin-1.

    Args:
        content: the bytes.
        name: of the file, for messages.
        mixed: whether bytes that are partly UTF-8 are read as Latin-1, as in training.
    """
    if content.startswith(_UTF16_MARKS) or _unmarked_utf16(content):
        return "utf-16"
    line = _line_that_is_no_utf8(content)
    if line is None:
        return "utf-8"
    if content.startswith(b"\xef\xbb\xbf") or (not mixed and _is_mixed(content)):
        raise DataError(
            f"{name}: line {line}: expected UTF-8 as on other lines, got other bytes: fix that line, or give "
            "--encoding latin-1, which reads every byte as one character"
        )
    return "latin-1"


def _is_mixed(content: bytes) -> bool:
    """Whether at least half of the bytes outside ASCII are valid UTF-8, which Latin-1 hardly is by chance."""
    letters = sum(map(len, _UTF8_LETTER.findall(content)))
    return 2 * letters >= len(content) - len(content.translate(None, bytes(range(128, 256))))


def _line_that_is_no_utf8(content: bytes) -> int | None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return line_of(content, error.start)
    return None


def _unmarked_utf16(content: bytes) -> str | None:
    """Detect UTF-16 without a byte order mark: nearly every second byte is 0."""
    start = content[:_SEEN]
    for first, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = start[first::2].count(0)
        if len(start) >= 4 and zeros >= 0.8 * len(start[first::2]) and start[1 - first :: 2].count(0) <= 0.1 * zeros:
            return codec
    return None


def _text(content: bytes, encoding: str, name: str, who: str) -> Text:
    codec = encoding if encoding == "utf-16" else {"utf-8": "utf-8-sig", "latin-1": "latin-1"}[encoding]
    if encoding == "utf-16" and not content.startswith(_UTF16_MARKS):
        codec = _unmarked_utf16(content) or "utf-16-le"
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        line = f"line {line_of(content, error.start)}: " if encoding != "utf-16" else ""
        raise DataError(
            f"{name}: {line}expected {_NAMES[encoding]}, as {who} says, got other bytes: give another --encoding"
        ) from error
    if encoding == "latin-1":
        text = text.translate(_WINDOWS)
    text = text.rstrip(_END_OF_FILE).replace("\r\n", "\n").replace("\r", "\n")
    _refuse_controls(text, content, encoding, name)
    return Text(text, encoding)


def _refuse_controls(text: str, content: bytes, encoding: str, name: str) -> None:
    """Refuse control characters. Bytes are counted first, in 0.06 s for 50 MB, because a search takes 0.5 s."""
    if encoding != "utf-16" and len(content.translate(None, _CONTROLS)) == len(content):
        return
    control = _CONTROL.search(text)
    if control is not None:
        at = text.count("\n", 0, control.start()) + 1
        raise DataError(
            f"{name}: line {at}: expected text, got the control character {ord(control[0])}: the file is binary, or a "
            "logger lost power while it wrote; remove that character"
        )
