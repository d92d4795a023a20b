"""Replay golden vectors on this machine.

They show two different things: whether this machine reproduces the outputs that *this very file* gave at export, and,
against the outputs of the trained network, what the precision costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.errors import ModelFileError
from edgelstm.host import is_pypi_wheel
from edgelstm.runtime.file.golden import OTHER, PYPI, Golden, worst_by_channel
from edgelstm.runtime.predictor import Predictor


class Replay(NamedTuple):
    """The result of running the golden vectors on this machine.

    Attributes:
        rows: how many windows were run, one at a time.
        target: which tolerance applied, `"pypi"` or `"other"`.
        tolerance: per output channel, in physical units.
        file_error: worst difference from the file's own outputs at export, per output channel.
        network_error: worst difference from the trained network's outputs, per output channel.
        passed: every `file_error` is within its `tolerance`.
    """

    rows: int
    target: str
    tolerance: tuple[float, ...]
    file_error: tuple[float, ...]
    network_error: tuple[float, ...]
    passed: bool


def replay(predictor: Predictor) -> Replay:
    """Run the golden vectors of a loaded file, one row at a time.

    Args:
        predictor: what `edgelstm.load` gave.

    Returns:
        The worst differences, and whether they are within the file's tolerance.

    Raises:
        ModelFileError: the shape of the answers is not the declared one.
    """
    predictor = predictor.bare
    golden = predictor.golden
    rows = [predictor.predict(*row) for row in golden_rows(golden)]
    for y in rows:
        if y.shape != golden.file.shape[1:]:
            raise ModelFileError(
                f"the graph gives answers of shape {y.shape}, its golden vectors have {golden.file.shape[1:]}; "
                "the file is damaged, export it again"
            )
    y = np.stack(rows)
    if predictor.contract.every_step:
        y, file, network = (_without_padding(answers, golden) for answers in (y, golden.file, golden.network))
    else:
        file, network = golden.file, golden.network
    target = PYPI if is_pypi_wheel() else OTHER
    tolerance = golden.tolerance[target]
    file_error = worst_by_channel(y, file)
    passed = all(error <= limit for error, limit in zip(file_error, tolerance, strict=True))
    return Replay(len(y), target, tolerance, file_error, worst_by_channel(y, network), passed)


def golden_rows(golden: Golden) -> list[tuple[NDArray[Any], int | None, NDArray[np.int64] | None]]:
    """List the arguments of `Predictor.predict` for each golden window: x, length and times (None if not taken)."""
    nothing = [None] * len(golden.x)
    lengths = nothing if golden.lengths is None else golden.lengths.tolist()
    times = nothing if golden.times is None else list(golden.times)
    return list(zip(golden.x, lengths, times, strict=True))


def passing_times(golden: Golden) -> Iterator[int | None]:
    """Yield times for an endless stream, one second apart from the first golden time on; None if the file takes none.

    The golden times themselves run backwards from one window to the next, which streams refuse.
    """
    return repeat(None) if golden.times is None else count(int(golden.times[0, 0]))


def _without_padding(answers: NDArray[np.float32], golden: Golden) -> NDArray[np.float32]:
    """Set zeros after the length of each row of [G, T, ...], where there is no answer."""
    if golden.lengths is None:
        return answers
    answers = answers.copy()
    answers[np.arange(answers.shape[1]) >= golden.lengths[:, np.newaxis]] = 0
    return answers
