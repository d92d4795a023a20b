"""Published tables, unchanged: the result equals that of polars with the options for each table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars
import pytest

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError
from edgelstm.reading import Rhythm

DATA = os.environ.get("EDGELSTM_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="EDGELSTM_DATA is unset")
HOUR = Rhythm("second", 3600.0)


class Table(NamedTuple):
    """How to ask for a table, its rhythm, and how polars reads its times."""

    file: str
    target: str
    time: tuple[str, ...]
    form: str
    rhythm: Rhythm
    rows: int
    comma: bool = False
    missing: int = 0


TABLES = {
    "airline": Table("airline/airline-passengers.csv", "Passengers", ("Month",), "%Y-%m", Rhythm("month", 1, 1), 144),
    "milk": Table(
        *("milk_gaps/monthly-milk-incomplete.csv", "Pounds per cow", ("Month",), "%Y-%m"),
        *(Rhythm("month", 1, 1), 168),
        missing=13,
    ),
    "wool": Table("wool_quarterly/woolyrnq.csv", "Y", ("date",), "%Y-%m-%d", Rhythm("month", 3, 1), 119),
    "mintemp": Table(
        *("mintemp/daily-min-temperatures.csv", "Temp", ("Date",), "%Y-%m-%d", Rhythm("day", 1), 3652), missing=2
    ),
    "beijing": Table(
        *("beijing_pm25/pollution.csv", "TEMP", ("year", "month", "day", "hour"), "%Y %m %d %H", HOUR, 43_824)
    ),
    "air quality": Table(
        *("air_quality/AirQualityUCI.csv", "CO(GT)", ("Date", "Time"), "%d/%m/%Y %H:%M:%S", HOUR, 9357), comma=True
    ),
    "jena": Table(
        *("jena/jena_climate.csv", "T (degC)", ("Date Time",), "%d.%m.%Y %H:%M:%S", Rhythm("second", 600.0), 4000)
    ),
    "brent": Table("brent/brent_crude_oil.csv", "DPB", ("day",), "%m/%d/%Y", Rhythm("business day", 1), 8195),
}


def path(name):
    return Path(str(DATA), "tables", name)


def by_polars(table):
    """Read times and values with polars, with options written by hand for each table."""
    separator = ";" if table.comma else ","
    frame = polars.read_csv(path(table.file), separator=separator, infer_schema=False, encoding="utf8-lossy")
    frame = frame.filter(polars.col(table.time[0]).is_not_null())
    written = [" ".join(row) for row in frame.select(table.time).rows()]
    if table.form in ("%Y-%m", "%Y %m %d %H"):
        written = [f"{text}-01" if table.form == "%Y-%m" else f"{text}:00" for text in written]
    form = {"%Y-%m": "%Y-%m-%d", "%Y %m %d %H": "%Y %m %d %H:%M"}.get(table.form, table.form)
    times = polars.Series(written).str.strptime(polars.Datetime("us"), form).to_numpy()
    values = frame[table.target].str.replace(",", ".").cast(polars.Float64, strict=False).to_numpy()
    return times, values


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_as_somebody_reads_it_who_knows_how_it_is_written(name):
    table = TABLES[name]
    found = read(path(table.file), Asking((table.target,), (table.target,), time=table.time))
    (series,) = found.series
    times, values = by_polars(table)
    assert (series.rhythm, len(series.values)) == (table.rhythm, table.rows)
    there = np.isin(series.time, times)
    assert (~there).sum() == table.missing
    assert np.isnan(series.values[~there]).all()
    np.testing.assert_array_equal(series.time[there], times)
    np.testing.assert_array_equal(series.values[there, 0], values)


@pytest.mark.parametrize("name", TABLES)
def test_the_same_table_is_read_again_without_an_option(name):
    table = TABLES[name]
    first = read(path(table.file), Asking((table.target,), (table.target,), time=table.time))
    second = read(path(table.file), Asking((table.target,), like=first.reading))
    assert second.reading == first.reading
    np.testing.assert_array_equal(first.series[0].time, second.series[0].time)
    np.testing.assert_array_equal(first.series[0].values, second.series[0].values)


def test_pjm_is_read_in_its_zone_and_names_it_before():
    asking = Asking(("PJME_MW",), ("PJME_MW",), time=("Datetime",))
    with pytest.raises(DataError, match=r"--time-zone, such as .* --duplicates first, last or mean, or --resample 1h"):
        read(path("pjm/PJME_hourly.csv"), asking)
    zoned = Asking(("PJME_MW",), ("PJME_MW",), time=("Datetime",), time_zone="America/New_York")
    (series,) = read(path("pjm/PJME_hourly.csv"), zoned).series
    assert series.rhythm == HOUR
    assert np.isnan(series.values).sum() == 25  # the repeated hour of twelve autumns, and one row of December 2010
    frame = polars.read_csv(path("pjm/PJME_hourly.csv"))
    assert np.nansum(series.values) == frame["PJME_MW"].sum()
    summer = np.datetime64("2016-07-01T16:00")  # noon in New York
    expected = frame.filter(polars.col("Datetime") == "7/1/2016 12:00")["PJME_MW"].to_list()
    assert series.values[series.time == summer, 0].tolist() == expected


def test_home_assistant_names_the_bins_that_mend_it():
    asking = Asking(("state",), ("state",), time=("last_changed",))
    with pytest.raises(DataError, match="--resample 1h to average"):
        read(path("home_assistant/co2_history.csv"), asking)
    (series,) = read(
        path("home_assistant/co2_history.csv"), Asking(("state",), ("state",), time=("last_changed",), resample="1h")
    ).series
    frame = polars.read_csv(path("home_assistant/co2_history.csv"), infer_schema=False).with_columns(
        polars.col("state").cast(polars.Float64, strict=False),
        polars.col("last_changed").str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S").dt.truncate("1h"),
    )
    means = dict(frame.group_by("last_changed").agg(polars.col("state").mean()).rows())
    for time, value in zip(series.time.tolist(), series.values[:, 0], strict=True):
        np.testing.assert_allclose(value, means.get(time) or np.nan, rtol=1e-12)


def test_shampoo_has_no_dates_and_says_how_to_go_on():
    with pytest.raises(DataError, match="got '1-01', which is not a date: omit --time"):
        read(path("shampoo/shampoo.csv"), Asking(("Sales",), time=("Month",)))
    assert len(read(path("shampoo/shampoo.csv"), Asking(("Sales",))).series[0].values) == 36


def test_nine_series_below_each_other_are_nine_series_of_weeks():
    asking = Asking(("value",), ("value",), time=("datetime",), series="series_id")
    found = read(path("eia_weekly_long/eia_weekly.csv"), asking)
    assert len(found.series) == 9
    assert {series.rhythm for series in found.series} == {Rhythm("day", 7)}
    frame = polars.read_csv(path("eia_weekly_long/eia_weekly.csv"))
    for series in found.series:
        expected = frame.filter(polars.col("series_id") == series.name)
        np.testing.assert_array_equal(series.values[~np.isnan(series.values)], expected["value"].to_numpy())
