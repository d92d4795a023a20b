"""Modules of PyTorch: as layers where a module is nothing else, as a foreign graph where it is.

This room knows torch; the others open it when they are asked for a module or for a file that `torch.save` wrote.
"""

from __future__ import annotations

from edgelstm.errors import require

require("torch", "train")
