"""How far a file differs from itself: steps against a window, a row in a batch against the row alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.answers.answerer import Answers, StreamInput
from edgelstm.data.inputs import Inputs
from edgelstm.runtime import Predictor
from edgelstm.runtime.file.golden import worst_by_channel


def stream_difference(predictor: Predictor, inputs: Sequence[StreamInput], answers: Answers) -> tuple[float, ...]:
    """Compare steps with a carried state with the same samples in one call.

    Args:
        predictor: of a carried file, in the units of its graph.
        inputs: of the streams, each of which started from zero.
        answers: float32 [steps, ..., O], the answers at every step, one stream after the other.

    Returns:
        The largest difference of each output.
    """
    at_once = np.concatenate([predictor.predict(x, None, times) for x, times in inputs])
    return worst_by_channel(at_once, answers)


def neighbour_difference(predictor: Predictor, rows: Inputs) -> tuple[float, ...]:
    """Compare rows in one batch, as any ONNX client would run them, with each row alone.

    Args:
        predictor: in the units of the graph.
        rows: at least one.

    Returns:
        The largest difference of each output; steps after the length of a row are ignored.
    """
    together, alone = predictor.run_batch(*rows), answers_alone(predictor, rows)
    valid = ~np.isnan(alone)
    return worst_by_channel(np.where(valid, together, 0), np.where(valid, alone, 0))


def answers_alone(predictor: Predictor, rows: Inputs) -> NDArray[Any]:
    """Answer each row alone: float32 [n, ...], NaN after its length."""
    nothing = [None] * len(rows.x)
    lengths = nothing if rows.lengths is None else rows.lengths.tolist()
    times = nothing if rows.times is None else list(rows.times)
    return np.stack([predictor.predict(*row) for row in zip(rows.x, lengths, times, strict=True)])
