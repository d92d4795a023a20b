"""The first command that the owner of a table types: what it says, how it ends, and that nothing is left behind."""

from __future__ import annotations

import os
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

SMALL = ("--window", "12", "--horizon", "3", "--epochs", "1", "--hidden-size", "4", "--threads", "1")
needs_data = pytest.mark.skipif("EDGELSTM_DATA" not in os.environ, reason="EDGELSTM_DATA is not set")
WAVE = np.sin(np.arange(400) / 6) + 0.1 * np.random.default_rng(0).normal(size=400)
HOURS = [datetime(2023, 1, 1) + timedelta(hours=i) for i in range(400)]


def write(folder, *lines, name="table.csv"):
    path = folder / name
    path.write_text("\n".join(map(str, lines)) + "\n", encoding="utf-8")
    return path


def rows(times, *columns, header, between=","):
    return [header, *(between.join([str(time), *map(str, rest)]) for time, *rest in zip(times, *columns, strict=True))]


def numbers(values=WAVE, digits=3):
    return [f"{value:.{digits}f}" for value in values]


@pytest.fixture
def train(cli_here, tmp_path):
    """Train for an epoch; gives what was said, and the run."""

    def run(path, *options, small=SMALL):
        result = cli_here("train", path, *options, *small, "-o", "run")
        return result, tmp_path / "run"

    return run


def assert_trained(result, run, *said):
    assert result.returncode == 0, result.stderr
    assert (run / "run.json").is_file()
    for words in said:
        assert words in result.stderr + result.stdout, result.stderr


def assert_refused(result, run, *named):
    """One line, status 2, nothing left behind."""
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.splitlines()
    for word in named:
        assert word in line, line
    assert not run.exists()


@pytest.mark.parametrize(("between", "first"), [(";", []), (";", ["sep=;"]), ("\t", []), ("|", [])])
def test_other_delimiters_are_found(train, tmp_path, between, first):
    path = write(tmp_path, *first, *rows(HOURS, numbers(), header=f"t{between}v", between=between))
    assert_trained(*train(path, "--time", "t", "--target", "v"), "one every 1 h")


def test_decimal_commas_are_found(train, tmp_path):
    commas = [[number.replace(".", ",") for number in numbers(20 + WAVE * k, digits)] for k, digits in ((1, 3), (2, 1))]
    path = write(tmp_path, *rows(HOURS, *commas, header="t;v;w", between=";"))
    result, run = train(path, "--time", "t", "--target", "v", "--decimal", ",")
    assert_trained(result, run)
    assert '"decimal": ","' in (run / "run.json").read_text()


def test_true_and_false_are_one_and_zero(train, tmp_path):
    on = [str(value > 0) for value in WAVE]
    path = write(tmp_path, *rows(HOURS, numbers(), on, header="t,v,on"))
    assert_trained(*train(path, "--time", "t", "--target", "v", "--feature", "v", "--feature", "on"))


def test_fractions_of_seconds_since_1970_are_times(train, tmp_path):
    times = [f"{1_700_000_000 + i / 2:.3f}" for i in range(400)]
    path = write(tmp_path, *rows(times, numbers(), header="t,v"))
    assert_trained(*train(path, "--time", "t", "--target", "v"), "0.5 s")


def test_whole_numbers_that_are_days_are_days(train, tmp_path):
    times = [f"{date(2010, 1, 1) + timedelta(days=i):%Y%m%d}" for i in range(400)]
    path = write(tmp_path, *rows(times, numbers(), header="t,v"))
    result, run = train(path, "--time", "t", "--target", "v")
    assert_trained(result, run, "day")
    assert '"sample_period_s": 86400.0' in (run / "run.json").read_text()


def test_years_are_years_and_forecasts_go_on_behind_the_last(train, cli_here, tmp_path):
    path = write(tmp_path, *rows(range(1600, 2000), numbers(), header="year,v"))
    assert_trained(*train(path, "--time", "year", "--target", "v"), "year")
    assert cli_here("export", "run").returncode == 0
    told = cli_here("predict", "run/table.fp32.onnx", path).stdout.splitlines()
    assert [line.split(",")[1][:4] for line in told[1:]] == ["2000", "2001", "2002"]


def test_a_loop_that_sleeps_drifts_and_is_not_at_fault(train, tmp_path):
    start = datetime(2023, 1, 1)
    times = [(start + timedelta(seconds=int(i * 60.02))) for i in range(3000)]
    path = write(tmp_path, *rows(times, numbers(np.sin(np.arange(3000) / 50)), header="t,v"))
    assert_trained(*train(path, "--time", "t", "--target", "v", small=(*SMALL, "--stride", "16")), "1 min")


def test_business_days_are_named_and_a_friday_is_followed_by_a_monday(train, cli_here, tmp_path):
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(600)]
    days = [day for day in days if day.weekday() < 5 and day not in (date(2020, 4, 10), date(2020, 12, 25))]
    days = days[: max(i for i, day in enumerate(days[:400]) if day.weekday() == 4) + 1]
    path = write(tmp_path, *rows(days, numbers(WAVE[: len(days)]), header="Date,Close"))
    assert_trained(*train(path, "--time", "Date", "--target", "Close"), "business day")
    assert cli_here("export", "run").returncode == 0
    told = cli_here("predict", "run/table.fp32.onnx", path).stdout.splitlines()
    first = date.fromisoformat(told[1].split(",")[1])
    assert (first.weekday(), first - days[-1]) == (0, timedelta(days=3))


def test_utc_behind_the_time_is_a_zone(train, tmp_path):
    path = write(tmp_path, *rows([f"{hour} UTC" for hour in HOURS], numbers(), header="t,v"))
    assert_trained(*train(path, "--time", "t", "--target", "v"))


def test_text_to_label_names_classes(train, tmp_path):
    state = np.where(WAVE > 0, "on", "off")
    path = write(tmp_path, *rows(range(400), numbers(), state, header="t,v,state"))
    options = ("--task", "label", "--target", "state", "--feature", "v")
    assert_refused(*train(path, *options, small=("--epochs", "1")), "--classes")


def test_a_logger_with_four_lines_of_header_and_two_rows_says_that_they_are_too_few(train, tmp_path):
    path = write(
        tmp_path,
        '"TOA5","S","CR1000","39656","CR1000.Std.29","CPU:F.CR1","39725","SecData"',
        '"TIMESTAMP","RECORD","BattV","AirTC"',
        '"TS","RN","Volts","Deg C"',
        '"","","Smp","Smp"',
        '"2024-01-01 00:00:00",1,12.9,"NAN"',
        '"2024-01-01 00:10:00",2,12.9,3.1',
    )
    result, run = train(path, "--time", "TIMESTAMP", "--target", "AirTC")
    assert_refused(result, run)
    assert "row" in result.stderr or "few" in result.stderr


STORES = [(f"{date(2020, 1, 1) + timedelta(days=d)}", s, f"{10.0**s * (2 + np.sin(d / 3.5)):.3f}") for d in range(120)
          for s in range(3)]  # fmt: skip


def test_stores_that_are_interleaved_by_day_are_one_network(train, cli_here, tmp_path):
    path = write(tmp_path, "date,store,sales", *(",".join(map(str, row)) for row in STORES))
    assert_trained(*train(path, "--time", "date", "--series", "store", "--target", "sales"), "3 series")
    assert cli_here("export", "run").returncode == 0
    told = cli_here("predict", "run/table.fp32.onnx", path).stdout.splitlines()
    assert [line.split(",")[0] for line in told[1:]] == ["0"] * 3 + ["1"] * 3 + ["2"] * 3


def test_stores_without_series_name_it(train, tmp_path):
    path = write(tmp_path, "date,store,sales", *(",".join(map(str, row)) for row in STORES))
    assert_refused(*train(path, "--time", "date", "--target", "sales"), "--series", "--duplicates")


@pytest.mark.parametrize("column", ["temperatur", "temprature", "Temperature "])
def test_a_column_that_is_not_there_lists_the_nearest(train, tmp_path, column):
    path = write(tmp_path, *rows(HOURS, numbers(), header="t,Temperature"))
    assert_refused(*train(path, "--time", "t", "--target", column), "Temperature")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", "LFS"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "HTML"),
    ],
)
def test_what_is_no_table_is_called_what_it_is(train, tmp_path, content, word):
    path = Path(tmp_path / "table.csv")
    path.write_bytes(content)
    result, run = train(path, "--target", "v")
    assert_refused(result, run)
    assert word.lower() in result.stderr.lower(), result.stderr


def test_a_spreadsheet_with_a_wrong_ending_is_called_one(train, tmp_path):
    with zipfile.ZipFile(tmp_path / "table.csv", "w") as book:
        book.writestr("xl/workbook.xml", "<workbook/>")
    result, run = train(tmp_path / "table.csv", "--target", "v")
    assert_refused(result, run)
    assert "excel" in result.stderr.lower() or "spreadsheet" in result.stderr.lower(), result.stderr


def tables():
    return Path(os.environ["EDGELSTM_DATA"]) / "tables"


BEIJING = [word for column in ("year", "month", "day", "hour") for word in ("--time", column)]
BEIJING += [word for column in ("pm2.5", "DEWP", "TEMP", "cbwd") for word in ("--feature", column)]
QUICK = ("--epochs", "1", "--hidden-size", "4", "--threads", "1", "--stride", "50")
FIRST = {
    "airline/airline-passengers.csv": (["--time", "Month", "--target", "Passengers"], 24, 12, ["month"]),
    "milk_gaps/monthly-milk-incomplete.csv": (["--time", "Month", "--target", "Pounds per cow"], 24, 12, ["month"]),
    "wool_quarterly/woolyrnq.csv": (["--time", "date", "--target", "Y"], 12, 4, ["quarter"]),
    "mintemp/daily-min-temperatures.csv": (["--time", "Date", "--target", "Temp"], 60, 7, ["day"]),
    "beijing_pm25/pollution.csv": ([*BEIJING, "--target", "pm2.5"], 72, 24, ["1 h", "cbwd"]),
    "air_quality/AirQualityUCI.csv": (["--time", "Date", "--time", "Time", "--target", "CO(GT)"], 72, 24, ["-200"]),
    "jena/jena_climate.csv": (["--time", "Date Time", "--target", "T (degC)"], 144, 36, ["10 min"]),
    "brent/brent_crude_oil.csv": (["--time", "day", "--target", "DPB"], 60, 5, ["business day"]),
    "eia_weekly_long/eia_weekly.csv": (
        ["--time", "datetime", "--series", "series_id", "--target", "value"],
        104,
        4,
        ["9 series", "week"],
    ),
}


@needs_data
@pytest.mark.usefixtures("rendered")
@pytest.mark.parametrize("table", FIRST)
def test_public_tables_train_with_the_first_command_and_take_themselves_again(train, cli_here, table):
    options, window, horizon, said = FIRST[table]
    sizes = ("--window", window, "--horizon", horizon, "--name", "own", *QUICK)
    small = "airline" in table or "milk" in table or "wool" in table
    sizes = tuple("1" if small and word == "50" else word for word in sizes)
    assert_trained(*train(tables() / table, *options, small=sizes), *said)
    assert cli_here("export", "run").returncode == 0
    predicted = cli_here("predict", "run/own.fp32.onnx", tables() / table)
    assert predicted.returncode == 0, predicted.stderr
    assert len(predicted.stdout.splitlines()) == 1 + horizon * (9 if "eia" in table else 1)


REFUSED = {
    "pjm/PJME_hourly.csv": (["--time", "Datetime", "--target", "PJME_MW"], ["--time-zone", "--duplicates"]),
    "shampoo/shampoo.csv": (["--time", "Month", "--target", "Sales"], ["--time"]),
    "home_assistant/co2_history.csv": (["--time", "last_changed", "--target", "state"], ["--resample 1h"]),
}
MENDED = {
    "pjm/PJME_hourly.csv": [*REFUSED["pjm/PJME_hourly.csv"][0], "--duplicates", "mean"],
    "shampoo/shampoo.csv": ["--target", "Sales"],
    "home_assistant/co2_history.csv": [*REFUSED["home_assistant/co2_history.csv"][0], "--resample", "1h"],
}


@needs_data
@pytest.mark.parametrize("table", REFUSED)
def test_public_tables_that_need_an_option_say_which_and_train_with_it(train, table):
    options, named = REFUSED[table]
    sizes = ("--window", "6", "--horizon", "3", *QUICK)
    sizes = tuple("1" if "shampoo" in table and word == "50" else word for word in sizes)
    assert_refused(*train(tables() / table, *options, small=sizes), *named)
    assert_trained(*train(tables() / table, *MENDED[table], small=sizes))
