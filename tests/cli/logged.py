"""Tables as loggers write them, all of one known series; the oracles of their times are `datetime` and `calendar`."""

from __future__ import annotations

import calendar
import csv
import io
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

BERLIN = ZoneInfo("Europe/Berlin")
ROWS, LATER = 60, 9  # of the table of training, and of tomorrow's


def value(i):
    """The sample at a place of the rhythm, written in full by str."""
    return round(20 + 5 * np.sin(i / 3) + i / 100, 3)


def values(first, count):
    return np.array([[value(i)] for i in range(first, first + count)])


def answers(process):
    assert process.returncode == 0, process.stderr
    return list(csv.DictReader(io.StringIO(process.stdout)))


def column(rows, name="heat"):
    return np.array([np.float32(row[name]) for row in rows])


def hours(i, start=datetime(2024, 1, 20, tzinfo=UTC)):
    return start + timedelta(hours=i)


def month(i, every=1, day=1):
    year, number = divmod(1990 * 12 + i * every, 12)
    return date(year, number + 1, min(day, calendar.monthrange(year, number + 1)[1]))


def weekday(i):
    weeks, days = divmod(i, 5)
    return date(2024, 1, 1) + timedelta(weeks=weeks, days=days)


def berlin(i):
    """Hours around the change to winter time, when one hour comes twice."""
    return hours(i, datetime(2024, 10, 25, tzinfo=UTC)).astimezone(BERLIN)


# Of each kind of table: its header, a line of it, what was asked in training, and the time that a forecast is to have.
KINDS = {
    "ISO": (
        "t,heat",
        lambda i: f"{hours(i):%Y-%m-%dT%H:%M:%S},{value(i)}",
        {"time": "t"},
        lambda i: f"{hours(i):%FT%T}",
    ),
    "seconds since 1970": (
        *("t,heat", lambda i: f"{int(hours(i).timestamp())},{value(i)}", {"time": "t"}),
        lambda i: f"{hours(i):%FT%T}",
    ),
    "milliseconds since 1970": (
        *("t,heat", lambda i: f"{int(hours(i).timestamp()) * 1000},{value(i)}", {"time": "t"}),
        lambda i: f"{hours(i):%FT%T}",
    ),
    "days": (
        *("t,heat", lambda i: f"{date(2024, 1, 20) + timedelta(i)},{value(i)}", {"time": "t"}),
        lambda i: str(date(2024, 1, 20) + timedelta(i)),
    ),
    "weeks": (
        *("t,heat", lambda i: f"{date(2024, 1, 20) + timedelta(weeks=i)},{value(i)}", {"time": "t"}),
        lambda i: str(date(2024, 1, 20) + timedelta(weeks=i)),
    ),
    "business days, month first": (
        *("t,heat", lambda i: f"{weekday(i):%m/%d/%Y},{value(i)}", {"time": "t"}),
        lambda i: str(weekday(i)),
    ),
    "months": ("t,heat", lambda i: f"{month(i):%Y-%m},{value(i)}", {"time": "t"}, lambda i: str(month(i))),
    "ends of months": (
        *("t,heat", lambda i: f"{month(i, day=31)},{value(i)}", {"time": "t"}),
        lambda i: str(month(i, day=31)),
    ),
    "quarters": (
        *("t,heat", lambda i: f"{month(i, 3):%Y}-Q{month(i, 3).month // 3 + 1},{value(i)}", {"time": "t"}),
        lambda i: str(month(i, 3)),
    ),
    "years": ("t,heat", lambda i: f"{1900 + i},{value(i)}", {"time": "t"}, lambda i: f"{1900 + i}-01-01"),
    "a zone": (
        *("t,heat", lambda i: f"{berlin(i):%Y-%m-%d %H:%M},{value(i)}", {"time": "t", "time_zone": "Europe/Berlin"}),
        lambda i: berlin(i).isoformat(),
    ),
    "no time": ("heat,n", lambda i: f"{value(i)},{i}", {}, None),
    "semicolons, decimal commas, two columns of time": (
        "Date;Time;heat",
        lambda i: f"{hours(i):%d.%m.%Y;%H.%M.%S};{str(value(i)).replace('.', ',')}",
        {"time": ("Date", "Time")},
        lambda i: f"{hours(i):%FT%T}",
    ),
    "four columns of time": (
        "year,month,day,hour,heat",
        lambda i: f"{hours(i).year},{hours(i).month},{hours(i).day},{hours(i).hour},{value(i)}",
        {"time": ("year", "month", "day", "hour")},
        lambda i: f"{hours(i):%FT%T}",
    ),
    "day first, tabs": (
        *("t\theat", lambda i: f"{hours(i):%d/%m/%Y %H:%M}\t{value(i)}", {"time": "t"}),
        lambda i: f"{hours(i):%FT%T}",
    ),
    "a format": (
        *("t,heat", lambda i: f"am {hours(i):%d.%m.%y um %H Uhr},{value(i)}"),
        {"time": "t", "time_format": "am %d.%m.%y um %H Uhr"},
        lambda i: f"{hours(i):%FT%T}",
    ),
}


def write(path, kind, first, count):
    header, line, _, _ = KINDS[kind]
    path.write_text("\n".join([header, *(line(i) for i in range(first, first + count)), ""]))
    return path
