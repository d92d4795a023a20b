"""Signatures that minisign verifies, and the reverse; the files under tests/minisign were made by minisign 0.11."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm import signing
from edgelstm.errors import InputError, ModelFileError, ModelFileNotFoundError, SignatureError, SigningFileError
from edgelstm.signing import keys, text
from tests.conftest import ROOT

VECTORS = ROOT / "tests" / "minisign"
MESSAGE = (VECTORS / "message.txt").read_bytes()
PASSWORD = "correct horse"

minisign = pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")


def vector(name):
    return (VECTORS / name).read_bytes()


def public(name):
    return signing.read_public_key(vector(name))


@pytest.fixture(scope="module")
def key():
    return signing.new_key()


@pytest.fixture
def cheap_scrypt(monkeypatch):
    """libsodium's limits for interactive use: 16 MiB in place of a gibibyte."""
    monkeypatch.setattr(keys, "OPSLIMIT", 2**19)
    monkeypatch.setattr(keys, "MEMLIMIT", 2**24)


# What minisign wrote


@pytest.mark.parametrize(
    ("signature", "of", "comment"),
    [
        ("hashed", "open", "timestamp:1\tmade by minisign 0.11"),
        ("legacy", "open", "legacy, made by minisign 0.11"),
        ("locked", "locked", "by the locked key"),
    ],
)
def test_signatures_of_minisign_hold(signature, of, comment):
    assert signing.verify(MESSAGE, vector(f"{signature}.minisig"), public(f"{of}.pub")) == comment


def test_a_secret_key_of_minisign_gives_its_public_key():
    assert signing.read_secret_key(vector("open.key"), None).public == public("open.pub")
    assert not signing.is_locked(vector("open.key"))


def test_a_secret_key_that_minisign_locked_opens_with_its_password():
    """Takes a gibibyte of memory and some seconds, as minisign wants it."""
    assert signing.is_locked(vector("locked.key"))
    assert signing.read_secret_key(vector("locked.key"), PASSWORD).public == public("locked.pub")
    with pytest.raises(SigningFileError, match="is locked and needs its password"):
        signing.read_secret_key(vector("locked.key"), None)


def test_the_same_key_over_the_same_bytes_gives_the_signature_that_minisign_gave():
    """Ed25519 draws nothing at random: all but the words of the untrusted comment must be equal."""
    ours = signing.sign(
        MESSAGE, signing.read_secret_key(vector("open.key"), None), "timestamp:1\tmade by minisign 0.11"
    )
    assert ours.split(b"\n")[1:] == vector("hashed.minisig").split(b"\n")[1:]


def test_a_public_key_is_written_as_minisign_writes_it():
    assert signing.write_public_key(public("open.pub")) == vector("open.pub")


def test_line_ends_of_another_system_change_nothing():
    assert signing.verify(MESSAGE, vector("hashed.minisig").replace(b"\n", b"\r\n"), public("open.pub"))
    assert signing.verify(MESSAGE, vector("hashed.minisig").rstrip(b"\n"), public("open.pub"))


# minisign itself


def run_minisign(*arguments, **options):
    return subprocess.run(["minisign", *map(str, arguments)], capture_output=True, **options)


@minisign
def test_minisign_verifies_what_we_sign(key, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(os.urandom(4096))
    (tmp_path / "key.pub").write_bytes(signing.write_public_key(key.public))
    (tmp_path / "model.onnx.minisig").write_bytes(signing.sign(file.read_bytes(), key, "for the gateway, Maße"))
    process = run_minisign("-V", "-H", "-p", tmp_path / "key.pub", "-m", file)
    assert process.returncode == 0, process.stderr
    assert "Trusted comment: for the gateway, Maße" in process.stdout.decode()
    file.write_bytes(file.read_bytes() + b" ")
    assert run_minisign("-V", "-p", tmp_path / "key.pub", "-m", file).returncode == 1


@minisign
@pytest.mark.parametrize("options", [(), ("-l",)], ids=["prehashed", "legacy"])
def test_we_verify_what_minisign_signs(options, key, tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(os.urandom(4096))
    (tmp_path / "key.key").write_bytes(signing.write_secret_key(key, None))
    process = run_minisign("-S", "-W", *options, "-s", tmp_path / "key.key", "-m", file, "-t", "by minisign")
    assert process.returncode == 0, process.stderr
    assert signing.verify_file(file, key.public) == signing.Signed(file.read_bytes(), key.public, "by minisign")


@minisign
def test_minisign_unlocks_a_secret_key_that_we_locked(key, tmp_path, cheap_scrypt):
    (tmp_path / "key.key").write_bytes(signing.write_secret_key(key, PASSWORD))
    file = tmp_path / "model.onnx"
    file.write_bytes(b"weights")
    signed = run_minisign("-S", "-s", tmp_path / "key.key", "-m", file, input=f"{PASSWORD}\n".encode())
    assert signed.returncode == 0, signed.stderr
    assert signing.verify_file(file, key.public).comment.endswith("file:model.onnx\thashed")
    wrong = run_minisign("-S", "-s", tmp_path / "key.key", "-m", file, input=b"something else\n")
    assert wrong.returncode != 0


# What must not hold


def test_a_wrong_key_an_altered_file_and_an_altered_comment_are_told_apart(key):
    signature = signing.sign(MESSAGE, key, "mine")
    with pytest.raises(SignatureError, match=f"signed with the key {key.public.name}"):
        signing.verify(MESSAGE, signature, public("open.pub"))
    with pytest.raises(SignatureError, match="invalid signature: the file or its signature was altered"):
        signing.verify(MESSAGE + b" ", signature, key.public)
    with pytest.raises(SignatureError, match="invalid signature: the file or its signature was altered"):
        signing.verify(MESSAGE, signature, signing.PublicKey(key.key_id, public("open.pub").point))
    with pytest.raises(SignatureError, match="trusted comment"):
        signing.verify(MESSAGE, signature.replace(b"mine", b"ours"), key.public)


def test_a_comment_cannot_be_moved_to_the_signature_of_another_file(key):
    one, other = (signing.sign(content, key, comment) for content, comment in ((b"a", "old"), (b"b", "new")))
    mixed = b"\n".join([*one.split(b"\n")[:2], *other.split(b"\n")[2:]])
    with pytest.raises(SignatureError, match="trusted comment"):
        signing.verify(b"a", mixed, key.public)


def test_a_prehashed_signature_is_none_over_the_hash_itself(key):
    """Calling it legacy must not turn a signature over BLAKE2b(file) into one over a file that is that hash."""
    lines = signing.sign(MESSAGE, key, "mine").split(b"\n")
    record = base64.b64decode(lines[1])
    lines[1] = base64.b64encode(b"Ed" + record[2:])
    with pytest.raises(SignatureError):
        signing.verify(MESSAGE, b"\n".join(lines), key.public)


@given(st.data())
def test_no_byte_of_file_signature_or_comment_may_change(data):
    content, key = b"weights", signing.read_secret_key(vector("open.key"), None)
    signature = signing.sign(content, key, "mine")
    first_line = signature.index(b"\n") + 1
    place = data.draw(st.integers(first_line, len(signature) - 2))
    altered = bytearray(signature)
    altered[place] ^= data.draw(st.integers(1, 255))
    if b"\r" in altered or bytes(altered) == signature:
        return
    with pytest.raises((SignatureError, SigningFileError)):
        signing.verify(content, bytes(altered), key.public)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_as_key_and_signature_with_one_kind_of_error(content):
    for read in (signing.read_public_key, signing.is_locked, lambda c: signing.verify(b"", c, public("open.pub"))):
        with pytest.raises(SigningFileError):
            read(content)


def altered_record(name, change):
    head, line = vector(name).splitlines()[:2]
    record = bytearray(base64.b64decode(line))
    change(record)
    return head + b"\n" + base64.b64encode(record) + b"\n"


def test_a_damaged_secret_key_is_refused():
    def flip_seed(record):
        record[70] ^= 1

    def flip_checksum(record):
        record[-1] ^= 1

    def ask_for_all_memory(record):
        record[46:54] = (2**40).to_bytes(8, "little")

    with pytest.raises(SigningFileError, match="public and secret parts do not match"):
        signing.read_secret_key(altered_record("open.key", flip_seed), None)
    with pytest.raises(SigningFileError, match="damaged"):
        signing.read_secret_key(altered_record("open.key", flip_checksum), None)
    with pytest.raises(SigningFileError, match="more memory or work"):
        signing.read_secret_key(altered_record("locked.key", ask_for_all_memory), PASSWORD)


def test_a_public_key_in_the_place_of_a_secret_one_is_refused_and_the_reverse():
    with pytest.raises(SigningFileError, match="expected the secret key of the pair, got the public key"):
        signing.read_secret_key(vector("open.pub"), None)
    with pytest.raises(SigningFileError, match="expected the public key of the pair, got the secret key"):
        signing.read_public_key(vector("open.key"))


@pytest.mark.parametrize("comment", ["two\nlines", "\x1b[2Jgone", "\x9bgone", "x" * 8001])
def test_a_comment_is_one_line_of_text(comment, key):
    with pytest.raises(InputError, match="one line of text"):
        signing.sign(b"", key, comment)


def test_control_characters_that_another_signer_let_through_are_written_out(key):
    """An escape sequence in a comment must not reach a terminal."""
    private = keys.ed25519().Ed25519PrivateKey.from_private_bytes(key.seed)
    made = private.sign(hashlib.blake2b(b"a").digest())
    comment = b"\x1b[2Jgone \xff"
    signature = text.text_file(b"x", b"ED" + key.key_id + made, comment, private.sign(made + comment))
    assert signing.verify(b"a", signature, key.public) == "\\x1b[2Jgone \\xff"


# Keys and files


def test_a_key_locked_by_us_opens_again_and_is_locked_differently_each_time(key, cheap_scrypt):
    one, other = (signing.write_secret_key(key, PASSWORD) for _ in range(2))
    assert one != other
    assert signing.read_secret_key(one, PASSWORD) == signing.read_secret_key(other, PASSWORD) == key
    assert key.seed not in base64.b64decode(one.splitlines()[1])
    with pytest.raises(SigningFileError, match="the password is wrong"):
        signing.read_secret_key(one, PASSWORD + " ")


def test_a_secret_key_is_not_shown_in_a_trace(key):
    assert repr(key) == f"SecretKey({key.public.name})"


def test_scrypt_is_set_as_libsodium_sets_it():
    """The parameters that libsodium documents for its two limits."""
    assert keys._scrypt_parameters(2**25, 2**30) == (2**20, 8, 1)
    assert keys._scrypt_parameters(2**19, 2**24) == (2**14, 8, 1)


def test_work_that_memory_does_not_hold_is_done_by_more_passes_over_it():
    """N r p is a quarter of the operations that are asked for, as far as powers of two come."""
    n, r, p = keys._scrypt_parameters(2**25, 2**24)
    assert (128 * n * r, 4 * n * r * p) == (2**24, 2**25)


def test_a_public_key_may_be_its_file_or_its_text(key, tmp_path):
    path = tmp_path / "key.pub"
    path.write_bytes(signing.write_public_key(key.public))
    assert signing.find_public_key(path) == signing.find_public_key(str(path)) == key.public
    assert signing.find_public_key(path.read_text().splitlines()[1]) == key.public


def test_what_is_missing_is_named(key, tmp_path):
    file = tmp_path / "model.onnx"
    with pytest.raises(ModelFileNotFoundError, match=r"model\.onnx: file not found"):
        signing.verify_file(file, key.public)
    file.write_bytes(b"weights")
    with pytest.raises(SigningFileError, match=r"model\.onnx\.minisig: file not found"):
        signing.verify_file(file, key.public)
    with pytest.raises(SigningFileError, match=r"key\.pub: file not found"):
        signing.verify_file(file, tmp_path / "key.pub")
    with pytest.raises(ModelFileError, match="cannot be read"):
        signing.verify_file(tmp_path, key.public)


def test_a_signature_file_without_end_is_not_read_to_its_end(tmp_path):
    (tmp_path / "long").write_bytes(b"untrusted comment: " + b"x" * 20000)
    with pytest.raises(SigningFileError, match="got more than"):
        signing.read_text_file(tmp_path / "long")
