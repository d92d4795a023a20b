"""Keep bad samples out of a stream's state, and count them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.errors import InputError
from edgelstm.runtime.clock import NS, as_ns
from edgelstm.runtime.drift import THRESHOLD, Drift, measure_drift
from edgelstm.runtime.predictor import Predictor
from edgelstm.runtime.samples import as_float32

Array = NDArray[np.float32]

_CHOICES = {
    "on_missing": ("hold", "reset", "error"),
    "on_gap": ("hold", "reset", "error"),
    "on_late": ("drop", "error"),
    "on_range": ("count", "clip", "missing"),
}
_LARGEST = float(np.finfo(np.float32).max)
_FLOAT32 = np.dtype(np.float32)


@dataclass(frozen=True)
class Guard:
    """What to do with samples that are not as they should be.

    Attributes:
        on_missing: a value is NaN or infinite, or there is no sample: `"hold"` takes the channel's last good value,
            `"reset"` begins anew with the next whole sample, `"error"` refuses the sample.
        on_gap: more than one period has passed since the last sample: `"hold"` steps the last sample again for each
            one that is missing, `"reset"` begins anew with this sample, `"error"` refuses it. Seen only if samples come
            with times and the contract has a `sample_period_s`.
        max_hold: for how many steps in a row a channel may hold its value, gaps included; one more is a reset.
        on_late: a sample is older than the last one, has its time, or comes too early: `"drop"` or `"error"`.
        max_late: how many samples in a row are dropped for being older than the last one; one more, and the clock has
            been set back, which is a gap of unknown length. Else one time in the far future would shut the stream.
        tolerance: how far two samples may be from one period apart, in periods.
        on_range: a value is outside what the channel had in training: `"count"` it and let it through, `"clip"` it,
            or treat it as `"missing"`.
        margin: how far below the smallest and above the largest training value is still inside, in parts of the range
            between them; `float("inf")` for a series with a trend.
        drift_window: over how many samples drift is measured; 0 measures none.
        drift_threshold: the population stability index from which on a channel is called drifted.

    Raises:
        InputError: on construction, for a value that is none of these.

    Example:
        >>> Guard(on_missing="skip")
        Traceback (most recent call last):
        edgelstm.errors.InputError: on_missing: expected hold, reset or error, got 'skip'
    """

    on_missing: str = "hold"
    on_gap: str = "hold"
    max_hold: int = 3
    on_late: str = "drop"
    max_late: int = 10
    tolerance: float = 0.5
    on_range: str = "count"
    margin: float = 0.1
    drift_window: int = 1000
    drift_threshold: float = THRESHOLD

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                expected = f"{', '.join(known[:-1])} or {known[-1]}"
                raise InputError(f"{name}: expected {expected}, got {getattr(self, name)!r}")
        for name in ("max_hold", "max_late", "drift_window"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 0:
                raise InputError(f"{name}: expected a whole number of at least 0, got {getattr(self, name)!r}")
        for name, most in (("tolerance", 0.5), ("margin", np.inf), ("drift_threshold", np.inf)):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value <= most:
                raise InputError(f"{name}: expected a number from 0 to {most}, got {value!r}")


class ChannelCounts(NamedTuple):
    """What was wrong with the values of one channel.

    Attributes:
        nan: NaN, or there was no sample.
        infinite: infinite, or beyond what float32 holds.
        out_of_range: outside the trained range and its margin.
        held: steps in which the last good value stood in, gaps left out.
    """

    nan: int
    infinite: int
    out_of_range: int
    held: int


class Counts(NamedTuple):
    """What came and what became of it. Each sample is one of the first seven, which add up to all calls of `step`.

    Attributes:
        clean: stepped as they came, out of range or not.
        mended: stepped with a value held or clipped.
        missing: not stepped: a value was missing and there was none to hold.
        late, duplicate, early: dropped: older than the last sample, of its time, or less than a period behind it.
        refused: raised an `InputError`.
        gaps: how often samples were missing between two times.
        filled: steps that stood in for those.
        resets: how often the state began anew because of a sample.
        channels: what was wrong with their values, by name.
    """

    clean: int
    mended: int
    missing: int
    late: int
    duplicate: int
    early: int
    refused: int
    gaps: int
    filled: int
    resets: int
    channels: dict[str, ChannelCounts]

    @property
    def samples(self) -> int:
        """All calls of `step`."""
        return sum(self[:7])


class GuardedStream:
    """A `Stream` with a guard in front of its state; takes one sample at a time.

    A bad sample never reaches the state: it is mended, or left out, or refused, as the guard says, and counted. A
    sample that is refused changes nothing but the counts. After a reset the stream is what it was at the start: a
    window network must see a whole window again until it is `ready`, a carried one answers at the next sample,
    from a zero state, as its training began. Values held before a reset are forgotten: the next sample must be whole.

    One thread at a time, as for `Stream`.

    Example:
        >>> from edgelstm import load
        >>> from edgelstm.runtime import Guard, GuardedStream
        >>> stream = GuardedStream(load("models/co2/co2.fp32.onnx"), Guard(max_hold=2))
        >>> week = 7 * 86400.0
        >>> for i, co2 in enumerate([340.1, 340.3, float("nan"), 340.2]):
        ...     forecast = stream.step([co2], time=i * week)
        >>> stream.counts.clean, stream.counts.mended, stream.counts.channels["co2"].nan
        (3, 1, 1)
        >>> stream.drift().psi  # not yet: fewer than half of Guard.drift_window samples
        {'co2': None}
    """

    def __init__(self, predictor: Predictor, guard: Guard | None = None) -> None:
        """Start a new stream of a predictor.

        Args:
            predictor: of measurements.
            guard: None takes the defaults of `Guard`.

        Raises:
            InputError: the file takes tokens; a guard is for measurements.
        """
        if predictor.contract.tokens:
            raise InputError("a guard watches measurements, and this file takes tokens: use predictor.stream()")
        contract, self._guard = predictor.contract, guard or Guard()
        self._channels = contract.inputs
        self._shape = (len(contract.inputs),)
        self._no_answer = np.full([int(size) for size in contract.answer_shape()], np.nan, np.float32)
        self._stream = predictor.stream()
        self._low, self._high = _limits(contract.inputs, self._guard.margin)
        # One row more than the window: the next sample is read into it before anything is known about it.
        self._ring = np.full((max(self._guard.drift_window, 1) + 1, *self._shape), np.nan, np.float32)
        self._at = 0
        self._inside = np.zeros((2, *self._shape), bool)
        self._not_below, self._not_above = self._inside
        self._all_inside = np.ones_like(self._inside).tobytes()
        self._no_holds = np.zeros(self._shape, np.int64)
        self._period_ns = contract.sample_period_s and contract.sample_period_s * NS
        self._tallies = dict.fromkeys(Counts._fields[:-1], 0)
        self._channel_tallies = {name: np.zeros(self._shape, np.int64) for name in ChannelCounts._fields}
        self._begin()

    def _begin(self) -> None:
        """Know nothing of what came before."""
        self._good: Array | None = None  # what would be held, channel by channel
        self._held = self._no_holds  # int64 [F], for how many steps in a row it was
        self._time: int | None = None
        self._late = 0  # samples in a row
        self._answered = False

    @property
    def ready(self) -> bool:
        """Whether the last sample gave a prediction; False where it was dropped or missing, or after a reset."""
        return self._answered and self._stream.ready

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of the state behind the guard, as `Stream.state` gives it."""
        return self._stream.state

    @property
    def counts(self) -> Counts:
        """A snapshot of what came since the stream was made, for logs and metrics."""
        columns = zip(*(tally.tolist() for tally in self._channel_tallies.values()), strict=True)
        names = (channel.name for channel in self._channels)
        return Counts(**self._tallies, channels={n: ChannelCounts(*c) for n, c in zip(names, columns, strict=True)})

    def drift(self) -> Drift:
        """Compare the last `drift_window` samples with the training, as they came: see `measure_drift`.

        Dropped and refused samples are not among them, nor are steps that filled a gap. Costs tens of microseconds
        for each channel, at the call and not at the steps; once per window is often enough.

        Raises:
            InputError: the guard has no drift window.
        """
        if not self._guard.drift_window:
            raise InputError("drift: this guard has no window, drift_window is 0")
        rows = np.concatenate([self._ring[: self._at], self._ring[self._at + 1 :]])
        return measure_drift(rows, self._channels, self._guard.drift_threshold)

    def reset(self) -> None:
        """Begin anew: zero state, nothing held, no last time. Counts and the drift window go on."""
        self._stream.reset()
        self._begin()

    def step(self, sample: Any, time: Any = None, copy: bool = True) -> Array:
        """Take one sample and give the prediction after it.

        Args:
            sample: [F] numbers in the physical units of `contract.inputs`, NaN or infinite where a value is missing;
                None where a whole sample is.
            time: when it was taken: seconds as a float, nanoseconds as an int, or a `numpy.datetime64`. None where
                samples have no times; once one had, all must have until `reset`.
            copy: False gives a view of the stream's own buffer, which the next step overwrites.

        Returns:
            float32 [K, O], in the physical units of `contract.outputs`; NaN while not `ready`.

        Raises:
            InputError: a wrong shape, no numbers, no time, or what the guard is to refuse; all is as it was before.
        """
        try:
            return self._step(sample, time, copy)
        except InputError:
            self._tallies["refused"] += 1
            raise

    def _step(self, sample: Any, time: Any, copy: bool) -> Array:
        x: Array = self._ring[self._at]
        if type(sample) is np.ndarray and sample.dtype == _FLOAT32 and sample.shape == self._shape:
            x[:] = sample
        else:
            x[:] = self._as_row(sample)
        ns = gap = None
        if time is not None or self._time is not None:
            ns = as_ns(time)
            reason = self._reason_to_drop(ns)
            if reason is not None:
                return self._drop(reason)
            gap = self._gap_before(ns)
        np.greater_equal(x, self._low, self._not_below)
        np.less_equal(x, self._high, self._not_above)
        if gap is None and self._inside.tobytes() == self._all_inside:
            answer = self._stream.step(x, copy)
            self._tallies["clean"] += 1
            self._good, self._held, self._answered = x, self._no_holds, True
        else:
            row = self._mend(x, gap)
            self._answered = row is not None
            answer = self._no_answer.copy() if row is None else self._stream.step(row, copy)
        self._time, self._late = ns, 0
        self._at = (self._at + 1) % len(self._ring)
        return answer

    def _as_row(self, sample: Any) -> Array | float:
        if sample is None:
            return np.nan
        row = as_float32(sample)
        if row.shape != self._shape:
            names = ", ".join(channel.name for channel in self._channels)
            raise InputError(f"expected one sample [F] of {self._shape[0]} channel(s) ({names}), got shape {row.shape}")
        return row

    def _reason_to_drop(self, ns: int) -> str | None:
        elapsed = 1 if self._time is None else ns - self._time
        if elapsed < 0:
            set_back = self._guard.on_late == "drop" and self._late >= self._guard.max_late
            return None if set_back else "late"
        if elapsed == 0:
            return "duplicate"
        soon = self._period_ns and self._time is not None and elapsed < self._period_ns * (1 - self._guard.tolerance)
        return "early" if soon else None

    def _drop(self, reason: str) -> Array:
        if self._guard.on_late == "error":
            raise InputError(f"time: this sample is {reason}: expected one period after the last, {self._period()}")
        self._tallies[reason] += 1
        self._late = self._late + 1 if reason == "late" else self._late
        self._answered = False
        return self._no_answer.copy()

    def _gap_before(self, ns: int) -> int | None:
        """Count the samples that are missing before this one; None where there is no gap."""
        elapsed = 1 if self._time is None else ns - self._time
        if elapsed < 0:
            missing = self._guard.max_hold + 1  # the clock was set back: nobody knows how many
        elif self._time is None or not self._period_ns or elapsed <= self._period_ns * (1 + self._guard.tolerance):
            return None
        else:
            missing = round(elapsed / self._period_ns) - 1
        if self._guard.on_gap == "error":
            raise InputError(
                f"time: {elapsed / NS:g} s after the last sample, expected {self._period()}; reset() begins anew"
            )
        return missing

    def _period(self) -> str:
        if not self._period_ns:
            return "a later time"
        return f"{self._period_ns / NS:g} s, give or take {self._guard.tolerance * self._period_ns / NS:g}"

    def _mend(self, x: Array, gap: int | None) -> Array | None:
        """Give what is to be stepped in place of a sample, None for nothing; from here on it is not refused."""
        row, missing = self._judge(x)
        if missing.any() and self._guard.on_missing == "error":
            names = ", ".join(c.name for c, gone in zip(self._channels, missing, strict=True) if gone)
            raise InputError(f"expected a whole sample, but there is no good value for {names}; reset() begins anew")
        if gap is not None:
            self._bridge(gap)
        self._held = np.where(missing, self._held + 1, 0)
        if missing.any() and (self._good is None or self._guard.on_missing == "reset" or self._held_too_long()):
            self._restart()
            self._tallies["missing"] += 1
            return None
        if missing.any() and self._good is not None:
            row[missing] = self._good[missing]
            self._channel_tallies["held"] += missing
        self._tallies["clean" if np.array_equal(row, x) else "mended"] += 1
        self._good = row
        return row

    def _judge(self, x: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Count what is wrong with a sample; give it clipped if so asked, and which of its values are missing."""
        missing = ~np.isfinite(x)
        outside = ~(missing | self._inside.all(axis=0))
        self._channel_tallies["nan"] += np.isnan(x)
        self._channel_tallies["infinite"] += np.isinf(x)
        self._channel_tallies["out_of_range"] += outside
        if self._guard.on_range == "clip":
            return np.where(outside, x.clip(self._low, self._high), x), missing
        return x.copy(), missing | outside if self._guard.on_range == "missing" else missing

    def _bridge(self, gap: int) -> None:
        """Stand in for the samples that are missing between two times, or begin anew."""
        self._tallies["gaps"] += 1
        self._held = self._held + gap
        if self._guard.on_gap == "reset" or self._held_too_long():
            self._restart()
        elif self._good is not None:
            for _ in range(gap):
                self._stream.step(self._good, copy=False)
            self._tallies["filled"] += gap

    def _held_too_long(self) -> bool:
        return bool(self._held.max() > self._guard.max_hold)

    def _restart(self) -> None:
        if self._good is not None:
            self._stream.reset()
            self._tallies["resets"] += 1
        self._good, self._held = None, self._no_holds


def _limits(channels: tuple[Channel, ...], margin: float) -> tuple[Array, Array]:
    """Give the smallest and largest value [F] that is inside; without statistics all that is finite is."""
    limits = np.array([[-_LARGEST] * len(channels), [_LARGEST] * len(channels)])
    for i, channel in enumerate(channels):
        if channel.statistics is not None and margin != np.inf:
            least, most = channel.statistics.min, channel.statistics.max
            limits[:, i] = least - margin * (most - least), most + margin * (most - least)
    low, high = limits.clip(-_LARGEST, _LARGEST).astype(np.float32)
    return low, high
