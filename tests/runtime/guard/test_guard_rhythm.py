"""A guard counts what is missing in the rhythm of training; the oracles are `datetime` and `calendar`."""

import calendar
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edgelstm.errors import InputError
from edgelstm.reading import Reading, Rhythm, TimeForm
from edgelstm.runtime import Guard, GuardedStream, Predictor
from tests.runtime.timed import make_timed

WEEKDAY = Rhythm("business day", 1)
BERLIN = "Europe/Berlin"


def guarded(rhythm, zone=None, guard=None, max_gap=None):
    """A guard around a file that was trained in a rhythm."""
    reading = Reading("csv", None, (), TimeForm(("t",), "iso", zone), None, rhythm, None, "error", "forward", max_gap)
    file = make_timed("carried")
    contract = replace(file.contract, reading=reading, sample_period_s=rhythm.period_s)
    return GuardedStream(Predictor(file._replace(contract=contract)), guard or Guard(max_hold=5))


def noon(day, zone=None):
    """A moment of the wall clock of a zone, in seconds since 1970."""
    return datetime.combine(day, time(12), ZoneInfo(zone) if zone else UTC).timestamp()


def counts_after(stream, moments):
    for moment in moments:
        stream.step([1, 2], moment)
    counts = stream.counts
    assert counts.clean + counts.late + counts.duplicate + counts.early == len(moments)
    return counts


def weekdays(first, last):
    days = [first + timedelta(i) for i in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5]


def months(first, count, every, day):
    """The same day of months to come, or the last where a month is shorter."""
    for i in range(0, count * every, every):
        year, month = first.year + (first.month - 1 + i) // 12, (first.month - 1 + i) % 12 + 1
        yield date(year, month, min(day, calendar.monthrange(year, month)[1]))


def test_weekends_and_holidays_are_no_gap_for_business_days_and_a_lost_fortnight_is_one():
    days = weekdays(date(2024, 2, 26), date(2024, 4, 15))
    assert counts_after(guarded(WEEKDAY), [noon(day) for day in days]).gaps == 0
    for lost, gaps in ((days[4:5], 0), (days[4:14], 0), (days[4:15], 1)):
        kept = [noon(day) for day in days if day not in lost]
        counts = counts_after(guarded(WEEKDAY, guard=Guard(max_hold=20)), kept)
        assert (counts.gaps, counts.filled, counts.resets) == (gaps, gaps * len(lost), 0)


def test_what_a_weekend_brings_is_early():
    saturday = date(2024, 3, 2)
    counts = counts_after(
        guarded(WEEKDAY), [noon(saturday - timedelta(1)), noon(saturday), noon(saturday + timedelta(2))]
    )
    assert (counts.clean, counts.early, counts.gaps) == (2, 1, 0)


def test_the_same_days_are_gaps_for_days():
    days = weekdays(date(2024, 2, 26), date(2024, 3, 15))
    counts = counts_after(guarded(Rhythm("day", 1)), [noon(day) for day in days])
    assert (counts.gaps, counts.filled) == (2, 4)


@pytest.mark.parametrize(("every", "day"), [(1, 1), (1, 31), (1, 15), (3, 1), (3, 31), (12, 1)])
def test_months_quarters_and_years_are_as_long_as_they_are(every, day):
    rhythm = Rhythm("month", every, day)
    days = list(months(date(2023, 1, 1), 16, every, day))
    strict = Guard(max_hold=5, tolerance=0.01)
    assert counts_after(guarded(rhythm, guard=strict), [noon(one) for one in days]).gaps == 0
    del days[4:7]
    counts = counts_after(guarded(rhythm, guard=strict), [noon(one) for one in days])
    assert (counts.gaps, counts.filled) == (1, 3)


@pytest.mark.parametrize("rhythm", [Rhythm("day", 1), WEEKDAY, Rhythm("day", 7)], ids=str)
def test_a_day_of_23_or_25_hours_is_a_day_where_the_clock_is_changed(rhythm):
    strict = Guard(max_hold=5, tolerance=0.01)
    step = 7 if rhythm.count == 7 else 1
    days = [date(2024, 3, 25) + timedelta(i * step) for i in range(300 // step)]
    days = [day for day in days if rhythm.unit == "day" or day.weekday() < 5]
    moments = [noon(day, BERLIN) for day in days]
    counts = counts_after(guarded(rhythm, BERLIN, strict), moments)
    assert (counts.clean, counts.gaps, counts.early) == (len(days), 0, 0)
    if rhythm.count == 1:
        counts = counts_after(guarded(rhythm, None, strict), moments)
        assert counts.gaps + counts.early > 0


def test_what_stands_in_for_missing_samples_has_the_moments_of_the_rhythm():
    file = make_timed("carried")
    days = [date(2024, 2, 29), date(2024, 3, 1), date(2024, 3, 20), date(2024, 3, 21)]
    stream, plain = guarded(WEEKDAY, guard=Guard(max_hold=20)), Predictor(file).stream()
    for day in days:
        answer = stream.step([1, 2], noon(day))
    for day in weekdays(days[0], days[-1]):
        expected = plain.step([1, 2], noon(day))
    assert answer.tobytes() == expected.tobytes()
    assert stream.state["time_s"].tolist() == [[noon(days[-1])]]


def test_an_error_names_the_rhythm():
    stream = guarded(Rhythm("month", 3, 1), guard=Guard(on_gap="error", on_late="error"))
    stream.step([1, 2], noon(date(2024, 1, 1)))
    for day, what in ((date(2024, 10, 1), "after the last sample"), (date(2024, 1, 9), "is early")):
        with pytest.raises(InputError, match=rf"^time_s: .*{what}.*expected .*one quarter \+/- 0.5"):
            stream.step([1, 2], noon(day))


def test_a_clock_that_was_set_back_begins_anew_in_any_rhythm():
    stream = guarded(WEEKDAY, guard=Guard(max_late=1))
    days = [date(2034, 1, 2), date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
    counts = counts_after(stream, [noon(day) for day in days])
    assert (counts.late, counts.gaps, counts.resets, counts.clean) == (1, 1, 1, 3)


@pytest.mark.parametrize(
    ("max_gap", "guard", "held"),
    [(2, Guard(), 2), (0, Guard(), 0), (None, Guard(), 3), (2, Guard(max_hold=4), 4), (7, Guard(max_hold=0), 0)],
)
def test_values_are_held_as_long_as_training_filled_unless_the_guard_says(max_gap, guard, held):
    stream = guarded(Rhythm("day", 1), guard=guard, max_gap=max_gap)
    days = [noon(date(2024, 1, 1) + timedelta(i)) for i in range(10)]
    stream.step([1, 2], days[0])
    answers = [np.isfinite(stream.step([None, 2], day)).all() for day in days[1:]]
    assert answers == [True] * held + [False] * (9 - held)


def test_an_average_month_would_call_february_early():
    """The guard of a fixed period, at which the rhythm was aimed."""
    days = [noon(date(2023, month, 1)) for month in range(1, 6)]
    strict = Guard(tolerance=0.01)
    file = make_timed("carried")
    fixed = GuardedStream(
        Predictor(file._replace(contract=replace(file.contract, sample_period_s=30.44 * 86400))), strict
    )
    assert counts_after(fixed, days).early > 0
    assert counts_after(guarded(Rhythm("month", 1, 1), guard=strict), days).clean == 5
