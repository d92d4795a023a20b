"""Fill the gaps of a series; refuse what is still missing, and say what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgelstm.data.causal import FILLING, Filling
from edgelstm.data.rows import filled_rows, seconds_of
from edgelstm.data.sequences import Sequences, lay_out
from edgelstm.data.series import Series
from edgelstm.errors import DataError, counted
from edgelstm.runtime import Predictor
from edgelstm.runtime.samples import from_origins


def filled(series: Series, filling: Filling) -> NDArray[np.float64]:
    """Fill gaps from the whole series: float64 [N, F], NaN where a gap stays open."""
    policy = "drop" if filling.policy == "error" else filling.policy
    return filled_rows(series, series.names, len(series.values), policy, filling.max_gap, filling.categories)


def forwards(filling: Filling) -> Filling:
    """Fill as for a carried state, which cannot look ahead to interpolate: repeat the last value."""
    return filling._replace(policy="forward") if filling.policy == "interpolate" else filling


def refuse_gaps(series: Series, rows: NDArray[np.float64], last: int, filling: Filling) -> None:
    """Refuse rows with a missing sample, and say what to do.

    Args:
        series: as it was read.
        rows: float64 [T, F], filled as far as possible.
        last: the row of the series that is the last of these rows.
        filling: how they were filled.

    Raises:
        DataError: a sample is missing.
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
            f"{series.name}: {counted(int(missing.sum()), 'missing sample')} in {window}, the first {place}; fill gaps "
            "with --missing interpolate or forward"
        )
    if np.isnan(series.values[: first + row + 1, column]).all():
        raise DataError(f"{series.name}: {window} begins before the first value {place}: remove the first rows")
    raise DataError(
        f"{series.name}: {window} contains a gap of more than {counted(filling.max_gap or 0, 'sample')}, {place}: add "
        "rows until a complete window follows the gap, or raise --max-gap"
    )


def as_sequences(
    predictor: Predictor,
    series: Series,
    x: NDArray[np.float64],
    stretches: Sequence[tuple[int, int]],
    every_step: bool,
) -> Sequences:
    """Make sequences from stretches of a series, minus origins; their targets are empty."""
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
