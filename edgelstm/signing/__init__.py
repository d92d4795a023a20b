"""Sign a file and verify its signature, in minisign's formats: `minisign` verifies what this signs, and the reverse.

A digest shows that a file is undamaged; a signature shows who vouches for it.
"""

from __future__ import annotations

from edgelstm.signing.keys import (
    PublicKey,
    SecretKey,
    find_public_key,
    is_locked,
    new_key,
    read_public_key,
    read_secret_key,
    write_public_key,
    write_secret_key,
)
from edgelstm.signing.signatures import SUFFIX, Signed, sign, verify, verify_file
from edgelstm.signing.text import read_text_file

__all__ = [
    "SUFFIX",
    "PublicKey",
    "SecretKey",
    "Signed",
    "find_public_key",
    "is_locked",
    "new_key",
    "read_public_key",
    "read_secret_key",
    "read_text_file",
    "sign",
    "verify",
    "verify_file",
    "write_public_key",
    "write_secret_key",
]
