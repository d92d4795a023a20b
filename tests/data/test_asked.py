"""What is asked of a table for a network: as in training, and what somebody says wins."""

from types import SimpleNamespace

import numpy as np
import pytest

from edgelstm.contract import Channel
from edgelstm.data.asked import asking_for, read_for
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.errors import DataError, InputError
from edgelstm.reading import Dialect, Reading, Rhythm, TimeForm

HEAT, NW, SE = (
    Channel("heat", None, "float32", None),
    *(Channel(f"wind={word}", None, "float32", None, column="wind", category=word) for word in ("NW", "SE")),
)
READING = Reading(
    "csv",
    Dialect(";"),
    ("-200",),
    TimeForm(("day",), "iso"),
    "pump",
    Rhythm("day", 1),
    None,
    "first",
    "forward",
    4,
)


def takes(reading=READING, inputs=(HEAT, NW, SE), period=86400.0, times=False):
    return SimpleNamespace(reading=reading, inputs=inputs, sample_period_s=period, times=times)


def test_a_table_is_asked_for_as_in_training():
    asked = asking_for(takes(), {}, ("load",), "state")
    assert asked == Asking(
        columns=("heat", "wind", "load"),
        targets=("heat", "load"),
        label="state",
        time=("day",),
        series="pump",
        na=("-200",),
        duplicates="first",
        gaps="forward",
        max_gap=4,
        categories={"wind": ("NW", "SE")},
        like=READING,
    )


def test_without_a_reading_nothing_is_known_but_the_columns():
    asked = asking_for(takes(None, (HEAT,)), {"time": ["day", "hour"], "gaps": "drop"})
    assert asked == Asking(columns=("heat",), targets=("heat",), time=("day", "hour"), gaps="drop")


@pytest.mark.parametrize(
    "said",
    [
        {"gaps": "interpolate"},  # the default of a table that nobody read before
        {"duplicates": "error"},
        {"max_gap": 0},
        {"time": "when"},
        {"na": ["-1", "-2"]},
        {"series": "unit"},
        {"delimiter": "|"},
        {"header": False},
        {"skip_rows": 0},
        {"resample": "1w"},
    ],
    ids=str,
)
def test_what_somebody_says_wins_even_where_it_is_a_default(said):
    asked = asking_for(takes(), said)
    for key, value in said.items():
        expected = tuple(value) if isinstance(value, list) else (value,) if key == "time" else value
        assert getattr(asked, key) == expected
        if key in ("gaps", "duplicates", "max_gap"):
            assert getattr(asked.like, key) == expected


def test_channels_come_in_the_order_of_the_network_whatever_the_table_has(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("load;wind;day;heat;pump\n1;SE;2024-01-01;20;a\n2;;2024-01-02;21;a\n")
    (series,) = read_for(takes(), table, {}, ("load", "heat")).series
    assert series.names == ("heat", "wind=NW", "wind=SE", "load")
    np.testing.assert_array_equal(series.values, [[20, 0, 1, 1], [21, np.nan, np.nan, 2]])


def test_categories_may_stand_anywhere_among_the_inputs(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("day;heat;wind;pump\n2024-01-01;20;NW;a\n2024-01-02;21;SE;a\n")
    (series,) = read_for(takes(inputs=(SE, NW, HEAT)), table, {}).series
    assert series.names == ("wind=SE", "wind=NW", "heat")
    assert series.values.tolist() == [[0, 1, 20], [1, 0, 21]]


def test_a_table_of_another_period_is_refused_where_only_the_period_is_known(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("day,heat\n" + "".join(f"2024-01-{i:02},{i}\n" for i in range(1, 30, 7)))
    asked = takes(None, (HEAT,))
    with pytest.raises(DataError, match=r"a sample every 86400 s, but the table has one every 604800 s"):
        read_for(asked, table, {"time": "day"})
    assert len(read_for(asked, table, {}).series[0].values) == 5  # nobody knows


@pytest.mark.parametrize(("off", "taken"), [(0.9e-6, True), (-0.9e-6, True), (1.1e-6, False), (-1.1e-6, False)])
def test_a_period_may_differ_by_a_millionth(tmp_path, off, taken):
    rows = [f"2024-01-01 {hour:02}:00,{hour}" for hour in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(["day,heat", *rows, ""]))
    asked = takes(None, (HEAT,), period=3600.0 * (1 + off))
    if taken:
        assert len(read_for(asked, tmp_path / "t.csv", {"time": "day"}).series[0].values) == 6
        return
    with pytest.raises(DataError, match="a sample every 3600 s, but the table has one every 3600 s"):
        read_for(asked, tmp_path / "t.csv", {"time": "day"})


def test_a_network_that_takes_times_asks_for_a_column_of_them(tmp_path):
    (tmp_path / "t.csv").write_text("heat\n1\n2\n")
    with pytest.raises(
        InputError, match=r"^this file needs the time of each sample: name the timestamp column with --time"
    ):
        read_for(takes(None, (HEAT,), times=True), tmp_path / "t.csv", {})


def test_reading_again_gives_the_same_reading(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("day|heat|wind\n" + "".join(f"{i:02}.01.2024|{i},5|NW\n" for i in range(1, 20)))
    first = read(table, Asking(columns=("heat", "wind"), targets=("heat",), time=("day",), gaps="forward", max_gap=2))
    again = read_for(takes(first.reading, (HEAT, NW)), table, {})
    assert again.reading == first.reading
    assert again.notes == ()
    np.testing.assert_array_equal(again.series[0].values, first.series[0].values)
