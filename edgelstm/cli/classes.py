"""Classes of whole sequences: what `edgelstm predict` answers for a file that was trained to classify."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgelstm.bench.answers import answerer_of
from edgelstm.cli.rows import Row, check_names, filled, numbers_of
from edgelstm.data.rows import seconds_of
from edgelstm.data.sequences import Sequences, lay_out
from edgelstm.data.series import Series
from edgelstm.runtime import Predictor
from edgelstm.runtime.samples import from_origins

CLASS = "class"


def class_rows(predictor: Predictor, series: Series, missing: str) -> Iterator[Row]:
    """Classify one series, from its first row to its last.

    Yields:
        One row: `class`, the name of the likeliest, and a column with the probability of each.

    Raises:
        InputError: the series is longer or shorter than the file can take, or a class is called like that column.
        DataError: a sample is missing and `missing` is `"error"`.
    """
    check_names(predictor.contract, (CLASS,))
    y = answerer_of(predictor, one_sequence(predictor, series, missing, every_step=False))(np.array([0]))[0]
    yield {CLASS: str(predictor.label(y)), **numbers_of(predictor.contract, y)}


def one_sequence(predictor: Predictor, series: Series, missing: str, every_step: bool) -> Sequences:
    """Make of a series what is asked about it, minus origins and its gaps filled; its targets are nobody's."""
    count = len(series.values)
    x = from_origins(filled(series, count - 1, count, missing), predictor.contract.inputs).astype(np.float32)
    seconds = seconds_of(series, 0, count) if predictor.contract.times else None
    nothing = np.zeros((1, count) if every_step else 1, np.int64)
    times = None if seconds is None else [seconds]
    return lay_out([x], nothing, every_step=every_step, names=(series.name,), times=times)
