"""Weights written by `torch.save`.

A pickle is never executed: `torch.load(weights_only=True)` builds tensors and plain containers, and refuses the rest.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import torch

from edgelstm.errors import NetworkError
from edgelstm.importers.torch.call import quiet
from edgelstm.network import Weights

# Keys under which checkpoints store their weights.
_KEYS = ("state_dict", "model_state_dict", "model_state", "model", "weights")


def read_pickled(path: Path, content: bytes) -> Weights:
    """Read weights written by `torch.save`.

    Args:
        path: of the file, for messages.
        content: its bytes.

    Returns:
        The tensors, floating point ones as float32.

    Raises:
        NetworkError: the file is damaged, contains anything but tensors, or would run code.
    """
    try:
        with quiet():
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's, zipfile's or torch's own
        alien = re.search(r"GLOBAL ([\w.]+)", str(error))
        why = f"it would import {alien[1]}" if alien else "it is damaged, not from torch, or has more than tensors"
        raise NetworkError(
            f"{path}: torch.load(weights_only=True) refuses this file ({why}); give a file written by "
            "torch.save(module.state_dict(), ...)"
        ) from error
    found = next((found[key] for key in _KEYS if isinstance(found, dict) and isinstance(found.get(key), dict)), found)
    if not isinstance(found, dict) or not found:
        raise NetworkError(f"{path}: expected a state dict, got {type(found).__name__}")
    alien = next((name for name, tensor in found.items() if not isinstance(tensor, torch.Tensor)), None)
    if alien is not None:
        raise NetworkError(f"{path}: expected a state dict, but {alien!r} is not a tensor")
    return {str(name): (t.float() if t.is_floating_point() else t).numpy() for name, t in found.items()}
