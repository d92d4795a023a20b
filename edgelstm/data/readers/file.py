"""The bytes of a file or of an open stream, decompressed if gzip compressed them."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import IO, Any, NamedTuple

from edgelstm.errors import DataError

_GZIP = b"\x1f\x8b"


class File(NamedTuple):
    """A file in memory.

    Attributes:
        name: for messages.
        content: its bytes, decompressed.
        path: where it is; None for a stream.
        sha256: of the bytes on disk; None for a stream.
    """

    name: str
    content: bytes
    path: Path | None = None
    sha256: str | None = None

    @property
    def ending(self) -> str:
        """The last ending of its name in lower case, without that of gzip."""
        return Path(self.name.lower().removesuffix(".gz")).suffix

    def lines(self) -> list[str]:
        """Split UTF-8 into lines.

        Raises:
            DataError: it is not UTF-8; names the line.
        """
        try:
            text = self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.name}: line {line_of(self.content, error.start)}: expected UTF-8, got other bytes"
            ) from error
        return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def load(source: str | Path | IO[Any]) -> File:
    """Read a path, or an open stream of text or bytes, to its end.

    Raises:
        DataError: it cannot be read, or its gzip data is damaged.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        return File(path.name, _unpacked(content, path.name), path, hashlib.sha256(content).hexdigest())
    try:
        content = getattr(source, "buffer", source).read()
        content = content.encode("utf-8") if isinstance(content, str) else content
    except (OSError, UnicodeError) as error:
        raise DataError(f"stdin: cannot be read as text: {error}") from error
    return File("stdin", _unpacked(content, "stdin"))


def line_of(content: bytes, offset: int) -> int:
    """Give the number of the line that holds a byte, counted from 1."""
    before = content[:offset]
    return before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1


def _unpacked(content: bytes, name: str) -> bytes:
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: cannot unpack a damaged gzip file: {error}") from error
