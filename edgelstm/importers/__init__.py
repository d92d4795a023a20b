"""Import networks that were trained elsewhere into a run directory, which `edgelstm export` takes like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgelstm.errors import require

require("onnx", "export")
require("safetensors", "export")

from edgelstm.importers.imported import Imported, as_channels, draft_contract, write_imported  # noqa: E402  (the check above must come first)
from edgelstm.importers.keras.read import from_keras, read_keras  # noqa: E402
from edgelstm.importers.weights.read import Names, read_torch  # noqa: E402

if TYPE_CHECKING:
    from edgelstm.importers.torch.module import FromTorch, from_torch

__all__ = [
    "FromTorch",
    "Imported",
    "Names",
    "as_channels",
    "draft_contract",
    "from_keras",
    "from_torch",
    "read_keras",
    "read_torch",
    "write_imported",
]


def __getattr__(name: str) -> Any:
    """Import the room that needs torch on first use of a name in it."""
    if name in ("FromTorch", "from_torch"):
        from edgelstm.importers.torch import module

        return getattr(module, name)
    raise AttributeError(f"module 'edgelstm.importers' has no attribute {name!r}")
