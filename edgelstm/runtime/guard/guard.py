"""What to do with bad samples, and how many of them came."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from edgelstm.errors import InputError, either
from edgelstm.runtime.guard.drift import THRESHOLD

_CHOICES = {
    "on_missing": ("hold", "reset", "error"),
    "on_gap": ("hold", "reset", "error"),
    "on_late": ("drop", "error"),
    "on_range": ("count", "clip", "missing"),
}

MAX_HOLD = 3  # if neither the guard nor training sets it


@dataclass(frozen=True)
class Guard:
    """What to do with bad samples.

    Attributes:
        on_missing: a value is NaN or infinite, or there is no sample: `"hold"` takes the channel's last good value,
            `"reset"` starts again with the next complete sample, `"error"` refuses the sample.
        on_gap: more than one period has passed since the last sample: `"hold"` repeats the last sample once for each
            missing one, `"reset"` starts again with this sample, `"error"` refuses it. Detected only if samples have
            times and the contract has a `sample_period_s`. Periods follow the rhythm of training: for business days,
            Friday to Monday is no gap, nor are up to ten days without a sample, which count as holidays in training
            too.
        max_hold: for how many steps in a row a channel may hold its value, gaps included; one more is a reset. None: as
            many as training filled (`contract.reading.max_gap`), or 3 if it had no limit.
        on_late: a sample is older than the last one, has the same time, or comes too early: `"drop"` or `"error"`.
        max_late: how many samples in a row are dropped for being older than the last one; one more means that the clock
            was set back, a gap of unknown length. Without this limit, one time in the far future would block the
            stream.
        tolerance: how far the distance of two samples may differ from one period, in periods.
        on_range: a value is outside the training range of its channel: `"count"` it and accept it, `"clip"` it, or
            treat it as `"missing"`.
        margin: how far below the smallest and above the largest training value is still inside, as a share of the range
            between them; `float("inf")` for a series with a trend.
        drift_window: number of samples over which drift is measured; 0: drift is not measured.
        drift_threshold: the population stability index from which a channel counts as drifted.

    Raises:
        InputError: on construction, for any other value.

    Example:
        >>> Guard(on_missing="skip")
        Traceback (most recent call last):
        edgelstm.errors.InputError: on_missing: expected hold, reset or error, got 'skip'
    """

    on_missing: str = "hold"
    on_gap: str = "hold"
    max_hold: int | None = None
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
                raise InputError(f"{name}: expected {either(known)}, got {getattr(self, name)!r}")
        for name in ("max_hold", "max_late", "drift_window"):
            if name == "max_hold" and self.max_hold is None:
                continue
            if type(getattr(self, name)) is not int or getattr(self, name) < 0:
                raise InputError(f"{name}: expected a whole number of at least 0, got {getattr(self, name)!r}")
        for name, most in (("tolerance", 0.5), ("margin", math.inf), ("drift_threshold", math.inf)):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value <= most:
                raise InputError(f"{name}: expected a number from 0 to {most}, got {value!r}")


class ChannelCounts(NamedTuple):
    """What was wrong with the values of one channel.

    Attributes:
        nan: NaN, or there was no sample.
        infinite: infinite, or beyond what float32 holds.
        out_of_range: outside the trained range and its margin.
        held: steps that used the last good value instead, without those that filled gaps.
    """

    nan: int
    infinite: int
    out_of_range: int
    held: int


class Counts(NamedTuple):
    """How many samples came, by what happened to them.

    The first seven add up to all calls of `step`.

    Attributes:
        clean: stepped unchanged, out of range or not.
        mended: stepped with a value held or clipped.
        missing: not stepped: a value was missing and there was none to hold.
        late, duplicate, early: dropped: older than the last sample, of the same time, or less than a period after it.
        refused: raised an `InputError`.
        gaps: how often samples were missing between two times.
        filled: steps that filled these gaps.
        resets: how often a sample reset the state.
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
