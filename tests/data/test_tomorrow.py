"""What the table of training could not show is asked for tomorrow, never guessed: on the device's reader too."""

from __future__ import annotations

import io
import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import polars
import pytest

from edgelstm.contract import Channel, Statistics
from edgelstm.data.asked import read_for
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.data.readers.sources import read_source
from edgelstm.errors import DataError
from edgelstm.reading import Dialect

HOUR = timedelta(hours=1)
ZONE = timezone(HOUR)
STARTS = datetime(2024, 1, 13, 5)
# How a moment is written, without its offset from UTC.
FORMS = {
    "ISO": "%Y-%m-%dT%H:%M",
    "ISO with seconds": "%Y-%m-%d %H:%M:%S",
    "day first": "%d.%m.%Y %H:%M",
    "month first": "%m/%d/%Y %H:%M",
    "digits": "%Y%m%dT%H%M%S",
}
OFFSETS = {"Z": timedelta(), " UTC": timedelta(), "+01:00": HOUR, "+0100": HOUR}


def hours(form, behind="", first=0, count=6):
    """A table of hours, and the moments that are meant if what is written is UTC."""
    moments = [STARTS + HOUR * (first + n) for n in range(count)]
    return "t;v\n" + "".join(f"{moment:{form}}{behind};{n}.5\n" for n, moment in enumerate(moments)), moments


def trained_on(text, **asked):
    """What a network takes that learnt from a table."""
    found = read(io.StringIO(text), Asking(("v",), ("v",), **{"time": ("t",), **asked}))
    period = found.series[0].period_s
    channel = Channel("v", None, "float32", None)
    return SimpleNamespace(inputs=(channel,), reading=found.reading, sample_period_s=period, times=False)


def both(takes, source, **given):
    """Read on the device and for the trainer; gives what both found, or the complaint that both have."""
    device = series_or_complaint(lambda: read_for(takes, io.StringIO(source), given))
    trainer = series_or_complaint(
        lambda: read(io.StringIO(source), Asking(("v",), ("v",), like=takes.reading, **given))
    )
    if isinstance(device, str):
        assert device == trainer
        assert "\n" not in device
    else:
        np.testing.assert_array_equal(device.values, trainer.values)
        np.testing.assert_array_equal(device.time, trainer.time)
    return device


def series_or_complaint(reads):
    try:
        return reads().series[0]
    except DataError as error:
        return str(error)


# Offsets from UTC.


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("behind", OFFSETS)
def test_times_without_an_offset_are_not_taken_as_those_that_had_one(form, behind):
    takes = trained_on(hours(form, behind)[0])
    bare, moments = hours(form, first=6)
    said = both(takes, bare)
    assert "expected times with UTC or an offset from it, as in training" in said
    assert f"got '{moments[0]:{form}}' in column 't'" in said
    assert said.endswith("or give --time-zone UTC")
    for zone, shift in (("UTC", timedelta()), ("Etc/GMT-1", HOUR)):
        assert both(takes, bare, time_zone=zone).time.tolist() == [moment - shift for moment in moments]
    again, moments = hours(form, behind, first=6)
    assert both(takes, again).time.tolist() == [moment - OFFSETS[behind] for moment in moments]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("behind", OFFSETS)
def test_times_with_an_offset_are_not_taken_as_those_that_had_none(form, behind):
    takes = trained_on(hours(form)[0])
    later, moments = hours(form, behind, first=6)
    said = both(takes, later)
    assert "expected times without an offset from UTC, as in training, which read them as UTC" in said
    assert f"got '{moments[0]:{form}}{behind}' in column 't'" in said
    _, _, typed = said.partition("give --time-format ")
    typed = typed.removesuffix(" if these offsets are right").strip("'")
    assert both(takes, later, time_format=typed).time.tolist() == [moment - OFFSETS[behind] for moment in moments]


def test_a_zone_of_training_is_named_in_the_advice():
    takes = trained_on(hours("%Y-%m-%d %H:%M", "Z")[0], time_zone="Europe/Berlin")
    assert both(takes, hours("%Y-%m-%d %H:%M")[0]).endswith("--time-zone Europe/Berlin")
    takes = trained_on(hours("%Y-%m-%d %H:%M")[0], time_zone="Europe/Berlin")
    assert "which read them as Europe/Berlin" in both(takes, hours("%Y-%m-%d %H:%M", "Z")[0])


def test_offsets_may_change_with_summer_and_in_how_they_are_written():
    takes = trained_on(hours("%Y-%m-%dT%H:%M", "+01:00")[0])
    for behind, shift in {"+02:00": 2 * HOUR, "Z": timedelta(), "-0530": -5.5 * HOUR}.items():
        later, moments = hours("%Y-%m-%dT%H:%M", behind, first=6)
        assert both(takes, later).time.tolist() == [moment - shift for moment in moments]


@pytest.mark.parametrize("behind", ["", "Z"])
def test_a_file_that_did_not_record_offsets_reads_as_before(behind):
    takes = trained_on(hours("%Y-%m-%dT%H:%M")[0])
    takes.reading = takes.reading._replace(time=takes.reading.time._replace(form="iso"))
    later, moments = hours("%Y-%m-%dT%H:%M", behind, first=6)
    assert both(takes, later).time.tolist() == moments


def test_dates_behind_which_stands_utc_are_told_from_bare_ones():
    takes = trained_on("t;v\n" + "".join(f"{day}/01/2024Z;{day}.5\n" for day in range(13, 20)))
    assert takes.reading.time.form == "%d/%m/%Y%Z"
    assert both(takes, "t;v\n20/01/2024Z;1.5\n").time.tolist() == [datetime(2024, 1, 20)]
    assert "expected times with UTC" in both(takes, "t;v\n20/01/2024;1.5\n")


def test_zones_of_parquet_are_told_from_none(tmp_path):
    moments = [STARTS + HOUR * n for n in range(6)]
    for name, zone in (("zoned", "UTC"), ("bare", None)):
        column = polars.Series(moments).dt.replace_time_zone(zone)
        polars.DataFrame({"t": column, "v": [n + 0.5 for n in range(6)]}).write_parquet(tmp_path / f"{name}.parquet")
    asked = Asking(("v",), ("v",), time=("t",))
    for name, other, said in (("zoned", "bare", "--time-zone UTC"), ("bare", "zoned", "--time-format iso")):
        reading = read(tmp_path / f"{name}.parquet", asked).reading
        again = read(tmp_path / f"{name}.parquet", Asking(("v",), ("v",), like=reading))
        assert again.series[0].time.tolist() == moments
        with pytest.raises(DataError, match=f"row 1: expected times .* as in training.*{said}"):
            read(tmp_path / f"{other}.parquet", Asking(("v",), ("v",), like=reading))


def test_the_name_of_a_zone_that_only_this_machine_knows_is_no_offset(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        text = "t;v\n" + "".join(f"13.01.2024 at {hour:02} h CET;{hour}.5\n" for hour in range(5))
        asked = {"time_format": "%d.%m.%Y at %H h %Z"}
        with pytest.raises(DataError, match=r"line 2: expected UTC or an offset from it .*--time-zone"):
            trained_on(text, **asked)
        takes = trained_on(text, **asked, time_zone="Europe/Berlin")
        assert both(takes, text).time.tolist()[0] == datetime(2024, 1, 12, 23)
        with pytest.raises(DataError, match=r"line 3: expected UTC or an offset"):
            trained_on("t;v\n13.01.2024 at 00 h UTC;1\n13.01.2024 at 01 h CET;1\n", **asked)
    finally:
        monkeypatch.undo()
        time.tzset()


# The clock.


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d"])
@pytest.mark.parametrize("first", [0, 5, 15, 40, 60, 1435])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_minutes_behind_midnight_are_no_hours_of_a_short_table(form, first, count):
    def table(minutes):
        moments = [datetime(2024, 1, 13) + timedelta(minutes=minute) for minute in minutes]
        lines = (f"{at:{form}};{at.hour * 100 + at.minute};{n}.5\n" for n, at in enumerate(moments))
        return "d;clock;v\n" + "".join(lines), moments

    takes = trained_on(table(range(0, 3000, 5))[0], time=("d", "clock"))
    text, moments = table(range(first, first + 5 * count, 5))
    assert both(takes, text).time.tolist() == moments


# Numbers.


def test_whole_numbers_leave_the_sign_to_the_next_table():
    takes = trained_on("v;w\n996;1\n1001;2\n", time=())
    assert takes.reading.dialect == Dialect(";", "")
    assert both(takes, "v;w\n996;1\n1,5;2\n").values.ravel().tolist() == [996, 1.5]
    assert "'1.004' in column 'v' could be 1004 or 1.004" in both(takes, "v;w\n996;1\n1.004;2\n")
    for sign, value in ((",", 1004), (".", 1.004)):
        assert both(takes, "v;w\n996;1\n1.004;2\n", decimal=sign).values.ravel().tolist() == [996, value]


def test_a_file_of_a_folder_tells_the_sign_of_those_with_whole_numbers(tmp_path):
    for name, text in {"a": "v;w\n" + "996;1\n" * 9, "b": "v;w\n1,5;2\n", "c": "v;w\n1.004;2\n1,5;1\n"}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    found = read_source(tmp_path, Asking(("v",)))
    assert found.reading.dialect == Dialect(";", ",")
    assert [one.values[0, 0] for one in found.series] == [996, 1.5, 1004]
    (tmp_path / "d.csv").write_text("v;w\n1.5;2\n")
    with pytest.raises(DataError, match=r"d\.csv: expected decimal commas, as in training, got '1\.5'"):
        read_source(tmp_path, Asking(("v",)))


def measured(*values):
    quantiles = tuple(np.quantile(values, np.linspace(0, 1, 11)).tolist())
    seen = Statistics(float(np.mean(values)), float(np.std(values)), min(values), max(values), quantiles)
    return (Channel("v", None, "float32", seen),)


@pytest.mark.parametrize("words", [("on", "off"), ("True", "False")])
def test_words_of_yes_and_no_are_no_measurements(words):
    text = "v;w\n" + "".join(f"{word};1\n" for word in words)
    takes = trained_on("v;w\n20;1\n30;2\n", time=())
    takes.inputs = measured(20, 25, 30)
    with pytest.raises(DataError, match=r"expected numbers in column 'v', as in training, got (on and off|true and f)"):
        read_for(takes, io.StringIO(text), {})
    takes.inputs = measured(0, 1, 1, 0)
    assert read_for(takes, io.StringIO(text), {}).series[0].values.ravel().tolist() == [1, 0]
