"""Write the times of a table: in the time zone of training, and whole days as dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgelstm.arrays import Times
from edgelstm.data.series import Series
from edgelstm.reading import Rhythm
from edgelstm.zones import to_local

_DAY_S = 86_400


class Wall(NamedTuple):
    """How local time is written, the same way for all times of a table so that they can be read again.

    Attributes:
        zone: IANA zone; the offset from UTC is appended. None: UTC, without an offset.
        days: write dates alone, without the time of day.
    """

    zone: str | None = None
    days: bool = False

    def words(self, times: Times) -> list[str]:
        """Write times.

        Args:
            times: datetime64[us] [N], UTC.

        Example:
            >>> import numpy as np
            >>> Wall("Europe/Berlin").words(np.array(["2024-07-01T12:00"], "datetime64[us]"))
            ['2024-07-01T14:00:00+02:00']
            >>> Wall(days=True).words(np.array(["2024-07-01"], "datetime64[us]"))
            ['2024-07-01']
        """
        local = to_local(times.astype("datetime64[us]"), self.zone)
        if self.days:
            return [str(day) for day in local.astype("datetime64[D]")]
        whole = bool((local == local.astype("datetime64[s]")).all())
        written = [str(moment) for moment in (local.astype("datetime64[s]") if whole else local)]
        if self.zone is None:
            return written
        minutes = (local - times).astype("timedelta64[m]").astype(int)
        return [text + _offset(int(offset)) for text, offset in zip(written, minutes, strict=True)]


def wall_of(series: Sequence[Series], rhythm: Rhythm | None, zone: str | None) -> Wall:
    """Choose how to write the times of series and of their forecasts: as dates if all are whole days."""
    daily = rhythm is None or rhythm.unit != "second" or (rhythm.count % _DAY_S == 0 and zone is None)
    locals_ = [to_local(one.time, zone) for one in series if one.time is not None]
    days = daily and all(bool((local == local.astype("datetime64[D]")).all()) for local in locals_)
    return Wall(zone, days)


def _offset(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
