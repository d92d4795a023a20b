"""Networks that were trained elsewhere, written into a run directory that `edgelstm export` takes like any other."""

from __future__ import annotations

from edgelstm.errors import require

require("onnx", "export")
require("safetensors", "export")

from edgelstm.importers.from_keras import from_keras, read_keras  # noqa: E402
from edgelstm.importers.imported import Imported, as_channels, write_imported  # noqa: E402  (the sentence above must come first)

__all__ = ["Imported", "as_channels", "from_keras", "read_keras", "write_imported"]
