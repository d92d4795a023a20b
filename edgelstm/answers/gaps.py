"""The rows of a series with their gaps filled; what is still missing is refused, with what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.causal import FILLING, Filling
from edgelstm.data.rows import filled_rows, seconds_of
from edgelstm.data.sequences import Sequences, lay_out
from edgelstm.data.series import Series
from edgelstm.errors import DataError
from edgelstm.runtime import Predictor
from edgelstm.runtime.samples import from_origins


def filled(series: Series, filling: Filling) -> NDArray[np.float64]:
    """Fill all rows of a series, knowing all of them: float64 [N, F], NaN where nothing could be filled."""
    policy = "drop" if filling.policy == "error" else filling.policy
    return filled_rows(series, series.names, len(series.values), policy, filling.max_gap, filling.categories)


def forwards(filling: Filling) -> Filling:
    """Fill as a state that has gone on must: it cannot look back to interpolate, the last value goes on."""
    return filling._replace(policy="forward") if filling.policy == "interpolate" else filling


def refuse_gaps(series: Series, rows: NDArray[np.float64], last: int, filling: Filling) -> None:
    """Refuse rows of a series that lack a sample, and say what to do.

    Args:
        series: as it was read.
        rows: float64 [T, F], filled as far as they could be.
        last: the row of the series that the last of them is.
        filling: how they were filled.

    Raises:
        DataError: there is such a sample.
    """
    missing = np.isnan(rows)
    if not missing.any():
        return
    first = last + 1 - len(rows)
    row, column = (int(i) for i in np.argwhere(missing)[0])
    place = f"in column {series.names[column]!r} at row {first + row + 1}"
    window = f"the window of rows {first + 1} to {last + 1}"
    if filling.policy not in FILLING:
        raise DataError(
            f"{series.name}: {int(missing.sum())} sample(s) are missing in {window}, the first {place}; choose "
            "--missing interpolate or forward to fill them"
        )
    if np.isnan(series.values[: first + row + 1, column]).all():
        raise DataError(f"{series.name}: {window} begins before the first value {place}: leave its first rows out")
    raise DataError(
        f"{series.name}: {window} reaches over a gap of more than {filling.max_gap} sample(s), {place}: give a table "
        "that goes on for a whole window behind it, or a larger --max-gap"
    )


def as_sequences(
    predictor: Predictor,
    series: Series,
    x: NDArray[np.float64],
    stretches: Sequence[tuple[int, int]],
    every_step: bool,
) -> Sequences:
    """Make of stretches of a series what is asked about it, minus origins; its targets are nobody's."""
    x = from_origins(x, predictor.contract.inputs)
    lengths = [end - start for start, end in stretches]
    nothing = [np.zeros(length, np.int64) for length in lengths] if every_step else np.zeros(len(lengths), np.int64)
    times = [seconds_of(series, *stretch) for stretch in stretches] if predictor.contract.times else []
    return lay_out(
        [x[start:end].astype(np.float32) for start, end in stretches],
        nothing,
        every_step=every_step,
        names=tuple(series.name for _ in stretches),
        times=[some for some in times if some is not None] or None,
    )
