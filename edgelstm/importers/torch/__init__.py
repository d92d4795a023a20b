"""PyTorch modules: read as layers if a module consists of known ones, else as a foreign graph.

This room needs torch; the others import it only for a module, or for a file of `torch.save`.
"""

from __future__ import annotations

from edgelstm.errors import require

require("torch", "train")
