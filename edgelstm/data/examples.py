"""The examples that a network answers and is scored on: windows to forecast, or series to classify or label.

Scoring need not know which of the two it has. Both give the `batches` to answer, the `truth_of` some examples, the
`places` of their answers among all `answered`, the `stretches` over which a state is carried and the `last_steps` that
count, the `history` and the `spreads_of` some examples, and rows `padded` with the `lengths_of` each.
"""

from __future__ import annotations

from typing import TypeAlias

from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Windows

Examples: TypeAlias = Windows | Sequences
