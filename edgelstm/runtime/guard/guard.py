"""What to do with samples that are not as they should be, and how many of them came."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from edgelstm.errors import InputError
from edgelstm.runtime.guard.drift import THRESHOLD

_CHOICES = {
    "on_missing": ("hold", "reset", "error"),
    "on_gap": ("hold", "reset", "error"),
    "on_late": ("drop", "error"),
    "on_range": ("count", "clip", "missing"),
}

MAX_HOLD = 3  # where neither the guard nor training says


@dataclass(frozen=True)
class Guard:
    """What to do with samples that are not as they should be.

    Attributes:
        on_missing: a value is NaN or infinite, or there is no sample: `"hold"` takes the channel's last good value,
            `"reset"` begins anew with the next whole sample, `"error"` refuses the sample.
        on_gap: more than one period has passed since the last sample: `"hold"` steps the last sample again for each
            one that is missing, `"reset"` begins anew with this sample, `"error"` refuses it. Seen only if samples come
            with times and the contract has a `sample_period_s`. Periods are those of the rhythm of training: to a
            network of business days Friday to Monday is no gap, nor are up to ten days without one, which were taken
            for holidays in training too.
        max_hold: for how many steps in a row a channel may hold its value, gaps included; one more is a reset. None: as
            many as training filled (`contract.reading.max_gap`), or 3 where it had no limit.
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
                expected = f"{', '.join(known[:-1])} or {known[-1]}"
                raise InputError(f"{name}: expected {expected}, got {getattr(self, name)!r}")
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
