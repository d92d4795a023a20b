"""Sign a file and verify its signature, in minisign's formats: `minisign` verifies what this signs, and the reverse.

A digest says that a file is whole; a signature says who vouches for it. The functions work on bytes, `verify_file`
alone reads the disk. Source: https://jedisct1.github.io/minisign/ (formats), libsodium (scrypt parameters).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from typing import Any, NamedTuple

from edgelstm.errors import (
    InputError,
    ModelFileError,
    ModelFileNotFoundError,
    SignatureError,
    SigningFileError,
    require,
)

SUFFIX = ".minisig"
MAX_FILE_BYTES = 2**31 - 1  # as a model file may have
MAX_COMMENT_BYTES = 8000  # minisign reads 8192 with the words in front
_MAX_TEXT_BYTES = 2**14

_UNTRUSTED, _TRUSTED = b"untrusted comment: ", b"trusted comment: "
_PURE, _HASHED = b"Ed", b"ED"  # over the bytes themselves (minisign before 0.9), over their BLAKE2b-512
_SCRYPT, _NO_KDF, _BLAKE2B = b"Sc", b"\0\0", b"B2"
_PUBLIC_BYTES, _SECRET_BYTES, _SIGNATURE_BYTES = 42, 158, 74
_LOCKED_BYTES = 104  # key id, seed, public point, checksum

# crypto_pwhash_scryptsalsa208sha256_*_SENSITIVE: what minisign takes, and the most that is computed for a file.
OPSLIMIT, MEMLIMIT = 2**25, 2**30
_SHOWN = {c: repr(chr(c))[1:-1] for c in (*range(32), *range(127, 160)) if c != 9}  # control characters but the tab


class PublicKey(NamedTuple):
    """What everybody may have.

    Attributes:
        key_id: 8 bytes that tell keys apart.
        point: 32 bytes of Ed25519.
    """

    key_id: bytes
    point: bytes

    @property
    def name(self) -> str:
        """The key id as minisign writes it: 16 hex digits."""
        return _hex(self.key_id)


class SecretKey(NamedTuple):
    """What signs. Its `repr` does not show it.

    Attributes:
        key_id: 8 bytes that tell keys apart.
        seed: 32 bytes of Ed25519, the secret.
        point: 32 bytes of the public key.
    """

    key_id: bytes
    seed: bytes
    point: bytes

    @property
    def public(self) -> PublicKey:
        """The other half."""
        return PublicKey(self.key_id, self.point)

    def __repr__(self) -> str:
        return f"SecretKey({_hex(self.key_id)})"


class Signed(NamedTuple):
    """A file whose signature holds.

    Attributes:
        content: the bytes that were verified: use these, the file may have changed since.
        key: that signed it.
        comment: what the signer vouches for beside the bytes.
    """

    content: bytes
    key: PublicKey
    comment: str


def new_key() -> SecretKey:
    """Draw a new key.

    Raises:
        MissingDependencyError: cryptography is not installed.

    Example:
        >>> len(new_key().seed)
        32
    """
    seed = os.urandom(32)
    return SecretKey(os.urandom(8), seed, _point(seed))


def sign(content: bytes, key: SecretKey, comment: str) -> bytes:
    """Sign bytes: the content of a `.minisig` file.

    Args:
        content: of the file to sign.
        key: that signs.
        comment: one line that is signed as well.

    Raises:
        InputError: the comment is not one line of text, or too long.
        MissingDependencyError: cryptography is not installed.

    Example:
        >>> key = new_key()
        >>> verify(b"weights", sign(b"weights", key, "for the gateway"), key.public)
        'for the gateway'
    """
    trusted = comment.encode(errors="surrogateescape")  # a file's name may be no UTF-8
    if comment.translate(_SHOWN) != comment or len(trusted) > MAX_COMMENT_BYTES:
        raise InputError(f"comment: expected one line of text, {MAX_COMMENT_BYTES} bytes at most, got {comment!r:.80}")
    private = _ed25519().Ed25519PrivateKey.from_private_bytes(key.seed)
    made = private.sign(hashlib.blake2b(content).digest())
    record = _HASHED + key.key_id + made
    return _text_file(b"signature from edgelstm secret key", record, trusted, private.sign(made + trusted))


def verify(content: bytes, signature: bytes, key: PublicKey, name: str = "file") -> str:
    """Verify a signature over bytes and over its own trusted comment.

    Args:
        content: of the signed file.
        signature: of its `.minisig` file; made by edgelstm or minisign, prehashed or not.
        key: that must have signed.
        name: how to call the file in an error.

    Returns:
        The trusted comment, with control characters written out.

    Raises:
        SignatureError: another key signed, or the file, the signature or the comment were altered.
        SigningFileError: this is no signature.
        MissingDependencyError: cryptography is not installed.
    """
    lines = _lines(signature, 4, f"{name}{SUFFIX}")
    head = _decoded(lines[1], _SIGNATURE_BYTES, f"{name}{SUFFIX}")
    algorithm, key_id, made = head[:2], head[2:10], head[10:]
    if algorithm not in (_PURE, _HASHED) or not lines[2].startswith(_TRUSTED):
        raise SigningFileError(f"{name}{SUFFIX}: expected a signature in minisign's format, got something else")
    trusted = lines[2][len(_TRUSTED) :]
    over_comment = _decoded(lines[3], 64, f"{name}{SUFFIX}")
    if key_id != key.key_id:
        raise SignatureError(f"{name}: was signed with the key {_hex(key_id)}, expected {key.name}; do not use it")
    if not _holds(key, made, content if algorithm == _PURE else hashlib.blake2b(content).digest()):
        raise SignatureError(
            f"{name}: the signature does not hold: the file or its signature was altered, or the signature belongs to "
            "another file; do not use it"
        )
    if not _holds(key, over_comment, made + trusted):
        raise SignatureError(f"{name}: the trusted comment of its signature was altered; do not use the file")
    return trusted.decode(errors="backslashreplace").translate(_SHOWN)


def verify_file(path: str | os.PathLike[str], key: PublicKey | str | os.PathLike[str]) -> Signed:
    """Verify a file by the signature beside it, `PATH.minisig`.

    Args:
        path: the signed file.
        key: the public key; the path of its file; or its 56 characters.

    Returns:
        The verified bytes, and who vouches for them. To run a model without reading it a second time:
        `Predictor(parse_model_file(signed.content))`, both from `edgelstm.runtime`.

    Raises:
        SignatureError: the signature does not hold.
        SigningFileError: key or signature are missing or malformed.
        ModelFileNotFoundError: there is no file at `path`.
        ModelFileError: the file cannot be read.
        MissingDependencyError: cryptography is not installed.

    Example:
        >>> import pathlib, tempfile
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


def find_public_key(given: str | os.PathLike[str]) -> PublicKey:
    """Read a public key from its file, or from its 56 characters as minisign prints them.

    Raises:
        SigningFileError: neither.
    """
    text = os.fspath(given)
    if re.fullmatch(r"RW[A-Za-z0-9+/]{54}", text):
        return _public_key(text.encode(), "public key")
    return read_public_key(read_text_file(text), text)


def read_text_file(path: str | os.PathLike[str]) -> bytes:
    """Read a key or signature, which is never large.

    Raises:
        SigningFileError: it cannot be read, or is too large.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            content = file.read(_MAX_TEXT_BYTES + 1)
    except FileNotFoundError as error:
        raise SigningFileError(f"{name}: there is no such file") from error
    except OSError as error:
        raise SigningFileError(f"{name}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in the path
        raise SigningFileError(f"{name!r}: cannot be read: {error}") from error
    if len(content) > _MAX_TEXT_BYTES:
        raise SigningFileError(f"{name}: expected a key or a signature, got more than {_MAX_TEXT_BYTES} bytes")
    return content


def write_public_key(key: PublicKey) -> bytes:
    """Write the content of a public key file."""
    return _text_file(f"minisign public key {key.name}".encode(), _PURE + key.key_id + key.point)


def read_public_key(content: bytes, name: str = "public key") -> PublicKey:
    """Read the content of a public key file.

    Raises:
        SigningFileError: this is no public key.

    Example:
        >>> key = new_key().public
        >>> read_public_key(write_public_key(key)) == key
        True
    """
    return _public_key(_lines(content, 2, name)[1], name)


def write_secret_key(key: SecretKey, password: str | None) -> bytes:
    """Write the content of a secret key file, locked with a password by scrypt; None leaves it open.

    Raises:
        SigningFileError: there is no gibibyte of memory for scrypt.
        MissingDependencyError: cryptography is not installed.

    Example:
        >>> key = new_key()
        >>> read_secret_key(write_secret_key(key, None), None) == key
        True
    """
    plain = key.key_id + key.seed + key.point
    plain += _checksum(plain)
    if password is None:
        kdf, salt, limits = _NO_KDF, bytes(32), (0, 0)
    else:
        kdf, salt, limits = _SCRYPT, os.urandom(32), (OPSLIMIT, MEMLIMIT)
        plain = _crossed(plain, _stream(password, salt, *limits, "secret key"))
    numbers = b"".join(number.to_bytes(8, "little") for number in limits)
    return _text_file(b"minisign encrypted secret key", _PURE + kdf + _BLAKE2B + salt + numbers + plain)


def is_locked(content: bytes, name: str = "secret key") -> bool:
    """Tell whether a secret key file needs a password.

    Raises:
        SigningFileError: this is no secret key.
    """
    return _secret_bytes(content, name)[2:4] == _SCRYPT


def read_secret_key(content: bytes, password: str | None, name: str = "secret key") -> SecretKey:
    """Read the content of a secret key file.

    Args:
        content: as minisign or `write_secret_key` wrote it.
        password: for a locked one.
        name: how to call it in an error.

    Raises:
        SigningFileError: this is no secret key, it is damaged, or the password is wrong or missing.
        MissingDependencyError: cryptography is not installed.
    """
    record = _secret_bytes(content, name)
    salt, numbers, plain = record[6:38], record[38:54], record[54:]
    locked = record[2:4] == _SCRYPT
    if locked and password is None:
        raise SigningFileError(f"{name}: this secret key is locked, its password is needed")
    if locked:
        opslimit, memlimit = (int.from_bytes(part, "little") for part in (numbers[:8], numbers[8:]))
        plain = _crossed(plain, _stream(password or "", salt, opslimit, memlimit, name))
    key = SecretKey(plain[:8], plain[8:40], plain[40:72])
    summed = plain[72:] == _checksum(plain[:72]) or (not locked and not any(plain[72:]))  # minisign leaves it zero
    if not summed:
        raise SigningFileError(f"{name}: " + ("the password is wrong" if locked else "this secret key is damaged"))
    if key.point != _point(key.seed):
        raise SigningFileError(f"{name}: this secret key is damaged: its two halves do not belong together")
    return key


def _public_key(line: bytes, name: str) -> PublicKey:
    record = _decoded(line, _PUBLIC_BYTES, name)
    if record[:2] != _PURE:
        raise SigningFileError(f"{name}: expected a public key in minisign's format, got something else")
    return PublicKey(record[2:10], record[10:])


def _secret_bytes(content: bytes, name: str) -> bytes:
    record = _decoded(_lines(content, 2, name)[1], _SECRET_BYTES, name)
    if record[:2] != _PURE or record[2:4] not in (_SCRYPT, _NO_KDF) or record[4:6] != _BLAKE2B:
        raise SigningFileError(f"{name}: expected a secret key in minisign's format, got something else")
    return record


def _checksum(plain: bytes) -> bytes:
    """BLAKE2b-256 over algorithm, key id, seed and point."""
    return hashlib.blake2b(_PURE + plain, digest_size=32).digest()


def _crossed(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _stream(password: str, salt: bytes, opslimit: int, memlimit: int, name: str) -> bytes:
    """Stretch a password over what it locks."""
    if opslimit > OPSLIMIT or memlimit > MEMLIMIT:
        raise SigningFileError(f"{name}: its password asks for more memory or work than minisign ever does")
    n, r, p = _scrypt_parameters(opslimit, memlimit)
    scrypt: Any = require("cryptography.hazmat.primitives.kdf.scrypt", "sign")
    try:
        stretch = scrypt.Scrypt(salt=salt, length=_LOCKED_BYTES, n=n, r=r, p=p)
        stream: bytes = stretch.derive(password.encode(errors="surrogateescape"))
    except MemoryError as error:
        raise SigningFileError(f"{name}: its password needs {128 * n * r / 2**20:.0f} MiB of free memory") from error
    return stream


def _scrypt_parameters(opslimit: int, memlimit: int) -> tuple[int, int, int]:
    """Give N, r and p as libsodium's `pickparams` (pwhash_scryptsalsa208sha256.c) chooses them."""
    opslimit, r = max(opslimit, 32768), 8
    bounded = opslimit < memlimit // 32
    most = opslimit // (4 * r) if bounded else memlimit // (128 * r)
    log2 = next(k for k in range(1, 64) if 2**k > most // 2)
    p = 1 if bounded else max(1, min(opslimit // 4 // 2**log2, 0x3FFFFFFF) // r)
    return 2**log2, r, p


def _text_file(*parts: bytes) -> bytes:
    """Lay out a comment and its base64, and a second pair of a signature."""
    comments, records = parts[::2], parts[1::2]
    heads = (_UNTRUSTED, _TRUSTED)
    return b"".join(
        head + comment + b"\n" + base64.b64encode(record) + b"\n"
        for head, comment, record in zip(heads, comments, records, strict=False)
    )


def _lines(content: bytes, count: int, name: str) -> list[bytes]:
    lines = [line.rstrip(b"\r") for line in content.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) != count or not lines[0].startswith(_UNTRUSTED):
        raise SigningFileError(
            f"{name}: expected {count} lines in minisign's format, the first beginning with "
            f"'{_UNTRUSTED.decode().strip()}', got something else"
        )
    return lines


def _decoded(line: bytes, size: int, name: str) -> bytes:
    try:
        record = base64.b64decode(line, validate=True)
    except binascii.Error as error:
        raise SigningFileError(f"{name}: expected base64, got something else ({error})") from error
    if {len(record), size} == {_PUBLIC_BYTES, _SECRET_BYTES}:
        found, wanted = ("secret", "public") if size == _PUBLIC_BYTES else ("public", "secret")
        raise SigningFileError(f"{name}: this is a {found} key, expected the {wanted} one of the pair")
    if len(record) != size:
        raise SigningFileError(f"{name}: expected base64 of {size} bytes, got {len(record)}")
    return record


def _file_content(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
                raise ModelFileError(f"{name}: expected a file of at most {MAX_FILE_BYTES} bytes")
            return file.read()
    except FileNotFoundError as error:
        raise ModelFileNotFoundError(f"{name}: there is no such file") from error
    except OSError as error:
        raise ModelFileError(f"{name}: cannot be read: {error.strerror or error}") from error


def _holds(key: PublicKey, signature: bytes, message: bytes) -> bool:
    invalid = require("cryptography.exceptions", "sign").InvalidSignature
    try:
        _ed25519().Ed25519PublicKey.from_public_bytes(key.point).verify(signature, message)
    except invalid:
        return False
    return True


def _point(seed: bytes) -> bytes:
    point: bytes = _ed25519().Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return point


def _ed25519() -> Any:
    return require("cryptography.hazmat.primitives.asymmetric.ed25519", "sign")


def _hex(key_id: bytes) -> str:
    return f"{int.from_bytes(key_id, 'little'):016X}"
