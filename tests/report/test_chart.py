"""Charts: ticks are round and in place, lines keep their extremes, nothing unknown is drawn."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.report.chart import HEIGHT, MAX_POINTS, Curve, draw
from edgelstm.report.ticks import log_ticks, number_ticks, time_ticks

SECONDS = st.integers(-(10**10), 10**10)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_of_numbers_stand_where_they_say(low, length):
    high = low + length
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return
    ticks = number_ticks(low, high, 5)
    assert 1 <= len(ticks) <= 7
    for tick in ticks:
        assert -1e-6 <= tick.at <= 100 + 1e-6
        near = low + tick.at / 100 * (high - low)
        assert float(tick.text) == pytest.approx(near, rel=1e-3, abs=1e-3 * (high - low))


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 0.01, ("0.000", "0.002", "0.004", "0.006", "0.008", "0.010")),
        (0.0, 0.0005, ("0.0000", "0.0001", "0.0002", "0.0003", "0.0004", "0.0005")),
        (0.0, 0.00005, ("0", "1e-05", "2e-05", "3e-05", "4e-05", "5e-05")),  # five decimals are too many
        (0.0, 999_999.0, ("0", "200000", "400000", "600000", "800000")),
        (0.0, 1e6, ("0", "2e+05", "4e+05", "6e+05", "8e+05", "1e+06")),  # so are seven digits
        (
            1e9 - 2,
            1e9 + 2,
            ("999999998", "999999999", "1000000000", "1000000001", "1000000002"),
        ),  # but for a small step
    ],
)
def test_ticks_of_numbers_are_short_and_told_apart(low, high, texts):
    assert tuple(tick.text for tick in number_ticks(low, high, 5)) == texts


@pytest.mark.parametrize(("off", "seen"), [(0.5e-9, True), (2e-9, False)])
def test_an_end_that_is_a_rounding_away_from_a_tick_has_it(off, seen):
    """A tick lies at each whole number; those at the ends are missed by so much of a step."""
    texts = [tick.text for tick in number_ticks(1 + off, 5 - off, 4)]
    assert texts == (["1", "2", "3", "4", "5"] if seen else ["2", "3", "4"])
    powers = [tick.text for tick in log_ticks(off, 2 - off)]
    assert powers == (["1", "2", "5", "10", "20", "50", "100"] if seen else ["2", "5", "10", "20", "50"])


@pytest.mark.parametrize(("off", "second"), [(0.5e-9, "1"), (2e-9, "2")])
def test_a_range_that_is_a_rounding_too_long_keeps_its_steps(off, second):
    assert number_ticks(0.0, 5 * (1 + off), 5)[1].text == second


@given(SECONDS, st.integers(1, 10**10))
def test_ticks_of_time_grow_and_are_few(low, length):
    ticks = time_ticks(low, low + length)
    assert len(ticks) <= 6
    places = [tick.at for tick in ticks]
    assert places == sorted(set(places))
    assert all(0 <= place <= 100 for place in places)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("1996-06-01", "2001-12-01", ["1997", "1998", "1999", "2000", "2001"]),
        ("2016-01-15", "2016-05-02", ["2016-02", "2016-03", "2016-04", "2016-05"]),
        ("2016-12-30T00:00", "2017-01-01T12:00", ["2016-12-30", "12-31", "2017-01-01"]),
        ("2016-07-01T01:00", "2016-07-01T23:00", ["2016-07-01 06:00", "12:00", "18:00"]),
        ("2016-07-01T00:00:00", "2016-07-01T00:01:00", ["2016-07-01", "00:00:30", "00:01:00"]),
    ],
)
def test_ticks_of_time_say_what_a_calendar_says(first, last, expected):
    low, high = (int(np.datetime64(end, "s").astype(np.int64)) for end in (first, last))
    assert [tick.text for tick in time_ticks(low, high)] == expected


@given(st.floats(-12, 12), st.floats(0.001, 20))
def test_ticks_of_powers_grow_and_are_few(low, length):
    ticks = log_ticks(low, low + length)
    assert 1 <= len(ticks) <= 8
    assert [tick.at for tick in ticks] == sorted(tick.at for tick in ticks)


def test_a_long_line_keeps_its_highest_and_its_lowest_point():
    y = np.sin(np.arange(100_000) / 100)
    y[54_321], y[12_345] = 9, -9
    (mark,) = draw("", [Curve("", "truth", np.arange(100_000), y)], y_range=(-9, 9)).marks
    heights = [float(number) for number in re.findall(r"\d+\.?\d* (\d+\.?\d*)", mark.path)]
    assert (min(heights), max(heights)) == (0, HEIGHT)
    assert len(heights) <= MAX_POINTS


def test_a_line_breaks_where_nothing_is_known():
    y = np.array([1, 2, np.nan, 3, np.nan, np.nan])
    (mark,) = draw("", [Curve("", "truth", np.arange(6), y)]).marks
    assert mark.path.count("M") == 2


def test_what_is_nowhere_known_is_not_drawn():
    (mark,) = draw("", [Curve("", "truth", np.arange(3), np.full(3, np.nan))]).marks
    assert mark.path == ""


def test_the_first_curve_lies_on_top_and_stands_first_in_the_legend():
    curves = [Curve(name, name, np.arange(2), np.arange(2.0)) for name in ("answer", "truth")]
    chart = draw("", curves)
    assert [mark.style for mark in chart.marks] == ["truth", "answer"]
    assert [label for _, _, label in chart.legend] == ["answer", "truth"]


def test_what_is_counted_has_no_halves():
    ticks = draw("", [Curve("", "truth", np.arange(1, 4), np.ones(3))]).x_ticks
    assert [tick.text for tick in ticks] == ["1", "2", "3"]


def test_a_scale_of_powers_over_less_than_a_decade_has_round_numbers():
    assert [tick.text for tick in log_ticks(np.log10(0.208), np.log10(0.683))] == ["0.3", "0.4", "0.5", "0.6"]


@pytest.mark.parametrize(
    ("time", "texts"),
    [(True, ["1970-01-01", "12:00", "01-02 00:00"]), (False, ["0", "20000", "40000", "60000", "80000"])],
)
def test_seconds_have_the_labels_of_a_calendar_when_they_are_times(time, texts):
    chart = draw("", [Curve("", "truth", np.array([0, 86_400]), np.ones(2))], time=time)
    assert [tick.text for tick in chart.x_ticks] == texts
