"""Answer for samples, as the file was trained: forecast, classify a series, or label each of its rows."""

from __future__ import annotations

from edgelstm.answers.answered import Answered, Answers
from edgelstm.answers.classes import classify
from edgelstm.answers.forecasts import forecast
from edgelstm.answers.labels import label
from edgelstm.answers.samples import Samples, check_every_row
from edgelstm.data.series import Series
from edgelstm.errors import DataError, InputError, assert_never
from edgelstm.runtime import Predictor


def answer(predictor: Predictor, samples: Samples, *, every_row: bool = False) -> Answered:
    """Answer for each series; one that cannot be answered is skipped, with a note.

    Args:
        predictor: the loaded file.
        samples: for it, from `read_samples` or `samples_of`.
        every_row: forecast from every row with a complete window, not only from the last.

    Raises:
        InputError: a series has too few or too many rows, or `every_row` is given for a file that does not forecast.
        DataError: a needed sample is missing and not filled. With several series these are raised only if no series
            can be answered, for the first one.

    Example:
        >>> import numpy as np
        >>> from edgelstm import load
        >>> from edgelstm.answers import answer, samples_of
        >>> predictor = load("models/co2/co2.fp32.onnx")
        >>> weeks = np.datetime64("2024-01-06") + 7 * np.arange(104)
        >>> samples = samples_of(np.linspace(420, 424, 104)[:, np.newaxis], predictor.contract, weeks)
        >>> [found] = answer(predictor, samples).series
        >>> found.values.shape, found.channels[0].name, found.channels[0].unit
        ((12, 1), 'co2', 'ppm')
        >>> found.at.times[:2].astype("datetime64[D]").tolist()
        [datetime.date(2026, 1, 3), datetime.date(2026, 1, 10)]
    """
    check_every_row(predictor.contract.task, every_row)
    found: list[Answers] = []
    refused: list[DataError | InputError] = []
    for series in samples.series:
        try:
            found.append(_of_one(predictor, series, samples, every_row))
        except (DataError, InputError) as error:
            refused.append(error)
    if not any(len(answers.values) for answers in found):
        raise refused[0] if refused else InputError("every window contains an unfilled gap: raise --max-gap")
    notes = [note for answers in found for note in answers.notes]
    notes += [f"skipped: {error}" for error in refused]
    return Answered(tuple(answers for answers in found if len(answers.values)), tuple(notes))


def _of_one(predictor: Predictor, series: Series, samples: Samples, every_row: bool) -> Answers:
    task = predictor.contract.task
    match task:
        case "forecast":
            return forecast(predictor, series, samples, every_row)
        case "classify":
            return classify(predictor, series, samples)
        case "label":
            return label(predictor, series, samples)
        case _:
            assert_never(task)
