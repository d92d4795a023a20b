"""Rows with times are sorted, merged, put at the places of their rhythm or into bins, and read again as in training."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import numpy as np
import polars
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError
from edgelstm.reading import Rhythm, TimeForm

DAY = timedelta(days=1)
NAN = float("nan")


def csv(*rows, header="t,a"):
    return io.StringIO("\n".join((header, *rows)) + "\n", newline="")


def ask(**more):
    return Asking(**{"columns": ("a",), "targets": ("a",), "time": ("t",), **more})


def days(*numbers, values=None):
    values = range(len(numbers)) if values is None else values
    return csv(*[f"2001-01-{day:02},{value}" for day, value in zip(numbers, values, strict=True)])


def one(source, **more):
    found = read(source, ask(**more))
    (series,) = found.series
    return found, series


class TestOrder:
    """Rows that are not in time order."""

    def test_rows_that_run_backwards_are_turned_round_and_that_is_said(self):
        found, series = one(days(4, 3, 2, 1))
        assert series.values.ravel().tolist() == [3, 2, 1, 0]
        assert "rows run from the latest to the earliest: reversed" in found.notes

    def test_rows_in_mixed_order_are_sorted_and_counted(self):
        found, series = one(days(1, 3, 2, 5, 4))
        assert series.values.ravel().tolist() == [0, 2, 1, 4, 3]
        assert "rows are not in time order, 2 out of place: sorted" in found.notes

    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(st.permutations(range(30)))
    def test_any_order_of_the_rows_is_the_same_series(self, order):
        texts = [f"{date(2001, 1, 1) + n * DAY},{n}" for n in range(30)]
        _, series = one(csv(*[texts[n] for n in order]))
        assert series.values.ravel().tolist() == list(range(30))

    def test_nothing_is_said_of_rows_in_order(self):
        found, _ = one(days(1, 2, 3))
        assert found.notes == ("times: 2001-01-01 is ISO 8601, one every day",)


class TestDuplicates:
    """Rows with the same time."""

    def test_equal_rows_are_dropped_and_counted(self):
        found, series = one(days(1, 2, 2, 3, 2, values=["5", "", "", "7", ""]))
        np.testing.assert_array_equal(series.values.ravel(), [5, NAN, 7])
        assert "2 duplicate rows (same time and samples) removed" in found.notes

    @pytest.mark.parametrize(("policy", "expected"), [("first", [0, 1, 4]), ("last", [0, 3, 4]), ("mean", [0, 2, 4])])
    def test_different_rows_are_settled_as_asked_for(self, policy, expected):
        found, series = one(days(1, 2, 2, 2, 3), duplicates=policy)
        assert series.values.ravel().tolist() == expected
        assert f"2 rows with the time of another row: --duplicates {policy}" in found.notes
        assert found.reading.duplicates == policy

    def test_a_mean_is_that_of_the_samples_that_are_there(self):
        _, series = one(days(1, 2, 2, 3, values=["0", "", "6", "4"]), duplicates="mean")
        assert series.values.ravel().tolist() == [0, 6, 4]

    def test_the_first_and_the_last_are_those_of_the_table_whichever_way_it_runs(self):
        for policy, expected in (("first", 1), ("last", 2)):
            _, series = one(days(3, 2, 2, 1), duplicates=policy)
            assert series.values[1, 0] == expected

    def test_without_a_choice_they_name_both_lines_and_the_options(self):
        with pytest.raises(
            DataError,
            match=r"line 4: the time 2001-01-02 occurs twice, first at line 3; give "
            r"--duplicates first, last or mean, or --resample 1d$",
        ):
            one(days(1, 2, 2, 3))

    def test_bins_take_all_rows_of_one_time(self):
        _, series = one(days(1, 2, 2, 3), resample="1d")
        assert series.values.ravel().tolist() == [0, 1.5, 3]

    @pytest.mark.parametrize("night", ["2024-10-27 02:00", "2024-11-03 01:00", "2024-04-07 02:00"])
    def test_times_that_come_twice_at_the_end_of_summer_time_name_the_zone(self, night):
        moment = datetime.fromisoformat(night)
        hours = [moment + n * timedelta(hours=1) for n in (-2, -1, 0, 0, 1, 2)]
        with pytest.raises(DataError, match=r"clocks were put back then: give --time-zone, such as.*--duplicates"):
            one(csv(*[f"{hour},{n}" for n, hour in enumerate(hours)]))

    def test_a_zone_tells_them_apart(self):
        hours = ["00:00", "01:00", "02:00", "02:00", "03:00"]
        rows = [f"2024-10-27 {hour},{n}" for n, hour in enumerate(hours)]
        found, series = one(csv(*rows), time_zone="Europe/Berlin")
        assert series.values.ravel().tolist() == [0, 1, 2, 3, 4]
        assert series.rhythm == Rhythm("second", 3600.0)
        assert str(series.time[0])[:16] == "2024-10-26T22:00"
        assert found.reading.time.zone == "Europe/Berlin"

    def test_a_column_that_may_tell_series_apart_is_named(self):
        rows = [f"2001-01-{day:02},{store},{ord(store) * day}" for store in ("x", "y", "z") for day in range(1, 5)]
        with pytest.raises(DataError, match=r"line 6: .* give --series 'store' if that column identifies series, else"):
            one(csv(*rows, header="t,store,a"))

    def test_equal_rows_of_different_series_are_not_dropped(self):
        rows = [f"2001-01-{day:02},{store},7" for store in ("x", "y") for day in range(1, 5)]
        with pytest.raises(DataError, match="give --series 'store'"):
            one(csv(*rows, header="t,store,a"))
        assert one(csv(*rows, header="t,store,a"), duplicates="first")[1].values.shape == (4, 1)

    def test_classes_have_no_mean(self):
        rows = csv("2001-01-01,1,x", "2001-01-01,2,y", "2001-01-02,3,x", header="t,a,state")
        with pytest.raises(DataError, match="--duplicates mean averages numbers, and classes have no average"):
            read(rows, ask(label="state", duplicates="mean"))


class TestGaps:
    """Missing rows."""

    def test_they_are_missing_samples_with_their_times_and_are_counted(self):
        found, series = one(days(1, 2, 5, 6, 8))
        np.testing.assert_array_equal(series.values.ravel(), [0, 1, NAN, NAN, 2, 3, NAN, 4])
        assert [time.day for time in series.time.tolist()] == list(range(1, 9))
        assert "3 rows missing, in 2 gaps of at most 2: read as missing samples" in found.notes

    @settings(max_examples=50, deadline=None, derandomize=True)
    @example("business day", {1, 2, 33, 3, 6, 8, 11, 16, 18, 31})
    @given(st.sampled_from(["10 min", "day", "business day", "month"]), st.sets(st.integers(1, 38), max_size=12))
    def test_rows_are_found_missing_wherever_they_were(self, unit, gone):
        every = {
            "10 min": [datetime(2001, 1, 1) + n * DAY / 144 for n in range(40)],
            "day": [datetime(2001, 1, 1) + n * DAY for n in range(40)],
            "business day": np.busday_offset("2001-01-01", np.arange(40)).astype("datetime64[us]").tolist(),
            "month": np.arange("2001-01", "2004-05", dtype="datetime64[M]").astype("datetime64[us]").tolist(),
        }[unit]
        assume(unit != "day" or any(every[n].weekday() > 4 for n in range(40) if n not in gone))  # else business days
        kept = [n for n in range(40) if n not in gone]
        _, series = one(csv(*[f"{every[n]},{n}" for n in kept]))
        assert series.rhythm.name == unit
        if unit == "business day":
            assert series.values.ravel().tolist() == kept
            return
        np.testing.assert_array_equal(series.values.ravel(), [NAN if n in gone else n for n in range(40)])
        assert series.time.tolist() == every

    def test_the_strict_policy_names_the_first_line_behind_a_hole(self):
        with pytest.raises(DataError, match=r"line 4: 2 missing rows before this one, 3 in all; give --missing"):
            one(days(1, 2, 5, 6, 8), gaps="error")
        assert len(one(days(1, 2, 3), gaps="error")[1].values) == 3

    def test_classes_of_rows_that_are_not_there_are_unknown(self):
        rows = csv("2001-01-01,1,x", "2001-01-02,2,y", "2001-01-04,3,x", header="t,a,state")
        assert read(rows, ask(label="state")).series[0].labels == ("x", "y", "", "x")

    def test_times_between_rows_of_a_clock_that_drifts_lie_between_them(self):
        seconds = [0, 60, 120, 180, 240, 427, 487, 547]
        _, series = one(csv(*[f"{datetime(2001, 1, 1) + timedelta(seconds=s)},1" for s in seconds]))
        assert len(series.values) == 10
        assert (np.diff(series.time) > np.timedelta64(55, "s")).all()

    def test_a_clock_that_is_off_by_a_second_in_a_minute_keeps_its_times(self):
        seconds = [0, 60, 120, 179, 240, 301, 360, 420]
        _, series = one(csv(*[f"{datetime(2001, 1, 1) + timedelta(seconds=s)},1" for s in seconds]))
        assert series.period_s == 60
        assert (np.diff(series.time).astype(int) / 1e6).tolist() == np.diff(seconds).tolist()

    def test_a_table_that_would_grow_beyond_measure_is_refused(self):
        rows = [f"{datetime(2001, 1, 1) + timedelta(seconds=s)},1" for s in (0, 1, 2, 3, 10**6)]
        with pytest.raises(DataError, match=r"line 2: the 5 rows from here would become 1000001, .* --resample"):
            one(csv(*rows))

    def test_a_single_row_has_a_time_and_no_rhythm_and_that_is_said(self):
        found, series = one(days(1))
        assert series.time.tolist() == [datetime(2001, 1, 1)]
        assert series.period_s is series.rhythm is found.reading.rhythm is None
        assert "one row is too few to detect the rhythm" in found.notes


class TestSeries:
    """Many series in one table, in any order."""

    def test_rows_may_be_interleaved_and_series_begin_when_they_like(self):
        rows = ["2001-01-01,x,1", "2001-01-02,y,5", "2001-01-02,x,2", "2001-01-03,y,6", "2001-01-05,y,8"]
        found = read(csv(*rows, header="t,who,a"), ask(series="who"))
        assert [series.name for series in found.series] == ["x", "y"]
        np.testing.assert_array_equal(found.series[1].values.ravel(), [5, 6, NAN, 8])
        assert [str(series.time[0])[:10] for series in found.series] == ["2001-01-01", "2001-01-02"]
        assert {series.rhythm for series in found.series} == {Rhythm("day", 1)}
        assert found.reading.series == "who"

    def test_the_rhythm_of_a_series_of_one_row_is_that_of_the_others(self):
        found = read(csv("2001-01-01,x,1", "2001-01-01,y,5", "2001-01-02,y,6", header="t,who,a"), ask(series="who"))
        assert [len(series.values) for series in found.series] == [1, 2]
        assert found.series[0].rhythm == Rhythm("day", 1)

    def test_a_row_without_the_name_of_its_series_is_refused(self):
        with pytest.raises(DataError, match="line 3: the name of the series in column 'who' is missing"):
            read(csv("2001-01-01,x,1", "2001-01-02,,2", header="t,who,a"), ask(series="who"))

    def test_a_rhythm_that_one_series_does_not_have_names_its_line(self):
        rows = [f"2001-01-01 {hour:02}:00,x,1" for hour in range(10)] + ["2001-01-01 00:20,y,1", "2001-01-01 02:00,y,1"]
        rows += ["2001-01-01 02:17,y,1"]
        with pytest.raises(DataError, match=r"line 14: the time .* is 17 min .*--resample 1h"):
            read(csv(*rows, header="t,who,a"), ask(series="who"))


class TestTraining:
    """Tomorrow's table is read like that of training."""

    TRAINED = csv(*[f"{day:02}/02/2020 10:00,{day}" for day in range(1, 29)])

    def trained(self, **more):
        self.TRAINED.seek(0)
        return read(self.TRAINED, Asking(("a",), time=("t",), **more)).reading

    def test_what_was_understood_is_recorded(self):
        reading = self.trained(time_zone="Europe/Berlin", max_gap=4, na=("-1",))
        assert reading.format == "csv"
        assert reading.time == TimeForm(("t",), "%d/%m/%Y %H:%M", "Europe/Berlin")
        assert reading.rhythm == Rhythm("day", 1)
        assert (reading.duplicates, reading.gaps, reading.max_gap, reading.missing) == (
            "error",
            "interpolate",
            4,
            ("-1",),
        )

    def test_a_row_or_two_are_enough_for_the_rhythm_that_is_known(self):
        reading = self.trained()
        for rows in (["01/03/2020 10:00,1"], ["01/03/2020 10:00,1", "03/03/2020 10:00,2"]):
            found = read(csv(*rows), Asking(("a",), like=reading))
            assert found.reading == reading
            assert str(found.series[0].time[0])[:10] == "2020-03-01"
        np.testing.assert_array_equal(found.series[0].values.ravel(), [1, NAN, 2])

    @pytest.mark.parametrize(
        ("rows", "complaint"),
        [
            (["2020-03-01 10:00,1"], "'%d/%m/%Y %H:%M'.*unlike in training: give the --time-format"),
            (
                [f"01/03/2020 {hour:02}:00,1" for hour in range(5)],
                "one row every day, as in training, got one every 1 h: give a table with the rhythm of training, or "
                "--resample 1d",
            ),
            (
                [f"{day:02}/03/2020 10:00,1" for day in (1, 8, 15, 22)],
                "one row every day, as in training, got one every week",
            ),
            (["01/03/2020 10:00,1", "01/03/2020 13:00,1", "01/03/2020 14:00,1", "09/03/2020 10:00,1"], "--resample"),
        ],
    )
    def test_another_form_or_rhythm_is_refused_with_the_difference_named(self, rows, complaint):
        with pytest.raises(DataError, match=complaint):
            read(csv(*rows), Asking(("a",), like=self.trained()))

    def test_a_table_without_the_column_of_times_is_refused(self):
        with pytest.raises(DataError, match="no column 't'"):
            read(csv("1", header="a"), Asking(("a",), like=self.trained()))

    def test_resampling_is_done_again_without_being_asked_for(self):
        reading = self.trained(resample="1w")
        assert (reading.resample, reading.rhythm) == ("1w", Rhythm("day", 7))
        found = read(
            csv("02/03/2020 10:00,1", "05/03/2020 11:00,3", "09/03/2020 10:00,5"), Asking(("a",), like=reading)
        )
        assert found.series[0].values.ravel().tolist() == [2, 5]
        assert found.reading == reading

    def test_options_that_are_given_win_over_training(self):
        reading = replace_time(self.trained())
        found = read(csv("2020-03-02,1", header="when,a"), Asking(("a",), time=("when",), like=reading))
        assert found.reading.time == TimeForm(("when",), "iso without offset", None)

    def test_categories_of_training_are_kept_and_unseen_words_counted(self):
        rows = [f"2001-01-0{n},{n},{word}" for n, word in enumerate(("N", "S", "", "N"), 1)]
        first = read(csv(*rows, header="t,a,wind"), Asking(("a", "wind"), ("a",), time=("t",)))
        assert first.categories == {"wind": ("N", "S")}
        assert first.series[0].names == ("a", "wind=N", "wind=S")
        np.testing.assert_array_equal(first.series[0].values[:, 1:], [[1, 0], [0, 1], [NAN, NAN], [1, 0]])
        again = csv("2001-01-05,1,E", header="t,a,wind")
        second = read(again, Asking(("a", "wind"), ("a",), like=first.reading, categories=first.categories))
        assert second.series[0].values.tolist() == [[1, 0, 0]]
        assert any("1 unknown word, treated as no category" in note for note in second.notes)


def replace_time(reading):
    """A reading of training for a table with other names."""
    return reading._replace(time=reading.time._replace(columns=("stamp",)), rhythm=None)


class TestParquet:
    """Times stored as times or as numbers."""

    @pytest.mark.parametrize(
        "stamps",
        [
            [date(2001, 12, 29), date(2001, 12, 30)],
            [datetime(2001, 12, 29), datetime(2001, 12, 30)],
            [datetime(2001, 12, 29, tzinfo=timezone.utc), datetime(2001, 12, 30, tzinfo=timezone.utc)],
            [1009584000, 1009670400],
            [1009584000000, 1009670400000],
            [1009584000.0, 1009670400.0],
            [20011229, 20011230],
            ["2001-12-29", "2001-12-30"],
        ],
    )
    def test_times_of_every_kind_are_the_same(self, tmp_path, stamps):
        path = tmp_path / "table.parquet"
        polars.DataFrame({"t": stamps, "a": [1.0, 2.0]}).write_parquet(path)
        series = read(path, Asking(("a",), time=("t",))).series[0]
        assert series.time.tolist() == [datetime(2001, 12, 29), datetime(2001, 12, 30)]
        assert series.period_s == 86_400

    def test_a_zone_that_is_stored_is_that_of_the_calendar(self, tmp_path):
        path = tmp_path / "table.parquet"
        local = polars.Series("t", [datetime(2024, 3, 30) + n * DAY for n in range(4)])
        polars.DataFrame({"t": local.dt.replace_time_zone("Europe/Berlin"), "a": range(4)}).write_parquet(path)
        found = read(path, ask())
        assert found.reading.time.zone == "Europe/Berlin"
        assert found.series[0].rhythm == Rhythm("day", 1)
        assert str(found.series[0].time[0])[:16] == "2024-03-29T23:00"

    def test_local_times_are_read_in_the_zone_that_is_asked_for(self, tmp_path):
        path = tmp_path / "table.parquet"
        polars.DataFrame({"t": [datetime(2024, 7, 1, 12)], "a": [1.0]}).write_parquet(path)
        found = read(path, ask(time_zone="Europe/Berlin"))
        assert str(found.series[0].time[0])[:16] == "2024-07-01T10:00"


@pytest.mark.parametrize("more", [{"label": "a", "columns": ("b",)}])
def test_resampling_and_classes_exclude_each_other(more):
    with pytest.raises(DataError, match="classes have no average"):
        read(csv("2001-01-01,x,1", header="t,a,b"), replace(ask(targets=(), resample="1d"), **more))


def test_resampling_needs_times():
    with pytest.raises(DataError, match="--resample needs a column of timestamps"):
        read(csv("2001-01-01,1"), Asking(("a",), resample="1w"))


def test_several_columns_make_one_time():
    rows = [f"2001,1,{day},{hour},{day * 24 + hour}" for day in (1, 2) for hour in range(24)]
    found = read(csv(*rows, header="year,month,day,hour,a"), ask(time=("year", "month", "day", "hour")))
    assert found.reading.time == TimeForm(("year", "month", "day", "hour"), "%Y %m %d %H")
    assert found.series[0].rhythm == Rhythm("second", 3600.0)
    assert len(found.series[0].values) == 48


def test_columns_that_are_times_are_no_channels():
    found = read(csv("2001-01-01,1,x", "2001-01-02,2,y", header="t,a,wind"), Asking(time=("t",)))
    assert found.series[0].names == ("a", "wind=x", "wind=y")


def test_a_target_of_text_names_the_tasks_that_learn_it():
    with pytest.raises(DataError, match=r"column 'a' holds text, idle, running, .*--task label .*--classes"):
        one(csv("2001-01-01,running", "2001-01-02,idle"))


def test_a_name_is_no_category():
    rows = [f"2001-01-01 {n // 60:02}:{n % 60:02},{n},name {n}" for n in range(300)]
    with pytest.raises(DataError, match=r"column 'id' holds 300 different texts, more than 256 categories: remove it"):
        read(csv(*rows, header="t,a,id"), Asking(("a", "id"), ("a",), time=("t",)))


@pytest.mark.parametrize("astray", ["1970-01-01", "9999-12-31"])
def test_a_clock_that_was_wrong_once_is_named_with_its_line(astray):
    days = [f"2024-01-{day:02}" for day in range(1, 31)]
    days[5] = astray
    table = "t,v\n" + "".join(f"{day},{n}\n" for n, day in enumerate(days))
    with pytest.raises(
        DataError, match=rf"line 7: the time {astray} 00:00 is far from all others: fix or delete this row"
    ):
        read(io.StringIO(table), Asking(("v",), time=("t",)))


def test_a_dark_hour_that_comes_twice_in_autumn_names_the_zone():
    hours = [f"2023-10-29 {hour:02}:00,0" for hour in (0, 1, 2, 2, 3, 4)]
    found = read(csv(*hours), Asking(("a",), time=("t",)))
    assert any("if clocks were put back then, give --time-zone to keep both hours" in note for note in found.notes)
    zoned = read(csv(*hours), Asking(("a",), time=("t",), time_zone="Europe/Berlin"))
    assert len(zoned.series[0].values) == 6


def test_equal_rows_of_another_day_have_no_word_about_clocks():
    found = read(csv(*[f"2023-10-24 {hour:02}:00,0" for hour in (0, 1, 2, 2, 3, 4)]), Asking(("a",), time=("t",)))
    assert any(
        "1 duplicate row (same time and samples) removed" in note and "clock" not in note for note in found.notes
    )
