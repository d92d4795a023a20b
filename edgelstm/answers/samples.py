"""The samples to answer for: from a table, read as in training, or from memory."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract, Task, traits_of
from edgelstm.data.asked import names_of, policy_of, read_for
from edgelstm.data.causal import Filling
from edgelstm.data.rows import known_ahead
from edgelstm.data.series import Series
from edgelstm.errors import DataError, InputError
from edgelstm.reading import Reading, Rhythm
from edgelstm.runtime.samples import as_numbers


class Samples(NamedTuple):
    """Samples of one or many series, and their rhythm.

    Attributes:
        series: at least one, of the input channels. For channels known ahead, a sample holds the value that the
            network takes with it; the last sample is the last that has all of them.
        filling: how gaps are filled.
        rhythm: the time between two samples; None without times, or if unknown.
        reading: how they were read; None for samples in memory of a file that was trained on arrays.
        notes: what was done, one line each.
    """

    series: tuple[Series, ...]
    filling: Filling
    rhythm: Rhythm | None
    reading: Reading | None
    notes: tuple[str, ...] = ()

    @property
    def zone(self) -> str | None:
        """The IANA time zone of the table; None for UTC."""
        return None if self.reading is None or self.reading.time is None else self.reading.time.zone


def read_samples(source: str | Path | IO[Any], contract: Contract, *, every_row: bool = False, **given: Any) -> Samples:
    """Read the input channels of a contract from a table, as in training.

    Args:
        source: as for `edgelstm.data.readers.sources.read_source`.
        contract: of the file that will answer.
        every_row: answers are wanted from every row, so the last row may have none.
        **given: fields of `edgelstm.data.readers.asking.Asking`; they override the reading of training.

    Raises:
        InputError: the file needs times and there is no timestamp column, the policy for gaps is unknown, or
            `every_row` is given for a file that does not forecast.
        DataError: the table cannot be read, does not fit the training, or lacks values that must be known ahead of
            its last sample.

    Example:
        >>> from edgelstm import load
        >>> contract = load("models/co2/co2.fp32.onnx").contract
        >>> samples = read_samples("builtin:co2", contract)
        >>> samples.series[0].values.shape, samples.rhythm.name
        ((2284, 1), 'week')
    """
    check_every_row(contract.task, every_row)
    policy = policy_of(contract, given.get("gaps"))
    found = read_for(contract, source, {**given, "gaps": policy})
    return Samples(
        series=tuple(_with_known_ahead(some, contract, every_row) for some in found.series),
        filling=_filling(contract, policy, found.reading.max_gap),
        rhythm=None if found.series[0].time is None else _rhythm(contract),
        reading=found.reading,
        notes=found.notes,
    )


def samples_of(values: Any, contract: Contract, time_s: Any = None, name: str = "") -> Samples:
    """Take samples of one series from memory, equally spaced as in training.

    Gaps (NaN or None) are filled as in training.

    Args:
        values: array or nested list of numbers [N, F], in the order and the physical units of `contract.inputs`; for
            channels known ahead the value that the network takes with each sample.
        contract: of the file that will answer.
        time_s: the time of each sample, [N]: seconds since 1970, UTC, or `numpy.datetime64`; None without times.
        name: of the series.

    Raises:
        InputError: no numbers, a wrong number of channels, times that do not ascend, or no times for a file that
            needs them.
    """
    rows = as_numbers(values).astype(np.float64)
    names = names_of(contract.inputs)
    if rows.ndim != 2 or rows.shape[1] != len(names) or len(rows) == 0:
        raise InputError(f"expected samples [N, {len(names)}] of {', '.join(names)}, got shape {rows.shape}")
    time = None if time_s is None else _moments(time_s, len(rows))
    if contract.times and time is None:
        raise InputError("time_s: this file needs the time of each sample")
    rhythm, reading = None if time is None else _rhythm(contract), contract.reading
    policy, max_gap = policy_of(contract, None), None if reading is None else reading.max_gap
    series = Series(names, rows, time, contract.sample_period_s, None, name, rhythm=rhythm)
    return Samples((series,), _filling(contract, policy, max_gap), rhythm, reading)


def check_every_row(task: Task, every_row: bool) -> None:
    """Check that the task allows an answer from every row.

    Raises:
        InputError: it does not.
    """
    traits = traits_of(task)
    if not every_row or traits.has_horizon:
        return
    why = "answers every row anyway" if traits.every_step else "gives one answer for each series"
    raise InputError(f"--all is for forecasts only; this file was trained to {task} and {why}")


def _filling(contract: Contract, policy: str, max_gap: int | None) -> Filling:
    return Filling(policy, max_gap, names_of([channel for channel in contract.inputs if channel.category is not None]))


def _rhythm(contract: Contract) -> Rhythm | None:
    """Give the time between two samples as trained, because a table may be too short to show it."""
    if contract.reading is not None:
        return contract.reading.rhythm
    return Rhythm("second", contract.sample_period_s) if contract.sample_period_s else None


def _moments(time_s: Any, count: int) -> NDArray[np.datetime64]:
    """Convert given times to datetime64[us] [N]."""
    given = np.asarray(time_s)
    if given.shape != (count,) or given.dtype.kind not in "Miuf":
        raise InputError(f"time_s: expected {count} times, got {given.dtype} of shape {given.shape}")
    known = np.isfinite(given)
    if given.dtype.kind != "M":
        given = np.round(np.where(known, given, 0) * 1e6).astype(np.int64)
    times = given.astype("datetime64[us]")
    if not known.all() or (np.diff(times) <= np.timedelta64(0, "us")).any():
        raise InputError("time_s: expected times that ascend from sample to sample; sort the samples")
    return times


def _with_known_ahead(series: Series, contract: Contract, every_row: bool) -> Series:
    """Move values known ahead next to their sample, and check that the table reaches far enough."""
    ahead = {channel.source: channel.ahead for channel in contract.inputs if channel.ahead}
    if not ahead:
        return series
    most = max(ahead.values())
    measured = [name for name in series.names if name not in ahead]
    known = np.flatnonzero(~np.isnan(series.columns(tuple(measured))).any(axis=1))
    last, needed = int(known[-1]) + 1 if len(known) else 0, len(series.values) - most
    if last > needed and not every_row:
        column = max(ahead, key=lambda name: ahead[name])
        raise DataError(
            f"{series.name}: a forecast from the last sample (row {last}) needs {column!r} up to row {last + most}, "
            f"but the table ends at row {len(series.values)}: add these rows with the known columns alone, or use --all"
        )
    return known_ahead(series, ahead, contract.window if contract.state == "window" else 1)
