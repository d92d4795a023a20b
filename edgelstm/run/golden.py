"""Choose the golden inputs of a run: a few real windows, of which every file of it will record its answers."""

from __future__ import annotations

import math

from edgelstm.contract import Contract
from edgelstm.data.inputs import Inputs, pick_inputs
from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Windows

GOLDEN_ROWS = 5
GOLDEN_BYTES = 32 * 2**10  # the vectors travel in every model file: inputs, and the answers of network and file


def golden_inputs(examples: Windows | Sequences, contract: Contract) -> Inputs:
    """Take a few examples for the golden vectors, as the files of this contract take them; fewer of long ones.

    Args:
        examples: of the part they are taken from.
        contract: of the run.

    Returns:
        What `pick_inputs` takes: up to `golden_rows_of(contract)` rows.

    Raises:
        InputError: no series is as long or as short as the contract asks, or times are missing.

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
    """Tell how many golden windows a file of this contract takes: up to five, as their bytes allow, at least one."""
    answers = math.prod(map(int, contract.answer_shape(*((contract.window,) if contract.every_step else ()))))
    row_bytes = 4 * (contract.window * len(contract.inputs) + 2 * answers)
    row_bytes += 8 * contract.window if contract.times else 0
    return max(1, min(GOLDEN_ROWS, GOLDEN_BYTES // row_bytes))
