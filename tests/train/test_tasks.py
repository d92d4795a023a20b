"""From a recipe, or from a caller's arrays, to the examples of each task; test_problem.py has more of forecasts."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.errors import DataError, InputError, RecipeError
from edgelstm.recipe.file import check_recipe
from edgelstm.train import fit
from edgelstm.train.tasks import TASKS, Arrays

LENGTHS = (7, 12, 5, 9, 12, 6, 8, 10, 11, 7, 6, 9)
RNG = np.random.default_rng(1)
SERIES = [RNG.normal(size=(n, 2)).astype(np.float32).round(4) for n in LENGTHS]
CLASSES = [("calm", "storm", "wind")[i % 3] for i in range(len(LENGTHS))]
STATES = [np.where(x[:, 0] > 0, "on", "off") for x in SERIES]
LOADS = [(100 * x[:, 1] + 200).round(2) for x in SERIES]


def write(path, series=SERIES, classes=CLASSES, states=STATES, loads=LOADS, first=0):
    """A table with a row for each minute of each series, one series after the other."""
    lines, minute = ["time,unit,p,q,kind,state,load"], first
    for i, (x, kind, state, load) in enumerate(zip(series, classes, states, loads, strict=True)):
        for (p, q), s, number in zip(x, state, load, strict=True):
            stamp = np.datetime64("2001-01-01T00:00") + minute
            lines.append(f"{stamp},unit {i + 1},{p},{q},{kind},{s},{'' if np.isnan(number) else number}")
            minute += 1
    path.write_text("\n".join([*lines, ""]))
    return str(path)


def problem(path, task, target, **changes):
    data = {"path": path, "features": ["p", "q"], "targets": [target], "series": "unit"}
    content = {"task": task, "data": data, "window": {} if task == "classify" else {"steps": 6}}
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return TASKS[task].read(check_recipe(content, "test"))


def from_arrays(task, x=SERIES, y=None, validation=None, test=None, outputs=(), **data):
    y = {"classify": CLASSES, "label": STATES if data.get("classes") else LOADS}[task] if y is None else y
    content = {"task": task, "data": {"path": "", "targets": ["y"], **data}}
    content["window"] = {} if task == "classify" else {"steps": 6}
    return TASKS[task].from_arrays(Arrays(x, y, validation, test, ("p", "q"), outputs), check_recipe(content, "test"))


def parts_of(found):
    return {"training": found.training, **found.held_out}


def test_to_classify_every_series_goes_whole_into_one_part_with_its_class(tmp_path):
    found = problem(write(tmp_path / "t.csv"), "classify", "kind", split__validation=0.25, split__test=0.25)
    assert [len(part) for part in parts_of(found).values()] == [6, 3, 3]
    assert (found.answer, found.window, found.horizon, found.period_s) == ("class", 12, 1, None)
    assert [channel.name for channel in found.outputs] == ["calm", "storm", "wind"]
    assert {channel.column for channel in found.outputs} == {"kind"}
    seen = []
    for part in parts_of(found).values():
        assert set(part.targets.tolist()) == {0, 1, 2}  # each class in each part
        for i, name in enumerate(part.names):
            unit = int(name.removeprefix("unit ")) - 1
            np.testing.assert_array_equal(part.x(i), SERIES[unit])
            assert found.outputs[part.truth(i)].name == CLASSES[unit]
            seen.append(unit)
    assert sorted(seen) == list(range(len(SERIES)))
    assert "classes: calm, storm, wind" in found.report


def test_files_of_their_own_are_held_out_whole(tmp_path):
    first = write(tmp_path / "a.csv")
    others = [write(tmp_path / f"{n}.csv", first=1000 * n) for n in (1, 2)]
    found = problem(first, "classify", "kind", split__test_path=others, split__validation=0.25)
    assert [len(part) for part in parts_of(found).values()] == [9, 3, 24]
    assert len(found.data_sha256.split("+")) == 3


@pytest.mark.parametrize("task", ["classify", "label"])
def test_the_same_file_twice_is_no_held_out_data(tmp_path, task):
    path, target = write(tmp_path / "t.csv"), "kind" if task == "classify" else "load"
    copy = write(tmp_path / "copy.csv")
    for again in ({"split__test_path": copy}, {"split__validation_path": path}):
        with pytest.raises(DataError, match="the same file is given for two parts"):
            problem(path, task, target, **again)


def test_classes_at_every_step_are_those_of_their_rows(tmp_path):
    found = problem(write(tmp_path / "t.csv"), "label", "state", data__classes=True)
    assert (found.answer, found.window) == ("class", 6)
    assert [channel.name for channel in found.outputs] == ["off", "on"]
    for part in parts_of(found).values():
        for i, name in enumerate(part.names):
            unit = int(name.removeprefix("unit ")) - 1
            assert part.truth(i).tolist() == (STATES[unit] == "on").astype(int).tolist()


def test_one_long_series_to_label_is_split_in_time(tmp_path):
    changes = {"data__classes": True, "data__series": None, "data__time": "time", "data__calendar": ["hour"]}
    found = problem(write(tmp_path / "t.csv"), "label", "state", **changes)
    rows = np.concatenate(SERIES)
    assert [len(part) for part in parts_of(found).values()] == [1, 1, 1]
    np.testing.assert_array_equal(np.concatenate([part.x(0) for part in parts_of(found).values()]), rows)
    assert [len(part.x_rows) for part in parts_of(found).values()] == [71, 16, 15]
    begin = np.datetime64("2001-01-01T00:00", "s").astype(int)
    times = np.concatenate([part.times for part in parts_of(found).values()])
    np.testing.assert_array_equal(times, begin + 60 * np.arange(len(rows)))
    assert found.period_s == 60


def test_numbers_to_label_are_capped_in_what_is_learnt_and_nowhere_else(tmp_path):
    loads = [load.copy() for load in LOADS]
    loads[3][2:4] = np.nan
    found = problem(write(tmp_path / "t.csv", loads=loads), "label", "load", data__cap=210, data__units={"load": "kW"})
    (output,) = found.outputs
    assert (output.name, output.unit, output.cap) == ("load", "kW", 210)
    assert output.statistics.max == 210
    truth = np.concatenate([part.targets[:, 0] for part in parts_of(found).values()])
    assert np.nanmax(truth) > 210
    assert np.isnan(truth).sum() == 2
    assert any("2 of them without a known truth" in line for line in found.report)


@pytest.mark.parametrize(
    ("task", "target", "options"),
    [("classify", "kind", {}), ("label", "state", {"classes": True}), ("label", "load", {"cap": 220.0})],
)
def test_arrays_are_the_same_problem_as_their_table(tmp_path, task, target, options):
    """All series in training; what differs is what arrays cannot know."""
    changes = {f"data__{key}": value for key, value in options.items()}
    table = problem(write(tmp_path / "t.csv"), task, target, split__validation=0.0, split__test=0.0, **changes)
    arrays = from_arrays(task, outputs=("load",) if target == "load" else (), **options)
    for name in ("x_rows", "starts", "lengths", "targets"):
        np.testing.assert_allclose(getattr(arrays.training, name), getattr(table.training, name), rtol=1e-6)
    assert (arrays.window, arrays.answer, arrays.inputs) == (table.window, table.answer, table.inputs)
    assert [c.name for c in arrays.outputs] == [c.name for c in table.outputs]
    if target == "load":
        assert arrays.outputs[0].statistics.mean == pytest.approx(table.outputs[0].statistics.mean)


def test_a_fraction_takes_the_last_series_for_validation():
    found = from_arrays("classify", validation=0.25)
    assert (len(found.training), len(found.validation)) == (9, 3)
    np.testing.assert_array_equal(found.validation.x(2), SERIES[-1])


def test_classes_of_arrays_may_be_numbers_in_the_order_that_somebody_names():
    numbers = [{"calm": 2, "storm": 10, "wind": 3}[name] for name in CLASSES]
    assert [c.name for c in from_arrays("classify", y=numbers).outputs] == ["2", "3", "10"]
    found = from_arrays("classify", y=np.array(numbers), outputs=("10", "2", "3", "4"))
    assert found.training.targets.tolist() == [{2: 1, 10: 0, 3: 2}[number] for number in numbers]
    assert len(found.outputs) == 4


def test_what_nobody_knows_of_arrays_is_no_class_and_no_number():
    states = [[None, *state[1:]] for state in STATES]
    found = from_arrays("label", y=states, classes=True)
    assert [c.name for c in found.outputs] == ["off", "on"]
    assert found.training.targets[found.training.starts].tolist() == [-1] * len(SERIES)
    loads = [np.append(load[:-1], np.nan) for load in LOADS]
    found = from_arrays("label", y=loads)
    assert np.isnan(found.training.targets).sum() == len(SERIES)
    assert found.outputs[0].statistics.mean == pytest.approx(np.nanmean(np.concatenate(loads)), rel=1e-4)


def changed(items, at, value):
    return [value if i == at else item for i, item in enumerate(items)]


REFUSED = [
    ("classify", {"x": changed(SERIES, 3, SERIES[3][:0])}, r"at least one step, got \(0, 2\) as series 4"),
    ("classify", {"x": changed(SERIES, 3, SERIES[3][:, :1])}, r"expected series \[T, F\] with the same channels"),
    ("classify", {"x": changed(SERIES, 3, SERIES[3] * np.nan)}, "expected finite numbers, got NaN"),
    ("classify", {"x": []}, "expected at least one series, got none"),
    ("classify", {"x": 5}, "expected at least one series, got 5"),
    ("classify", {"y": CLASSES[:-1]}, "expected a class for each of 12 series, got 11 of them"),
    ("classify", {"y": [[name] for name in CLASSES]}, "expected a class for each of 12 series"),
    ("classify", {"y": 3}, "expected a class for each of 12 series, got 3"),
    ("classify", {"y": changed(CLASSES, 4, None)}, "the class of series 5 is missing; remove the series"),
    ("classify", {"y": changed(CLASSES, 0, float("nan"))}, "the class of series 1 is missing"),
    ("classify", {"outputs": ("calm",)}, "expected the names of at least two different classes"),
    ("classify", {"outputs": ("calm", "storm", "rain")}, "without 'wind'"),
    ("classify", {"outputs": ("calm", "storm", "wind", "calm")}, "different classes"),
    ("classify", {"test": ([x[:, :1] for x in SERIES], CLASSES)}, r"test: expected series \[T, 2\]"),
    ("classify", {"test": (SERIES,)}, r"test: expected a pair \(x, y\)"),
    ("label", {"y": LOADS[:-1]}, "expected labels for each of 12 series, got 11"),
    ("label", {"y": None, "x": SERIES[:3]}, "expected labels for each of 3 series, got 12"),
    ("label", {"y": changed(LOADS, 2, LOADS[2][:-1])}, r"expected a label for each of 5 steps, got \(4, 1\)"),
    ("label", {"y": changed(LOADS, 2, LOADS[2] + np.inf)}, "expected finite numbers, got NaN or infinity"),
    (
        "label",
        {"y": changed(LOADS, 2, np.stack([LOADS[2]] * 2, 1))},
        r"expected steps with as many numbers as the first \(1\), got 2",
    ),
    (
        "label",
        {"test": (SERIES, [np.stack([y] * 2, 1) for y in LOADS])},
        r"test: expected steps with as many numbers as the first \(1\), got 2",
    ),
    ("label", {"y": changed(STATES, 0, STATES[0][:, None]), "classes": True}, "a class for each of 7 steps"),
    ("label", {"validation": 0.01}, "leaves training or validation empty"),
]


@pytest.mark.parametrize(("task", "changes", "complaint"), REFUSED)
def test_arrays_that_do_not_fit_are_refused(task, changes, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        from_arrays(task, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "changes", "complaint"),
    [
        (
            "classify",
            {"y": ["calm"] * 12},
            "expected at least two classes in the training part, got only",
        ),
        (
            "classify",
            {"test": (SERIES, ["rain"] * 12)},
            r"the test part has classes that training lacks: 'rain'",
        ),
        ("label", {"y": [np.full(n, np.nan) for n in LENGTHS]}, "the training part has no row with a known target"),
        (
            "label",
            {"test": (SERIES, [x[:, 0] * np.nan for x in SERIES])},
            "the test part has no row with a known target",
        ),
        ("label", {"y": [[None] * n for n in LENGTHS], "classes": True}, "in the training part, got none"),
    ],
)
def test_data_that_says_too_little_is_refused(task, changes, complaint):
    with pytest.raises(DataError, match=complaint):
        from_arrays(task, **changes)


def test_a_window_shorter_than_a_series_to_classify_is_refused(tmp_path):
    complaint = (
        r"window\.steps: expected at least 12, the length of the longest series, got 11: raise it, or cut the series"
    )
    with pytest.raises(DataError, match=complaint):
        problem(write(tmp_path / "t.csv"), "classify", "kind", window__steps=11)
    with pytest.raises(DataError, match=complaint):
        fit(SERIES, CLASSES, tmp_path / "run", task="classify", steps=11)
    assert problem(write(tmp_path / "t.csv"), "classify", "kind", window__steps=20).window == 20
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("task", "target", "changes", "complaint"),
    [
        ("classify", "kind", {"data__features": []}, r"data\.features: is missing; name the input columns"),
        ("classify", "kind", {"data__targets": []}, r"expected one column, the class \(--target\), got none"),
        ("classify", "kind", {"data__targets": ["kind", "q"]}, r"expected one column, the class \(--target\), got 2"),
        ("label", "load", {"data__features": []}, r"data\.features: is missing"),
        ("label", "load", {"data__targets": []}, r"expected the column to label \(--target\), got 0 columns"),
        ("label", "state", {"data__targets": ["state", "load"], "data__classes": True}, "got 2 columns"),
        ("label", "load", {"data__features": ["p", "load"]}, "'load' is a target to label, it cannot be an input"),
    ],
)
def test_columns_that_do_not_say_what_to_learn_are_refused(tmp_path, task, target, changes, complaint):
    with pytest.raises(RecipeError, match=complaint):
        problem(write(tmp_path / "t.csv"), task, target, **changes)


@pytest.mark.parametrize(
    ("split", "complaint"),
    [
        (
            {"split__borders": [50, 80, 100]},
            r"split\.borders needs one series, got 12, which are split as whole series: give fractions",
        ),
        (
            {"data__series": None, "data__time": "time", "split__borders": ["1999-01-01", 90]},
            "expected a border within the data, .* to .*, got '1999-01-01'",
        ),
    ],
)
def test_many_series_are_not_split_in_time_and_one_at_a_date_that_it_has(tmp_path, split, complaint):
    with pytest.raises(DataError, match=complaint):
        problem(write(tmp_path / "t.csv"), "label", "load", **split)


def test_a_file_of_another_pace_is_refused(tmp_path):
    first, other = write(tmp_path / "a.csv"), tmp_path / "b.csv"
    stamps = [f"2002-01-01T{hour:02}:00,unit 1,{hour / 7},{hour % 5},calm,on,{hour}" for hour in range(20)]
    other.write_text("\n".join(["time,unit,p,q,kind,state,load", *stamps, ""]))
    changes = {"data__series": None, "data__time": "time", "split__test_path": str(other)}
    with pytest.raises(DataError, match="expected one row every 1 min, as in training, got one every 1 h"):
        problem(first, "label", "load", **changes)


def forecast(path, **changes):
    content = {
        "data": {"path": path, "time": "time", "features": ["p", "plan"], "targets": ["p"]},
        "window": {"steps": 4, "horizon": 3},
        "split": {"overlap": False},
    }
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return TASKS["forecast"].read(check_recipe(content, "test"))


@pytest.fixture
def plans(tmp_path):
    """100 hours of p, and a plan that counts them."""
    stamps = np.datetime64("2001-01-05T22:00") + np.arange(100) * np.timedelta64(1, "h")
    rows = [f"{stamp},{np.sin(hour):.4f},{hour}" for hour, stamp in enumerate(stamps)]
    (tmp_path / "plans.csv").write_text("\n".join(["time,p,plan", *rows, ""]))
    return str(tmp_path / "plans.csv")


def test_a_column_known_ahead_stands_a_horizon_early(plans):
    found = forecast(plans, data__ahead=["plan"])
    assert [channel.ahead for channel in found.inputs] == [0, 3]
    for part, first in ((found.training, 0), (found.validation, 70), (found.test, 85)):
        x = part.x()
        for i, start in enumerate(part.x_starts):
            hours = first + start + np.arange(4)
            np.testing.assert_array_equal(x[i, :, 1], hours + 3)
            np.testing.assert_allclose(x[i, :, 0], np.sin(hours), atol=1e-4)
    without = forecast(plans)
    np.testing.assert_array_equal(found.training.y(), without.training.y())
    assert [channel.ahead for channel in without.inputs] == [0, 0]


def test_a_calendar_keeps_the_time_of_each_sample(plans):
    found = forecast(plans, data__calendar=["hour", "weekday"])
    first = np.datetime64("2001-01-05T22:00", "s").astype(int)
    np.testing.assert_array_equal(found.training.times, first + 3600 * np.arange(70))
    np.testing.assert_array_equal(found.test.times_of(np.array([2]))[0], first + 3600 * (87 + np.arange(4)))
    assert forecast(plans).training.times is None


def test_quantiles_are_outputs_of_their_target(plans):
    found = forecast(plans, window__quantiles=[0.1, 0.5, 0.9], data__targets=["p", "plan"])
    assert (found.answer, found.levels) == ("quantile", (0.1, 0.5, 0.9))
    assert [channel.name for channel in found.outputs] == [f"{c} q{q}" for c in ("p", "plan") for q in (0.1, 0.5, 0.9)]
    assert [channel.source for channel in found.outputs] == ["p"] * 3 + ["plan"] * 3
    assert len({channel.statistics for channel in found.outputs}) == 2
    assert found.training.y().shape[-1] == 2  # the truth is one number of each


def test_levels_that_lie_close_together_have_names_of_their_own(plans):
    found = forecast(plans, window__quantiles=[0.9, 0.90000001])
    assert [channel.name for channel in found.outputs] == ["p q0.9", "p q0.90000001"]


def test_shared_channels_of_arrays_are_those_of_x_in_their_order():
    x = np.random.default_rng(1).normal(size=(20, 8, 2)).astype(np.float32)
    data = {"path": "", "targets": ["y"]}
    recipe = check_recipe({"data": data, "window": {"steps": 8}, "network": {"shared": True}}, "test")
    for y, outputs in ((x[:, :2], ("b", "a")), (x[:, :2, :1], ("a",)), (x[:, :2], ("b", "c"))):
        with pytest.raises(InputError, match=r"network\.shared: each channel is forecast from itself"):
            TASKS["forecast"].from_arrays(Arrays(x, y, None, None, ("a", "b"), outputs), recipe)
    found = TASKS["forecast"].from_arrays(Arrays(x, x[:, :2], None, None, ("a", "b"), ("a", "b")), recipe)
    assert found.training.target_inputs == (0, 1)


def test_windows_to_forecast_from_have_their_own_steps(tmp_path):
    x = np.random.default_rng(1).normal(size=(20, 8, 2)).astype(np.float32)
    with pytest.raises(RecipeError, match="fit: steps: forecast windows have the steps of x; remove it"):
        fit(x, x[:, :2], tmp_path / "run", steps=9)
    assert not (tmp_path / "run").exists()
