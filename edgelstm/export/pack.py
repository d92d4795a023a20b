"""Put contract, golden vectors and digest into an ONNX model: the bytes of a model file."""

from __future__ import annotations

import onnx

from edgelstm.contract import Contract
from edgelstm.errors import ExportError, ModelFileError
from edgelstm.runtime import Golden
from edgelstm.runtime.file.model_file import CONTRACT_KEY, DIGEST_KEY, GOLDEN_KEY, compute_digest, digest_span
from edgelstm.runtime.file.structure import check_structure

_NO_DIGEST = "0" * 64


def pack(model: onnx.ModelProto, contract: Contract, golden: Golden) -> tuple[bytes, str]:
    """Serialize a model with its metadata; the same arguments always give the same bytes.

    Args:
        model: graph without metadata.
        contract: of this file.
        golden: of this file.

    Returns:
        The bytes of the file, and its digest as 64 hex digits.

    Raises:
        ExportError: the graph has an operator or a structure that the reader refuses.
    """
    complete = onnx.ModelProto()
    complete.CopyFrom(model)
    del complete.metadata_props[:]
    entries = ((CONTRACT_KEY, contract.to_json()), (GOLDEN_KEY, golden.to_json()), (DIGEST_KEY, _NO_DIGEST))
    for key, value in entries:
        complete.metadata_props.add(key=key, value=value)
    content = complete.SerializeToString(deterministic=True)
    start, end = digest_span(content)
    _check_readable(content)
    digest = compute_digest(content, (start, end))
    return content[:start] + digest.encode() + content[end:], digest


def _check_readable(content: bytes) -> None:
    """Refuse to write what the reader would refuse."""
    try:
        foreign = check_structure(content)
    except ModelFileError as error:
        raise ExportError(f"no reader accepts this graph: {error}") from error
    if foreign:
        raise ExportError(f"no reader accepts this graph: {foreign[0]}")
