"""Keep bad samples out of a stream's state, and count them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array32
from edgelstm.contract import Channel
from edgelstm.errors import InputError, SharingError, counted
from edgelstm.reading import Reading
from edgelstm.runtime.clock import NS, as_ns
from edgelstm.runtime.guard.drift import Drift, measure_drift
from edgelstm.runtime.guard.guard import MAX_HOLD, ChannelCounts, Counts, Guard
from edgelstm.runtime.guard.pace import Pace
from edgelstm.runtime.predictor import Predictor
from edgelstm.runtime.samples import as_float32, from_origins, origins_of

_LARGEST = float(np.finfo(np.float32).max)
_FLOAT32 = np.dtype(np.float32)


class GuardedStream:
    """A `Stream` with a guard before its state; takes one sample at a time.

    A bad sample never reaches the state: it is fixed, skipped or refused, as the guard says, and counted. A refused
    sample changes nothing but the counts. A reset returns the stream to its start: a window network must see a whole
    window before it is `ready` again, a carried one answers at the next sample, from a zero state as in training.
    Values held before a reset are forgotten: the next sample must be complete.

    One thread may use it at a time, a second one is refused; `counts` and `drift` may be read from another.

    Example:
        >>> from edgelstm import load
        >>> from edgelstm.runtime import Guard, GuardedStream
        >>> stream = GuardedStream(load("models/co2/co2.fp32.onnx"), Guard(max_hold=2))
        >>> week = 7 * 86400
        >>> for i, co2 in enumerate([340.1, 340.3, float("nan"), 340.2]):
        ...     forecast = stream.step([co2], time_s=i * week)
        >>> stream.counts.clean, stream.counts.mended, stream.counts.channels["co2"].nan
        (3, 1, 1)
        >>> stream.drift().psi  # not yet: fewer than half of Guard.drift_window samples
        {'co2': None}
    """

    def __init__(self, predictor: Predictor, guard: Guard | None = None) -> None:
        """Start a new stream of a predictor.

        Args:
            predictor: a predictor of measurements.
            guard: None takes the defaults of `Guard`.

        Raises:
            InputError: the file takes tokens; a guard is for measurements.
        """
        if predictor.contract.tokens:
            raise InputError("a guard is for measurements, but this file takes tokens: use predictor.stream()")
        self._inputs, self._origins = predictor.contract.inputs, origins_of(predictor.contract.outputs)
        contract, self._guard = predictor.bare.contract, guard or Guard()
        self._max_hold = _max_hold(self._guard, contract.reading)
        self._channels = contract.inputs
        self._shape = (len(contract.inputs),)
        self._no_answer = np.full([int(size) for size in contract.answer_shape()], np.nan, np.float32)
        self._stream = predictor.bare.stream()
        plain = contract is predictor.contract
        self._quick = _FLOAT32 if plain else np.dtype(np.void)  # the dtype that enters the ring unchanged
        self._moved = not plain and bool(self._origins.any())
        self._free: list[None] = [None]  # empty while a thread is inside; see edgelstm.runtime.engine.sharing
        self._low, self._high = _limits(contract.inputs, self._guard.margin)
        # One row more than the window: the next sample is written into it before it is checked.
        self._ring = np.full((max(self._guard.drift_window, 1) + 1, *self._shape), np.nan, np.float32)
        self._at = 0
        self._inside = np.zeros((2, *self._shape), bool)
        self._not_below, self._not_above = self._inside
        self._all_inside = np.ones_like(self._inside).tobytes()
        self._no_holds = np.zeros(self._shape, np.int64)
        self._pace = Pace(contract)
        self._timed = contract.times
        self._tallies = dict.fromkeys(Counts._fields[:-1], 0)
        self._channel_tallies = {name: np.zeros(self._shape, np.int64) for name in ChannelCounts._fields}
        self._begin()

    def _begin(self) -> None:
        """Forget everything that came before."""
        self._good: Array32 | None = None  # the value to hold, by channel
        self._held = self._no_holds  # int64 [F], for how many steps in a row it was held
        self._time: int | None = None
        self._late = 0  # samples in a row
        self._answered = False

    @property
    def ready(self) -> bool:
        """Whether the last sample gave a prediction; False where it was dropped or missing, or after a reset."""
        return self._answered and self._stream.ready

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of the stream's state, as `Stream.state` gives it."""
        return self._stream.state

    @property
    def counts(self) -> Counts:
        """A snapshot of all counts since the stream was made, for logs and metrics."""
        columns = zip(*(tally.tolist() for tally in self._channel_tallies.values()), strict=True)
        names = (channel.name for channel in self._channels)
        return Counts(**self._tallies, channels={n: ChannelCounts(*c) for n, c in zip(names, columns, strict=True)})

    def drift(self) -> Drift:
        """Compare the last `drift_window` samples, as they came, with training: see `measure_drift`.

        Dropped and refused samples are not included, nor are steps that filled a gap. A call costs tens of microseconds
        for each channel, steps cost no more; once per window is enough.

        Raises:
            InputError: the guard has no drift window.
        """
        if not self._guard.drift_window:
            raise InputError("drift: this guard has no window; give it a drift_window above 0")
        rows = np.concatenate([self._ring[: self._at], self._ring[self._at + 1 :]])
        return measure_drift(rows, self._channels, self._guard.drift_threshold)

    def reset(self) -> None:
        """Start again: zero state, nothing held, no last time. Counts and the drift window continue."""
        self._enter()
        try:
            self._stream.reset()
            self._begin()
        finally:
            self._free.append(None)

    def step(self, sample: Any, time_s: Any = None, copy: bool = True) -> NDArray[Any]:
        """Take one sample and return the prediction after it.

        Args:
            sample: [F] numbers in the physical units of `contract.inputs`; None, NaN or infinity for a missing value,
                None for a missing sample.
            time_s: when it was taken: seconds since 1970, UTC, whole or not, such as `time.time()`, or a
                `numpy.datetime64`. None if samples have no times; after one with a time, all must have one until
                `reset`. A file that takes times gets these. If neither file nor rhythm uses the calendar, seconds of
                any other clock work as well.
            copy: False gives a view of the stream's own buffer, which the next step overwrites.

        Returns:
            float32 [K, O], in the physical units of `contract.outputs`, float64 if one has an origin; NaN while not
            `ready`.

        Raises:
            InputError: a wrong shape, not numbers, no time, or a sample that the guard refuses; nothing has changed.
            SharingError: another thread is stepping this stream; nothing is counted.
        """
        self._enter()
        try:
            answer = self._step(sample, time_s, copy)
            return answer + self._origins if self._moved else answer
        except InputError:
            self._tallies["refused"] += 1
            raise
        finally:
            self._free.append(None)

    def _enter(self) -> None:
        try:
            self._free.pop()
        except IndexError:
            raise SharingError(
                "this guarded stream is in use by another thread: use one per thread, or put a lock around this one"
            ) from None

    def _step(self, sample: Any, time_s: Any, copy: bool) -> Array32:
        x: Array32 = self._ring[self._at]
        if type(sample) is np.ndarray and sample.dtype == self._quick and sample.shape == self._shape:
            x[:] = sample
        else:
            x[:] = self._as_row(sample)
        ns = gap = None
        if time_s is not None or self._time is not None or self._timed:
            ns = as_ns(time_s)
            reason = self._reason_to_drop(ns)
            if reason is not None:
                return self._drop(reason)
            gap = self._gap_before(ns)
        np.greater_equal(x, self._low, self._not_below)
        np.less_equal(x, self._high, self._not_above)
        row: Array32 | None = x
        held = self._no_holds
        if gap is not None or self._inside.tobytes() != self._all_inside:
            row, held = self._mend(x, ns, gap)
        answer = self._no_answer.copy() if row is None else self._stream.step(row, self._seconds(ns), copy)
        self._tallies["missing" if row is None else "clean" if row is x else "mended"] += 1
        self._good, self._held, self._answered = row, held, row is not None
        self._time, self._late = ns, 0
        self._at = (self._at + 1) % len(self._ring)
        return answer

    def _seconds(self, ns: int | None) -> int | None:
        """Convert a time for the file: whole seconds, or None if it takes none."""
        return ns // NS if ns is not None and self._timed else None

    def _as_row(self, sample: Any) -> Array32 | float:
        if sample is None:
            return np.nan
        row = as_float32(from_origins(sample, self._inputs))
        if row.shape != self._shape:
            names = ", ".join(channel.name for channel in self._channels)
            channels = counted(self._shape[0], "channel")
            raise InputError(f"expected one sample [F] of {channels} ({names}), got shape {row.shape}")
        return row

    def _reason_to_drop(self, ns: int) -> str | None:
        elapsed = 1 if self._time is None else ns - self._time
        if elapsed < 0:
            set_back = self._guard.on_late == "drop" and self._late >= self._guard.max_late
            return None if set_back else "late"
        if elapsed == 0:
            return "duplicate"
        soon = self._time is not None and self._pace.before(self._time, ns, 1 - self._guard.tolerance)
        return "early" if soon else None

    def _drop(self, reason: str) -> Array32:
        if self._guard.on_late == "error":
            raise InputError(f"time_s: this sample is {reason}: expected one period after the last, {self._period()}")
        self._tallies[reason] += 1
        self._late = self._late + 1 if reason == "late" else self._late
        self._answered = False
        return self._no_answer.copy()

    def _gap_before(self, ns: int) -> int | None:
        """Count the samples that are missing before this one; None if there is no gap."""
        if self._time is None:
            return None
        if ns < self._time:
            missing = self._max_hold + 1  # the clock was set back: an unknown number
        elif not self._pace.behind(self._time, ns, 1 + self._guard.tolerance):
            return None
        else:
            missing = self._pace.between(self._time, ns)
        if self._guard.on_gap == "error":
            late_s = (ns - self._time) / NS
            raise InputError(
                f"time_s: {late_s:g} s after the last sample, expected {self._period()}; call reset() to start again"
            )
        return missing

    def _period(self) -> str:
        return self._pace.words(self._guard.tolerance)

    def _mend(self, x: Array32, ns: int | None, gap: int | None) -> tuple[Array32 | None, NDArray[np.int64]]:
        """Return what to step for a sample (x itself, a copy, None for nothing), and how long each value was held."""
        row, missing = self._judge(x)
        if missing.any() and self._guard.on_missing == "error":
            names = ", ".join(c.name for c, gone in zip(self._channels, missing, strict=True) if gone)
            raise InputError(f"expected a complete sample, got no valid value for {names}; call reset() to start again")
        if ns is not None and gap is not None:
            self._bridge(ns, gap)
        held = np.where(missing, self._held + 1, 0)
        if not missing.any():
            return x if np.array_equal(row, x) else row, held
        if self._good is None or self._guard.on_missing == "reset" or held.max() > self._max_hold:
            self._restart()
            return None, self._no_holds
        row[missing] = self._good[missing]
        self._channel_tallies["held"] += missing
        return row, held

    def _judge(self, x: Array32) -> tuple[Array32, NDArray[np.bool_]]:
        """Count what is wrong with a sample; return it, clipped if so asked, and which of its values are missing."""
        missing = ~np.isfinite(x)
        outside = ~(missing | self._inside.all(axis=0))
        self._channel_tallies["nan"] += np.isnan(x)
        self._channel_tallies["infinite"] += np.isinf(x)
        self._channel_tallies["out_of_range"] += outside
        if self._guard.on_range == "clip":
            return np.where(outside, x.clip(self._low, self._high), x), missing
        return x.copy(), missing | outside if self._guard.on_range == "missing" else missing

    def _bridge(self, ns: int, gap: int) -> None:
        """Fill in the samples that are missing between two times, or start again."""
        self._tallies["gaps"] += 1
        before = self._time or 0
        self._time = self._pace.back(ns)  # in case the network refuses the sample itself
        if self._guard.on_gap == "reset" or self._held.max() + gap > self._max_hold:
            self._restart()
        elif self._good is not None:
            for i in range(1, gap + 1):
                self._stream.step(self._good, self._seconds(self._pace.after(before, i)), copy=False)
                self._tallies["filled"] += 1
                self._held = self._held + 1

    def _restart(self) -> None:
        if self._good is not None:
            self._stream.reset()
            self._tallies["resets"] += 1
        self._good, self._held = None, self._no_holds


def _max_hold(guard: Guard, reading: Reading | None) -> int:
    """Return for how many steps values are held: set by the guard, else by training, else `MAX_HOLD`."""
    if guard.max_hold is not None:
        return guard.max_hold
    filled = None if reading is None else reading.max_gap
    return MAX_HOLD if filled is None else filled


def _limits(channels: tuple[Channel, ...], margin: float) -> tuple[Array32, Array32]:
    """Return the smallest and largest value [F] that is inside; without statistics all finite values are."""
    limits = np.array([[-_LARGEST] * len(channels), [_LARGEST] * len(channels)])
    for i, channel in enumerate(channels):
        if channel.statistics is not None and margin != np.inf:
            least, most = channel.statistics.min, channel.statistics.max
            limits[:, i] = least - margin * (most - least), most + margin * (most - least)
    low, high = limits.clip(-_LARGEST, _LARGEST).astype(np.float32)
    return low, high
