"""From a recipe, or from a caller's arrays, to the windows of each part."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars
import pytest

from edgelstm.errors import DataError, InputError, RecipeError
from edgelstm.recipe.file import check_recipe
from edgelstm.train.tasks import TASKS, Arrays, forecast

X = np.arange(60, dtype=np.float32).reshape(10, 3, 2)
Y = np.arange(40, dtype=np.float32).reshape(10, 2, 2)


def write(folder, name, rows, first=date(2001, 1, 1), days=1, **columns):
    """A table with one row each day; `a` counts the days, `b` runs against it."""
    counted = np.arange(rows, dtype=np.float64) + (first - date(2001, 1, 1)).days
    stamps = [first + timedelta(days=n * days) for n in range(rows)]
    table = polars.DataFrame({"t": stamps, "a": counted, "b": -counted, **columns})
    path = folder / name
    table.write_parquet(path) if path.suffix == ".parquet" else table.write_csv(path)
    return str(path)


def problem(path, **changes):
    content = {
        "data": {"path": path, "time": "t", "targets": ["a"], "missing": "drop"},
        "window": {"steps": 4, "horizon": 2},
        "split": {"overlap": False},
    }
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return TASKS["forecast"].read(check_recipe(content, "test"))


def from_arrays(x=X, y=Y, validation=None, test=None, inputs=(), outputs=(), every_step=False):
    state = "carried" if every_step else "window"
    recipe = {"data": {"path": "", "targets": ["y"]}, "window": {"steps": 1}, "network": {"state": state}}
    return TASKS["forecast"].from_arrays(Arrays(x, y, validation, test, inputs, outputs), check_recipe(recipe, "test"))


def targets(windows):
    return [] if windows is None else sorted({int(value) for value in windows.y()[..., 0].ravel()})


def spans(found):
    return [(min(t), max(t)) if (t := targets(w)) else None for w in (found.training, found.validation, found.test)]


def test_fractions_split_the_rows_in_the_order_of_time(tmp_path):
    found = problem(write(tmp_path, "a.csv", 100))
    assert spans(found) == [(4, 69), (74, 84), (89, 99)]
    assert found.period_s == 86_400
    assert found.season is None


@pytest.mark.parametrize(
    "borders", [[60, 80, 100], ["2001-03-02", "2001-03-22", 100], ["2001-03-01T12:00:00", 80, 100]]
)
def test_borders_are_rows_or_dates(tmp_path, borders):
    found = problem(write(tmp_path, "a.csv", 100), split__borders=borders)
    assert spans(found) == [(4, 59), (64, 79), (84, 99)]


@pytest.mark.parametrize(("borders", "parts"), [([60], 1), ([60, 80], 2), ([60, 60, 80], 2)])
def test_fewer_or_equal_borders_make_fewer_parts(tmp_path, borders, parts):
    found = problem(write(tmp_path, "a.csv", 100), split__borders=borders)
    assert sum(span is not None for span in spans(found)) == parts
    assert (found.validation is None) == (borders != [60, 80])


def test_overlap_begins_each_part_at_its_border(tmp_path):
    found = problem(write(tmp_path, "a.csv", 100), split__borders=[60, 80, 100], split__overlap=True)
    assert spans(found) == [(4, 59), (60, 79), (80, 99)]
    assert found.test.times[0].astype("datetime64[s]") == np.datetime64("2001-01-01") + 76


def test_a_date_as_a_border_needs_timestamps(tmp_path):
    path = write(tmp_path, "a.csv", 100)
    with pytest.raises(DataError, match="the border '2001-03-02' is a date, but there is no timestamp column"):
        problem(path, data__time=None, split__borders=["2001-03-02"])


def test_a_border_that_is_no_date_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected a row number or an ISO 8601 date as a border, got 'spring'"):
        problem(write(tmp_path, "a.csv", 100), split__borders=["spring"])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_separate_files_are_the_parts(tmp_path, suffix):
    paths = [
        write(tmp_path, f"{n}.{suffix}", rows, date(2001, 1, 1) + timedelta(days=start))
        for n, (rows, start) in enumerate([(50, 0), (20, 50), (30, 70)])
    ]
    found = problem(paths[0], split__validation_path=paths[1], split__test_path=paths[2])
    assert spans(found) == [(4, 49), (54, 69), (74, 99)]
    assert found.test.times[0].astype("datetime64[s]") == np.datetime64("2001-01-01") + 70


def test_beside_a_test_file_validation_is_a_fraction_of_the_first(tmp_path):
    first, second = write(tmp_path, "a.csv", 50), write(tmp_path, "b.csv", 20, date(2003, 1, 1))
    assert spans(problem(first, split__test_path=second)) == [(4, 42), (47, 49), (734, 749)]
    found = problem(first, split__test_path=second, split__validation=0.0)
    assert spans(found) == [(4, 49), None, (734, 749)]


def test_a_validation_file_stands_alone_where_no_test_is_asked_for(tmp_path):
    first, second = write(tmp_path, "a.csv", 50), write(tmp_path, "b.csv", 20, date(2001, 2, 20))
    assert spans(problem(first, split__validation_path=second, split__test=0.0)) == [(4, 49), (54, 69), None]


@pytest.mark.parametrize(
    ("split", "complaint"),
    [
        ({"split__validation_path": "b.csv"}, r"split\.test_path: .* needs a file too: give it with --test-file"),
        (
            {"split__test_path": "b.csv", "split__training": 0.7},
            r"expected fractions of the first file that sum to 1, got 0\.85: remove split\.training",
        ),
    ],
)
def test_no_row_of_the_first_file_slips_into_a_part_that_has_its_own(tmp_path, split, complaint):
    with pytest.raises(RecipeError, match=complaint):
        problem(write(tmp_path, "a.csv", 50), **split)


def test_overlap_across_files_needs_time_to_go_on(tmp_path):
    first, second = write(tmp_path, "a.csv", 50), write(tmp_path, "b.csv", 20, date(2003, 1, 1))
    with pytest.raises(DataError, match=r"overlap: expected the next file to continue one sample.*omit --overlap"):
        problem(first, split__test_path=second, split__overlap=True)
    goes_on = write(tmp_path, "c.csv", 20, date(2001, 2, 20))
    assert spans(problem(first, split__test_path=goes_on, split__overlap=True))[2] == (50, 69)


def test_files_sampled_at_another_pace_are_refused(tmp_path):
    first, second = write(tmp_path, "a.csv", 50), write(tmp_path, "b.csv", 20, days=2)
    with pytest.raises(DataError, match="expected one row every day, as in training, got one every 2 days"):
        problem(first, split__test_path=second)


def test_a_missing_file_of_a_part_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: file not found"):
        problem(write(tmp_path, "a.csv", 50), split__test_path=str(tmp_path / "nowhere.csv"))


def test_csv_and_parquet_of_the_same_table_are_the_same_problem(tmp_path):
    values = [None if n % 17 == 3 else n / 7 for n in range(100)]
    one, other = [problem(write(tmp_path, f"t.{kind}", 100, a=values)) for kind in ("csv", "parquet")]
    for part in ("training", "validation", "test"):
        np.testing.assert_array_equal(getattr(one, part).x(), getattr(other, part).x())
        np.testing.assert_array_equal(getattr(one, part).y(), getattr(other, part).y())
    assert one.inputs == other.inputs
    assert one.period_s == other.period_s


def test_the_format_that_was_named_wins_over_the_ending(tmp_path):
    path = write(tmp_path, "a.parquet", 100)
    odd = Path(path).rename(tmp_path / "a.table")
    np.testing.assert_array_equal(
        problem(str(odd), data__format="parquet").test.x(), problem(write(tmp_path, "a.csv", 100)).test.x()
    )


def test_the_digest_of_the_data_is_that_of_the_file(tmp_path):
    path = write(tmp_path, "a.csv", 100)
    with open(path, "rb") as file:
        assert problem(path).data_sha256 == hashlib.sha256(file.read()).hexdigest()


def test_channels_carry_units_and_the_statistics_of_training_alone(tmp_path):
    found = problem(
        write(tmp_path, "a.csv", 100),
        data__features=["b", "a"],
        data__units={"a": "ppm"},
        split__borders=[60, 80, 100],
    )
    assert [(channel.name, channel.unit) for channel in found.inputs] == [("b", None), ("a", "ppm")]
    (output,) = found.outputs
    assert (output.statistics.min, output.statistics.max, output.statistics.mean) == (0, 59, 29.5)
    assert output.statistics.std == pytest.approx(np.arange(60).std())
    assert output.statistics.quantiles == pytest.approx(np.linspace(0, 59, 11))


def test_gaps_are_counted_and_reported_with_the_policy(tmp_path):
    values = [None if n in (5, 6) else float(n) for n in range(100)]
    found = problem(write(tmp_path, "a.csv", 100, a=values), data__missing="forward", data__max_gap=2)
    assert any(line.startswith("a: 2 of 100 samples are missing, in 1 gap") for line in found.report)
    assert any("100 rows" in line for line in found.report)
    assert any(line.startswith("training: rows 1 to 70, 65 windows") for line in found.report)


def test_windows_that_touch_a_gap_are_dropped(tmp_path):
    values = [None if n == 20 else float(n) for n in range(100)]
    path = write(tmp_path, "a.csv", 100, a=values)
    assert len(problem(path, data__missing="drop").training) == 65 - 6
    assert len(problem(path, data__missing="forward").training) == 65


def test_a_season_that_was_named_wins_over_the_guess(tmp_path):
    path = write(tmp_path, "a.csv", 200)
    assert problem(path, window__steps=10).season == 7
    assert problem(path, window__steps=10, data__season=5).season == 5


def test_arrays_of_shape_n_o_have_a_horizon_of_one():
    assert from_arrays(y=Y[:, 0]).training.horizon == 1
    np.testing.assert_array_equal(from_arrays(y=Y[:, 0]).training.y(), Y[:, :1])


@pytest.mark.parametrize("fraction", [0.1, 0.19, 0.25, 0.5, 0.9])
def test_a_fraction_takes_the_last_windows_for_validation(fraction):
    found = from_arrays(validation=fraction)
    count = round(10 * fraction)
    np.testing.assert_array_equal(found.training.x(), X[: 10 - count])
    np.testing.assert_array_equal(found.validation.x(), X[10 - count :])
    np.testing.assert_array_equal(found.validation.y(), Y[10 - count :])


def test_pairs_are_the_held_out_parts():
    found = from_arrays(validation=(X + 1, Y + 1), test=(X[:3], Y[:3]))
    np.testing.assert_array_equal(found.validation.x(), X + 1)
    np.testing.assert_array_equal(found.test.y(), Y[:3])
    assert len(found.training) == 10


def test_an_output_named_like_an_input_has_its_past_there():
    found = from_arrays(inputs=("p", "q"), outputs=("q", "p"))
    np.testing.assert_array_equal(found.training.history(), X[..., ::-1])
    assert [channel.name for channel in found.outputs] == ["q", "p"]


def test_the_callers_arrays_are_not_changed():
    x, y = X.copy(), Y.copy()
    from_arrays(x, y, validation=0.3)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"x": X[0]}, r"expected x \[N, T, F\]"),
        ({"y": Y[:9]}, "with the same N"),
        ({"y": Y[:, :, :0]}, "expected x"),
        ({"x": X[:0], "y": Y[:0]}, "expected x"),
        ({"y": Y[:, 0, 0]}, "expected x"),
        ({"x": X * np.nan}, "expected finite numbers, got NaN or infinity"),
        ({"y": Y + np.inf}, "expected finite numbers"),
        ({"x": X.astype(np.float64) * 1e300}, "expected finite numbers"),
        ({"x": [[["a"]]], "y": [[1]]}, "expected a rectangular array of numbers"),
        ({"x": [[[1], [2]], [[3]]], "y": [[1]]}, "expected a rectangular array of numbers"),
        ({"x": X + 1j}, "expected a rectangular array of numbers"),
        ({"inputs": ("a",)}, r"inputs: expected one name per channel \(2\), all different"),
        ({"outputs": ("a", "a")}, r"outputs: expected one name per channel \(2\), all different"),
        ({"validation": (X,)}, r"validation: expected a pair \(x, y\)"),
        ({"validation": 3}, "validation: expected a pair"),
        ({"validation": (X[:, :2], Y)}, "validation: expected windows like x"),
        ({"test": (X, Y[:, :1])}, "test: expected windows like x"),
        ({"test": (X, Y[:5])}, "test: expected x"),
        ({"validation": 0.01}, "leaves training or validation empty"),
        ({"validation": 1.0}, "leaves training or validation empty"),
        ({"validation": -0.5}, "leaves training or validation empty"),
        ({"validation": float("nan")}, "validation: "),
        ({"y": Y, "every_step": True}, "expected a target at each of 3 steps, got 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, complaint):
    with pytest.raises(InputError, match=complaint):
        from_arrays(**changes)


@pytest.mark.parametrize("borders", [["2099-01-01"], ["2000-01-01", 80], [60, 101], [80, 60], [0, 60]])
def test_borders_outside_the_data_or_out_of_order_are_refused(tmp_path, borders):
    with pytest.raises(DataError, match="border"):
        problem(write(tmp_path, "a.csv", 100), split__borders=borders)


def test_rows_and_parts_that_nobody_uses_are_reported(tmp_path):
    report = problem(write(tmp_path, "a.csv", 100), split__borders=[60, 80]).report
    assert "no test part" in report
    assert "not used: rows 81 to 100" in report


def test_a_season_that_a_window_cannot_hold_is_reported(tmp_path):
    found = problem(write(tmp_path, "a.csv", 100))
    assert found.season is None
    assert any(line.startswith("no seasonal naive: a season of 7 samples") for line in found.report)


def test_a_ridge_that_would_not_fit_into_memory_is_reported(tmp_path, monkeypatch):
    path = write(tmp_path, "a.csv", 100)
    assert not any(line.startswith("no ridge") for line in problem(path).report)
    monkeypatch.setattr(forecast, "RIDGE_BYTES", 0)
    assert "no ridge: windows of 4 steps and 1 channels would need 1.79e-07 GiB" in problem(path).report


def test_a_carried_network_is_scored_on_the_windows_that_any_other_is(tmp_path):
    """What lies behind their earlier steps is not scored, so it may be missing."""
    values = [None if n == 92 else float(n) for n in range(100)]
    path = write(tmp_path, "a.csv", 100, a=values)
    found = [problem(path, data__features=["b"], network__state=state).test for state in ("window", "carried")]
    assert 0 < len(found[0]) < 10
    np.testing.assert_array_equal(found[1].x_starts, found[0].x_starts)


def test_the_same_file_twice_is_no_held_out_data(tmp_path):
    path = write(tmp_path, "a.csv", 50)
    with pytest.raises(DataError, match="the same file"):
        problem(path, split__test_path=path)


def test_files_in_the_wrong_order_of_time_are_refused(tmp_path):
    first, second = write(tmp_path, "a.csv", 50), write(tmp_path, "b.csv", 20)
    with pytest.raises(DataError, match="in time order"):
        problem(first, split__test_path=second)


def test_evaluation_windows_score_no_filled_truth_and_end_in_no_filled_sample(tmp_path):
    """Row 95 is missing: interpolated it would know row 96, and as a target it would be no truth."""
    values = [None if n == 95 else float(n) for n in range(100)]
    whole = problem(write(tmp_path, "a.csv", 100, a=[float(n) for n in range(100)])).test
    gappy = problem(write(tmp_path, "b.csv", 100, a=values), data__missing="interpolate").test
    rows = whole.y_starts[:, None] + whole.y_offsets
    bad = (rows == 95 - 85).any(axis=1) | (whole.x_starts + whole.steps - 1 == 95 - 85)
    assert 0 < bad.sum() < len(whole)
    np.testing.assert_array_equal(gappy.x_starts, whole.x_starts[~bad])
