"""Write the moments of a table: in the zone of training, and days as days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgelstm.arrays import Times
from edgelstm.data.series import Series
from edgelstm.reading import Rhythm
from edgelstm.zones import to_local

_DAY_S = 86_400


class Wall(NamedTuple):
    """How the clock on the wall is written, the same for all times of a table so that they can be read again.

    Attributes:
        zone: IANA zone, whose offset from UTC is written behind; None: UTC, and no offset.
        days: samples lie on days, and no time of the day is written.
    """

    zone: str | None = None
    days: bool = False

    def words(self, times: Times) -> list[str]:
        """Write some moments.

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
    """Find how to write the times of some series and those behind them: as days where all lie on whole days."""
    daily = rhythm is None or rhythm.unit != "second" or (rhythm.count % _DAY_S == 0 and zone is None)
    locals_ = [to_local(one.time, zone) for one in series if one.time is not None]
    days = daily and all(bool((local == local.astype("datetime64[D]")).all()) for local in locals_)
    return Wall(zone, days)


def _offset(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
