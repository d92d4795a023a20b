"""Choose the golden inputs of a run: a few real windows, for which each exported file records its answers."""

from __future__ import annotations

import math

from edgelstm.contract import Contract
from edgelstm.data.inputs import Inputs, pick_inputs
from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Windows

GOLDEN_ROWS = 5
GOLDEN_BYTES = 32 * 2**10  # every model file contains the vectors: inputs, and the answers of network and file


def golden_inputs(examples: Windows | Sequences, contract: Contract) -> Inputs:
    """Take a few examples for the golden vectors, in the form of the contract; fewer if they are long.

    Args:
        examples: of the part to take them from.
        contract: of the run.

    Returns:
        What `pick_inputs` takes: up to `golden_rows_of(contract)` rows.

    Raises:
        InputError: no series has a length that the contract allows, or times are missing.

    Example:
        >>> import numpy as np
        >>> from edgelstm import load
        >>> from edgelstm.data.windows import from_rows
        >>> contract, rows = load("models/co2/co2.fp32.onnx").contract, np.ones((200, 1), np.float32)
        >>> golden_inputs(from_rows(rows, rows, 0, 104, 12, 1), contract).x.shape
        (5, 104, 1)
    """
    return pick_inputs(examples, contract, golden_rows_of(contract))


def golden_rows_of(contract: Contract) -> int:
    """Give the number of golden windows for a contract: one to five, depending on their size in bytes."""
    answers = math.prod(map(int, contract.answer_shape(*((contract.window,) if contract.every_step else ()))))
    row_bytes = 4 * (contract.window * len(contract.inputs) + 2 * answers)
    row_bytes += 8 * contract.window if contract.times else 0
    return max(1, min(GOLDEN_ROWS, GOLDEN_BYTES // row_bytes))
