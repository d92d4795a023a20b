"""Turn a run directory into model files: weights to graph, quantized graph, parity, file. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgelstm.errors import require

require("onnx", "export")
require("safetensors", "export")

from edgelstm import importers  # noqa: E402  (require must come first)
from edgelstm.export.export import Export, ExportedFile, export_run, open_run  # noqa: E402
from edgelstm.importers import from_keras  # noqa: E402

if TYPE_CHECKING:
    from edgelstm.importers import FromTorch, from_torch

__all__ = ["Export", "ExportedFile", "FromTorch", "export_run", "from_keras", "from_torch", "open_run"]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use."""
    if name in ("FromTorch", "from_torch"):
        return getattr(importers, name)
    raise AttributeError(f"module 'edgelstm.export' has no attribute {name!r}")
