"""Labels of every sample: what `edgelstm predict` answers for a file that was trained to label."""

from __future__ import annotations

import numpy as np

from edgelstm.bench.answers import answerer_of
from edgelstm.cli.classes import CLASS, filled, sequences_of
from edgelstm.cli.rows import Answers, Row, Rows, check_names, numbers_of, refuse_gaps
from edgelstm.data.causal import whole_stretches
from edgelstm.data.series import Series
from edgelstm.runtime import Predictor
from edgelstm.runtime.samples import to_origins

COLUMNS = ("time", "row", CLASS)


def label_rows(predictor: Predictor, series: Series, rows: Rows) -> Answers:
    """Label every row of a series, the state carried over all of it, or window by window.

    Gaps are filled from the rows up to their own alone where a state is carried, as a device would have to. Behind a
    gap that is not filled it begins anew; the rows of the gap, and stretches that are shorter than a window, are left
    out and counted.

    Returns:
        For each row of the table its `time` or `row`, and a column for each output in its physical unit; of classes
        `class`, the name of the likeliest, and a column with the probability of each.

    Raises:
        InputError: the series is shorter than the file can take, or an output is called like one of those columns.
        DataError: a sample is missing and is not filled.
    """
    contract, carried = predictor.contract, predictor.contract.state == "carried"
    check_names(contract, COLUMNS)
    filling, count = rows.filling, len(series.values)
    if carried and filling.policy == "interpolate":
        filling = filling._replace(policy="forward")
    x = filled(series, filling)
    if filling.policy == "error" or np.isnan(x).any(axis=1).all():
        refuse_gaps(series, x, count - 1, filling)
    least = 1 if carried or contract.lengths else contract.window
    whole = whole_stretches(x)
    stretches = [(start, end) for start, end in whole if end - start >= least] or whole
    answer = answerer_of(predictor, sequences_of(predictor, series, x, stretches, every_step=True))
    found: list[Row] = []
    for number, (start, end) in enumerate(stretches):
        found += _rows_of(
            predictor, series, rows, range(start, end), to_origins(answer(np.array([number])), contract.outputs)
        )
    left_out = count - len(found)
    note = f"{series.name}: left out {left_out} of {count} rows, in or beside a gap that is not filled"
    return Answers(found, (note,) if left_out else ())


def _rows_of(predictor: Predictor, series: Series, rows: Rows, places: range, y: np.ndarray) -> list[Row]:
    contract = predictor.contract
    names = predictor.label(y).tolist() if contract.answer == "class" else None
    times = None if series.time is None else rows.wall.words(series.time[places.start : places.stop])
    found = []
    for i, (place, values) in enumerate(zip(places, y, strict=True)):
        row: Row = {"row": place + 1} if times is None else {"time": times[i]}
        found.append({**row, **({CLASS: names[i]} if names else {}), **numbers_of(contract, values)})
    return found
