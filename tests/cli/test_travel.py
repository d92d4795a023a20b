"""What was understood of a table travels with the file: the next table of the same logger needs no option."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from tests.cli.logged import KINDS, LATER, ROWS, answers, berlin, column, hours, value, values, weekday, write
from tests.cli.test_bad_input import assert_one_line_and_exit_2
from tests.cli.trained import HORIZON, WINDOW, asking, trained_on


@pytest.fixture
def trained(tmp_path):
    """Trains on a table of a kind; gives the file and its predictor."""

    def train(kind, **more):
        table = write(tmp_path / "table.csv", kind, 0, ROWS)
        options = {"state": more.pop("state", "window"), "times": more.pop("times", False)}
        predictor, _ = trained_on(table, tmp_path / "net.onnx", asking(["heat"], **KINDS[kind][2], **more), **options)
        return tmp_path / "net.onnx", predictor

    return train


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_table_and_tomorrows_need_no_option(kind, trained, cli_here, tmp_path):
    path, predictor = trained(kind)
    write(tmp_path / "tomorrow.csv", kind, ROWS - 3, LATER)  # a few rows: most dates in it could be read in two ways
    for table, last in (("table.csv", ROWS - 1), ("tomorrow.csv", ROWS - 3 + LATER - 1)):
        process = cli_here("predict", path, table)
        found = answers(process)
        expected = predictor.predict(values(last + 1 - WINDOW, WINDOW))[:, 0]
        np.testing.assert_array_equal(column(found), expected)
        if KINDS[kind][3]:
            assert [row["time"] for row in found] == [KINDS[kind][3](last + step) for step in range(1, HORIZON + 1)]
            assert {row["origin"] for row in found} == {KINDS[kind][3](last)}
        told = [line for line in process.stderr.splitlines() if "summer time" not in line]
        assert told == []


@pytest.mark.parametrize("kind", ["ISO", "a zone", "months", "business days, month first"])
def test_one_row_is_enough_for_a_carried_file(kind, trained, cli_here, tmp_path):
    path, predictor = trained(kind, state="carried")
    write(tmp_path / "row.csv", kind, ROWS, 1)
    found = answers(cli_here("predict", path, "row.csv"))
    np.testing.assert_array_equal(column(found), predictor.predict(values(ROWS, 1))[-1, :, 0])
    assert [row["time"] for row in found] == [KINDS[kind][3](ROWS + step) for step in range(1, HORIZON + 1)]


@pytest.mark.parametrize("kind", ["a zone", "seconds since 1970", "semicolons, decimal commas, two columns of time"])
def test_a_file_that_takes_times_is_given_those_of_training(kind, trained, cli_here, tmp_path):
    path, predictor = trained(kind, times=True)
    write(tmp_path / "tomorrow.csv", kind, ROWS, LATER)
    start = berlin(0) if kind == "a zone" else hours(0)
    seconds = [int((start + timedelta(hours=ROWS + i)).timestamp()) for i in range(LATER)]
    if kind == "a zone":
        seconds = [int(berlin(ROWS + i).timestamp()) for i in range(LATER)]
    expected = predictor.predict(values(ROWS + LATER - WINDOW, WINDOW), time_s=seconds[-WINDOW:])
    np.testing.assert_array_equal(column(answers(cli_here("predict", path, "tomorrow.csv"))), expected[:, 0])


OTHERS = {
    "another delimiter": (
        "ISO",
        lambda text: text.replace(",", ";"),
        "commas between fields, as in training, got semicolons",
    ),
    "another form of time": ("ISO", lambda text: text.replace("T", " ").replace("-", "/"), "2024"),
    "another order of day and month": (
        "business days, month first",
        lambda text: "\n".join(
            [text.split("\n")[0], *(f"{weekday(i + ROWS):%d/%m/%Y},{value(i)}" for i in range(LATER))]
        ),
        "line 2: expected a timestamp like '",
    ),
    "no column of time": ("ISO", lambda text: text.replace("t,heat", "when,heat"), "there is no column 't'"),
    "no input": ("ISO", lambda text: text.replace("t,heat", "t,warmth"), "there is no column 'heat'"),
    "another rhythm": (
        "ISO",
        lambda text: "t,heat\n" + "".join(f"{hours(2 * i):%FT%T},{value(i)}\n" for i in range(LATER)),
        "one row every 1 h, as in training, got one every 2 h",
    ),
    "words among the numbers": ("ISO", lambda text: text.replace(str(value(ROWS + 2)), "broken"), "broken"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_table_of_another_form_is_refused_with_the_difference(case, trained, cli_here, tmp_path):
    kind, change, expected = OTHERS[case]
    path, _ = trained(kind)
    table = write(tmp_path / "tomorrow.csv", kind, ROWS, LATER)
    table.write_text(change(table.read_text()))
    process = cli_here("predict", path, "tomorrow.csv")
    assert_one_line_and_exit_2(process, expected)


def test_an_option_wins_over_training(trained, cli_here, tmp_path):
    path, predictor = trained("ISO")
    table = write(tmp_path / "tomorrow.csv", "ISO", ROWS, LATER)
    table.write_text(table.read_text().replace("t,heat", "when,heat").replace(",", ";"))
    found = answers(cli_here("predict", path, "tomorrow.csv", "--time", "when", "--delimiter", ";"))
    np.testing.assert_array_equal(column(found), predictor.predict(values(ROWS + LATER - WINDOW, WINDOW))[:, 0])


def test_rows_in_another_order_and_twice_are_mended_and_that_is_said(trained, cli_here, tmp_path):
    path, predictor = trained("ISO")
    header, *lines = write(tmp_path / "tomorrow.csv", "ISO", ROWS, LATER).read_text().split()
    (tmp_path / "tomorrow.csv").write_text("\n".join([header, *lines[::-1], lines[3]]))
    process = cli_here("predict", path, "tomorrow.csv")
    expected = predictor.predict(values(ROWS + LATER - WINDOW, WINDOW))[:, 0]
    np.testing.assert_array_equal(column(answers(process)), expected)
    assert "sorted" in process.stderr
    assert "1 duplicate row (same time and samples) removed" in process.stderr


# Gaps.


def with_holes(path, lost):
    header, *lines = path.read_text().split()
    path.write_text("\n".join([header, *(line for i, line in enumerate(lines) if i not in lost)]))


@pytest.mark.parametrize(
    ("gaps", "filled"),
    [("interpolate", lambda a, b: (2 * a + b) / 3), ("forward", lambda a, b: a)],
)
def test_rows_that_are_not_there_are_filled_as_in_training(gaps, filled, trained, cli_here, tmp_path):
    path, predictor = trained("ISO", gaps=gaps, max_gap=2)
    with_holes(write(tmp_path / "tomorrow.csv", "ISO", ROWS, LATER), {6, 7})
    x = values(ROWS + LATER - WINDOW, WINDOW)
    before, after = x[0, 0], x[3, 0]
    x[1, 0] = filled(before, after)
    x[2, 0] = before if gaps == "forward" else (before + 2 * after) / 3
    process = cli_here("predict", path, "tomorrow.csv")
    np.testing.assert_allclose(column(answers(process)), predictor.predict(x)[:, 0], rtol=1e-6)
    assert "2 rows missing" in process.stderr


@pytest.mark.parametrize("state", ["window", "carried"])
def test_no_window_reaches_over_a_longer_gap(state, trained, cli_here, tmp_path):
    path, predictor = trained("ISO", max_gap=2, state=state)
    with_holes(write(tmp_path / "tomorrow.csv", "ISO", ROWS, LATER), {5, 6, 7})
    process = cli_here("predict", path, "tomorrow.csv")
    if state == "carried":  # begins anew behind the gap
        expected = predictor.predict(values(ROWS + LATER - 1, 1))[-1, :, 0]
        np.testing.assert_array_equal(column(answers(process)), expected)
    else:
        assert_one_line_and_exit_2(process, "contains a gap of more than 2 samples, in column 'heat' at row 6")
        assert "--max-gap" in process.stderr
    found = answers(cli_here("predict", path, "tomorrow.csv", "--max-gap", "3"))
    assert len(found) == HORIZON


def test_of_all_forecasts_those_over_a_longer_gap_are_left_out_and_counted(trained, cli_here, tmp_path):
    path, predictor = trained("ISO", max_gap=2)
    with_holes(write(tmp_path / "tomorrow.csv", "ISO", ROWS, 20), {8, 9, 10})
    process = cli_here("predict", path, "tomorrow.csv", "--all")
    found = answers(process)
    # Up to two hours into the gap the last value goes on, as on a device; of the 17 windows those that touch the third
    # hour, or begin inside the gap, are left out.
    whole = [i for i in range(WINDOW - 1, 20) if not set(range(i + 1 - WINDOW, i + 1)) & {8, 9, 10}]
    asked = {row["origin"] for row in found}
    assert asked == {KINDS["ISO"][3](ROWS + i) for i in [*whole, 8, 9]}
    (line,) = [line for line in process.stderr.splitlines() if "skipped" in line]
    assert f"{17 - len(asked)} of 17 forecasts skipped" in line
    expected = predictor.predict(values(ROWS + 11, WINDOW))[0, 0]
    (row,) = [row for row in found if row["origin"] == KINDS["ISO"][3](ROWS + 14) and row["step"] == "1"]
    assert np.float32(row["heat"]) == expected


# Words, series, bins.

WINDS = ("NW", "SE", "calm")


def windy(first, count, words=WINDS):
    lines = [f"{hours(i):%FT%T},{value(i)},{words[i % len(words)]}" for i in range(first, first + count)]
    return "\n".join(["t,heat,wind", *lines, ""])


def hot(words):
    return [[float(word == known) for known in WINDS] for word in words]


@pytest.fixture
def weathervane(tmp_path):
    """A file with a column of words among its inputs."""
    (tmp_path / "table.csv").write_text(windy(0, ROWS))
    asked = asking(["heat", "wind"], time="t", max_gap=2)
    return tmp_path / "net.onnx", trained_on(tmp_path / "table.csv", tmp_path / "net.onnx", asked)[0]


def test_words_are_the_categories_of_training(weathervane, cli_here, tmp_path):
    path, predictor = weathervane
    assert [channel.name for channel in predictor.contract.inputs] == ["heat", "wind=NW", "wind=SE", "wind=calm"]
    (tmp_path / "tomorrow.csv").write_text(windy(ROWS, LATER, ("SE",)))  # one word alone
    process = cli_here("predict", path, "tomorrow.csv")
    x = np.hstack([values(ROWS + LATER - WINDOW, WINDOW), hot(["SE"] * WINDOW)])
    np.testing.assert_array_equal(column(answers(process)), predictor.predict(x)[:, 0])
    assert process.stderr == ""


def test_a_word_that_training_never_saw_counts_as_none_and_is_counted(weathervane, cli_here, tmp_path):
    path, predictor = weathervane
    (tmp_path / "tomorrow.csv").write_text(windy(ROWS, LATER, ("SE", "tornado")))
    process = cli_here("predict", path, "tomorrow.csv")
    words = [("SE", "tornado")[i % 2] for i in range(ROWS + LATER - WINDOW, ROWS + LATER)]
    x = np.hstack([values(ROWS + LATER - WINDOW, WINDOW), hot(words)])
    np.testing.assert_array_equal(column(answers(process)), predictor.predict(x)[:, 0])
    (line,) = process.stderr.splitlines()
    assert "column 'wind': 4 unknown words" in line


def test_between_two_words_the_last_one_goes_on(weathervane, cli_here, tmp_path):
    path, predictor = weathervane
    lines = windy(ROWS, LATER, ("NW",)).split("\n")
    lines[LATER - 1] = lines[LATER - 1].replace("NW", "")  # the last row but one
    lines[LATER] = lines[LATER].replace("NW", "SE")
    (tmp_path / "tomorrow.csv").write_text("\n".join(lines))
    x = np.hstack([values(ROWS + LATER - WINDOW, WINDOW), hot(["NW", "NW", "NW", "SE"])])
    np.testing.assert_array_equal(
        column(answers(cli_here("predict", path, "tomorrow.csv"))), predictor.predict(x)[:, 0]
    )


def stores(names, first, count):
    lines = [
        f"{date(2024, 1, 1) + timedelta(i)},{name},{value(i) * (k + 1):.6f}"
        for i in range(first, first + count)
        for k, name in enumerate(names)
    ]
    return "\n".join(["day,store,sales", *lines, ""])


def test_each_series_is_forecast_and_so_is_one_that_training_never_saw(cli_here, tmp_path):
    (tmp_path / "table.csv").write_text(stores(["north", "south"], 0, ROWS))
    asked = asking(["sales"], time="day", series="store")
    predictor, _ = trained_on(tmp_path / "table.csv", tmp_path / "net.onnx", asked, many=True)
    (tmp_path / "tomorrow.csv").write_text(stores(["south", "new", "north"], ROWS, LATER))
    found = answers(cli_here("predict", "net.onnx", "tomorrow.csv"))
    assert [row["store"] for row in found[::HORIZON]] == ["south", "new", "north"]
    last = date(2024, 1, 1) + timedelta(ROWS + LATER - 1)
    assert [row["time"] for row in found] == [str(last + timedelta(i)) for i in (1, 2, 3)] * 3
    for k, name in enumerate(["south", "new", "north"]):
        x = np.array([[round(value(i) * (k + 1), 6)] for i in range(ROWS + LATER - WINDOW, ROWS + LATER)])
        rows = [row for row in found if row["store"] == name]
        np.testing.assert_array_equal(column(rows, "sales"), predictor.predict(x)[:, 0])


def test_a_series_that_is_too_short_is_left_out_and_named(cli_here, tmp_path):
    (tmp_path / "table.csv").write_text(stores(["north", "south"], 0, ROWS))
    asked = asking(["sales"], time="day", series="store")
    trained_on(tmp_path / "table.csv", tmp_path / "net.onnx", asked, many=True)
    (tmp_path / "tomorrow.csv").write_text(stores(["north"], ROWS, LATER) + "2024-04-01,new,5\n2024-04-02,new,6\n")
    process = cli_here("predict", "net.onnx", "tomorrow.csv")
    assert {row["store"] for row in answers(process)} == {"north"}
    assert "new: expected at least 4 rows" in process.stderr
    (tmp_path / "new.csv").write_text("day,store,sales\n2024-04-01,new,5\n2024-04-02,new,6\n")
    assert_one_line_and_exit_2(cli_here("predict", "net.onnx", "new.csv"), "new: expected at least 4 rows")


def test_rows_are_averaged_into_the_bins_of_training(cli_here, tmp_path):
    def minutes(first, count):
        start = datetime(2024, 1, 20, tzinfo=UTC)
        lines = [f"{start + timedelta(minutes=10 * i):%FT%T},{value(i)}" for i in range(first, first + count)]
        return "\n".join(["t,heat", *lines, ""])

    (tmp_path / "table.csv").write_text(minutes(0, 6 * ROWS))
    asked = asking(["heat"], time="t", resample="1h")
    predictor, _ = trained_on(tmp_path / "table.csv", tmp_path / "net.onnx", asked)
    (tmp_path / "tomorrow.csv").write_text(minutes(6 * ROWS, 6 * LATER))
    found = answers(cli_here("predict", "net.onnx", "tomorrow.csv"))
    x = [[np.mean([value(6 * hour + i) for i in range(6)])] for hour in range(ROWS + LATER - WINDOW, ROWS + LATER)]
    np.testing.assert_allclose(column(found), predictor.predict(x)[:, 0], rtol=1e-6)
    assert [row["time"] for row in found] == [f"{hours(ROWS + LATER - 1 + i):%FT%T}" for i in (1, 2, 3)]


def test_a_sentinel_of_training_is_a_missing_sample(cli_here, tmp_path):
    path = tmp_path / "table.csv"
    write(path, "ISO", 0, ROWS)
    predictor, _ = trained_on(path, tmp_path / "net.onnx", asking(["heat"], time="t", na="-200", max_gap=2))
    table = write(tmp_path / "tomorrow.csv", "ISO", ROWS, LATER)
    table.write_text(table.read_text().replace(str(value(ROWS + LATER - 2)), "-200"))
    x = values(ROWS + LATER - WINDOW, WINDOW)
    x[2] = (x[1] + x[3]) / 2
    found = answers(cli_here("predict", "net.onnx", "tomorrow.csv"))
    np.testing.assert_allclose(column(found), predictor.predict(x)[:, 0], rtol=1e-6)


# Other commands, other tasks.


@pytest.mark.parametrize("kind", ["months", "a zone", "semicolons, decimal commas, two columns of time"])
def test_a_table_is_scored_and_files_are_compared_on_it_without_an_option(kind, trained, cli_here, tmp_path):
    path, predictor = trained(kind)
    write(tmp_path / "tomorrow.csv", kind, ROWS, 30)
    process = cli_here("evaluate", path, "tomorrow.csv", "--output", "report")
    assert process.returncode == 0, process.stderr
    windows = 30 - WINDOW - HORIZON + 1
    x = np.stack([values(ROWS + i, WINDOW) for i in range(windows)])
    y = np.stack([values(ROWS + i + WINDOW, HORIZON) for i in range(windows)])
    rmse = np.sqrt(((predictor.predict(x) - y) ** 2).mean())
    assert f"{windows} windows" in process.stdout
    assert f"{rmse:.4g}" in process.stdout
    process = cli_here("compare", path, "--data", "tomorrow.csv", "--seconds", "0.01")
    assert process.returncode == 0, process.stderr
    assert f"{rmse:.4g}" in process.stdout


def test_series_of_a_fleet_are_scored_without_an_option(cli_here, tmp_path):
    (tmp_path / "table.csv").write_text(stores(["north", "south"], 0, ROWS))
    asked = asking(["sales"], time="day", series="store")
    trained_on(tmp_path / "table.csv", tmp_path / "net.onnx", asked, many=True)
    process = cli_here("evaluate", "net.onnx", "table.csv", "--output", "report")
    assert process.returncode == 0, process.stderr
    assert f"{2 * (ROWS - WINDOW - HORIZON + 1)} windows" in process.stdout


def test_labels_carry_the_time_on_the_wall_and_begin_anew_behind_a_gap(cli_here, tmp_path):
    table = write(tmp_path / "table.csv", "a zone", 0, ROWS)
    asked = asking(["heat"], time="t", time_zone="Europe/Berlin", max_gap=1)
    predictor, _ = trained_on(table, tmp_path / "net.onnx", asked, state="carried", task="label")
    rows = write(tmp_path / "tomorrow.csv", "a zone", ROWS, LATER).read_text().split("\n")
    (tmp_path / "tomorrow.csv").write_text("\n".join(rows[:4] + rows[6:]))  # two rows are not there
    process = cli_here("predict", "net.onnx", "tomorrow.csv")
    found = answers(process)
    kept = [ROWS + i for i in range(LATER) if i not in (3, 4)]
    assert [row["time"] for row in found] == [berlin(i).isoformat() for i in kept]
    expected = [predictor.predict(values(ROWS, 3))[:, 0], predictor.predict(values(ROWS + 5, LATER - 5))[:, 0]]
    np.testing.assert_array_equal(column(found), np.concatenate(expected))
    assert "2 of 9 rows skipped" in process.stderr


@pytest.mark.parametrize("command", ["predict", "evaluate", "compare", ("import", "torch"), ("import", "keras")])
def test_every_command_that_reads_a_table_for_a_network_takes_the_same_options(command, cli_here):
    words = cli_here(*([command] if isinstance(command, str) else command), "--help").stdout
    for option in (
        *(
            "--time",
            "--time-format",
            "--time-zone",
            "--series",
            "--delimiter",
            "--decimal",
            "--encoding",
            "--skip-rows",
        ),
        *("--no-header", "--na", "--duplicates", "--resample", "--missing", "--max-gap"),
    ):
        assert f"  {option} " in words or f"/ {option} " in words, option
