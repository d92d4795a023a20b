"""`edgelstm keygen` and `edgelstm sign`; the device uses `edgelstm verify --key`."""

from __future__ import annotations

import getpass
import os
import time
import warnings
from pathlib import Path
from typing import Annotated

import typer

from edgelstm.errors import InputError, OutputError

PASSWORD = "EDGELSTM_KEY_PASSWORD"  # noqa: S105  (the variable's name)

PasswordFile = Annotated[
    Path | None,
    typer.Option(help=f"File whose first line is the password. [variable {PASSWORD}, else a prompt]"),
]


def keygen(
    name: Annotated[Path, typer.Argument(help="Write NAME.key (secret) and NAME.pub (public).")],
    password_file: PasswordFile = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Write the secret key without a password.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing keys.")] = False,
) -> None:
    """Make a key pair in minisign's format: the secret signs model files, the public one goes to the devices."""
    from edgelstm.files import write_all_whole
    from edgelstm.signing import new_key, write_public_key, write_secret_key

    secret, public = (name.with_name(f"{name.name}.{ending}") for ending in ("key", "pub"))
    if no_password and password_file is not None:
        raise InputError("--no-password and --password-file exclude each other: give one of them")
    for path in () if force else (secret, public):
        if os.path.lexists(path):
            raise OutputError(
                f"{path} already exists; --force replaces the pair, but devices with the old public key will reject "
                "new signatures"
            )
    password = None if no_password else _new_password(password_file)
    key = new_key()
    contents = {secret: write_secret_key(key, password), public: write_public_key(key.public)}
    write_all_whole(contents, private=(secret,))
    print(f"wrote {secret}; keep it secret")
    print(f"wrote {public}; for the devices: edgelstm verify FILE --key {public}")


def sign(
    files: Annotated[list[Path], typer.Argument(help="Model files.")],
    key: Annotated[Path, typer.Option(help="A secret key file of edgelstm or minisign.")],
    comment: Annotated[
        str | None, typer.Option(help="Trusted comment, signed with the file. [time and file name]")
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """Sign model files: write FILE.minisig, which `edgelstm verify --key` and minisign verify."""
    from edgelstm.files import write_all_whole
    from edgelstm.runtime import read_model_file
    from edgelstm.signing import SUFFIX, is_locked, read_secret_key, read_text_file
    from edgelstm.signing import sign as sign_bytes

    contents = {file: read_model_file(file).content for file in files}  # a damaged file is not signed
    locked = read_text_file(key)
    password = _password(password_file, f"Password of {key}: ") if is_locked(locked, str(key)) else None
    secret = read_secret_key(locked, password, str(key))
    signatures = {
        file.with_name(file.name + SUFFIX): sign_bytes(content, secret, _comment(file) if comment is None else comment)
        for file, content in contents.items()
    }
    write_all_whole(signatures)
    for signature in signatures:
        print(f"wrote {signature}")


def _comment(file: Path) -> str:
    """Write the default comment of minisign."""
    return f"timestamp:{int(time.time())}\tfile:{file.name}\thashed"


def _new_password(file: Path | None) -> str:
    """Ask twice, unless the password comes from a file or a variable."""
    password = _password(file, "Password of the new key: ")
    if file is None and PASSWORD not in os.environ and password != _password(None, "Repeat the password: "):
        raise InputError("the two passwords differ; nothing was written")
    if not password:
        raise InputError("the password is empty; for a key without a password give --no-password")
    return password


def _password(file: Path | None, prompt: str) -> str:
    """Take the password from a file or the environment, else ask for it without showing it."""
    if file is not None:
        from edgelstm.signing import read_text_file

        return read_text_file(file).split(b"\n")[0].removesuffix(b"\r").decode(errors="surrogateescape")
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # getpass would show the password
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError) as error:
            raise InputError(f"no terminal to ask for the password; give --password-file or set {PASSWORD}") from error
