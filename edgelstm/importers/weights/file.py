"""From files with PyTorch weights to named tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from edgelstm.arrays import Array
from edgelstm.errors import NetworkError, one_line
from edgelstm.network import Weights
from edgelstm.strict_json import StrictJsonError, parse


def read_weights(path: str | Path) -> Weights:
    """Read named tensors: a `.safetensors` file, a JSON state dict, or what `torch.load(weights_only=True)` reads.

    Returns:
        The tensors, floating point ones as float32.

    Raises:
        NetworkError: the file is none of these, or contains something other than tensors.
        MissingDependencyError: it is a file of `torch.save`, and torch is not installed.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read: {error.strerror}") from error
    read = {".safetensors": _from_safetensors, ".json": _from_json}.get(path.suffix, _from_torch)
    tensors = read(path, content)
    return {name: t.astype(np.float32) if t.dtype.kind == "f" else t for name, t in tensors.items()}


def check_finite(path: str | Path, weights: Weights) -> None:
    """Refuse NaN and infinity.

    Raises:
        NetworkError: a tensor contains NaN or infinity; names it.
    """
    for name, tensor in weights.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise NetworkError(f"{path}: {name} contains NaN or infinity; these weights cannot be used")


def _from_safetensors(path: Path, content: bytes) -> Weights:
    try:
        tensors: Weights = safetensors.numpy.load(content)
    except Exception as error:  # SafetensorError has no useful base; bfloat16 is a KeyError or TypeError
        raise NetworkError(
            f"{path}: not a safetensors file, or one with a data type that numpy lacks: {one_line(error)}"
        ) from error
    return tensors


def _from_json(path: Path, content: bytes) -> Weights:
    try:
        named = parse(content)
    except (StrictJsonError, UnicodeDecodeError) as error:
        raise NetworkError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(named, dict) or not named:
        raise NetworkError(f"{path}: expected a state dict, the names of tensors with their numbers")
    return {name: _numbers(path, name, value) for name, value in named.items()}


def _numbers(path: Path, name: str, value: Any) -> Array:
    try:
        tensor = np.array(value)
    except ValueError:  # lists of unequal length
        tensor = np.array(None)
    if not isinstance(value, list) or tensor.dtype.kind not in "if":
        raise NetworkError(f"{path}: expected a state dict, tensors by name, but {name!r} is not a list of numbers")
    return tensor.astype(np.float32)


def _from_torch(path: Path, content: bytes) -> Weights:
    from edgelstm.importers.torch.pickled import read_pickled

    return read_pickled(path, content)
