"""The text files of minisign: a comment line and a base64 line, twice in a signature."""

from __future__ import annotations

import base64
import binascii
import os

from edgelstm.errors import SigningFileError

UNTRUSTED, TRUSTED = b"untrusted comment: ", b"trusted comment: "
PUBLIC_BYTES, SECRET_BYTES, SIGNATURE_BYTES = 42, 158, 74
_MAX_TEXT_BYTES = 2**14


def read_text_file(path: str | os.PathLike[str]) -> bytes:
    """Read a key or a signature, a small file.

    Raises:
        SigningFileError: it cannot be read, or is too large.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            content = file.read(_MAX_TEXT_BYTES + 1)
    except FileNotFoundError as error:
        raise SigningFileError(f"{name}: file not found") from error
    except OSError as error:
        raise SigningFileError(f"{name}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in the path
        raise SigningFileError(f"{name!r}: cannot be read: {error}") from error
    if len(content) > _MAX_TEXT_BYTES:
        raise SigningFileError(f"{name}: expected a key or a signature, got more than {_MAX_TEXT_BYTES} bytes")
    return content


def text_file(*parts: bytes) -> bytes:
    """Lay out a comment and its base64, and the second pair of a signature."""
    comments, records = parts[::2], parts[1::2]
    heads = (UNTRUSTED, TRUSTED)
    return b"".join(
        head + comment + b"\n" + base64.b64encode(record) + b"\n"
        for head, comment, record in zip(heads, comments, records, strict=False)
    )


def lines_of(content: bytes, count: int, name: str) -> list[bytes]:
    """Split a file into lines, with any line ending.

    Raises:
        SigningFileError: there are more or fewer lines, or the first is not a comment.
    """
    lines = [line.rstrip(b"\r") for line in content.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) != count or not lines[0].startswith(UNTRUSTED):
        raise SigningFileError(
            f"{name}: expected {count} lines in minisign's format, the first beginning with "
            f"'{UNTRUSTED.decode().strip()}', got something else"
        )
    return lines


def decoded(line: bytes, size: int, name: str) -> bytes:
    """Decode a line of base64.

    Raises:
        SigningFileError: it is not base64, or of another size.
    """
    try:
        record = base64.b64decode(line, validate=True)
    except binascii.Error as error:
        raise SigningFileError(f"{name}: expected base64, got something else ({error})") from error
    if {len(record), size} == {PUBLIC_BYTES, SECRET_BYTES}:
        found, wanted = ("secret", "public") if size == PUBLIC_BYTES else ("public", "secret")
        raise SigningFileError(f"{name}: expected the {wanted} key of the pair, got the {found} key")
    if len(record) != size:
        raise SigningFileError(f"{name}: expected base64 of {size} bytes, got {len(record)}")
    return record


def hex_of(key_id: bytes) -> str:
    """Write a key id as minisign does: 16 hex digits."""
    return f"{int.from_bytes(key_id, 'little'):016X}"
