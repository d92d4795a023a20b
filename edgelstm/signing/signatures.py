"""Sign bytes and verify signatures over them. The functions work on bytes; only `verify_file` reads the disk."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import NamedTuple

from edgelstm.errors import (
    InputError,
    ModelFileError,
    ModelFileNotFoundError,
    SignatureError,
    SigningFileError,
    require,
)
from edgelstm.signing.keys import PURE, PublicKey, SecretKey, ed25519, find_public_key
from edgelstm.signing.text import SIGNATURE_BYTES, TRUSTED, decoded, hex_of, lines_of, read_text_file, text_file

SUFFIX = ".minisig"
MAX_FILE_BYTES = 2**31 - 1  # the limit of a model file
MAX_COMMENT_BYTES = 8000  # minisign reads 8192, with the words before it
_HASHED = b"ED"  # over the BLAKE2b-512 of the bytes
_SHOWN = {c: repr(chr(c))[1:-1] for c in (*range(32), *range(127, 160)) if c != 9}  # control characters except tab


class Signed(NamedTuple):
    """A file with a valid signature.

    Attributes:
        content: the bytes that were verified: use these, the file may have changed since.
        key: the key that signed it.
        comment: the trusted comment, signed with the bytes.
    """

    content: bytes
    key: PublicKey
    comment: str


def sign(content: bytes, key: SecretKey, comment: str) -> bytes:
    """Sign bytes: the content of a `.minisig` file.

    Args:
        content: bytes of the file to sign.
        key: the key that signs.
        comment: one line, signed too.

    Raises:
        InputError: the comment is not one line of text, or too long.
        MissingDependencyError: cryptography is not installed.

    Example:
        >>> from edgelstm.signing import new_key
        >>> key = new_key()
        >>> verify(b"weights", sign(b"weights", key, "for the gateway"), key.public)
        'for the gateway'
    """
    trusted = comment.encode(errors="surrogateescape")  # a file name may not be UTF-8
    if comment.translate(_SHOWN) != comment or len(trusted) > MAX_COMMENT_BYTES:
        raise InputError(f"comment: expected one line of text, {MAX_COMMENT_BYTES} bytes at most, got {comment!r:.80}")
    private = ed25519().Ed25519PrivateKey.from_private_bytes(key.seed)
    made = private.sign(hashlib.blake2b(content).digest())
    record = _HASHED + key.key_id + made
    return text_file(b"signature from edgelstm secret key", record, trusted, private.sign(made + trusted))


def verify(content: bytes, signature: bytes, key: PublicKey, name: str = "file") -> str:
    """Verify a signature over bytes and over its own trusted comment.

    Args:
        content: bytes of the signed file.
        signature: content of its `.minisig` file, from edgelstm or minisign, prehashed or not.
        key: the key that must have signed.
        name: name of the file in errors.

    Returns:
        The trusted comment, with control characters escaped.

    Raises:
        SignatureError: another key signed, or the file, the signature or the comment was altered.
        SigningFileError: it is not a signature.
        MissingDependencyError: cryptography is not installed.
    """
    lines = lines_of(signature, 4, f"{name}{SUFFIX}")
    head = decoded(lines[1], SIGNATURE_BYTES, f"{name}{SUFFIX}")
    algorithm, key_id, made = head[:2], head[2:10], head[10:]
    if algorithm not in (PURE, _HASHED) or not lines[2].startswith(TRUSTED):
        raise SigningFileError(f"{name}{SUFFIX}: expected a signature in minisign's format, got something else")
    trusted = lines[2][len(TRUSTED) :]
    over_comment = decoded(lines[3], 64, f"{name}{SUFFIX}")
    if key_id != key.key_id:
        raise SignatureError(f"{name}: signed with the key {hex_of(key_id)}, expected {key.name}; do not use the file")
    if not _holds(key, made, content if algorithm == PURE else hashlib.blake2b(content).digest()):
        raise SignatureError(
            f"{name}: invalid signature: the file or its signature was altered, or they do not belong together; do not "
            "use the file"
        )
    if not _holds(key, over_comment, made + trusted):
        raise SignatureError(f"{name}: invalid signature: its trusted comment was altered; do not use the file")
    return trusted.decode(errors="backslashreplace").translate(_SHOWN)


def verify_file(path: str | os.PathLike[str], key: PublicKey | str | os.PathLike[str]) -> Signed:
    """Verify a file with the signature beside it, `PATH.minisig`.

    Args:
        path: the signed file.
        key: the public key; the path of its file; or its 56 characters.

    Returns:
        The verified bytes, and who signed them. To run a model without reading it again:
        `Predictor(parse_model_file(signed.content))`, both from `edgelstm.runtime`.

    Raises:
        SignatureError: the signature is invalid.
        SigningFileError: the key or the signature is missing or malformed.
        ModelFileNotFoundError: there is no file at `path`.
        ModelFileError: the file cannot be read.
        MissingDependencyError: cryptography is not installed.

    Example:
        >>> import pathlib, tempfile
        >>> from edgelstm.signing import new_key
        >>> path, key = pathlib.Path(tempfile.mkdtemp(), "a.onnx"), new_key()
        >>> for name, content in (("a.onnx", b"weights"), ("a.onnx.minisig", sign(b"weights", key, "mine"))):
        ...     _ = path.with_name(name).write_bytes(content)
        >>> verify_file(path, key.public).comment
        'mine'
    """
    name = os.fspath(path)
    public = key if isinstance(key, PublicKey) else find_public_key(key)
    content = _file_content(name)
    signature = read_text_file(f"{name}{SUFFIX}")
    return Signed(content, public, verify(content, signature, public, name))


def _file_content(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
                raise ModelFileError(f"{name}: expected a file of at most {MAX_FILE_BYTES} bytes")
            return file.read()
    except FileNotFoundError as error:
        raise ModelFileNotFoundError(f"{name}: file not found") from error
    except OSError as error:
        raise ModelFileError(f"{name}: cannot be read: {error.strerror or error}") from error


def _holds(key: PublicKey, signature: bytes, message: bytes) -> bool:
    invalid = require("cryptography.exceptions", "sign").InvalidSignature
    try:
        ed25519().Ed25519PublicKey.from_public_bytes(key.point).verify(signature, message)
    except invalid:
        return False
    return True
