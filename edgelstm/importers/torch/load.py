"""Load a weights file into a module."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgelstm.errors import NetworkError
from edgelstm.importers.torch.call import copy_module
from edgelstm.importers.weights.file import check_finite, read_weights
from edgelstm.network import Weights

# Prefixes that wrappers add to every name.
_PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.")


def load_weights(module: nn.Module, path: str | Path) -> tuple[nn.Module, list[str]]:
    """Load a weights file into a copy of a module, strictly.

    Returns:
        The copy, and notes on how the names were changed.

    Raises:
        NetworkError: a tensor is missing, unknown, of another shape, or contains NaN.
    """
    private = copy_module(module, given=False)
    expected = private.state_dict()
    weights, notes = _without_prefix(read_weights(path), expected.keys())
    missing, unknown = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    if missing:
        raise NetworkError(f"{path}: the file lacks the tensor {missing[0]!r} of the module")
    if unknown:
        raise NetworkError(f"{path}: the file has the tensor {unknown[0]!r}, which the module lacks")
    for name, tensor in expected.items():
        if tuple(tensor.shape) != weights[name].shape:
            raise NetworkError(f"{path}: {name}: expected shape {list(tensor.shape)}, got {list(weights[name].shape)}")
    check_finite(path, weights)
    private.load_state_dict({name: torch.from_numpy(np.array(weight)) for name, weight in weights.items()})
    return private, [f"weights from {Path(path).name}", *notes]


def _without_prefix(weights: Weights, expected: Set[str]) -> tuple[Weights, list[str]]:
    """Remove the prefix that Lightning, DataParallel or torch.compile adds to every name, if the module lacks it."""
    notes: list[str] = []
    while not expected & weights.keys():
        prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in weights)), None)
        if prefix is None:
            break
        weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
        notes.append(f"removed the prefix {prefix!r} from the names of its tensors")
    return weights, notes
