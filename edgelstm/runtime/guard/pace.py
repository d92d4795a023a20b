"""The distance between samples of a stream: a fixed time, or a rhythm of the calendar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.reading import Reading, Rhythm
from edgelstm.rhythm import HOLIDAYS, after, samples_between
from edgelstm.runtime.clock import NS

_UTC = (None, "UTC", "Etc/UTC")


class Pace:
    """The distance between two samples of a contract; times are nanoseconds since 1970, UTC.

    A fixed period is counted in whole numbers, from any moment. Business days, months, and days of a zone whose clocks
    change are counted on the calendar, which takes a few microseconds per sample.

    Example:
        >>> from edgelstm import load
        >>> weekly = Pace(load("models/co2/co2.fp32.onnx").contract)
        >>> weekly.between(0, 3 * 7 * 86400 * NS), weekly.words(0.5)
        (2, '604800 s +/- 302400 s')
    """

    def __init__(self, contract: Contract) -> None:
        self._period_ns = contract.sample_period_s and contract.sample_period_s * NS
        self._rhythm = _calendar(contract.reading)
        time = contract.reading and contract.reading.time
        self._zone = time.zone if time else None

    def before(self, last: int, now: int, periods: float) -> bool:
        """Whether `now` is fewer than `periods` after `last`; False if the period is unknown."""
        if self._rhythm is not None:
            return self._count(last, now) < periods
        return bool(self._period_ns) and now - last < (self._period_ns or 0) * periods

    def behind(self, last: int, now: int, periods: float) -> bool:
        """Whether `now` is more than `periods` after `last`; False if the period is unknown.

        Holidays are not listed anywhere: up to `HOLIDAYS` business days in a row without a sample count as holidays, as
            when tables are read.
        """
        if self._rhythm is not None:
            holidays = HOLIDAYS if self._rhythm.unit == "business day" else 0
            return self._count(last, now) > periods + holidays
        return bool(self._period_ns) and now - last > (self._period_ns or 0) * periods

    def between(self, last: int, now: int) -> int:
        """Count the samples missing between two."""
        return round(self._count(last, now)) - 1

    def after(self, last: int, steps: int) -> int:
        """Return the time of the sample `steps` later."""
        if self._rhythm is not None:
            return _as_ns(after(_as_times(last), self._rhythm, steps, self._zone))
        return last + steps * self._whole

    def back(self, now: int) -> int:
        """Return the time of the sample before."""
        if self._rhythm is not None:
            return self.after(now, -1)
        return now - self._whole

    def words(self, tolerance: float) -> str:
        """Say which distance is expected between two samples, with its tolerance."""
        if not self._period_ns:
            return "a later time"
        if self._rhythm is not None:
            return f"one {self._rhythm.name} +/- {tolerance:g}"
        return f"{self._period_ns / NS:g} s +/- {tolerance * self._period_ns / NS:g} s"

    @property
    def _whole(self) -> int:
        return round(self._period_ns or 1)

    def _count(self, last: int, now: int) -> float:
        """Count the periods from one moment to another."""
        if self._rhythm is not None:
            return float(samples_between(_as_times(last), _as_times(now), self._rhythm, self._zone)[0])
        return (now - last) / (self._period_ns or NS)


def _calendar(reading: Reading | None) -> Rhythm | None:
    """Return the rhythm of a reading unless it is a fixed number of seconds, as a day is where no clock changes."""
    rhythm = reading and reading.rhythm
    if not reading or not rhythm or rhythm.unit == "second":
        return None
    fixed = rhythm.unit == "day" and (reading.time is None or reading.time.zone in _UTC)
    return None if fixed else rhythm


def _as_times(ns: int) -> NDArray[np.datetime64]:
    return np.array([ns // 1000], np.int64).astype("datetime64[us]")


def _as_ns(times: NDArray[np.datetime64]) -> int:
    return int(times.astype("datetime64[us]").astype(np.int64)[0]) * 1000
