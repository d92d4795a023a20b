"""Timestamps of a table: every accepted form, every refusal, and bins of averages."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.read import read_series
from edgelstm.errors import DataError

DAY = timedelta(days=1)


def write(folder, stamps, values=None):
    path = folder / "table.csv"
    values = range(len(stamps)) if values is None else values
    path.write_text("t,a\n" + "".join(f"{stamp},{value}\n" for stamp, value in zip(stamps, values, strict=True)))
    return path


def moments(*texts):
    return np.array(texts, "M8[us]").tolist()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("2001-12-29", "2001-12-30", ("2001-12-29", "2001-12-30")),
        ("2001-12-29T13:00:00", "2001-12-29T13:00:01", ("2001-12-29T13:00:00", "2001-12-29T13:00:01")),
        ("2001-12-29 13:00:00", "2001-12-29 13:00:01", ("2001-12-29T13:00:00", "2001-12-29T13:00:01")),
        ("2001-12-29T13:00", "2001-12-29T14:00", ("2001-12-29T13:00", "2001-12-29T14:00")),
        ("2001-12-29 13:00", "2001-12-29 14:00", ("2001-12-29T13:00", "2001-12-29T14:00")),
        ("2001-12-29T13:00:00.25", "2001-12-29T13:00:00.50", ("2001-12-29T13:00:00.25", "2001-12-29T13:00:00.50")),
        ("2001-12-29T13:00:00Z", "2001-12-29T14:00:00Z", ("2001-12-29T13:00", "2001-12-29T14:00")),
        ("2001-12-29T13:00:00+02:00", "2001-12-29T14:00:00+02:00", ("2001-12-29T11:00", "2001-12-29T12:00")),
        ("2001-12-29 13:00:00-05:30", "2001-12-29 14:00:00-05:30", ("2001-12-29T18:30", "2001-12-29T19:30")),
        ("2001-12-29T13:00:00+02:00", "2001-12-29T13:00:00+01:00", ("2001-12-29T11:00", "2001-12-29T12:00")),
        ("1009630800", "1009634400", ("2001-12-29T13:00", "2001-12-29T14:00")),
        ("-3600", "0", ("1969-12-31T23:00", "1970-01-01T00:00")),
        (" 2001-12-29 ", " 2001-12-30 ", ("2001-12-29", "2001-12-30")),
    ],
)
def test_timestamps_are_read_as_utc(tmp_path, first, second, expected):
    series = read_series(write(tmp_path, [first, second]), ("a",), "t")
    assert series.time.dtype == np.dtype("M8[us]")
    assert series.time.tolist() == moments(*expected)
    step = datetime.fromisoformat(expected[1]) - datetime.fromisoformat(expected[0])
    assert series.period_s == step.total_seconds()


@pytest.mark.parametrize(
    "stamps",
    [
        [date(2001, 12, 29), date(2001, 12, 30)],
        [datetime(2001, 12, 29), datetime(2001, 12, 30)],
        [datetime(2001, 12, 29, tzinfo=timezone.utc), datetime(2001, 12, 30, tzinfo=timezone.utc)],
        [1009584000, 1009670400],
        ["2001-12-29", "2001-12-30"],
    ],
)
def test_parquet_timestamps_of_every_kind_are_the_same(tmp_path, stamps):
    path = tmp_path / "table.parquet"
    polars.DataFrame({"t": stamps, "a": [1.0, 2.0]}).write_parquet(path)
    assert read_series(path, ("a",), "t").time.tolist() == moments("2001-12-29", "2001-12-30")


@pytest.mark.parametrize("stamps", [["1009630800000", "1009634400000"], [1009630800000, 1009634400000]])
def test_epoch_milliseconds_are_refused(tmp_path, stamps):
    path = tmp_path / "table.parquet"
    polars.DataFrame({"t": stamps, "a": [1.0, 2.0]}).write_parquet(path)
    with pytest.raises(DataError, match="looks like milliseconds"):
        read_series(path, ("a",), "t")


@pytest.mark.parametrize("stamp", ["29.12.2001", "12/29/2001", "yesterday", "2001-12", "now", "12:30"])
def test_a_first_timestamp_in_another_form_is_shown_with_an_example(tmp_path, stamp):
    with pytest.raises(DataError, match=rf"ISO 8601.*2001-12-29.*column 't', got '{stamp}'"):
        read_series(write(tmp_path, [stamp, stamp]), ("a",), "t")


@pytest.mark.parametrize("stamp", ["2001-13-01", "yesterday", "2001-01-04T00:00:00"])
def test_a_later_timestamp_in_another_form_names_its_line(tmp_path, stamp):
    stamps = ["2001-01-01", "2001-01-02", "2001-01-03", stamp, "x"]
    with pytest.raises(
        DataError, match=rf"line 5: expected a timestamp like '2001-01-01' in column 't', got '{stamp}'"
    ):
        read_series(write(tmp_path, stamps), ("a",), "t")


def test_a_missing_timestamp_names_its_line(tmp_path):
    with pytest.raises(DataError, match="line 3: the timestamp in column 't' is missing"):
        read_series(write(tmp_path, ["2001-01-01", "", "2001-01-03"]), ("a",), "t")


@pytest.mark.parametrize(
    ("days", "line", "complaint"),
    [
        ((1, 2, 2, 3, 4), 4, "repeats the one before"),
        ((1, 2, 3, 2, 5, 6), 5, "is earlier than the one before"),
        ((1, 2, 3, 5, 6, 7), 5, "comes 2 d after the one before, where 1 d is the rule"),
        ((1, 3, 4, 5), 3, "comes 2 d after the one before, where 1 d is the rule"),
        ((1, 2, 4), 4, "comes 2 d after the one before, where 1 d is the rule"),
        ((2, 1), 3, "is earlier than the one before"),
        ((1, 1), 3, "repeats the one before"),
        # Of several complaints, the first line in the file is the one to look at.
        ((1, 2, 4, 5, 6, 6, 7), 4, "comes 2 d after"),
        ((1, 2, 3, 1, 2, 3, 3, 4), 5, "is earlier"),
        ((1, 2, 4, 5, 3, 4, 5), 4, "comes 2 d after"),
    ],
)
def test_the_first_timestamp_out_of_order_is_named(tmp_path, days, line, complaint):
    stamps = [f"2001-01-{day:02}" for day in days]
    with pytest.raises(
        DataError, match=rf"line {line}: the timestamp 2001-01-{days[line - 2]:02} {complaint}.*--resample"
    ):
        read_series(write(tmp_path, stamps), ("a",), "t")


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(4, 40), data=st.data())
def test_one_missing_row_in_a_regular_table_is_found_wherever_it_was(tmp_path_factory, rows, data):
    gone = data.draw(st.integers(1, rows - 2))
    stamps = [date(2001, 1, 1) + n * DAY for n in range(rows) if n != gone]
    if len(stamps) == 3:
        stamps.append(stamps[-1] + DAY)
    with pytest.raises(DataError, match=rf"line {gone + 2}: the timestamp .* comes 2 d after"):
        read_series(write(tmp_path_factory.getbasetemp(), stamps), ("a",), "t")


def test_a_single_row_has_a_time_and_no_period(tmp_path):
    series = read_series(write(tmp_path, ["2001-01-01"]), ("a",), "t")
    assert series.time.tolist() == moments("2001-01-01")
    assert series.period_s is None


def bin_start(moment, every):
    """Floor a moment to its bin; weeks begin on Monday."""
    day = datetime(moment.year, moment.month, moment.day)
    return {
        "10m": moment.replace(minute=moment.minute // 10 * 10),
        "1h": moment.replace(minute=0),
        "1d": day,
        "1w": day - moment.weekday() * DAY,
    }[every]


def bin_after(moment, every):
    return moment + {"10m": DAY / 144, "1h": DAY / 24, "1d": DAY, "1w": 7 * DAY}[every]


@settings(max_examples=60, deadline=None)
@given(
    every=st.sampled_from(["10m", "1h", "1d", "1w"]),
    samples=st.lists(
        st.tuples(st.integers(0, 200), st.one_of(st.none(), st.integers(-1000, 1000))), min_size=1, max_size=20
    ),
)
def test_resampling_averages_each_bin_and_leaves_empty_ones_missing(tmp_path_factory, every, samples):
    minutes = {"10m": 3, "1h": 17, "1d": 400, "1w": 2000}[every]
    stamped = [(datetime(2001, 2, 25, 22, 0) + timedelta(minutes=n * minutes), value) for n, value in samples]
    expected = {}
    start = bin_start(min(moment for moment, _ in stamped), every)
    while start <= max(moment for moment, _ in stamped):
        inside = [v for moment, v in stamped if bin_start(moment, every) == start and v is not None]
        expected[start] = sum(inside) / len(inside) if inside else float("nan")
        start = bin_after(start, every)
    path = write(
        tmp_path_factory.getbasetemp(),
        [moment.isoformat() for moment, _ in stamped],
        ["" if value is None else value for _, value in stamped],
    )
    series = read_series(path, ("a",), "t", every)
    assert series.time.tolist() == list(expected)
    np.testing.assert_allclose(series.values[:, 0], list(expected.values()), rtol=1e-12, atol=1e-12)


def test_resampling_needs_timestamps(tmp_path):
    with pytest.raises(DataError, match="--resample needs a column of timestamps"):
        read_series(write(tmp_path, ["2001-01-01"]), ("a",), None, "1w")


@pytest.mark.parametrize("every", ["0h", "0d", "week", "-1h", "1", "1x", ""])
def test_a_bin_of_no_length_is_refused(tmp_path, every):
    with pytest.raises(DataError, match="--resample: expected a length"):
        read_series(write(tmp_path, ["2001-01-01", "2001-01-02"]), ("a",), "t", every)
