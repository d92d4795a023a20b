"""Read and check a model file before onnxruntime sees a byte of it.

The session options depend on the contract, and damaged files stop here. The exporter finds the place of the digest with
the same code, so that it is defined once.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from typing import Any, NamedTuple

from edgelstm.contract import Contract
from edgelstm.errors import InputError, ModelFileError, ModelFileNotFoundError
from edgelstm.runtime.file.golden import Golden
from edgelstm.runtime.file.protobuf import BYTES, DamagedProtobufError, Field
from edgelstm.runtime.file.schema import ENTRY, MAX_ENTRIES, MODEL, named_fields, whole
from edgelstm.runtime.file.structure import check_structure

CONTRACT_KEY = "edgelstm.contract"
GOLDEN_KEY = "edgelstm.golden"
DIGEST_KEY = "edgelstm.digest"

MAX_FILE_BYTES = 2**31 - 1  # protobuf's own limit
MAX_METADATA_BYTES = 32 * 2**20

_WAY_ROUND = "copy or export it again; if it was altered on purpose, load it with unverified=True (--unverified)"


class ModelFile(NamedTuple):
    """A model file that has been read and checked.

    Attributes:
        content: every byte, as onnxruntime will get it.
        contract: what the file says about itself.
        golden: recorded inputs and outputs.
        digest: SHA-256 over every byte but its own hex digits, as 64 hex digits.
        let_pass: what was accepted only because of `unverified`, one sentence each.
    """

    content: bytes
    contract: Contract
    golden: Golden
    digest: str
    let_pass: tuple[str, ...] = ()


def read_model_file(path: str | os.PathLike[str], unverified: bool = False) -> ModelFile:
    """Read a model file from the disk and check it; see `parse_model_file`.

    Raises:
        ModelFileNotFoundError: there is no file at `path`.
        ModelFileError: it cannot be read, or does not pass the checks.
        InputError: `path` is not a path.
    """
    name = _path_of(path)
    try:
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelFileError(f"{name}: expected a file, got a device or a pipe")
            if status.st_size > MAX_FILE_BYTES:
                raise ModelFileError(f"{name}: expected at most {MAX_FILE_BYTES} bytes, got {status.st_size}")
            content = file.read()
    except FileNotFoundError as error:
        raise ModelFileNotFoundError(f"{name}: file not found") from error
    except OSError as error:
        raise ModelFileError(f"{name}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in the path
        raise ModelFileError(f"{name!r}: cannot be read: {error}") from error
    return parse_model_file(content, name, unverified)


def _path_of(path: Any) -> str:
    """Return the text of a path; a number would be an open file, and bytes are probably the content of one."""
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if isinstance(name, str):
        return name
    if isinstance(name, (bytes, bytearray, memoryview)):
        raise InputError(
            f"expected the path of a model file, got {len(name):,} bytes: write them to a file, or open the content of "
            "a file with Predictor(parse_model_file(content)) of edgelstm.runtime"
        )
    raise InputError(f"expected the path of a model file, a str or a pathlib.Path, got {type(name).__name__}")


def parse_model_file(content: bytes, name: str = "model file", unverified: bool = False) -> ModelFile:
    """Check the bytes of a model file: wire format, metadata, contract, digest, structure and golden vectors.

    Args:
        content: the whole file.
        name: its name in errors.
        unverified: accept a wrong digest and foreign operators and opsets, and list them in `let_pass`. Everything else
            is still refused.

    Raises:
        ModelFileError: it is empty, truncated, altered, not an ONNX file, or has no contract or a refused graph.
        ContractError: the contract is damaged or of a newer format.
    """
    spans = _metadata_spans(content, name)
    if CONTRACT_KEY not in spans:
        raise ModelFileError(
            f"{name}: an ONNX file without an edgelstm contract; only files written by `edgelstm export` can be run"
            + (", unverified or not" if unverified else "")
        )
    for key in (DIGEST_KEY, GOLDEN_KEY):
        if key not in spans:
            raise ModelFileError(f"{name}: the metadata {key!r} is missing; the file is damaged, export it again")
    try:
        contract = Contract.from_json(_text(content, spans[CONTRACT_KEY], name))
        digest, altered = _check_digest(content, spans[DIGEST_KEY], name)
        let_pass = altered if altered and not unverified else altered + check_structure(content)
        if let_pass and not unverified:
            raise ModelFileError(f"{let_pass[0]}; {_WAY_ROUND}")
        golden = Golden.from_json(_text(content, spans[GOLDEN_KEY], name))
        _check_golden(golden, contract)
    except ModelFileError as error:
        raise type(error)(str(error) if str(error).startswith(name) else f"{name}: {error}") from error
    return ModelFile(content, contract, golden, digest, let_pass)


def digest_span(content: bytes) -> tuple[int, int]:
    """Find the place of the digest's hex digits in the file."""
    return _metadata_spans(content, "model file")[DIGEST_KEY]


def compute_digest(content: bytes, span: tuple[int, int]) -> str:
    """Hash every byte of the file but those of the span, as 64 lower-case hex digits (SHA-256)."""
    import hashlib  # imports OpenSSL: 5 ms that `import edgelstm.runtime` saves

    hasher = hashlib.sha256(memoryview(content)[: span[0]])
    hasher.update(memoryview(content)[span[1] :])
    return hasher.hexdigest()


def _metadata_spans(content: bytes, name: str) -> dict[str, tuple[int, int]]:
    """Walk the top-level fields and find the span of each metadata value, by key."""
    if not content:
        raise ModelFileError(f"{name}: the file is empty")
    spans: dict[str, tuple[int, int]] = {}
    seen: Counter[str] = Counter()
    try:
        for field_name, field in named_fields(content, whole(content), MODEL):
            seen[field_name] += 1
            if field_name == "metadata_props" and field.wire_type == BYTES:
                key, span = _metadata_entry(content, field)
                if key in spans:
                    raise DamagedProtobufError(f"the metadata {key!r} occurs twice")
                spans[key] = span
            if len(spans) > MAX_ENTRIES:
                raise DamagedProtobufError(f"more than {MAX_ENTRIES} metadata entries")
    except (DamagedProtobufError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{name}: truncated, damaged or not an ONNX file: {error}") from error
    if seen["ir_version"] != 1 or seen["graph"] != 1:
        raise ModelFileError(f"{name}: truncated, damaged or not an ONNX file: expected one graph and one IR version")
    return spans


def _metadata_entry(content: bytes, entry: Field) -> tuple[str, tuple[int, int]]:
    key, span = "", (entry.end, entry.end)
    for field_name, field in named_fields(content, entry, ENTRY):
        if field_name == "key" and field.wire_type == BYTES:
            key = content[field.start : field.end].decode()
        elif field_name == "value" and field.wire_type == BYTES:
            span = (field.start, field.end)
    if span[1] - span[0] > MAX_METADATA_BYTES:
        raise DamagedProtobufError(f"the metadata {key!r} is longer than {MAX_METADATA_BYTES} bytes")
    return key, span


def _check_golden(golden: Golden, contract: Contract) -> None:
    """Check that the golden vectors fit the contract."""
    steps = golden.x.shape[1:2] if contract.every_step else ()
    windows: tuple[int, ...] = (len(golden.x), contract.window)
    if not contract.tokens:
        windows += (len(contract.inputs),)
    answers = contract.answer_shape(len(golden.x), *steps)
    fits = golden.x.shape == windows and golden.file.shape == answers
    fits = fits and ((golden.lengths is not None), (golden.times is not None)) == (contract.lengths, contract.times)
    if not fits:
        raise ModelFileError(
            f"the golden vectors are damaged: expected windows {windows} and answers {answers} as the contract says, "
            f"got {golden.x.shape} and {golden.file.shape}"
        )


def _text(content: bytes, span: tuple[int, int], name: str) -> str:
    try:
        return content[span[0] : span[1]].decode()
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{name}: the metadata is damaged: {error}") from error


def _check_digest(content: bytes, span: tuple[int, int], name: str) -> tuple[str, tuple[str, ...]]:
    """Compute the digest; return it, and what is wrong with the recorded one."""
    recorded = _text(content, span, name)
    computed = compute_digest(content, span)
    if not re.fullmatch(r"[0-9a-f]{64}", recorded):
        return computed, (f"the digest is damaged: expected 64 hex digits, got {recorded[:70]!r}",)
    if computed != recorded:
        both = f"recorded digest {recorded[:12]}, computed {computed[:12]}"
        return computed, (f"the file was altered since export: {both}",)
    return computed, ()
