"""Times are read in every usual format, and ambiguous ones are refused with their line."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import TimeAsk
from edgelstm.data.readers.times.stamps import read_stamps
from edgelstm.errors import DataError
from edgelstm.reading import TimeForm


def stamps(*texts, columns=("t",), **more):
    return read_stamps(texts, TimeAsk(columns, **more), lambda row: f"x.csv: line {row + 2}")


def read_or_complaint(*texts):
    try:
        return stamps(*texts), ""
    except DataError as error:
        return None, str(error)


def moments(found):
    return [str(time)[:23].replace("T", " ").removesuffix(".000").removesuffix(" 00:00:00") for time in found.utc]


@pytest.mark.parametrize(
    ("text", "expected", "form"),
    [
        ("2001-12-29", "2001-12-29", "iso without offset"),
        ("2001-1-9", "2001-01-09", "iso without offset"),
        ("2001-12-29T13:00", "2001-12-29 13:00:00", "iso without offset"),
        ("2001-12-29 13:00:05", "2001-12-29 13:00:05", "iso without offset"),
        ("2001-12-29 13:00:05.25", "2001-12-29 13:00:05.250", "iso without offset"),
        ("2001-12-29 13:00:05,25", "2001-12-29 13:00:05.250", "iso without offset"),
        ("2001-12-29T13:00:05.123456789", "2001-12-29 13:00:05.123", "iso without offset"),
        ("2001-12-29T13:00:05Z", "2001-12-29 13:00:05", "iso with offset"),
        ("2001-12-29 13:00:05 UTC", "2001-12-29 13:00:05", "iso with offset"),
        ("2001-12-29 13:00:05 GMT", "2001-12-29 13:00:05", "iso with offset"),
        ("2001-12-29T13:00:05+02:00", "2001-12-29 11:00:05", "iso with offset"),
        ("2001-12-29 13:00:05 -0530", "2001-12-29 18:30:05", "iso with offset"),
        ("2001-12-29 13:00:05+01", "2001-12-29 12:00:05", "iso with offset"),
        ("2001-12-29 24:00", "2001-12-30", "iso without offset"),
        ("2001-12-31T24:00:00", "2002-01-01", "iso without offset"),
        ("2001-12-29 7", "2001-12-29 07:00:00", "iso without offset"),
        ("2019-W05", "2019-01-28", "iso without offset"),
        ("2019-W05-7", "2019-02-03", "iso without offset"),
        ("2019W057", "2019-02-03", "iso without offset"),
        ("2020-W53-5", "2021-01-01", "iso without offset"),
        ("2001-363", "2001-12-29", "iso without offset"),
        ("1949-02", "1949-02-01", "%Y-%m"),
        ("02/1949", "1949-02-01", "%m/%Y"),
        ("2019-Q3", "2019-07-01", "%Y-Q%q"),
        ("2019Q4", "2019-10-01", "%YQ%q"),
        ("Q2 2019", "2019-04-01", "Q%q %Y"),
        ("1949", "1949-01-01", "%Y"),
        ("194912", "1949-12-01", "%Y%m"),
        ("20011229", "2001-12-29", "%Y%m%d"),
        ("20011229T1305", "2001-12-29 13:05:00", "%Y%m%dT%H%M"),
        ("20011229T130507", "2001-12-29 13:05:07", "%Y%m%dT%H%M%S"),
        ("20011229 13:05", "2001-12-29 13:05:00", "%Y%m%d %H:%M"),
        ("20011229130507", "2001-12-29 13:05:07", "%Y%m%d%H%M%S"),
        ("2001/12/29", "2001-12-29", "%Y/%m/%d"),
        ("2001.12.29 13:05", "2001-12-29 13:05:00", "%Y.%m.%d %H:%M"),
        ("29.12.1550 13:05", "1550-12-29 13:05:00", "%d.%m.%Y %H:%M"),
        ("29/12/2001", "2001-12-29", "%d/%m/%Y"),
        ("12/29/2001", "2001-12-29", "%m/%d/%Y"),
        ("29.12.2001 13:05:07", "2001-12-29 13:05:07", "%d.%m.%Y %H:%M:%S"),
        ("29-12-2001", "2001-12-29", "%d-%m-%Y"),
        ("29.12.49", "2049-12-29", "%d.%m.%y"),
        ("29.12.69", "1969-12-29", "%d.%m.%y"),
        ("69-12-31", "1969-12-31", "%y-%m-%d"),
        ("29/12/2001 13.05.07", "2001-12-29 13:05:07", "%d/%m/%Y %H.%M.%S"),
        ("12/29/2001 1:05 PM", "2001-12-29 13:05:00", "%m/%d/%Y %I:%M %p"),
        ("12/29/2001, 12:05:07 AM", "2001-12-29 00:05:07", "%m/%d/%Y, %I:%M:%S %p"),
        ("12/29/2001 12:05\u202fpm", "2001-12-29 12:05:00", "%m/%d/%Y %I:%M %p"),
        ("12/29/2001 5 PM", "2001-12-29 17:00:00", "%m/%d/%Y %I %p"),
        ("05-Jan-2020", "2020-01-05", "%d-%b-%Y"),
        ("5-JAN-20", "2020-01-05", "%d-%b-%y"),
        ("5 January 2020", "2020-01-05", "%d %b %Y"),
        ("5th May 2020", "2020-05-05", "%d %b %Y"),
        ("Jan 5 2020", "2020-01-05", "%b %d %Y"),
        ("Sept 15, 2020 10:00", "2020-09-15 10:00:00", "%b %d, %Y %H:%M"),
        ("05JAN2020:10:00:00", "2020-01-05 10:00:00", "%d%b%Y:%H:%M:%S"),
        ("05/Jan/2020:10:00:00 +0100", "2020-01-05 09:00:00", "%d/%b/%Y:%H:%M:%S %z"),
        ("Sun, 05 Jan 2020 10:00:00 GMT", "2020-01-05 10:00:00", "%a, %d %b %Y %H:%M:%S %Z"),
        ("2020-Jan-05", "2020-01-05", "%Y-%b-%d"),
        ("Jan-2020", "2020-01-01", "%b-%Y"),
        ("Dec 20", "2020-12-01", "%b %y"),
        ("1700000000", "2023-11-14 22:13:20", "epoch s"),
        ("1700000000.5", "2023-11-14 22:13:20.500", "epoch s"),
        ("1700000000500", "2023-11-14 22:13:20.500", "epoch ms"),
        ("1700000000500.5", "2023-11-14 22:13:20.500", "epoch ms"),
        ("1700000000500000", "2023-11-14 22:13:20.500", "epoch us"),
        ("1700000000500000000", "2023-11-14 22:13:20.500", "epoch ns"),
        ("-370000000", "1958-04-11 14:13:20", "epoch s"),
        (" 2001-12-29 ", "2001-12-29", "iso without offset"),
    ],
)
def test_a_time_is_read_in_every_usual_form(text, expected, form):
    found = stamps(text)
    assert moments(found) == [expected]
    assert found.form == TimeForm(("t",), form)
    assert found.example == text.strip()


@pytest.mark.parametrize(
    ("texts", "columns", "expected"),
    [
        (["2010 1 1 0", "2010 12 31 23"], "year month day hour", ["2010-01-01", "2010-12-31 23:00:00"]),
        (["2010 1 1 24", "2010 1 2 1"], "year month day hour", ["2010-01-02", "2010-01-02 01:00:00"]),
        (["1 2 2010", "2 2 2010"], "day month year", ["2010-02-01", "2010-02-02"]),
        (["1 2 2010", "2 2 2010"], "month day year", ["2010-01-02", "2010-02-02"]),
        (["2010 1", "2010 2"], "year month", ["2010-01-01", "2010-02-01"]),
        (["2010 1", "2010 2"], "year doy", ["2010-01-01", "2010-01-02"]),
        (["2010 001 05", "2010 365 06"], "year doy hour", ["2010-01-01 05:00:00", "2010-12-31 06:00:00"]),
        (["2010 1 1 0", "2011 1 1 0"], "1 2 3 4", ["2010-01-01", "2011-01-01"]),
        (["2010 1 1 5 30 15"], "year month day hour minute second", ["2010-01-01 05:30:15"]),
        (["29/12/2001 18:00:00"], "Date Time", ["2001-12-29 18:00:00"]),
        (
            ["2001-12-29 0", "2001-12-29 30", "2001-12-29 2330"],
            "date hhmm",
            ["2001-12-29", "2001-12-29 00:30:00", "2001-12-29 23:30:00"],
        ),
    ],
)
def test_columns_make_one_time_and_their_names_say_what_they_are(texts, columns, expected):
    assert moments(stamps(*texts, columns=tuple(columns.split()))) == expected


FORMS = {
    "iso": "%Y-%m-%d %H:%M:%S",
    "iso T": "%Y-%m-%dT%H:%M:%S",
    "%Y/%m/%d %H:%M:%S": "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S": "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S": "%m/%d/%Y %H:%M:%S",
    "%d-%b-%Y %H:%M:%S": "%d-%b-%Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p": "%b %d, %Y %I:%M:%S %p",
    "%d/%m/%y %H:%M:%S": "%d/%m/%y %H:%M:%S",
    "%Y%m%dT%H%M%S": "%Y%m%dT%H%M%S",
    "%Y%m%d%H%M%S": "%Y%m%d%H%M%S",
}
STARTS = st.datetimes(datetime(1971, 1, 1), datetime(2065, 1, 1)).map(lambda moment: moment.replace(microsecond=0))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FORMS)), STARTS, st.sampled_from([60, 3600, 86_400]), st.integers(1, 60), st.booleans())
def test_known_times_are_read_back_or_the_error_names_the_option(form, start, step, rows, padded):
    times = [start + n * timedelta(seconds=step) for n in range(rows)]
    texts = [time.strftime(FORMS[form]) for time in times]
    if not padded and "%d" in form and "%Y%m" not in form:
        texts = [
            f"{time.day}{text[2:]}" if form.startswith("%d") else text for time, text in zip(times, texts, strict=True)
        ]
    found, complaint = read_or_complaint(*texts)
    if found is None:
        assert "--time-format" in complaint
        assert max(time.day for time in times) <= 12 or form == "%d/%m/%y %H:%M:%S"
        found = stamps(*texts, format=FORMS[form])
    assert found.utc.tolist() == times
    assert found.resolution_us == 1_000_000


@settings(deadline=None)
@given(STARTS, st.integers(0, 3), st.integers(0, 6), st.integers(1, 20))
def test_numbers_since_1970_are_read_back_in_their_unit(start, unit, digits, rows):
    start = max(start, datetime(1974, 1, 1) if unit < 3 else datetime(1990, 9, 1))  # earlier ones may be ticks
    size = 10 ** (3 * unit)
    step = timedelta(microseconds=10 ** (6 - min(digits, 6)))
    times = [start + n * step for n in range(rows)]
    since = [(time - datetime(1970, 1, 1)) // timedelta(microseconds=1) for time in times]
    if unit == 0:
        texts = [f"{us // 10**6}.{us % 10**6:06}" for us in since]
    else:
        texts = [str(us * size // 10**6) for us in since]
    expected = [us if unit == 0 or size >= 10**6 else us // (10**6 // size) * (10**6 // size) for us in since]
    form = ("epoch s", "epoch ms", "epoch us", "epoch ns")[unit]
    found, complaint = read_or_complaint(*texts)
    if found is None:  # 176512020000 are milliseconds of 1975, and a minute of 1765
        assert "--time-format" in complaint
        assert all(len(text) == 12 and 1 <= int(text[4:6]) <= 12 for text in texts)
        found = stamps(*texts, format=form)
    assert found.form.form == form
    np.testing.assert_array_equal(found.utc.astype(np.int64), expected)


@pytest.mark.parametrize("form", ["%Y%m%d%H", "%Y%m%d%H%M"])
def test_digits_that_may_be_a_date_or_seconds_are_the_date_where_its_steps_are_even(form):
    times = [datetime(2001, 12, 29, 13) + n * timedelta(hours=1) for n in range(48)]
    found = stamps(*[time.strftime(form) for time in times])
    assert found.form.form == form
    assert found.utc.tolist() == times


def test_offsets_that_change_in_summer_become_utc():
    found = stamps("2024-03-31T01:30:00+01:00", "2024-03-31T03:30:00+02:00")
    assert moments(found) == ["2024-03-31 00:30:00", "2024-03-31 01:30:00"]
    assert found.local.astype(str).tolist()[1] == "2024-03-31T03:30:00.000000"
    assert found.notes == ()


def test_local_times_are_read_in_their_zone():
    found = stamps("1.7.2024 12:00", "31.12.2024 12:00", zone="Europe/Berlin")
    assert moments(found) == ["2024-07-01 10:00:00", "2024-12-31 11:00:00"]
    assert found.form == TimeForm(("t",), "%d.%m.%Y %H:%M", "Europe/Berlin")


def test_a_clock_without_a_zone_is_said_to_be_utc_and_dates_are_not():
    assert "read as UTC" in stamps("2024-07-01 12:00").notes[0]
    assert stamps("2024-07-01").notes == ()
    assert stamps("2024-07-01 12:00Z").notes == ()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2024-07-01", 86_400_000_000),
        ("2024-07-01 7", 3_600_000_000),
        ("2024-07-01 07:00", 60_000_000),
        ("2024-07-01 07:00:00", 1_000_000),
        ("2024-07-01 07:00:00.000", 1_000),
        ("2024-07-01 07:00:00.000000000", 1),
        ("1700000000", 1_000_000),
        ("1700000000.00", 10_000),
        ("1700000000000", 1_000),
        ("1700000000000000000", 1),
    ],
)
def test_what_is_written_says_how_fine_the_clock_is(text, size):
    assert stamps(text).resolution_us == size


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        # Daily: read as months, they would be monthly for a year, and then start again.
        ([f"{d:02}/02/2020" for d in range(1, 13)] + ["13/02/2020"], "2020-02-13"),
        ([f"01/{m:02}/{y}" for y in (2020, 2021) for m in range(1, 13)], "2021-12-01"),
        ([f"{m}/1/{y}" for y in (2020, 2021) for m in range(1, 13)], "2021-12-01"),
    ],
)
def test_even_steps_decide_between_day_first_and_month_first(texts, expected):
    assert moments(stamps(*texts))[-1] == expected


@pytest.mark.parametrize(
    "texts",
    [
        ["01/02/2020"],
        ["01/01/2020"],
        ["01/02/2020", "02/02/2020", "03/02/2020"],
        [f"01/{m:02}/2020" for m in range(1, 13)],
        ["01.02.2020 10:00", "01.02.2020 11:00"],
        ["01-02-03", "02-02-03"],
        ["200101", "200102", "200103"],
        ["2010010105"],
    ],
)
def test_times_that_are_two_things_all_along_name_the_option(texts):
    if texts == ["2010010105"]:
        texts = ["1710010105"]  # as seconds 2024, as a date 1710
    with pytest.raises(DataError, match=r"line 2: .* can be read in \d ways: give --time-format '.*' or ") as caught:
        stamps(*texts)
    for form in str(caught.value).split("--time-format ")[1:]:
        assert len(stamps(*texts, format=form.split("'")[1]).utc) == len(texts)


@pytest.mark.parametrize(
    "texts", [["0", "1", "2"], ["1", "2", "86400"], ["0.5", "1.0"], ["-3600", "0"], ["5"], ["7500"]]
)
def test_numbers_that_count_rows_are_no_times(texts):
    with pytest.raises(DataError, match=r"line 2: .* is not a date: omit --time"):
        stamps(*texts)


def test_small_numbers_are_seconds_where_somebody_says_so():
    assert moments(stamps("0", "60", format="epoch s")) == ["1970-01-01", "1970-01-01 00:01:00"]
    assert moments(stamps("-60", format="%s")) == ["1969-12-31 23:59:00"]


@pytest.mark.parametrize("text", ["1-01", "yesterday", "12:30", "now", "NaT-1", "\u0661\u0662", "x" * 100, "1-01-1-1"])
def test_what_is_no_time_says_how_to_go_on(text):
    with pytest.raises(DataError, match=r"line 2: expected ISO 8601 .* in column 't', got .*omit --time.*") as caught:
        stamps(text, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (["2001-01-01", "2001-01-02", "2001-13-03"], 4),
        (["2001-01-01", "2001-02-30", "2001-01-03"], 3),
        (["2001-01-01", "2001-01-02", "yesterday"], 4),
        (["2001-01-01", "2001-01-02", "2001-01-03T00:00:00"], 4),
        (["2001-01-01 25:00", "2001-01-01 00:00", "2001-01-01 01:00"], 2),
        (["2001-01-01 00:00", "2001-01-01 24:01", "2001-01-01 01:00"], 3),
        (["29.12.2001", "30.12.2001", "31.12.2001", "32.12.2001"], 5),
        (["2001-02-29", "2001-03-01", "2001-03-02"], 2),
        (["2019-W53", "2019-W01"], 2),
        (["0000-01-01", "2001-01-01"], 2),
    ],
)
def test_a_time_that_is_none_or_has_another_form_names_its_line(texts, line):
    with pytest.raises(DataError, match=rf"line {line}: expected .*in column 't', got '{texts[line - 2]}'"):
        stamps(*texts)


@pytest.mark.parametrize("text", ["", "  ", "NA", "NaT", "null"])
def test_a_missing_time_names_its_line(text):
    with pytest.raises(DataError, match=r"line 3: the timestamp in column 'a b' is missing"):
        stamps("2001-01-01 1", text, "2001-01-03 1", columns=("a", "b"))


def test_rows_without_a_zone_among_others_are_refused():
    with pytest.raises(DataError, match=r"line 3: expected a zone after the time, as in other rows"):
        stamps("2001-01-01T00:00Z", "2001-01-01T01:00", "2001-01-01T02:00Z")


def test_midnights_may_have_no_clock_among_times_that_have_one():
    """R prints times like this since version 4.3."""
    found = stamps("2001-01-01", "2001-01-01 12:00:00", "2001-01-02", "2001-01-02 12:00:00")
    assert moments(found) == ["2001-01-01", "2001-01-01 12:00:00", "2001-01-02", "2001-01-02 12:00:00"]


def test_fractions_may_be_left_out_where_they_are_zero():
    found = stamps("2001-01-01 00:00:00", "2001-01-01 00:00:00.500", "2001-01-01 00:00:01")
    assert moments(found)[1] == "2001-01-01 00:00:00.500"
    assert found.resolution_us == 1000


class TestForms:
    """`--time-format`, and the format of training."""

    def test_words_of_strptime_decide(self):
        assert moments(stamps("01/02/2020", format="%d/%m/%Y")) == ["2020-02-01"]
        assert moments(stamps("01/02/2020", format="%m/%d/%Y")) == ["2020-01-02"]

    @pytest.mark.parametrize(
        ("text", "form", "expected"),
        [
            ("31122020", "%d%m%Y", "2020-12-31"),
            ("day 366 of 2020", "day %j of %Y", "2020-12-31"),
            ("12h05 on 31.12.2020", "%Hh%M on %d.%m.%Y", "2020-12-31 12:05:00"),
            ("2020|12|31 +0100", "%Y|%m|%d %z", "2020-12-30 23:00:00"),
        ],
    )
    def test_forms_that_nothing_else_fits_are_read_as_the_standard_library_does(self, text, form, expected):
        found = stamps(text, text, format=form)
        assert moments(found) == [expected] * 2
        assert found.form.form == form

    @pytest.mark.parametrize("form", ["%d/%m/%Y", "nonsense", "%", "%Q", "epoch s", "%Y-%q"])
    def test_a_form_that_does_not_fit_names_the_row(self, form):
        with pytest.raises(
            DataError, match=r"line 2: expected .* got '2020-12-31': fix it, or give another --time-format"
        ):
            stamps("2020-12-31", "2021-01-01", format=form)

    @pytest.mark.parametrize(
        ("texts", "form"),
        [
            (["01/02/2020"], "%d/%m/%Y"),
            (["01/02/2020 10:00"], "%m/%d/%Y %H:%M"),
            (["2020-02-01"], "iso without offset"),
            (["200102"], "%y%m%d"),
            (["1700000000"], "epoch s"),
            (["12"], "epoch s"),
            (["2020-Q1"], "%Y-Q%q"),
        ],
    )
    def test_a_short_table_is_read_as_that_of_training(self, texts, form):
        like = TimeForm(("t",), form, "Europe/Berlin")
        assert stamps(*texts, like=like).form == like

    @pytest.mark.parametrize(
        ("text", "form", "got"),
        [
            ("2020-02-01", "%d/%m/%Y", "'%d/%m/%Y'"),
            ("13/01/2020", "%m/%d/%Y", "timestamp|day|form"),
            ("01/02/2020", "iso", "ISO 8601"),
            ("1700000000", "iso", "ISO 8601"),
            ("1700000000000", "epoch s", "which looks like epoch ms"),
            ("2020-02-01", "epoch s", "numbers since 1970"),
            ("01/02/2020 10:00", "%d/%m/%Y", "'%d/%m/%Y'"),
        ],
    )
    def test_another_form_than_that_of_training_is_refused_and_named(self, text, form, got):
        with pytest.raises(DataError, match=rf"line 2: .*({got})"):
            stamps(text, like=TimeForm(("t",), form))

    def test_what_is_asked_for_wins_over_training(self):
        like = TimeForm(("t",), "%d/%m/%Y", "Europe/Berlin")
        found = stamps("2020-02-01 10:00", like=like, format="%Y-%m-%d %H:%M", zone="UTC")
        assert (found.form.form, found.form.zone) == ("iso without offset", "UTC")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_any_text_is_read_or_refused_in_one_line(texts):
    found, complaint = read_or_complaint(*texts)
    assert "\n" not in complaint
    if found is not None:
        assert len(found.utc) == len(texts)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789-/:. TZQWJanFebPM+", min_size=1, max_size=25))
def test_texts_that_look_like_times_are_read_or_refused_in_one_line(text):
    found, complaint = read_or_complaint(text)
    assert "\n" not in complaint
    if found is not None:
        assert datetime(1, 1, 1) <= found.utc.tolist()[0] <= datetime(9999, 12, 31, 23, 59, 59, 999999)


@settings(max_examples=30, deadline=None)
@given(STARTS, st.integers(-14 * 60, 14 * 60))
def test_iso_times_equal_those_of_the_standard_library(moment, minutes):
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert stamps(zoned.isoformat()).utc.tolist() == [zoned.astimezone(timezone.utc).replace(tzinfo=None)]


LANGUAGES = {
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "German, short": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "Austrian": "Jänner Feber März April Mai Juni Juli August September Oktober November Dezember",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "French, short": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Spanish, short": "ene feb mar abr may jun jul ago sept oct nov dic",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Italian, short": "gen feb mar apr mag giu lug ago set ott nov dic",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
    "Dutch, short": "jan feb mrt apr mei jun jul aug sep okt nov dec",
    "English, with points": "Jan. Feb. Mar. Apr. May June July Aug. Sept. Oct. Nov. Dec.",
}
TWELVE = [f"2001-{month:02}" for month in range(1, 13)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("change", [str, str.upper, lambda name: unicodedata.normalize("NFD", name)])
def test_names_of_months_are_read_in_the_languages_of_neighbours(language, change):
    names = [change(name) for name in LANGUAGES[language].split()]
    for form in ("{} 2001", "1 {} 2001", "1. {} 2001", "2001 {} 1", "1 {} 2001 00:00"):
        found = stamps(*(form.format(name) for name in names))
        assert [str(time)[:7] for time in found.utc] == TWELVE, form
        assert found.form.form in ("%b %Y", "%d %b %Y", "%Y %b %d", "%d %b %Y %H:%M")


def test_a_month_in_another_language_than_in_training_is_read_alike():
    like = stamps("Mär 1990", "Apr 1990").form
    assert moments(stamps("Mai 1990", like=like)) == ["1990-05-01"]


@pytest.mark.parametrize(
    ("am", "pm"), [("a.m.", "p.m."), ("a. m.", "p. m."), ("A.M.", "P.M."), ("a.\u00a0m.", "p.\u00a0m."), ("a.m", "p.m")]
)
def test_halves_of_the_day_may_have_points(am, pm):
    found = stamps(f"13/01/2024 12:00:00 {am}", f"13/01/2024 1:00:00 {pm}")
    assert moments(found) == ["2024-01-13", "2024-01-13 13:00:00"]
    assert found.form.form == "%d/%m/%Y %I:%M:%S %p"


def test_a_month_that_nobody_knows_is_blamed_and_not_the_rows_that_fit():
    with pytest.raises(DataError, match=r"line 4: expected a timestamp like 'Jan 1990' in column 't', got 'Brm 1990'"):
        stamps("Jan 1990", "Feb 1990", "Brm 1990", "Apr 1990")
    with pytest.raises(DataError, match=r"line 2: .* got 'sty 1990'"):
        stamps("sty 1990", "lut 1990")


def test_two_digits_of_a_year_that_may_be_long_ago_are_refused():
    with pytest.raises(DataError, match=r"line 3: .* got '01-Jan-60': 60 may be 1960 or 2060: .* '%d-%b-%y' for 2060"):
        stamps("01-Jan-49", "01-Jan-60")
    found = stamps("01-Jan-49", "01-Jan-60", format="%d-%b-%y")
    assert moments(found) == ["2049-01-01", "2060-01-01"]


def test_six_digits_may_begin_with_the_day():
    texts = [(datetime(2013, 1, 1) + timedelta(days)).strftime("%d%m%y") for days in range(90)]
    found = stamps(*texts)
    assert found.form.form == "%d%m%y"
    assert moments(found)[:2] == ["2013-01-01", "2013-01-02"]


@pytest.mark.parametrize("hour", ["{}", "{:02}:00"])
def test_a_column_day_may_hold_dates_beside_one_of_hours(hour):
    texts = [f"2024-01-{at // 24 + 1:02} {hour.format(at % 24 + 1)}" for at in range(72)]
    found = stamps(*texts, columns=("day", "hour"))
    assert moments(found)[0] == "2024-01-01 01:00:00"
    assert moments(found)[-1] == "2024-01-04"


@pytest.mark.parametrize("columns", [("year", "week"), ("Year", "KW"), ("jahr", "nummer")])
def test_weeks_in_a_column_of_their_own_are_no_days_of_a_year(columns):
    texts = [f"{2020 + at // 52} {at % 52 + 1}" for at in range(150)]
    with pytest.raises(DataError, match=r"line 2: .* got '2020 1'.*omit --time if rows are equally spaced"):
        stamps(*texts, columns=columns)


def test_days_of_a_year_are_read_where_a_column_is_called_so_or_their_form_is_given():
    texts = [f"2023 {day}" for day in range(1, 300)]
    for asked in ({"columns": ("year", "doy")}, {"columns": ("a", "b"), "format": "%Y %j"}):
        assert moments(stamps(*texts, **asked))[-1] == "2023-10-26"


@pytest.mark.parametrize("first", [133_500_000_000_000_000, 638_400_000_000_000_000])
def test_ticks_of_windows_are_not_taken_for_nanoseconds(first):
    texts = [str(first + minute * 600_000_000) for minute in range(5)]
    with pytest.raises(
        DataError, match=r"line 2: .* may be 100 ns ticks of Windows or .NET: .*--time-format 'epoch ns'"
    ):
        stamps(*texts)
    assert stamps(*texts, format="epoch ns").form.form == "epoch ns"


class TestWeekdays:
    """A weekday beside a date must be that of the date."""

    FORMS = ("%a %Y-%m-%d", "%A, %d %B %Y", "%a, %d.%m.%Y %H:%M", "%A, %B %d, %Y %I:%M %p", "%a %Y%m%d")

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(st.datetimes(datetime(1970, 1, 1), datetime(2049, 1, 1)), st.sampled_from(FORMS), st.integers(1, 6))
    def test_the_right_one_is_read_and_any_other_refused(self, first, form, wrong):
        days = [first.replace(second=0, microsecond=0) + timedelta(days=n) for n in range(40)]
        texts = [day.strftime(form) for day in days]
        assert [str(time)[:10] for time in stamps(*texts).utc] == [f"{day:%Y-%m-%d}" for day in days]
        word = "%A" if "%A" in form else "%a"
        texts[7] = texts[7].replace(days[7].strftime(word), days[7 + wrong].strftime(word), 1)
        _, said = read_or_complaint(*texts)
        assert f"x.csv: line 9: expected the weekday of the date, {days[7]:%A}, in column 't'" in said
        assert "remove the weekdays" in said

    def test_it_is_held_where_the_form_is_typed(self):
        form = "%a %b %d %H:%M:%S %Y"
        assert moments(stamps("Mon Jan 6 13:00:00 2020", format=form)) == ["2020-01-06 13:00:00"]
        with pytest.raises(DataError, match="line 3: expected the weekday of the date, Tuesday"):
            stamps("Mon Jan 6 13:00:00 2020", "Mon Jan 7 13:00:00 2020", format=form)

    def test_it_is_that_of_the_day_which_ends_at_24_00(self):
        assert moments(stamps("Mon 2020-01-06 24:00", "Tue 2020-01-07 24:00")) == ["2020-01-07", "2020-01-08"]
        assert "the date, Tuesday" in read_or_complaint("Mon 2020-01-06 24:00", "Wed 2020-01-07 24:00")[1]

    def test_it_tells_day_and_month_apart(self):
        assert stamps("Fri 01/02/2019", "Sat 02/02/2019").form.form == "%a %d/%m/%Y"
        assert stamps("Wed 01/02/2019", "Sat 02/02/2019").form.form == "%a %m/%d/%Y"

    def test_months_have_none(self):
        assert "not a date" in read_or_complaint("Mon Jan 2020")[1]
