"""Labels of every sample: what `edgelstm predict` answers for a file that was trained to label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgelstm.bench.answers import answerer_of
from edgelstm.cli.classes import CLASS, one_sequence
from edgelstm.cli.rows import Row, check_names, iso, numbers_of
from edgelstm.data.series import Series
from edgelstm.runtime import Predictor
from edgelstm.runtime.samples import to_origins

COLUMNS = ("time", "row", CLASS)


def label_rows(predictor: Predictor, series: Series, missing: str) -> Iterator[Row]:
    """Label every row of a series, the state carried over all of it, or window by window.

    Gaps are filled from the rows up to their own alone where a state is carried, as a device would have to.

    Yields:
        For each row of the table its `time` or `row`, and a column for each output in its physical unit; of classes
        `class`, the name of the likeliest, and a column with the probability of each.

    Raises:
        InputError: the series is shorter than the file can take, or an output is called like one of those columns.
        DataError: a sample is missing and `missing` is `"error"`.
    """
    contract = predictor.contract
    check_names(contract, COLUMNS)
    policy = "forward" if contract.state == "carried" and missing == "interpolate" else missing
    y = answerer_of(predictor, one_sequence(predictor, series, policy, every_step=True))(np.array([0]))
    y = to_origins(y, contract.outputs)
    names = predictor.label(y).tolist() if contract.answer == "class" else None
    for i, values in enumerate(y):
        row: Row = {"row": i + 1} if series.time is None else {"time": iso(series.time[i], _whole_days(series))}
        yield {**row, **({CLASS: names[i]} if names else {}), **numbers_of(contract, values)}


def _whole_days(series: Series) -> bool:
    return series.time is not None and bool((series.time == series.time.astype("datetime64[D]")).all())
