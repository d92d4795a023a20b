"""Names of zones after times are checked against the clocks of the zone, and settle the repeated hour."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import TimeAsk
from edgelstm.data.readers.times.stamps import read_stamps
from edgelstm.errors import DataError
from edgelstm.reading import TimeForm

ZONES = ["Europe/Berlin", "Europe/London", "America/New_York", "Australia/Sydney", "America/St_Johns", "Asia/Kolkata"]
WRITTEN = [
    "%Y-%m-%d %H:%M {}",
    "%m/%d/%Y %I:%M:%S %p {}",
    "%d.%m.%Y %H:%M{}",
    "%a, %d %b %Y %H:%M:%S {}",
    "%Y%m%dT%H%M {}",
]


def stamps(*texts, columns=("t",), **more):
    return read_stamps(texts, TimeAsk(columns, **more), lambda row: f"x.csv: line {row + 2}")


def complaint(*texts, **more):
    with pytest.raises(DataError) as caught:
        stamps(*texts, **more)
    return str(caught.value)


def utc(found):
    return [str(time)[:16] for time in found.utc]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(WRITTEN),
    st.integers(0, 365 * 24),
    st.permutations(range(48)),
    st.sampled_from([15, 60]),
)
def test_what_zoneinfo_writes_is_read_as_the_same_moments_in_any_order(zone, written, first, order, minutes):
    begin = datetime(2023, 1, 13, tzinfo=timezone.utc) + timedelta(hours=first)
    moments = [begin + timedelta(minutes=minutes * n) for n in order]
    clocks = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
    form = written.replace("{}", "").strip()  # few days may be months as well
    found = stamps(*[clock.strftime(written).format(clock.tzname()) for clock in clocks], zone=zone, format=form)
    assert found.utc.astype(np.int64).tolist() == [int(moment.timestamp()) * 10**6 for moment in moments]
    assert found.form.zone == zone


def test_the_hour_that_comes_twice_is_told_by_the_word_whatever_the_order_of_the_rows():
    rows = ("2020-10-25 02:30 CET", "2020-10-25 02:00 CEST", "2020-10-25 02:00 CET", "2020-10-25 02:30 CEST")
    found = stamps(*rows, zone="Europe/Berlin")
    assert utc(found) == ["2020-10-25T01:30", "2020-10-25T00:00", "2020-10-25T01:00", "2020-10-25T00:30"]
    assert found.notes == ()


def test_a_table_is_read_again_as_in_training():
    trained = stamps("2020-01-07 13:00 CET", zone="Europe/Berlin").form
    assert trained == TimeForm(("t",), "iso with offset", "Europe/Berlin")
    assert utc(stamps("2020-07-07 13:00 CEST", like=trained)) == ["2020-07-07T11:00"]


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("CEST", "Europe/Berlin"),
        ("MEZ", "Europe/Berlin"),
        ("BST", "Europe/London"),
        ("EST", "America/New_York"),
        ("PDT", "America/Los_Angeles"),
        ("PT", "America/Los_Angeles"),
        ("AEST", "Australia/Sydney"),
        ("JST", "Asia/Tokyo"),
    ],
)
def test_without_a_zone_a_likely_one_is_named(word, place):
    said = complaint(f"2020-01-07 13:00 {word}")
    assert f"line 2: expected times in a known zone in column 't', got '2020-01-07 13:00 {word}'" in said
    assert f"{word} is ambiguous: give --time-zone, such as {place}" in said


def test_german_words_are_those_of_their_zone():
    assert utc(stamps("17.01.2020 13:00 MEZ", "17.07.2020 13:00 MESZ", zone="Europe/Berlin")) == [
        "2020-01-17T12:00",
        "2020-07-17T11:00",
    ]


def test_a_word_beside_an_offset_must_agree_with_it():
    assert utc(stamps("2020-01-07 13:00 +0100 CET", zone="Europe/Berlin")) == ["2020-01-07T12:00"]
    assert "this time does not exist there" in complaint("2020-01-07 13:00 +0200 CET", zone="Europe/Berlin")


def test_a_word_is_read_beside_a_form_in_the_words_of_strptime():
    assert utc(stamps("7 Jan 2020, at 13:00 EST", format="%d %b %Y, at %H:%M %Z", zone="America/New_York")) == [
        "2020-01-07T18:00"
    ]
    assert utc(stamps("07/01/2020 13:00 CET", format="%d/%m/%Y %H:%M %Z", zone="Europe/Berlin")) == ["2020-01-07T12:00"]


@pytest.mark.parametrize(
    ("texts", "zone", "said"),
    [
        (
            ("2020-01-07 13:00 EST", "2020-07-07 13:00 EST"),
            "America/New_York",
            "line 3: expected EDT, the name of the clocks in America/New_York at that time, in column 't', got "
            "'2020-07-07 13:00 EST': remove the words after the times and give --time-zone Etc/GMT+5",
        ),
        (("2020-01-07 13:00 EST",), "Europe/Berlin", "give the --time-zone of EST, such as America/New_York"),
        (("2020-03-29 02:30 CET",), "Europe/Berlin", "this time does not exist there"),
        (("2020-03-29 02:30 CEST",), "Europe/Berlin", "this time does not exist there"),
        (("2020-01-07 13:00 CET", "2020-01-07 14:00"), "Europe/Berlin", "line 3: expected a zone after the time"),
        (
            ("2020-01-07 13:00 CET", "2020-01-07 14:00 UTC"),
            "Europe/Berlin",
            "line 3: expected CET, the name of the clocks",
        ),
        (("2020-07-07 13:00 CEST", "2020-07-07 14:00 UTC"), "Europe/Berlin", "expected a zone after the time"),
        (("2020-01-07 13:00 Uhr",), "Europe/Berlin", "remove the words after the times"),
        (("2020-01-07 13:00 Uhr",), None, "remove 'UHR'; if it names a zone, also give --time-zone Area/City"),
        (
            ("2020-01-07 13:00 PT",),
            "America/Los_Angeles",
            "expected PST, the name of the clocks in America/Los_Angeles",
        ),
        (("2020-01-07 13:00 CET",), "Europe/Berln", "--time-zone: expected a name such as Europe/Berlin"),
        (("Tue Jan 7 13:00:00 EST 2020",), None, "without the zone, and --time-zone America/New_York"),
    ],
    ids=str,
)
def test_a_word_that_the_clocks_did_not_have_is_refused(texts, zone, said):
    assert said in complaint(*texts, zone=zone)


def test_utc_and_months_at_the_end_are_no_such_words():
    assert utc(stamps("2020-01-07 13:00 UTC", zone="Europe/Berlin")) == ["2020-01-07T13:00"]
    assert utc(stamps("2020 May", "2020 June")) == ["2020-05-01T00:00", "2020-06-01T00:00"]
    assert utc(stamps("1/7/2020 1:00 PM", "1/13/2020 1:00 AM")) == ["2020-01-07T13:00", "2020-01-13T01:00"]
