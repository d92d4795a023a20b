"""From one value for each target to the outputs of a contract: the quantiles of a target are adjacent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.windows import Rows


def targets_of(outputs: tuple[Channel, ...]) -> list[int]:
    """Give the number of the target of each output: [O].

    Example:
        >>> pairs = [(column, level) for column in "ab" for level in (0.1, 0.9)]
        >>> targets_of(tuple(Channel(f"{c} q{q}", None, "float32", None, quantile=q, column=c) for c, q in pairs))
        [0, 0, 1, 1]
    """
    columns = list(dict.fromkeys(channel.source for channel in outputs))
    return [columns.index(channel.source) for channel in outputs]


def at_levels(values: NDArray[np.floating], outputs: tuple[Channel, ...]) -> Rows:
    """Take the quantile of each output over known values on the first axis: [n, ..., targets] to float32 [..., O]."""
    pairs = zip(targets_of(outputs), outputs, strict=True)
    return np.stack(
        [np.nanquantile(values[..., target], channel.quantile or 0.0, axis=0) for target, channel in pairs], axis=-1
    ).astype(np.float32)
