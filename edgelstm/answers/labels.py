"""Labels of every sample, from a file that was trained to label."""

from __future__ import annotations

import numpy as np

from edgelstm.answers.answered import Answers, Places
from edgelstm.answers.answerer import answerer_of
from edgelstm.answers.gaps import as_sequences, filled, forwards, refuse_gaps
from edgelstm.answers.samples import Samples
from edgelstm.data.causal import whole_stretches
from edgelstm.data.series import Series
from edgelstm.runtime import Predictor
from edgelstm.runtime.samples import to_origins


def label(predictor: Predictor, series: Series, samples: Samples) -> Answers:
    """Label every row of a series, with one state carried through it, or window by window.

    With a carried state, gaps are filled from earlier rows alone, as on a device. After a gap that is not filled the
    state starts again from zero; the rows of the gap, and stretches shorter than a window, are skipped and counted.

    Raises:
        InputError: the series is too short for the file.
        DataError: a sample is missing and not filled.
    """
    contract, carried = predictor.contract, predictor.contract.state == "carried"
    filling, count = forwards(samples.filling) if carried else samples.filling, len(series.values)
    x = filled(series, filling)
    if filling.policy == "error" or np.isnan(x).any(axis=1).all():
        refuse_gaps(series, x, count - 1, filling)
    least = 1 if carried or contract.lengths else contract.window
    whole = whole_stretches(x)
    stretches = [(start, end) for start, end in whole if end - start >= least] or whole
    answer = answerer_of(predictor, as_sequences(predictor, series, x, stretches, every_step=True))
    y = to_origins(np.concatenate([answer(np.array([i])) for i in range(len(stretches))]), contract.outputs)
    rows = np.concatenate([np.arange(start, end) for start, end in stretches])
    note = f"{series.name}: {count - len(rows)} of {count} rows skipped: in or next to an unfilled gap"
    return Answers(
        series.name,
        contract.outputs,
        y,
        Places(rows, None if series.time is None else series.time[rows]),
        classes=tuple(predictor.label(y).tolist()) if contract.answer == "class" else None,
        notes=(note,) if len(rows) < count else (),
    )
