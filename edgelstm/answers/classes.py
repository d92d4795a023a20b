"""Classes of whole sequences: what `edgelstm predict` answers for a file that was trained to classify."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgelstm.bench.answers import answerer_of
from edgelstm.cli.rows import Answers, Rows, check_names, numbers_of, refuse_gaps
from edgelstm.data.causal import Filling
from edgelstm.data.rows import filled_rows, seconds_of
from edgelstm.data.sequences import Sequences, lay_out
from edgelstm.data.series import Series
from edgelstm.runtime import Predictor
from edgelstm.runtime.samples import from_origins

CLASS = "class"


def class_rows(predictor: Predictor, series: Series, rows: Rows) -> Answers:
    """Classify one series, from its first row to its last.

    Returns:
        One row: `class`, the name of the likeliest, and a column with the probability of each.

    Raises:
        InputError: the series is longer or shorter than the file can take, or a class is called like that column.
        DataError: a sample is missing and is not filled.
    """
    check_names(predictor.contract, (CLASS,))
    x = filled(series, rows.filling)
    refuse_gaps(series, x, len(x) - 1, rows.filling)
    sequence = sequences_of(predictor, series, x, [(0, len(x))], every_step=False)
    y = answerer_of(predictor, sequence)(np.array([0]))[0]
    return Answers([{CLASS: str(predictor.label(y)), **numbers_of(predictor.contract, y)}])


def filled(series: Series, filling: Filling) -> NDArray[np.float64]:
    """Fill all rows of a series: float64 [N, F], NaN where nothing could be filled."""
    policy = "drop" if filling.policy == "error" else filling.policy
    return filled_rows(series, series.names, len(series.values), policy, filling.max_gap, filling.categories)


def sequences_of(
    predictor: Predictor,
    series: Series,
    x: NDArray[np.float64],
    stretches: Sequence[tuple[int, int]],
    every_step: bool,
) -> Sequences:
    """Make of stretches of a series what is asked about it, minus origins; its targets are nobody's."""
    x = from_origins(x, predictor.contract.inputs)
    lengths = [end - start for start, end in stretches]
    nothing = [np.zeros(length, np.int64) for length in lengths] if every_step else np.zeros(len(lengths), np.int64)
    times = [seconds_of(series, *stretch) for stretch in stretches] if predictor.contract.times else []
    return lay_out(
        [x[start:end].astype(np.float32) for start, end in stretches],
        nothing,
        every_step=every_step,
        names=tuple(series.name for _ in stretches),
        times=[some for some in times if some is not None] or None,
    )
