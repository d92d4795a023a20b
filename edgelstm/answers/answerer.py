"""Ask a file for its answers, in the mode in which its contract says that it runs."""

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
        times: int64 [T], UTC seconds; None where the file takes none.
    """

    x: NDArray[np.generic]
    times: Index | None


def answerer_of(predictor: Predictor, examples: Examples, name: str = "the file") -> Answerer:
    """Make what a file answers on windows or sequences, as `edgelstm.data.scores` asks for it.

    A window file answers windows and whole series to classify as they are, an int8 one row by row. To label it goes
    through a series window by window. A carried file steps through each series from a zero state, and begins anew
    behind a gap; each window that comes from arrays is a series; what it is asked for is its answer behind the last
    step, or to label at every step.

    Args:
        predictor: the loaded file.
        examples: what it will be asked about, minus the origins of its channels; so are the answers.
        name: how to call the file in an error.

    Returns:
        Answers for example numbers int64 [n]: of windows float32 [n, K, O], to classify [n, C], and to label,
        for one series at a time, [T, O].

    Raises:
        InputError: on this call or when asked: the examples do not fit the file, or it answers NaN or infinity.

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
    """Score a file on held-out windows or sequences, in the mode in which its contract says that it runs.

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
    """List what a carried state goes over: each series, and what lies behind a gap in it apart.

    Separate windows, from arrays, are a series each.

    Args:
        examples: windows or sequences.
        times: the file takes them.
    """
    starts, lengths = examples.stretches
    moments = examples.times if times else None
    rows = [slice(start, start + length) for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)]
    return [StreamInput(examples.x_rows[some], None if moments is None else moments[some]) for some in rows]


def stepped(predictor: Predictor, given: StreamInput) -> Answers:
    """Step through samples as a device would: what is answered at every step, float32 [T, K, O] or [T, O]."""
    stream = predictor.bare.stream()
    times = repeat(None) if given.times is None else iter(given.times.tolist())
    return np.stack([stream.step(sample, moment) for sample, moment in zip(given.x, times, strict=False)])


def placed(answers: Answers, examples: Examples, carried: bool) -> Answerer:
    """Answer from what was answered before.

    Args:
        answers: of a carried file at every step of `stream_inputs_of`, one behind the other, and perhaps more; else of
            every example, to label those of each series behind those of the one before.
        examples: the same.
        carried: whether it was stepped.
    """
    if examples.every_step:
        ends, lengths = examples.last_steps + 1, examples.lengths_of()
        return lambda index: answers[ends[index[0]] - lengths[index[0]] : ends[index[0]]]
    places = examples.last_steps if carried else np.arange(len(examples))
    return lambda index: answers[places[index]]


def check_finite(name: str, answers: Answers) -> Answers:
    """Give back answers that are numbers.

    Raises:
        InputError: one is NaN or infinite.
    """
    if not np.isfinite(answers).all():
        raise InputError(f"{name}: answers NaN or infinity to the data it is judged on; do not use this file")
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
        raise InputError("this file takes the time of each sample, but the data came without a column of timestamps")


def _side_by_side(predictor: Predictor, examples: Examples, index: Index) -> Answers:
    parts = [index[start : start + BATCH] for start in range(0, len(index), BATCH)]
    return np.concatenate([predictor.predict(*inputs_of(examples, predictor.contract, part)) for part in parts])


def piece_by_piece(predict: Callable[..., Answers], contract: Contract, sequences: Sequences, i: int) -> Answers:
    """Label a series by a file that begins anew with each window.

    The last window is a shorter one or, for a file without lengths, reaches back; what it answers behind the one
    before it counts.

    Args:
        predict: takes x [n, T, F], lengths [n] and times [n, T] as `Predictor.predict` does, and gives y [n, T, O].
        contract: of the file.
        sequences: where the series is taken from.
        i: its number.

    Returns:
        float32 [T, O].

    Raises:
        InputError: the series is shorter than the file can take.
    """
    length, steps = int(sequences.lengths[i]), contract.window
    if length < steps and not contract.lengths:
        raise InputError(
            f"series {sequences.names[i]}: expected at least {steps} samples, as this network was trained, got {length}"
        )
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
    """See windows of one series as series."""
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
