"""What a network is asked about and scored on: windows of a forecast, or series to classify or to label.

Who scores need not know which of the two they are. Both say in which `batches` they are asked for, the `truth_of` some,
the `places` of their answers among all `answered`, over which `stretches` a carried state goes and which of its
`last_steps` count, the `history` and the `spreads_of` some, and give rows `padded` with `lengths_of` each.
"""

from __future__ import annotations

from typing import TypeAlias

from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Windows

Examples: TypeAlias = Windows | Sequences

# What one example of a task is called, and several.
NOUNS = {"forecast": ("window", "windows"), "classify": ("sequence", "sequences"), "label": ("series", "series")}
