"""`edgelstm keygen`, `sign` and `verify --key`."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys

import onnxruntime
import pytest

from edgelstm import load, signing
from edgelstm.cli import signing as commands
from edgelstm.signing import keys
from tests.cli.test_bad_input import assert_one_line_and_exit_2


@pytest.fixture
def signed(cli_here, tmp_path, window_files):
    """A folder with a key pair and a signed model file."""
    shutil.copy(window_files.int8, tmp_path / "a.onnx")
    assert cli_here("keygen", "release", "--no-password").returncode == 0
    process = cli_here("sign", "a.onnx", "--key", "release.key")
    assert process.returncode == 0, process.stderr
    return tmp_path


def test_a_signed_file_verifies_and_says_who_signed_it(signed, cli_here):
    process = cli_here("verify", "a.onnx", "--key", "release.pub")
    assert process.returncode == 0, process.stderr
    key = signing.find_public_key(signed / "release.pub")
    first, *rest = process.stdout.splitlines()
    assert first.startswith(f"a.onnx: signed with the key {key.name}; trusted comment: timestamp:")
    assert first.endswith("\tfile:a.onnx\thashed")
    assert any(line.endswith("from the trained network") for line in rest)


def test_the_key_may_be_given_as_text(signed, cli_here):
    text = (signed / "release.pub").read_text().splitlines()[1]
    assert cli_here("verify", "a.onnx", "--key", text).returncode == 0


@pytest.mark.skipif(shutil.which("minisign") is None, reason="minisign is not installed")
def test_minisign_verifies_the_signed_file_too(signed):
    command = ["minisign", "-V", "-q", "-p", "release.pub", "-m", "a.onnx"]
    assert subprocess.run(command, cwd=signed).returncode == 0


def alter_file(folder):
    content = bytearray((folder / "a.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "a.onnx").write_bytes(content)


def alter_comment(folder):
    path = folder / "a.onnx.minisig"
    path.write_text(path.read_text().replace("file:a.onnx", "file:b.onnx"))


def another_key(folder):
    (folder / "release.pub").write_bytes(signing.write_public_key(signing.new_key().public))


FALSE = {
    "an altered file": (alter_file, "invalid signature: the file or its signature was altered"),
    "an altered comment": (alter_comment, "invalid signature: its trusted comment was altered"),
    "another key": (another_key, "signed with the key"),
}


@pytest.mark.parametrize("case", FALSE, ids=lambda case: case.replace(" ", "-"))
def test_a_signature_that_does_not_hold_is_one_line_and_exit_1_before_anything_is_loaded(
    case, signed, cli_here, monkeypatch
):
    alter, expected = FALSE[case]
    alter(signed)
    for name in ("parse_model_file", "read_model_file"):
        monkeypatch.setattr(f"edgelstm.runtime.{name}", lambda *a: pytest.fail("the file was parsed"))
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: pytest.fail("the file was opened"))
    process = cli_here("verify", "a.onnx", "--key", "release.pub")
    assert process.returncode == 1
    assert process.stdout == ""
    assert len(process.stderr.splitlines()) == 1
    assert expected in process.stderr


MALFORMED = {
    "no signature": (lambda folder: (folder / "a.onnx.minisig").unlink(), "a.onnx.minisig: file not found"),
    "an empty signature": (lambda folder: (folder / "a.onnx.minisig").write_bytes(b""), "expected 4 lines"),
    "no key": (lambda folder: (folder / "release.pub").unlink(), "release.pub: file not found"),
    "a secret key": (
        lambda folder: shutil.copy(folder / "release.key", folder / "release.pub"),
        "expected the public key of the pair, got the secret key",
    ),
    "no model": (lambda folder: (folder / "a.onnx").unlink(), "a.onnx: file not found"),
}


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.replace(" ", "-"))
def test_what_is_missing_or_malformed_is_one_line_and_exit_2(case, signed, cli_here):
    make, expected = MALFORMED[case]
    make(signed)
    assert_one_line_and_exit_2(cli_here("verify", "a.onnx", "--key", "release.pub"), expected)


def test_the_bytes_that_were_verified_are_the_bytes_that_run(signed, cli_here, monkeypatch, carried_files):
    """Another file is put in the place between the two."""
    verify_file = signing.verify_file

    def swap(path, key):
        found = verify_file(path, key)
        shutil.copy(carried_files.fp32, path)
        return found

    monkeypatch.setattr(signing, "verify_file", swap)
    before = load(signed / "a.onnx").digest
    process = cli_here("verify", "a.onnx", "--key", "release.pub")
    assert process.returncode == 0
    assert f"digest {before[:12]}" in process.stdout
    assert load(signed / "a.onnx").digest != before


def test_a_device_without_cryptography_is_told_how_to_get_it(signed, cli_here, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("cryptography.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    process = cli_here("verify", "a.onnx", "--key", "release.pub")
    assert_one_line_and_exit_2(process, "pip install 'edgelstm[sign]'")


def test_the_secret_key_is_for_its_owner_alone_and_neither_is_overwritten_unasked(signed, cli_here):
    assert stat.S_IMODE((signed / "release.key").stat().st_mode) == 0o600
    for lost in ("release.key", "release.pub"):
        before = {name: (signed / name).read_bytes() for name in ("release.key", "release.pub")}
        (signed / lost).unlink()
        (kept,) = before.keys() - {lost}
        assert_one_line_and_exit_2(cli_here("keygen", "release", "--no-password"), f"{kept} already exists; --force")
        assert (signed / kept).read_bytes() == before[kept]
        assert not (signed / lost).exists()
        (signed / lost).write_bytes(before[lost])
    assert cli_here("keygen", "release", "--no-password", "--force").returncode == 0
    assert (signed / "release.pub").read_bytes() != before["release.pub"]
    assert stat.S_IMODE((signed / "release.key").stat().st_mode) == 0o600


@pytest.fixture
def cheap_scrypt(monkeypatch):
    monkeypatch.setattr(keys, "OPSLIMIT", 2**19)
    monkeypatch.setattr(keys, "MEMLIMIT", 2**24)
    monkeypatch.delenv(commands.PASSWORD, raising=False)


@pytest.mark.parametrize("way", ["file", "variable", "prompt"])
def test_a_locked_key_takes_its_password_from_file_variable_or_prompt_and_shows_it_nowhere(
    way, cli_here, tmp_path, window_files, cheap_scrypt, monkeypatch
):
    shutil.copy(window_files.fp32, tmp_path / "a.onnx")
    (tmp_path / "secret.txt").write_text("correct horse\nignored\n")
    options = ["--password-file", "secret.txt"] if way == "file" else []
    if way == "variable":
        monkeypatch.setenv(commands.PASSWORD, "correct horse")
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "correct horse")
    processes = [cli_here("keygen", "k", *options), cli_here("sign", "a.onnx", "--key", "k.key", *options)]
    assert [process.returncode for process in processes] == [0, 0]
    assert not any("horse" in process.stdout + process.stderr for process in processes)
    assert len(asked) == (3 if way == "prompt" else 0)
    assert signing.is_locked((tmp_path / "k.key").read_bytes())
    assert cli_here("verify", "a.onnx", "--key", "k.pub").returncode == 0


def test_passwords_that_are_no_good_write_nothing(cli_here, tmp_path, cheap_scrypt, monkeypatch):
    answers = iter(["one", "other", "", ""])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    assert_one_line_and_exit_2(cli_here("keygen", "k"), "the two passwords differ")
    assert_one_line_and_exit_2(cli_here("keygen", "k"), "--no-password")
    (tmp_path / "p").write_text("x")
    both = cli_here("keygen", "k", "--no-password", "--password-file", "p")
    assert_one_line_and_exit_2(both, "exclude each other")
    assert os.listdir(tmp_path) == ["p"]


def test_without_a_terminal_no_password_is_read_from_stdin(cli, tmp_path):
    process = cli("keygen", "k", input="correct horse\ncorrect horse\n", start_new_session=True)
    assert_one_line_and_exit_2(process, "no terminal to ask for the password")
    assert os.listdir(tmp_path) == []


def test_a_wrong_password_is_one_line_and_nothing_is_signed(
    cli_here, tmp_path, window_files, cheap_scrypt, monkeypatch
):
    shutil.copy(window_files.fp32, tmp_path / "a.onnx")
    monkeypatch.setenv(commands.PASSWORD, "correct horse")
    cli_here("keygen", "k")
    monkeypatch.setenv(commands.PASSWORD, "battery staple")
    assert_one_line_and_exit_2(cli_here("sign", "a.onnx", "--key", "k.key"), "k.key: the password is wrong")
    assert not (tmp_path / "a.onnx.minisig").exists()


def test_nobody_vouches_for_a_damaged_file_and_of_several_all_are_signed_or_none(signed, cli_here, window_files):
    (signed / "a.onnx.minisig").unlink()
    (signed / "b.onnx").write_bytes(window_files.int8.read_bytes()[:-10])
    process = cli_here("sign", "a.onnx", "b.onnx", "--key", "release.key")
    assert_one_line_and_exit_2(process, "b.onnx")
    assert not (signed / "a.onnx.minisig").exists()


def test_a_comment_of_ones_own_is_signed(signed, cli_here):
    cli_here("sign", "a.onnx", "--key", "release.key", "--comment", "for the gateways in the north")
    assert "trusted comment: for the gateways in the north\n" in (signed / "a.onnx.minisig").read_text()
    process = cli_here("verify", "a.onnx", "--key", "release.pub")
    assert "for the gateways in the north" in process.stdout


def test_a_key_beside_unverified_is_refused_because_a_signature_holds_for_unaltered_bytes(cli_here, window_files):
    result = cli_here("verify", window_files.fp32, "--key", "any.pub", "--unverified")
    assert result.returncode == 2
    assert "exclude each other" in result.stderr
