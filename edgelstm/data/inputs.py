"""The inputs of a file from windows and sequences: as its contract says, with lengths and times if it takes them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.data.examples import Examples
from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Index, Windows
from edgelstm.errors import InputError


class Inputs(NamedTuple):
    """A batch of rows, in the order of the arguments of `Predictor.predict`.

    Attributes:
        x: float32 [n, T, F], in physical units, or tokens int64 [n, T].
        lengths: int64 [n], the valid steps of each row; None if the file takes none.
        times: int64 [n, T], UTC seconds; None if the file takes none.
    """

    x: NDArray[Any]
    lengths: Index | None = None
    times: Index | None = None

    def one(self, i: int) -> Inputs:
        """Take one row, as a batch of one."""
        lengths, times = (None if part is None else part[i : i + 1] for part in (self.lengths, self.times))
        return Inputs(self.x[i : i + 1], lengths, times)


def inputs_of(examples: Examples, contract: Contract, index: Index) -> Inputs:
    """Copy the inputs of a file from the beginning of some examples.

    Windows are complete. Series go into a file with lengths whole, padded with zeros to its window (to label, cut off
    after it); a file without lengths takes the first rows, as many as its window has, and a carried one repeats the
    last row of a shorter series.

    Args:
        examples: to copy from.
        contract: of the file.
        index: int64 [n], the numbers of the examples.

    Raises:
        InputError: a series is longer or shorter than the file can take, or has no times though the file needs them.

    Example:
        >>> from dataclasses import replace
        >>> from edgelstm import load
        >>> from edgelstm.data.sequences import lay_out
        >>> contract = replace(load("models/co2/co2.fp32.onnx").contract, lengths=True, window=4)
        >>> series = [np.ones((3, 1), np.float32), np.ones((1, 1), np.float32)]
        >>> x, lengths, _ = inputs_of(lay_out(series, np.array([0, 1]), every_step=False), contract, np.array([0, 1]))
        >>> x[..., 0].tolist(), lengths.tolist()
        ([[1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]], [3, 1])
    """
    if contract.times and examples.times is None:
        raise InputError("this file needs the time of each sample, but the data has no timestamps")
    if isinstance(examples, Windows):
        lengths = np.full(len(index), examples.steps, np.int64) if contract.lengths else None
        return Inputs(examples.x(index), lengths, examples.times_of(index) if contract.times else None)
    _check_lengths(examples, contract, index)
    offsets, valid = np.arange(contract.window), examples.lengths[index]
    rows = examples.starts[index][:, np.newaxis] + np.minimum(offsets, valid[:, np.newaxis] - 1)
    x, times = examples.x_rows[rows], examples.times[rows] if contract.times and examples.times is not None else None
    if not contract.lengths:
        return Inputs(x, None, times)
    x[offsets >= valid[:, np.newaxis]] = 0
    return Inputs(x, np.minimum(valid, contract.window), times)


def pick_inputs(examples: Examples, contract: Contract, count: int) -> Inputs:
    """Pick a few typical examples: spread over the part; to classify, of several lengths and classes.

    Args:
        examples: at least one.
        contract: of the file that will take them.
        count: the maximum number.

    Raises:
        InputError: as for `inputs_of`.
    """
    if contract.traits.whole_series:
        return inputs_of(examples, contract, _of_all_kinds(examples, count))
    lengths = examples.lengths_of()
    enough = np.arange(len(examples)) if contract.lengths else np.flatnonzero(lengths >= contract.window)
    if not len(enough):
        enough = np.argsort(-lengths, kind="stable")[:count]
    return inputs_of(examples, contract, _spread(enough, count))


def _spread(numbers: Index, count: int) -> Index:
    chosen: Index = numbers[np.linspace(0, len(numbers) - 1, min(len(numbers), count)).astype(np.int64)]
    return chosen


def _of_all_kinds(sequences: Examples, count: int) -> Index:
    """Pick the longest, the shortest and some between them; from each group of lengths a new class if there is one."""
    parts = np.array_split(np.argsort(sequences.lengths_of(), kind="stable"), min(len(sequences), count))
    parts = [parts[-1][::-1], *parts[:-1]]
    chosen: list[int] = []
    for part in parts:
        new = part[~np.isin(sequences.truth_of(part), sequences.truth_of(np.array(chosen, np.int64)))]
        chosen.append(int((new if len(new) else part)[0]))
    return np.array(chosen, np.int64)


def _check_lengths(sequences: Sequences, contract: Contract, index: Index) -> None:
    """See that series to classify fit into the window, and fill it if the file takes no lengths."""
    if contract.state == "carried":
        return
    for i in index:
        length, window = int(sequences.lengths[i]), contract.window
        too_long = length > window and not sequences.every_step
        if too_long or (length < window and not contract.lengths):
            most = "at most " if contract.lengths else "at least " if sequences.every_step else ""
            several = "; if these are several series, name the column that identifies them with --series"
            raise InputError(
                f"series {sequences.names[i]}: expected {most}{window} samples, as in training, got "
                f"{length}{several if too_long else ''}"
            )
