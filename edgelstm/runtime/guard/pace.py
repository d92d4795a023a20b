"""How far the samples of a stream lie apart: a fixed time, or a rhythm of the calendar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.reading import Reading, Rhythm
from edgelstm.rhythm import HOLIDAYS, after, samples_between
from edgelstm.runtime.clock import NS

_UTC = (None, "UTC", "Etc/UTC")


class Pace:
    """What lies between two samples of a contract; moments are nanoseconds since 1970, UTC.

    A fixed period is counted in whole numbers, from any moment. Business days, months, and days of a zone whose clocks
    change are counted on the calendar, a few microseconds a sample.

    Example:
        >>> from edgelstm import load
        >>> weekly = Pace(load("models/co2/co2.fp32.onnx").contract)
        >>> weekly.between(0, 3 * 7 * 86400 * NS), weekly.words(0.5)
        (2, '604800 s, give or take 302400')
    """

    def __init__(self, contract: Contract) -> None:
        self._period_ns = contract.sample_period_s and contract.sample_period_s * NS
        self._rhythm = _calendar(contract.reading)
        time = contract.reading and contract.reading.time
        self._zone = time.zone if time else None

    def before(self, last: int, now: int, periods: float) -> bool:
        """Whether a moment is fewer periods behind another; False where nobody knows the period."""
        if self._rhythm is not None:
            return self._count(last, now) < periods
        return bool(self._period_ns) and now - last < (self._period_ns or 0) * periods

    def behind(self, last: int, now: int, periods: float) -> bool:
        """Whether a moment is more periods behind another; False where nobody knows the period.

        Business days have holidays, which nobody lists: up to `HOLIDAYS` in a row are none, as where tables are read.
        """
        if self._rhythm is not None:
            holidays = HOLIDAYS if self._rhythm.unit == "business day" else 0
            return self._count(last, now) > periods + holidays
        return bool(self._period_ns) and now - last > (self._period_ns or 0) * periods

    def between(self, last: int, now: int) -> int:
        """Count the samples that belong between two."""
        return round(self._count(last, now)) - 1

    def after(self, last: int, steps: int) -> int:
        """Give the moment of the sample that comes so many steps later."""
        if self._rhythm is not None:
            return _as_ns(after(_as_times(last), self._rhythm, steps, self._zone))
        return last + steps * self._whole

    def back(self, now: int) -> int:
        """Give the moment of the sample before."""
        if self._rhythm is not None:
            return self.after(now, -1)
        return now - self._whole

    def words(self, tolerance: float) -> str:
        """Say what is expected between two samples, give or take a share of it."""
        if not self._period_ns:
            return "a later time"
        if self._rhythm is not None:
            return f"one {self._rhythm.name}, give or take {tolerance:g} of it"
        return f"{self._period_ns / NS:g} s, give or take {tolerance * self._period_ns / NS:g}"

    @property
    def _whole(self) -> int:
        return round(self._period_ns or 1)

    def _count(self, last: int, now: int) -> float:
        """Count the periods from one moment to another."""
        if self._rhythm is not None:
            return float(samples_between(_as_times(last), _as_times(now), self._rhythm, self._zone)[0])
        return (now - last) / (self._period_ns or NS)


def _calendar(reading: Reading | None) -> Rhythm | None:
    """Give the rhythm of a reading if it is no fixed number of seconds: a day is one where no clock changes."""
    rhythm = reading and reading.rhythm
    if not reading or not rhythm or rhythm.unit == "second":
        return None
    fixed = rhythm.unit == "day" and (reading.time is None or reading.time.zone in _UTC)
    return None if fixed else rhythm


def _as_times(ns: int) -> NDArray[np.datetime64]:
    return np.array([ns // 1000], np.int64).astype("datetime64[us]")


def _as_ns(times: NDArray[np.datetime64]) -> int:
    return int(times.astype("datetime64[us]").astype(np.int64)[0]) * 1000
