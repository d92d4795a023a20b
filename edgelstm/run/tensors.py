"""Read and write named arrays as safetensors."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.errors import RunError, require

Tensors = dict[str, NDArray[Any]]


def pack_tensors(tensors: Tensors) -> bytes:
    """Serialize arrays, as C-contiguous ones: safetensors writes memory as it is, which changes a transposed array.

    Raises:
        MissingDependencyError: safetensors is not installed.
    """
    content: bytes = _safetensors().save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
    return content


def read_tensors(path: Path) -> Tensors:
    """Read a file of arrays.

    Raises:
        RunError: it is missing or damaged.
        MissingDependencyError: safetensors is not installed.
    """
    try:
        tensors: Tensors = _safetensors().load(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"{path}: file not found; the run directory is incomplete, train again") from error
    except Exception as error:  # SafetensorError has no useful base class
        raise RunError(f"{path}: damaged: {error}; train again") from error
    return tensors


def _safetensors() -> ModuleType:
    return require("safetensors.numpy", "export")
