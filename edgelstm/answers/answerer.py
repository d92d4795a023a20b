"""Run a file in the mode of its contract."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract, Score
from edgelstm.data.examples import Examples
from edgelstm.data.inputs import inputs_of
from edgelstm.data.scores.score import Answerer, score
from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Index
from edgelstm.errors import InputError
from edgelstm.runtime import Predictor

Answers = NDArray[np.float32]
BATCH = 256


class StreamInput(NamedTuple):
    """The samples of one stream, which starts from a zero state.

    Attributes:
        x: float32 [T, F], in physical units, or tokens int64 [T].
        times: int64 [T], UTC seconds; None if the file takes none.
    """

    x: NDArray[np.generic]
    times: Index | None


def answerer_of(predictor: Predictor, examples: Examples, name: str = "the file") -> Answerer:
    """Make a function that answers windows or sequences with a file, for `edgelstm.data.scores`.

    A window file answers windows and whole series to classify as they are, an int8 file row by row; to label, it runs
    a series window by window. A carried file steps through each series from a zero state, and starts again from zero
    after a gap; each window from arrays is a series of its own. Its answer is that after the last step or, to label,
    that at every step.

    Args:
        predictor: the loaded file.
        examples: the inputs, minus the origins of their channels; the answers are minus origins too.
        name: the name of the file in an error.

    Returns:
        A function of example numbers, int64 [n]: for windows it gives float32 [n, K, O], to classify [n, C], and to
        label [T, O], for one series at a time.

    Raises:
        InputError: in this call or in the function: the examples do not fit the file, or an answer is NaN or infinity.

    Example:
        >>> import numpy as np
        >>> from edgelstm import load
        >>> from edgelstm.data.windows import from_rows
        >>> rows = np.full((120, 1), 340.0, np.float32)
        >>> answer = answerer_of(load("models/co2/co2.fp32.onnx"), from_rows(rows, rows, 0, 104, 12, 1))
        >>> answer(np.array([0, 4])).shape
        (2, 12, 1)
    """
    answer = _answerer(predictor.bare, examples)

    def finite(index: Index) -> Answers:
        return check_finite(name, answer(index))

    return finite


def score_as_run(predictor: Predictor, examples: Examples) -> Score:
    """Score a file on held-out windows or sequences, in the mode of its contract.

    Args:
        predictor: the loaded file.
        examples: with their truth.

    Raises:
        InputError: as for `answerer_of`.
        DataError: no truth is known.
    """
    contract = predictor.contract
    return score(answerer_of(predictor, examples), examples, contract.outputs, contract.answer).score


def stream_inputs_of(examples: Examples, times: bool) -> list[StreamInput]:
    """List the streams of a carried file: one for each series, and a new one after each gap.

    Each separate window, from arrays, is a stream.

    Args:
        examples: windows or sequences.
        times: the file takes times.
    """
    starts, lengths = examples.stretches
    moments = examples.times if times else None
    rows = [slice(start, start + length) for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)]
    return [StreamInput(examples.x_rows[some], None if moments is None else moments[some]) for some in rows]


def stepped(predictor: Predictor, given: StreamInput) -> Answers:
    """Step through samples as on a device; gives the answer at every step, float32 [T, K, O] or [T, O]."""
    stream = predictor.bare.stream()
    times = repeat(None) if given.times is None else iter(given.times.tolist())
    return np.stack([stream.step(sample, moment) for sample, moment in zip(given.x, times, strict=False)])


def placed(answers: Answers, examples: Examples, carried: bool) -> Answerer:
    """Make a function that looks up answers computed earlier.

    Args:
        answers: of a carried file: at every step of `stream_inputs_of`, one stream after the other, and perhaps more;
            else of every example; to label, one series after the other.
        examples: the same examples.
        carried: whether the file was stepped.
    """
    if examples.every_step:
        ends, lengths = examples.last_steps + 1, examples.lengths_of()
        return lambda index: answers[ends[index[0]] - lengths[index[0]] : ends[index[0]]]
    places = examples.last_steps if carried else np.arange(len(examples))
    return lambda index: answers[places[index]]


def check_finite(name: str, answers: Answers) -> Answers:
    """Check that all answers are finite, and return them.

    Raises:
        InputError: an answer is NaN or infinite.
    """
    if not np.isfinite(answers).all():
        raise InputError(f"{name}: gives NaN or infinity on the test data; do not use this file")
    return answers


def _answerer(predictor: Predictor, examples: Examples) -> Answerer:
    contract = predictor.contract
    _check_times(predictor, examples)
    if contract.state == "carried":
        series = stream_inputs_of(examples, contract.times)
        if examples.every_step:
            return lambda index: stepped(predictor, series[index[0]])
        return placed(np.concatenate([stepped(predictor, one) for one in series]), examples, True)
    if examples.every_step:
        return lambda index: piece_by_piece(predictor.predict, contract, examples, int(index[0]))
    return lambda index: _side_by_side(predictor, examples, index)


def _check_times(predictor: Predictor, examples: Examples) -> None:
    if predictor.contract.times and examples.times is None:
        raise InputError("this file needs the time of each sample, but the data has no timestamps")


def _side_by_side(predictor: Predictor, examples: Examples, index: Index) -> Answers:
    parts = [index[start : start + BATCH] for start in range(0, len(index), BATCH)]
    return np.concatenate([predictor.predict(*inputs_of(examples, predictor.contract, part)) for part in parts])


def piece_by_piece(predict: Callable[..., Answers], contract: Contract, sequences: Sequences, i: int) -> Answers:
    """Label a series with a file that starts from zero in each window.

    The last window is shorter or, for a file without lengths, overlaps the one before; of an overlap the answers of
    the earlier window are kept.

    Args:
        predict: takes x [n, T, F], lengths [n] and times [n, T] as `Predictor.predict` does, and gives y [n, T, O].
        contract: of the file.
        sequences: contain the series.
        i: the number of the series.

    Returns:
        float32 [T, O].

    Raises:
        InputError: the series is too short for the file.
    """
    length, steps = int(sequences.lengths[i]), contract.window
    if length < steps and not contract.lengths:
        raise InputError(f"series {sequences.names[i]}: expected at least {steps} samples (one window), got {length}")
    starts = np.arange(0, length, steps)
    if not contract.lengths:
        starts[-1] = length - steps
    pieces = _pieces(sequences, i, starts, steps)
    found = predict(*inputs_of(pieces, contract, np.arange(len(starts))))
    y = np.empty((length, *found.shape[2:]), np.float32)
    for start, answers in zip(starts[::-1], found[::-1], strict=True):
        y[start : start + steps] = answers[: length - start]
    return y


def _pieces(sequences: Sequences, i: int, starts: Index, steps: int) -> Sequences:
    """Give windows of one series as sequences."""
    first, length = sequences.starts[i], sequences.lengths[i]
    return Sequences(
        sequences.x_rows,
        first + starts,
        np.minimum(steps, length - starts),
        sequences.targets,
        True,
        steps,
        (sequences.names[i],) * len(starts),
        sequences.times,
    )
