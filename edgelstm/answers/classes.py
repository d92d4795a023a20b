"""Classes of whole series, from a file that was trained to classify."""

from __future__ import annotations

import numpy as np

from edgelstm.answers.answered import Answers
from edgelstm.answers.answerer import answerer_of
from edgelstm.answers.gaps import as_sequences, filled, refuse_gaps
from edgelstm.answers.samples import Samples
from edgelstm.data.series import Series
from edgelstm.runtime import Predictor


def classify(predictor: Predictor, series: Series, samples: Samples) -> Answers:
    """Classify one series, from first row to last: one answer.

    Raises:
        InputError: the series is too long or too short for the file.
        DataError: a sample is missing and not filled.
    """
    x = filled(series, samples.filling)
    refuse_gaps(series, x, len(x) - 1, samples.filling)
    sequence = as_sequences(predictor, series, x, [(0, len(x))], every_step=False)
    y = answerer_of(predictor, sequence)(np.array([0]))
    return Answers(series.name, predictor.contract.outputs, y, classes=tuple(predictor.label(y).tolist()))
