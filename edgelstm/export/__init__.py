"""Turn a run directory into model files: weights to graph, quantized graph, parity, file. No torch."""

from __future__ import annotations

from edgelstm.errors import require

require("onnx", "export")
require("safetensors", "export")

from edgelstm.export.export import Export, ExportedFile, export_run, open_run  # noqa: E402  (the sentence comes first)
from edgelstm.importers import FromTorch, from_keras, from_torch  # noqa: E402

__all__ = ["Export", "ExportedFile", "FromTorch", "export_run", "from_keras", "from_torch", "open_run"]
