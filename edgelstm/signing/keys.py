"""Keys, and their files in minisign's formats; scrypt protects a secret key with a password.

Source: https://jedisct1.github.io/minisign/ (formats), libsodium (scrypt parameters).
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any, NamedTuple

from edgelstm.errors import SigningFileError, require
from edgelstm.signing.text import PUBLIC_BYTES, SECRET_BYTES, decoded, hex_of, lines_of, read_text_file, text_file

PURE = b"Ed"  # before every key, and before signatures over the bytes themselves (minisign before 0.9)
_SCRYPT, _NO_KDF, _BLAKE2B = b"Sc", b"\0\0", b"B2"
_LOCKED_BYTES = 104  # key id, seed, public point, checksum

# crypto_pwhash_scryptsalsa208sha256_*_SENSITIVE: minisign's values, and the most that is computed for a file.
OPSLIMIT, MEMLIMIT = 2**25, 2**30


class PublicKey(NamedTuple):
    """The public part of a key, for everybody.

    Attributes:
        key_id: 8 bytes that identify the key.
        point: 32 bytes of Ed25519.
    """

    key_id: bytes
    point: bytes

    @property
    def name(self) -> str:
        """The key id as minisign writes it: 16 hex digits."""
        return hex_of(self.key_id)


class SecretKey(NamedTuple):
    """The secret part of a key, which signs. Its `repr` does not show it.

    Attributes:
        key_id: 8 bytes that identify the key.
        seed: 32 bytes of Ed25519, the secret.
        point: 32 bytes of the public key.
    """

    key_id: bytes
    seed: bytes
    point: bytes

    @property
    def public(self) -> PublicKey:
        """The public key of the pair."""
        return PublicKey(self.key_id, self.point)

    def __repr__(self) -> str:
        return f"SecretKey({hex_of(self.key_id)})"


def new_key() -> SecretKey:
    """Draw a new key at random.

    Raises:
        MissingDependencyError: cryptography is not installed.

    Example:
        >>> len(new_key().seed)
        32
    """
    seed = os.urandom(32)
    return SecretKey(os.urandom(8), seed, _point(seed))


def find_public_key(given: str | os.PathLike[str]) -> PublicKey:
    """Read a public key from its file, or from its 56 characters as minisign prints them.

    Raises:
        SigningFileError: it is neither.
    """
    text = os.fspath(given)
    if re.fullmatch(r"RW[A-Za-z0-9+/]{54}", text):
        return _public_key(text.encode(), "public key")
    return read_public_key(read_text_file(text), text)


def write_public_key(key: PublicKey) -> bytes:
    """Write the content of a public key file."""
    return text_file(f"minisign public key {key.name}".encode(), PURE + key.key_id + key.point)


def read_public_key(content: bytes, name: str = "public key") -> PublicKey:
    """Read the content of a public key file.

    Raises:
        SigningFileError: it is not a public key.

    Example:
        >>> key = new_key().public
        >>> read_public_key(write_public_key(key)) == key
        True
    """
    return _public_key(lines_of(content, 2, name)[1], name)


def write_secret_key(key: SecretKey, password: str | None) -> bytes:
    """Write the content of a secret key file, locked with a password by scrypt; None: not locked.

    Raises:
        SigningFileError: less than a GiB of memory is free, which scrypt needs.
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
    return text_file(b"minisign encrypted secret key", PURE + kdf + _BLAKE2B + salt + numbers + plain)


def is_locked(content: bytes, name: str = "secret key") -> bool:
    """Tell whether a secret key file needs a password.

    Raises:
        SigningFileError: it is not a secret key.
    """
    return _secret_bytes(content, name)[2:4] == _SCRYPT


def read_secret_key(content: bytes, password: str | None, name: str = "secret key") -> SecretKey:
    """Read the content of a secret key file.

    Args:
        content: as minisign or `write_secret_key` wrote it.
        password: for a locked one.
        name: its name in errors.

    Raises:
        SigningFileError: it is not a secret key, it is damaged, or the password is wrong or missing.
        MissingDependencyError: cryptography is not installed.
    """
    record = _secret_bytes(content, name)
    salt, numbers, plain = record[6:38], record[38:54], record[54:]
    locked = record[2:4] == _SCRYPT
    if locked and password is None:
        raise SigningFileError(f"{name}: this secret key is locked and needs its password")
    if locked:
        opslimit, memlimit = (int.from_bytes(part, "little") for part in (numbers[:8], numbers[8:]))
        plain = _crossed(plain, _stream(password or "", salt, opslimit, memlimit, name))
    key = SecretKey(plain[:8], plain[8:40], plain[40:72])
    summed = plain[72:] == _checksum(plain[:72]) or (not locked and not any(plain[72:]))  # minisign leaves it zero
    if not summed:
        raise SigningFileError(f"{name}: " + ("the password is wrong" if locked else "this secret key is damaged"))
    if key.point != _point(key.seed):
        raise SigningFileError(f"{name}: this secret key is damaged: its public and secret parts do not match")
    return key


def _public_key(line: bytes, name: str) -> PublicKey:
    record = decoded(line, PUBLIC_BYTES, name)
    if record[:2] != PURE:
        raise SigningFileError(f"{name}: expected a public key in minisign's format, got something else")
    return PublicKey(record[2:10], record[10:])


def _secret_bytes(content: bytes, name: str) -> bytes:
    record = decoded(lines_of(content, 2, name)[1], SECRET_BYTES, name)
    if record[:2] != PURE or record[2:4] not in (_SCRYPT, _NO_KDF) or record[4:6] != _BLAKE2B:
        raise SigningFileError(f"{name}: expected a secret key in minisign's format, got something else")
    return record


def _checksum(plain: bytes) -> bytes:
    """BLAKE2b-256 over algorithm, key id, seed and point."""
    return hashlib.blake2b(PURE + plain, digest_size=32).digest()


def _crossed(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _stream(password: str, salt: bytes, opslimit: int, memlimit: int, name: str) -> bytes:
    """Stretch a password to the length of the locked bytes."""
    if opslimit > OPSLIMIT or memlimit > MEMLIMIT:
        raise SigningFileError(f"{name}: its password needs more memory or work than minisign ever uses")
    n, r, p = _scrypt_parameters(opslimit, memlimit)
    scrypt: Any = require("cryptography.hazmat.primitives.kdf.scrypt", "sign")
    try:
        stretch = scrypt.Scrypt(salt=salt, length=_LOCKED_BYTES, n=n, r=r, p=p)
        stream: bytes = stretch.derive(password.encode(errors="surrogateescape"))
    except MemoryError as error:
        raise SigningFileError(f"{name}: its password needs {128 * n * r / 2**20:.0f} MiB of free memory") from error
    return stream


def _scrypt_parameters(opslimit: int, memlimit: int) -> tuple[int, int, int]:
    """Return N, r and p as libsodium's `pickparams` (pwhash_scryptsalsa208sha256.c) chooses them."""
    opslimit, r = max(opslimit, 32768), 8
    bounded = opslimit < memlimit // 32
    most = opslimit // (4 * r) if bounded else memlimit // (128 * r)
    log2 = next(k for k in range(1, 64) if 2**k > most // 2)
    p = 1 if bounded else max(1, min(opslimit // 4 // 2**log2, 0x3FFFFFFF) // r)
    return 2**log2, r, p


def _point(seed: bytes) -> bytes:
    point: bytes = ed25519().Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return point


def ed25519() -> Any:
    """Import Ed25519.

    Raises:
        MissingDependencyError: cryptography is not installed.
    """
    return require("cryptography.hazmat.primitives.asymmetric.ed25519", "sign")
