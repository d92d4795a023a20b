"""Forecasts of a series, from a file that was trained to forecast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.answers.answered import Answers, Places
from edgelstm.answers.gaps import filled, forwards, refuse_gaps
from edgelstm.answers.samples import Samples
from edgelstm.data.causal import Causal, causal, whole_stretches
from edgelstm.data.rows import seconds_of
from edgelstm.data.series import Series
from edgelstm.data.windows import Index
from edgelstm.errors import InputError, counted
from edgelstm.rhythm import after
from edgelstm.runtime import Predictor

BATCH = 256
Forecasts = list[tuple[Index, NDArray[np.floating]]]  # origins [n], and the forecast from each, [n, K, O]


def forecast(predictor: Predictor, series: Series, samples: Samples, every_row: bool) -> Answers:
    """Forecast from the last row, or from every row with a complete window: K answers from each.

    For each forecast, gaps are filled from the rows up to its origin alone, as on a device. With `every_row`, forecasts
    whose window contains a gap that is not filled are skipped and counted.

    Raises:
        InputError: there are fewer rows than one window.
        DataError: a needed sample is missing and not filled.
    """
    contract = predictor.contract
    count, carried = len(series.values), contract.state == "carried"
    needed = 1 if carried else contract.window
    if count < needed:
        raise InputError(f"{series.name}: expected at least {counted(needed, 'row')} (one window), got {count}")
    asked = np.arange(needed - 1, count) if every_row else np.array([count - 1])
    found = (_carried if carried else _windowed)(predictor, series, samples, asked)
    nothing = np.empty((0, contract.horizon, len(contract.outputs)), np.float32)
    origins = np.concatenate([np.empty(0, np.int64), *(some for some, _ in found)])
    y = np.concatenate([y for _, y in found]) if found else nothing
    return _at_their_places(predictor, series, samples, origins, y)._replace(
        notes=_left_out(len(asked) - len(origins), len(asked), series)
    )


def _windowed(predictor: Predictor, series: Series, samples: Samples, origins: Index) -> Forecasts:
    """Run the window that ends at each origin."""
    contract, rows = predictor.contract, causal(series, samples.filling)
    found: Forecasts = []
    for start in range(0, len(origins), BATCH):
        some = origins[start : start + BATCH]
        x = np.stack([rows.up_to(origin, contract.window) for origin in some.tolist()])
        good = ~np.isnan(x).any(axis=(1, 2))
        if not good.all():
            _refuse(series, rows, int(some[~good][0]), contract.window, samples, alone=len(origins) == 1)
            some, x = some[good], x[good]
        if len(some):
            times = [seconds_of(series, row + 1 - contract.window, row + 1) for row in some] if contract.times else None
            found.append((some, predictor.predict(x, time_s=times)))
    return found


def _refuse(series: Series, rows: Causal, origin: int, steps: int, samples: Samples, alone: bool) -> None:
    """Refuse the only window; one of many is skipped, unless every gap is an error."""
    if alone or samples.filling.policy == "error":
        refuse_gaps(series, rows.up_to(origin, steps), origin, samples.filling)


def _carried(predictor: Predictor, series: Series, samples: Samples, origins: Index) -> Forecasts:
    """Step through all rows once; start again from zero after a gap."""
    contract, last, alone = predictor.contract, len(series.values) - 1, len(origins) == 1
    filling = samples.filling if alone else forwards(samples.filling)
    x = filled(series, filling)
    if filling.policy == "error":
        refuse_gaps(series, x, last, filling)
    found: Forecasts = []
    for start, end in whole_stretches(x):
        asked = origins[(origins >= start) & (origins < end)]
        if len(asked):
            y = predictor.predict(x[start:end], time_s=seconds_of(series, start, end) if contract.times else None)
            found.append((asked, y[asked - start]))
    if alone and not found:
        refuse_gaps(series, x[-1:], last, filling)
    return found


def _at_their_places(
    predictor: Predictor, series: Series, samples: Samples, origins: Index, y: NDArray[np.floating]
) -> Answers:
    """Add the rows and times of each forecast: its origin and its steps."""
    contract = predictor.contract
    steps = np.arange(1, contract.horizon + 1)
    seen = ahead = None
    if series.time is not None and samples.rhythm is not None:
        seen = series.time[origins]
        ahead = np.stack([after(seen, samples.rhythm, step, samples.zone) for step in steps.tolist()], axis=1).ravel()
        seen = seen.repeat(len(steps))
    return Answers(
        series.name,
        contract.outputs,
        y.reshape(-1, len(contract.outputs)),
        at=Places((origins[:, np.newaxis] + steps).ravel(), ahead),
        origins=Places(origins.repeat(len(steps)), seen),
        steps=np.tile(steps, len(origins)),
    )


def _left_out(count: int, asked: int, series: Series) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{series.name}: {count} of {asked} forecasts skipped: their windows contain an unfilled gap",)
