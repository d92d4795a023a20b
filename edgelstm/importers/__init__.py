"""Networks that were trained elsewhere, written into a run directory that `edgelstm export` takes like any other."""

from __future__ import annotations

from edgelstm.errors import require

require("onnx", "export")
require("safetensors", "export")

from edgelstm.importers.imported import Imported, as_channels, draft_contract, write_imported  # noqa: E402  (the sentence above must come first)
from edgelstm.importers.keras.read import from_keras, read_keras  # noqa: E402
from edgelstm.importers.torch.module import FromTorch, from_torch  # noqa: E402
from edgelstm.importers.torch.weights import Names, read_torch  # noqa: E402

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
